"""The contenders: ways to multiply, each as one scalar product and as a matrix product.

L-Mul's variants and what they are compared with, under the names that claims use. All sum in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .attention import Matmul, lmul_matmul
from .casts import cast, cast_matmul, int8_matmul, int8_rows
from .formats import Rounding
from .lmul import lmul

BEST_CONSTANT = 4.174
"""l of the constant 2^-l with the least mean square error over evenly spread mantissas of 23 bits."""


@dataclass(frozen=True)
class Scheme:
    """One way to multiply."""

    matmul: Matmul
    operand: Callable[[Tensor], Tensor]
    """Rounds a whole operand whose last size is summed over, as its matrix product does."""
    product: Callable[[Tensor, Tensor], Tensor] = torch.mul
    """Of single numbers that ``operand`` has rounded."""


def _lmul(
    bits: int | None = None,
    *,
    l: float | None = None,  # noqa: E741 - the paper's name
    carry: bool = True,
    rounding: Rounding = "trunc",
) -> Scheme:
    return Scheme(
        lmul_matmul(bits, l=l, carry=carry, rounding=rounding),
        lambda x: x,
        partial(lmul, mantissa_bits=bits, l=l, carry=carry, rounding=rounding),
    )


def _cast(name: str, scaled: bool = False) -> Scheme:
    return Scheme(partial(cast_matmul, name=name, scaled=scaled), partial(cast, name=name, scaled=scaled))


def _int8(x: Tensor) -> Tensor:
    integers, scale = int8_rows(x)
    return integers * scale


SCHEMES: dict[str, Scheme] = {
    "lmul": _lmul(),
    "lmul-k4": _lmul(4),
    "lmul-k3": _lmul(3),
    "lmul-k2": _lmul(2),
    "lmul-k4-nearest": _lmul(4, rounding="nearest"),
    "lmul-k4-eq1": _lmul(4, carry=False),
    "mitchell": _lmul(l=math.inf),
    "best-constant": _lmul(l=BEST_CONSTANT),
    "bf16": _cast("bf16"),
    "e4m3": _cast("e4m3"),
    "e4m3-scaled": _cast("e4m3", scaled=True),
    "e5m2": _cast("e5m2"),
    "e5m2-scaled": _cast("e5m2", scaled=True),
    "int8-rows": Scheme(int8_matmul, _int8),
}
