"""The figure: held-out loss against the keys that are kept, and variables remembered against length."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

INK, FAINT, CYAN, MAGENTA, YELLOW = "#222222", "#8a8a8a", "#0b7285", "#b5126b", "#a86500"
CURVES = {
    "selective+memory-uniform": ("selective, memory loss", CYAN, "o-"),
    "standard+h2o": ("ordinary, H2O", MAGENTA, "s-"),
    "standard+tova": ("ordinary, TOVA", YELLOW, "^-"),
    "standard+recent": ("ordinary, recent window", FAINT, "x-"),
}


def draw(record: Any) -> Any:
    """Two plots of means over the rounds.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in record.measurements:
        values[row.arm][row.metric].append(row.value)
    means = {
        arm: {metric: sum(some) / len(some) for metric, some in metrics.items()}
        for arm, metrics in values.items()
    }
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    loss, task = figure.subplots(1, 2)
    for arm, (label, colour, style) in CURVES.items():
        points = _numbered(means.get(arm, {}), "nll_keep_")
        if points:
            loss.plot(*zip(*points, strict=True), style, color=colour, label=label, markersize=4, linewidth=1)
    full = means.get("standard", {}).get("nll")
    if full is not None:
        loss.axhline(full, color=INK, linewidth=0.8, linestyle="--")
        loss.annotate("ordinary, all keys", (0.98, full), xycoords=("axes fraction", "data"), ha="right",
                      va="bottom", fontsize=7)  # fmt: skip
    loss.set_xscale("log", base=2)
    loss.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    loss.set_xlabel("keys kept a layer", fontsize=8)
    loss.set_ylabel("held-out loss, nats a token", fontsize=8)
    loss.legend(fontsize=7, frameon=False)
    for arm, label, colour in (
        ("variables-selective", "selective", CYAN), ("variables-standard", "ordinary", MAGENTA),
    ):  # fmt: skip
        points = _numbered(means.get(arm, {}), "accuracy_")
        if points:
            task.plot(*zip(*points, strict=True), "o-", color=colour, label=label, markersize=4, linewidth=1)
    task.axhline(0.1, color=FAINT, linewidth=0.8, linestyle=":")
    task.set_ylim(0, 1.02)
    task.set_xscale("log", base=2)
    task.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    task.set_xlabel("tokens of a program", fontsize=8)
    task.set_ylabel("variables remembered, share", fontsize=8)
    task.legend(fontsize=7, frameon=False)
    for axis in (loss, task):
        axis.minorticks_off()
        axis.tick_params(labelsize=8)
        for side in ("right", "top"):
            axis.spines[side].set_visible(False)
    return figure


def _numbered(metrics: dict[str, float], prefix: str) -> list[tuple[int, float]]:
    """(number, value) of the metrics that end in a number."""
    found = [(name.removeprefix(prefix), value) for name, value in metrics.items() if name.startswith(prefix)]
    return sorted((int(number), value) for number, value in found if number.isdigit())
