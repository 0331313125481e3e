"""A measurement that the page has started: one at a time, a child process, followed as it goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from presscheck.errors import BadInput

KEPT = 400
"""Lines that a page that comes late is shown."""
LONGEST = 4_000
"""Characters of a line that are passed on."""
GRACE = 10.0
"""Seconds that a run has to keep its finished rounds once it is told to stop."""


class Runs:
    """The run under way, and the last one."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._follow: asyncio.Task[None] | None = None
        self._lines: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._number = 0
        self._more = asyncio.Condition()
        self._starting = asyncio.Lock()
        self.slug = ""

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._follow is not None and not self._follow.done()

    def state(self) -> dict[str, Any]:
        """What is under way, and how far."""
        last: dict[str, Any] = next((line for line in reversed(self._lines) if "done" in line), {})
        return {
            "running": self.running,
            "system": self.slug,
            "done": last.get("done", 0),
            "of": last.get("of", 0),
        }

    async def start(self, slug: str, size: str) -> None:
        """Start a run.

        Args:
            slug: Of a system that is known: the caller has looked.
            size: ``smoke``, ``quick`` or ``full``.

        Raises:
            BadInput: if one is under way, or it cannot be started.
        """
        async with self._starting:
            if self.running:
                raise BadInput(f"`{self.slug}` is being measured: each run would disturb the other's times")
            command = (sys.executable, "-P", "-m", "presscheck", "run", slug, "--size", size, "--json")
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    limit=64 * 1024 * 1024,
                )
            except OSError as error:
                raise BadInput(f"the run cannot be started: {error.strerror or error}") from error
            self.slug = slug
            self._lines.clear()
            await self._tell({"started": slug, "size": size})
            self._follow = asyncio.create_task(self._until_done(self._process))

    async def stop(self) -> None:
        """End the run as Ctrl-C does; what it has finished is kept."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), GRACE)
                break
        if self._follow is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._follow

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What the run under way, or the last one, has said; then what it says, to its end."""
        seen = 0
        while True:
            async with self._more:
                new = [line for line in self._lines if line["number"] > seen]
                if not new:
                    if not self.running:
                        return
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._more.wait(), 15)
            if not new:
                yield {"number": seen, "waiting": True}
            for line in new:
                seen = line["number"]
                yield line

    async def _until_done(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None and process.stderr is not None  # both are pipes
        answers, _ = await asyncio.gather(process.stdout.read(), self._progress(process.stderr))
        code = await process.wait()
        told: dict[str, Any] = {"ended": code}
        with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
            answer = json.loads(answers.decode("utf-8", "replace").strip().splitlines()[-1])
            told["verdicts"] = answer["verdicts"]
        await self._tell(told)

    async def _progress(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode("utf-8", "replace").rstrip()[:LONGEST]
            try:
                value = json.loads(text)
            except ValueError:
                value = None
            if isinstance(value, dict) and {"done", "of"} <= value.keys():
                await self._tell({key: value[key] for key in ("system", "arm", "done", "of") if key in value})
            elif text:
                await self._tell({"said": text})

    async def _tell(self, line: dict[str, Any]) -> None:
        async with self._more:
            self._number += 1
            self._lines.append({"number": self._number, **line})
            self._more.notify_all()
