"""Spaces over a Hugging Face decoder: what its units are, and putting a profile into it.

Reference: Sieberling et al., arXiv 2410.14649, section 4. Depth: a dropped sub-block adds
nothing and its residual stays; a dropped block is both. Weights: every linear layer of the
blocks takes one of several versions made once, swapped by pointer. Whatever is put in is taken out
again when the ``with`` block ends, also by an exception.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from .levels import LevelDatabase
from .space import CompressionSpace, Profile

MODELS = ("llama", "mistral", "qwen2", "qwen3", "phi3")
"""``model_type`` of the decoders whose block is ``x + attention(x)``, then ``x + mlp(x)``."""
SUBBLOCKS = ("self_attn", "mlp")


def check_model(model: Any) -> str:
    """Refuse what does not fit.

    Returns:
        Its name and type, for messages.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: naming the model and what does not fit.
    """
    settings = getattr(model, "config", None)
    kind = getattr(settings, "model_type", None)
    if kind is None or not isinstance(model, torch.nn.Module):
        raise TypeError(f"evopress needs a causal language model of transformers, got {type(model).__name__}")
    name = f"{type(model).__name__} ({kind})"
    if kind not in MODELS:
        raise ValueError(f"{name} is not supported: need one of {', '.join(MODELS)}")
    if getattr(model, "lm_head", None) is None:
        raise ValueError(f"{name} predicts no tokens: load it with AutoModelForCausalLM")
    types = set(getattr(settings, "layer_types", None) or ())
    window = getattr(settings, "sliding_window", None)
    if types - {"full_attention"} or (
        not types and window is not None and getattr(settings, "use_sliding_window", True)
    ):
        raise ValueError(
            f"{name} has sliding-window layers, whose masks differ from layer to layer; need full attention "
            "in every layer (sliding_window=None)"
        )
    if model.training:
        raise ValueError(f"{name} is in training mode: its dropout would blur every score, call model.eval()")
    for layer in model.model.layers:
        if any("forward" in vars(getattr(layer, sub)) for sub in SUBBLOCKS):
            raise ValueError(
                f"{name} has sub-blocks whose forward is replaced already: one profile at a time"
            )
    return name


class ModelSpace(CompressionSpace):
    """A space over a model's blocks."""

    model: Any

    @property
    def blocks(self) -> Any:
        """The decoder layers, in order."""
        return self.model.model.layers

    def setting(self, profile: Profile, block: int) -> tuple[int, ...]:
        """What a profile does to one block: level indices of the units that reach into it."""
        return tuple(profile[unit] for unit in self.inside[block])

    inside: list[list[int]]
    """Block → its units."""

    def skips(self, block: int, setting: tuple[int, ...]) -> bool:
        """Whether a block under a setting is the identity."""
        raise NotImplementedError

    def enter(self, block: int, setting: tuple[int, ...]) -> Any:
        """Context manager: the block as the setting wants it."""
        raise NotImplementedError

    @contextmanager
    def apply(self, profile: Profile) -> Iterator[Any]:
        """The model under a profile, for as long as the ``with`` block lasts.

        Raises:
            ValueError: if the profile is not feasible, or another one is applied.
        """
        profile = self.check(profile)
        check_model(self.model)
        with ExitStack() as stack:
            for block in range(len(self.blocks)):
                stack.enter_context(self.enter(block, self.setting(profile, block)))
            yield self.model


class DepthSpace(ModelSpace):
    """Which blocks, runs of blocks or sub-blocks are dropped; level 0 dropped, 1 kept.

    Args:
        model: A decoder of ``transformers`` of one of ``MODELS``.
        drop: How many units go (of each type, with sub-blocks); or a share below 1, of which
            the whole number counts.
        granularity: ``"block"``, or ``"subblock"`` for attention and MLP as units of their own.
        span: Consecutive blocks that make one unit.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: if the model is not supported, or nothing or everything would be dropped.
    """

    def __init__(self, model: Any, drop: float, *, granularity: str = "block", span: int = 1) -> None:
        name = check_model(model)
        if granularity not in ("block", "subblock"):
            raise ValueError(f"granularity must be 'block' or 'subblock', got {granularity!r}")
        self.model, self.granularity, self.span = model, granularity, span
        blocks = len(model.model.layers)
        if not 1 <= span <= blocks or blocks % span:
            raise ValueError(f"{name} has {blocks} blocks, which spans of {span} do not divide")
        each = blocks // span
        dropped = int(drop * each) if 0 < drop < 1 else drop
        if not isinstance(dropped, int) or not 0 < dropped < each:
            raise ValueError(
                f"infeasible budget: drop={drop} of {each} units of {name}; need a number of units from 1 "
                f"to {each - 1}, or a share that comes to that"
            )
        self.dropped = dropped
        types = SUBBLOCKS if granularity == "subblock" else ("block",)
        units: list[str] = []
        groups: list[str] = []
        self.inside = [[] for _ in range(blocks)]
        for i in range(each):
            for kind in types:
                for block in range(i * span, (i + 1) * span):
                    self.inside[block].append(len(units))
                units.append(f"{kind} {i}" if span == 1 else f"{kind} {i * span}-{(i + 1) * span - 1}")
                groups.append(kind)
        super().__init__(units, (0, 1), [(0, 1)] * len(units), dict.fromkeys(types, each - dropped), groups)

    def dropping(self, number: int) -> DepthSpace:
        """The space of the same units of which another number is dropped."""
        return DepthSpace(self.model, number, granularity=self.granularity, span=self.span)

    def kept(self, setting: tuple[int, ...]) -> tuple[bool, bool]:
        """Whether attention and MLP of a block stay."""
        return (bool(setting[0]), bool(setting[-1]))

    def skips(self, block: int, setting: tuple[int, ...]) -> bool:
        """Whether both halves are dropped."""
        return not any(setting)

    @contextmanager
    def enter(self, block: int, setting: tuple[int, ...]) -> Iterator[None]:
        """The block without its dropped halves."""
        replaced = []
        try:
            for sub, stays in zip(SUBBLOCKS, self.kept(setting), strict=True):
                if not stays:
                    module = getattr(self.blocks[block], sub)
                    module.forward = (
                        _no_attention(module.layer_idx) if sub == "self_attn" else torch.zeros_like
                    )
                    replaced.append(module)
            yield
        finally:
            for module in replaced:
                del module.forward


def _no_attention(index: int) -> Callable[..., tuple[Tensor, None]]:
    def nothing(hidden_states: Tensor, *_: Any, **given: Any) -> tuple[Tensor, None]:
        """Adds nothing, but counts its tokens in the cache.

        The cache's length is asked of its first layer; were it empty, places of later tokens would
        start at zero.
        """
        cache = given.get("cache", given.get("past_key_values"))
        if cache is not None:
            batch, tokens, _ = hidden_states.shape
            empty = hidden_states.new_zeros(batch, 1, tokens, 1)
            cache.update(empty, empty, index)
        return torch.zeros_like(hidden_states), None

    return nothing


class LevelSpace(ModelSpace):
    """Which version of its weights each linear layer takes: bits, or shares of weights kept.

    Args:
        model: A decoder of ``transformers`` of one of ``MODELS``.
        database: Versions of its linear layers at evenly spaced levels.
        average: Mean level over all weights: 3.0 bits, or 0.5 of the weights kept. Groups (layers
            of the same size) each keep it, rounded down to whole level steps.

    Raises:
        TypeError: if it is no model of ``transformers``.
        ValueError: if the model is not supported or the average out of reach.
    """

    def __init__(self, model: Any, database: LevelDatabase, average: float) -> None:
        name = check_model(model)
        levels = database.levels
        if not levels[0] < average < levels[-1]:
            raise ValueError(
                f"infeasible budget: an average of {average} for {name} lies not between the "
                f"levels {levels[0]} and {levels[-1]}"
            )
        self.model, self.database, self.average = model, database, average
        self.linears = database.linears(model)
        self.inside = [[] for _ in model.model.layers]
        sizes = []
        for unit, (path, linear) in enumerate(self.linears.items()):
            self.inside[int(path.split(".")[0])].append(unit)
            sizes.append(linear.weight.numel())
        # Where several layers are of one size their type may differ: a switch between them is exact too.
        step = levels[1] - levels[0]
        totals = {}
        for size in dict.fromkeys(sizes):
            exact = sizes.count(size) * (average - levels[0]) / step
            totals[size] = math.floor(exact + 1e-9)
        # Costs in whole level steps of weights: bits or weights up to a factor, without rounding.
        cost = [[size * (i + round(levels[0] / step)) for i in range(len(levels))] for size in sizes]
        super().__init__(list(self.linears), levels, cost, totals, sizes)

    def uniform(self) -> Profile:
        """The same level everywhere.

        Raises:
            ValueError: if the average is none of the levels.
        """
        for index, level in enumerate(self.levels):
            if abs(level - self.average) < 1e-9:
                return (index,) * len(self.units)
        raise ValueError(
            f"an average of {self.average} is none of the levels {self.levels}: no uniform profile"
        )

    def skips(self, block: int, setting: tuple[int, ...]) -> bool:
        """Never: a compressed block still does something."""
        return False

    @contextmanager
    def enter(self, block: int, setting: tuple[int, ...]) -> Iterator[None]:
        """The block with other weights."""
        before: dict[torch.nn.Linear, Tensor] = {}
        try:
            for unit, level in zip(self.inside[block], setting, strict=True):
                linear = self.linears[self.units[unit]]
                before[linear] = linear.weight.data
                linear.weight.data = self.database.weights[self.units[unit]][level]
            yield
        finally:
            for linear, weight in before.items():
                linear.weight.data = weight


def average_level(space: LevelSpace, profile: Profile) -> float:
    """Mean level over all weights: average bits, or the share of weights kept."""
    sizes = [linear.weight.numel() for linear in space.linears.values()]
    return sum(n * space.levels[i] for n, i in zip(sizes, profile, strict=True)) / sum(sizes)


def chosen(space: CompressionSpace, profile: Profile) -> Mapping[str, float]:
    """Unit → level, for a record of what was done."""
    return {name: space.levels[level] for name, level in zip(space.units, profile, strict=True)}
