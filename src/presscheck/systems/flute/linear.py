"""Products of activations with packed weights, and the layer that holds such a weight.

Reference: Guo et al., arXiv 2407.10960, section 3. ``lut_linear`` has three ways to one result: the compiled
kernel on the CPU, Triton on a GPU, and plain torch, which states what the others compute. ``which_path`` says
which of them a product takes; taking torch where a kernel was to be expected warns once.

Shapes: M activations, N outputs, K inputs.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .kernel import ISA, TILES_FROM, kernel
from .tensor import LUTTensor

BACKENDS = ("auto", "kernel", "triton", "reference")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
EXPAND_FROM = 64
"""Activations from which a weight is expanded, panel by panel, for torch's own product."""
PANEL = 1 << 20
"""Weights of such a panel."""


def lut_linear(
    x: Tensor, weight: LUTTensor, bias: Tensor | None = None, *, backend: str = "auto", isa: int | None = None
) -> Tensor:
    """X W^T + bias for a packed weight.

    Products of a group are summed in float32 and scaled then. With bfloat16 activations the table is rounded
    to bfloat16; float16 ones are computed in float32. From 64 activations on, the weight is expanded into the
    dtype of `x`, a panel at a time, and multiplied by torch. Gradients reach `x` and `bias`.

    Args:
        x: (..., K) float32, bfloat16 or float16.
        weight: (N, K) on the same device.
        bias: (N,).
        backend: ``auto``, or ``kernel``, ``triton``, ``reference`` to have that one or an error.
        isa: Instruction set of the kernel, a key of ``ISA``; None for the best.

    Returns:
        (..., N) of the dtype of `x`.

    Raises:
        ValueError: if shapes do not fit, or the backend asked for cannot run here.
        TypeError: if the dtype is none of the three.
    """
    N, K = weight.shape
    if x.shape[-1:] != (K,) or (bias is not None and bias.shape != (N,)):
        biased = "" if bias is None else f" and a bias {tuple(bias.shape)}"
        raise ValueError(f"x {tuple(x.shape)}{biased} do not fit a weight of ({N}, {K}): need (..., {K})")
    if x.dtype not in DTYPES:
        raise TypeError(f"activations must be float32, bfloat16 or float16, got {x.dtype}")
    if x.device != weight.device:
        raise ValueError(f"activations are on {x.device}, the weight is on {weight.device}")
    run = _run_of(backend, x.device.type)
    flat = x.reshape(-1, K)
    if torch.is_grad_enabled() and (x.requires_grad or (bias is not None and bias.requires_grad)):
        out = _Product.apply(flat, weight, bias, run, isa)
    else:
        out = run(flat, weight, bias, isa)
    return out.view(*x.shape[:-1], N)


def which_path(device: str = "cpu", dtype: torch.dtype = torch.bfloat16, rows: int = 1) -> str:
    """In words, what ``lut_linear`` runs on for so many activations of a dtype on a device."""
    run = _run_of("auto", torch.device(device).type)
    if run is _by_torch:
        return "reference: plain torch, the weight expanded for each product"
    if run is _by_triton:
        return "Triton"
    found = kernel()
    assert found is not None
    if rows >= EXPAND_FROM:
        return f"weights expanded by the kernel ({ISA[min(found.best_isa, 3)]}), multiplied by torch"
    tiles = dtype == torch.bfloat16 and rows >= TILES_FROM
    level = found.best_isa if tiles else min(found.best_isa, 3)
    return f"kernel: {ISA[level]}"


Runner = Callable[[Tensor, LUTTensor, "Tensor | None", "int | None"], Tensor]


def _run_of(backend: str, device: str) -> Runner:
    if backend == "auto":
        if device == "cpu":
            return _by_kernel if kernel() is not None else _by_torch
        return _by_triton if device == "cuda" and _has_triton() else _by_torch
    if backend == "kernel":
        if device != "cpu" or kernel() is None:
            raise ValueError(f"the compiled kernel does not run on {device} here")
        return _by_kernel
    if backend == "triton":
        return _by_triton
    if backend == "reference":
        return _by_torch
    raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")


@functools.cache
def _has_triton() -> bool:
    if importlib.util.find_spec("triton") is not None:
        return True
    warnings.warn(
        "triton is not installed: products with packed weights expand them each time", RuntimeWarning, 4
    )
    return False


def _by_kernel(x: Tensor, weight: LUTTensor, bias: Tensor | None, isa: int | None) -> Tensor:
    found = kernel()
    assert found is not None
    if x.dtype == torch.float16:
        return _by_kernel(x.float(), weight, bias, isa).to(torch.float16)
    if x.shape[0] >= EXPAND_FROM:
        return _by_panels(found, x, weight, bias, isa)
    if bias is not None and (bias.dtype != torch.float32 or not bias.is_contiguous()):
        bias = bias.detach().float().contiguous()
    return found.linear(x, weight, bias, isa)


def _by_panels(found: Any, x: Tensor, weight: LUTTensor, bias: Tensor | None, isa: int | None) -> Tensor:
    """Many activations: expand rows that fit into the cache, and let torch multiply."""
    N, K = weight.shape
    out = x.new_empty(x.shape[0], N)
    step = max(16, PANEL // K)
    for first in range(0, N, step):
        panel = found.expand(weight.rows(first, min(N, first + step)), x.dtype, isa)
        part = None if bias is None else bias[first : first + step].to(x.dtype)
        out[:, first : first + step] = nn.functional.linear(x, panel, part)
    return out


def _by_torch(x: Tensor, weight: LUTTensor, bias: Tensor | None, isa: int | None = None) -> Tensor:
    """The definition: float32 sums of each group's products, scaled, then added."""
    N, K = weight.shape
    table = weight.table.to(torch.bfloat16).float() if x.dtype == torch.bfloat16 else weight.table
    values = table[weight.codes().long()].unflatten(1, (-1, weight.group))
    scaled = (values * weight.scales.float()[:, :, None]).flatten(1)
    out = x.float() @ scaled.T
    return (out if bias is None else out + bias.float()).to(x.dtype)


def _by_triton(x: Tensor, weight: LUTTensor, bias: Tensor | None, isa: int | None) -> Tensor:
    from .triton_kernel import linear

    out = linear(x, weight)
    return out if bias is None else (out.float() + bias.float()).to(x.dtype)


class _Product(torch.autograd.Function):
    """The product with its gradient: that of the weight it stands for. The weight has none."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: LUTTensor, bias: Tensor | None, run: Runner, isa: int | None
    ) -> Tensor:
        ctx.weight = weight
        return run(x, weight, bias, isa)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = upstream
        to_x = gradient @ ctx.weight.dequantize(gradient.dtype) if ctx.needs_input_grad[0] else None
        to_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        return to_x, None, to_bias, None, None


@torch.library.custom_op("presscheck_flute::lut_linear", mutates_args=())
def _operator(
    x: Tensor, packed: Tensor, table: Tensor, scales: Tensor, bias: Tensor | None, bits: int, group: int
) -> Tensor:
    """The product as an operator that ``torch.compile`` keeps whole: (M, K) to (M, N)."""
    return _run_of("auto", x.device.type)(x, LUTTensor(packed, table, scales, bits, group), bias, None)


@_operator.register_fake
def _shape(
    x: Tensor, packed: Tensor, table: Tensor, scales: Tensor, bias: Tensor | None, bits: int, group: int
) -> Tensor:
    return x.new_empty(x.shape[0], packed.shape[0])


class LUTLinear(nn.Module):
    """``nn.Linear`` over a packed weight. Codes, table and scales are buffers, saved with the model.

    Casting the model (``.half()``, ``.to(torch.bfloat16)``) leaves them as they are; moving it moves them.

    Args:
        weight: (N, K).
        bias: (N,), kept as a parameter without gradient; None for none.
    """

    packed: Tensor
    table: Tensor
    scales: Tensor

    def __init__(self, weight: LUTTensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.bits, self.group = weight.bits, weight.group
        self.out_features, self.in_features = weight.shape
        for name in ("packed", "table", "scales"):
            self.register_buffer(name, getattr(weight, name))
        kept = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
        self.register_parameter("bias", kept)
        self._lut: LUTTensor | None = None

    @property
    def lut(self) -> LUTTensor:
        """The weight as it is now."""
        lut = self._lut
        if lut is None or lut.packed is not self.packed or lut.scales is not self.scales:
            lut = self._lut = LUTTensor(self.packed, self.table, self.scales, self.bits, self.group)
        return lut

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N)."""
        if torch.compiler.is_compiling():
            flat = x.reshape(-1, self.in_features)
            out = _operator(flat, self.packed, self.table, self.scales, self.bias, self.bits, self.group)
            return out.view(*x.shape[:-1], self.out_features)
        return lut_linear(x, self.lut, self.bias)

    def extra_repr(self) -> str:
        """What ``print(model)`` shows of it."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, bits={self.bits}, group={self.group}"
        )

    def _apply(self, fn: Any, recurse: bool = True) -> LUTLinear:
        """Move as ``nn.Module`` does, but keep the dtypes of table and scales."""
        table, scales = self.table, self.scales
        super()._apply(fn, recurse)
        if self.table.dtype != torch.float32:
            self.table = table.to(self.packed.device)
        if self.scales.dtype != torch.bfloat16:
            self.scales = scales.to(self.packed.device)
        return self
