"""The figure: speed-up over bfloat16 by the number of activations, beside the limit; quality by bytes."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

INK, FAINT, CYAN, MAGENTA = "#222222", "#8a8a8a", "#0b7285", "#b5126b"


def draw(record: Any) -> Any:
    """Two panels from a record.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    readings: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in record.measurements:
        readings[row.arm, row.metric].append(row.value)
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _speed(left, readings)
    _quality(right, readings)
    for axis in (left, right):
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        for side in ("right", "top"):
            axis.spines[side].set_visible(False)
    return figure


def _middle(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _speed(axis: Any, readings: dict[tuple[str, str], list[float]]) -> None:
    shape = "square"
    rows = sorted(int(found[1]) for arm, metric in readings
                  if arm == shape and (found := re.fullmatch(r"speedup_bf16_m(\d+)", metric)))  # fmt: skip

    def over(name: str) -> list[float]:
        return [_middle([a / b for a, b in zip(readings[shape, f"bf16_seconds_m{M}"],
                                               readings[shape, f"{name}_seconds_m{M}"], strict=True)])
                for M in rows]  # fmt: skip

    for name, label, color in (
        ("w4", "4 bits", CYAN),
        ("w3", "3 bits", MAGENTA),
        ("int4", "torch int4", FAINT),
    ):
        axis.plot(rows, over(name), "o-", color=color, label=label, markersize=4, linewidth=1.2)
    limit = _middle(readings[shape, "limit_bf16"])
    axis.axhline(limit, color=INK, linewidth=0.8, linestyle=":", label=f"bytes of bf16 / 4 bits: {limit:.2f}")
    axis.axhline(1, color=INK, linewidth=0.8)
    axis.set_xscale("log", base=2)
    axis.set_xticks(rows, [str(M) for M in rows])
    axis.set_ylim(bottom=0)
    axis.set_xlabel("activations", fontsize=8)
    axis.set_title("speed, bfloat16 is 1; square weight, cold", fontsize=9)
    axis.legend(fontsize=7, frameon=False)


def _quality(axis: Any, readings: dict[tuple[str, str], list[float]]) -> None:
    names = [arm for arm, metric in readings if metric == "perplexity" and arm != "nf2"]
    for place, name in enumerate(sorted(names, key=lambda arm: _middle(readings[arm, "perplexity"]))):
        values = readings[name, "perplexity"]
        color = INK if name == "bf16" else FAINT if name == "int4" else MAGENTA if "3" in name else CYAN
        axis.plot([place] * len(values), values, ".", color=color, markersize=4, alpha=0.5)
        axis.plot([place], [_middle(values)], "o", color=color, markersize=6)
        axis.annotate(name, (place, _middle(values)), xytext=(0, 7), textcoords="offset points",
                      fontsize=7, rotation=60)  # fmt: skip
    axis.set_xticks([])
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.set_title("perplexity: rounds, and their geometric mean", fontsize=9)
