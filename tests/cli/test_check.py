"""`presscheck check` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main
from tests.standin.papers import daily_list

DAY = "2026-03-11"


def run(*args: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, args)], input=stdin)


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    path = tmp_path / "papers.json"
    path.write_text(json.dumps(daily_list(DAY, 3)))
    return path


def markdown(number: int = 0, *, body: str = "", authors: str | None = None) -> str:
    """A digest with one entry in the detailed format, as anybody might have written it."""
    told = daily_list(DAY, number + 1)[number]["paper"]
    names = authors if authors is not None else ", ".join(author["name"] for author in told["authors"])
    first, *rest = " ".join(told["summary"].split()).split(". ")
    body = body or f"{first}."
    title = " ".join(told["title"].split())
    return (
        f"## Daily Papers ({DAY})\n\n### [{title}](https://arxiv.org/abs/{told['id']})\n\nVote: 3\n\n"
        f"Authors: {names}\n\n- **What's New**: {body}\n- **Technical Details**: {'. '.join(rest[:1])}.\n"
        f"- **Performance Highlights**: {'. '.join(rest[1:]).rstrip('.')}.\n"
    )


def write(folder: Path, text: str | bytes, name: str = "digest.md") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def report(*args: str | Path) -> dict:
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_digest_of_quotes_is_in_order(tmp_path, papers):
    (digest,) = report(write(tmp_path, markdown()), "--papers", papers)["digests"]
    (entry,) = digest["entries"]
    assert entry["verdict"] == "ok", entry
    assert {statement["verdict"] for statement in entry["statements"]} == {"supported"}


def test_findings_are_printed_in_place_with_a_summary(tmp_path, papers):
    wrong = markdown(authors="Z. Stranger, +")
    result = run(write(tmp_path, wrong), "--papers", papers)
    assert result.exit_code == 0
    assert "author artifact" in result.stdout and "“+”" in result.stdout
    assert "1 entries: 1 with findings" in result.stdout
    assert " ".join(daily_list(DAY, 1)[0]["paper"]["title"].split()) in result.stdout


def test_strict_exits_with_1_only_if_something_contradicts_its_paper(tmp_path, papers):
    told, other = (one["paper"] for one in daily_list(DAY, 2))
    assert "by 7.9%" in markdown()
    wrong = {
        "authors": markdown(authors="+"),
        "number": markdown().replace("by 7.9%", "by 17.4%"),
        "another paper": markdown(1).replace(other["id"], told["id"]),
    }
    for name, text in wrong.items():
        bad = write(tmp_path, text, "bad.md")
        assert run(bad, "--papers", papers, "--strict").exit_code == 1, name
        assert run(bad, "--papers", papers).exit_code == 0
    assert run(write(tmp_path, markdown(), "good.md"), "--papers", papers, "--strict").exit_code == 0


def test_strict_lets_form_pass(tmp_path, papers):
    untidy = write(tmp_path, markdown() + "- **Conclusion**: The method needs no change to the model.\n")
    (digest,) = report(untidy, "--papers", papers)["digests"]
    assert digest["entries"][0]["verdict"] == "findings"
    assert run(untidy, "--papers", papers, "--strict").exit_code == 0


def test_the_shipped_and_the_extractive_digests_are_read_with_their_own_papers(tmp_path, papers):
    out = tmp_path / "out"
    CliRunner().invoke(main, ["edition", DAY, "--papers", str(papers), "--out", str(out)])
    (digest, *_) = report(out / DAY / "edition.json")["digests"]
    assert len(digest["entries"]) == 3
    assert all(entry["verdict"] == "ok" for entry in digest["entries"]), digest


def test_standard_input_is_a_digest(papers):
    result = run("-", "--papers", papers, "--json", stdin=markdown().encode())
    assert json.loads(result.stdout)["digests"][0]["entries"][0]["verdict"] == "ok"


def test_a_paper_that_is_not_given_is_told_and_the_rest_is_checked(tmp_path):
    few = write(tmp_path, json.dumps(daily_list(DAY, 1)), "few.json")
    both = markdown(0) + "\n" + markdown(1).split("\n", 2)[2]
    result = run(write(tmp_path, both), "--papers", few)
    assert result.exit_code == 0
    assert daily_list(DAY, 2)[1]["paper"]["id"] in result.stderr and "--papers" in result.stderr
    assert "1 without their paper" in result.stdout and "1 in order" in result.stdout


def test_an_overrule_beside_the_digest_sets_a_finding_aside(tmp_path, papers):
    digest = write(tmp_path, markdown(body="It was also trained on SlimPajama data."))
    first = run(digest, "--papers", papers, "--keys")
    key = first.stdout.rsplit("[", 1)[1].split("]")[0]
    assert len(key) == 12
    overrule = f'[[overrule]]\nfinding = "{key}"\nreason = "named in section 4"\n'
    write(tmp_path, overrule, "digest.overrules.toml")
    assert key not in run(digest, "--papers", papers, "--keys").stdout


@pytest.mark.parametrize(
    "content",
    ["[[overrule]]\nfinding = 3\n", "no toml [", '[[overrule]]\nfinding = "a"\nreason = " "\n'],
)
def test_a_broken_file_of_overrules_is_told_by_name(tmp_path, papers, content):
    digest = write(tmp_path, markdown())
    write(tmp_path, content, "digest.overrules.toml")
    result = run(digest, "--papers", papers)
    assert result.exit_code == 2
    assert "digest.overrules.toml" in result.stderr and "hint" in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"Dear reader, there is no digest today.", "no digest"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'{"schema": 99}', "schema"),
    ],
)
def test_what_is_no_digest_is_told(tmp_path, papers, content, says):
    result = run(write(tmp_path, content), "--papers", papers)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_call_without_a_digest_says_what_is_needed():
    result = run()
    assert result.exit_code == 2 and "hint" in result.stderr


def test_hostile_markdown_is_text_and_moves_no_terminal(tmp_path, papers):
    body = "<script>alert(1)</script> \x1b[31mred\x1b[0m ![x](http://evil.example/x.png) [[b]] $(rm)"
    text = markdown(body=body)
    result = run(write(tmp_path, text), "--papers", papers)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout and "<script>alert(1)</script>" in result.stdout


def test_a_statement_of_ten_megabytes_is_checked_and_shown_in_part(tmp_path, papers):
    long = "Larkspur reaches 42.1% on many tasks and never stops saying so " * 160_000
    result = run(write(tmp_path, markdown(body=long)), "--papers", papers)
    assert result.exit_code == 0, result.output
    assert "characters more" in result.stdout and len(result.stdout) < 100_000


def test_thousands_of_numbers_in_a_line_take_no_square_of_time(tmp_path, papers):
    import time

    def seconds(count: int) -> float:
        digest = write(tmp_path, markdown(body=" ".join(f"{n}.{n % 10}%" for n in range(count))))
        start = time.process_time()
        assert run(digest, "--papers", papers, "--json").exit_code == 0
        return time.process_time() - start

    seconds(10)  # loads what is loaded once
    small, large = seconds(1000), seconds(8000)
    assert large < 24 * small + 1  # a square would be 64 times


def test_a_fault_of_form_that_all_entries_share_is_told_once(tmp_path, papers):
    entries = []
    for told in (entry["paper"] for entry in daily_list(DAY, 3)):
        title, summary = (" ".join(told[name].split()) for name in ("title", "summary"))
        entries.append(
            f"## 제목:\n{title}\n\n**요약**:\n{summary}\n\n**쉬운설명**:\n{summary}\n\n"
            f"**관련분야**:\n언어\n\n**추천수**:\n1\n\n**PDF 다운로드 링크**: ![PDF](https://arxiv.org/pdf/{told['id']})\n\n---\n"
        )
    path = write(tmp_path, "\n".join(entries))
    found = report(path, "--papers", papers)["digests"][0]["entries"]
    links = [f["why"] for entry in found for f in entry["findings"] if f["kind"] == "link"]
    assert len(links) == 3
    shown = " ".join(run(path, "--papers", papers).stdout.split())
    assert shown.count("linked as an image") == 1 and "in 3 entries" in shown
    keys = " ".join(run(path, "--papers", papers, "--keys").stdout.split())
    assert keys.count("linked as an image") == 3, "each has a key of its own"


def test_what_the_source_says_is_cut_between_words():
    from presscheck.cli.check_print import EXPECTED, _short

    text = "word " * 100
    assert _short(text).endswith("word …") and len(_short(text)) <= EXPECTED + 2
    assert _short("brief") == "brief"
