"""200 clients at once for a minute on the loopback: errors, answers a second, memory over the time.

Each client asks in turn for the front page, an edition, a paper and a search, and waits
for each answer. The server is `presscheck serve` over the editions that ship, in a process
of its own; its resident memory is read from /proc once a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

PATHS = (
    "/",
    "/2024-10-07/index.html",
    "/papers/2407.21018.html",
    f"/api/search?q={quote('양자화')}",
    "/api/search?q=language+model+quantization",
    "/assets/page.css",
)
LIMIT = 30.0
"""Seconds that an answer may take before it counts as an error."""


def memory(process: int) -> float:
    """Resident megabytes."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    """One request on a connection that stays open; returns the status."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    if length is None:
        raise ValueError("an answer without its length")
    await reader.readexactly(int(length[1]))
    return int(head.split(b" ", 2)[1])


async def client(port: int, at: int, until: float, times: list[float], errors: list[str]) -> None:
    """Asks until the time is over; a connection that breaks is an error and is opened anew."""
    while time.perf_counter() < until:
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while (start := time.perf_counter()) < until:
                status = await asyncio.wait_for(ask(reader, writer, PATHS[at % len(PATHS)]), LIMIT)
                times.append(time.perf_counter() - start)
                if status != 200:
                    errors.append(f"{status} {PATHS[at % len(PATHS)]}")
                at += 1
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            errors.append(type(error).__name__)
            await asyncio.sleep(0.1)
        finally:
            if writer is not None:
                writer.close()


async def measure(
    port: int, process: int, clients: int, seconds: float
) -> tuple[list[float], list[str], list[float]]:
    """Times of all answers, errors, and memory once a second."""
    times: list[float] = []
    errors: list[str] = []
    held: list[float] = []
    until = time.perf_counter() + seconds
    asking = [asyncio.create_task(client(port, at, until, times, errors)) for at in range(clients)]
    while time.perf_counter() < until:
        held.append(memory(process))
        await asyncio.sleep(1)
    await asyncio.gather(*asking)
    return times, errors, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "presscheck", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PRESSCHECK_HOME": home},
        )
        try:
            port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
            asyncio.run(measure(port, server.pid, 20, 3))  # warm
            times, errors, held = asyncio.run(measure(port, server.pid, given.clients, given.seconds))
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)
    times.sort()
    quarter = max(1, len(held) // 4)
    print(
        f"{given.clients} clients, {given.seconds:g} s: {len(times):,} answers, "
        f"{len(times) / given.seconds:,.0f} a second"
    )
    print(f"median {1e3 * statistics.median(times):.0f} ms, p95 {1e3 * times[int(0.95 * len(times))]:.0f} ms")
    print(f"errors: {len(errors)} {sorted(set(errors))[:5] if errors else ''}")
    print(
        f"memory: {statistics.mean(held[quarter : 2 * quarter]):.1f} MB in the second quarter, "
        f"{statistics.mean(held[-quarter:]):.1f} MB in the last"
    )
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
