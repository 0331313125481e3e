"""`edition all --on ray`: the files are those of this machine alone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'presscheck[ray]'"
    ),
]


def run(*given: str) -> Result:
    return CliRunner().invoke(main, ["edition", *given])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_published_through_ray_is_byte_for_byte_the_same(tmp_path: Path, cluster: None):
    rows = [
        {"date": f"2024-07-{day}", "id": f"2407.{day}{n:03}", "title": f"Dace {n}: Rings", "authors": ["A B"],
         "summary": f"Counting fish scales by eye takes {n} hours on every river that we know of. "
                    f"We present Dace, a small network that counts rings. It is right for {90 + n}% of fish.",
         "upvotes": n}
        for day in (29, 30, 31)
        for n in range(2)
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    here, there = tmp_path / "here", tmp_path / "there"
    common = ("all", "--papers", str(path), "--style", "easy", "--out")
    assert run(*common, str(here)).exit_code == 0
    result = run(*common, str(there), "--on", "ray")
    assert result.exit_code == 0, result.output
    assert contents(there) == contents(here)
    assert len(contents(here)) > 9
    again = run(*common, str(there), "--on", "ray")
    assert again.stdout.count("unchanged") == 3


def test_an_archive_added_through_ray_is_found_in_as_one_added_here(
    tmp_path: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
):
    row = {"date": "2024-07-29", "id": "2407.29001", "title": "Dace: Rings", "authors": ["A B"],
           "summary": "We present Dace, a small network that counts the rings of a fish scale."}  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "\n".join(json.dumps(row | {"id": f"2407.2900{n}", "title": f"Dace {n}"}) for n in range(5))
    )
    made = []
    for on in ("local", "ray"):
        home = tmp_path / on
        monkeypatch.setenv("PRESSCHECK_HOME", str(home))
        result = CliRunner().invoke(main, ["archive", "add", str(path), "--on", on])
        assert result.exit_code == 0, result.output
        assert "5 new" in result.stdout
        vectors = {file.name: file.read_bytes() for file in (home / "archive").rglob("*.vectors")}
        found = CliRunner().invoke(main, ["search", "rings of fish", "--json"]).stdout
        made.append((vectors, found))
    assert made[0] == made[1]
    assert made[0][0]


def test_one_day_and_a_model_are_not_spread(tmp_path: Path):
    result = run("2024-07-31", "--on", "ray")
    assert result.exit_code == 2
    assert "goes with `all`" in result.stderr
