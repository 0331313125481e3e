"""Work spread over processes and over Ray: the same results in the same order, whatever dies."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from presscheck.archive import spread, tasks
from presscheck.archive.spread import map_items, map_papers
from presscheck.errors import BadInput, Unreachable
from presscheck.papers.paper import make_paper
from presscheck.types import Paper, Problem

# Workers import the tasks by name, and `tests` may be another package there.
sys.path.insert(0, str(Path(__file__).parent))
import spread_tasks as given  # noqa: E402

slow_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'presscheck[ray]'"
)
pytestmark = [
    pytest.mark.timeout(300),  # starting Ray alone can take half a minute on a busy machine
    pytest.mark.usefixtures("cluster"),
    pytest.mark.xdist_group("ray"),  # one cluster for all, so one process for all
]
WHERE = ["local", pytest.param("ray", marks=slow_ray)]


def paper(n: int) -> Paper:
    abstract = (
        f"Counting fish scales by eye takes {n} hours of work on each river. "
        f"We present Dace-{n}, a small network that counts the rings in a photograph of one scale. "
        f"On {n + 100} photographs it is right for 94% of the fish, which is {n} points more than readers."
    )
    return make_paper(
        id=f"2401.{n:05}", title=f"Dace-{n}: Rings of {n} Fish", abstract=abstract, authors=["A B"]
    )


PAPERS = [paper(n) for n in range(1, 9)]


def test_results_come_in_the_order_of_the_items():
    items = ["x" * (n * 7 % 50) for n in range(101)]
    assert list(map_items(items, given.lengths, workers=2, batch=4)) == [len(item) for item in items]


@pytest.mark.parametrize("on", WHERE)
def test_work_is_done_by_two_other_processes_and_comes_in_order(on: spread.Where, tmp_path: Path):
    items = [(n, str(tmp_path)) for n in range(120)]
    made = list(map_items(items, given.squares_with_process, on=on, workers=2, batch=10))
    assert [square for square, _ in made] == [n * n for n in range(120)]
    workers = {process for _, process in made}
    assert os.getpid() not in workers
    assert len(workers) == 2


@pytest.mark.parametrize("on", WHERE)
def test_a_killed_worker_changes_nothing(on: spread.Where, tmp_path: Path):
    items = [f"{tmp_path}|{'die' if n == 17 else f'item {n}'}" for n in range(40)]
    made = list(map_items(items, given.killed_once, on=on, workers=2, batch=4))
    assert (tmp_path / "killed").exists(), "a worker was killed in the middle"
    assert made == ["DIE" if n == 17 else f"ITEM {n}" for n in range(40)]


@pytest.mark.parametrize("on", WHERE)
def test_papers_that_kill_every_worker_are_told_and_not_tried_for_ever(on: spread.Where):
    with pytest.raises(Unreachable, match="killed"):
        list(map_items(["a", "b", "die", "c"], given.killed_always, on=on, workers=2, batch=1))


@pytest.mark.parametrize("on", WHERE)
def test_what_a_task_says_reaches_the_caller(on: spread.Where):
    with pytest.raises(BadInput, match="fish cannot be used") as error:
        list(map_items(["fish"], given.refuses, on=on, workers=2))
    assert error.value.hint == "another one"


def test_a_task_that_loses_an_item_is_found_out():
    with pytest.raises(BadInput, match="1 results for 2 items"):
        list(map_items(["a", "b"], given.one_short, workers=2))


@pytest.mark.parametrize("on", WHERE)
def test_entries_are_byte_for_byte_those_of_one_process_whatever_the_batch(on: spread.Where):
    alone = list(map_papers(PAPERS, tasks.write, workers=1, batch=5))
    assert list(map_papers(PAPERS, tasks.write, on=on, workers=2, batch=3)) == alone
    assert b"94% of the fish" in alone[0]


@pytest.mark.parametrize("on", WHERE)
def test_vectors_are_those_of_one_process(on: spread.Where):
    alone = np.stack(list(map_papers(PAPERS, tasks.embed, workers=1)))
    apart = np.stack(list(map_papers(PAPERS, tasks.embed, on=on, workers=2, batch=3)))
    np.testing.assert_allclose(apart, alone, atol=2e-6)


@pytest.mark.parametrize("on", WHERE)
def test_an_archive_read_and_embedded_by_many_is_that_of_one(on: spread.Where, tmp_path: Path):
    """Papers equal, vector files byte for byte; a broken and a repeated line are told as by the reader."""
    import json

    from presscheck.archive.bulk import SpreadEncoder, read_bulk
    from presscheck.archive.encoders import Encoder
    from presscheck.archive.meaning import VectorIndex
    from presscheck.archive.store import Archive
    from presscheck.papers.files import iter_papers
    from presscheck.papers.library import Library

    rows = [
        {"date": "2024-01-02", "id": one.id, "title": one.title, "authors": ["A B"], "summary": one.abstract,
         "upvotes": n}
        for n, one in enumerate(PAPERS)
    ]  # fmt: skip
    lines = [*(json.dumps(row) for row in rows), json.dumps(rows[0]), '{"no": "paper"}']
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines) + "\n")
    alone, together = Archive(Library(tmp_path / "one")), Archive(Library(tmp_path / "many"))
    alone.add(iter_papers(path))
    problems: list[Problem] = []
    together.add(read_bulk(path, problems, on=on, workers=2))
    assert list(together) == list(alone)
    assert {problem.kind for problem in problems} == {"duplicate", "bad paper"}
    list(VectorIndex(alone, Encoder()).update())
    list(VectorIndex(together, SpreadEncoder(on=on, workers=2)).update())
    first, second = (
        {file.name: file.read_bytes() for file in (archive.folder / "vectors").rglob("*.vectors")}
        for archive in (alone, together)
    )
    assert first and first == second


def test_items_are_read_as_they_are_needed():
    taken = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield "x"

    made = map_items(endless(), given.lengths, workers=2, batch=10)
    assert [next(made) for _ in range(25)] == [1] * 25
    made.close()  # type: ignore[attr-defined]  # a generator
    assert len(taken) <= 200


def test_without_ray_the_hint_is_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match="needs Ray") as error:
        list(map_items(["a"], given.lengths, on="ray"))
    assert "presscheck[ray]" in error.value.hint


@pytest.mark.parametrize(("workers", "batch"), [(0, 1), (1, 0)])
def test_numbers_that_make_no_sense_are_refused(workers: int, batch: int):
    with pytest.raises(BadInput, match="1 or more"):
        map_items(["a"], given.lengths, workers=workers, batch=batch)
