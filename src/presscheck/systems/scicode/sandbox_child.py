"""Runs inside the sandbox: loads a solution, runs its tests, sends back what came out.

The parent starts this file with ``python -I`` and talks to it in frames over standard
input and output. The order is the protection: limits first, then the solution is
loaded, and only then do the tests, the run's token and (for the few tests that cannot
be split) the targets arrive. The solution's own prints go to standard error.

Everything here shares a process with code that is not trusted, so nothing here is
secret and no verdict is made here: the parent compares.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import types
from typing import Any, BinaryIO

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100,PTH120 - pathlib costs 5 ms here


def _load(name: str) -> Any:
    """A file that lies beside this one, as a module of its own."""
    from importlib import util

    spec = util.spec_from_file_location(f"_sandbox_{name}", os.path.join(HERE, f"{name}.py"))  # noqa: PTH118
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _fingerprint() -> dict[tuple[str, str], tuple[int, int]]:
    """Who stands behind each name of NumPy, SciPy's sparse part and the builtins."""
    found = {}
    for module in ("builtins", "numpy", "numpy.linalg", "numpy.testing", "math", "scipy.sparse", "json"):
        for name, value in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
            if not name.startswith("__") and name != "_":  # `_` is what a display hook last showed
                found[module, name] = (id(value), id(getattr(value, "__code__", None)))
    return found


class Harness:
    """One solution and its tests."""

    def __init__(self, wire: Any, source: BinaryIO, sink: BinaryIO) -> None:
        self.wire, self.source, self.sink = wire, source, sink

    def say(self, **message: Any) -> None:
        """Send a frame."""
        self.sink.write(self.wire.pack(message))
        self.sink.flush()

    def run(self, order: dict[str, Any]) -> None:
        """Load, report, take the tests, run them, report."""
        module = types.ModuleType("solution")
        sys.modules["solution"] = module
        space = vars(module)
        failure = self._attempt(order["dependencies"], "<dependencies>", space)
        protected = {name: value for name, value in space.items() if not name.startswith("__")}
        before = _fingerprint()
        keep = list(vars(sys.modules["numpy"]).values())  # an id stays taken while its object lives
        failure = failure or self._attempt(order["code"], "<solution>", space)
        _flush()
        self.say(stage="loaded", failure=failure)
        if failure:
            return
        job = self.wire.receive(self.source)
        tampered = self._tampered(before)
        shared = dict(space)
        results = []
        for test in job["tests"]:
            results.append(self._test(test, shared, protected))
            tampered = tampered or self._tampered(before)
        del keep
        _flush()  # before the frame: the parent ends this process once it has that
        self.say(stage="done", results=results, token=job["token"], tampered=tampered)

    def _test(self, test: dict[str, Any], space: dict[str, Any], protected: dict[str, Any]) -> dict[str, Any]:
        reports: list[Any] = []
        wire = self.wire

        def report(index: int, values: list[Any]) -> None:
            reports.append([index, [wire.encode(value) for value in values]])

        space.update(protected)
        space["__report__"] = report
        if "target" in test:
            space["target"] = wire.decode(test["target"])
            compare = _load("compare")
            for name in ("cmp_tuple_or_list", "are_dicts_close", "are_csc_matrix_close"):
                space[name] = getattr(compare, name)
        failure = self._attempt(test["source"], "<test>", space)
        space.pop("target", None)
        return {"failure": failure, "reports": reports}

    def _attempt(self, source: str, name: str, space: dict[str, Any]) -> dict[str, str] | None:
        """Run some source; None, or what stopped it."""
        try:
            exec(compile(source, name, "exec", dont_inherit=True), space)
        except MemoryError:
            return {"kind": "memory", "detail": "MemoryError"}
        except SystemExit as error:
            return {"kind": "early exit", "detail": f"SystemExit({error.code!r}) in {name}"[:400]}
        except AssertionError as error:
            return {"kind": "assert", "detail": f"AssertionError: {error}"[:400]}
        except BaseException as error:
            return {"kind": "exception", "detail": _describe(error, name)}
        return None

    def _tampered(self, before: dict[tuple[str, str], tuple[int, int]]) -> str:
        after = _fingerprint()
        for key, value in before.items():
            if after.get(key) != value:
                return ".".join(key)
        return ""


def _flush() -> None:
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()


def _describe(error: BaseException, name: str) -> str:
    """Class, message and line, whatever the solution's exception does when it is printed."""
    text = "?"
    with contextlib.suppress(BaseException):
        text = str(error)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    where = f" ({name} line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {text}"[:400] + where


def _script(order: dict[str, Any], say: Any) -> None:
    """Run a plain script as a harness without a protocol would: its exit status is the answer."""
    say(stage="started")
    os.chdir(order["folder"])
    sys.path.insert(0, order["folder"])
    space = {"__name__": "__main__"}
    exec(compile(order["script"], "<script>", "exec", dont_inherit=True), space)


def main() -> None:
    """Obey one order."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    wire, confine = _load("wire"), _load("confine")
    order = wire.receive(source)
    confine.limit(order["limits"])
    confine.give_up_rights()
    if order["landlock"]:
        confine.landlock(order["readable"], order["writable"])
    if order["seccomp"]:
        confine.seccomp(processes=bool(order["limits"]["processes"]))
    harness = Harness(wire, source, sink)
    if "script" in order:
        _script(order, harness.say)
        return
    harness.run(order)
    os._exit(0)  # no atexit hook, no thread of the solution, keeps this process alive


if __name__ == "__main__":
    main()
