from __future__ import annotations

import importlib
import sys

import msgspec
import pytest

from presscheck.bench import records
from presscheck.bench.experiment import Job
from presscheck.bench.run import run_of
from presscheck.bench.standing import OTHER_CLAIMS, OTHER_CODE, standing
from presscheck.catalog import find
from presscheck.importing import import_experiment
from tests.bench.toys import toy


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = find(str(toy(tmp_path / "systems")))
    yield found
    for name in [name for name in sys.modules if name.split(".")[0] == "toysystem"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def measure(system, root, size="quick"):
    experiment = import_experiment(system)
    return Job(system, experiment, run_of(experiment, size, None, "cpu", None), root).go(lambda arm: None)


def test_without_a_record_nothing_is_measured(system, tmp_path):
    one = standing(system, (tmp_path / "none",))
    assert one.record is None and [verdict.answer for verdict in one.verdicts] == ["not measured"]


def test_a_record_of_this_code_is_fresh(system, tmp_path):
    path = measure(system, tmp_path / "r").path
    one = standing(system, (tmp_path / "r",))
    assert (one.path, one.stale, one.verdicts[0].answer) == (path, (), "holds")


@pytest.mark.parametrize(
    ("name", "stale"),
    [("experiment.py", (OTHER_CODE,)), ("claims.toml", (OTHER_CLAIMS,)), ("README.md", ())],
)
def test_a_record_of_other_code_or_claims_is_shown_as_such(system, tmp_path, name, stale):
    measure(system, tmp_path / "r")
    file = system.folder / name
    file.write_text(file.read_text() + "\n# changed\n")
    one = standing(system, (tmp_path / "r",))
    assert one.stale == stale and one.verdicts[0].answer == "holds"


def test_the_larger_size_counts_and_the_users_own_before_the_shipped(system, tmp_path):
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    full = measure(system, shipped, "full")
    measure(system, own, "quick")
    assert standing(system, (shipped, own)).path == full.path
    again = measure(system, own, "full")
    assert standing(system, (shipped, own)).path == again.path


def test_a_record_of_this_code_counts_before_a_larger_one_of_other_code(system, tmp_path):
    root = tmp_path / "r"
    old = measure(system, root, "full")
    other = msgspec.structs.replace(old.record, code={**old.record.code, "folder": "0" * 64})
    old.path.unlink()
    records.append(other, root)
    quick = measure(system, root, "quick")
    assert standing(system, (root,)).path == quick.path


def test_a_changed_threshold_is_judged_anew_from_the_same_record(system, tmp_path):
    measure(system, tmp_path / "r")
    file = system.folder / "claims.toml"
    file.write_text(file.read_text().replace("<= 0.6", "<= 0.4"))
    assert standing(system, (tmp_path / "r",)).verdicts[0].answer == "fails"
