"""L-Mul: a floating-point product as one integer addition of bit patterns.

Reference: Luo and Sun, arXiv 2410.00907: Eq. 1, the offset l(m), and the assembly of its appendix.
Differences: zeros, subnormal numbers, infinities, NaN and exponents out of range, which the paper leaves
open, are dealt with here (see ``lmul``).

For x = (-1)^s (1 + x_m) 2^x_e, Eq. 1 takes (1 + x_m + y_m + 2^-l) 2^(x_e + y_e) for the product: a
constant stands for x_m y_m. Adding the patterns as integers is something else wherever
x_m + y_m + 2^-l reaches 1, since there the carry raises the exponent and so doubles what is left: this
is Mitchell's logarithmic multiplication with a constant, and the more accurate of the two. It is what
the paper's assembly does and the default here; ``carry=False`` is Eq. 1 read literally.

Shapes: M rows, K summed over, N columns; leading sizes are batches and broadcast.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from .formats import (
    FLOAT32,
    FORMATS,
    Format,
    Rounding,
    check_mantissa_bits,
    check_rounding,
    cut_mantissa,
    flush_subnormals,
    format_of,
    offset_constant,
    with_sign,
)
from .kernel import compiled, kernel

Backend = Literal["auto", "kernel", "reference"]


def lmul(
    x: Tensor,
    y: Tensor,
    mantissa_bits: int | None = None,
    *,
    l: float | None = None,  # noqa: E741 - the paper's name
    carry: bool = True,
    rounding: Rounding = "trunc",
    backend: Backend = "auto",
) -> Tensor:
    """Multiply element by element with L-Mul.

    The magnitude's pattern is |x| + |y| - offset, the offset being the pattern of 1.0 less 2^-l (0x3F780000
    for float32 and l = 4, the paper's); the sign is the exclusive or. Zeros and subnormal numbers count as
    zero, a result below the smallest normal number is zero, each with its sign; beyond the largest it is
    infinity (in e4m3fn, which has none, the largest number). NaN, and infinity times zero, are NaN.

    Args:
        x: float32, bfloat16, float16, float8_e4m3fn or float8_e5m2; any strides.
        y: Same type; shapes broadcast.
        mantissa_bits: How many mantissa bits of the operands are kept; None for all.
        l: 2^-l is the constant; None for the paper's l(m), infinity for none (Mitchell).
        carry: True adds integers; False is Eq. 1 read literally, its last bit truncated.
        rounding: How operands lose bits; the paper's analysis is of truncation.
        backend: ``reference`` is torch; ``kernel`` the compiled one, float32 on the CPU only; ``auto``
            takes it where it is to be had. Both give the same bits.

    Returns:
        The operands' type. Its gradient is that of the true product (straight through).

    Raises:
        TypeError: on types that differ or are no such floats.
        ValueError: on bits, l, rounding or backend out of range, or shapes that do not broadcast.
        CannotCompile: on ``kernel`` where there is none.
    """
    form = _common_format(x, y)
    bits = check_mantissa_bits(mantissa_bits, form)
    constant = offset_constant(bits, l, form)
    check_rounding(rounding)
    shape = _broadcast("shapes", x.shape, y.shape)
    native = _use_kernel(backend, x, y)
    arguments = (shape, bits, constant, carry, rounding, native)
    result: Tensor = _LMul.apply(x, y, *arguments)  # type: ignore[no-untyped-call]
    return result


def lmatmul(
    a: Tensor,
    b: Tensor,
    mantissa_bits: int | None = None,
    *,
    l: float | None = None,  # noqa: E741 - the paper's name
    carry: bool = True,
    rounding: Rounding = "trunc",
    backend: Backend = "auto",
) -> Tensor:
    """Multiply matrices: every scalar product by L-Mul, every sum in float32.

    Each output is one float32 that takes its K products in order, so both backends give the same bits.
    Operands of 8 or 16 bits are cut in their own format; their products have float32's exponent range, as
    they have in an accumulator of that width.

    Args:
        a: (..., M, K), a type of ``lmul``.
        b: (..., K, N), same type.
        mantissa_bits: As for ``lmul``.
        l: As for ``lmul``.
        carry: As for ``lmul``.
        rounding: As for ``lmul``.
        backend: As for ``lmul``; ``kernel`` takes every type here.

    Returns:
        (..., M, N) in the operands' type, float32 for operands of 8 bits. Its gradient is that of the true
        matrix product.

    Raises:
        TypeError, ValueError: as ``lmul``; and if K differs or an operand has fewer than two sizes.
    """
    form = _common_format(a, b)
    bits = check_mantissa_bits(mantissa_bits, form)
    constant = offset_constant(bits, l, FLOAT32)
    check_rounding(rounding)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"shapes {tuple(a.shape)} and {tuple(b.shape)} do not fit: need (..., M, K) and (..., K, N)"
        )
    batch = _broadcast("batches", a.shape[:-2], b.shape[:-2])
    native = _use_kernel(backend, a, b, every_type=True)
    arguments = (batch, bits, constant, carry, rounding, native)
    result: Tensor = _LMatmul.apply(a, b, *arguments)  # type: ignore[no-untyped-call]
    return result


def lmul_patterns(x: Tensor, y: Tensor, constant: int, carry: bool) -> Tensor:
    """The definition, in integers: products of operands that are already cut.

    Args:
        x: Any format; broadcasts with `y` of the same.
        y: See `x`.
        constant: 2^-l in units of the last mantissa bit.
        carry: False reads Eq. 1 literally.
    """
    form = format_of(x)
    # 32-bit patterns are added in 64 bits: two large ones would wrap around in 32.
    wide = torch.int64 if form is FLOAT32 else torch.int32
    px, py = x.view(form.bits).to(wide), y.view(form.bits).to(wide)
    mx, my = px & form.magnitude, py & form.magnitude
    if carry:
        magnitude = mx + my - (form.one - constant)
    else:
        low = form.normal - 1
        mantissa = (mx & low) + (my & low) + constant
        # 1 + mantissa reaches 2 where the sum reaches 1: the exponent rises by one and half the excess stays.
        halved = (mantissa >> 1) + (form.normal >> 1)
        magnitude = (mx & ~low) + (my & ~low) - form.one + torch.minimum(mantissa, halved)
    zero = (mx < form.normal) | (my < form.normal)
    magnitude = torch.where(zero | (magnitude < form.normal), torch.zeros_like(magnitude), magnitude)
    magnitude = torch.where(magnitude > form.largest, torch.full_like(magnitude, form.overflow), magnitude)
    nan = (mx > form.largest) | (my > form.largest)
    if form.has_infinity:
        infinite = (mx == form.infinity) | (my == form.infinity)
        magnitude = torch.where(infinite, torch.full_like(magnitude, form.infinity), magnitude)
        nan = (mx > form.infinity) | (my > form.infinity) | (infinite & zero)
    magnitude = torch.where(nan, torch.full_like(magnitude, form.nan), magnitude)
    return with_sign(magnitude, ((px ^ py) < 0) & ~nan, form).view(x.dtype)


def _common_format(x: Tensor, y: Tensor) -> Format:
    form = format_of(x)
    if format_of(y) is not form:
        raise TypeError(f"both operands must have one type, got {form.name} and {FORMATS[y.dtype].name}")
    return form


def _broadcast(what: str, first: torch.Size, second: torch.Size) -> torch.Size:
    try:
        shape: torch.Size = torch.broadcast_shapes(first, second)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ValueError(f"{what} {tuple(first)} and {tuple(second)} do not broadcast") from error
    return shape


def _use_kernel(backend: str, x: Tensor, y: Tensor, every_type: bool = False) -> bool:
    if backend not in ("auto", "kernel", "reference"):
        raise ValueError(f"backend must be 'auto', 'kernel' or 'reference', got {backend!r}")
    fits = x.device.type == y.device.type == "cpu" and (every_type or x.dtype == torch.float32)
    if backend == "kernel":
        if not fits:
            raise ValueError(f"the kernel takes float32 on the CPU, got {x.dtype} on {x.device}")
        return kernel() is not None or compiled() is not None  # the second raises, and says why
    return backend == "auto" and fits and kernel() is not None


def _operand(x: Tensor, bits: int, rounding: Rounding) -> Tensor:
    """Cut in its own format, then float32: what enters a sum in float32."""
    x = cut_mantissa(x.detach(), bits, rounding)
    return x if x.dtype == torch.float32 else flush_subnormals(x).to(torch.float32)


def _products_summed(a: Tensor, b: Tensor, constant: int, carry: bool) -> Tensor:
    """The definition of a matrix product: (P, M, K) times (P, K, N), summed in the order of k."""
    out = torch.zeros(a.shape[0], a.shape[1], b.shape[2], dtype=torch.float32, device=a.device)
    for k in range(a.shape[2]):
        out += lmul_patterns(a[:, :, k : k + 1], b[:, k : k + 1, :], constant, carry)
    return out


class _LMul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, shape: torch.Size, bits: int, constant: int, carry: bool,
                rounding: Rounding, native: bool) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, y)
        p, q = (cut_mantissa(t.detach(), bits, rounding).expand(shape) for t in (x, y))
        found = kernel() if native else None
        return found.elementwise(p, q, constant, carry) if found else lmul_patterns(p, q, constant, carry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return (grads[0] * y).sum_to_size(x.shape), (grads[0] * x).sum_to_size(y.shape), *[None] * 6


class _LMatmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, batch: torch.Size, bits: int, constant: int, carry: bool,
                rounding: Rounding, native: bool) -> Tensor:  # fmt: skip
        ctx.save_for_backward(a, b)
        p, q = (
            _operand(t, bits, rounding).expand(*batch, *t.shape[-2:]).reshape(batch.numel(), *t.shape[-2:])
            for t in (a, b)
        )
        found = kernel() if native else None
        out = found.matmul(p, q, constant, carry) if found else _products_summed(p, q, constant, carry)
        out = out.reshape(*batch, a.shape[-2], b.shape[-1])
        return out if a.dtype.itemsize == 1 else out.to(a.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        a, b = ctx.saved_tensors
        grad_a = (grads[0] @ b.mT).sum_to_size(a.shape) if ctx.needs_input_grad[0] else None
        grad_b = (a.mT @ grads[0]).sum_to_size(b.shape) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b, *[None] * 6
