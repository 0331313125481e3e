from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from presscheck.cli import main
from tests.bench.toys import EXPERIMENT, toy

SLOW = EXPERIMENT.replace("def trial(seed):", "def trial(seed):\n            import time; time.sleep(0.2)")


def presscheck(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "presscheck", *words],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, **env}, timeout=60,
    )  # fmt: skip


def test_a_system_of_a_folder_is_measured_and_kept(tmp_path, own_home):
    home = toy(tmp_path)
    done = presscheck("run", str(home))
    assert done.returncode == 0, done.stderr
    assert "holds" in done.stdout and "0.500" in done.stdout
    [record] = (own_home / "records" / "toysystem").glob("*.json")
    raw = json.loads(record.read_bytes())
    assert len(raw["measurements"]) == 2 * 2 * 5
    assert raw["packages"]["msgspec"] and raw["machine"]["cores"] and len(raw["code"]["folder"]) == 64
    shown = presscheck("show", str(home))
    assert "holds" in shown.stdout and "yours" in shown.stdout and "stale" not in shown.stdout


def test_json_has_record_and_verdicts(tmp_path):
    done = presscheck("run", str(toy(tmp_path)), "--json")
    line = json.loads(done.stdout)
    assert [verdict["answer"] for verdict in line["verdicts"]] == ["holds"]
    assert line["record"]["system"] == "toysystem" and Path(line["path"]).is_file()
    steps = [json.loads(step) for step in done.stderr.splitlines() if step.startswith("{")]
    assert steps[-1]["done"] == steps[-1]["of"] == 10


def test_strict_fails_where_a_claim_does_not_hold(tmp_path):
    home = toy(tmp_path)
    assert presscheck("run", str(home), "--strict").returncode == 0
    (home / "claims.toml").write_text(
        (home / "claims.toml").read_text().replace("<= 0.6", "<= 0.4")
        + 'likely_reason = "A toy is too small."\n'
    )
    done = presscheck("run", str(home), "--strict")
    assert done.returncode == 1 and "fails here, likely because: A toy is too small." in done.stdout


def test_an_interrupted_run_keeps_its_rounds_and_goes_on(tmp_path, own_home):
    home = toy(tmp_path, experiment=SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "presscheck", "run", str(home)], stderr=subprocess.PIPE, text=True
    )
    folder = own_home / "records" / "toysystem"
    deadline = time.monotonic() + 40
    while not list(folder.glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "--resume" in said and not list(folder.glob("*.json"))
    [partial] = folder.glob("*.partial")
    kept = json.loads(partial.read_bytes())["measurements"]
    assert kept
    done = presscheck("run", str(home), "--resume")
    assert done.returncode == 0, done.stderr
    [record] = folder.glob("*.json")
    rows = json.loads(record.read_bytes())["measurements"]
    assert rows[: len(kept)] == kept and len(rows) == 20 and not list(folder.glob("*.partial"))


def test_nothing_to_resume_is_said(tmp_path):
    done = presscheck("run", str(toy(tmp_path)), "--resume")
    assert done.returncode == 2 and "no unfinished run" in done.stderr


def test_two_runs_at_once_are_refused(tmp_path, own_home):
    home = toy(tmp_path, experiment=SLOW)
    first = subprocess.Popen(
        [sys.executable, "-m", "presscheck", "run", str(home)], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 40
        while not list((own_home / "records").rglob("*.partial")) and time.monotonic() < deadline:
            time.sleep(0.02)
        second = presscheck("run", str(home))
        assert second.returncode == 2 and "another run is measuring" in second.stderr
    finally:
        first.kill()
        first.wait()


def test_a_run_in_which_no_arm_can_run_leaves_no_record(tmp_path, own_home):
    text = EXPERIMENT.replace('yield "size_bytes"', "raise OSError('no such device'); yield \"size_bytes\"")
    done = presscheck("run", str(toy(tmp_path, experiment=text)))
    assert done.returncode == 2 and "no such device" in done.stderr
    assert not list((own_home / "records").rglob("*.json*"))


def test_a_claim_on_an_arm_that_is_not_there_is_named_before_anything_runs(tmp_path):
    home = toy(tmp_path)
    (home / "claims.toml").write_text(
        (home / "claims.toml").read_text().replace('"half"\nagainst', '"third"\nagainst')
    )
    done = presscheck("run", str(home))
    assert done.returncode == 2 and "no arm `third` - at `$.claims[0].arm`" in done.stderr


def test_a_metric_that_no_arm_yields_is_named_with_its_place(tmp_path):
    home = toy(tmp_path)
    (home / "claims.toml").write_text((home / "claims.toml").read_text().replace('"size_bytes"', '"size"'))
    done = presscheck("run", str(home))
    assert "yields no metric `size`" in done.stderr and "`$.claims[0].metric`" in done.stderr
    assert "not measured" in done.stdout


def test_a_model_has_no_meaning_for_a_system_without_one(tmp_path):
    done = presscheck("run", str(toy(tmp_path)), "--model", "x")
    assert done.returncode == 2 and "measures no language model" in done.stderr


def test_a_missing_package_is_named_with_the_extra_that_brings_it(tmp_path):
    home = toy(tmp_path, experiment="import nosuchpackage\n" + EXPERIMENT, system='extras = ["tabular"]')
    done = presscheck("run", str(home))
    assert done.returncode == 2 and "toysystem needs nosuchpackage" in done.stderr
    assert "presscheck[tabular]" in done.stderr


def test_list_has_every_paper_of_the_editions_by_family():
    lines = [json.loads(line) for line in presscheck("list", "--json").stdout.splitlines()]
    assert len(lines) == 49 and {line["state"] for line in lines} <= {"not yet", "measured", "not measured"}
    families = [line["family"] for line in lines]
    assert families == sorted(families, key=families.index)


def test_another_packages_system_is_found_from_its_wheel(tmp_path):
    pytest.importorskip("hatchling")
    toy(tmp_path / "src" / "mylab", "prune")
    (tmp_path / "src" / "mylab" / "__init__.py").write_text(
        "raise RuntimeError('listing must not import this')"
    )
    claims = tmp_path / "src" / "mylab" / "prune" / "claims.toml"
    claims.write_text(claims.read_text().replace("prune:halve", "mylab.prune:halve"))
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mylab"\nversion = "1.0"\n'
        '[project.entry-points."presscheck.systems"]\nprune = "mylab.prune"\nbroken = "mylab.nothing"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["src/mylab"]\n'
    )
    subprocess.run(
        [sys.executable, "-c", "from hatchling.build import build_wheel; build_wheel('.')"],
        cwd=tmp_path,
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    import zipfile

    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])}
    lines = [json.loads(line) for line in presscheck("list", "--json", **env).stdout.splitlines()]
    by_slug = {line["slug"]: line for line in lines}
    assert by_slug["prune"]["state"] == "not measured"
    assert by_slug["broken"]["state"] == "broken" and "mylab.nothing" in by_slug["broken"]["broken"]
    (tmp_path / "site" / "mylab" / "__init__.py").write_text("")
    done = presscheck("run", "prune", **env)
    assert done.returncode == 0 and "holds" in done.stdout, done.stderr


def test_a_fifth_system_is_one_folder_and_no_other_file(tmp_path, monkeypatch):
    """A folder put beside ours is listed, run and checked without a line anywhere else."""
    import shutil

    import presscheck

    package = tmp_path / "presscheck"
    shutil.copytree(Path(presscheck.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    home = toy(package / "systems", "tiny")
    claims = home / "claims.toml"
    claims.write_text(claims.read_text().replace("tiny:halve", "presscheck.systems.tiny:halve"))
    env = {"PYTHONPATH": str(tmp_path)}
    done = presscheck_in(tmp_path, "run", "tiny", **env)
    assert done.returncode == 0 and "holds" in done.stdout, done.stderr
    assert "tiny" in presscheck_in(tmp_path, "list", **env).stdout
    script = "from presscheck.testing import check_system; check_system('tiny')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr


def presscheck_in(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return presscheck(*words, cwd=folder, **env)


def test_new_starts_a_system_that_says_what_is_to_be_written(tmp_path):
    runner = CliRunner()
    made = runner.invoke(main, ["new", "2407.21018", "--slug", "thinner", "--out", str(tmp_path)])
    assert made.exit_code == 0, made.output
    done = presscheck("run", str(tmp_path / "thinner"))
    assert done.returncode == 2 and "still to be written" in done.stderr
    again = presscheck("new", "2407.21018", "--slug", "thinner", "--out", str(tmp_path))
    assert again.returncode == 2 and "is there already" in again.stderr


def test_new_needs_a_title_for_a_paper_that_no_list_has(tmp_path):
    done = presscheck("new", "2503.01234", "--slug", "x", "--out", str(tmp_path))
    assert done.returncode == 2 and "--title" in done.stderr
