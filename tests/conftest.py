"""What every test may rely on: a home of its own, no network, the real data where it lies beside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell that starts the suite in the background has it ignore Ctrl-C, and what it starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    # Workers that each start a thread for every core wait for one another: the suite takes 1.8 times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh library for each test, and services that refuse at once unless a test starts a stand-in."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PRESSCHECK_HOME", str(home))
    monkeypatch.setenv("PRESSCHECK_HF_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PRESSCHECK_ARXIV_URL", "http://127.0.0.1:9")
    return home


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data; the test is skipped where it is not present."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real data in {SHARED_DATA}")
    return SHARED_DATA
