"""Small systems in a folder of their own, for tests of the bench."""

from __future__ import annotations

from pathlib import Path

CLAIMS = """schema = 1

[paper]
arxiv = "2407.21018"
title = "A Toy"

[system]
summary = "Halves a number"
imports = "{slug}:halve"
baseline = "plain"
{system}

[[claims]]
id = "bytes"
text = "Half the bytes."
source = "abstract"
reported = "half"
metric = "size_bytes"
arm = "half"
against = "plain"
holds_if = "<= 0.6"
beyond_our_scale = "Everything large."
{claims}
"""

EXPERIMENT = """import random
SIZES = {"smoke": 1, "quick": 2, "full": 3}
WARMUP = {"quick": 0, "full": 0}

def arms(run):
    def arm(share):
        def trial(seed):
            yield "size_bytes", 100 * share, "B"
            yield "error", random.Random(f"{share} {seed}").gauss(1, 0.1), "1"
        return trial
    return {"plain": arm(1), "half": arm(0.5)}
"""

README = "# toy\n\n## Use\n\n## What differs from the paper\n\n## What our scale cannot show\n\n## Measured\n"


def toy(
    folder: Path,
    slug: str = "toysystem",
    *,
    experiment: str = EXPERIMENT,
    claims: str = "",
    system: str = "",
    readme: str = README,
    init: str = '"""Toy."""\n\n\ndef halve(x):\n    return x / 2\n',
) -> Path:
    """A system's folder; returns it."""
    home = folder / slug
    home.mkdir(parents=True)
    (home / "__init__.py").write_text(init)
    (home / "claims.toml").write_text(CLAIMS.format(slug=slug, claims=claims, system=system))
    (home / "experiment.py").write_text(experiment)
    (home / "README.md").write_text(readme)
    return home
