"""The folder of a site: files that change only when what they are made of has changed.

``site-manifest.json`` says which files are ours, how long each is, and what each group
of them was made from. A file is replaced in one step, so a reader sees the old or the
new. Nobody waits for the disk after each of tens of thousands of files, all of which can
be made again: what a power cut leaves short is noticed by its length and made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.whole import LEFTOVER, cannot_write, make_folder, write_whole
from presscheck.types import Struct

MANIFEST = "site-manifest.json"
SCHEMA = 1


class Group(Struct, frozen=True, kw_only=True):
    """Files that are made together."""

    inputs: str
    """Hash of all that they are made from; empty while they are being made."""
    files: dict[str, int]
    """Address → bytes."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What is in a site's folder."""

    schema: int = SCHEMA
    made: str = ""
    groups: dict[str, Group] = {}


def read_manifest(out: Path) -> Manifest:
    """The folder's manifest; an empty one for a folder that is empty or missing.

    Raises:
        BadInput: if the folder holds something and no manifest of ours: it is someone else's.
    """
    path = out / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        return manifest if manifest.schema == SCHEMA else Manifest()
    except FileNotFoundError:
        foreign = _first(out)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Manifest()  # broken: all is made anew
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}", hint="name a folder for the site") from error
    if foreign:
        raise BadInput(
            f"{out} holds files that are no site of presscheck, such as {foreign}",
            hint="choose an empty folder, or a new one",
        )
    return Manifest()


def _first(out: Path) -> str:
    try:
        return next((path.name for path in out.iterdir() if not path.name.startswith(".")), "")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(f"cannot read {out}: {error.strerror}", hint="name a folder for the site") from error


def write_manifest(out: Path, manifest: Manifest) -> None:
    """Write the manifest, after everything that it names."""
    write_whole(out / MANIFEST, msgspec.json.encode(manifest))


@contextlib.contextmanager
def sole_builder(out: Path) -> Iterator[None]:
    """Hold the folder against other builds of it; the lock ends with the process."""
    make_folder(out)
    try:
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def put(out: Path, files: Mapping[str, bytes]) -> dict[str, int]:
    """Write files, each replaced in one step; one whose bytes are there already is left alone.

    Raises:
        BadInput: if one cannot be written.
    """
    for name, data in files.items():
        path = out / name
        try:
            if _same(path, data):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{LEFTOVER}{os.getpid()}-{secrets.token_hex(6)}")
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                temporary.replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError as error:
            raise cannot_write(path, error) from error
    return {name: len(data) for name, data in files.items()}


def _same(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def is_there(sizes: Mapping[str, int], group: Group | None, inputs: str) -> bool:
    """Whether a group was made from these inputs and all its files lie there in their length."""
    return (
        group is not None
        and group.inputs == inputs
        and all(sizes.get(name) == size for name, size in group.files.items())
    )


def sizes_of(out: Path) -> dict[str, int]:
    """Every file of the folder with its length, by its address."""
    found: dict[str, int] = {}
    waiting = [("", str(out))]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        found[prefix + entry.name] = entry.stat().st_size
        except OSError:
            continue
    return found


def sweep(out: Path, sizes: Mapping[str, int], stale: set[str]) -> int:
    """Remove files of ours that nothing makes any more, and what killed builds left; then empty folders."""
    left = {name for name in sizes if name.rpartition("/")[2].startswith(LEFTOVER)}
    gone = 0
    for name in sorted(stale | left):
        path = out / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            continue  # a manifest that someone has edited
        with contextlib.suppress(OSError):
            path.unlink()
            gone += name in stale
        with contextlib.suppress(OSError):
            if path.parent != out:
                path.parent.rmdir()
    return gone


def hash_of(*parts: object) -> str:
    """16 hex digits over values, told apart by their places."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]
