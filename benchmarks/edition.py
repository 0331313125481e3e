"""Speed and memory of the edition: start-up, fifty papers from a cold start, the whole archive.

    python benchmarks/edition.py [--archive FILE.jsonl.gz] [--days N]

Every row is a child process of its own, so that nothing is warm but the disk.
Seconds are wall-clock time; the peak is the resident memory of the largest
process of the row, as the kernel counts it (``ru_maxrss``). Each command is run
in turn with a bare interpreter, and the ratio to it is printed, since that is
what stays comparable between machines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = (
    "the model learns a sparse code from long documents and reaches a higher score than the strong "
    "baseline on every task while it needs less memory at each step of decoding"
).split()


def fifty_papers() -> list[dict[str, object]]:
    """Fifty made-up papers in the daily list's shape, nine sentences each."""
    papers = []
    for n in range(50):
        sentences = [
            " ".join([*WORDS[(n + k) % 9 :][:18], f"by {n % 7 + k}.{k}% over the baseline"]).capitalize()
            + "."
            for k in range(9)
        ]
        paper = {
            "id": f"2401.{10000 + n}",
            "title": f"System {n}: A Made-Up Paper",
            "summary": "\n".join(sentences),
            "authors": [{"name": f"Author {k}", "hidden": False} for k in range(6)],
            "publishedAt": "2024-01-15T10:00:00.000Z",
            "upvotes": 50 - n,
        }
        papers.append({"paper": paper, "title": paper["title"], "publishedAt": "2024-01-16T01:00:00.000Z"})
    return papers


def measure(command: list[str], home: Path) -> tuple[float, float]:
    """Wall seconds and peak resident MB of one child and what it started."""
    start = time.perf_counter()
    child = subprocess.Popen(
        command, env={**os.environ, "PRESSCHECK_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--archive", type=Path, help="JSON Lines of many days")
    options = parser.parse_args()
    presscheck = [sys.executable, "-m", "presscheck"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "2024-01-16.json"
        source.write_text(json.dumps(fifty_papers()))
        rows = {
            "bare interpreter": [sys.executable, "-c", "pass"],
            "presscheck --help": [*presscheck, "--help"],
            "presscheck list": [*presscheck, "list"],
            "edition, 50 papers": [*presscheck, "edition", "2024-01-16", "--papers", str(source)]
            + ["--out", str(folder / "out"), "--refresh"],
        }
        best: dict[str, tuple[float, float]] = {}
        for _ in range(5):
            for row, command in rows.items():
                got = measure(command, folder / "home")
                best[row] = min(best.get(row, got), got)
        bare = best["bare interpreter"][0]
        print(f"{'what':<24}{'seconds':>9}{'x bare':>9}{'peak MB':>9}   best of five, {os.cpu_count()} cores")
        for row, (seconds, peak) in best.items():
            print(f"{row:<24}{seconds:>9.3f}{seconds / bare:>9.1f}{peak:>9.0f}")
        if options.archive:
            command = [
                *presscheck,
                "edition",
                "all",
                "--papers",
                str(options.archive),
                "--out",
                str(folder / "all"),
            ]
            seconds, peak = measure(command, folder / "home")
            print(f"{'archive, all days':<24}{seconds:>9.1f}{seconds / bare:>9.0f}{peak:>9.0f}   once")
            seconds, peak = measure(command, folder / "home")
            print(f"{'archive again (resume)':<24}{seconds:>9.1f}{seconds / bare:>9.0f}{peak:>9.0f}   once")


if __name__ == "__main__":
    main()
