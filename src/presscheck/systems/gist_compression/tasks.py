"""Rows to train and measure on: prose, and records and strings to be recalled segments later.

A row has S segments of L tokens. Prose rows are characters of a text. Synthetic rows are made of
cells of four tokens: a record (an item of some kind, three words), two questions (which item was of
that kind? the item) or four words. An item is one token that says its kind and its value.
Each segment has a topic: its words are of that topic, and so are most of its values; the others
are surprises. There is one item of a kind in a row. A string of symbols stands in one segment
before the last; the last repeats it and asks for items otherwise. Labels leave out what nobody can
know: items that are new, what is asked next, the string when it is new.

Shapes: B batch, T = S * L tokens, C cells of a segment, n records of a segment, R = (S - 1) * n.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .layout import IGNORED

CHARACTERS = 96
"""The first ids: printable ASCII and one for everything else."""
TOPICS, WORDS_EACH, VALUES_EACH = 4, 4, 4
KINDS, SYMBOLS = 16, 32
VALUES = TOPICS * VALUES_EACH
"""Of each kind; an item is one of ``KINDS * VALUES`` tokens."""
_ITEM = CHARACTERS
_QUESTION = _ITEM + KINDS * VALUES
_WORD = _QUESTION + KINDS
_SYMBOL = _WORD + TOPICS * WORDS_EACH
MARK = _SYMBOL + SYMBOLS
"""Stands in front of the string, both times."""
VOCABULARY = 448
CELL = 4
RELATED = 0.75
"""Share of values that are of their segment's topic."""


@dataclass(frozen=True)
class Form:
    """The form of rows.

    Raises:
        ValueError: if a segment does not hold its records, or the last not the string.
    """

    segment_len: int = 32
    segments: int = 3
    digits: int = 8
    """Symbols of the string."""
    records: int = 5
    """New ones of each segment but the last."""

    def __post_init__(self) -> None:
        if self.segment_len % CELL or self.segments < 2:
            raise ValueError(
                f"need segments of a multiple of {CELL} tokens and at least 2 of them, got "
                f"{self.segment_len} and {self.segments}"
            )
        if not 1 <= self.digits <= SYMBOLS or self.string_cells + self.records > self.cells:
            raise ValueError(
                f"a string of {self.digits} symbols and {self.records} records do not fit a segment of "
                f"{self.segment_len} tokens"
            )
        if not 1 <= self.records * (self.segments - 1) <= KINDS:
            raise ValueError(f"need 1 to {KINDS} records in a row, got {self.records * (self.segments - 1)}")

    @property
    def tokens(self) -> int:
        """Of a row, T."""
        return self.segment_len * self.segments

    @property
    def cells(self) -> int:
        """Of a segment, C."""
        return self.segment_len // CELL

    @property
    def string_cells(self) -> int:
        """Cells that a string takes: its mark, its symbols, and words, two at least."""
        return -(-(self.digits + 3) // CELL)


@dataclass(frozen=True)
class Rows:
    """Rows and what is known of them, (B, T) each."""

    ids: Tensor
    labels: Tensor
    """As ids, ``IGNORED`` where nothing can be known."""
    asked: Tensor
    """Bool: items asked for in the last segment, told in earlier ones."""
    related: Tensor
    """Bool: among `asked`, those whose value was of its segment's topic."""
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
    B, S, C, n = count, form.segments, form.cells, form.records
    R = (S - 1) * n

    def rand(*shape: int) -> Tensor:
        return torch.rand(B, *shape, generator=draw)

    def pick(below: int, *shape: int) -> Tensor:
        return torch.randint(below, (B, *shape), generator=draw)

    # What is told.
    topic = pick(TOPICS, S)
    kinds = rand(KINDS).argsort(1)[:, :R]
    at_home = rand(R) < RELATED
    own = topic[:, :-1].repeat_interleave(n, dim=1)
    values = torch.where(at_home, own, (own + 1 + pick(TOPICS - 1, R)) % TOPICS) * VALUES_EACH
    items = _ITEM + kinds * VALUES + values + pick(VALUES_EACH, R)

    # Which cell is what.
    segment, cell = torch.arange(S)[None, :, None], torch.arange(C)
    home = pick(S - 1, 1, 1)
    of_cells = pick(C - form.string_cells + 1, 2)
    begin = torch.where(segment == S - 1, of_cells[:, 1, None, None], of_cells[:, 0, None, None])
    written = (segment == home) | (segment == S - 1)
    of_string = written & (cell >= begin) & (cell < begin + form.string_cells)
    rank = (rand(S, C) + 2.0 * of_string).argsort(2).argsort(2)
    tells = (rank < n) & (segment < S - 1)
    told = (segment * n + tells.cumsum(2) - 1).clamp(0, R - 1)
    known = segment * n  # records of earlier segments
    asks = ~tells & ~of_string & (segment > 0)
    number = 2 * (asks.cumsum(2)[..., None] - 1) + torch.arange(2)  # two questions a cell
    asks = asks[..., None] & (number < known[..., None])  # no item is asked for twice in a segment
    order = (rand(S, R) + 2.0 * (torch.arange(R) >= known)).argsort(2)
    asked_for = order.gather(2, number.clamp(0, R - 1).flatten(2)).view(B, S * C, 2)
    tells, asks, told = tells.flatten(1), asks.flatten(1, 2), told.flatten(1)

    # Cells as tokens.
    ids = _WORD + topic[:, :, None, None] * WORDS_EACH + pick(WORDS_EACH, S, C, CELL)
    ids = ids.view(B, S * C, CELL)
    known_here = torch.ones_like(ids, dtype=torch.bool)
    asked, related = (torch.zeros_like(known_here) for _ in range(2))
    ids[..., 0] = torch.where(tells, items.gather(1, told), ids[..., 0])
    known_here[..., 0] = ~tells
    in_last = torch.arange(S * C) >= (S - 1) * C
    for which in range(2):
        place, yes, record = 2 * which, asks[..., which], asked_for[..., which]
        ids[..., place] = torch.where(yes, _QUESTION + kinds.gather(1, record), ids[..., place])
        ids[..., place + 1] = torch.where(yes, items.gather(1, record), ids[..., place + 1])
        known_here[..., place] &= ~yes
        asked[..., place + 1] = yes & in_last
        related[..., place + 1] = yes & in_last & at_home.gather(1, record)
    ids, known_here, asked, related = (x.flatten(1) for x in (ids, known_here, asked, related))

    # The string, told and repeated.
    text = torch.cat([torch.full((B, 1), MARK), _SYMBOL + rand(SYMBOLS).argsort(1)[:, : form.digits]], dim=1)
    string = torch.zeros_like(asked)
    for again, segments in ((False, home[:, 0]), (True, torch.full((B, 1), S - 1))):
        start = (segments * C + of_cells[:, int(again), None]) * CELL
        index = start + torch.arange(form.digits + 1)
        ids.scatter_(1, index, text)
        known_here.scatter_(1, index, again)
        known_here.scatter_(1, index[:, :1], False)
        if again:
            string.scatter_(1, index[:, 1:], True)

    # Up to two words in front, so that cells do not always begin where a gist's interval does. What
    # is cut off at the end is words or a question; a string ends on two words or more.
    shift = pick(3, 1)
    source = torch.arange(form.tokens) - shift
    front = source < 0
    words = _WORD + topic[:, :1] * WORDS_EACH + pick(WORDS_EACH, form.tokens)
    source = source.clamp(min=0)
    ids = torch.where(front, words, ids.gather(1, source))
    known_here = front | known_here.gather(1, source)
    asked, related, string = (x.gather(1, source) & ~front for x in (asked, related, string))
    return Rows(ids, torch.where(known_here, ids, IGNORED), asked, related, string)


def drill_rows(form: Form, count: int, draw: torch.Generator) -> Rows:
    """Rows that teach recall quickly: nearly every label is known from what came before in the row.

    The first half of a row is 16 symbols in a circle, gone round again and again, each time from
    another place; the second an item of each kind, and questions for them. A model of two layers
    learns to look back from some thousand such rows, from ``recall_rows`` alone after far more.
    """
    half = form.tokens // 2
    circle = torch.rand(count, SYMBOLS, generator=draw).argsort(1)[:, :16]
    rounds = -(-half // 16)
    starts = torch.randint(16, (count, rounds), generator=draw)
    starts[:, 0] = 0
    places = (starts[:, :, None] + torch.arange(16)) % 16
    symbols = _SYMBOL + circle.gather(1, places.flatten(1))[:, :half]
    index = torch.arange(half)
    no_symbol = (index < 16) | (index % 16 == 0)
    items = _ITEM + torch.arange(KINDS) * VALUES + torch.randint(VALUES, (count, KINDS), generator=draw)
    told = items.gather(1, torch.rand(count, KINDS, generator=draw).argsort(1))
    rest = form.tokens - half
    asked = torch.rand(count, -(-rest // KINDS), KINDS, generator=draw).argsort(2).flatten(1)[:, :rest]
    pairs = torch.stack([_QUESTION + asked, items.gather(1, asked)], dim=2).flatten(1)
    ids = torch.cat([symbols, told, pairs], dim=1)[:, : form.tokens]
    index = torch.arange(rest)
    no_item = (index < KINDS) | ((index - KINDS) % 2 == 0)
    none = torch.zeros_like(ids, dtype=torch.bool)
    labels = ids.masked_fill(torch.cat([no_symbol, no_item]), IGNORED)
    return Rows(ids, labels, none, none, none)


def joined(*parts: Rows) -> Rows:
    """Rows below each other."""
    names = ("ids", "labels", "asked", "related", "string")
    return Rows(*(torch.cat([getattr(part, name) for part in parts]) for name in names))
