from __future__ import annotations

import sys

import pytest

from presscheck.catalog import systems
from presscheck.testing import check_system
from tests.bench.toys import EXPERIMENT, README, toy

OURS = [slug for slug, system in systems().items() if system.origin == "presscheck"]


@pytest.mark.parametrize("slug", OURS)
def test_each_of_our_systems_keeps_the_contract(slug):
    for extra in systems()[slug].manifest().system.extras:
        for module in {"torch": ["torch"], "tabular": ["sklearn", "numba"], "science": ["scipy", "h5py"]}[
            extra
        ]:
            pytest.importorskip(module)
    if slug == "scicode":
        from presscheck.systems.scicode.isolation import unavailable

        if unavailable("bubblewrap") and unavailable("landlock"):
            pytest.skip("no isolation on this machine")
    check_system(slug)


def check(tmp_path, monkeypatch, slug, **parts) -> str:
    """What the contract says against a toy; empty if it is content."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    try:
        check_system(str(toy(tmp_path, slug, **parts)))
    except AssertionError as error:
        return str(error)
    return ""


def test_a_good_system_passes(tmp_path, monkeypatch):
    assert check(tmp_path, monkeypatch, "contract_good") == ""


@pytest.mark.parametrize(
    ("slug", "parts", "said"),
    [
        (
            "contract_same",
            {"experiment": EXPERIMENT.replace("{share} {seed}", "{share}")},
            "two seeds give the same",
        ),
        ("contract_metric", {"experiment": EXPERIMENT.replace('"size_bytes"', '"size"')}, "yields no metric"),
        ("contract_sizes", {"experiment": EXPERIMENT.replace('"full": 3', "")}, "SIZES lacks full"),
        ("contract_arm", {"experiment": EXPERIMENT.replace('"half": arm', '"third": arm')}, "no arm `half`"),
        ("contract_names", {"init": ""}, "has no halve"),
        ("contract_heavy", {"init": "import sqlite3, sympy\nhalve = 1\n"}, "loads sympy"),
        (
            "contract_method",
            {"init": "from presscheck.types import Paper as halve\n"},
            "imports nothing of presscheck",
        ),
        ("contract_readme", {"readme": README.replace("## Use", "")}, "lacks the heading `## Use`"),
        ("contract_raises", {"experiment": EXPERIMENT.replace("yield", "1 / 0; yield", 1)}, "could run:"),
    ],
)
def test_what_is_off_is_said(tmp_path, monkeypatch, slug, parts, said):
    if slug == "contract_heavy":
        pytest.importorskip("sympy")
    assert said in check(tmp_path, monkeypatch, slug, **parts)
