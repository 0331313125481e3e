"""Day → Edition: every paper gets an entry in each language and style that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from presscheck import __version__
from presscheck.types import Day, Edition, Language, Style


def inputs_hash(day: Day, languages: Sequence[Language], styles: Sequence[Style]) -> str:
    """What an edition is made from, as 16 hex digits.

    Equal inputs give an equal edition, so a build that was interrupted goes on
    with the first day whose published hash differs. Our own version counts as
    input: a new release writes anew.
    """
    return _hash([day, list(languages), list(styles)])


def edition_hash(edition: Edition) -> str:
    """The same for an edition that was not written here: what it says is what it is made from."""
    return _hash(edition)


def _hash(value: object) -> str:
    return hashlib.sha256(__version__.encode() + msgspec.json.encode(value)).hexdigest()[:16]


def assemble(day: Day, languages: Sequence[Language], styles: Sequence[Style]) -> Edition:
    """Write every paper of the day with the extractive writer.

    Args:
        day: The papers, in the order of the list.
        languages: In the order of print.
        styles: In the order of print.

    Returns:
        The edition, its entries ordered by paper, then language, then style.
    """
    from presscheck.digest.write.extractive import write_all

    return Edition(
        date=day.date,
        taken=day.taken,
        state=day.state,
        source=day.source,
        languages=tuple(languages),
        styles=tuple(styles),
        inputs=inputs_hash(day, languages, styles),
        papers=day.papers,
        entries=tuple(write_all(day.papers, languages, styles)),
        problems=day.problems,
    )
