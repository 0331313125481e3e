from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from presscheck.edition.shipped import read_folder, shipped_dates, verify_shipped
from presscheck.types import LANGUAGES, Author
from tests.edition.loom import ABSTRACT, TEXT, TITLE, change, source, write_loom

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_loom(tmp_path)


def stamp(editions: Path, date: str, papers: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "stamp_content.py"
    return subprocess.run(
        [sys.executable, str(script), date, "--papers", str(papers), "--editions", str(editions)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    item = {
        "paper": {
            "id": "2401.00001",
            "title": "Weaver:\n  A Loom",
            "summary": ABSTRACT,
            "authors": [{"name": "Ada Loom", "hidden": False}, {"name": "Bo Thread", "hidden": True}],
            "publishedAt": "2024-01-01T00:00:00.000Z",
            "upvotes": 7,
        },
        "title": TITLE,
        "publishedAt": "2024-01-02T00:00:00.000Z",
        "numComments": 0,
    }
    file = tmp_path / "2024-01-02.json"
    file.write_bytes(msgspec.json.encode([item]))
    return file


def test_stamping_fills_what_the_source_says_and_keeps_what_is_set_by_hand(folder: Path, answer: Path):
    (folder / "edition.toml").write_text(
        'state = "open"\n[[papers]]\narxiv = "2401.00001"\nversion = "v1"\nsystem = "weaver"\n'
        'related = ["2401.00009"]\ncode = "https://example.org/loom"\n'
    )
    done = stamp(folder.parent, folder.name, answer)
    assert done.returncode == 0, done.stderr
    edition = read_folder(folder)
    paper = edition.papers[0]
    assert (edition.date, edition.state, edition.taken) == ("2024-01-02", "open", "2024-01-02T00:00:00Z")
    assert (paper.title, paper.votes, paper.system, paper.related) == (TITLE, 7, "weaver", ("2401.00009",))
    assert paper.authors == (Author(name="Ada Loom"), Author(name="Bo Thread", hidden=True))
    assert paper.sentences == source().papers[0].sentences


def test_stamping_writes_nothing_when_a_pointer_leads_nowhere(folder: Path, answer: Path):
    change(folder, "2401.00001.ko.md", "[a2]", "[a9]")
    before = (folder / "edition.toml").read_bytes()
    done = stamp(folder.parent, folder.name, answer)
    assert done.returncode == 2
    assert "2401.00001.ko.md:5: `a9`" in done.stderr
    assert (folder / "edition.toml").read_bytes() == before


def test_stamping_keeps_a_paper_that_no_data_have_if_its_editor_tells_it(folder: Path, answer: Path):
    told = '\n[[papers]]\narxiv = "2401.00002"\nversion = "v1"\ntitle = "Spindle"\nauthors = ["Cy Wheel"]\n'
    (folder / "edition.toml").write_text(
        (folder / "edition.toml").read_text().replace("\n[[papers]]", f"{told}\n[[papers]]")
    )
    text = re.sub(r"\[[^\]]*\]$", '[p:"Table 1"]', TEXT.replace(TITLE, "Spindle"), flags=re.M)
    for language in LANGUAGES:
        (folder / f"2401.00002.{language}.md").write_text(text)
    done = stamp(folder.parent, folder.name, answer)
    assert done.returncode == 0, done.stderr
    edition = read_folder(folder)
    assert [(paper.id, len(paper.sentences)) for paper in edition.papers] == [
        ("2401.00001", 3),
        ("2401.00002", 0),
    ]
    assert verify_shipped(edition, source()) == []
    (folder / "2401.00002.ko.md").write_text(text.replace('[p:"Table 1"]', "[a1]", 1))
    assert "the abstract of 2401.00002 has 0 sentences" in stamp(folder.parent, folder.name, answer).stderr


def test_stamping_refuses_a_paper_that_the_data_do_not_have(folder: Path, answer: Path):
    change(folder, "edition.toml", 'arxiv = "2401.00001"', 'arxiv = "2401.00002"')
    done = stamp(folder.parent, folder.name, answer)
    assert done.returncode == 2
    assert "not in the data: 2401.00002" in done.stderr


@pytest.mark.shared
@pytest.mark.parametrize("date", shipped_dates())
def test_stamping_again_changes_nothing(date: str, shared_data: Path, tmp_path: Path):
    folder = ROOT / "src/presscheck/content/editions" / date
    copy = tmp_path / date
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    done = stamp(tmp_path, date, shared_data / f"api/{date}.json")
    assert done.returncode == 0, done.stderr
    assert (copy / "edition.toml").read_text() == (folder / "edition.toml").read_text()
