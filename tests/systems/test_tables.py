"""The READMEs say what the shipped records say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "write_tables.py"


def test_the_tables_of_the_readmes_are_those_of_the_records():
    spec = importlib.util.spec_from_file_location("write_tables", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    stale = [path for path, text in script.tables().items() if path.read_text("utf-8") != text]
    assert not stale, f"run scripts/write_tables.py: {stale}"


def test_every_shipped_record_is_of_the_code_that_is_here():
    from presscheck.bench import records
    from presscheck.bench.standing import OTHER_CODE, standing
    from presscheck.catalog import systems

    for system in systems().values():
        if system.origin == "presscheck":
            assert OTHER_CODE not in standing(system, (records.SHIPPED,)).stale, system.slug
