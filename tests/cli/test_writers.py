"""The verbs `writers` and `evaluate`, and `edition --writer`: what is set up, tried, measured, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main
from presscheck.digest.write.evaluate import Evaluation, Row, results_in, table
from presscheck.types import LANGUAGES, Edition, Entry, Section, Statement
from tests.digest.write.papers import GOOD, LARCH, larch
from tests.standin.model import Act, ScriptedModel, data_of, facts

DACE = {
    "section": "summary", "sentences": [2],
    "en": "Dace is a small network that counts the rings in a photograph of one scale.",
}  # fmt: skip


def run(*given: str) -> Result:
    return CliRunner().invoke(main, [*given])


def good(body: dict[str, Any], number: int) -> Act:
    return Act(facts(DACE) if "Dace" in data_of(body)["title"] else facts(*GOOD))


def configured(home: Path, text: str) -> None:
    (home / "presscheck.toml").write_text(text)


@pytest.fixture
def larch_file(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    row = {"id": "2407.99001", "title": "Larch: A Cache", "summary": LARCH, "authors": ["A"],
           "date": "2024-07-30"}  # fmt: skip
    path.write_text(json.dumps(row))
    return path


def test_every_writer_is_listed_and_tried_and_one_that_fails_says_why(own_home: Path):
    with ScriptedModel(good) as server:
        configured(
            own_home,
            f'[writers.good]\nmodel = "openai:scripted"\nbase_url = "{server.url}"\n'
            '[writers.gone]\nmodel = "openai:m"\nbase_url = "http://127.0.0.1:9/v1"\n'
            '[writers.nofile]\nmodel = "gguf:/nowhere/model.gguf"\n',
        )
        result = run("writers", "--json")
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert [rows[name]["works"] for name in ("extractive", "good", "gone", "nofile")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert "1 of 1 statements pass" in rows["good"]["said"]
    assert "refused" in rows["gone"]["said"]
    assert "no file /nowhere/model.gguf" in rows["nofile"]["said"]
    assert rows["extractive"]["default"]


def test_without_a_test_nothing_is_asked(own_home: Path):
    with ScriptedModel(good) as server:
        configured(own_home, f'[writers.good]\nmodel = "openai:scripted"\nbase_url = "{server.url}"\n')
        result = run("writers", "--no-test")
    assert result.exit_code == 0
    assert server.requests == []
    assert "good" in result.stdout


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        (("--writer", "gpt-4"), "no writer is called `gpt-4`", "openai:NAME"),
        (("--writer", "extractve"), "no writer is called", "did you mean `extractive`?"),
        (("--writer", "openai:gpt-x"), "OPENAI_API_KEY is not set", "export OPENAI_API_KEY"),
        (("--writer", "openai:m", "--base-url", "localhost:1"), "is no base URL", "http://"),
        (("--writer", "openai:m", "--base-url", "http://u:p@h/v1"), "is no base URL", "without a key"),
        (("--writer", "gguf:/nowhere.gguf"), "there is no file", "GGUF"),
        (("--writer", "gguf:x", "--base-url", "http://h/v1"), "has no base URL", ""),
        (("--writer", "openai:m", "--base-url", "http://127.0.0.1:9/v1"), "refused", "running"),
        (("--writer", "openai:m", "--base-url", "http://127.0.0.1:9/v1", "--max-cost", "1"),
         "needs the price", "--price"),
        (("--price", "1"), "--price is `1`", "two sums"[:3]),
        (("--max-cost", "much"), "--max-cost is `much`", ""),
        (("--max-cost", "1"), "costs nothing", "--writer"),
    ],
)  # fmt: skip
def test_what_cannot_write_is_told_and_nothing_is_written(
    given: tuple[str, ...], words: str, hint: str, larch_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    out = tmp_path / "out"
    result = run("edition", "2024-07-30", "--papers", str(larch_file), "--out", str(out), *given)
    assert result.exit_code == 2
    assert words in result.stderr
    assert hint in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html>404</html>" * 10, "begins with '<htm'"),
        (b"", "is no GGUF file"),
        (b"GGUF" + b"\x01\0\0\0" + b"\0" * 16, "of version 1"),
        (b"GGUF" + b"\x03\0\0\0" + b"\0" * 2000, "without a model"),
        (b"GGUF\x03\0\0\0" + b"\x05" + b"\0" * 7 + b"\x05" + b"\0" * 7 + b"\xff" * 4000, "cannot be loaded"),
    ],
)
def test_a_file_that_is_no_model_is_told(data: bytes, words: str, tmp_path: Path, larch_file: Path):
    if "loaded" in words:
        pytest.importorskip("xllamacpp")
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    result = run("edition", "2024-07-30", "--papers", str(larch_file), "--writer", f"gguf:{path}")
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_edition_by_a_model_is_checked_names_it_and_counts_its_repairs(larch_file: Path, tmp_path: Path):
    with ScriptedModel(good) as server:
        result = run(
            "edition", "2024-07-30", "--papers", str(larch_file), "--out", str(tmp_path / "out"),
            "--writer", "openai:scripted", "--base-url", server.url, "--price", "1,2", "--max-cost", "1",
            "--style", "detailed",
        )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    edition = json.loads((tmp_path / "out" / "2024-07-30" / "edition.json").read_bytes())
    assert [entry["writer"] for entry in edition["entries"]] == ["scripted", "scripted"]
    assert [entry["written"]["kept"] for entry in edition["entries"]] == [4, 4]
    verdicts = {s["verdict"] for e in edition["entries"] for part in e["sections"] if part["key"] != "fields"
                for s in part.get("statements", ())}  # fmt: skip
    assert verdicts == {"supported"}
    assert "1 requests" in result.stderr and "$0.0" in result.stderr


def test_another_writer_makes_another_edition_of_the_same_day(larch_file: Path, tmp_path: Path):
    common = ("edition", "2024-07-30", "--papers", str(larch_file), "--out", str(tmp_path / "out"))
    with ScriptedModel(good) as server:
        by_model = (*common, "--writer", "openai:scripted", "--base-url", server.url)
        assert "unchanged" not in run(*common).stdout
        assert "unchanged" not in run(*by_model).stdout
        assert "unchanged" in run(*by_model).stdout
        assert "unchanged" not in run(*common).stdout


def test_a_users_glossary_adds_to_ours(own_home: Path, larch_file: Path, tmp_path: Path):
    terms = tmp_path / "terms.tsv"
    terms.write_text("laptop\t휴대용 컴퓨터\t노트북\tours alone\n")
    configured(own_home, f'glossary = "{terms}"\n')
    with ScriptedModel(good) as server:
        run("edition", "2024-07-30", "--papers", str(larch_file), "--out", str(tmp_path / "out"), "--style",
            "detailed", "--writer", "openai:scripted", "--base-url", server.url)  # fmt: skip
    assert data_of(server.requests[0])["terms"]["laptop"] == "휴대용 컴퓨터"
    assert "노트북" not in (tmp_path / "out" / "2024-07-30" / "detailed.ko.md").read_text()


def test_a_writer_is_measured_on_the_shipped_papers_beside_the_editors(
    larch_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """A shipped edition of ours with one entry by hand, half of whose statements are about towels."""
    paper = larch()
    texts = (str(GOOD[0]["en"]), "The robot folds towels with two arms in the kitchen of a house.")
    section = Section(key="whats_new", statements=tuple(Statement(text=text) for text in texts))
    by_hand = [
        Entry(paper=paper.id, language=language, style="detailed", writer="editors", sections=(section,))
        for language in LANGUAGES
    ]
    bare = msgspec.structs.replace(paper, abstract="", abstract_original="")
    edition = Edition(date="2024-07-30", papers=(bare,), entries=tuple(by_hand))
    monkeypatch.setattr("presscheck.edition.shipped.shipped_dates", lambda: ("2024-07-30",))
    monkeypatch.setattr("presscheck.edition.shipped.load_shipped", lambda date: edition)
    with ScriptedModel(good) as server:
        by = ("--writer", "openai:scripted", "--base-url", server.url, "--price", "1,1")
        result = run("evaluate", "--papers", str(larch_file), *by, "--json")
    assert result.exit_code == 0, result.stderr
    lines = {line["writer"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert set(lines) == {"editors", "scripted"}
    one = lines["scripted"]
    assert (one["papers"], one["faithful"], one["printed"], one["agreed"]) == (1, 1.0, 1.0, 1.0)
    assert one["covered"] == 0.5, "in English the model gives the result in the abstract's own words"
    assert one["dollars"] > 0
    assert lines["editors"]["printed"] < 1.0
    assert lines["editors"]["covered"] == 0.0
    assert "scripted" in run("evaluate").stdout


def test_without_a_result_or_an_abstract_evaluate_says_what_is_needed():
    assert "no result lies in" in run("evaluate").stderr
    with ScriptedModel(good) as server:
        result = run("evaluate", "--writer", "openai:scripted", "--base-url", server.url)
    assert result.exit_code == 2
    assert "no abstract of a shipped edition" in result.stderr


def row(paper: str, **given: Any) -> Row:
    fields = {"statements": 4, "supported": 4, "first": 4, "kept": 3, "repaired": 1, "replaced": 0,
              "dropped": 0, "results": 2, "told": 1, "facts": 4, "agreed": 3, "seconds": 1.0,
              "dollars": 0.1, "requests": 2, **given}  # fmt: skip
    return Row(paper=paper, **fields)


def test_results_merge_by_copying_and_the_newest_row_of_a_paper_counts():
    old = Evaluation(writer="m", prompt="1", taken="2024-01-01T00:00:00Z", rows=(row("a", kept=0), row("b")))
    new = Evaluation(writer="m", prompt="1", taken="2024-02-01T00:00:00Z", rows=(row("a"),))
    other = Evaluation(writer="m", prompt="2", taken="2024-02-01T00:00:00Z", rows=(row("a"),))
    lines = table([new, other, old])
    assert [(line.prompt, line.papers, line.faithful) for line in lines] == [("1", 2, 0.75), ("2", 1, 0.75)]


def test_a_file_that_is_no_result_is_named(tmp_path: Path):
    (tmp_path / "x.evaluation.json").write_text("{}")
    with pytest.raises(Exception, match="x.evaluation.json is no result"):
        results_in(tmp_path)
