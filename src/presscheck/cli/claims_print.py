"""Claims and verdicts as people read them on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presscheck.claims import Claim, Manifest, Record, Verdict

SIGNS = {"<=": "≤", ">=": "≥"}


def number(value: float) -> str:
    """A reading in at most six characters: three figures behind the point where they say something."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100_000 or size < 0.0005:
        return f"{value:.2e}"
    return f"{value:.3f}" if size < 100 else f"{value:,.1f}" if size < 10_000 else f"{value:,.0f}"


def measured(verdict: Verdict) -> str:
    """Estimate with its interval, or that there is none."""
    if verdict.estimate is None or verdict.low is None or verdict.high is None:
        return verdict.answer if verdict.answer == "not measured" else "–"
    if verdict.low == verdict.high:
        return number(verdict.estimate)
    return f"{number(verdict.estimate)} [{number(verdict.low)}, {number(verdict.high)}]"


def duration(seconds: float) -> str:
    """1 min 41 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s" if seconds >= 1 else f"{seconds:.1f} s"


def what(claim: Claim) -> str:
    """What a claim compares: kv_bytes · snapkv+think / snapkv."""
    sign = {"ratio": " / ", "difference": " − ", "value": ""}[claim.compare]
    return f"{claim.metric} · {claim.arm}{sign}{claim.against or ''}"


def print_run(manifest: Manifest, record: Record, verdicts: Sequence[Verdict]) -> None:
    """A record's claims as a table, then what is behind each that does not hold."""
    from presscheck.bench.machine import in_words

    click.echo(f"{manifest.paper.title} · {manifest.paper.arxiv}")
    model = [str(record.params["model"])] if record.params.get("model") else []
    seeds = f"{len(record.seeds)} seed{'s' if len(record.seeds) != 1 else ''}"
    click.echo(" · ".join([record.size, *model, in_words(record.machine), seeds, duration(record.seconds)]))
    click.echo()
    print_claims(manifest.claims, verdicts)


def print_claims(claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> None:
    """The table of claims, and below it why, what this scale cannot show, and the likely reason."""
    import shutil

    rows: list[tuple[str, ...]] = [("claim", "said", "compared", "measured", "bound", "here")]
    for claim, verdict in zip(claims, verdicts, strict=True):
        bound = f"{SIGNS[claim.sign]} {claim.holds_if[2:].strip()}"
        rows.append((claim.id, claim.reported, what(claim), measured(verdict), bound, verdict.answer))
    wide = shutil.get_terminal_size((110, 24)).columns
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    # What was said is the one column that can be cut, or go: `show` has it whole.
    widths[1] += min(0, wide - 2 - sum(widths) - 2 * 5)
    if widths[1] < 16:
        rows, widths = [(row[0], *row[2:]) for row in rows], [widths[0], *widths[2:]]
    for row in rows:
        cells = [
            (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        click.echo(("  " + "  ".join(cells)).rstrip())
    click.echo()
    for claim, verdict in zip(claims, verdicts, strict=True):
        if verdict.answer != "holds" and verdict.why:
            click.echo(f"  {claim.id}: {verdict.answer}: {verdict.why}")
        if verdict.answer == "fails" and claim.likely_reason:
            click.echo(f"  {claim.id} fails here, likely because: {claim.likely_reason}")
