"""A day's entries by a language model, with the ledger of that edition."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from presscheck.digest.write.ledger import Ledger, Totals
from presscheck.digest.write.writer import ModelWriter, Work
from presscheck.types import Day, Language, Style

Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""What and how many → a context that gives the function to call for each that is done."""


class DayWriter:
    """Writes days with a model; see ``assemble.Writer``.

    Args:
        writer: The model with its cache and glossary.
        ledgers: Folder of the ledgers, one an edition and model.
        limit: US dollars for one edition, at most; None for no limit.
        bar: Shows how far a day is.
    """

    def __init__(self, writer: ModelWriter, ledgers: Path, limit: float | None, bar: Bar) -> None:
        self._writer, self._ledgers, self._limit, self._bar = writer, ledgers, limit, bar
        self.spent: dict[str, Totals] = {}
        """Day → what its edition has cost so far."""
        # A limit without a price is told before a paper is fetched.
        Ledger(None, "", writer.model, limit)

    @property
    def version(self) -> str:
        """Everything that entries depend on beside the papers."""
        return self._writer.version

    @property
    def name(self) -> str:
        """The model's name."""
        return self._writer.model.name

    def __call__(self, day: Day, languages: Sequence[Language], styles: Sequence[Style]) -> Work:
        """Write a day's entries."""
        ledger = Ledger(self.ledger(day.date), day.date, self._writer.model, self._limit)
        try:
            with self._bar(f"writing {day.date}", len(day.papers) * len(styles)) as advance:
                return self._writer.write_all(
                    day.papers, languages, styles, ledger, lambda done, total: advance()
                )
        finally:
            self.spent[day.date] = ledger.totals

    def ledger(self, date: str) -> Path:
        """The file of an edition's ledger."""
        model = self._writer.model
        short = re.sub(r"[^A-Za-z0-9._-]+", "-", model.name)[:60]
        mark = hashlib.sha256(model.identity.encode()).hexdigest()[:8]
        return self._ledgers / f"{date or 'undated'}-{short}-{mark}.json"

    def close(self) -> None:
        """Give back what the model holds."""
        self._writer.model.close()
