"""L-Mul inside a transformers model: its attention, its linear layers, or both.

Reference: Luo and Sun, arXiv 2410.00907, section 2: scores are an L-Mul product of queries and keys
over sqrt(D), the softmax is exact, the output is an L-Mul product of weights and values.

Any matrix product may stand in for L-Mul, so that it and what it is compared with run the same code.
Both context managers leave the model as they found it, also after an exception.
Shapes: B batch, H query heads, G key-value heads (H = G * r), T queries, S keys, D channels of a head.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .formats import FLOAT32, Rounding, check_mantissa_bits, check_rounding, offset_constant
from .lmul import lmatmul

Matmul = Callable[[Tensor, Tensor], Tensor]
_serial = itertools.count()


def lmul_matmul(
    mantissa_bits: int | None = None,
    *,
    l: float | None = None,  # noqa: E741 - the paper's name
    carry: bool = True,
    rounding: Rounding = "trunc",
) -> Matmul:
    """``lmatmul`` with its options set; they are checked here, not at the first product.

    Raises:
        TypeError, ValueError: as ``lmatmul``.
    """
    offset_constant(check_mantissa_bits(mantissa_bits, FLOAT32), l, FLOAT32)
    check_rounding(rounding)
    return partial(lmatmul, mantissa_bits=mantissa_bits, l=l, carry=carry, rounding=rounding)


class LMulAttention:
    """An attention function of the form that transformers calls.

    Args:
        matmul: (..., M, K) and (..., K, N) to (..., M, N); see ``lmul_matmul``.
    """

    def __init__(self, matmul: Matmul | None = None) -> None:
        self.matmul = lmatmul if matmul is None else matmul

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **_: Any,
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            module: The layer, asked only whether it trains.
            query: (B, H, T, D).
            key: (B, G, S, D).
            value: (B, G, S, D).
            attention_mask: (B, 1, T, S), added to the scores; None attends to all.
            scaling: Of the scores; None for 1/sqrt(D).
            dropout: Of the weights, in training.

        Returns:
            (B, T, H, D), and the weights (B, H, T, S).

        Raises:
            ValueError: if H is no multiple of G.
        """
        H, G = query.shape[1], key.shape[1]
        if H % G:
            raise ValueError(f"{H} query heads cannot share {G} key-value heads: need a multiple")
        key, value = (x.repeat_interleave(H // G, dim=1) for x in (key, value))
        scores = self.matmul(query, key.mT) * (scaling or 1 / math.sqrt(query.shape[-1]))
        if attention_mask is not None:
            scores = scores + attention_mask[..., : key.shape[-2]]
        weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        weights = nn.functional.dropout(weights, p=dropout, training=module.training)
        return self.matmul(weights, value).transpose(1, 2).contiguous(), weights


class LMulLinear(nn.Linear):
    """A linear layer on another's parameters, with another matrix product."""

    def __init__(self, linear: nn.Linear, matmul: Matmul | None = None) -> None:
        """Share the weight and bias of `linear`; nothing is copied, so tied weights stay tied."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.matmul = lmatmul if matmul is None else matmul
        self.train(linear.training)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features); the bias is added exactly."""
        flat = self.matmul(input.reshape(-1, self.in_features), self.weight.mT)
        out = flat.reshape(*input.shape[:-1], self.out_features)
        return out if self.bias is None else out + self.bias


@contextmanager
def attention_by(model: Any, attention: LMulAttention) -> Iterator[Any]:
    """Let a transformers model attend by a function, inside a ``with``.

    The function is registered under a name of its own, the model's configurations point to it, and both are
    undone at the end.

    Raises:
        TypeError: if the model has no configuration, or none of its layers asks for an attention function,
            in which case nothing would change.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    configs = {
        id(module.config): module.config
        for module in model.modules()
        if hasattr(getattr(module, "config", None), "_attn_implementation")
    }
    if not configs:
        raise TypeError(f"{type(model).__name__} is no transformers model: no layer has a configuration")
    if not getattr(model, "_supports_sdpa", True) and not getattr(model, "_supports_attention_backend", True):
        raise TypeError(
            f"{type(model).__name__} does not ask for an attention function, so none can be given"
        )
    name = f"lmul_{next(_serial)}"
    before = [(config, config._attn_implementation) for config in configs.values()]
    ALL_ATTENTION_FUNCTIONS.register(name, attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(name, eager_mask)
    try:
        for config, _ in before:
            config._attn_implementation = name
        yield model
    finally:
        for config, found in before:
            config._attn_implementation = found
        # `register` writes the mapping of the class, which has no counterpart to take a name out.
        ALL_ATTENTION_FUNCTIONS._global_mapping.pop(name, None)
        ALL_MASK_ATTENTION_FUNCTIONS._global_mapping.pop(name, None)


@contextmanager
def linears_by(model: nn.Module, matmul: Matmul) -> Iterator[nn.Module]:
    """Let every linear layer of a model multiply by a function, inside a ``with``.

    The head that turns states into logits is one of them.

    Raises:
        TypeError: if the model has no linear layer.
    """
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear
    ]
    if not found:
        raise TypeError(f"{type(model).__name__} has no nn.Linear inside it")
    try:
        for parent, name, child in found:
            setattr(parent, name, LMulLinear(child, matmul))
        yield model
    finally:
        for parent, name, child in found:
            setattr(parent, name, child)
