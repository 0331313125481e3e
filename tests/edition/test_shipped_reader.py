from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from presscheck.edition.shipped import load_shipped, read_folder, verify_shipped, with_abstracts
from presscheck.errors import BadInput
from presscheck.papers.paper import make_paper
from presscheck.types import LANGUAGES, Author, Entry
from tests.edition.loom import ABSTRACT, TEXT, TITLE, change, source, write_loom


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_loom(tmp_path)


def texts(entry: Entry) -> list[str]:
    return [item.text for section in entry.sections for item in section.statements]


def test_an_edition_reads_back_as_it_was_written(folder: Path):
    edition = read_folder(folder)
    paper = edition.papers[0]
    assert paper.authors == (Author(name="Ada Loom"), Author(name="Bo Thread", hidden=True))
    assert paper.votes == 0 and paper.votes_at == edition.taken
    detailed, easy = edition.entries[:2]
    assert texts(detailed) == ["One.", "Two.", "Three."]
    assert texts(easy) == ["Four [sic] is here.", "Five.", "Weaving"]
    assert [note.text for note in detailed.notes] == [note.text for note in easy.notes] == ["Six."]
    assert detailed.sections[2].absent == "the abstract measures nothing"
    second = detailed.sections[0].statements[1].evidence[0]
    assert ABSTRACT[second.start : second.end] == "It weaves\n2.5 million threads."
    assert easy.sections[1].statements[0].evidence[0].place == "src/loom.py"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("2401.00001.en.md", "- Two. [a2]", "- Two. [a4]", "2401.00001.en.md:5: `a4`"),
        ("2401.00001.en.md", "- Two. [a2]", "- Two. []", "2401.00001.en.md:5: the statement has no pointer"),
        ("2401.00001.ko.md", "- Two. [a2]", "- Two.", "2401.00001.ko.md:5: need `- statement"),
        ("2401.00001.en.md", "[t a1]", "[a1 a1]", "2401.00001.en.md:4: a pointer is given twice"),
        ("2401.00001.en.md", "[t a1]", "[t,a1]", "2401.00001.en.md:4: need pointers"),
        ("2401.00001.en.md", "[t a1]", "[a0]", "2401.00001.en.md:4: need pointers"),
        ("2401.00001.en.md", "## Summary", "## Summaries", "2401.00001.en.md:13: no section is called"),
        (
            "2401.00001.en.md",
            "## Technical Details",
            "## Summary",
            "2401.00001.en.md:7: `Summary` is out of order",
        ),
        (
            "2401.00001.en.md",
            "## Fields\n- Weaving [t]\n",
            "",
            "2401.00001.en.md:20: `Press Note` is out of order",
        ),
        (
            "2401.00001.en.md",
            "- Three.",
            "absent: no\n- Three.",
            "2401.00001.en.md:9: `Technical Details` is said",
        ),
        ("2401.00001.en.md", '- Three. [p:"Table 2"]', "", "`Technical Details` is missing or empty"),
        ("2401.00001.en.md", '- Six. [p:"Section 1"]', "", "`Press Note` is empty"),
        ("2401.00001.en.md", "# Weaver", "# Weavers", "2401.00001.en.md:1: need the title"),
        ("edition.toml", "code = ", "kode = ", "edition.toml:15: "),
        ("edition.toml", "votes = 0", 'votes = "0"', "edition.toml:14: "),
        ("edition.toml", 'code = "https://example.org/loom"', "", "points into a repository"),
        ("edition.toml", "[1, 0,", "[2, 0,", "edition.toml:16: need sentence 1 here, got 2"),
        ("edition.toml", "[1, 0, 17", "[1, 0, 40", "edition.toml:16: sentence 2 has offsets"),
        ("edition.toml", 'version = "v1"', 'version = "1"', "edition.toml:9: need v1"),
        ("edition.toml", 'version = "v1"', 'version = ""', "edition.toml:9: need v1"),
        ("edition.toml", 'date = "2024-01-02"', 'date = "2024-13-02"', "edition.toml:2: need a day"),
        ("edition.toml", 'date = "2024-01-02"', 'date = "2024-01-03"', "the folder is called 2024-01-02"),
        ("edition.toml", "schema = 1", "schema = ", "edition.toml: not TOML"),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_line(
    folder: Path, name: str, old: str, new: str, said: str
):
    change(folder, name, old, new)
    with pytest.raises(BadInput) as caught:
        read_folder(folder)
    assert said in caught.value.message


def test_a_paper_without_one_of_its_texts_is_refused(folder: Path):
    (folder / "2401.00001.ko.md").unlink()
    with pytest.raises(BadInput, match=r"2401\.00001\.ko\.md is missing"):
        read_folder(folder)


def test_a_paper_told_without_its_abstract_is_read_and_named_as_such(folder: Path):
    assert read_folder(folder).problems == ()
    told = (folder / "edition.toml").read_text().replace('version = "v1"', 'version = ""')
    (folder / "edition.toml").write_text(told[: told.index("sentences = [")])
    for language in LANGUAGES:
        text = TEXT.replace("[t a1]", "[t]").replace("[a2]", '[p:"abstract"]').replace("[a1 a3]", "[t]")
        (folder / f"2401.00001.{language}.md").write_text(text)
    edition = read_folder(folder)
    assert edition.papers[0].version == "" and edition.papers[0].sentences == ()
    assert [problem.where for problem in edition.problems] == ["2401.00001"]
    assert "abstract was not at hand" in edition.problems[0].what
    assert with_abstracts(edition, source()).problems == edition.problems


def test_a_text_without_its_paper_is_refused(folder: Path):
    (folder / "2401.00002.en.md").write_text(TEXT)
    with pytest.raises(BadInput, match=r"2401\.00002\.en\.md: belongs to no paper"):
        read_folder(folder)


@pytest.mark.parametrize("date", ["2024-08-01", "../2024-07-31", "", "latest"])
def test_a_day_that_is_not_shipped_is_refused_with_those_that_are(date: str):
    with pytest.raises(BadInput, match="2024-07-31"):
        load_shipped(date)


def test_a_changed_abstract_is_noticed_and_not_shown(folder: Path):
    edition = read_folder(folder)
    assert verify_shipped(edition, source()) == []
    assert with_abstracts(edition, source()).papers[0].abstract_original == ABSTRACT
    paper = source().papers[0]
    later = make_paper(
        id=paper.id, title=TITLE, abstract=ABSTRACT.replace("2.5", "3.5"), authors=paper.authors
    )
    day = msgspec.structs.replace(source(), papers=(later,))
    assert ["sentence 2" in problem.what for problem in verify_shipped(edition, day)] == [True]
    unshown = with_abstracts(edition, day)
    assert unshown.papers[0].abstract == "" and len(unshown.problems) == 1


def test_authors_in_another_order_are_noticed(folder: Path):
    paper = source().papers[0]
    day = msgspec.structs.replace(
        source(), papers=(msgspec.structs.replace(paper, authors=paper.authors[::-1]),)
    )
    assert [problem.where for problem in verify_shipped(read_folder(folder), day)] == ["2401.00001"]


def test_a_changed_text_changes_the_hash_of_the_inputs(folder: Path):
    before = read_folder(folder).inputs
    change(folder, "2401.00001.ko.md", "- One.", "- Once.")
    assert read_folder(folder).inputs != before
