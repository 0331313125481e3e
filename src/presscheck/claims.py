"""The nouns of claims that run: what a paper says, what was measured, what follows.

No I/O, no third-party import but msgspec. Ratios are of the claim's arm over the one
it is compared with, so below 1 is smaller.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from presscheck.types import ARXIV_ID, Struct

CLAIMS_SCHEMA = 1
RECORD_SCHEMA = 1

CONDITION = re.compile(r"(<=|>=)\s*([-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

Size = Literal["smoke", "quick", "full"]
SIZES: tuple[Size, ...] = ("smoke", "quick", "full")
"""How large an experiment is run, smallest first: for tests, for a look, for a record."""

Answer = Literal["holds", "fails", "undecided", "not measured"]


class Claim(Struct, frozen=True, kw_only=True):
    """One headline result, and the condition under which it holds here."""

    id: str
    text: str
    """What is claimed, in our words."""
    source: str
    """Where it is said: abstract, table N, repository README."""
    reported: str
    """The paper's figure with its conditions."""
    metric: str
    arm: str
    against: str | None = None
    compare: Literal["ratio", "difference", "value"] = "ratio"
    holds_if: str
    """A sign and a number: ``<= 0.80``. The whole interval must lie inside."""
    confidence: float = 0.95
    beyond_our_scale: str
    """What this machine cannot show."""
    likely_reason: str = ""
    """Why it does not hold here, where it does not."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.id):
            raise ValueError(f"id is `{self.id}`: need small letters, digits, - and _")
        if not CONDITION.fullmatch(self.holds_if):
            raise ValueError(f"holds_if is `{self.holds_if}`: need a sign and a number, as in `<= 0.80`")
        if self.compare != "value" and self.against is None:
            raise ValueError(f"compare is `{self.compare}`: need `against`, the arm to compare with")
        if self.compare == "value" and self.against is not None:
            raise ValueError("compare is `value`, which looks at one arm: `against` has no meaning")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}: need a share from 0.5 to below 1")
        for name in ("text", "source", "reported", "metric", "arm", "beyond_our_scale"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty")

    @property
    def sign(self) -> str:
        """``<=`` or ``>=``."""
        return self.holds_if[:2]

    @property
    def bound(self) -> float:
        """The number of ``holds_if``."""
        return float(self.holds_if[2:])

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it needs."""
        return (self.arm,) if self.against is None else (self.arm, self.against)


class PaperRef(Struct, frozen=True, kw_only=True):
    """The paper that a system is of."""

    arxiv: str
    title: str

    def __post_init__(self) -> None:
        if not ARXIV_ID.fullmatch(self.arxiv):
            raise ValueError(f"arxiv is `{self.arxiv}`: need an arXiv id without version, as in 2407.21018")


class Accelerator(Struct, frozen=True, kw_only=True):
    """How a system is switched on around a language model of transformers."""

    call: str
    """``package.module:name`` of a context manager: ``name(model, **settings)``."""
    settings: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if ":" not in self.call:
            raise ValueError(f"call is `{self.call}`: need `package.module:name`")


class SystemInfo(Struct, frozen=True, kw_only=True):
    """What a system offers and needs."""

    summary: str
    imports: str
    """``package.module:Name`` that a user imports first."""
    extras: list[str] = []
    baseline: str
    """The arm that the default figure draws at 1."""
    peers: dict[str, list[str]] = {}
    """Name → requirements of the library's own environment."""
    accelerator: Accelerator | None = None
    """How it runs inside a user's model, if it does."""

    def __post_init__(self) -> None:
        if ":" not in self.imports:
            raise ValueError(f"imports is `{self.imports}`: need `package.module:Name`")
        for name in self.peers:
            if not NAME.fullmatch(name):
                raise ValueError(f"peers has `{name}`: need small letters, digits, - and _")


class Manifest(Struct, frozen=True, kw_only=True):
    """A system's claims.toml."""

    schema: int
    paper: PaperRef
    system: SystemInfo
    claims: list[Claim]

    def __post_init__(self) -> None:
        if self.schema != CLAIMS_SCHEMA:
            raise ValueError(f"schema is {self.schema}: this presscheck reads {CLAIMS_SCHEMA}")
        ids = [claim.id for claim in self.claims]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two claims are called `{twice[0]}`")
        if not ids:
            raise ValueError("there is no claim: need at least one [[claims]]")


class Measurement(Struct, frozen=True, kw_only=True):
    """One reading of one arm in one round."""

    arm: str
    metric: str
    value: float
    unit: str
    seed: int
    round: int


class Record(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One run of one experiment. Facts only: verdicts are derived from it."""

    schema: int = RECORD_SCHEMA
    system: str
    paper: str
    size: Size
    started: str
    seconds: float
    """Wall clock of all rounds; those of a run that was resumed are added up."""
    machine: dict[str, Any]
    packages: dict[str, str]
    code: dict[str, Any]
    """version, commit, dirty, and SHA-256 of claims.toml and of the system's folder."""
    params: dict[str, Any]
    seeds: list[int]
    measurements: list[Measurement]
    skipped: dict[str, str] = {}
    """Arm → why it was not measured to the end."""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a record says about a claim. Always derived, never stored."""

    claim: str
    answer: Answer
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    why: str = ""
    """Why there is no answer."""


def encode(record: Record) -> bytes:
    """A record as its file: JSON, one field a line."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
