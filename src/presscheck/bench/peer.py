"""A peer library in a virtual environment of its own, driven trial by trial."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any, NoReturn

from presscheck.bench.environments import python_of
from presscheck.bench.run import Reading, Unavailable

PATIENCE = 1800.0
"""Seconds that one trial of a peer may take."""


class Peer:
    """An arm that calls ``module:function`` in a peer's Python: a seed in, readings out.

    Args:
        name: Of the peer, as in claims.toml.
        target: ``module:function``; it takes ``seed`` and the settings as keyword arguments.
        settings: JSON values.
        patience: Seconds that one trial may take.
    """

    def __init__(
        self, name: str, target: str, settings: dict[str, Any] | None = None, *, patience: float = PATIENCE
    ) -> None:
        self.name, self.target, self.settings, self.patience = name, target, settings or {}, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: list[bytes] = []

    def __call__(self, seed: int) -> list[Reading]:
        """One trial.

        Raises:
            Unavailable: if the peer is not installed, cannot be started, dies, fails or does not answer.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"seed": seed, **self.settings}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._fail("its process has ended")
        line = self._line(process)
        try:
            answer = json.loads(line)
        except ValueError:
            self._fail(f"its process answered {line[:80]!r}")
        if "error" in answer:
            self._fail(str(answer["error"]))
        return [(str(metric), float(value), str(unit)) for metric, value, unit in answer["rows"]]

    def close(self) -> None:
        """End its process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # what it was never told
                        pipe.close()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        python = python_of(self.name)
        if python is None:
            raise Unavailable(f"{self.name} is not installed: `presscheck peer install {self.name}`")
        # -P: a file of the working folder must not stand in for a module.
        command = [str(python), "-P", "-m", "presscheck.bench.worker", self.target]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _source()},
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        """The next line that it answers; what it says on standard error is kept, its end only."""
        assert process.stdout is not None and process.stderr is not None
        line, deadline = b"", time.monotonic() + self.patience
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    self._fail(f"it did not answer within {self.patience:.0f} s")
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                        if key.fileobj is process.stdout:
                            self._fail("its process has ended")
                    elif key.fileobj is process.stdout:
                        line += data
                    else:
                        self._errors = [*self._errors[-20:], data]
        return line

    def _fail(self, why: str) -> NoReturn:
        if self._process is not None and self._process.stderr is not None and "ended" in why:
            self._process.wait()
            os.set_blocking(self._process.stderr.fileno(), False)
            self._errors.append(self._process.stderr.read() or b"")
        said = b"".join(self._errors).decode("utf-8", "replace").strip().splitlines()
        self.close()
        last = f" ({said[-1][:200]})" if said and "ended" in why else ""
        raise Unavailable(f"{self.name}: {why}{last}")


def _source() -> str:
    """The folders that this process imports presscheck from, first, for the worker."""
    here = str(Path(__file__).parents[2])
    given = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([here, *([given] if given else [])])
