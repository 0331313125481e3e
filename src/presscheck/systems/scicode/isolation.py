"""Which isolation this machine offers for code that is not trusted, and the command that gives it.

Two ways are complete: *bubblewrap* (user, mount, pid, network, ipc, uts and cgroup
namespaces; the file system is an empty one with Python bound in, read-only) and
*landlock* (the kernel's own file rules, for machines without bubblewrap). Both add
seccomp, rlimits and the loss of all capabilities. *none* has rlimits alone.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .confine import landlock_abi, libseccomp

HERE = Path(__file__).parent
CHILD_FILES = ("sandbox_child.py", "wire.py", "confine.py", "compare.py")
SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
SMALL_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/sys/devices/system/cpu",
)
INSIDE = "/harness"
SCRATCH = "/scratch"
FILES = "/files"


@dataclass(frozen=True)
class Isolation:
    """What keeps a child in."""

    level: str
    """``bubblewrap``, ``landlock`` or ``none``."""
    network: bool
    files: bool
    processes: bool
    how: str

    @property
    def complete(self) -> bool:
        """Whether network, files and processes are all shut off."""
        return self.network and self.files and self.processes


BUBBLEWRAP = Isolation("bubblewrap", True, True, True, "namespaces by bubblewrap, seccomp, rlimits")
LANDLOCK = Isolation("landlock", True, True, True, "Landlock, seccomp, rlimits")
NONE = Isolation("none", False, False, False, "rlimits alone")


@functools.cache
def _seccomp_missing() -> str:
    return "" if libseccomp() is not None else "libseccomp is not installed (Debian: libseccomp2)"


@functools.cache
def unavailable(level: str) -> str:
    """Why a level cannot be had here; empty if it can."""
    if level == "none":
        return ""
    if not sys.platform.startswith("linux"):
        return f"it needs Linux, this is {sys.platform}"
    if _seccomp_missing():
        return _seccomp_missing()
    if level == "landlock":
        abi = landlock_abi()
        return "" if abi >= 3 else f"the kernel's Landlock has version {abi}, need 3 (Linux 6.2)"
    if level != "bubblewrap":
        return "there is no such level: bubblewrap, landlock or none"
    if shutil.which("bwrap") is None:
        return "bwrap is not installed (Debian: bubblewrap)"
    try:
        command = [
            *bubblewrap_command(scratch=1 << 20, hidden=(), files=None),
            sys.executable,
            "-I",
            "-c",
            "",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap does not start: {error}"
    return f"bwrap fails: {done.stderr.strip()[:200]}" if done.returncode else ""


def find(level: str | None = None) -> tuple[Isolation, dict[str, str]]:
    """The strongest isolation here, or the level asked for.

    Returns:
        The isolation, and the reason for each stronger one that cannot be had.
    """
    reasons: dict[str, str] = {}
    for one in (BUBBLEWRAP, LANDLOCK, NONE):
        if level not in (None, one.level):
            continue
        why = unavailable(one.level)
        if not why:
            return one, reasons
        reasons[one.level] = why
    return NONE, reasons or {str(level): unavailable(str(level))}


@functools.cache
def python_folders() -> list[str]:
    """Folders that the interpreter and its packages lie in, those of the system left out."""
    folders = {Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent.parent}
    folders |= {Path(one) for one in sys.path if one.endswith(("site-packages", "dist-packages"))}
    found: list[str] = []
    for folder in sorted(folders, key=lambda one: len(one.parts)):
        if folder == Path("/") or not folder.is_dir():
            continue
        if any(folder.is_relative_to(one) for one in (*SYSTEM, *found)):
            continue
        found.append(str(folder))
    return found


@functools.cache
def _package_folder() -> str | None:
    """The folder of this whole package where it is installed among Python's: it holds answers."""
    top = HERE.parents[1]
    return str(top) if any(top.is_relative_to(one) for one in (*SYSTEM, *python_folders())) else None


def bubblewrap_command(*, scratch: int, hidden: tuple[str, ...], files: str | None) -> list[str]:
    """The command line up to the program that is to run inside.

    Args:
        scratch: Bytes of the folder that may be written to, which lives in memory.
        hidden: Files or folders that must not be seen even if Python's folders hold them.
        files: A folder of the outside to show, read-only, at ``/files``.
    """
    command = [str(shutil.which("bwrap")), "--unshare-all", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "sandbox"]
    for one in SYSTEM:
        path = Path(one)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), one]
        elif path.is_dir():
            command += ["--ro-bind", one, one]
    for one in python_folders():
        command += ["--ro-bind", one, one]
    for one in ("/etc/ld.so.cache", "/etc/localtime"):
        command += ["--ro-bind-try", one, one]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(scratch), "--tmpfs", "/dev/shm"]  # noqa: S108
    command += ["--remount-ro", "/dev"]
    package = _package_folder()
    seen = (*SYSTEM, *python_folders())
    for hide in (*((package,) if package else ()), *hidden):
        if any(Path(hide).is_relative_to(one) for one in seen):
            command += ["--tmpfs", hide] if Path(hide).is_dir() else ["--ro-bind", "/dev/null", hide]
    for name in CHILD_FILES:
        command += ["--ro-bind", str(HERE / name), f"{INSIDE}/{name}"]
    if files is not None:
        command += ["--ro-bind", files, FILES]
    command += ["--size", str(scratch), "--tmpfs", SCRATCH, "--chdir", SCRATCH]
    return [*command, "--remount-ro", "/"]


def landlock_paths(files: str | None) -> list[str]:
    """What a child under Landlock may read. Python's folders are given whole, except this package's."""
    package = _package_folder()
    readable: list[str] = []
    for folder in (*SYSTEM, *python_folders()):
        readable += _without(folder, package) if package else [folder]
    readable += [one for one in SMALL_FILES if Path(one).exists()]
    return [*readable, *([files] if files else [])]


def _without(folder: str, hole: str) -> list[str]:
    """A folder's paths with one hole: Landlock's rules only add, so the way to the hole is spelled out."""
    if not Path(hole).is_relative_to(folder):
        return [folder]
    kept: list[str] = []
    at = Path(folder)
    for part in Path(hole).relative_to(folder).parts:
        kept += [str(one) for one in at.iterdir() if one.name != part]
        at /= part
    return kept
