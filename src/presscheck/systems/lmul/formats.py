"""Floating-point formats as bit patterns, and operands cut to fewer mantissa bits.

Reference: Luo and Sun, arXiv 2410.00907, section 2 (k-bit operands, the offset l(m)); the 8-bit
formats are those of Micikevicius et al., arXiv 2209.05433. Letters: M mantissa bits of the format,
k mantissa bits kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Rounding = Literal["trunc", "nearest"]


@dataclass(frozen=True)
class Format:
    """One format: what its bit patterns mean."""

    name: str
    bits: torch.dtype
    """The integer type of the same width."""
    exponent_bits: int
    mantissa_bits: int
    has_infinity: bool = True

    @property
    def magnitude(self) -> int:
        """Mask of all bits but the sign."""
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def one(self) -> int:
        """The pattern of 1.0: the exponent's bias, above an empty mantissa."""
        return ((1 << (self.exponent_bits - 1)) - 1) << self.mantissa_bits

    @property
    def normal(self) -> int:
        """The pattern of the smallest normal number."""
        return 1 << self.mantissa_bits

    @property
    def largest(self) -> int:
        """The pattern of the largest finite number."""
        return self.infinity - 1 if self.has_infinity else self.magnitude - 1

    @property
    def infinity(self) -> int:
        """The pattern of infinity; e4m3fn has none, and the pattern is that of a number."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits

    @property
    def nan(self) -> int:
        """The pattern of the quiet NaN that results have."""
        return self.infinity | (1 << (self.mantissa_bits - 1)) if self.has_infinity else self.magnitude

    @property
    def overflow(self) -> int:
        """What a result beyond the largest number becomes: infinity, or the largest where there is none."""
        return self.infinity if self.has_infinity else self.largest


FLOAT32 = Format("float32", torch.int32, 8, 23)
FORMATS: dict[torch.dtype, Format] = {
    torch.float32: FLOAT32,
    torch.bfloat16: Format("bfloat16", torch.int16, 8, 7),
    torch.float16: Format("float16", torch.int16, 5, 10),
    torch.float8_e4m3fn: Format("float8_e4m3fn", torch.int8, 4, 3, has_infinity=False),
    torch.float8_e5m2: Format("float8_e5m2", torch.int8, 5, 2),
}


def format_of(x: Tensor) -> Format:
    """The format of a tensor.

    Raises:
        TypeError: for a type that is no float of 8, 16 or 32 bits.
    """
    found = FORMATS.get(x.dtype)
    if found is None:
        names = ", ".join(form.name for form in FORMATS.values())
        raise TypeError(
            f"L-Mul needs a float tensor ({names}), got {str(x.dtype).removeprefix('torch.')}: "
            "it adds the bit patterns of sign, exponent and mantissa"
        )
    return found


def paper_l(mantissa_bits: int) -> int:
    """The offset exponent l(m) of Eq. 1: m up to 3 bits, 3 for 4 bits, 4 for more."""
    if mantissa_bits <= 3:
        return mantissa_bits
    return 3 if mantissa_bits == 4 else 4


def check_mantissa_bits(mantissa_bits: int | None, form: Format) -> int:
    """The number of mantissa bits kept, the format's own for None.

    Raises:
        ValueError: outside 1..M.
        TypeError: if it is no integer.
    """
    if mantissa_bits is None:
        return form.mantissa_bits
    if not isinstance(mantissa_bits, int) or isinstance(mantissa_bits, bool):
        raise TypeError(f"mantissa_bits must be an integer, got {mantissa_bits!r}")
    if not 1 <= mantissa_bits <= form.mantissa_bits:
        raise ValueError(
            f"mantissa_bits must be in 1..{form.mantissa_bits} for {form.name}, got {mantissa_bits}: "
            "it is the number of mantissa bits of an operand that are kept"
        )
    return mantissa_bits


def offset_constant(mantissa_bits: int, l: float | None, form: Format) -> int:  # noqa: E741 - the paper's name
    """The constant 2^-l that stands for the product of the mantissas, in units of the last bit.

    Args:
        mantissa_bits: k, from which the paper's rule takes l where `l` is None.
        l: Any number from 1; infinity for no constant, which is Mitchell's multiplication of 1962.
        form: The format whose last mantissa bit is the unit.

    Raises:
        ValueError: if l is below 1 or the format has no bit for 2^-l.
    """
    if l is None:
        l = paper_l(mantissa_bits)  # noqa: E741
    if not l >= 1:
        raise ValueError(f"l must be at least 1, got {l}: 2^-l stands for a product of mantissas below 1")
    constant = round(2.0 ** (form.mantissa_bits - l))
    if constant == 0 and not math.isinf(l):
        raise ValueError(
            f"l = {l} is beyond the {form.mantissa_bits} mantissa bits of {form.name}: "
            "2^-l has no bit there (l = math.inf means no constant)"
        )
    return constant


def check_rounding(rounding: str) -> None:
    """Raises ValueError for a word that is no rounding."""
    if rounding not in ("trunc", "nearest"):
        raise ValueError(
            f"rounding must be 'trunc' or 'nearest', got {rounding!r}: how operands lose mantissa bits"
        )


def cut_mantissa(x: Tensor, mantissa_bits: int | None = None, rounding: Rounding = "trunc") -> Tensor:
    """Keep the first k mantissa bits of every element.

    Args:
        x: Any shape and strides, a format of ``FORMATS``.
        mantissa_bits: k; None keeps all.
        rounding: ``trunc`` drops the rest, as the paper does; ``nearest`` rounds, ties to even, and a
            carry may raise the exponent (to infinity, or to the largest number where there is none).

    Returns:
        Same shape and type. NaN and infinity stay what they are.

    Raises:
        TypeError, ValueError: on a type, a number of bits or a rounding that is not there.
    """
    form = format_of(x)
    check_rounding(rounding)
    dropped = form.mantissa_bits - check_mantissa_bits(mantissa_bits, form)
    if dropped == 0:
        return x
    pattern = x.view(form.bits)
    mask = ~((1 << dropped) - 1)
    if rounding == "trunc":
        return torch.where((pattern & form.magnitude) > form.largest, pattern, pattern & mask).view(x.dtype)
    wide = pattern.to(torch.int64)
    magnitude = wide & form.magnitude
    kept = (magnitude + ((1 << (dropped - 1)) - 1) + ((magnitude >> dropped) & 1)) & mask
    if not form.has_infinity:
        kept = kept.clamp(max=form.largest & mask)
    kept = torch.where(magnitude > form.largest, magnitude, kept)
    return with_sign(kept, wide < 0, form).view(x.dtype)


def with_sign(magnitude: Tensor, negative: Tensor, form: Format) -> Tensor:
    """Patterns from magnitudes and signs, in the format's own integer type."""
    lowest = -(form.magnitude + 1)
    return torch.where(negative, magnitude + lowest, magnitude).to(form.bits)


def flush_subnormals(x: Tensor) -> Tensor:
    """Zero, with its sign, for every number too small to have an implicit leading one."""
    form = format_of(x)
    wide = x.view(form.bits).to(torch.int64)
    magnitude = wide & form.magnitude
    kept = torch.where(magnitude < form.normal, torch.zeros_like(magnitude), magnitude)
    return with_sign(kept, wide < 0, form).view(x.dtype)
