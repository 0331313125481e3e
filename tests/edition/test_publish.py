"""Publishing: whole or not at all, over what was there, beside other processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from editions import LARCH, full_edition

from presscheck.digest.jsonfile import edition_from_json
from presscheck.edition import publish as publishing
from presscheck.edition.publish import publish, publish_edition, publish_index
from presscheck.errors import BadInput
from presscheck.papers.whole import LEFTOVER
from presscheck.types import Edition

FILES = {"index.html", "edition.json", "detailed.en.md", "detailed.ko.md", "easy.en.md", "easy.ko.md"}
HERE = Path(__file__).parent


def names(folder: Path) -> set[str]:
    """What lies in a folder, hidden files included."""
    return {path.name for path in folder.iterdir()}


def small(date: str, title: str = "A title") -> Edition:
    return Edition(date=date, papers=(msgspec.structs.replace(LARCH, title=title),))


def test_all_files_of_an_edition_are_written_and_named(tmp_path):
    done = publish(full_edition(), tmp_path / "out")
    assert names(tmp_path / "out") == {"2024-07-31", "index.html", "feed.atom"}
    assert names(tmp_path / "out" / "2024-07-31") == FILES
    assert {path.relative_to(tmp_path / "out").as_posix() for path in done.files} == {
        "index.html", "feed.atom", *(f"2024-07-31/{name}" for name in FILES),
    }  # fmt: skip
    assert all(path.stat().st_size for path in done.files) and not done.problems
    stored = (tmp_path / "out/2024-07-31/edition.json").read_bytes()
    assert edition_from_json(stored, "edition.json") == full_edition()


def test_only_what_was_asked_for_is_written_and_what_is_no_longer_asked_for_goes(tmp_path):
    publish(full_edition(), tmp_path)
    publish(msgspec.structs.replace(full_edition(), languages=("ko",), styles=("easy",)), tmp_path)
    assert names(tmp_path / "2024-07-31") == {"index.html", "edition.json", "easy.ko.md"}


def test_files_that_a_person_put_beside_ours_stay(tmp_path):
    publish(full_edition(), tmp_path)
    (tmp_path / "2024-07-31/overruled.toml").write_text("mine")
    (tmp_path / "2024-07-31/notes").mkdir()
    (tmp_path / "2024-07-31/notes/a.txt").write_text("mine too")
    publish(full_edition(), tmp_path)
    assert (tmp_path / "2024-07-31/overruled.toml").read_text() == "mine"
    assert (tmp_path / "2024-07-31/notes/a.txt").read_text() == "mine too"


def test_the_page_links_to_its_files_and_they_are_there(tmp_path):
    import html5lib

    publish(full_edition(hostile=False), tmp_path)
    publish(full_edition("2024-08-01", hostile=False), tmp_path)
    for page in (tmp_path / "2024-07-31/index.html", tmp_path / "index.html"):
        root = html5lib.parse(page.read_text(), namespaceHTMLElements=False)
        links = [node.get("href") for node in root.iter() if node.get("href")]
        near = [link.partition("#")[0] for link in links if not link.startswith(("https:", "#"))]
        assert near and all((page.parent / link).is_file() for link in near)


def neighbours(out: Path, date: str) -> list[str]:
    import html5lib

    root = html5lib.parse((out / date / "index.html").read_text(), namespaceHTMLElements=False)
    return [f"{node.get('rel')} {node.get('href')[3:13]}" for node in root.iter("a") if node.get("rel")]


def test_neighbours_link_to_each_other_whatever_the_order_of_publishing(tmp_path):
    for date in ("2024-07-31", "2024-07-29", "2024-07-30"):
        publish(small(date), tmp_path)
    assert neighbours(tmp_path, "2024-07-29") == ["next 2024-07-30"]
    assert neighbours(tmp_path, "2024-07-30") == ["prev 2024-07-29", "next 2024-07-31"]
    assert neighbours(tmp_path, "2024-07-31") == ["prev 2024-07-30"]


def test_a_broken_edition_is_passed_over_with_its_reason(tmp_path):
    for date in ("2024-07-28", "2024-07-29", "2024-07-30", "2024-07-31"):
        publish(small(date), tmp_path)
    (tmp_path / "2024-07-28/edition.json").write_text('{"schema": 99, "date": "2024-07-28"}')
    (tmp_path / "2024-07-29/edition.json").write_text("{")
    # Sound where the calendar looks, broken below: found when the feed reads it whole.
    (tmp_path / "2024-07-30/edition.json").write_text('{"schema": 1, "date": "2024-07-30", "entries": 5}')
    problems = publish_index(tmp_path)
    assert sorted(Path(each.where).parent.name for each in problems) == [
        "2024-07-28",
        "2024-07-29",
        "2024-07-30",
    ]
    index = (tmp_path / "index.html").read_text()
    assert "2024-07-31/index.html" in index and "2024-07-30/index.html" not in index


def test_an_edition_in_the_folder_of_another_day_is_passed_over(tmp_path):
    publish(small("2024-07-31"), tmp_path)
    (tmp_path / "2024-07-31").rename(tmp_path / "2024-08-01")
    (problem,) = publish_index(tmp_path)
    assert "2024-07-31" in problem.what


@pytest.mark.parametrize("date", ["", "../2024-07-31", "2024-07-31/x", "2024-07-31\n", "٢٠٢٤-07-31"])
def test_a_date_that_is_none_names_no_folder(tmp_path, date):
    with pytest.raises(BadInput, match="YYYY-MM-DD"):
        publish(small(date), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """From the given number of files on, every write fails as on a full disk."""
    import errno

    count = iter(range(1000))
    true_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if next(count) >= after:
            raise OSError(errno.ENOSPC, "No space left on device")
        true_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("after", range(0, 8))
def test_a_full_disk_leaves_the_earlier_edition_and_nothing_else(tmp_path, monkeypatch, after):
    publish(small("2024-07-31", "Earlier"), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    full_disk(monkeypatch, after)
    with pytest.raises(BadInput, match="disk is full"):
        publish_edition(small("2024-07-31", "Later"), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_full_disk_leaves_no_folder_where_there_was_none(tmp_path, monkeypatch):
    full_disk(monkeypatch, 0)
    with pytest.raises(BadInput, match="disk is full"):
        publish(small("2024-07-31"), tmp_path / "out")
    assert names(tmp_path) == set()


def test_a_folder_that_is_a_file_is_an_error_and_stays(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BadInput, match="a file, not a folder"):
        publish(small("2024-07-31"), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_failed_swap_brings_the_earlier_edition_back(tmp_path, monkeypatch):
    publish(small("2024-07-31", "Earlier"), tmp_path)
    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(BadInput):
        publish_edition(small("2024-07-31", "Later"), tmp_path)
    assert "Earlier" in (tmp_path / "2024-07-31/index.html").read_text()
    assert names(tmp_path) == {"2024-07-31", "index.html", "feed.atom"}


def test_an_edition_lost_between_the_two_steps_of_a_swap_comes_back(tmp_path):
    publish(small("2024-07-31"), tmp_path)
    (tmp_path / "2024-07-31").rename(tmp_path / f"{LEFTOVER}old-2024-07-31-abcdef")
    (tmp_path / f"{LEFTOVER}2024-07-31-abcdef").mkdir()
    assert publish_index(tmp_path) == []
    assert names(tmp_path) == {"2024-07-31", "index.html", "feed.atom"}


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_publish import small
from presscheck.edition.publish import publish
for round in range(int(sys.argv[4])):
    publish(small(sys.argv[3], f"{sys.argv[5]} {round}"), Path(sys.argv[2]))
"""


def start(out: Path, date: str, rounds: int, title: str) -> subprocess.Popen[bytes]:
    arguments = [str(HERE), str(out), date, str(rounds), title]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stderr=subprocess.PIPE)


def test_two_processes_at_once_leave_whole_editions(tmp_path):
    children = [
        start(tmp_path, "2024-07-31", 12, "Left"),
        start(tmp_path, "2024-07-31", 12, "Right"),
        start(tmp_path, "2024-08-01", 12, "Other"),
    ]
    for child in children:
        _, errors = child.communicate()
        assert child.returncode == 0, errors.decode()
    assert names(tmp_path) == {"2024-07-31", "2024-08-01", "index.html", "feed.atom"}
    assert names(tmp_path / "2024-07-31") == FILES
    assert neighbours(tmp_path, "2024-07-31") == ["next 2024-08-01"]


def test_a_reader_never_sees_a_part_of_an_edition(tmp_path):
    publish(small("2024-07-31", "Title 0"), tmp_path)
    child = start(tmp_path, "2024-07-31", 25, "Title")
    day, seen = tmp_path / "2024-07-31", set()
    while child.poll() is None:
        try:
            folder = os.open(day, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # between the two steps: no edition, which is not half an edition
        try:
            found = frozenset(os.listdir(folder))  # noqa: PTH208 (of this folder, whatever its name is now)
            if day.stat().st_ino == os.fstat(folder).st_ino:  # else it is the old one on its way out
                seen.add(found)
        except FileNotFoundError:
            pass
        finally:
            os.close(folder)
    assert child.wait() == 0
    assert seen == {frozenset(FILES)}


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.11])
def test_a_process_killed_at_any_point_loses_nothing_that_was_published(tmp_path, delay):
    publish(small("2024-07-30"), tmp_path)
    publish(small("2024-07-31", "Earlier"), tmp_path)
    child = start(tmp_path, "2024-07-31", 1000, "Later")
    deadline = time.monotonic() + 20
    while "Later" not in _page(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay)
    child.kill()
    child.communicate()
    publish_index(tmp_path)
    assert names(tmp_path) == {"2024-07-30", "2024-07-31", "index.html", "feed.atom"}
    assert names(tmp_path / "2024-07-31") - FILES == set()
    assert "Later" in _page(tmp_path)


def _page(out: Path) -> str:
    try:
        return (out / "2024-07-31/index.html").read_text()
    except FileNotFoundError:
        return ""


def test_the_lock_holds_between_threads_too(tmp_path):
    """Two threads of one process open the folder twice, so the lock is not theirs in common."""
    threads = [
        threading.Thread(target=publish, args=(small("2024-07-31", f"T{n}"), tmp_path)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path / "2024-07-31") == FILES


def test_the_index_over_450_editions_is_written_in_under_two_seconds(tmp_path):
    source = tmp_path / "source"
    publish_edition(full_edition("2024-01-01"), source)
    stored = (source / "2024-01-01/edition.json").read_text()
    page = (source / "2024-01-01/index.html").read_bytes()
    import datetime

    for day in range(450):
        date = (datetime.date(2024, 1, 1) + datetime.timedelta(days=day)).isoformat()
        (tmp_path / "out" / date).mkdir(parents=True)
        (tmp_path / "out" / date / "edition.json").write_text(stored.replace("2024-01-01", date))
        (tmp_path / "out" / date / "index.html").write_bytes(page)
    publish_index(tmp_path / "out")  # links all the neighbours once
    start = time.perf_counter()
    assert publish_index(tmp_path / "out") == []
    assert time.perf_counter() - start < 2
    assert (tmp_path / "out/feed.atom").read_text().count("<entry") == publishing.IN_FEED


def test_a_page_that_was_being_linked_when_its_process_was_killed_leaves_nothing(tmp_path):
    publish(small("2024-07-30"), tmp_path)
    left = tmp_path / "2024-07-30" / f"{LEFTOVER}1234-abcdef"
    left.write_bytes(b"half a page")
    publish_index(tmp_path)
    assert not left.exists()
