"""Runs code that nobody has read: no network, no files, bounded memory, time, processes and output.

A solution runs in a child that has given up what it can (see ``isolation`` and
``confine``); it is killed with everything it has started. The child sends back
*values*; whether they are right is decided in the parent, which alone knows the
targets. Exit status and prints mean nothing: a run counts only if its last frame
carries a token that did not exist before the solution was loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .isolation import FILES, HERE, INSIDE, SCRATCH, Isolation, bubblewrap_command, find, landlock_paths
from .wire import MAX_FRAME, decode, encode, pack

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class IsolationError(RuntimeError):
    """There is no isolation here, and nobody has said to go without."""


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    seconds: float = 60.0
    """Wall clock and processor time, each."""
    memory: int = 2 << 30
    """Bytes of address space of one process."""
    file: int = 16 << 20
    """Bytes of one file, and of the scratch folder in memory."""
    output: int = 1 << 16
    """Bytes of prints that are kept; what comes after is read and dropped."""
    processes: int = 0
    """Processes that it may start. More than 0 only with bubblewrap, which can kill them all."""

    def __post_init__(self) -> None:
        for name in ("seconds", "memory", "file", "output"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.processes < 0:
            raise ValueError(f"processes must be 0 or more, got {self.processes}")


@dataclass(frozen=True)
class ChildTest:
    """What the child gets of a test."""

    source: str
    target: Any = None
    handed: bool = False
    """Whether the target is sent along."""


@dataclass(frozen=True)
class TestRun:
    """What came of one test in the child."""

    failure: tuple[str, str] | None
    """Kind and detail, if it raised."""
    reports: tuple[tuple[int, list[Any]], ...]
    """Number of the assertion, and the values that it is about, in the order of the run."""

    __test__ = False  # no test of pytest's


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    failure: tuple[str, str] | None
    """Kind and detail, if the run as a whole is no good."""
    tests: tuple[TestRun, ...]
    seconds: float
    printed: str
    isolation: str
    run_id: str = ""


@dataclass(frozen=True)
class ScriptOutcome:
    """What came of a plain script."""

    status: int | None
    """Exit status; None if it ran out of time."""
    printed: str
    seconds: float


@dataclass
class Sandbox:
    """Runs solutions, each in a child of its own.

    Args:
        limits: Of one run.
        level: ``bubblewrap``, ``landlock`` or ``none``; None takes the strongest there is.
        allow_unisolated: Go on without isolation. Only for code that you have read.
        hidden: Files that a solution must not see, such as the one with the targets.

    Raises:
        IsolationError: if the level cannot be had, or is not complete and was not allowed.
        ValueError: if the limits ask for processes where they could not all be killed.
    """

    limits: Limits = field(default_factory=Limits)
    level: str | None = None
    allow_unisolated: bool = False
    hidden: tuple[str, ...] = ()
    isolation: Isolation = field(init=False)

    def __post_init__(self) -> None:
        self.isolation, reasons = find(self.level)
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        if self.level is not None and self.isolation.level != self.level:
            raise IsolationError(f"the isolation asked for cannot be had: {why}")
        if not self.isolation.complete and not self.allow_unisolated:
            raise IsolationError(
                f"no isolation for code that is not trusted ({why or 'level none'}): install bubblewrap, or "
                "give allow_unisolated=True for code that you have read"
            )
        if self.limits.processes and self.isolation.level != "bubblewrap":
            raise ValueError(f"processes need bubblewrap, which can kill them; got {self.isolation.level}")

    def run(self, dependencies: str, code: str, tests: Sequence[ChildTest]) -> Outcome:
        """Load a solution, then run its tests in one process, in order.

        Args:
            dependencies: Import lines that come first.
            code: All of the solution, earlier steps included.
            tests: Sent only once the solution is loaded.
        """
        with self._child() as child:
            child.send({**child.order, "dependencies": dependencies, "code": code})
            loaded = child.frame()
            if isinstance(loaded, tuple):
                return self._ended(child, loaded)
            if loaded.get("failure"):
                return self._ended(child, _failure(loaded["failure"]))
            if child.waiting():
                return self._ended(child, ("tampering", "a frame was sent before its tests were known"))
            token = secrets.token_hex(16)
            sent = []
            for test in tests:
                item = {"source": test.source}
                sent.append(item | {"target": encode(test.target)} if test.handed else item)
            child.send({"tests": sent, "token": token})
            done = child.frame()
            if isinstance(done, tuple):
                return self._ended(child, done)
            return self._ended(child, None, self._read(done, token, len(tests)))

    def _read(self, done: dict[str, Any], token: str, tests: int) -> tuple[str, str] | tuple[TestRun, ...]:
        if not secrets.compare_digest(str(done.get("token")).encode(), token.encode()):
            return ("tampering", "the last frame does not carry the token of this run")
        if done.get("tampered"):
            return ("tampering", f"{str(done['tampered'])[:80]} was replaced")
        try:
            runs = []
            for one in done["results"]:
                reports = tuple((int(index), [decode(v) for v in values]) for index, values in one["reports"])
                runs.append(TestRun(_failure(one["failure"]), reports))
        except (ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            return ("tampering", f"the last frame is malformed: {error}"[:300])
        if len(runs) != tests:
            return ("tampering", f"{len(runs)} results for {tests} tests")
        return tuple(runs)

    def script(self, source: str, files: dict[str, bytes] | None = None) -> ScriptOutcome:
        """Run a plain script, its files beside it, as harnesses do that go by the exit status.

        Args:
            source: Python.
            files: Name → content, in the script's folder, read-only.
        """
        with tempfile.TemporaryDirectory(prefix="presscheck-files-") as folder:
            for name, content in (files or {}).items():
                (Path(folder) / name).write_bytes(content)
            with self._child(folder) as child:
                inside = FILES if self.isolation.level == "bubblewrap" else folder
                child.send({**child.order, "script": source, "folder": inside})
                started = child.frame()
                ended = started if isinstance(started, tuple) else child.frame()
                status = None if isinstance(ended, tuple) and ended[0] == "timeout" else child.status()
                child.drain()
                return ScriptOutcome(status, child.printed(), child.seconds())

    def _child(self, files: str | None = None) -> _Child:
        return _Child(self.isolation, self.limits, self.hidden, files)

    def _ended(self, child: _Child, failure: tuple[str, str] | None, result: Any = ()) -> Outcome:
        if result and isinstance(result[0], str):
            failure, result = result, ()
        level = self.isolation.level
        child.drain()
        return Outcome(failure, tuple(result), child.seconds(), child.printed(), level, child.run_id)


def _failure(value: Any) -> tuple[str, str] | None:
    if not value:
        return None
    kinds = ("memory", "early exit", "assert", "exception")
    kind = value.get("kind") if isinstance(value, dict) else None
    return (kind, str(value.get("detail"))[:500]) if kind in kinds else ("tampering", "an unknown failure")


class _Child:
    """One process in its cage, and the conversation with it."""

    def __init__(
        self, isolation: Isolation, limits: Limits, hidden: tuple[str, ...], files: str | None
    ) -> None:
        self.isolation, self.limits, self.hidden, self.files = isolation, limits, hidden, files
        self.run_id = secrets.token_hex(8)
        self._in, self._errors, self._out = b"", b"", b""
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> _Child:
        limits, python = self.limits, [sys.executable, "-I", "-B"]
        inside = self.isolation.level == "bubblewrap"
        if inside:
            home = SCRATCH
            cage = bubblewrap_command(scratch=limits.file, hidden=self.hidden, files=self.files)
            command = [*cage, *python, f"{INSIDE}/sandbox_child.py", self.run_id]
            readable: list[str] = []
        else:
            self._scratch = tempfile.TemporaryDirectory(prefix="presscheck-run-")
            home = self._scratch.name
            command = [*python, str(HERE / "sandbox_child.py"), self.run_id]
            readable = landlock_paths(self.files) + [str(HERE / "compare.py")]
        self.order = {
            "limits": {
                "memory": limits.memory,
                "cpu": limits.seconds + 0.999,
                "file": limits.file,
                "processes": limits.processes,
            },
            "landlock": self.isolation.level == "landlock",
            "seccomp": self.isolation.complete,
            "readable": [one for one in readable if one not in self.hidden],
            "writable": [home],
        }
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
        environment |= dict.fromkeys(THREAD_VARIABLES, "1") | {"MPLBACKEND": "Agg", "MPLCONFIGDIR": home}
        self._start = time.perf_counter()
        self.deadline = self._start + limits.seconds
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=home if not inside else "/",
            start_new_session=True,
        )
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        return self

    def send(self, message: dict[str, Any]) -> None:
        """Queue a frame; it goes out while the next one is waited for."""
        self._out += pack(message)

    def frame(self) -> dict[str, Any] | tuple[str, str]:
        """The next frame, or why there is none: kind and detail."""
        while True:
            taken = self._take()
            if taken is not None:
                return taken
            if time.perf_counter() > self.deadline:
                return ("timeout", f"over {self.limits.seconds:g} s")
            if not self._pump(self.deadline):
                return self._take() or self._why()

    def waiting(self) -> bool:
        """Whether the child has said more than it was asked for."""
        self._pump(time.perf_counter())
        return bool(self._in)

    def drain(self) -> None:
        """Take the prints that are waiting; those that come before a frame are in the pipe by then."""
        had = -1
        while had < len(self._errors):
            had = len(self._errors)
            self._pump(time.perf_counter())

    def _take(self) -> dict[str, Any] | tuple[str, str] | None:
        if len(self._in) < 4:
            return None
        length = struct.unpack(">I", self._in[:4])[0]
        if length > MAX_FRAME:
            return ("memory", f"it returns {length} bytes, the most is {MAX_FRAME}")
        if len(self._in) < 4 + length:
            return None
        body, self._in = self._in[4 : 4 + length], self._in[4 + length :]
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return ("tampering", "a frame that is no JSON")
        return message if isinstance(message, dict) else ("tampering", "a frame that is no object")

    def _pump(self, deadline: float) -> bool:
        """Move bytes once; False when the child has closed its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None and self.process.stderr is not None
        alive = True
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not self.process.stderr.closed:
                selector.register(self.process.stderr, selectors.EVENT_READ)
            if self._out:
                selector.register(self.process.stdin, selectors.EVENT_WRITE)
            for key, _ in selector.select(max(0.0, deadline - time.perf_counter())):
                if key.fileobj is self.process.stdin:
                    try:
                        self._out = self._out[os.write(key.fd, self._out[: 1 << 16]) :]
                    except BrokenPipeError:
                        self._out = b""
                    continue
                data = os.read(key.fd, 1 << 16)
                if key.fileobj is self.process.stdout:
                    self._in += data
                    alive = bool(data)
                elif data:
                    self._errors += data[: max(0, self.limits.output - len(self._errors))]
                else:
                    self.process.stderr.close()
        return alive

    def status(self) -> int:
        """Exit status, signals as the shell has them (128 + number)."""
        code = self._wait()
        return 128 - code if code < 0 else code

    def _wait(self) -> int:
        try:
            return self.process.wait(max(0.1, self.deadline - time.perf_counter()))
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL

    def _why(self) -> tuple[str, str]:
        status = self.status()
        if status == 128 + signal.SIGXCPU:
            return ("timeout", f"over {self.limits.seconds:g} s of processor time")
        if status == 128 + signal.SIGKILL:
            over = time.perf_counter() - self._start > self.limits.seconds
            return ("timeout", "killed") if over else ("memory", "killed by the kernel")
        if status > 128:
            return ("exception", f"died of signal {status - 128}")
        if status and "MemoryError" in self.printed()[-2000:]:
            return ("memory", "MemoryError")
        return ("early exit", f"ended with status {status} before its tests did")

    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._start

    def printed(self) -> str:
        """Standard output and error, together, up to the limit."""
        return self._errors.decode("utf-8", "replace")

    def __exit__(self, *_: object) -> None:
        """Kill all of it, wait until nobody holds the pipes, clean up."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        until = time.perf_counter() + 2.0
        self._out = b""
        while time.perf_counter() < until and self._pump(until):
            self._in = b""
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if self._scratch is not None:
            self._scratch.cleanup()
