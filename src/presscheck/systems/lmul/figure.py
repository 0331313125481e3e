"""The figure: error over both mantissas for the two readings of Eq. 1, and divergence by scheme."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch

from .lmul import lmul

INK, FAINT, CYAN, MAGENTA = "#222222", "#8a8a8a", "#0b7285", "#b5126b"


def error_surface(carry: bool, points: int = 96) -> Any:
    """(points, points) relative errors in percent of products of float32 over [1, 2) x [1, 2)."""
    grid = 1 + (torch.arange(points) + 0.5) / points
    x, y = grid[:, None], grid[None, :]
    exact = x.double() * y.double()
    return (100 * (lmul(x, y, carry=carry).double() / exact - 1)).numpy()


def draw(record: Any) -> Any:
    """Two surfaces and a dot plot, from a record with the metric ``kl``.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.25])
    surfaces = [error_surface(True), error_surface(False)]
    limit = max(float(np.abs(s).max()) for s in surfaces)
    axes = [figure.add_subplot(grid[0, i]) for i in range(2)]
    names = ("integer addition (default)", "Eq. 1 as printed")
    for axis, surface, name in zip(axes, surfaces, names, strict=True):
        image = axis.imshow(
            surface, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=-limit, vmax=limit
        )
        rms = float(np.sqrt((surface**2).mean()))
        axis.set_title(f"{name}: RMS {rms:.1f} %", fontsize=9)
        axis.set_xlabel("mantissa of y", fontsize=8)
        axis.tick_params(labelsize=8)
    axes[0].set_ylabel("mantissa of x", fontsize=8)
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label("error, % of the product", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    _divergences(figure.add_subplot(grid[1, :]), record)
    return figure


def _divergences(axis: Any, record: Any) -> None:
    values: dict[str, list[float]] = defaultdict(list)
    for row in record.measurements:
        if row.metric == "kl" and row.value > 0 and row.arm != "exact" and not row.arm.endswith("+linears"):
            values[row.arm].append(row.value)
    order = sorted(values, key=lambda arm: -float(np.exp(np.mean(np.log(values[arm])))))
    for place, arm in enumerate(order):
        color = CYAN if arm.startswith("lmul") else FAINT
        axis.plot(values[arm], [place] * len(values[arm]), ".", color=color, markersize=4, alpha=0.6)
        axis.plot([np.exp(np.mean(np.log(values[arm])))], [place], "o", color=color, markersize=6)
    axis.set_yticks(range(len(order)), order)
    axis.set_xscale("log")
    axis.set_xlabel("KL from exact attention, nats per token: rounds, and their geometric mean", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
