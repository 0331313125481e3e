"""Products on weights that no cache holds, contenders taking turns.

A product with one activation takes as long as its weight takes to read, so one that stayed in the cache would
tell of another machine. Here each contender has many copies of its weight and goes round them; before one
comes back, all others have been read. Shapes: M activations, N rows, K columns.
"""

from __future__ import annotations

import functools
import gc
import itertools
import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .kernel import Kernel
from .linear import lut_linear
from .tensor import LUTTensor

COLD = 4.0
"""Times the last-level cache that a working set must have to count as cold."""


@dataclass(frozen=True)
class Contender:
    """One way to the product of one shape."""

    nbytes: int
    """Read by one product, activations left out."""
    copies: Sequence[Callable[[Tensor], Any]]
    """Each takes (M, K) bfloat16 and reads a weight of its own."""


def last_level_cache(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int | None:
    """Bytes of the largest cache, as Linux tells; None where it does not."""
    sizes = []
    for path in root.glob("index*/size"):
        found = re.fullmatch(r"(\d+)([KMG]?)", path.read_text().strip())
        if found:
            sizes.append(int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]])
    return max(sizes, default=None)


def is_cold(nbytes: int, cache: int | None) -> bool:
    """Whether a working set is so large that the cache holds next to none of it."""
    return cache is not None and nbytes >= COLD * cache


def random_lut(N: int, K: int, bits: int, group: int, table: Tensor, seed: int) -> LUTTensor:
    """Random codes and scales: time does not depend on them, and packing a large weight would take longer."""
    draw = torch.Generator().manual_seed(seed)
    packed = torch.randint(0, 256, (N, K * bits // 8), dtype=torch.uint8, generator=draw)
    scales = (torch.rand(N, K // group, generator=draw) / K**0.5).bfloat16()
    return LUTTensor(packed, table, scales, bits, group)


def ours(weight: LUTTensor, copies: int) -> Contender:
    """Our product."""
    made = [LUTTensor(weight.packed.clone(), weight.table, weight.scales.clone(), weight.bits, weight.group)
            for _ in range(copies)]  # fmt: skip
    calls = [functools.partial(lut_linear, weight=one) for one in made]
    return Contender(weight.nbytes, calls)


def dense(weight: Tensor, copies: int) -> Contender:
    """Torch's own, in the weight's dtype."""
    made = [weight.clone() for _ in range(copies)]
    return Contender(
        weight.nbytes, [functools.partial(torch.nn.functional.linear, weight=one) for one in made]
    )


@dataclass(frozen=True)
class Int4:
    """torch's uniform 4-bit weight for the CPU: codes 0 to 15, a scale and a zero for each group."""

    packed: Tensor
    scales_and_zeros: Tensor
    group: int

    @classmethod
    def quantize(cls, weight: Tensor, group: int) -> Int4:
        """Affine: the smallest weight of a group is code 0, its largest code 15."""
        groups = weight.float().unflatten(1, (-1, group))
        low, high = groups.amin(2), groups.amax(2)
        scales = ((high - low) / 15).clamp_min(1e-9).bfloat16()
        # torch's format: w = (code - 8) * scale + zero
        zeros = (low + 8 * scales.float()).bfloat16()
        codes = ((groups - zeros.float()[:, :, None]) / scales.float()[:, :, None] + 8).round().clamp(0, 15)
        return cls.of(codes.flatten(1).int(), torch.stack([scales.T, zeros.T], 2).contiguous(), group)

    @classmethod
    def of(cls, codes: Tensor, scales_and_zeros: Tensor, group: int) -> Int4:
        """Pack (N, K) int32 codes."""
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
        return cls(packed, scales_and_zeros, group)

    @property
    def nbytes(self) -> int:
        """Of codes, scales and zeros."""
        return self.packed.nbytes + self.scales_and_zeros.nbytes

    def clone(self) -> Int4:
        """The same at another place in memory."""
        return Int4(self.packed.clone(), self.scales_and_zeros.clone(), self.group)

    def __call__(self, x: Tensor) -> Tensor:
        """(M, K) bfloat16 to (M, N)."""
        return torch.ops.aten._weight_int4pack_mm_for_cpu(x, self.packed, self.group, self.scales_and_zeros)


def random_int4(N: int, K: int, group: int, seed: int) -> Int4:
    """As ``random_lut``."""
    draw = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 16, (N, K), dtype=torch.int32, generator=draw)
    return Int4.of(codes, (torch.rand(K // group, N, 2, generator=draw) / K**0.5).bfloat16(), group)


def probe(kernel: Kernel, nbytes: int, copies: int) -> Contender:
    """Reads as many bytes and does nothing with them."""
    made = [torch.zeros(nbytes, dtype=torch.uint8) for _ in range(copies)]

    def reading(data: Tensor) -> Callable[[Tensor], Any]:
        return lambda x: kernel.read(data)

    return Contender(nbytes, [reading(one) for one in made])


def interleaved(
    contenders: dict[str, Contender], x: Tensor, iterations: int, seed: int
) -> dict[str, list[float]]:
    """Seconds of each contender in each iteration; their order is drawn anew every time.

    Collection of garbage is held off, and a first iteration is not counted.
    """
    draw, order = random.Random(seed), list(contenders)
    turns = {name: itertools.cycle(one.copies) for name, one in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    clock = time.perf_counter
    gc.collect()
    gc.disable()
    try:
        for iteration in range(-1, iterations):
            draw.shuffle(order)
            for name in order:
                call = next(turns[name])
                start = clock()
                call(x)
                spent = clock() - start
                if iteration >= 0:
                    seconds[name].append(spent)
    finally:
        gc.enable()
    return seconds


def ratio(over: Iterable[float], under: Iterable[float]) -> float:
    """The median of paired ratios."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))
