"""Rows to train and measure on: prose, and records and strings to be recalled segments later.

A row has S segments of L tokens. Prose rows are characters of a text. Synthetic rows are made of
cells of four tokens: a record (key, value, two words) or four words. Each segment has a topic: its
words are of that topic, and so are most of its values; the others are surprises. Behind the first segment, half
of the cells ask for records of earlier segments by their key. One string of symbols stands somewhere
before the last segment, which repeats it and asks for records otherwise. Labels leave out what nobody
can know: keys, values said for the first time, the string itself.

Shapes: B batch, T = S * L tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .layout import IGNORED

CHARACTERS = 96
"""The first ids: printable ASCII and one for everything else."""
TOPICS, WORDS_EACH, VALUES_EACH = 4, 4, 8
KEYS, SYMBOLS = 64, 32
_KEY = CHARACTERS
_VALUE = _KEY + KEYS
_WORD = _VALUE + TOPICS * VALUES_EACH
_SYMBOL = _WORD + TOPICS * WORDS_EACH
MARK = _SYMBOL + SYMBOLS
"""Stands in front of the string, both times."""
VOCABULARY = 256
CELL = 4
RELATED = 0.75
"""Share of values that are of their segment's topic."""


@dataclass(frozen=True)
class Form:
    """The form of rows.

    Raises:
        ValueError: if a segment does not hold whole cells, or the last no string.
    """

    segment_len: int = 32
    segments: int = 4
    digits: int = 8
    """Symbols of the string."""
    density: float = 0.5
    """Share of the first segments' cells that are new records."""

    def __post_init__(self) -> None:
        if self.segment_len % CELL or self.segments < 2:
            raise ValueError(
                f"need segments of a multiple of {CELL} tokens and at least 2 of them, got {self.segment_len} "
                f"and {self.segments}"
            )
        if self.string_cells + 1 >= self.segment_len // CELL or not 1 <= self.digits <= SYMBOLS:
            raise ValueError(f"a string of {self.digits} symbols does not fit a segment of {self.segment_len}")

    @property
    def tokens(self) -> int:
        """Of a row, T."""
        return self.segment_len * self.segments

    @property
    def string_cells(self) -> int:
        """Cells that a string takes, its mark included."""
        return -(-(self.digits + 1) // CELL)


@dataclass(frozen=True)
class Rows:
    """Rows and what is known of them, (B, T) each."""

    ids: Tensor
    labels: Tensor
    """As ids, ``IGNORED`` where nothing can be known."""
    asked: Tensor
    """Bool: values asked for in the last segment, of records in earlier ones."""
    related: Tensor
    """Bool: among `asked`, those of their segment's topic."""
    string: Tensor
    """Bool: the symbols that repeat the string."""


def encode(text: str) -> Tensor:
    """(T,) ids of a text's characters; what is not printable ASCII becomes 0, a line's end too."""
    codes = torch.tensor([ord(char) for char in text], dtype=torch.long)
    printable = (codes >= 32) & (codes < 127)
    return torch.where(printable, codes - 31, 0)


def prose_rows(text: Tensor, form: Form, count: int, draw: torch.Generator) -> Rows:
    """Stretches of a text at random places.

    Raises:
        ValueError: if the text is shorter than a row.
    """
    if len(text) <= form.tokens:
        raise ValueError(f"the text has {len(text)} tokens, a row {form.tokens}")
    starts = torch.randint(len(text) - form.tokens, (count, 1), generator=draw)
    ids = text[starts + torch.arange(form.tokens)]
    none = torch.zeros_like(ids, dtype=torch.bool)
    return Rows(ids, ids.clone(), none, none, none)


def recall_rows(form: Form, count: int, draw: torch.Generator) -> Rows:
    """Synthetic rows."""
    rows = [_Row(form, draw) for _ in range(count)]
    columns = (torch.tensor([getattr(row, name) for row in rows]) for name in ("ids", "labels"))
    flags = (torch.tensor([getattr(row, name) for row in rows]) for name in ("asked", "related", "string"))
    return Rows(*columns, *flags)


def joined(*parts: Rows) -> Rows:
    """Rows below each other."""
    names = ("ids", "labels", "asked", "related", "string")
    return Rows(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


class _Row:
    """One synthetic row, written cell by cell."""

    def __init__(self, form: Form, draw: torch.Generator) -> None:
        self.ids: list[int] = []
        self.labels: list[int] = []
        self.asked: list[bool] = []
        self.related: list[bool] = []
        self.string: list[bool] = []
        self.numbers = iter(torch.rand(16 * form.tokens, generator=draw).tolist())
        keys = iter(torch.randperm(KEYS, generator=draw).tolist())
        symbols = torch.randperm(SYMBOLS, generator=draw)[: form.digits].tolist()
        cells, last = form.segment_len // CELL, form.segments - 1
        home = self.pick(last)
        known: list[tuple[int, int, bool]] = []
        for segment in range(form.segments):
            self.topic = self.pick(TOPICS)
            new: list[tuple[int, int, bool]] = []
            place = self.pick(cells - form.string_cells + 1)
            cell = 0
            unasked = list(known)
            while cell < cells:
                if cell == place and segment in (home, last):
                    self.write_string(symbols, form, segment == last)
                    cell += form.string_cells
                    continue
                cell += 1
                if segment == last or (segment and self.number() > form.density):
                    unasked = unasked or list(known)
                    if unasked:
                        self.ask(unasked.pop(self.pick(len(unasked))), segment == last)
                        continue
                key = next(keys, None) if segment == 0 or self.number() < 2 * form.density else None
                if key is None or (segment == 0 and self.number() > 2 * form.density):
                    self.words(CELL)
                else:
                    new.append(self.tell(key))
            known += new

    def number(self) -> float:
        return next(self.numbers)

    def pick(self, n: int) -> int:
        return int(self.number() * n)

    def write(self, token: int, known: bool, asked: bool = False, related: bool = False, string: bool = False) -> None:
        self.ids.append(token)
        self.labels.append(token if known else IGNORED)
        self.asked.append(asked)
        self.related.append(related)
        self.string.append(string)

    def words(self, n: int) -> None:
        for _ in range(n):
            self.write(_WORD + self.topic * WORDS_EACH + self.pick(WORDS_EACH), True)

    def tell(self, key: int) -> tuple[int, int, bool]:
        related = self.number() < RELATED
        topic = self.topic if related else (self.topic + 1 + self.pick(TOPICS - 1)) % TOPICS
        value = topic * VALUES_EACH + self.pick(VALUES_EACH)
        self.write(_KEY + key, False)
        self.write(_VALUE + value, False)
        self.words(CELL - 2)
        return key, value, related

    def ask(self, record: tuple[int, int, bool], last: bool) -> None:
        key, value, related = record
        self.write(_KEY + key, False)
        self.write(_VALUE + value, True, asked=last, related=last and related)
        self.words(CELL - 2)

    def write_string(self, symbols: list[int], form: Form, again: bool) -> None:
        self.write(MARK, False)
        for symbol in symbols:
            self.write(_SYMBOL + symbol, again, string=again)
        self.words(form.string_cells * CELL - 1 - len(symbols))
