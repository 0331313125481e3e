"""A preview's picture without a font: a sheet of lines, one a statement, each inked as the check marked it.

Drawn as 1200 by 630 pixels of a few colours and written as PNG by hand, since a
picture of flat rectangles needs no library for it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from presscheck.types import Entry

WIDTH, HEIGHT = 1200, 630
PALETTE = ("fbfaf6", "1c1b18", "d9d4c6", "a5125f", "755800", "006280")
PAPER, INK, RULE, MAGENTA, YELLOW, CYAN = range(6)
_INKS = {"conflict": MAGENTA, "unsupported": MAGENTA, "beyond": YELLOW}


def card(entries: Iterable[Entry]) -> bytes:
    """The picture of an edition or of a paper's entries.

    Every line is a statement, as long as its text, in columns from left to right. What
    the check found off has the ink of its mark; evidence is a short stroke in the margin.
    """
    rows = [bytearray([PAPER]) * WIDTH for _ in range(HEIGHT)]

    def fill(x: int, y: int, width: int, height: int, ink: int) -> None:
        for row in rows[max(0, y) : y + height]:
            row[x : x + width] = bytes([ink]) * len(row[x : x + width])

    _register(fill, 64, 46)
    _register(fill, WIDTH - 104, 46)
    fill(0, 118, WIDTH, 2, INK)
    statements = [
        (len(said.text), _INKS.get(said.verdict, INK), bool(said.evidence))
        for entry in entries
        for section in entry.sections
        for said in section.statements
    ]
    columns = 4 if len(statements) > 60 else 3 if len(statements) > 20 else 2
    room = (WIDTH - 128) // columns
    at, bottom = 0, HEIGHT - 46
    for column in range(columns):
        x, y = 64 + column * room, 150
        while at < len(statements) and y < bottom:
            length, ink, carried = statements[at]
            if carried:
                fill(x, y, 6, 6, CYAN)
            longest = room - 58
            for start in range(0, min(length * 4, longest * 2), longest):
                width = min(length * 4 - start, longest)
                if y < bottom and width > 0:
                    fill(x + 16, y, width, 6, ink)
                    y += 13
            y += 5
            at += 1
    return _png(rows)


def _register(fill: object, x: int, y: int) -> None:
    """The printers' mark: a cross through a ring."""
    assert callable(fill)
    fill(x, y + 19, 40, 2, INK)
    fill(x + 19, y, 2, 40, INK)
    for dy in range(-12, 13):
        for dx in range(-12, 13):
            if 100 <= dx * dx + dy * dy <= 144:
                fill(x + 20 + dx, y + 20 + dy, 1, 1, INK)


def _png(rows: list[bytearray]) -> bytes:
    """Rows of palette places as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    palette = b"".join(bytes.fromhex(colour) for colour in PALETTE)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"PLTE", palette)
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )
