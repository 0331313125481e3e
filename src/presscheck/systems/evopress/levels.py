"""Versions of a model's linear layers, made once: fewer bits, or fewer weights.

Round-to-nearest bits in groups, and sparsity by magnitude or by Wanda's score (Sun et al.,
arXiv 2306.11695: |weight| times the norm of its input). A search then only swaps pointers.
Shapes: O outputs, I inputs of a linear layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def linear_layers(model: Any) -> dict[str, torch.nn.Linear]:
    """Path below ``model.model.layers`` → linear layer, in the order of a forward pass of blocks.

    Raises:
        ValueError: if two of them share a weight, or one is no plain floating-point layer.
    """
    found: dict[str, torch.nn.Linear] = {}
    owner: dict[int, str] = {}
    for path, module in model.model.layers.named_modules():
        weight = getattr(module, "weight", None)
        if weight is None or weight.dim() != 2:
            continue
        if not isinstance(module, torch.nn.Linear) or not weight.is_floating_point():
            raise ValueError(
                f"{type(model).__name__}: {path} is {type(module).__name__} of {weight.dtype}; need plain "
                "linear layers, so load the model unquantised"
            )
        other = owner.setdefault(weight.data_ptr(), path)
        if other != path:
            raise ValueError(
                f"{type(model).__name__}: {path} and {other} share one weight: they cannot take levels of "
                "their own"
            )
        found[path] = module
    if not found:
        raise ValueError(f"{type(model).__name__} has no linear layers in its blocks")
    return found


@dataclass(frozen=True)
class LevelDatabase:
    """Versions of each linear layer, cheapest first."""

    levels: tuple[float, ...]
    """Bits a weight, or the share of weights kept; evenly spaced, ascending."""
    weights: Mapping[str, tuple[Tensor, ...]]
    """Path of a layer → (O, I) a level, in the model's own type."""

    def __post_init__(self) -> None:
        steps = [b - a for a, b in zip(self.levels, self.levels[1:], strict=False)]
        if not steps or min(steps) <= 0 or max(steps) - min(steps) > 1e-9:
            raise ValueError(f"levels must ascend in equal steps, got {self.levels}")
        ratio = self.levels[0] / steps[0]
        if abs(ratio - round(ratio)) > 1e-6:
            raise ValueError(f"the first level must be a multiple of the step, got {self.levels}")

    def linears(self, model: Any) -> dict[str, torch.nn.Linear]:
        """The layers of a model that the database is of.

        Raises:
            ValueError: if it is of another model.
        """
        linears = linear_layers(model)
        shapes = {path: linear.weight.shape for path, linear in linears.items()}
        ours = {path: versions[0].shape for path, versions in self.weights.items()}
        if shapes != ours:
            raise ValueError(
                f"the level database has {len(ours)} layers, {type(model).__name__} {len(shapes)}, and names "
                "or shapes differ: it was made for another model"
            )
        for path, linear in linears.items():
            have = self.weights[path][0]
            if have.dtype != linear.weight.dtype or have.device != linear.weight.device:
                raise ValueError(
                    f"the level database is {have.dtype} on {have.device}, {type(model).__name__} "
                    f"{linear.weight.dtype} on {linear.weight.device}: make it anew"
                )
        return linears

    def nbytes(self) -> int:
        """Bytes of all versions."""
        return sum(x.nbytes for versions in self.weights.values() for x in versions)


def round_to_nearest(weight: Tensor, bits: int, group: int = 64) -> Tensor:
    """Quantise and expand again: 2^bits evenly spaced values a group, from its minimum to its maximum.

    Args:
        weight: (O, I).
        bits: 1 to 8.
        group: Weights along I that share a scale and a zero point; I must be a multiple of it.

    Returns:
        (O, I), type of `weight`.

    Raises:
        ValueError: if `bits` or `group` do not fit.
    """
    O, I = weight.shape  # noqa: E741
    if not 1 <= bits <= 8:
        raise ValueError(f"bits must be in 1..8, got {bits}")
    if group < 1 or I % group:
        raise ValueError(f"{I} inputs are no multiple of a group of {group} weights")
    rows = weight.float().view(O, I // group, group)
    low, high = rows.amin(-1, keepdim=True), rows.amax(-1, keepdim=True)
    scale = ((high - low) / (2**bits - 1)).clamp_min(torch.finfo(torch.float32).tiny)
    codes = ((rows - low) / scale).round_()
    return (codes * scale + low).view(O, I).to(weight.dtype)


def sparsify(weight: Tensor, keep: float, norms: Tensor | None = None) -> Tensor:
    """Zero the weights of least score in each row.

    Args:
        weight: (O, I).
        keep: Share of each row that stays, rounded to whole weights.
        norms: (I,) norm of each input, for Wanda's score; None for magnitude.

    Raises:
        ValueError: if `keep` is not in [0, 1].
    """
    if not 0 <= keep <= 1:
        raise ValueError(f"keep must be in [0, 1], got {keep}: it is the share of weights kept")
    (found,) = _sparsified(weight, (keep,), norms)
    return found


def _sparsified(weight: Tensor, keep: Sequence[float], norms: Tensor | None) -> tuple[Tensor, ...]:
    """Several shares of one ordering: sorting is what takes the time."""
    score = weight.float().abs()
    if norms is not None:
        score = score * norms.to(score)
    order = score.argsort(dim=1, descending=True)
    return tuple(weight.scatter(1, order[:, round(share * weight.shape[1]) :], 0.0) for share in keep)


@torch.no_grad()
def bit_database(model: Any, bits: Sequence[int] = (2, 3, 4, 5, 6), group: int = 64) -> LevelDatabase:
    """Every linear layer at several bit widths, rounded to nearest."""
    weights = {
        path: tuple(round_to_nearest(linear.weight.data, width, group) for width in sorted(bits))
        for path, linear in linear_layers(model).items()
    }
    return LevelDatabase(tuple(float(width) for width in sorted(bits)), weights)


@torch.no_grad()
def sparsity_database(
    model: Any,
    keep: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7),
    norms: Mapping[str, Tensor] | None = None,
) -> LevelDatabase:
    """Every linear layer with several shares of its weights kept, by Wanda with `norms`, else magnitude.

    Steps of the share are steps of equal parameter count within layers of one size.
    """
    shares = sorted(keep)
    if not shares or not 0 <= shares[0] <= shares[-1] <= 1:
        raise ValueError(f"keep must be shares in [0, 1], got {tuple(keep)}: shares of weights kept")
    weights = {
        path: _sparsified(linear.weight.data, shares, None if norms is None else norms[path])
        for path, linear in linear_layers(model).items()
    }
    return LevelDatabase(tuple(sorted(keep)), weights)


@contextmanager
def watching(model: Any, see: Any) -> Iterator[None]:
    """Call ``see(path, linear, inputs)`` whenever a linear layer of the blocks runs."""
    handles = []
    try:
        for path, linear in linear_layers(model).items():

            def hook(module: Any, given: tuple[Tensor, ...], path: str = path) -> None:
                see(path, module, given[0])

            handles.append(linear.register_forward_pre_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def input_norms(model: Any, ids: Tensor) -> dict[str, Tensor]:
    """Path of a layer → (I,) norm of each of its inputs over calibration text, (B, T) of token ids."""
    sums: dict[str, Tensor] = {}

    def see(path: str, linear: Any, inputs: Tensor) -> None:
        sums[path] = sums.get(path, 0) + inputs.float().flatten(0, -2).square().sum(0)

    with watching(model, see):
        for row in ids:
            model.model(row[None], use_cache=False)
    return {path: total.sqrt() for path, total in sums.items()}


@torch.no_grad()
def layer_errors(model: Any, database: LevelDatabase, ids: Tensor) -> list[list[float]]:
    """Error of each layer's output at each level, the inputs those of the uncompressed model.

    ||X (W - W')^T||^2 / ||X W^T||^2: what dynamic programming adds up, as if errors were independent.

    Args:
        model: The model, uncompressed.
        database: Its versions.
        ids: (B, T) of token ids.

    Returns:
        One row a layer, one number a level.
    """
    lost = {path: torch.zeros(len(database.levels), dtype=torch.float64) for path in database.weights}
    whole = dict.fromkeys(database.weights, 0.0)

    def see(path: str, linear: Any, inputs: Tensor) -> None:
        x = inputs.flatten(0, -2)
        whole[path] += (x @ linear.weight.data.mT).float().square().sum().item()
        for level, version in enumerate(database.weights[path]):
            lost[path][level] += (x @ (linear.weight.data - version).mT).float().square().sum().item()

    with watching(model, see):
        model.model(ids, use_cache=False)  # all at once: differences of weights are taken once a level
    return [(lost[path] / max(whole[path], 1e-30)).tolist() for path in database.weights]
