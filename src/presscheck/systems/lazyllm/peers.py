"""The arm that runs in kvpress's own environment: a cache made smaller once the prompt has been read."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import torch


@functools.cache
def _model(model: str | None, device: str, tiny: bool) -> Any:
    from presscheck.testbeds.language import LanguageModel, load, tiny_llama

    return LanguageModel(tiny_llama(layers=6).to(device), None, "tiny") if tiny else load(model, device)


@torch.no_grad()
def compressed(
    seed: int, *, ratio: float, tokens: int, tiny: bool, model: str | None, device: str
) -> Iterator[tuple[str, float, str]]:
    """How much earlier the first token comes with kvpress's SnapKVPress than without it.

    Yields:
        ``speedup``: seconds to the first token without a press over those with it, both taken
        twice, there and back, after one call of each that is not counted.
    """
    from transformers import DynamicCache

    from presscheck.bench.run import Run
    from presscheck.systems.lazyllm.experiment import prose

    # Not `from kvpress import`: it is in the peer's environment only.
    press = importlib.import_module("kvpress").SnapKVPress(compression_ratio=ratio)
    lm = _model(model, device, tiny)
    ids = prose(lm, tokens, seed)

    def plain() -> Any:
        return lm.model(ids, past_key_values=DynamicCache(), logits_to_keep=1).logits

    def pressed() -> Any:
        with press(lm.model):
            return plain()

    seconds = {plain: 0.0, pressed: 0.0}
    for call in (plain, pressed):
        call()
    for call in (plain, pressed, pressed, plain):
        seconds[call] += Run.time(call)[0]
    yield "speedup", seconds[plain] / seconds[pressed], "x"
