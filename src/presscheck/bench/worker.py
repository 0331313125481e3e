"""Runs one arm in another Python, one trial a line: JSON in, JSON out.

parent -> {"seed": 3, ...}
worker -> {"rows": [["kv_bytes", 65536.0, "B"], ...]}   or {"error": "..."}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def main(target: str) -> None:
    """Answer trials of the arm ``module:function`` until standard input ends."""
    # A chatty import, or a library that prints from C, must not break the protocol.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    module, _, name = target.partition(":")
    arm = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            answer = {"rows": [[m, float(v), u] for m, v, u in arm(**json.loads(line))]}
        except Exception as error:  # the parent decides what a failed arm means
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
