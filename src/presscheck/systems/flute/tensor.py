"""Weights as codes into a table, packed in the order in which the kernels read them.

Reference: Guo et al., arXiv 2407.10960, section 3. Format: W[n, k] = T[Q[n, k]] * s[n, k // g], with codes Q
of b bits, a table T of 2^b values and one scale for g columns of a row. ``native/codes.h`` describes the
order; it holds a row's codes in exactly b K / 8 bytes.

Shapes: N rows (outputs), K columns (inputs), b bits, g columns of a group, G = K / g groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .tables import check_bits

GROUPS = (32, 64, 128, 256)
CHUNK = 32
BLOCK = {2: 256, 3: 512, 4: 128}
"""Columns of a whole block."""
AT_ONCE = 1 << 22
"""Weights that are quantised at a time, so that what lies between stays small."""


def check_shape(N: int, K: int, bits: int, group: int) -> None:
    """Refuse what cannot be packed.

    Raises:
        ValueError: naming what does not fit.
    """
    check_bits(bits)
    if group not in GROUPS:
        raise ValueError(
            f"group must be one of {GROUPS}, got {group!r}: it is the number of columns with one scale"
        )
    if N < 1 or K < 1 or K % group:
        fits = [g for g in GROUPS if K > 0 and K % g == 0]
        hint = f"; groups that fit: {fits}" if fits else ": need a multiple of 32"
        raise ValueError(f"a weight of {N} rows and {K} columns does not divide into groups of {group}{hint}")


def packed_bytes(N: int, K: int, bits: int, group: int) -> int:
    """Bytes of codes and scales: N K (b + 16 / g) / 8."""
    check_shape(N, K, bits, group)
    return N * K * bits // 8 + 2 * N * (K // group)


# Packing ---------------------------------------------------------------------------


def _words(fields: Tensor, bits: int) -> Tensor:
    """(..., J, W) fields to the bytes of (..., W) words of 16 bits, field j in bits `bits` j."""
    shifts = bits * torch.arange(fields.shape[-2], dtype=torch.int32, device=fields.device)
    words = (fields.to(torch.int32) << shifts[:, None]).sum(-2, dtype=torch.int32)
    return torch.stack([words & 255, words >> 8], -1).to(torch.uint8).flatten(-2)


def _fields(packed: Tensor, bits: int, count: int) -> Tensor:
    """The inverse of ``_words``: (..., 2 W) bytes to (..., count, W) fields."""
    pairs = packed.to(torch.int32).unflatten(-1, (-1, 2))
    words = pairs[..., 0] | pairs[..., 1] << 8
    shifts = bits * torch.arange(count, dtype=torch.int32, device=packed.device)
    return words[..., None, :] >> shifts[:, None] & (1 << bits) - 1


def _pack_blocks(codes: Tensor, bits: int) -> Tensor:
    """(N, B, J, 32) codes of whole blocks to (N, B, bytes)."""
    if bits != 3:
        return _words(codes, bits)
    words = codes[:, :, :15].unflatten(2, (3, 5))  # (N, B, 3, 5, 32)
    last = codes[:, :, 15:].to(torch.int32)
    tops = torch.stack([last >> t & 1 for t in range(3)], 2)  # (N, B, 3, 1, 32)
    return _words(torch.cat([words.to(torch.int32), tops], 3), 3).flatten(2)


def _unpack_blocks(packed: Tensor, bits: int) -> Tensor:
    if bits != 3:
        return _fields(packed, bits, 16 // bits)
    triples = packed.unflatten(-1, (3, 64))
    tops = _fields(triples, 1, 16)[..., 15, :]  # (N, B, 3, 32)
    last = tops[:, :, 0] | tops[:, :, 1] << 1 | tops[:, :, 2] << 2
    return torch.cat([_fields(triples, 3, 5).flatten(2, 3), last[:, :, None]], 2)


def _pack_units(codes: Tensor, bits: int) -> Tensor:
    """(N, U, 32) codes of single chunks to (N, U, 4 b) bytes."""
    if bits == 4:
        return _words(codes.unflatten(-1, (4, 8)), 4)
    low = _words((codes & 3).unflatten(-1, (8, 4)), 2)
    if bits == 2:
        return low
    return torch.cat([low, _words((codes >> 2).unflatten(-1, (2, 16)).mT, 1)], -1)


def _unpack_units(packed: Tensor, bits: int) -> Tensor:
    if bits == 4:
        return _fields(packed, 4, 4).flatten(-2)
    low = _fields(packed[..., :8], 2, 8).flatten(-2)
    return low if bits == 2 else low | _fields(packed[..., 8:], 1, 16).mT.flatten(-2) << 2


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes to bytes.

    Args:
        codes: (N, K) integers below 2^bits, K a multiple of 32.
        bits: Of a code.

    Returns:
        (N, bits K / 8) uint8.

    Raises:
        ValueError: if a code is out of range or the shape does not fit.
    """
    check_bits(bits)
    if codes.dim() != 2 or codes.shape[1] % CHUNK or codes.is_floating_point():
        raise ValueError(
            f"codes must be integers of (N, K), K a multiple of 32, got {codes.dtype} {tuple(codes.shape)}"
        )
    if codes.numel() and not codes.is_meta and (codes.min() < 0 or codes.max() >= 1 << bits):
        raise ValueError(
            f"a code of {bits} bits lies between 0 and {(1 << bits) - 1}, got {codes.min()} to {codes.max()}"
        )
    codes, whole = codes.to(torch.uint8), codes.shape[1] // BLOCK[bits] * BLOCK[bits]
    blocks = _pack_blocks(codes[:, :whole].reshape(len(codes), -1, BLOCK[bits] // CHUNK, CHUNK), bits)
    units = _pack_units(codes[:, whole:].reshape(len(codes), -1, CHUNK), bits)
    return torch.cat([blocks.flatten(1), units.flatten(1)], 1)


def unpack(packed: Tensor, bits: int) -> Tensor:
    """Bytes to codes, the inverse of ``pack``.

    Args:
        packed: (N, bits K / 8) uint8.
        bits: Of a code.

    Returns:
        (N, K) uint8.

    Raises:
        ValueError: if the bytes of a row are no multiple of those of 32 codes.
    """
    check_bits(bits)
    if packed.dim() != 2 or packed.dtype != torch.uint8 or packed.shape[1] % (4 * bits):
        raise ValueError(
            f"packed codes must be uint8 (N, bits K / 8), got {packed.dtype} {tuple(packed.shape)}"
        )
    K = packed.shape[1] * 8 // bits
    blocks = K // BLOCK[bits]
    cut = blocks * BLOCK[bits] * bits // 8
    whole = _unpack_blocks(packed[:, :cut].reshape(len(packed), blocks, -1 if blocks else 192), bits)
    units = _unpack_units(packed[:, cut:].reshape(len(packed), -1, 4 * bits), bits)
    return torch.cat([whole.flatten(1), units.flatten(1)], 1).to(torch.uint8)


# The weight ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LUTTensor:
    """A weight of N rows and K columns as packed codes, a table and scales."""

    packed: Tensor
    """(N, b K / 8) uint8, as ``pack`` makes it."""
    table: Tensor
    """(2^b,) float32."""
    scales: Tensor
    """(N, K / g) bfloat16."""
    bits: int
    group: int

    def __post_init__(self) -> None:
        N, K = self.shape
        check_shape(N, K, self.bits, self.group)
        _check_table(self.table, self.bits)
        if self.packed.dtype != torch.uint8 or self.packed.shape != (N, K * self.bits // 8):
            raise ValueError(f"packed codes must be uint8 (N, b K / 8), got {self.packed.dtype} "
                             f"{tuple(self.packed.shape)}")  # fmt: skip
        if self.scales.dtype != torch.bfloat16 or self.scales.shape != (N, K // self.group):
            raise ValueError(f"scales must be bfloat16 ({N}, {K // self.group}), got {self.scales.dtype} "
                             f"{tuple(self.scales.shape)}")  # fmt: skip
        if len({self.packed.device, self.table.device, self.scales.device}) > 1:
            raise ValueError("codes, table and scales must be on one device")
        if not (self.packed.is_contiguous() and self.scales.is_contiguous() and self.table.is_contiguous()):
            raise ValueError("codes, table and scales must be contiguous")

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        return self.packed.shape[0], self.packed.shape[1] * 8 // self.bits

    @property
    def device(self) -> torch.device:
        """Where it is."""
        device: torch.device = self.packed.device
        return device

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and table."""
        return self.packed.nbytes + self.scales.nbytes + self.table.nbytes

    @classmethod
    def quantize(cls, weight: Tensor, table: Tensor, group: int = 64) -> LUTTensor:
        """Round a weight to the nearest values of a table, scaled by the largest magnitude of each group.

        A scale is that magnitude over the table's largest, rounded to bfloat16 before codes are chosen.
        Where only one end of the table has the largest magnitude, as with integers, a scale is negative
        if that puts the group's extreme there.

        Args:
            weight: (N, K) floats; on the device ``meta`` only shapes are made.
            table: (2^b,) for b = 2, 3 or 4.
            group: Columns that share a scale: 32, 64, 128 or 256.

        Raises:
            ValueError: if K does not divide into groups, or the table or a weight does not fit.
            TypeError: if the weight is no matrix of floats.
        """
        N, K, bits, table = _checked(weight, table, group)
        if weight.is_meta:
            return cls(
                weight.new_empty(N, K * bits // 8, dtype=torch.uint8), table.to("meta"),
                weight.new_empty(N, K // group, dtype=torch.bfloat16), bits, group,
            )  # fmt: skip
        packed, scales = [], []
        for rows in weight.detach().split(max(1, AT_ONCE // K)):
            scale = group_scales(rows, table, group)
            scales.append(scale)
            packed.append(pack(nearest_codes(rows, table, scale), bits))
        return cls(torch.cat(packed), table, torch.cat(scales), bits, group)

    @classmethod
    def from_codes(cls, codes: Tensor, table: Tensor, scales: Tensor) -> LUTTensor:
        """Pack codes that another method has chosen.

        Args:
            codes: (N, K) integers.
            table: (2^b,).
            scales: (N, K / g); rounded to bfloat16.

        Raises:
            ValueError: if a code is out of the table's range, or shapes do not fit.
        """
        bits = _bits_of(table)
        if codes.dim() != 2 or scales.dim() != 2 or scales.shape[1] < 1 or codes.shape[1] % scales.shape[1]:
            raise ValueError(
                f"scales {tuple(scales.shape)} do not divide codes {tuple(codes.shape)} into groups"
            )
        group = codes.shape[1] // scales.shape[1]
        check_shape(codes.shape[0], codes.shape[1], bits, group)
        _check_table(table, bits)
        half = scales.to(torch.bfloat16).contiguous()
        if not half.is_meta and not half.isfinite().all():
            raise ValueError("scales must be finite in bfloat16")
        return cls(pack(codes, bits), table.float().contiguous(), half, bits, group)

    @classmethod
    def cat(cls, parts: list[LUTTensor]) -> LUTTensor:
        """Weights on top of each other, as fused projections are.

        Raises:
            ValueError: if they differ in table, width, group or K.
        """
        first = parts[0]
        for part in parts[1:]:
            same = (part.bits, part.group, part.shape[1]) == (first.bits, first.group, first.shape[1])
            if not same or not (part.table.is_meta or torch.equal(part.table, first.table)):
                raise ValueError("weights of unlike tables, widths, groups or columns cannot be stacked")
        return replace(
            first,
            packed=torch.cat([part.packed for part in parts]),
            scales=torch.cat([part.scales for part in parts]),
        )

    def rows(self, first: int, last: int) -> LUTTensor:
        """Some of the rows, without a copy."""
        return replace(self, packed=self.packed[first:last], scales=self.scales[first:last])

    def codes(self) -> Tensor:
        """(N, K) uint8."""
        return unpack(self.packed, self.bits)

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The weight that it stands for.

        In bfloat16, the table is rounded first and the product once more, as in the kernels' way of
        expanding a weight.

        Returns:
            (N, K) of `dtype`.
        """
        table = self.table.to(torch.bfloat16).float() if dtype == torch.bfloat16 else self.table
        values = table[self.codes().long()].unflatten(1, (-1, self.group))
        return (values * self.scales.float()[:, :, None]).flatten(1).to(dtype)

    def to(self, device: torch.device | str) -> LUTTensor:
        """The same elsewhere."""
        return replace(
            self, packed=self.packed.to(device), table=self.table.to(device), scales=self.scales.to(device)
        )


def group_scales(weight: Tensor, table: Tensor, group: int) -> Tensor:
    """(N, K / g) bfloat16: each group's extreme over the table's."""
    groups = weight.float().unflatten(1, (-1, group))
    low, high = groups.amin(2), groups.amax(2)
    ends = (float(table.min()), float(table.max()))
    if -ends[0] == ends[1]:
        scale = torch.maximum(-low, high) / ends[1]
    else:
        extreme = torch.where(-low >= high, low, high)
        scale = extreme / (ends[0] if -ends[0] > ends[1] else ends[1])
    half = scale.to(torch.bfloat16)
    if not half.isfinite().all():
        raise ValueError("a weight is too large: its scale does not fit into bfloat16")
    return half


def nearest_codes(weight: Tensor, table: Tensor, scales: Tensor) -> Tensor:
    """(N, K) uint8: places of the values nearest to w / s in the table, whatever its order."""
    values, order = table.sort()
    group = weight.shape[1] // scales.shape[1]
    divisor = torch.where(scales == 0, 1, scales.float())
    normal = (weight.float().unflatten(1, (-1, group)) / divisor[:, :, None]).flatten(1)
    return order.to(torch.uint8)[torch.bucketize(normal, (values[1:] + values[:-1]) / 2)]


def _bits_of(table: Tensor) -> int:
    bits = {4: 2, 8: 3, 16: 4}.get(table.numel())
    if bits is None or table.dim() != 1:
        raise ValueError(f"a table has 4, 8 or 16 values, got {tuple(table.shape)}: it is 2^bits of them")
    return bits


def _check_table(table: Tensor, bits: int) -> None:
    if table.shape != (1 << bits,) or not table.is_floating_point():
        raise ValueError(
            f"a table of {bits} bits has {1 << bits} floats, got {table.dtype} {tuple(table.shape)}"
        )
    if not table.is_meta and (not table.isfinite().all() or not table.any()):
        raise ValueError("a table's values must be finite, and not all zero")


def _checked(weight: Tensor, table: Tensor, group: int) -> tuple[int, int, int, Tensor]:
    if weight.dim() != 2 or not weight.is_floating_point():
        raise TypeError(f"a weight is a matrix of floats, got {weight.dtype} {tuple(weight.shape)}")
    bits = _bits_of(table)
    check_shape(weight.shape[0], weight.shape[1], bits, group)
    _check_table(table, bits)
    if not weight.is_meta and not weight.isfinite().all():
        bad = int((~weight.isfinite()).sum())
        raise ValueError(f"{bad} of the {weight.numel()} weights are not finite: there is no scale for them")
    table = table.detach().float().contiguous()
    return *weight.shape, bits, table if weight.is_meta else table.to(weight.device)
