"""Digests from a file: Markdown in either format, or an edition as JSON."""

from __future__ import annotations

import sys
from pathlib import Path

from presscheck.digest.jsonfile import digest_of, edition_from_json
from presscheck.digest.markdown.read import read_markdown
from presscheck.errors import BadInput
from presscheck.types import Digest


def read_digest_file(path: Path | str) -> tuple[Digest, ...]:
    """Read all digests of a file: one of a Markdown file, one a style and language of an edition.

    Args:
        path: the file, or ``-`` for standard input.

    Raises:
        BadInput: if it cannot be read, is not UTF-8, or is no digest.
    """
    return read_digests(bytes_of(path), name="standard input" if str(path) == "-" else str(path))


def bytes_of(path: Path | str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises:
        BadInput: if it cannot be read.
    """
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except IsADirectoryError:
        raise BadInput(
            f"{path} is a folder, need a digest", hint=f"give the files in it: {path}/*.md"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{path} cannot be read: {why}") from None


def read_digests(data: bytes, *, name: str) -> tuple[Digest, ...]:
    """Read all digests of a file's bytes; see ``read_digest_file``."""
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{") or name.endswith(".json"):
        edition = edition_from_json(data, name)
        return tuple(
            digest_of(edition, style, language) for style in edition.styles for language in edition.languages
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start} (line {line})",
            hint="save the digest as UTF-8",
        ) from None
    return (read_markdown(text, name=name),)
