"""What L-Mul is compared with: operands rounded to 8 or 16 bits, then an exact product.

Products of such operands are exact in float32 (8 significant bits at most each for bfloat16, 4 for
float8), and sums are float32 everywhere, so only the rounding of the operands differs.
Formats: float8 e4m3fn and e5m2 of arXiv 2209.05433; int8 with one scale a row, as in LLM.int8 (arXiv
2208.07339, section 2) without its outliers.
"""

from __future__ import annotations

import torch
from torch import Tensor

CASTS = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2, "bf16": torch.bfloat16}


def cast(x: Tensor, name: str, scaled: bool = False) -> Tensor:
    """Round to a small format and back.

    Args:
        x: float32.
        name: ``e4m3``, ``e5m2`` or ``bf16``.
        scaled: Scale the whole tensor first so that its largest magnitude is the format's largest, as fp8
            libraries do; without it e4m3 loses what is below 2^-9. bf16 has float32's range and needs none.

    Returns:
        float32. Magnitudes beyond the format's largest number become that number.

    Raises:
        ValueError: for a name that is not there.
    """
    if name not in CASTS:
        raise ValueError(f"unknown format {name!r}: need one of {', '.join(CASTS)}")
    dtype = CASTS[name]
    largest = torch.finfo(dtype).max
    scale = x.new_ones(())
    if scaled and dtype.itemsize == 1:
        scale = x.detach().abs().amax().clamp(min=torch.finfo(torch.float32).tiny) / largest
    return (x / scale).clamp(-largest, largest).to(dtype).to(torch.float32) * scale


def cast_matmul(a: Tensor, b: Tensor, name: str, scaled: bool = False) -> Tensor:
    """Matrix product of operands rounded by ``cast``; straight-through gradient.

    Args:
        a: (..., M, K), float32.
        b: (..., K, N), float32.
        name: See ``cast``.
        scaled: See ``cast``.
    """
    return _through(a, name, scaled) @ _through(b, name, scaled)


def int8_matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of 8-bit integers, one scale a row of a and a column of b.

    Args:
        a: (..., M, K), float32.
        b: (..., K, N), float32.
    """
    rows, row_scale = int8_rows(a)
    columns, column_scale = int8_rows(b.mT)
    return (rows @ columns.mT) * row_scale * column_scale.mT


def int8_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Integers of -127..127, kept as float32, and the (..., 1) scale of each row."""
    scale = x.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (x / scale).round(), scale


def _through(x: Tensor, name: str, scaled: bool) -> Tensor:
    """The rounded values, with the gradient of the exact ones."""
    if not x.requires_grad:
        return cast(x, name, scaled)
    return x + (cast(x.detach(), name, scaled) - x.detach())
