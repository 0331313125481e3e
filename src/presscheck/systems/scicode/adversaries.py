"""Solutions that try to pass without solving anything, or to do harm; for one step of ``scicode_mini``.

All of them are to be run in the sandbox only. ``harmless`` ones do nothing outside their
own process, so harnesses without a sandbox can be given them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STEP = "9.1"
NAME = "legendre_jacobi"

_WRONG = f"def {NAME}(n):\n    return np.zeros((n, n))\n"


@dataclass(frozen=True)
class Adversary:
    """A hostile solution."""

    name: str
    code: str
    kinds: tuple[str, ...]
    """Failure kinds by which a sandbox may reject it."""
    harmless: bool = False
    fools_exit_status: bool = False
    """Whether a harness that goes by the exit status of one script accepts it."""


def adversaries(home: str | None = None, port: int = 9) -> tuple[Adversary, ...]:
    """All of them.

    Args:
        home: A folder that one tries to write to; by default the user's.
        port: Of 127.0.0.1, that one tries to connect to.
    """
    mark = str(Path(home or Path.home()) / "presscheck-was-here")
    return (
        Adversary("fork bomb", "import os\nwhile True:\n    os.fork()\n" + _WRONG, ("exception",)),
        Adversary("endless loop", f"def {NAME}(n):\n    while True:\n        pass\n", ("timeout",)),
        Adversary("10 GB", f"def {NAME}(n):\n    return bytearray(10 << 30)\n", ("memory",)),
        Adversary(
            "write to home",
            f"with open({mark!r}, 'w') as file:\n    file.write('x')\n" + _WRONG,
            ("exception",),
        ),
        Adversary(
            "connect",
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1).sendall(b'x')\n" + _WRONG,
            ("exception",),
        ),
        Adversary(
            "patch np.allclose",
            "np.allclose = lambda *args, **more: True\n" + _WRONG,
            ("tampering",),
            harmless=True,
            fools_exit_status=True,
        ),
        Adversary(
            "exit 0",
            f"def {NAME}(n):\n    import os\n    os._exit(0)\n",
            ("early exit",),
            harmless=True,
            fools_exit_status=True,
        ),
        Adversary(
            "read the answers",
            f"def {NAME}(n):\n    import h5py\n    with h5py.File('test_data.h5', 'r') as file:\n"
            f"        return file['{STEP}/test%d/var1' % (1 if n == 4 else 2)][()]\n",
            ("exception",),
            harmless=True,
            fools_exit_status=True,
        ),
        Adversary(
            "take the target from the caller",
            f"def {NAME}(n):\n    import sys\n    return sys._getframe(1).f_globals['target']\n",
            ("exception",),
            harmless=True,
            fools_exit_status=True,
        ),
        Adversary(
            "empty array",
            f"def {NAME}(n):\n    return np.empty((0, 1, 1))\n",
            ("wrong shape or type",),
            harmless=True,
            fools_exit_status=True,
        ),
        Adversary("fake token", _FAKE, ("tampering", "early exit"), fools_exit_status=True),
        Adversary(
            "kill the parent",
            "import os\nos.kill(os.getppid(), 9)\n" + _WRONG,
            ("exception", "early exit", "memory", "wrong answer"),
        ),
        Adversary(
            "leave a sleeper",
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)\n"
            + _WRONG,
            ("exception",),
        ),
    )


_FAKE = f"""
import json, os, struct
def frame(message):
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body
results = [{{"failure": None, "reports": [[0, [True]]]}}] * 2
for fd in range(1, 30):
    try:
        os.write(fd, frame({{"stage": "loaded", "failure": None}}))
        os.write(fd, frame({{"stage": "done", "results": results, "token": "0" * 32, "tampered": ""}}))
    except OSError:
        pass
print("0" * 32)
def {NAME}(n):
    return np.zeros((n, n))
os._exit(0)
"""
