"""How fast a digest is checked from a cold start, as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5


@dataclass(frozen=True)
class Cold:
    """Best times of five, in seconds."""

    check: float
    bare: float
    entries: int
    megabytes: float


def measure(digest: Path, papers: Path, entries: int) -> Cold:
    """Time `presscheck check` in a new process, beside an interpreter that does nothing."""
    environment = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    entry_point = "from presscheck.cli import main; main()"
    command = [sys.executable, "-c", entry_point, "check", str(digest), "--papers", str(papers), "--brief"]
    bare = [sys.executable, "-c", "pass"]
    times: dict[str, list[float]] = {"check": [], "bare": []}
    peak = 0.0
    for _ in range(ROUNDS):
        for name, one in (("check", command), ("bare", bare)):
            start = time.perf_counter()
            process = subprocess.Popen(one, stdout=subprocess.DEVNULL, env=environment)
            _, status, used = os.wait4(process.pid, 0)
            times[name].append(time.perf_counter() - start)
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"{' '.join(one)} failed")
            peak = max(peak, used.ru_maxrss / 1024)
    return Cold(min(times["check"]), min(times["bare"]), entries, peak)
