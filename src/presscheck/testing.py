"""The contract that every system keeps, ours and anyone else's.

from presscheck.testing import check_system

def test_prune_keeps_the_contract():
check_system("prune")          # or the path of its folder: check_system("./prune")
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from presscheck.bench.experiment import Job, unmeasured_metrics
from presscheck.bench.run import run_of
from presscheck.catalog import System, find
from presscheck.claims import SIZES, Manifest, Record
from presscheck.errors import BadInput
from presscheck.importing import import_experiment

HEADINGS = ("## Use", "## What differs from the paper", "## What our scale cannot show", "## Measured")
HEAVY = {
    "torch": "torch", "transformers": "torch", "sklearn": "tabular", "numba": "tabular", "pandas": "tabular",
    "scipy": "science", "sympy": "science", "h5py": "science", "matplotlib": "",
}  # fmt: skip
"""Module → the extra whose systems may import it at their top; matplotlib none may."""

FAILED = re.compile(r"\w+ in round -?\d+, seed \d+: ")
"""How a record says that an arm raised; an arm that says itself why it cannot run here is no fault."""


def check_system(name: str) -> Record:
    """Hold a system against the contract.

    Its claims file parses and its names resolve; its method imports nothing of presscheck and
    nothing heavier than its extras say; `smoke` runs on two seeds, yields every metric that the
    claims name, and other seeds give other readings; the README has its headings.

    Args:
        name: A slug, or the path of a folder.

    Returns:
        The record of the `smoke` run.

    Raises:
        AssertionError: listing everything that is not as it should be.
    """
    wrong: list[str] = []
    try:
        system = find(name)
        manifest = system.manifest()
    except BadInput as error:
        raise AssertionError(f"{error.message}\n{error.hint}") from None
    wrong += _readme(system) + _method_imports(system) + _weight(system, manifest)
    module, _, attribute = manifest.system.imports.partition(":")
    try:
        experiment = import_experiment(system)
        if not hasattr(importlib.import_module(module), attribute):
            wrong.append(f"claims.toml: imports: {module} has no {attribute}")
        missing = [size for size in SIZES if size not in experiment.SIZES]
        if missing:
            wrong.append(f"experiment.py: SIZES lacks {', '.join(missing)}")
        record = _smoke(system, experiment)
    except BadInput as error:
        raise AssertionError("\n".join([*wrong, error.message])) from None
    except ImportError as error:
        raise AssertionError("\n".join([*wrong, f"claims.toml: imports: {error}"])) from None
    for arm, why in record.skipped.items():
        if FAILED.match(why):
            wrong.append(f"experiment.py: the arm `{arm}` did not run: {why}")
    if all(record.skipped.keys() & set(claim.arms) for claim in manifest.claims):
        wrong.append("experiment.py: no claim has all the arms that it needs")
    wrong += unmeasured_metrics(manifest, record, system.folder / "claims.toml")
    if record.measurements and not _differs(record):
        wrong.append("experiment.py: two seeds give the same readings: a seed must change the data drawn")
    if wrong:
        raise AssertionError(f"{name} does not keep the contract:\n" + "\n".join(f"- {one}" for one in wrong))
    return record


def _smoke(system: System, experiment: object) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        run = run_of(experiment, "smoke", 2, "cpu", None)
        return Job(system, experiment, run, Path(folder)).go(lambda arm: None).record


def _differs(record: Record) -> bool:
    """Some reading that is no time changes with the seed."""
    readings: dict[tuple[str, str], set[float]] = {}
    for row in record.measurements:
        if row.unit != "s":
            readings.setdefault((row.arm, row.metric), set()).add(row.value)
    return any(len(values) > 1 for values in readings.values())


def _readme(system: System) -> list[str]:
    path = system.folder / "README.md"
    if not path.is_file():
        return ["README.md is missing"]
    lines = path.read_text("utf-8").splitlines()
    return [f"README.md lacks the heading `{heading}`" for heading in HEADINGS if heading not in lines]


def _method_imports(system: System) -> list[str]:
    """Files beside the experiment that import presscheck: a method has to stand alone."""
    wrong = []
    for path in sorted(system.folder.rglob("*.py")):
        if path.name in {"experiment.py", "peers.py"} or path.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                if re.match(r"presscheck\b", name) and not name.startswith(system.package):
                    wrong.append(
                        f"{path.name}:{node.lineno}: a method imports nothing of presscheck, got {name}"
                    )
    return wrong


def _weight(system: System, manifest: Manifest) -> list[str]:
    """What importing the package loads that its extras do not bring."""
    tops = [str(system.folder.parents[system.package.count(".")]), *sys.path]
    script = f"import sys, {system.package}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(tops)},
    )
    if done.returncode:
        return [
            f"the package cannot be imported: {(done.stderr.strip().splitlines() or ['no word of why'])[-1]}"
        ]
    allowed = set(manifest.system.extras)
    # transformers looks for scikit-learn and SciPy and takes them where they are.
    lent = {"sklearn", "scipy", "pandas", "sympy", "h5py"} if "torch" in allowed else set()
    lent |= {"scipy"} if "tabular" in allowed else set()
    return [
        f"importing the package loads {module}, which its extras do not bring"
        for module in sorted(set(done.stdout.split()) & set(HEAVY))
        if HEAVY[module] not in allowed and module not in lent
    ]
