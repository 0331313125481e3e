"""NFL: the scales of packed weights learned on text, the table and the rule for codes as they are.

Reference: Guo et al., arXiv 2407.10960, section 4 and the repository's ``learn_scales``. W' = T[Q(W / s)] s
with codes Q chosen anew as s moves; the gradient reaches s as a factor only. Next-token loss, Adam.
Difference: codes may also stay as they were at first (``refresh=None``).

Shapes: N rows, K columns, G groups of a row, B batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .replace import Replacement, install, linear_layers, swap_linears
from .tables import named
from .tensor import LUTTensor, check_shape, group_scales, nearest_codes, pack


class _ScaledLookup(torch.autograd.Function):
    """x times T[codes] s, transposed; gradients for x and s."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, codes: Tensor, table: Tensor, scales: Tensor) -> Tensor:
        ctx.save_for_backward(x, codes, table, scales)
        return x @ _expanded(codes, table, scales, x.dtype).T

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, codes, table, scales = ctx.saved_tensors
        (gradient,) = upstream
        to_x = gradient @ _expanded(codes, table, scales, x.dtype) if ctx.needs_input_grad[0] else None
        to_weight = gradient.flatten(0, -2).T @ x.flatten(0, -2)  # (N, K)
        values = table.to(x.dtype)[codes.int()]
        to_scales = (to_weight * values).unflatten(1, (scales.shape[1], -1)).sum(2, dtype=torch.float32)
        return to_x, None, None, to_scales


def _expanded(codes: Tensor, table: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    values = table.to(dtype)[codes.int()].unflatten(1, (scales.shape[1], -1))
    return (values * scales.to(dtype)[:, :, None]).flatten(1)


class ScaleLearner(nn.Module):
    """A linear layer with the weight T[Q(W / s)] s, whose only parameter is s.

    Args:
        weight: (N, K); kept, not trained.
        bias: (N,) or None.
        table: (2^b,).
        group: Columns that share a scale.
        refresh: Forward passes after which codes are chosen anew for the scales as they are; None for never.
    """

    codes: Tensor
    table: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor | None, table: Tensor, group: int, refresh: int | None = 1
    ) -> None:
        super().__init__()
        self.weight, self.bias, self.group, self.refresh = weight.detach(), bias, group, refresh
        self.scales = nn.Parameter(group_scales(weight, table, group).float())
        self.register_buffer("table", table.to(weight.device))
        self._passes = 0

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N)."""
        if self._passes == 0 or (self.refresh is not None and self._passes % self.refresh == 0):
            self.codes = nearest_codes(self.weight, self.table, self.scales.detach())
        self._passes += 1
        out: Tensor = _ScaledLookup.apply(x, self.codes, self.table, self.scales)
        return out if self.bias is None else out + self.bias.to(out.dtype)

    def packed(self) -> LUTTensor:
        """The weight with the scales as they are now, in bfloat16, and codes chosen for them, or kept."""
        scales = self.scales.detach().to(torch.bfloat16)
        bits = self.table.numel().bit_length() - 1
        codes = self.codes if self.refresh is None else nearest_codes(self.weight, self.table, scales)
        return LUTTensor(pack(codes, bits), self.table.float(), scales, bits, self.group)


def learn_scales(
    model: nn.Module,
    batches: Iterable[Tensor],
    bits: int = 3,
    group: int = 64,
    table: str | Tensor = "nf",
    *,
    lr: float = 1e-4,
    refresh: int | None = 1,
    skip: Iterable[str] = ("lm_head",),
    fuse: bool = True,
    keep: bool = True,
    losses: list[float] | None = None,
) -> Replacement:
    """Replace a model's linear layers by packed weights whose scales are learned on text.

    Args:
        model: A causal language model: ``model(input_ids).logits``.
        batches: One step each: (B, T) token ids, T > 1.
        bits: 2, 3 or 4.
        group: Columns that share a scale.
        table: ``nf``, ``int``, ``fp4``, or 2^bits values.
        lr: Of Adam, in units of the weights.
        refresh: Steps after which codes are chosen anew for the scales as they are; 1 as in the paper. None
            keeps the first codes to the end, so that what is learned is what is kept, and a step is faster.
        skip: As in ``replace_linears``.
        fuse: As in ``replace_linears``.
        keep: As in ``replace_linears``.
        losses: Takes the loss of each step, in nats a token.

    Returns:
        The handle of the packed layers.

    Raises:
        ValueError: if a layer does not fit, there is no batch, or the loss is not finite. The model is left
            as it was then, and after any other exception.
    """
    if refresh is not None and refresh < 1:
        raise ValueError(f"refresh must be None or at least 1, got {refresh}: it counts steps")
    values = named(table, bits) if isinstance(table, str) else table.float()
    skip = [skip] if isinstance(skip, str) else list(skip)
    for name, layer in linear_layers(model, skip).items():
        try:
            check_shape(layer.out_features, layer.in_features, bits, group)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if not layer.weight.isfinite().all():
            raise ValueError(f"{name} has weights that are not finite")
    wanted = {parameter: parameter.requires_grad for parameter in model.parameters()}
    learners: dict[str, ScaleLearner] = {}

    def make(name: str, weight: Tensor, bias: Tensor | None) -> nn.Module:
        learners[name] = ScaleLearner(weight, bias, values, group, refresh)
        return learners[name]

    try:
        model.requires_grad_(False)
        with swap_linears(model, make, skip=skip, fuse=False), torch.enable_grad():
            _train(model, learners, batches, lr, losses)
        weights = {name: (learner.packed(), learner.bias) for name, learner in learners.items()}
    finally:
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)
    return install(model, weights, fuse=fuse, keep=keep)


def _train(
    model: nn.Module,
    learners: dict[str, ScaleLearner],
    batches: Iterable[Tensor],
    lr: float,
    losses: list[float] | None,
) -> None:
    optimiser = torch.optim.Adam([learner.scales for learner in learners.values()], lr=lr)
    steps = 0
    for ids in batches:
        if ids.dim() != 2 or ids.shape[1] < 2:
            raise ValueError(f"a batch is (B, T) token ids with T > 1, got {tuple(ids.shape)}")
        optimiser.zero_grad(set_to_none=True)
        logits = model(ids[:, :-1]).logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        if not loss.isfinite():
            raise ValueError(f"the loss of step {steps} is {loss.item()}: a smaller lr helps")
        loss.backward()
        optimiser.step()
        steps += 1
        if losses is not None:
            losses.append(loss.item())
    if not steps:
        raise ValueError("no batch to learn from")
