"""Text that changes step by step and still knows where each character came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

Edit = tuple[int, int, str]
"""Replace ``text[start:end]``, which is not empty, by a string."""

Run = tuple[int, int, int, bool]
"""Length in the text, start and end in the original, and whether it is a plain copy."""


class Traced:
    """A text, its original, and the runs that tie the one to the other."""

    __slots__ = ("original", "runs", "text")

    def __init__(self, original: str) -> None:
        self.original = original
        self.text = original
        self.runs: list[Run] = [(len(original), 0, len(original), True)] if original else []

    def apply(self, edits: Iterable[Edit]) -> bool:
        """Carry out edits that are in order and do not overlap; say whether anything changed.

        Linear in runs and edits. What replaces a span comes from all that the span came from.
        """
        old = self.text
        todo = [edit for edit in edits if old[edit[0] : edit[1]] != edit[2]]
        if not todo:
            return False
        pieces: list[str] = []
        runs: list[Run] = []
        source = _Reader(self.runs)
        done = 0
        for start, end, new in todo:
            if start < done or end <= start:
                raise ValueError(f"edit ({start}, {end}) overlaps the one before it or is empty")
            pieces.append(old[done:start])
            source.copy(start - done, runs)
            first, last = source.skip(end - start)
            if new:
                pieces.append(new)
                runs.append((len(new), first, last, False))
            done = end
        pieces.append(old[done:])
        source.copy(len(old) - done, runs)
        self.text = "".join(pieces)
        self.runs = runs
        return True


class _Reader:
    """Walks runs once, from left to right."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs
        self._index = 0
        self._used = 0

    def _take(self, length: int) -> Run:
        """Take at most `length` characters of the present run."""
        size, start, end, plain = self._runs[self._index]
        taken = min(length, size - self._used)
        if plain:
            start, end = start + self._used, start + self._used + taken
        self._used += taken
        if self._used == size:
            self._index, self._used = self._index + 1, 0
        return taken, start, end, plain

    def copy(self, length: int, into: list[Run]) -> None:
        """Pass `length` characters on as they are, joined to the run before where that is possible."""
        while length:
            run = self._take(length)
            length -= run[0]
            if into and run[3] and into[-1][3] and into[-1][2] == run[1]:
                into[-1] = (into[-1][0] + run[0], into[-1][1], run[2], True)
            else:
                into.append(run)

    def skip(self, length: int) -> tuple[int, int]:
        """Pass over `length` characters and return the span that they came from."""
        taken, first, last, _ = self._take(length)
        length -= taken
        while length:
            taken, start, end, _ = self._take(length)
            length -= taken
            first, last = min(first, start), max(last, end)
        return first, last


class Cleaned:
    """A cleaned text beside its original. Immutable."""

    __slots__ = ("_runs", "_starts", "original", "text")

    original: str
    text: str
    _runs: tuple[Run, ...]
    _starts: tuple[int, ...]

    def __init__(self, traced: Traced) -> None:
        starts, at = [], 0
        for run in traced.runs:
            starts.append(at)
            at += run[0]
        for name, value in (("original", traced.original), ("text", traced.text),
                            ("_runs", tuple(traced.runs)), ("_starts", tuple(starts))):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Cleaned text is immutable: `{name}` cannot be set")

    def __repr__(self) -> str:
        return f"Cleaned({self.text!r})"

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the text to the smallest span of the original that it came from.

        Raises:
            ValueError: if the span is empty or not within the text.
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"span ({start}, {end}) is not within the text: need 0 <= start < end <= "
                             f"{len(self.text)}")
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        _, low, high, plain = self._runs[first]
        lowest = low + start - self._starts[first] if plain else low
        _, low, high, plain = self._runs[last]
        return lowest, (low + end - self._starts[last] if plain else high)
