"""The experiment's figure: loss by offset in the segment, recall by what is kept, and along a string."""

from __future__ import annotations

from typing import Any

SHOWN = {"fine-kv-4": "C0", "coarse-kv-4": "C1", "coarse-rec-4": "C2", "fine-kv-16": "C3", "full": "0.4"}


def draw(record: Any) -> Any:
    """Three panels, all of means over the rounds.

    Args:
        record: A ``presscheck.claims.Record``.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    means = _means(record)
    drawing = Figure(figsize=(10, 3.4), layout="constrained")
    by_offset, by_memory, along = drawing.subplots(1, 3)
    for arm, colour in SHOWN.items():
        found = means.get(arm, {})
        excess = _series(found, "excess_", 0)
        if excess and arm != "full":
            by_offset.plot(range(len(excess)), excess, color=colour, label=arm)
        digits = _series(found, "digit_", 1)
        if digits:
            along.plot(range(1, len(digits) + 1), digits, "o-", markersize=3, color=colour, label=arm)
    for arm, found in means.items():
        if {"recall", "memory_bytes"} <= found.keys():
            at = found["memory_bytes"] / 1e3, found["recall"]
            by_memory.plot(*at, "o", color=SHOWN.get(arm, "0.6"))
            by_memory.annotate(arm, at, xytext=(4, 3), textcoords="offset points", fontsize=6)
    by_offset.axhline(0, color="0.4", linewidth=0.8)
    by_offset.set(xlabel="offset in the segment", ylabel="nats over full attention, prose")
    by_memory.set(xlabel="memory before the last segment (kB)", ylabel="recall", ylim=(0, 1.03), xmargin=0.25)
    along.set(xlabel="symbol of the string", ylabel="right", ylim=(0, 1.03))
    for axes in (by_offset, along):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=6, frameon=False)
    return drawing


def _means(record: Any) -> dict[str, dict[str, float]]:
    """Arm → metric → mean over the rounds."""
    readings: dict[str, dict[str, list[float]]] = {}
    for row in record.measurements:
        readings.setdefault(row.arm, {}).setdefault(row.metric, []).append(row.value)
    return {
        arm: {metric: sum(values) / len(values) for metric, values in metrics.items()}
        for arm, metrics in readings.items()
    }


def _series(found: dict[str, float], prefix: str, first: int) -> list[float]:
    """Metrics that are numbered, in order."""
    series: list[float] = []
    while f"{prefix}{first + len(series)}" in found:
        series.append(found[f"{prefix}{first + len(series)}"])
    return series
