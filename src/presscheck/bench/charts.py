"""The figure that every system gets: each claim's estimate with its interval, against its bound.

matplotlib comes with the extras that run experiments; nothing here is imported without it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from presscheck.bench.verdict import judge
from presscheck.claims import Manifest, Record
from presscheck.papers.whole import write_whole

INK, FAINT, CYAN, MAGENTA = "#222222", "#8a8a8a", "#0b7285", "#b5126b"


def default_figure(manifest: Manifest, record: Record) -> Any:
    """One row a claim: a dot, its interval as a whisker, the bound as a bar.

    Each row has its own axis, since bytes, points and ratios share none.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    judged = [(claim, judge(claim, record)) for claim in manifest.claims]
    figure = Figure(figsize=(7.2, 0.55 * len(judged) + 0.5), layout="constrained")
    for axis, (claim, verdict) in zip(figure.subplots(len(judged), squeeze=False)[:, 0], judged, strict=True):
        axis.set_yticks([])
        for side in ("left", "right", "top"):
            axis.spines[side].set_visible(False)
        axis.set_ylabel(claim.id, rotation=0, ha="right", va="center", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.axvline(claim.bound, color=INK, linewidth=1.2)
        if claim.compare == "ratio":
            axis.axvline(1, color=FAINT, linewidth=0.8, linestyle=":")
        if verdict.estimate is None or verdict.low is None or verdict.high is None:
            axis.text(
                0.5, 0.5, verdict.answer, transform=axis.transAxes, ha="center", va="center", color=FAINT
            )
            continue
        color = MAGENTA if verdict.answer == "fails" else CYAN
        axis.plot([verdict.low, verdict.high], [0, 0], color=color, linewidth=2)
        axis.plot([verdict.estimate], [0], "o", color=color, markersize=6)
        axis.margins(x=0.2)
    return figure


def draw(experiment: Any, manifest: Manifest, record: Record, path: Path) -> Path | None:
    """Write a record's figure as SVG beside it; None where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return None
    # The same record gives the same bytes, and text stays text.
    matplotlib.rcParams["svg.hashsalt"] = "presscheck"
    matplotlib.rcParams["svg.fonttype"] = "none"
    own = getattr(experiment, "figure", None)
    figure = own(record) if own is not None else default_figure(manifest, record)
    data = io.BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    target = path.with_suffix(".svg")
    write_whole(target, data.getvalue())
    return target
