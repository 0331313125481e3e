"""The archive's papers: each once, nothing lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from presscheck.archive.store import Archive, Counts
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
from presscheck.types import Edition, Entry, Section, Statement

replace = msgspec.structs.replace


def test_adding_twice_changes_nothing_the_second_time(archive, papers):
    assert archive.add(papers) == Counts(new=6)
    before = archive.change()
    assert archive.add(papers) == Counts(unchanged=6)
    assert archive.change() == before and len(archive) == 6


def test_what_was_added_comes_back_as_it_was(archive, papers):
    archive.add(papers)
    assert list(archive) == papers
    assert archive.papers(["2501.00003", "9999.99999", "2501.00001"]) == [papers[2], papers[0]]


def test_a_reader_of_an_archive_that_is_not_there_makes_no_file(archive):
    assert len(archive) == 0 and list(archive) == [] and archive.days() == {} and archive.votes("x") == []
    assert not archive.path.exists()


def test_votes_of_several_times_are_a_series(archive, papers):
    first = replace(papers[0], votes=3, votes_at="2025-01-02T00:00:00Z")
    later = replace(papers[0], votes=9, votes_at="2025-01-05T00:00:00Z")
    archive.add([later])
    archive.add([first])
    assert archive.votes(first.id) == [("2025-01-02T00:00:00Z", 3), ("2025-01-05T00:00:00Z", 9)]
    assert archive.papers([first.id])[0].votes == 9


def test_a_paper_on_two_lists_is_one_paper_of_two_days(archive, papers):
    archive.add([papers[0], replace(papers[0], date="2025-03-01")])
    assert len(archive) == 1
    assert archive.days() == {"2025-01-02": 1, "2025-03-01": 1}
    assert archive.dates(papers[0].id) == ["2025-01-02", "2025-03-01"]


def test_the_same_doi_makes_one_paper_in_any_case_and_the_arxiv_id_wins(archive):
    by_doi = make_paper(id="doi:10.1/AB", title="First title of it", abstract="", authors=[], doi="10.1/AB")
    by_arxiv = make_paper(
        id="2501.00001",
        title="Another title",
        abstract="Text here.",
        authors=[],
        doi="https://doi.org/10.1/ab",
    )
    archive.add([by_doi, by_arxiv])
    assert [paper.id for paper in archive] == ["2501.00001"]
    assert archive.papers(["doi:10.1/ab"])[0].abstract == "Text here."


def test_title_and_year_make_one_paper_only_where_nothing_stronger_differs(archive):
    def one(id: str, year: str, author: str = "Ann Lee") -> object:
        return make_paper(
            id=id, title="A long and telling title", abstract="", authors=[author], published=f"{year}-02-03"
        )

    archive.add([one("2501.00001", "2025"), one("key:lee", "2025", "A. Lee")])
    assert len(archive) == 1
    archive.add([one("key:lee24", "2024")])  # another year
    archive.add([one("2502.00002", "2025")])  # another arXiv id
    archive.add([one("key:kim", "2025", "Bo Kim")])  # another first author
    assert len(archive) == 4


def test_a_record_that_links_two_papers_makes_them_one_with_all_votes_and_days(archive):
    by_doi = make_paper(
        id="doi:10.1/x", title="Some name", abstract="", authors=[], doi="10.1/x", date="2025-01-01", votes=2
    )
    by_arxiv = make_paper(
        id="2501.00001",
        title="Other",
        abstract="",
        authors=[],
        date="2025-01-03",
        votes=5,
        votes_at="2025-01-03T00:00:00Z",
    )
    archive.add([by_doi, by_arxiv])
    assert len(archive) == 2
    archive.add([replace(by_arxiv, doi="10.1/x")])
    assert [paper.id for paper in archive] == ["2501.00001"]
    assert archive.dates("2501.00001") == ["2025-01-01", "2025-01-03"]
    assert archive.votes("doi:10.1/x") == [("", 2), ("2025-01-03T00:00:00Z", 5)]
    assert len(archive.gone()) == 1


def test_a_later_text_replaces_the_earlier_one_and_an_older_does_not(archive, papers):
    v1, v2 = replace(papers[0], version="v1"), replace(papers[0], version="v2", abstract="New words.")
    archive.add([v1])
    assert archive.add([v2]) == Counts(changed=1)
    assert archive.add([v1]).new == 0
    assert archive.papers([v1.id])[0].abstract == "New words."


def test_changes_are_counted_so_that_an_index_sees_each_once(archive, papers):
    archive.add(papers[:3])
    seen = archive.change()
    archive.add([*papers[:3], papers[4]])
    assert [row.paper.id for row in archive.rows(seen)] == [papers[4].id]


def test_what_an_edition_says_is_kept_by_language(archive, papers):
    said = Section(key="summary", statements=(Statement(text="캐시를 줄인다."),))
    entry = Entry(paper=papers[0].id, language="ko", style="easy", sections=(said,))
    edition = Edition(date="2025-01-02", papers=(papers[0],), entries=(entry,))
    archive.add_edition(edition)
    assert list(archive.entries().values()) == [{"ko": "캐시를 줄인다."}]
    before = archive.change()
    archive.add_edition(edition)
    assert archive.change() == before


def test_two_writers_at_once_lose_nothing(archive, papers):
    """Threads have their own connections, so this is what two processes do."""
    many = [replace(papers[0], id=f"2502.{n:05d}", title=f"Title number {n} of many") for n in range(400)]
    errors: list[BaseException] = []

    def write(part: list) -> None:
        try:
            for start in range(0, len(part), 20):
                archive.add(part[start : start + 20])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(many[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert {paper.id for paper in archive} == {paper.id for paper in many}


WRITER = """
import sys
from pathlib import Path
from presscheck.archive.store import Archive
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
archive = Archive(Library(Path(sys.argv[1])))
for start in range(0, 100_000, 10):
    archive.add(make_paper(id=f"2503.{n:05d}", title=f"Title {n}", abstract="", authors=[]) for n in
                range(start, start + 10))
    print(start + 10, flush=True)
"""


def test_a_killed_writer_loses_nothing_of_what_it_had_said(tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE, text=True, env=_environment()
    )
    assert process.stdout
    said = 0
    while said < 200:
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    said = int(rest[-1]) if rest else said
    archive = Archive(Library(home))
    held = {paper.id for paper in archive}
    assert {f"2503.{n:05d}" for n in range(said)} <= held
    assert len(held) in (said, said + 10)  # the last transaction may have ended before it was told
    assert archive.add([make_paper(id="2504.00001", title="After it", abstract="", authors=[])]).new == 1


def test_a_full_disk_is_said_and_what_was_added_before_is_kept(archive, papers):
    archive.add(papers)
    archive.close()
    big = replace(papers[0], id="2505.00001", title="A big one", abstract="word " * 400_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(BadInput, match="disk is full"):
            archive.add([big])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    archive.close()
    assert list(archive) == papers
    assert archive.add([big]) == Counts(new=1)


def test_a_damaged_archive_is_said_and_not_written_over(archive, papers):
    archive.add(papers)
    archive.close()
    archive.path.write_bytes(b"no database at all" * 1000)
    for end in ("-wal", "-shm"):
        Path(f"{archive.path}{end}").unlink(missing_ok=True)
    with pytest.raises(BadInput, match="damaged"):
        archive.add(papers)
    assert archive.path.read_bytes().startswith(b"no database")


def test_an_archive_of_a_newer_presscheck_is_refused(archive, papers):
    archive.add(papers)
    archive._write().execute("PRAGMA user_version = 99")
    archive.close()
    with pytest.raises(BadInput, match="schema 99"):
        len(archive)


def _environment() -> dict[str, str]:
    source = Path(__file__).resolve().parents[2] / "src"
    return {**os.environ, "PYTHONPATH": str(source)}
