"""Files that are written whole or not at all.

A reader sees the old content or the new, never a part: the bytes go to a
temporary file of the same folder, reach the disk, and then take the name. What a
killed process leaves behind starts with ``LEFTOVER`` and is nobody's file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from presscheck.errors import BadInput

LEFTOVER = ".presscheck-"

REASONS = {
    errno.ENOSPC: ("the disk is full", "make room, then run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "make room, then run the same command again"),
    errno.EROFS: ("the disk is read-only", "choose a folder that can be written"),
    errno.EACCES: ("it may not be written", "choose another folder, or change the folder's permissions"),
    errno.EPERM: ("it may not be written", "choose another folder, or change the folder's permissions"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EEXIST: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("it is a folder", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}


def cannot_write(path: Path, error: OSError) -> BadInput:
    """The error to show for a failed write: which file, why, and what to do."""
    why, hint = REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    return BadInput(f"cannot write {path}: {why}", hint=hint)


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        BadInput: if it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, replacing the one of that name in a single step.

    Raises:
        BadInput: if it cannot be written; what was there before is untouched.
    """
    make_folder(path.parent)
    try:
        temporary = _write_temporary(path.parent, data)
        try:
            temporary.replace(path)
        except OSError:
            _remove(temporary)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def create_whole(path: Path, data: bytes) -> bool:
    """Write a file that must not exist yet.

    Returns:
        False if the name is taken; that file is untouched.

    Raises:
        BadInput: if it cannot be written.
    """
    make_folder(path.parent)
    try:
        temporary = _write_temporary(path.parent, data)
        try:
            # A hard link fails on a name that exists, and shows the file only with all its bytes.
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            _remove(temporary)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    return True


def _write_temporary(folder: Path, data: bytes) -> Path:
    """The bytes in a new file of this folder, on the disk; nothing is left on failure."""
    temporary = folder / f"{LEFTOVER}{os.getpid()}-{secrets.token_hex(6)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _remove(temporary)
        raise
    return temporary


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring the name itself to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
