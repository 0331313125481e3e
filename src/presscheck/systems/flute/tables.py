"""The values that codes stand for: NormalFloat, uniform, 4-bit floats, and k-means over the weights.

Reference: Guo et al., arXiv 2407.10960, section 3; NormalFloat after Dettmers et al., arXiv 2305.14314,
appendix E. A table of b bits is a float32 tensor of 2^b values; its order is free, codes are places in it.
"""

from __future__ import annotations

import torch
from torch import Tensor

BITS = (2, 3, 4)
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
)  # fmt: skip
"""The constants that QLoRA published, which the formula gives to five digits."""


def check_bits(bits: int) -> None:
    """Refuse a width that there is no packing for.

    Raises:
        ValueError: unless it is 2, 3 or 4.
    """
    if bits not in BITS:
        raise ValueError(f"bits must be 2, 3 or 4, got {bits!r}: it is the width of a code")


def nf(bits: int) -> Tensor:
    """NormalFloat: quantiles of a normal distribution, zero among them, the largest magnitude 1.

    With d = (1/32 + 1/30) / 2, half of the values lie between the quantile of d and zero, zero included,
    the other half between zero, excluded, and the quantile of 1 - d, evenly in probability.

    Raises:
        ValueError: if `bits` is not 2, 3 or 4.
    """
    check_bits(bits)
    return torch.tensor(NF4) if bits == 4 else nf_by_formula(bits)


def nf_by_formula(bits: int) -> Tensor:
    """``nf`` without the published constants."""
    edge, half = (1 / 32 + 1 / 30) / 2, 2 ** (bits - 1)
    below = torch.linspace(edge, 0.5, half, dtype=torch.float64)
    above = torch.linspace(0.5, 1 - edge, half + 1, dtype=torch.float64)[1:]
    values = torch.special.ndtri(torch.cat([below, above]))
    return (values / values.abs().max()).float()


def uniform(bits: int) -> Tensor:
    """Evenly spaced from -1 to just below 1, as signed integers are: (code - 2^(b-1)) / 2^(b-1)."""
    check_bits(bits)
    half = 2 ** (bits - 1)
    return (torch.arange(2 * half) - half) / half


def fp4() -> Tensor:
    """Floats of one sign, two exponent bits and one mantissa bit (e2m1), over the largest, 6."""
    magnitudes = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]) / 6
    return torch.cat([magnitudes, -magnitudes])


def kmeans(weight: Tensor, bits: int, group: int, *, iterations: int = 50, bins: int = 8192) -> Tensor:
    """The table that minimises the squared error of normalised weights, by Lloyd's algorithm.

    Weights are divided by the largest magnitude of their group and counted in `bins` bins; an error
    there weighs the square of that magnitude, since it is what the product will see.

    Args:
        weight: (N, K).
        bits: Of a code.
        group: Columns that share a scale; divides K.
        iterations: At most.
        bins: Between -1 and 1.

    Returns:
        (2^bits,) rising, float32.

    Raises:
        ValueError: if `bits` or `group` do not fit, or all weights are zero.
    """
    check_bits(bits)
    if weight.dim() != 2 or group < 1 or weight.shape[1] % group:
        raise ValueError(
            f"a weight of {tuple(weight.shape)} is no (N, K) with K a multiple of the group {group}"
        )
    groups = weight.detach().float().reshape(-1, group)
    largest = groups.abs().amax(1, keepdim=True)
    if not largest.any():
        raise ValueError("all weights are zero: there is nothing to fit a table to")
    at = ((groups / largest.clamp_min(torch.finfo(torch.float32).tiny) + 1) / 2 * (bins - 1)).round().long()
    mass = torch.zeros(bins, dtype=torch.float64, device=weight.device)
    mass.index_add_(0, at.flatten(), largest.double().square().expand_as(groups).flatten())
    centres = torch.linspace(-1, 1, bins, dtype=torch.float64, device=weight.device)
    share = (mass.cumsum(0) - mass / 2) / mass.sum()
    wanted = (torch.arange(2**bits, dtype=torch.float64, device=weight.device) + 0.5) / 2**bits
    table = centres[torch.searchsorted(share, wanted).clamp_max(bins - 1)]
    for _ in range(iterations):
        table = table.sort().values
        nearest = torch.bucketize(centres, (table[1:] + table[:-1]) / 2)
        zeros = torch.zeros_like(table)
        weights, moments = zeros.index_add(0, nearest, mass), zeros.index_add(0, nearest, mass * centres)
        moved = torch.where(weights > 0, moments / weights.clamp_min(1e-300), table)
        if torch.equal(moved, table):
            break
        table = moved
    return table.sort().values.float()


def named(name: str, bits: int) -> Tensor:
    """A table by its name: ``nf``, ``int`` or ``fp4``.

    Raises:
        ValueError: if there is no such table, or not of that width.
    """
    if name == "nf":
        return nf(bits)
    if name == "int":
        return uniform(bits)
    if name == "fp4":
        if bits != 4:
            raise ValueError(f"fp4 is a table of 4 bits, got bits={bits}")
        return fp4()
    raise ValueError(
        f"no table called {name!r}: need 'nf', 'int', 'fp4', 'kmeans', or a tensor of 2^bits values"
    )
