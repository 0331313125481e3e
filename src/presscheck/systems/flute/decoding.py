"""A model's speed and quality with packed weights: tokens a second, and the errors of single layers.

Shapes: B batch, T tokens, N rows, K columns.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from .measures import Int4
from .replace import Replacement, swap_linears
from .tables import kmeans, named
from .tensor import LUTTensor


class Int4Linear(nn.Module):
    """A linear layer on torch's uniform 4-bit weight."""

    def __init__(self, weight: Tensor, bias: Tensor | None, group: int) -> None:
        super().__init__()
        self.int4, self.bias = Int4.quantize(weight, group), bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N), bfloat16."""
        out = self.int4(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)
        return out if self.bias is None else out + self.bias


def as_int4(model: nn.Module, group: int, skip: tuple[str, ...]) -> Replacement:
    """Replace a model's linear layers by torch's own 4-bit ones, fused as ours are."""

    def make(name: str, weight: Tensor, bias: Tensor | None) -> nn.Module:
        return Int4Linear(weight, bias, group)

    return swap_linears(model, make, skip=skip)


class Decoder:
    """Greedy decoding, one token a call; the cache begins with a prompt."""

    def __init__(self, model: Any, prompt: Tensor) -> None:
        self.model, self.prompt = model, prompt
        self.restart()

    @torch.inference_mode()
    def restart(self) -> None:
        """Read the prompt anew."""
        self.cache, self.token = DynamicCache(), self.prompt
        self.step()

    @torch.inference_mode()
    def step(self) -> None:
        """The next token."""
        logits = self.model(self.token, cache=self.cache, logits_to_keep=1).logits
        self.token = logits[:, -1].argmax(-1, keepdim=True)


def seconds_a_token(
    decoders: dict[str, Decoder], tokens: int, blocks: int, seed: int
) -> dict[str, list[float]]:
    """Median seconds of a token in each block of `tokens`; models take turns, in an order drawn anew.

    Each block begins with one token that is not counted, so that a model's own weights, not another's, are
    what the cache holds. All blocks of a model start from the same prompt.
    """
    draw, order = random.Random(seed), list(decoders)
    found: dict[str, list[float]] = {name: [] for name in order}
    gc.collect()
    gc.disable()
    try:
        for _ in range(blocks):
            draw.shuffle(order)
            for name in order:
                decoder = decoders[name]
                decoder.restart()
                decoder.step()
                times = []
                for _ in range(tokens):
                    start = time.perf_counter()
                    decoder.step()
                    times.append(time.perf_counter() - start)
                found[name].append(statistics.median(times))
    finally:
        gc.enable()
    return found


def linear_bytes(model: nn.Module) -> int:
    """Bytes of the weights that decoding a token reads: those of linear layers, packed or not."""
    total = 0
    for layer in model.modules():
        if isinstance(layer, Int4Linear):
            total += layer.int4.nbytes
        elif hasattr(layer, "lut"):
            total += layer.lut.nbytes
        elif type(layer) is nn.Linear:
            total += layer.weight.nbytes
    return total


def rounded(weight: Tensor, scheme: str, bits: int, group: int) -> Tensor:
    """A weight as it comes back from a scheme: a table's name, ``kmeans``, or ``affine`` for torch's int4."""
    if scheme == "affine":
        return _affine(weight, bits, group)
    table = kmeans(weight, bits, group) if scheme == "kmeans" else named(scheme, bits)
    return LUTTensor.quantize(weight, table, group).dequantize()


def _affine(weight: Tensor, bits: int, group: int) -> Tensor:
    """Codes between each group's smallest and largest weight, with a scale and a zero, both bfloat16."""
    top = 2**bits - 1
    groups = weight.float().unflatten(1, (-1, group))
    low, high = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
    scale = ((high - low) / top).clamp_min(1e-9).bfloat16().float()
    low = low.bfloat16().float()
    return (((groups - low) / scale).round().clamp(0, top) * scale + low).flatten(1)


def layer_errors(inputs: list[tuple[Tensor, Tensor]], rounded_weights: list[Tensor]) -> tuple[float, float]:
    """Relative errors of weights and of outputs, root mean squares over layers.

    Args:
        inputs: (N, K) weight and (T, K) activations of each layer.
        rounded_weights: (N, K) each: the weight that stands for it.
    """
    weights, outputs = [], []
    for (weight, x), stands_for_it in zip(inputs, rounded_weights, strict=True):
        off = stands_for_it - weight
        weights.append(off.norm() / weight.norm())
        outputs.append((x @ off.T).norm() / (x @ weight.T).norm())
    weight, output = (float(torch.stack(one).square().mean().sqrt()) for one in (weights, outputs))
    return weight, output


@torch.no_grad()
def layer_inputs(model: nn.Module, run: Callable[[], Any], names: list[str]) -> list[tuple[Tensor, Tensor]]:
    """Weights of named linear layers, and what they are given while `run` runs."""
    found: list[tuple[Tensor, Tensor]] = []

    def keep(layer: Any, given: tuple[Tensor, ...]) -> None:
        found.append((layer.weight.detach().float(), given[0].detach().float().flatten(0, -2)))

    hooks = [model.get_submodule(name).register_forward_pre_hook(keep) for name in names]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found
