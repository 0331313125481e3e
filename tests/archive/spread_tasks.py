"""Tasks for the tests of spreading: functions of a module, since workers import them by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path


def lengths(items: Sequence[str]) -> list[int]:
    return [len(item) for item in items]


def squares_with_process(items: Sequence[tuple[int, str]]) -> list[tuple[int, int]]:
    """(number, folder) → (square, process); goes on when a second process has come, or after a minute."""
    folder = Path(items[0][1])
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    return [(number * number, os.getpid()) for number, _ in items]


def one_short(items: Sequence[str]) -> list[str]:
    return list(items[1:])


def killed_once(items: Sequence[str]) -> list[str]:
    """Items are ``FOLDER|TEXT``; the first worker to meet ``die`` is killed, the next is not."""
    for item in items:
        folder, _, text = item.partition("|")
        if text == "die":
            try:
                (Path(folder) / "killed").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
    return [item.partition("|")[2].upper() for item in items]


def killed_always(items: Sequence[str]) -> list[str]:
    if "die" in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return list(items)


def refuses(items: Sequence[str]) -> list[str]:
    from presscheck.errors import BadInput

    raise BadInput(f"{items[0]} cannot be used", hint="another one")
