from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from presscheck.errors import BadInput
from presscheck.papers.files import read_papers
from presscheck.papers.spool import Spool, papers_of_day
from tests.standin.papers import daily_list


def rows(path: Path, *days: str, date: str | None = None) -> Path:
    lines = []
    for day in days:
        for entry in daily_list(day, 2):
            paper = entry["paper"]
            lines.append({
                "date": day if date is None else date, "id": paper["id"], "title": paper["title"],
                "summary": paper["summary"], "authors": [a["name"] for a in paper["authors"]],
            })  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_papers_come_back_by_day_whatever_their_order(tmp_path):
    first = rows(tmp_path / "a.jsonl", "2026-03-12", "2026-03-10")
    second = rows(tmp_path / "b.jsonl", "2026-03-11", "2026-03-10")
    with Spool(tmp_path / "cache") as spool:
        assert list(spool.fill([first, second])) == list(range(1, 9))
        assert spool.dates() == ["2026-03-10", "2026-03-11", "2026-03-12"]
        days = list(spool.days("archive"))
    assert [day.date for day in days] == ["2026-03-10", "2026-03-11", "2026-03-12"]
    assert [len(day.papers) for day in days] == [2, 2, 2]  # the same two in both files count once
    held = {paper.id: paper for paper in read_papers(first).papers}
    assert all(paper == held[paper.id] for paper in days[2].papers)


def test_a_paper_without_a_day_is_told(tmp_path):
    with Spool(tmp_path / "cache") as spool:
        assert not list(spool.fill([rows(tmp_path / "a.jsonl", "2026-03-12", date="")]))
        assert len(spool.problems) == 2 and "which day" in spool.problems[0].what


def test_nothing_is_left_after_use_and_what_a_killed_process_left_is_cleared(tmp_path):
    cache = tmp_path / "cache"
    code = "import sys,time; from pathlib import Path; from presscheck.papers.spool import Spool\n"
    code += "s = Spool(Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(cache)], stdout=subprocess.PIPE)
    child.stdout.readline()
    with Spool(cache):
        assert len(list(cache.iterdir())) == 2  # a living process keeps its folder
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    with Spool(cache):
        assert len(list(cache.iterdir())) == 1
    assert not list(cache.iterdir())


def test_a_day_that_a_file_does_not_hold_is_told_with_what_it_holds(tmp_path):
    day = read_papers(rows(tmp_path / "a.jsonl", "2026-03-10", "2026-03-12"))
    assert [paper.date for paper in papers_of_day(day, "2026-03-12").papers] == ["2026-03-12"] * 2
    with pytest.raises(BadInput, match="2 days from 2026-03-10 to 2026-03-12") as caught:
        papers_of_day(day, "2026-03-11")
    assert "all" in caught.value.hint
