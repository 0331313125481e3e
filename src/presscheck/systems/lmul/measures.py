"""How far a way to multiply is from exact: on drawn pairs, on a model's own operands, in its predictions.

Letters: L layers, H query heads, T tokens, D channels of a head, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .attention import LMulAttention, attention_by
from .schemes import Scheme


def relative_rms(products: Tensor, exact: Tensor) -> float:
    """Root of the mean squared relative error over products that are not zero, in double precision."""
    error = products.double() / exact - 1
    return error[exact != 0].square().mean().sqrt().item()


def normalised_rms(products: Tensor, exact: Tensor) -> float:
    """Root of the squared errors' sum over the squared products': a mean square error free of scale.

    Products near zero, which no sum feels, weigh nothing here, as they do in a mean square error.
    """
    return ((products.double() - exact).square().sum() / exact.square().sum()).sqrt().item()


def drawn_pairs(kind: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two tensors of n float32: ``uniform`` in [1, 2), so that mantissas are spread evenly; or ``normal``."""
    draw = torch.Generator().manual_seed(seed)
    if kind == "uniform":
        return 1 + torch.rand(n, generator=draw), 1 + torch.rand(n, generator=draw)
    if kind == "normal":
        return torch.randn(n, generator=draw), torch.randn(n, generator=draw)
    raise ValueError(f"kind must be 'uniform' or 'normal', got {kind!r}")


def error_on(scheme: Scheme, x: Tensor, y: Tensor) -> float:
    """Relative root mean square error of a scheme's products of two (n,) tensors."""
    return relative_rms(scheme.product(scheme.operand(x), scheme.operand(y)), x.double() * y.double())


@dataclass(frozen=True)
class Products:
    """The operands of one matrix product, and places of single products in it.

    Place n is the product of ``left[head[n], row[n], k[n]]`` and ``right[head[n], column[n], k[n]]``.
    """

    left: Tensor
    """(H, T, K)."""
    right: Tensor
    """(H, N, K), transposed so that its last size, too, is summed over."""
    head: Tensor
    row: Tensor
    column: Tensor
    k: Tensor

    def error(self, scheme: Scheme) -> float:
        """``normalised_rms`` of a scheme's products at the places, its operands rounded as wholes."""
        exact = self._at(self.left, self.row).double() * self._at(self.right, self.column).double()
        left = self._at(scheme.operand(self.left), self.row)
        right = self._at(scheme.operand(self.right), self.column)
        return normalised_rms(scheme.product(left, right), exact)

    def _at(self, operand: Tensor, row: Tensor) -> Tensor:
        return operand[self.head, row, self.k]  # (n,)


@torch.no_grad()
def attention_products(
    model: Any, ids: Tensor, pairs: int, seed: int
) -> tuple[list[Products], list[Products]]:
    """A causal model's operands, query times key and weight times value, as its exact pass has them.

    Places are drawn among those that a query may see, so that masked ones enter no error.

    Args:
        model: A transformers causal language model.
        ids: (1, T).
        pairs: Places drawn in each layer.
        seed: Of the draw.

    Returns:
        A list of L for query and key, another for weight and value.
    """
    recorded: list[tuple[Tensor, Tensor]] = []

    def recording(a: Tensor, b: Tensor) -> Tensor:
        recorded.append((a[0].cpu().clone(), b[0].mT.cpu().contiguous()))
        return a @ b

    with attention_by(model, LMulAttention(recording)):
        model(input_ids=ids, use_cache=False)
    draw = torch.Generator().manual_seed(seed)
    lists: tuple[list[Products], list[Products]] = ([], [])
    for number, (left, right) in enumerate(recorded):
        H, T, K = left.shape
        head, i = torch.randint(H, (pairs,), generator=draw), torch.randint(T, (pairs,), generator=draw)
        seen = (torch.rand(pairs, generator=draw) * (i + 1)).long().clamp(max=i)  # j <= i
        channel = torch.randint(K if number % 2 == 0 else right.shape[1], (pairs,), generator=draw)
        column, k = (seen, channel) if number % 2 == 0 else (channel, seen)
        lists[number % 2].append(Products(left, right, head, i, column, k))
    return lists


def over_layers(products: list[Products], scheme: Scheme) -> float:
    """Root mean square of the layers' errors, so that one layer of large values does not speak for all."""
    errors = torch.tensor([each.error(scheme) for each in products], dtype=torch.float64)
    return errors.square().mean().sqrt().item()


def divergence(reference: Tensor, logits: Tensor) -> float:
    """KL(reference || other), nats per token, of two (T, V) tensors of logits."""
    p, q = reference.log_softmax(-1), logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean().item()


def next_token_nll(logits: Tensor, ids: Tensor) -> float:
    """Nats per token that (T, V) logits give to the token that follows, for (1, T) ids."""
    return torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]).item()
