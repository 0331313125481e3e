"""The library on disk: whole files, kept snapshots, two processes, and processes that die."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from presscheck.errors import BadInput
from presscheck.papers import whole
from presscheck.papers.library import Library, write_whole
from presscheck.papers.snapshots import Snapshot, decode_snapshot, encode_snapshot
from presscheck.papers.whole import LEFTOVER, create_whole
from tests.standin.papers import daily_list

DAY = "2026-01-07"


def snapshot(taken: str, count: int = 3, more_votes: int = 0, date: str = DAY) -> Snapshot:
    return Snapshot(date=date, taken=taken, pages=(daily_list(date, count, more_votes),))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def test_its_place_can_be_moved(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Library().home == own_home
    monkeypatch.delenv("PRESSCHECK_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Library().home.name == "presscheck"


def test_looking_writes_nothing(library: Library) -> None:
    assert library.day(DAY) is None
    assert library.days() == []
    assert library.votes("2601.03500") == []
    assert not library.home.exists()


def test_a_snapshot_comes_back_as_it_was_given(library: Library) -> None:
    path = library.keep(snapshot("2026-01-07T10:00:00Z"))
    assert path == library.home / "snapshots/huggingface/2026-01-07/20260107T100000Z.json"
    assert decode_snapshot(path.read_bytes(), "x").pages == (daily_list(DAY, 3),)
    day = library.day(DAY)
    assert day is not None
    assert (day.taken, day.state, len(day.papers)) == ("2026-01-07T10:00:00Z", "open", 3)


def test_numbers_beyond_64_bits_in_an_answer_survive() -> None:
    big = Snapshot(date=DAY, taken="2026-01-07T10:00:00Z", pages=([{"a": 2**80, "b": 1e300}],))
    assert decode_snapshot(encode_snapshot(big), "x") == big


def test_a_snapshot_is_never_written_again(library: Library) -> None:
    first = library.keep(snapshot("2026-01-07T10:00:00Z"))
    before = first.read_bytes()
    second = library.keep(snapshot("2026-01-07T10:00:00Z", more_votes=1))
    assert first != second
    assert first.read_bytes() == before


def test_the_newest_snapshot_is_the_day(library: Library) -> None:
    for taken in ("2026-01-08T00:00:01Z", "2026-01-07T10:00:00Z", "2026-01-07T10:00:00Z"):
        library.keep(snapshot(taken))
    day = library.day(DAY)
    assert day is not None
    assert (day.taken, day.state) == ("2026-01-08T00:00:01Z", "closed")
    names = [path.name for path in library.snapshots(DAY)]
    assert names == ["20260107T100000Z.json", "20260107T100000Z-2.json", "20260108T000001Z.json"]


def test_votes_are_a_time_series(library: Library) -> None:
    votes = {entry["paper"]["id"]: entry["paper"]["upvotes"] for entry in daily_list(DAY, 3)}
    name = next(iter(votes))
    library.keep(snapshot("2026-01-07T20:00:00Z", more_votes=5))
    library.keep(snapshot("2026-01-07T10:00:00Z"))
    library.keep(snapshot("2026-01-08T10:00:00Z", date="2026-01-08"))
    assert library.votes(name) == [
        ("2026-01-07T10:00:00Z", votes[name]),
        ("2026-01-07T20:00:00Z", votes[name] + 5),
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"pages": [[{"paper": {}}]]}', b"\xff\xfe", b'{"schema": 2, "pages": []}',
     b'{"date": "2026-01-08", "taken": "2026-01-07T10:00:00Z", "pages": []}',
     b'{"date": "2026-01-07", "taken": "2026-01-07T10:00:00Z", "pages": [{"error": "x"}]}'],
)  # fmt: skip
def test_a_broken_snapshot_is_passed_over_and_told(library: Library, content: bytes) -> None:
    library.keep(snapshot("2026-01-07T10:00:00Z"))
    broken = library.snapshots_folder / DAY / "20260107T110000Z.json"
    broken.write_bytes(content)
    day = library.day(DAY)
    assert day is not None
    assert day.taken == "2026-01-07T10:00:00Z"
    assert [problem.where for problem in day.problems] == [str(broken)]
    assert len(library.votes(day.papers[0].id)) == 1


def test_only_days_with_snapshots_count(library: Library) -> None:
    library.keep(snapshot("2026-01-08T10:00:00Z", date="2026-01-08"))
    library.keep(snapshot("2026-01-07T10:00:00Z"))
    for name in ("2026-01-09", "2026-99-99", "notes"):
        (library.snapshots_folder / name).mkdir()
    (library.snapshots_folder / "2026-01-09" / f"{LEFTOVER}1-abc").write_text("half a")
    assert library.days() == ["2026-01-07", "2026-01-08"]


def test_a_written_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only"),
     (errno.EACCES, "may not be written"), (errno.EIO, "Input/output error")],
)  # fmt: skip
def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(whole.os, "fsync", fail)
    for write in (write_whole, create_whole):
        with pytest.raises(BadInput) as error:
            write(path if write is write_whole else tmp_path / "b.txt", b"new")
        assert words in error.value.message
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_path_through_a_file_or_onto_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInput, match="a part of the path is a file"):
        write_whole(tmp_path / "file" / "a.txt", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="it is a folder"):
        write_whole(tmp_path / "folder", b"x")
    assert list(tmp_path.glob(f"**/{LEFTOVER}*")) == []


def test_a_library_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    library = Library(tmp_path / "home")
    assert library.day(DAY) is None
    with pytest.raises(BadInput, match="cannot write"):
        library.keep(snapshot("2026-01-07T10:00:00Z"))
    with pytest.raises(BadInput, match="cannot write"), library.lock("x"):
        pass


def test_a_lock_has_one_holder_among_threads(library: Library) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with library.lock("work"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


HOLD = """
import sys, time
from pathlib import Path
from presscheck.papers.library import Library
with Library(Path(sys.argv[1])).lock("day"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_holds_between_processes_and_ends_with_its_holder(library: Library) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(library.home)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    busy = pytest.raises(BadInput, match="another presscheck has been busy with day")
    with busy, library.lock("day", wait=0.1):
        pass
    with library.lock("another day", wait=0.1):
        pass
    holder.kill()
    holder.wait()
    with library.lock("day", wait=5):
        pass


def test_an_error_inside_a_lock_is_not_mistaken_for_one_of_the_lock(library: Library) -> None:
    with pytest.raises(PermissionError), library.lock("x"):
        raise PermissionError("of the work")


KEEP = """
import sys
from pathlib import Path
from presscheck.papers.library import Library, write_whole
from tests.standin.papers import daily_list
from presscheck.papers.snapshots import Snapshot
library = Library(Path(sys.argv[1]))
pages = (daily_list("2026-01-07", 100),)
number = 0
while True:
    number += 1
    library.keep(Snapshot(date="2026-01-07", taken=f"2026-01-07T10:{number // 60:02d}:{number % 60:02d}Z",
                          pages=pages))
    write_whole(library.home / "state.txt", b"%d" % number * 5000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.024])
def test_a_process_killed_at_any_point_loses_at_most_the_unit_in_work(library: Library, delay: float) -> None:
    root = Path(__file__).resolve().parents[2]
    kept = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", KEEP, str(library.home)], stdout=subprocess.PIPE, cwd=root
        )
        assert process.stdout is not None
        for _ in range(5):
            told = int(process.stdout.readline())
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        told = int(([str(told).encode(), *process.stdout.read().split()])[-1])
        process.wait()
        paths = library.snapshots(DAY)
        assert len(paths) - kept in (told, told + 1)  # the one in work may have just been finished
        kept = len(paths)
        for path in paths:
            assert len(decode_snapshot(path.read_bytes(), str(path)).pages[0]) == 100
        state = (library.home / "state.txt").read_bytes()
        assert state in (b"%d" % told * 5000, b"%d" % (told + 1) * 5000)
    day = library.day(DAY)
    assert day is not None
    assert (len(day.papers), day.problems) == (100, ())


def test_two_processes_keep_without_losing_one(library: Library) -> None:
    root = Path(__file__).resolve().parents[2]
    code = KEEP.replace("while True", "while number < 20")
    command = [sys.executable, "-c", code, str(library.home)]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=root) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(library.snapshots(DAY)) == 40


def test_snapshots_are_json_that_others_can_read(library: Library) -> None:
    path = library.keep(snapshot("2026-01-07T10:00:00Z", 1))
    table = json.loads(path.read_bytes())
    assert list(table) == ["schema", "source", "date", "taken", "pages"]
    assert table["pages"][0][0]["paper"]["upvotes"] == daily_list(DAY, 1)[0]["paper"]["upvotes"]
