r"""Vectors on disk in a format that maps into memory, each file whole, checked and never changed.

A file holds some papers: for each the vectors of its texts (title first, then the
sentences of its abstract) and one that stands for the paper. In order, all
little-endian::

    8 bytes   b"PCVEC\0\0\1"
    4 bytes   length of the header        4 bytes   CRC-32 of the header
    header    JSON: model, width, papers [id, hash, rows] …, crc of what follows
    padding   to a multiple of 64
    float16   (papers, width)  the papers' own vectors
    float16   (rows, width)    the texts' vectors, paper after paper

A file that was cut, changed or made by another model is found out when it is
opened, and whoever opens it encodes its papers again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.whole import write_whole
from presscheck.types import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"PCVEC\0\0\1"
_PRELUDE = struct.Struct("<8sII")
_ALIGNED = 64
_LONGEST_HEADER = 1 << 30


class Header(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a file says about itself."""

    model: str
    """Name and version of the encoder."""
    width: int
    papers: tuple[tuple[str, str, int], ...]
    """Id, hash of the texts, and number of texts of each paper."""
    crc: int
    """CRC-32 of the vectors."""


class Vectors(NamedTuple):
    """The content of a file; the arrays are read from the disk as they are used."""

    path: Path
    header: Header
    papers: NDArray[np.float16]
    """(papers, width), each of length 1."""
    rows: NDArray[np.float16]
    """(rows, width), each of length 1."""
    starts: NDArray[np.int64]
    """(papers + 1,): where each paper's rows begin."""


def write_vectors(
    path: Path,
    model: str,
    papers: Sequence[tuple[str, str, int]],
    own: NDArray[np.floating],
    rows: NDArray[np.floating],
) -> None:
    """Write a file, whole or not at all.

    Args:
        path: the file.
        model: name and version of the encoder.
        papers: id, hash of the texts, and number of texts of each paper.
        own: (papers, width), the papers' own vectors.
        rows: (rows, width), the vectors of all texts.

    Raises:
        BadInput: if it cannot be written.
        ValueError: if the shapes do not fit each other.
    """
    if len(own) != len(papers) or len(rows) != sum(count for *_, count in papers):
        raise ValueError(
            f"{len(own)} paper vectors and {len(rows)} rows do not fit {len(papers)} papers "
            f"of {sum(count for *_, count in papers)} texts"
        )
    body = own.astype("<f2").tobytes() + rows.astype("<f2").tobytes()
    header = Header(model=model, width=own.shape[1], papers=tuple(papers), crc=zlib.crc32(body))
    told = msgspec.json.encode(header)
    prelude = _PRELUDE.pack(MAGIC, len(told), zlib.crc32(told))
    padding = b"\0" * (-(len(prelude) + len(told)) % _ALIGNED)
    write_whole(path, prelude + told + padding + body)


def open_vectors(path: Path, model: str = "") -> Vectors:
    """Map a file into memory, after checking that it is whole.

    Args:
        path: the file.
        model: the encoder it must be of; empty for any.

    Raises:
        BadInput: if it cannot be read, was cut or changed, or is of another model or format.
    """
    import numpy as np

    try:
        # As a plain array, since numpy makes slices of its own kind of memory map slowly.
        data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    if len(data) < _PRELUDE.size:
        raise BadInput(f"{path} was cut: {len(data)} bytes")
    magic, length, crc = _PRELUDE.unpack(data[: _PRELUDE.size].tobytes())
    if magic != MAGIC:
        raise BadInput(f"{path} is no file of vectors, or of another format")
    told = data[_PRELUDE.size : _PRELUDE.size + min(length, _LONGEST_HEADER)].tobytes()
    if len(told) != length or zlib.crc32(told) != crc:
        raise BadInput(f"{path} was cut or changed: its header has another checksum")
    header = msgspec.json.decode(told, type=Header)
    if model and header.model != model:
        raise BadInput(f"{path} is of the encoder {header.model}, not {model}")
    start = _PRELUDE.size + length + -(_PRELUDE.size + length) % _ALIGNED
    counts = np.array([count for *_, count in header.papers], dtype=np.int64)
    size = 2 * header.width * (len(counts) + int(counts.sum()))
    if len(data) != start + size or zlib.crc32(data[start:].data) != header.crc:
        raise BadInput(f"{path} was cut or changed: its vectors have another checksum")
    values = data[start:].view("<f2").reshape(-1, header.width)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Vectors(path, header, values[: len(counts)], values[len(counts) :], starts)
