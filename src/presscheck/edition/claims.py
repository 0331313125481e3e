"""A system's claims as a page prints them: what was said, what was measured here, and the word for it.

A claim that was not run says so; it has no dot, no interval and no colour. The drawing is
a dot with its whisker on a line: the stretch on which the claim holds is shaded, the bound
is a rule, and the baseline stands at 1 (a ratio) or 0 (a difference).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from presscheck.bench.standing import Standing
    from presscheck.claims import Claim as Stated
    from presscheck.claims import Verdict

Word = Literal["holds", "fails", "undecided", "not measured"]

SIGNS: dict[Word, str] = {"holds": "●", "fails": "×", "undecided": "○", "not measured": "–"}
WIDE, EDGE = 200.0, 8.0
"""Width of a drawing, and what is left free at either side, in its own units."""
SPREAD = 8.0
"""A ratio whose values lie further apart than this factor is drawn on a logarithmic line."""


class Plot(NamedTuple):
    """Places on a line of ``WIDE`` units, all of them within it."""

    low: float
    dot: float
    high: float
    bound: float
    baseline: float | None
    holds_from: float
    holds_to: float
    text: str
    """The drawing in words."""


class Claim(NamedTuple):
    """One claim."""

    id: str
    text: str
    reported: str
    source: str
    """Where the paper says it."""
    metric: str
    measured_on: str
    """The arms: ``snapkv+think / snapkv``."""
    needs: str
    """``≤ 0.80``."""
    word: Word
    measured: str
    """``0.767 [0.760, 0.774]``; empty where nothing was measured."""
    pairs: int
    beyond: str
    """What our scale cannot show."""
    why: str
    """Why it fails, is undecided or was not measured, as far as that is known."""
    plot: Plot | None = None


class Claims(NamedTuple):
    """The claims of one system, with the record that they were judged on."""

    slug: str
    name: str
    """The system's name as its title has it."""
    summary: str
    claims: tuple[Claim, ...]
    command: str
    """What measures them."""
    record: str = ""
    """Id of the record; empty where nothing was run."""
    when: str = ""
    size: str = ""
    machine: str = ""
    seeds: int = 0
    stale: bool = False
    """The system's files have changed since the record was made."""
    figure: str = ""
    """Address of the record's figure as seen from the page, where there is one."""
    page: str = ""
    """Address of the system's page as seen from the page."""

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have each word, in the order of ``SIGNS``; none for nought."""
        found = {word: sum(claim.word == word for claim in self.claims) for word in SIGNS}
        return {word: n for word, n in found.items() if n}


def figures(value: float) -> str:
    """A measured number with three figures and a true minus: ``0.767``, ``1,240``, ``−0.02``."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e7):
        text = f"{value:.2e}"
    else:
        places = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
        text = f"{value:,.{places}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def interval(estimate: float, low: float, high: float) -> str:
    """``0.767 [0.760, 0.774]``."""
    return f"{figures(estimate)} [{figures(low)}, {figures(high)}]"


def plot(
    estimate: float, low: float, high: float, bound: float, sign: str, baseline: float | None
) -> Plot | None:
    """Where a dot, its whisker, the bound and the baseline stand; None where a number is not finite.

    Args:
        estimate: What was measured.
        low: Lower end of its interval.
        high: Upper end.
        bound: What the whole interval has to keep to.
        sign: ``<=``, ``<``, ``>=`` or ``>``: on which side of the bound the claim holds.
        baseline: 1 for a ratio, 0 for a difference, None for a bare value.
    """
    values = [low, estimate, high, bound, *([] if baseline is None else [baseline])]
    if not all(map(math.isfinite, values)):
        return None
    logarithmic = min(values) > 0 and max(values) / min(values) > SPREAD
    scale = math.log if logarithmic else float
    first, last = scale(min(values)), scale(max(values))
    room = 0.12 * (last - first) or 0.05 * (abs(first) or 1.0)
    first, last = first - room, last + room

    def at(value: float) -> float:
        return round(EDGE + (WIDE - 2 * EDGE) * (scale(value) - first) / (last - first), 1)

    below = sign.startswith("<")
    where = at(bound)
    return Plot(
        low=at(low),
        dot=at(estimate),
        high=at(high),
        bound=where,
        baseline=None if baseline is None else at(baseline),
        holds_from=0.0 if below else where,
        holds_to=where if below else WIDE,
        text=f"{interval(estimate, low, high)}, {needs(sign, bound)}",
    )


def needs(sign: str, bound: float) -> str:
    """``≤ 0.80`` as it is printed."""
    return f"{ {'<=': '≤', '>=': '≥'}.get(sign, sign) } {bound:g}".replace("-", "\N{MINUS SIGN}")


def claims_of(standing: Standing, *, page: str = "", figure: str = "") -> Claims | None:
    """How a system stands, as a page prints it; None for a system that is broken.

    Args:
        standing: The system with its newest record and the verdicts that follow from it.
        page: Address of the system's page.
        figure: Address of the record's figure.
    """
    manifest, record, slug = standing.manifest, standing.record, standing.system.slug
    if manifest is None:
        return None
    told = Claims(
        slug=slug,
        name=manifest.paper.title.partition(":")[0],
        summary=manifest.system.summary,
        claims=tuple(_claim(stated, verdict) for stated, verdict in standing.pairs),
        command=f"presscheck run {slug} --size {record.size if record else 'quick'}",
        page=page,
    )
    if record is None:
        return told
    from presscheck.bench.machine import in_words

    return told._replace(
        record=standing.path.stem if standing.path else "",
        when=record.started,
        size=record.size,
        machine=in_words(record.machine),
        seeds=len(record.seeds),
        stale=bool(standing.stale),
        figure=figure if standing.figure else "",
    )


def _claim(stated: Stated, verdict: Verdict) -> Claim:
    answer = verdict.answer
    measured, drawn = "", None
    if verdict.estimate is not None and verdict.low is not None and verdict.high is not None:
        baseline = {"ratio": 1.0, "difference": 0.0}.get(stated.compare)
        measured = interval(verdict.estimate, verdict.low, verdict.high)
        drawn = plot(verdict.estimate, verdict.low, verdict.high, stated.bound, stated.sign, baseline)
    joint = {"ratio": " / ", "difference": " − "}.get(stated.compare, "")
    return Claim(
        id=stated.id,
        text=stated.text,
        reported=stated.reported,
        source=stated.source,
        metric=stated.metric,
        measured_on=joint.join(stated.arms),
        needs=needs(stated.sign, stated.bound),
        word=answer,
        measured=measured,
        pairs=verdict.pairs,
        beyond=stated.beyond_our_scale,
        why=(stated.likely_reason if answer == "fails" else "") or verdict.why,
        plot=drawn,
    )
