"""What a model's products would cost in energy, from a table of published figures per operation.

Reference: Luo and Sun, arXiv 2410.00907, its table of energies; figures and sources: ``energy.toml``.
Nothing here is measured: operations are counted by running the model's own code on torch's ``meta``
device, and multiplied by the table. The paper leaves memory out; here it stands beside arithmetic.

Letters: P batches of matrices, M rows, N columns, K summed over.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from .attention import LMulAttention, attention_by, linears_by

TABLE = Path(__file__).with_name("energy.toml")
Where = Literal["attention", "linear"]


@dataclass(frozen=True)
class Scheme:
    """One way to compute a sum of products; energies in pJ."""

    product: float
    accumulate: float
    bytes: int
    """Of one operand."""


@dataclass(frozen=True)
class EnergyTable:
    """Schemes by name, and pJ for 64 bits by place of memory."""

    schemes: Mapping[str, Scheme]
    memory: Mapping[str, float]

    def scheme(self, name: str) -> Scheme:
        """The scheme of a name; ValueError for one that is not there."""
        if name not in self.schemes:
            raise ValueError(f"unknown scheme {name!r}: the energy table has {', '.join(self.schemes)}")
        return self.schemes[name]

    def byte(self, place: str) -> float:
        """PJ to move one byte; ValueError for a place that is not there."""
        if place not in self.memory:
            raise ValueError(f"unknown memory {place!r}: the energy table has {', '.join(self.memory)}")
        return self.memory[place] / 8


def load_table(path: Path = TABLE) -> EnergyTable:
    """Read a table of energies, TOML as ``energy.toml``.

    Raises:
        ValueError: if it is no TOML, a figure is missing, negative or no number, or a scheme names an
            operation that is not there.
        OSError: if it cannot be read.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from error

    def figure(value: Any, place: str) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
            raise ValueError(f"{path}: {place} must be picojoules, 0 or more, got {value!r}")
        return float(value)

    def operation(scheme: str, part: str) -> float:
        name = data["schemes"][scheme].get(part)
        kind, _, width = str(name).partition(".")
        if kind not in ("add", "multiply") or width not in data.get(kind, {}):
            raise ValueError(
                f"{path}: schemes.{scheme}.{part} must name an operation of the table, got {name!r}"
            )
        return figure(data[kind][width], str(name))

    if not isinstance(data.get("schemes"), dict) or not isinstance(data.get("memory"), dict):
        raise ValueError(f"{path} needs the tables [schemes] and [memory]")
    schemes = {}
    for name, entry in data["schemes"].items():
        width = entry.get("bytes")
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"{path}: schemes.{name}.bytes must be the bytes of an operand, got {width!r}")
        schemes[name] = Scheme(operation(name, "product"), operation(name, "accumulate"), width)
    return EnergyTable(schemes, {name: figure(v, f"memory.{name}") for name, v in data["memory"].items()})


def saving(
    ours: str,
    theirs: str,
    what: Literal["elementwise", "dot"],
    *,
    memory: str | None = None,
    table: EnergyTable | None = None,
) -> float:
    """The share of energy saved by one scheme over another, in percent.

    Args:
        ours: A scheme of the table.
        theirs: The one it replaces.
        what: ``elementwise`` is a product alone; ``dot`` a product and its addition to a sum.
        memory: None for arithmetic alone, as in the paper; else where operands come from, and where an
            element-wise product goes, with no operand used twice.
        table: None for ``energy.toml``.

    Raises:
        ValueError: for a name that is not in the table, or another `what`.
    """
    table = table or load_table()
    if what not in ("elementwise", "dot"):
        raise ValueError(f"what must be 'elementwise' or 'dot', got {what!r}")

    def cost(scheme: Scheme) -> float:
        arithmetic = scheme.product + (scheme.accumulate if what == "dot" else 0.0)
        moved = (3 if what == "elementwise" else 2) * scheme.bytes
        return arithmetic + (moved * table.byte(memory) if memory else 0.0)

    return 100 * (1 - cost(table.scheme(ours)) / cost(table.scheme(theirs)))


@dataclass
class Count:
    """Operations of the matrix products of one kind of layer, in one forward pass."""

    products: int = 0
    additions: int = 0
    elements: int = 0
    """Of all operands and results, each moved once."""

    def add(self, P: int, M: int, N: int, K: int, shared: bool) -> None:
        """Count P products of (M, K) and (K, N); `shared` if all use one right operand."""
        self.products += P * M * N * K
        self.additions += P * M * N * K
        self.elements += P * (M * K + M * N) + (1 if shared else P) * K * N


def count_operations(model: Any, seq_len: int) -> dict[Where, Count]:
    """Count the products of one forward pass over a sequence, batch 1, by running its code on ``meta``.

    No weight is read or allocated, so the model may itself be on ``meta`` and of any size. Attention is
    counted as computed, over all pairs of positions, masked ones too.

    Args:
        model: A transformers causal language model, made anew from its configuration.
        seq_len: Tokens, at least 1.

    Raises:
        ValueError: if seq_len is below 1.
        TypeError: if the model is no transformers model.
    """
    if seq_len < 1:
        raise ValueError(f"seq_len must be at least 1, got {seq_len}")
    if not hasattr(model, "config"):
        raise TypeError(f"need a transformers model with a configuration, got {type(model).__name__}")
    counts: dict[Where, Count] = {"attention": Count(), "linear": Count()}

    def counting(where: Where) -> Any:
        def matmul(a: Tensor, b: Tensor) -> Tensor:
            P = a.shape[:-2].numel()
            counts[where].add(P, a.shape[-2], b.shape[-1], a.shape[-1], shared=b.ndim == 2)
            return a.new_empty(*a.shape[:-1], b.shape[-1])

        return matmul

    with torch.device("meta"), torch.no_grad():
        blank = type(model)(model.config).eval()
        ids = torch.zeros(1, seq_len, dtype=torch.long)
        with attention_by(blank, LMulAttention(counting("attention"))), linears_by(blank, counting("linear")):
            # A ready mask, since making one looks at values, which meta tensors do not have.
            mask = torch.zeros(1, 1, seq_len, seq_len)
            blank(input_ids=ids, attention_mask=mask, use_cache=False)
    return counts


@dataclass(frozen=True)
class Energy:
    """Energy of one kind of layer in one forward pass, in joules."""

    products: float
    additions: float
    memory: float
    """Every operand and result moved once between memory and processor: the least there can be."""

    @property
    def arithmetic(self) -> float:
        """Products and additions."""
        return self.products + self.additions

    @property
    def total(self) -> float:
        """Arithmetic and memory."""
        return self.arithmetic + self.memory


def energy_report(
    model: Any, seq_len: int, scheme: str, *, memory: str = "dram", table: EnergyTable | None = None
) -> dict[Where, Energy]:
    """Energy of a forward pass's matrix products if all were computed by one scheme.

    Args:
        model: See ``count_operations``.
        seq_len: Tokens.
        scheme: A scheme of the table, such as ``fp16`` or ``lmul_fp16``.
        memory: A place of the table.
        table: None for ``energy.toml``.

    Raises:
        ValueError, TypeError: as ``count_operations``, and for names that are not in the table.
    """
    table = table or load_table()
    cost, byte = table.scheme(scheme), table.byte(memory)
    return {
        where: Energy(
            count.products * cost.product * 1e-12,
            count.additions * cost.accumulate * 1e-12,
            count.elements * cost.bytes * byte * 1e-12,
        )
        for where, count in count_operations(model, seq_len).items()
    }
