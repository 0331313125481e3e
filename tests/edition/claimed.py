"""A system with four claims, one of each word, and a record, for the tests of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presscheck.bench.machine import claims_hash, folder_hash
from presscheck.bench.standing import Standing, standing
from presscheck.catalog import System
from presscheck.claims import Measurement, Record, encode

CLAIMS = """
schema = 1

[paper]
arxiv = "2407.00001"
title = "Larch: Pruning Attention Heads Without Losing the Thread"

[system]
summary = "Prunes attention heads by later use."
imports = "presscheck.systems.larch:LarchCache"
extras = ["torch"]
baseline = "full"

[[claims]]
id = "memory"
text = "The cache takes almost a third less memory."
source = "abstract"
reported = "31 %; eight tasks"
metric = "kv_bytes"
arm = "larch"
against = "full"
holds_if = "<= 0.75"
beyond_our_scale = "One model of 135M parameters."

[[claims]]
id = "speed"
text = "Decoding is 1.9 times faster."
source = "abstract"
reported = "1.9 times; batch of 16"
metric = "seconds"
arm = "larch"
against = "full"
holds_if = "<= 0.60"
likely_reason = "On a processor the time goes into the weights, not into the cache."
beyond_our_scale = "A processor, not the paper's GPU."

[[claims]]
id = "accuracy"
text = "Accuracy stays within 0.4 points."
source = "table 2"
reported = "at most 0.4 points"
metric = "accuracy"
arm = "larch"
against = "full"
compare = "difference"
holds_if = ">= -0.4"
beyond_our_scale = "One task <b>instead</b> of eight."

[[claims]]
id = "peer"
text = "It takes less than a rival's cache."
source = "README"
reported = "no figure"
metric = "kv_bytes"
arm = "larch"
against = "rival"
holds_if = "<= 0.9"
beyond_our_scale = "One model."
"""


def larch_record(code: dict[str, str]) -> Record:
    """Six rounds: memory holds, speed fails, accuracy is undecided, the rival is not installed."""
    rows: list[Measurement] = []

    def read(arm: str, metric: str, unit: str, values: list[float]) -> None:
        rows.extend(
            Measurement(arm=arm, metric=metric, value=value, unit=unit, seed=at, round=at)
            for at, value in enumerate(values)
        )

    read("full", "kv_bytes", "B", [1000, 1010, 990, 1000, 1005, 995])
    read("larch", "kv_bytes", "B", [690, 700, 684, 691, 694, 685])
    read("full", "seconds", "s", [1.0, 1.1, 0.9, 1.0, 1.05, 0.95])
    read("larch", "seconds", "s", [0.91, 1.0, 0.83, 0.9, 0.97, 0.85])
    read("full", "accuracy", "%", [61.0, 60.0, 62.0, 61.5, 60.5, 61.0])
    read("larch", "accuracy", "%", [60.5, 60.1, 61.2, 61.4, 59.8, 60.9])
    machine: dict[str, Any] = {"cpu": "Example CPU <i>", "cores": 2}
    return Record(
        system="larch",
        paper="2407.00001",
        size="quick",
        started="2024-08-01T10:00:00Z",
        seconds=12.5,
        machine=machine,
        packages={},
        code=dict(code),
        params={},
        seeds=list(range(6)),
        measurements=rows,
        skipped={"rival": "rival is not installed"},
    )


def larch_system(root: Path, *, recorded: bool = True) -> Standing:
    """The system in a folder, and how it stands."""
    folder = root / "larch"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.toml").write_text(CLAIMS)
    (folder / "__init__.py").write_text("")
    (folder / "README.md").write_text(
        "# Larch\n\n## Use\n\nPass a `LarchCache` to `generate`.\n\n<script>alert(1)</script> "
        "[bad](javascript:alert(1)) ![x](http://evil.example/x.png)\n\n## Differences\n\nNone known.\n"
    )
    records = root / "records"
    if recorded:
        (records / "larch").mkdir(parents=True, exist_ok=True)
        path = records / "larch" / "20240801T100000Z-quick-abcdef.json"
        code = {"folder": folder_hash(folder), "claims": claims_hash(folder)}
        path.write_bytes(encode(larch_record(code)))
        path.with_suffix(".svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10"><path d="M0 5h40"/></svg>'
        )
    return standing(System(slug="larch", package="larch", folder=folder, origin="path"), (records,))
