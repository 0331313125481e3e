"""Two-bit storage of cached keys and values, after KIVI.

Reference: Liu et al., KIVI, arXiv 2402.02750, section 3: keys are quantised along the
channel (groups of tokens share a scale), values along the token (groups of channels
share one), asymmetric and rounded to nearest. Four codes share a byte. Differences:
no fused kernel, codes are expanded before the product; see the README.
Shapes: `...` leading axes, n numbers along the last one, g numbers in a group.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEVELS = 4
"""Codes of two bits."""


@dataclass
class Packed:
    """Numbers in two bits each, along the last axis."""

    codes: Tensor
    """(..., ceil(n / 4)), uint8: the first of four codes in the lowest bits."""
    scale: Tensor
    """(..., n / g): the step of a group."""
    zero: Tensor
    """(..., n / g): the least number of a group."""
    size: int
    """n."""
    dtype: torch.dtype
    """What the numbers were, and become again."""

    def expand(self) -> Tensor:
        """The numbers: code * scale + zero, (..., n)."""
        shifts = torch.arange(0, 8, 2, dtype=torch.uint8, device=self.codes.device)
        codes = (self.codes[..., None] >> shifts) & (LEVELS - 1)
        codes = codes.flatten(-2)[..., : self.size].unflatten(-1, (self.scale.shape[-1], -1))
        numbers = codes.float() * self.scale.float()[..., None] + self.zero.float()[..., None]
        return numbers.flatten(-2).to(self.dtype)

    def append(self, more: Packed) -> None:
        """Take in whole groups behind the last number; n must be a multiple of 4."""
        for name in ("codes", "scale", "zero"):
            setattr(self, name, torch.cat([getattr(self, name), getattr(more, name)], dim=-1))
        self.size += more.size


def pack(numbers: Tensor, group: int) -> Packed:
    """Quantise to two bits along the last axis (KIVI, equation 1).

    Args:
        numbers: (..., n).
        group: How many neighbours share scale and zero; must divide n.

    Raises:
        ValueError: if `group` does not divide n, or a scale exceeds 16 bits.
    """
    n = numbers.shape[-1]
    if group < 1 or n % group:
        raise ValueError(f"{n} numbers cannot be cut into groups of {group}: a group shares one scale")
    kept_as = torch.bfloat16 if numbers.dtype == torch.bfloat16 else torch.float16
    grouped = numbers.float().unflatten(-1, (n // group, group))
    least, most = grouped.aminmax(dim=-1)
    scale, zero = ((most - least) / (LEVELS - 1)).to(kept_as), least.to(kept_as)
    if not (torch.isfinite(scale).all() and torch.isfinite(zero).all()):
        raise ValueError("keys or values beyond 65504, or not finite: their scale has no 16-bit form")
    # Rounded against the scale as stored, so that what is expanded is as near as it can be.
    step = scale.float().clamp_min(torch.finfo(torch.float32).tiny)[..., None]
    codes = ((grouped - zero.float()[..., None]) / step).round().clamp(0, LEVELS - 1)
    codes = codes.to(torch.uint8).flatten(-2)
    codes = torch.nn.functional.pad(codes, (0, -n % 4)).unflatten(-1, (-1, 4))
    byte = codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6
    return Packed(byte, scale, zero, n, numbers.dtype)
