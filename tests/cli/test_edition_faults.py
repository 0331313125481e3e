"""`presscheck edition` when services or the machine fail: a clear error, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stamina
from click.testing import CliRunner, Result

from presscheck.cli import main
from presscheck.cli.edition_print import tell
from presscheck.edition.build import Built, Order, no_interrupt
from tests.standin.papers import daily_list
from tests.standin.server import StandIn

DAY = "2026-03-11"


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["edition", *map(str, args)])


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch):
    stamina.set_testing(True, attempts=3, cap=True)
    with StandIn(papers=6) as service:
        monkeypatch.setenv("PRESSCHECK_HF_URL", service.hf_url)
        monkeypatch.setenv("PRESSCHECK_ARXIV_URL", service.arxiv_url)
        monkeypatch.setenv("PRESSCHECK_ARXIV_INTERVAL", "0")
        yield service
    stamina.set_testing(False)


def test_latest_fetches_the_newest_day_that_is_over_and_has_papers(service, tmp_path):
    assert run("--out", tmp_path).exit_code == 0
    (day,) = [path.name for path in tmp_path.iterdir() if path.is_dir()]
    assert day < datetime.now(UTC).date().isoformat()
    assert datetime.fromisoformat(day).weekday() < 5  # lists of weekends are empty
    assert json.loads((tmp_path / day / "edition.json").read_text())["state"] == "closed"


def test_today_is_marked_as_open(service, tmp_path):
    today = datetime.now(UTC).date()
    service.days[today.isoformat()] = 3
    result = run("today", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "the day was not over" in result.stdout
    assert json.loads((tmp_path / today.isoformat() / "edition.json").read_text())["state"] == "open"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("500", "HTTP 500"),
        ("503", "HTTP 503"),
        ("404", "404"),
        ("html", "HTML"),
        ("no data", "JSON"),
        ("shape", "list of papers"),
        ("field", "missing"),
        ("error", "error"),
        ("cut", "cut"),
        ("gzip cut", "JSON"),
    ],
)
def test_a_fault_of_the_service_is_told_and_writes_nothing(service, tmp_path, fault, says):
    service.fault(fault)
    result = run(DAY, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert says.lower() in result.stderr.lower()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut"])
def test_a_fault_that_passes_is_not_noticed(service, tmp_path, fault):
    service.fault(fault, times=2, **({"retry_after": 0} if fault == "429" else {}))
    result = run(DAY, "--out", tmp_path)
    assert result.exit_code == 0, result.output


def test_a_wait_that_is_too_long_is_told_with_its_length(service, tmp_path):
    service.fault("429", retry_after=3600)
    result = run(DAY, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "3600 s" in result.stderr


def test_a_service_that_fails_costs_no_list_that_is_held(service, tmp_path):
    assert run(DAY, "--out", tmp_path).exit_code == 0
    service.fault("500")
    result = run(DAY, "--out", tmp_path, "--refresh")
    assert result.exit_code == 0
    assert "not asked again" in result.stderr


def test_an_empty_weekend_is_an_edition_without_papers(service, tmp_path):
    assert run("2026-03-14", "--out", tmp_path).exit_code == 0
    assert not json.loads((tmp_path / "2026-03-14" / "edition.json").read_text()).get("papers")


def archive_of(path: Path, days: int, papers: int = 3) -> Path:
    rows = []
    for day in range(days):
        date = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
        for entry in daily_list(date, papers):
            paper = entry["paper"]
            rows.append({
                "date": date, "id": paper["id"], "title": paper["title"],
                "summary": paper["summary"], "authors": [a["name"] for a in paper["authors"]],
            })  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_build_that_is_killed_goes_on_where_it_was(tmp_path):
    """`kill -9` at ever later moments; each time only whole editions are there, and the last run finishes."""
    archive, out = archive_of(tmp_path / "archive.jsonl", 8), tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "presscheck",
        "edition",
        "all",
        "--papers",
        str(archive),
        "--out",
        str(out),
    ]
    for wait in (0.4, 1.2, 2.0, 2.6):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip  # noqa: E501
        time.sleep(wait)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for day in out.glob("2026-*"):
            assert json.loads((day / "edition.json").read_text())["date"] == day.name
            assert len(list(day.iterdir())) == 6
    assert subprocess.run(command, check=True, capture_output=True).returncode == 0
    days = sorted(path.name for path in out.iterdir() if path.is_dir())
    assert days == [f"2026-03-{day:02d}" for day in range(1, 9)]
    assert not list(out.glob(".presscheck-*"))


def test_ctrl_c_keeps_what_is_finished_and_leaves_an_index(tmp_path):
    """As a terminal sends it, to the build and to its workers, in whatever state they are."""
    archive, out = archive_of(tmp_path / "archive.jsonl", 160, papers=1), tmp_path / "out"
    command = [
        sys.executable, "-m", "presscheck", "edition", "all", "--papers", str(archive), "--out", str(out),
    ]  # fmt: skip
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("2026-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=120)
    assert child.returncode == 130, told
    assert "What was finished is kept" in told and "Traceback" not in told
    days = sorted(day.name for day in out.glob("2026-*"))
    assert 0 < len(days) < 160
    index = (out / "index.html").read_text()
    assert all((out / day / "index.html").is_file() and f'href="{day}/index.html"' in index for day in days)


def test_ctrl_c_before_the_first_day_is_told_leaves_an_index_of_the_later_ones(tmp_path):
    """Workers end in any order: the second day may be out while the first is not done."""
    out = tmp_path / "out"
    archive = archive_of(tmp_path / "archive.jsonl", 1)
    assert run("2026-03-01", "--papers", archive, "--out", out).exit_code == 0
    (out / "index.html").unlink()

    def interrupted() -> Generator[Built]:
        raise KeyboardInterrupt
        yield

    order = Order(out=out, languages=("en",), styles=("detailed",))
    with pytest.raises(KeyboardInterrupt):
        tell(interrupted(), order, as_json=False)
    assert "2026-03-01/index.html" in (out / "index.html").read_text()


def test_a_process_that_is_started_while_ctrl_c_is_put_off_never_gets_it():
    with no_interrupt():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    child.send_signal(signal.SIGINT)
    assert child.wait() == 0
