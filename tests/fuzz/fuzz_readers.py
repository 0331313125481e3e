"""A target for atheris, which is not a dependency: coverage-guided search for bytes that break a reader.

In an environment of its own (``pip install atheris`` beside presscheck), from the root::

    python tests/fuzz/fuzz_readers.py -max_total_time=600 [CORPUS]

The same promise is tested with hypothesis in ``test_readers.py`` at every run of the suite.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Fuzz until interrupted, from the seeds."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: `pip install atheris`") from None
    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["presscheck"]):
        from tests.fuzz.readers import SEEDS, read_any
    corpus = Path(tempfile.mkdtemp(prefix="presscheck-corpus-"))
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], read_any)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
