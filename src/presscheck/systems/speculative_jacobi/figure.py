"""The figure: where in the image passes are saved, and samples of two decoders from the same seeds."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

SHOWN = {
    "jacobi": ("#8a8a8a", "Jacobi, fresh draws"),
    "sjd": ("#b5126b", "SJD, random start"),
    "sjd-above": ("#d9822b", "SJD, copy of above"),
    "gumbel": ("#0b7285", "Jacobi, coupled noise"),
}
LEVELS = 17


def draw(record: Any) -> Any:
    """Curves over rows, digits below them.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    from matplotlib.figure import Figure

    rows: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    pixels: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    for measured in record.measurements:
        found = re.fullmatch(r"row_(\d+)_compression", measured.metric)
        if found:
            rows[measured.arm][int(found[1])].append(measured.value)
        found = re.fullmatch(r"pixels_(\d+)_(\d+)", measured.metric)
        if found:
            pixels[measured.arm][int(found[1]), int(found[2])] = int(measured.value)
    photos = "photos-sjd" in rows
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    grid = figure.add_gridspec(3, 2 if photos else 1, height_ratios=[2.4, 1, 1])
    _curves(figure.add_subplot(grid[0, 0]), rows, "", "digits, 8 rows of 8")
    if photos:
        _curves(figure.add_subplot(grid[0, 1]), rows, "photos-", "codes of photographs, 16 rows of 16")
    for place, (arm, name) in enumerate((("ar", "token by token"), ("sjd", "SJD, same classes")), start=1):
        axis = figure.add_subplot(grid[place, :])
        axis.set_axis_off()
        axis.set_title(name, fontsize=8, loc="left", pad=2)
        if pixels[arm]:
            axis.imshow(_sheet(pixels[arm]), cmap="gray_r", vmin=0, vmax=LEVELS - 1)
    return figure


def _curves(axis: Any, rows: dict[str, dict[int, list[float]]], prefix: str, title: str) -> None:
    for arm, (color, name) in SHOWN.items():
        values = rows.get(prefix + arm)
        if values:
            axis.plot(
                sorted(values), [np.mean(values[row]) for row in sorted(values)], "o-", color=color,
                label=name, markersize=3, linewidth=1.2,
            )  # fmt: skip
    axis.axhline(1, color="#dddddd", linewidth=0.8)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("row of the image, from above", fontsize=8)
    axis.set_ylabel("tokens a pass", fontsize=8)
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=8)
    axis.legend(fontsize=7, frameon=False)
    for side in ("right", "top"):
        axis.spines[side].set_visible(False)


def _sheet(packed: dict[tuple[int, int], int]) -> Any:
    """Images beside each other, a column of white between them."""
    count, height = (1 + max(key[place] for key in packed) for place in (0, 1))
    sheet = np.zeros((height, count * (height + 1)))
    for (number, row), value in packed.items():
        digits = [value // LEVELS**column % LEVELS for column in range(height)]
        sheet[row, number * (height + 1) : number * (height + 1) + height] = digits
    return sheet
