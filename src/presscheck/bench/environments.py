"""The environments of peer libraries: a virtual environment each, which borrows our packages.

A peer pins older libraries than ours, so it cannot share our environment. Its own has
the peer and what it pins, and a ``.pth`` line that lends it everything else of ours,
torch above all; what it has itself goes before what is lent.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from presscheck.errors import BadInput
from presscheck.papers.library import default_home
from presscheck.papers.whole import make_folder, write_whole

MARK = "presscheck-peer.json"
"""Written last, so that an installation that was cut short does not count."""


def folder_of(name: str) -> Path:
    """Where the environment of a peer lies."""
    return default_home() / "peers" / name


def python_of(name: str) -> Path | None:
    """The Python of a peer that is installed, else None."""
    return folder_of(name) / "bin" / "python" if installed(name) is not None else None


def installed(name: str) -> list[str] | None:
    """The requirements that a peer was installed with; None if it is not installed."""
    try:
        requirements = json.loads((folder_of(name) / MARK).read_bytes())["requirements"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(requirements, list) or not (folder_of(name) / "bin" / "python").exists():
        return None
    return [str(one) for one in requirements]


def install(name: str, requirements: list[str], say: Callable[[str], None]) -> Path:
    """Make a peer's environment anew.

    Args:
        name: Of the peer.
        requirements: As pip reads them, from the claims file of a system.
        say: Is told each step.

    Returns:
        Its folder.

    Raises:
        BadInput: with the end of what pip said; nothing is left then.
    """
    folder = folder_of(name)
    make_folder(folder.parent)
    if folder.exists():
        shutil.rmtree(folder)
    try:
        say(f"making {folder}")
        _run([sys.executable, "-m", "venv", str(folder)], name)
        python = folder / "bin" / "python"
        inside = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], name)
        ours = json.dumps(sysconfig.get_path("purelib"))
        write_whole(
            Path(inside.strip()) / "presscheck_lent.pth",
            f"import site; site.addsitedir({ours})\n".encode(),
        )
        say(f"installing {', '.join(requirements)}")
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        constraints = folder / "lent.txt"
        # pip sees what is lent; without this line a peer that asks for a newer torch would bring one.
        write_whole(constraints, _torch_line().encode())
        _run([*pip, "-c", str(constraints), *requirements], name)
        write_whole(folder / MARK, json.dumps({"requirements": requirements}).encode())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _torch_line() -> str:
    try:
        return f"torch=={metadata.version('torch').partition('+')[0]}\n"
    except metadata.PackageNotFoundError:
        return ""


def _run(command: list[str], name: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise BadInput(
            f"the peer `{name}` cannot be installed: {last or 'no word of why'}",
            hint="it needs the package index; `pip download` with its requirements shows more",
        )
    return done.stdout
