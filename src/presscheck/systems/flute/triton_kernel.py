"""The product on a GPU: codes are unpacked, looked up, scaled and multiplied in one Triton kernel.

Reference: Guo et al., arXiv 2407.10960, section 3. The same bytes as on the CPU: 32 columns at a time are one
load of words, a shift for each lane and a gather from the table. Products are taken in float32, which the
interpreter can check, not on the tensor cores' halves. No Stream-K split of the work, no table of pairs in
shared memory. Without a GPU it runs in Triton's interpreter, if ``TRITON_INTERPRET=1`` is set before
Triton is imported.
"""

from __future__ import annotations

from typing import Any

import torch
import triton  # type: ignore[import-not-found]
import triton.language as tl  # type: ignore[import-not-found]
from torch import Tensor

from .tensor import BLOCK, LUTTensor


@triton.jit
def _words(words: Any, rows: Any, valid: Any, row_words: Any, at: Any) -> Any:
    """(rows, lanes) words of 16 bits, as integers."""
    return (
        tl.load(words + rows[:, None] * row_words + at[None, :], mask=valid[:, None], other=0).to(tl.int32)
        & 0xFFFF
    )


@triton.jit
def _product(
    x_at: Any, words: Any, table: Any, scales: Any, out_at: Any, M: Any, N: Any, K: Any, whole: Any,
    BITS: tl.constexpr, GROUP: tl.constexpr, HALF: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
) -> None:  # fmt: skip
    lane = tl.arange(0, 32)
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    n = tl.program_id(1) * BN + tl.arange(0, BN)
    in_m, in_n = m < M, n < N
    row_words = K * BITS // 16
    IN_BLOCK: tl.constexpr = 4 if BITS == 4 else (8 if BITS == 2 else 16)
    BLOCK_WORDS: tl.constexpr = 96 if BITS == 3 else 32
    total = tl.zeros((BM, BN), dtype=tl.float32)
    part = tl.zeros((BM, BN), dtype=tl.float32)
    for chunk in range(0, K // 32):
        if chunk < whole:
            block = chunk // IN_BLOCK * BLOCK_WORDS
            j = chunk % IN_BLOCK
            if BITS != 3:
                codes = (_words(words, n, in_n, row_words, block + lane) >> (BITS * j)) & ((1 << BITS) - 1)
            elif j < 15:
                codes = (_words(words, n, in_n, row_words, block + 32 * (j // 5) + lane) >> (3 * (j % 5))) & 7
            else:
                codes = _words(words, n, in_n, row_words, block + lane) >> 15
                codes |= (_words(words, n, in_n, row_words, block + 32 + lane) >> 15) << 1
                codes |= (_words(words, n, in_n, row_words, block + 64 + lane) >> 15) << 2
        else:
            unit = whole // IN_BLOCK * BLOCK_WORDS + (chunk - whole) * 2 * BITS
            if BITS == 4:
                codes = (
                    _words(words, n, in_n, row_words, unit + lane % 8) >> (4 * (lane // 8))[None, :]
                ) & 15
            else:
                codes = (_words(words, n, in_n, row_words, unit + lane % 4) >> (2 * (lane // 4))[None, :]) & 3
                if BITS == 3:
                    high = _words(words, n, in_n, row_words, unit + 4 + lane // 16)
                    codes |= ((high >> (lane % 16)[None, :]) & 1) << 2
        values = tl.load(table + codes)
        x = tl.load(x_at + m[:, None] * K + (chunk * 32 + lane)[None, :], mask=in_m[:, None], other=0)
        if HALF:
            values = values.to(tl.bfloat16).to(tl.float32)
        part += tl.dot(x.to(tl.float32), tl.trans(values), input_precision="ieee")
        if (chunk + 1) * 32 % GROUP == 0:
            scale = tl.load(scales + n * (K // GROUP) + chunk * 32 // GROUP, mask=in_n, other=0).to(
                tl.float32
            )
            total += part * scale[None, :]
            part = tl.zeros((BM, BN), dtype=tl.float32)
    tl.store(out_at + m[:, None] * N + n[None, :], total, mask=in_m[:, None] & in_n[None, :])


def linear(x: Tensor, weight: LUTTensor) -> Tensor:
    """X W^T by Triton.

    Args:
        x: (M, K) float32, bfloat16 or float16.
        weight: (N, K) on the same device.

    Returns:
        (M, N) of the dtype of `x`.
    """
    M, (N, K) = x.shape[0], weight.shape
    out = torch.empty(M, N, dtype=torch.float32, device=x.device)
    if not out.numel():
        return out.to(x.dtype)
    x = x.contiguous()
    words = weight.packed.view(torch.int16)
    whole = K // BLOCK[weight.bits] * (BLOCK[weight.bits] // 32)
    BM, BN = 16, 32
    _product[triton.cdiv(M, BM), triton.cdiv(N, BN)](
        x, words, weight.table, weight.scales, out, M, N, K, whole,
        BITS=weight.bits, GROUP=weight.group, HALF=x.dtype == torch.bfloat16, BM=BM, BN=BN,
    )  # fmt: skip
    return out.to(x.dtype)
