"""Marks: kept whole, imported from anything, never lost to a second process or a broken file."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.archive.reading import Reading, mark_of
from presscheck.cli import main
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
from presscheck.types import Paper


def run(*given: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [*given], input=stdin)


def paper(n: int, abstract: str = "") -> Paper:
    return make_paper(id=f"2401.{n:05}", title=f"Paper {n}", abstract=abstract, authors=["A B"])


def test_a_paper_that_is_shipped_is_known_without_a_network(own_home: Path):
    result = run("read", "https://arxiv.org/abs/2407.21018v2", "--star")
    assert result.exit_code == 0, result.output
    assert "★ 2407.21018  ThinK: Thinner Key Cache" in result.stdout
    (row,) = map(json.loads, run("read", "--json").stdout.splitlines())
    assert (row["id"], row["state"]) == ("2407.21018", "starred")


def test_a_paper_that_nobody_knows_here_is_marked_and_completed_later(own_home: Path):
    result = run("read", "2401.00001")
    assert result.exit_code == 0
    assert "title not known yet" in result.stdout
    assert "text not at hand" in result.stderr
    reading = Reading(Library())
    reading.complete(lambda ids: {one: paper(1, "Now it is here.") for one in ids if one == "2401.00001"})
    assert reading.marks()[0].paper.abstract == "Now it is here."


def test_marking_twice_keeps_the_first_time_the_star_and_the_longer_text(own_home: Path):
    reading = Reading(Library())
    reading.add([mark_of(paper(1, "An abstract."), star=True, at="2024-01-01T00:00:00Z")])
    assert reading.add([mark_of(paper(1), star=False, at="2024-05-01T00:00:00Z")]) == (0, 1)
    (mark,) = reading.marks()
    assert (mark.at, mark.state, mark.paper.abstract) == ("2024-01-01T00:00:00Z", "starred", "An abstract.")


def test_a_mark_can_be_taken_away_and_one_that_is_not_there_is_told(own_home: Path):
    Reading(Library()).add([mark_of(paper(n), star=False) for n in (1, 2)])
    result = run("read", "2401.00001", "2401.00009", "--remove")
    assert result.exit_code == 1
    assert "2401.00009: was not marked" in result.stderr
    assert [mark.paper.id for mark in Reading(Library()).marks()] == ["2401.00002"]


BIB = """@article{a, title={Dace: {R}ings}, author={Kim, Mina}, eprint={2401.00001}, archiveprefix={arXiv},
 abstract={We count rings.}}
@inproceedings{b, title={Other}, doi={10.1000/x}}"""
RIS = "TY  - JOUR\nTI  - Dace: Rings\nAB  - We count rings.\nUR  - https://arxiv.org/abs/2401.00001\nER  - \n"
CSL = json.dumps([{"id": "a", "type": "article", "title": "Dace: Rings", "URL": "https://arxiv.org/abs/2401.00001",
                   "abstract": "We count rings.", "issued": {}}])  # fmt: skip
CSV = '"Key","Item Type","Title","Url","Abstract Note","Date Added"\n"A","preprint","Dace: Rings",' \
      '"http://arxiv.org/abs/2401.00001","We count rings.","2024-01-05 10:11:12"\n'  # fmt: skip
ROWS = json.dumps(
    {"id": "2401.00001", "title": "Dace: Rings", "summary": "We count rings.", "authors": ["M"]}
)


@pytest.mark.parametrize("text", [BIB, RIS, CSL, CSV, ROWS])
def test_every_kind_of_file_marks_the_same_paper(text: str, own_home: Path, tmp_path: Path):
    (tmp_path / "export").write_text(text)
    result = run("read", "--import", str(tmp_path / "export"))
    assert result.exit_code == 0, result.output
    marks = {mark.paper.id: mark for mark in Reading(Library()).marks()}
    assert marks["2401.00001"].paper.title == "Dace: Rings"
    assert marks["2401.00001"].paper.abstract == "We count rings."
    assert marks["2401.00001"].source == "export"


def test_a_list_of_ids_is_imported_from_standard_input(own_home: Path):
    result = run("read", "--import", "-", "--star", stdin="2407.21018  # a note\narXiv:2407.20743\n")
    assert result.exit_code == 0, result.output
    assert "2 starred" in result.stdout


def test_the_date_of_an_import_is_when_it_was_added_to_the_collection(own_home: Path, tmp_path: Path):
    (tmp_path / "export").write_text(CSV)
    run("read", "--import", str(tmp_path / "export"))
    assert Reading(Library()).marks()[0].at == "2024-01-05T10:11:12Z"


def test_a_broken_file_of_marks_is_told_and_never_overwritten(own_home: Path):
    path = own_home / "reading.json"
    path.write_text('{"marks": [')
    for given in (("read",), ("read", "2407.21018"), ("for-me", "2024-07-31")):
        result = run(*given)
        assert result.exit_code == 2
        assert "reading.json cannot be read" in result.stderr
    assert path.read_text() == '{"marks": ['


def add_some(home: str, start: int) -> None:
    reading = Reading(Library(Path(home)))
    for n in range(start, start + 10):
        reading.add([mark_of(paper(n), star=False)])


def test_two_processes_at_once_lose_no_mark(own_home: Path):
    pair = [
        multiprocessing.get_context("fork").Process(target=add_some, args=(str(own_home), n)) for n in (1, 50)
    ]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert len(Reading(Library()).marks()) == 20


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("read", "no-id"), "is not an arXiv id"),
        (("read", "--remove"), "needs the ids"),
        (("read", "2407.21018", "--remove", "--star"), "goes with ids alone"),
        (("read", "--import", "/nowhere/x.bib"), "/nowhere/x.bib"),
        (("for-me", "2024-07-31"), "nothing is marked"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_hint(given: tuple[str, ...], words: str, own_home: Path):
    result = run(*given)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_import_of_no_known_kind_marks_nothing(own_home: Path, tmp_path: Path):
    (tmp_path / "x").write_text("<html>not here</html>")
    with pytest.raises(BadInput):
        from presscheck.archive.reading import read_import

        read_import(str(tmp_path / "x"), star=False)
    assert not (own_home / "reading.json").exists()


def test_for_me_ranks_a_shipped_day_and_explains(own_home: Path):
    run("read", "2407.21018", "2407.20750", "--star")
    rows = [
        json.loads(line) for line in run("for-me", "2024-07-31", "--json", "--explain").stdout.splitlines()
    ]
    assert len(rows) == 10
    assert [row["place"] for row in rows] == list(range(1, 11))
    assert {row["id"] for row in rows[:2]} == {"2407.21018", "2407.20750"}
    assert rows[0]["mark"] == "starred"
    assert rows[0]["reasons"]["mine"][0]["id"] == rows[0]["id"]
    shown = run("for-me", "2024-07-31", "--explain", "--limit", "2").stdout
    assert "like " in shown and "sum " in shown
