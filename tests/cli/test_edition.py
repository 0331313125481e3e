"""`presscheck edition` as a user calls it: what it prints, what it writes, what it exits with."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main
from presscheck.digest.files import read_digest_file
from presscheck.digest.jsonfile import edition_from_json
from presscheck.papers.sentences import digest, locate
from presscheck.types import Edition
from tests.standin.papers import daily_list
from tests.standin.server import StandIn

DAY = "2026-03-11"


def run(*args: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def edition_in(folder: Path, day: str = DAY) -> Edition:
    file = folder / day / "edition.json"
    return edition_from_json(file.read_bytes(), str(file))


def answer(path: Path, count: int = 4, day: str = DAY) -> Path:
    path.write_text(json.dumps(daily_list(day, count)))
    return path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch):
    with StandIn(papers=6, today=date(2026, 3, 20)) as service:
        monkeypatch.setenv("PRESSCHECK_HF_URL", service.hf_url)
        monkeypatch.setenv("PRESSCHECK_ARXIV_URL", service.arxiv_url)
        monkeypatch.setenv("PRESSCHECK_ARXIV_INTERVAL", "0")
        yield service


def test_a_day_is_fetched_written_and_named(service, tmp_path):
    result = run("edition", DAY, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    markdown = {f"{DAY}/{style}.{language}.md" for style in ("detailed", "easy") for language in ("en", "ko")}
    assert names == {"index.html", "feed.atom", f"{DAY}/index.html", f"{DAY}/edition.json"} | markdown
    for name in (*markdown, f"{DAY}/index.html", "index.html"):
        assert str(tmp_path / name) in result.output
    assert len(edition_in(tmp_path).papers) == 6


def test_every_english_statement_is_the_abstracts_own_words(service, tmp_path):
    run("edition", DAY, "--out", tmp_path)
    edition = edition_in(tmp_path)
    papers = {paper.id: paper for paper in edition.papers}
    told = 0
    for entry in edition.entries:
        paper = papers[entry.paper]
        for section in entry.sections:
            for statement in section.statements:
                for evidence in statement.evidence:
                    if evidence.source != "abstract" or entry.language != "en" or section.key == "fields":
                        continue
                    sentence = paper.sentences[evidence.sentence - 1]
                    assert digest(locate(paper, sentence)) == evidence.hash == sentence.hash
                    source = " ".join(paper.abstract_original[evidence.start : evidence.end].split())
                    assert statement.text == source
                    told += 1
    assert told >= 6 * 4


def test_a_fetched_day_is_not_fetched_again_unless_it_is_refreshed(service, tmp_path):
    run("edition", DAY, "--out", tmp_path)
    asked = service.count()
    assert run("edition", DAY, "--out", tmp_path / "other").exit_code == 0
    assert service.count() == asked
    service.more_votes = 3
    votes = [paper.votes for paper in edition_in(tmp_path).papers]
    assert run("edition", DAY, "--out", tmp_path, "--refresh").exit_code == 0
    assert service.count() > asked
    assert [paper.votes for paper in edition_in(tmp_path).papers] == [v + 3 for v in votes]


def test_the_votes_of_all_snapshots_are_a_series(service, tmp_path, own_home):
    from presscheck.papers.library import Library

    run("edition", DAY, "--out", tmp_path)
    first = edition_in(tmp_path).papers[0]
    service.more_votes = 5
    run("edition", DAY, "--out", tmp_path, "--refresh")
    series = Library(own_home).votes(first.id)
    assert [votes for _, votes in series] == [first.votes, first.votes + 5]


def test_latest_without_a_network_builds_what_is_shipped_and_says_so(tmp_path):
    from presscheck.edition.shipped import shipped_dates

    result = run("edition", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("No network")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == shipped_dates()


def test_a_shipped_day_needs_no_network_and_has_both_languages(tmp_path):
    assert run("edition", "2024-07-31", "--out", tmp_path).exit_code == 0
    for language in ("en", "ko"):
        (read,) = read_digest_file(tmp_path / "2024-07-31" / f"detailed.{language}.md")
        assert len(read.entries) == 10
        assert all(entry.status == "written" for entry in read.entries)


def test_a_day_that_is_nowhere_is_an_error_that_names_what_the_library_holds(service, monkeypatch, tmp_path):
    run("edition", DAY, "--out", tmp_path)
    monkeypatch.setenv("PRESSCHECK_HF_URL", "http://127.0.0.1:9")
    result = run("edition", "2026-03-12", "--out", tmp_path)
    assert result.exit_code == 2
    assert "refused" in result.stderr and DAY in result.stderr


def test_papers_come_from_a_file_in_its_order(tmp_path):
    listed = daily_list(DAY, 5)
    result = run("edition", DAY, "--papers", answer(tmp_path / "list.json", 5), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    papers = edition_in(tmp_path / "out").papers
    assert [paper.id for paper in papers] == [entry["paper"]["id"] for entry in listed]
    for paper, entry in zip(papers, listed, strict=True):
        assert [author.name for author in paper.authors] == [a["name"] for a in entry["paper"]["authors"]]


def test_papers_come_from_standard_input(tmp_path):
    data = json.dumps(daily_list(DAY, 2)).encode()
    result = run("edition", DAY, "--papers", "-", "--out", tmp_path, stdin=data)
    assert result.exit_code == 0, result.output
    assert len(edition_in(tmp_path).papers) == 2


def test_one_bad_paper_costs_itself_alone_and_the_exit_status_says_so(tmp_path):
    entries = daily_list(DAY, 50)
    del entries[20]["paper"]["id"]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    result = run("edition", DAY, "--papers", tmp_path / "list.json", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert len(edition_in(tmp_path / "out").papers) == 49
    assert "Bad paper" in result.stderr and "$[20]" in result.stderr
    assert "$[20]" in (tmp_path / "out" / DAY / "index.html").read_text()


def test_only_what_was_asked_for_is_written(tmp_path):
    source = answer(tmp_path / "list.json")
    run("edition", DAY, "--papers", source, "--language", "en", "--style", "easy", "--out", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / DAY).glob("*.md")] == ["easy.en.md"]
    assert {(e.language, e.style) for e in edition_in(tmp_path / "out").entries} == {("en", "easy")}


def test_all_builds_every_day_of_an_archive_and_goes_on_where_it_stopped(tmp_path):
    rows = []
    for day in ("2026-03-11", "2026-03-10", "2026-03-11"):  # out of order, a day in two places
        for entry in daily_list(day, 4)[len(rows) % 2 :: 2]:
            paper = entry["paper"]
            rows.append({
                "date": day, "id": paper["id"], "title": paper["title"], "summary": paper["summary"],
                "authors": [author["name"] for author in paper["authors"]], "upvotes": paper["upvotes"],
                "published_at": paper["publishedAt"],
            })  # fmt: skip
    archive = tmp_path / "archive.jsonl"
    archive.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    assert run("edition", "all", "--papers", archive, "--out", out).exit_code == 0
    assert [path.name for path in sorted(out.iterdir()) if path.is_dir()] == ["2026-03-10", "2026-03-11"]
    before = (out / "2026-03-10" / "edition.json").stat().st_mtime_ns
    (out / "2026-03-11" / "edition.json").unlink()
    result = run("edition", "all", "--papers", archive, "--out", out)
    assert result.exit_code == 0
    assert (out / "2026-03-10" / "edition.json").stat().st_mtime_ns == before
    assert (out / "2026-03-11" / "edition.json").exists()
    assert "unchanged" in result.output


def test_json_is_one_edition_a_line(tmp_path):
    result = run("edition", DAY, "--papers", answer(tmp_path / "a.json"), "--out", tmp_path / "out", "--json")
    (line,) = result.stdout.splitlines()
    assert edition_from_json(line.encode(), "stdout") == edition_in(tmp_path / "out")


def test_the_name_of_a_file_is_told_and_not_its_folder(tmp_path):
    run("edition", DAY, "--papers", answer(tmp_path / "list.json"), "--out", tmp_path / "out")
    assert edition_in(tmp_path / "out").source == "list.json"
    assert str(tmp_path) not in (tmp_path / "out" / DAY / "index.html").read_text()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["edition", "2024-02-30"], "2024-02-30"),
        (["edition", "yesterday"], "YYYY-MM-DD"),
        (["edition", DAY, "--language", "fr"], "unknown language `fr`"),
        (["edition", DAY, "--style", "long"], "unknown style `long`"),
        (["edition", "all"], "--papers"),
        (["edition", DAY, "--papers", "no-such-file"], "no-such-file"),
    ],
)
def test_a_wrong_argument_is_told_with_a_hint_and_writes_nothing(args, says, tmp_path):
    result = run(*args, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert says in result.stderr and "hint: " in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no json", "known kind"),
        (b"<!DOCTYPE html><html><body>502</body></html>", "HTML"),
        (b'{"error": "Rate limited"}', "Rate limited"),
        (b'{"papers": 3}', "list of papers"),
        (b"\x1f\x8b\x08\x00cut", "gzip"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"", "empty"),
    ],
)
def test_a_file_that_is_no_list_is_told_and_writes_nothing(content, says, tmp_path):
    (tmp_path / "list.json").write_bytes(content)
    result = run("edition", DAY, "--papers", tmp_path / "list.json", "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert says.lower() in result.stderr.lower()
    assert not (tmp_path / "out").exists()


def test_the_number_1_is_an_empty_day(tmp_path):
    (tmp_path / "list.json").write_bytes(b"1")
    result = run("edition", "2026-03-14", "--papers", tmp_path / "list.json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert edition_in(tmp_path / "out", "2026-03-14").papers == ()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file, not a folder")
    result = run("edition", DAY, "--papers", answer(tmp_path / "a.json"), "--out", blocked / "out")
    assert result.exit_code == 2
    assert str(blocked) in result.stderr
    assert blocked.read_text() == "a file, not a folder"


def test_a_list_of_ids_is_fetched_from_arxiv(service, tmp_path):
    wanted = [entry["paper"]["id"] for entry in daily_list(DAY, 3)]
    (tmp_path / "ids.txt").write_text("\n".join(reversed(wanted)))
    result = run("edition", DAY, "--papers", tmp_path / "ids.txt", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [paper.id for paper in edition_in(tmp_path / "out").papers] == wanted[::-1]


def test_hostile_text_stays_text(tmp_path):
    entries = daily_list(DAY, 1)
    script = "<script>alert(1)</script>"
    entries[0]["paper"]["title"] = f"{script} Title"
    entries[0]["paper"]["authors"][0]["name"] = f"{script} Name"
    entries[0]["paper"]["summary"] = f"We present {script} **Bold**. " + entries[0]["paper"]["summary"]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    assert run("edition", DAY, "--papers", tmp_path / "list.json", "--out", tmp_path / "out").exit_code == 0
    for file in (tmp_path / "out").rglob("*.html"):
        assert "<script>alert" not in file.read_text()
    for file in (tmp_path / "out").rglob("*.md"):
        assert "<script>" not in file.read_text().replace("\\<", "")  # escaped, it is text


def test_the_same_paper_twice_is_told_and_printed_once(tmp_path):
    entries = daily_list(DAY, 3)
    (tmp_path / "list.json").write_text(json.dumps([*entries, entries[1]]))
    result = run("edition", DAY, "--papers", tmp_path / "list.json", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert len(edition_in(tmp_path / "out").papers) == 3
    assert entries[1]["paper"]["id"] in result.stderr


@pytest.mark.shared
@pytest.mark.parametrize(
    "day", ["2024-07-22", "2024-07-31", "2024-10-07", "2024-10-23", "2024-12-25", "2024-12-27"]
)
def test_the_real_lists_print_whole(shared_data, tmp_path, day):
    import ast

    file = shared_data / "api" / f"{day}.json"
    raw = [ast.literal_eval(e) if isinstance(e, str) else e for e in json.loads(file.read_text())]
    result = run("edition", day, "--papers", file, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    edition = edition_in(tmp_path, day)
    assert [paper.id for paper in edition.papers] == [entry["paper"]["id"] for entry in raw]
    for paper, entry in zip(edition.papers, raw, strict=True):
        names = [" ".join(author["name"].split()) for author in entry["paper"]["authors"]]
        assert [author.name for author in paper.authors] == names
        assert paper.abstract_original == entry["paper"]["summary"]
        for own in (e for e in edition.entries if e.paper == paper.id):
            for statement in (s for section in own.sections for s in section.statements):
                for evidence in statement.evidence:
                    abstract = evidence.source == "abstract"
                    text = entry["paper"]["summary"] if abstract else paper.title_original
                    assert 0 <= evidence.start < evidence.end <= len(text)
