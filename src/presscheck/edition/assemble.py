"""Day → Edition: every paper gets an entry in each language and style that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from presscheck import __version__
from presscheck.catalog import with_systems
from presscheck.types import Day, Edition, Language, Style

if TYPE_CHECKING:
    from presscheck.digest.write.writer import Work


class Writer(Protocol):
    """Writes a day's entries in place of the extractive writer."""

    @property
    def version(self) -> str:
        """Everything that its entries depend on beside the papers."""
        ...

    def __call__(self, day: Day, languages: Sequence[Language], styles: Sequence[Style]) -> Work:
        """The entries, ordered by paper, then language, then style, and what the reader is told."""
        ...


def inputs_hash(
    day: Day, languages: Sequence[Language], styles: Sequence[Style], writer: Writer | None = None
) -> str:
    """What an edition is made from, as 16 hex digits.

    Equal inputs give an equal edition, so a build that was interrupted goes on
    with the first day whose published hash differs. Our own version counts as
    input: a new release writes anew.
    """
    by = [writer.version] if writer else []
    return _hash([day, list(languages), list(styles), *by])


def edition_hash(edition: Edition) -> str:
    """The same for an edition that was not written here: what it says is what it is made from."""
    return _hash(edition)


def _hash(value: object) -> str:
    return hashlib.sha256(__version__.encode() + msgspec.json.encode(value)).hexdigest()[:16]


def assemble(
    day: Day, languages: Sequence[Language], styles: Sequence[Style], writer: Writer | None = None
) -> Edition:
    """Write every paper of the day.

    Args:
        day: The papers, in the order of the list.
        languages: In the order of print.
        styles: In the order of print.
        writer: None for the extractive one.

    Returns:
        The edition, its entries ordered by paper, then language, then style; papers name the systems
        that are here for them.
    """
    problems = day.problems
    if writer is None:
        from presscheck.digest.write.extractive import write_all

        entries = tuple(write_all(day.papers, languages, styles))
    else:
        work = writer(day, languages, styles)
        entries, problems = work.entries, (*problems, *work.problems)
    return Edition(
        date=day.date,
        taken=day.taken,
        state=day.state,
        source=day.source,
        languages=tuple(languages),
        styles=tuple(styles),
        inputs=inputs_hash(day, languages, styles, writer),
        papers=with_systems(day.papers),
        entries=entries,
        problems=problems,
    )
