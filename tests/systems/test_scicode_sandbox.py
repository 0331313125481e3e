# ruff: noqa: E501 - code in strings, tables of cases
"""Hostile solutions stay in, on every level of isolation that this machine has."""

from __future__ import annotations

import functools
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("h5py")
pytest.importorskip("scipy")

from presscheck.systems.scicode import Grader, IsolationError, Limits, Sandbox, upstream
from presscheck.systems.scicode import isolation as isolation_module
from presscheck.systems.scicode.adversaries import STEP, Adversary, adversaries
from presscheck.systems.scicode.grading import StepVerdict
from presscheck.systems.scicode.isolation import unavailable
from presscheck.systems.scicode.mini_set import TARGETS, load_mini, mini_targets
from presscheck.systems.scicode.sandbox import ChildTest, Outcome

LEVELS = [
    pytest.param(level, marks=pytest.mark.skipif(bool(unavailable(level)), reason=unavailable(level) or "-"))
    for level in ("bubblewrap", "landlock")
]
TIGHT = Limits(seconds=20.0, memory=1 << 30)
PROBLEM = next(one for one in load_mini() if one.id == STEP.split(".")[0])


def run(level: str, code: str, test: str = "__report__(0, [1])", **limits: float) -> Outcome:
    values = {"seconds": TIGHT.seconds, "memory": TIGHT.memory, **limits}
    return Sandbox(Limits(**values), level=level).run("import numpy as np", code, [ChildTest(test)])


@functools.cache
def verdicts(level: str) -> dict[str, StepVerdict]:
    """Every adversary on one level, two at a time: alone they would take twice as long."""

    def grade(hostile: Adversary) -> StepVerdict:
        limits = Limits(seconds=1.5, memory=1 << 30) if "timeout" in hostile.kinds else TIGHT
        grader = Grader(mini_targets(), Sandbox(limits, level=level))
        return grader.step(PROBLEM, PROBLEM.step(STEP), hostile.code)

    with ThreadPoolExecutor(2) as pool:
        known = adversaries()
        return dict(zip([one.name for one in known], pool.map(grade, known), strict=True))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", [one.name for one in adversaries()])
def test_a_hostile_solution_is_rejected(level: str, name: str) -> None:
    [hostile] = [one for one in adversaries() if one.name == name]
    verdict = verdicts(level)[name]
    assert not verdict.passed
    assert verdict.kind in hostile.kinds, verdict
    assert verdict.isolation == level


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_written_to_home(level: str, tmp_path: Path) -> None:
    code = f"""
import os, pathlib
for folder in ({str(tmp_path)!r}, {str(Path.home())!r}, "/tmp", "/var/tmp", "/dev/shm"):
    try:
        pathlib.Path(folder, "presscheck-was-here").write_text("x")
    except OSError:
        pass
"""
    assert run(level, code).failure is None
    for folder in (tmp_path, Path.home(), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        assert not (folder / "presscheck-was-here").exists()


@pytest.mark.parametrize("level", LEVELS)
def test_files_of_the_user_cannot_be_read_or_listed(level: str, tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_text("42")
    code = f"""
import os
found = []
for path in ({str(tmp_path / "answers.txt")!r}, {str(TARGETS)!r}, "/etc/shadow", "/proc/{os.getpid()}/environ"):
    try:
        if open(path, "rb").read():
            found.append(path)
    except OSError:
        pass
for path in ({str(tmp_path)!r}, {str(Path.home())!r}):
    try:
        found += [name for name in os.listdir(path) if name != ".pyenv"]
    except OSError:
        pass
"""
    outcome = run(level, code, "__report__(0, [found])")
    assert outcome.tests[0].reports == ((0, [[]]),)


@pytest.mark.parametrize("level", LEVELS)
def test_no_connection_arrives(level: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        port = server.getsockname()[1]
        outcome = run(level, f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)")
        assert outcome.failure is not None and outcome.failure[0] == "exception"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("level", LEVELS)
def test_what_does_no_harm_works(level: str) -> None:
    """Threads, the scratch folder, SciPy, prints: a sandbox that forbids these fails right code."""
    code = """
import threading, tempfile
from scipy.special import erf
thread = threading.Thread(target=print, args=("from a thread",)); thread.start(); thread.join()
with open("note.txt", "w") as file:
    file.write("x")
with tempfile.NamedTemporaryFile() as file:
    file.write(b"y")
def f(x):
    return erf(x)
"""
    outcome = run(level, code, "__report__(0, [f(0.5)])")
    assert outcome.failure is None and outcome.tests[0].failure is None
    assert outcome.tests[0].reports[0][1][0] == pytest.approx(0.5204998778)
    assert "from a thread" in outcome.printed


@pytest.mark.parametrize("level", LEVELS)
def test_prints_are_capped_and_do_not_block(level: str) -> None:
    outcome = run(level, "print('x' * (8 << 20))", output=1000)
    assert outcome.failure is None
    assert len(outcome.printed) == 1000


@pytest.mark.parametrize("level", LEVELS)
def test_limits_cannot_be_raised_and_threads_are_pinned(level: str) -> None:
    code = """
import os, resource
refused = 0
for what, value in ((resource.RLIMIT_AS, 1 << 40), (resource.RLIMIT_FSIZE, 1 << 40)):
    try:
        resource.setrlimit(what, (value, value))
    except (ValueError, OSError):
        refused += 1
threads = os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]
secrets = [name for name in os.environ if name in ("SECRET_OF_THE_PARENT", "USER", "LOGNAME")]
"""
    os.environ["SECRET_OF_THE_PARENT"] = "1"
    try:
        outcome = run(level, code, "__report__(0, [refused, threads, secrets])")
    finally:
        del os.environ["SECRET_OF_THE_PARENT"]
    assert outcome.tests[0].reports[0][1] == [2, ("1", "1"), []]


def alive(run_id: str) -> list[str]:
    """Processes whose command line names a run: a forked child keeps its parent's."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if run_id.encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(bool(unavailable("bubblewrap")), reason=unavailable("bubblewrap") or "-")
@pytest.mark.parametrize("ending", ["", "while True: pass"])
def test_a_sleeper_does_not_survive_its_run(ending: str) -> None:
    """Where processes are allowed, so that the fork works, all of them end with the run or its time."""
    code = f"""
import os, time
if os.fork() == 0:
    try:
        os.setsid()
    except OSError:
        pass
    for fd in range(64):
        try:
            os.close(fd)
        except OSError:
            pass
    time.sleep(50)
    os._exit(0)
forked = True
{ending}
"""
    sandbox = Sandbox(Limits(seconds=2.0, processes=20), level="bubblewrap")
    outcome = sandbox.run("import numpy as np", code, [ChildTest("__report__(0, [forked])")])
    if ending:
        assert outcome.failure is not None and outcome.failure[0] == "timeout"
    else:
        assert outcome.tests[0].reports == ((0, [True]),)  # it did fork
    until = time.monotonic() + 3.0
    while alive(outcome.run_id) and time.monotonic() < until:
        time.sleep(0.02)
    assert alive(outcome.run_id) == []


@pytest.mark.parametrize("level", LEVELS)
def test_the_whole_child_is_gone_after_its_time(level: str) -> None:
    before = threading.active_count()
    outcome = run(
        level,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\ntime.sleep(99)",
        seconds=1.0,
    )
    assert outcome.failure == ("timeout", "over 1 s")
    assert outcome.seconds < 4.0
    assert alive(outcome.run_id) == [] and threading.active_count() == before


@pytest.mark.parametrize("level", LEVELS)
def test_processor_time_is_bounded_when_the_clock_is_not(level: str) -> None:
    """The kernel ends a loop by itself, so a stuck parent does not leave it running."""
    sandbox = Sandbox(Limits(seconds=1.0), level=level)
    child = sandbox._child()
    child.limits = Limits(seconds=1.0)
    with child:
        child.deadline += 30.0
        child.send({**child.order, "dependencies": "import numpy as np", "code": "while True: pass"})
        ended = child.frame()
    assert isinstance(ended, tuple) and ended[0] == "timeout" and "processor" in ended[1]


@pytest.mark.parametrize("level", LEVELS)
def test_upstream_semantics_accept_what_we_reject(level: str) -> None:
    """Two that need nothing but an exit status of 0."""
    sandbox, data = Sandbox(TIGHT, level=level), TARGETS.read_bytes()
    step = PROBLEM.step(STEP)
    fooled = [one for one in adversaries() if one.name in ("exit 0", "read the answers")]
    assert len(fooled) == 2
    for one in fooled:
        assert upstream.passes(sandbox, data, PROBLEM, step, one.code), one.name
    wrong = "def legendre_jacobi(n):\n    return np.zeros((n, n))\n"
    assert not upstream.passes(sandbox, data, PROBLEM, step, wrong)


def test_without_isolation_nothing_runs_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IsolationError, match="allow_unisolated"):
        Sandbox(level="none")
    monkeypatch.setattr(isolation_module, "unavailable", lambda level: "" if level == "none" else "not here")
    with pytest.raises(IsolationError, match="bubblewrap: not here; landlock: not here"):
        Sandbox()
    told = Sandbox(TIGHT, allow_unisolated=True)
    assert told.isolation.level == "none" and not told.isolation.complete
    outcome = told.run("import numpy as np", "def f(): return 3", [ChildTest("__report__(0, [f()])")])
    assert outcome.tests[0].reports == ((0, [3]),) and outcome.isolation == "none"


def test_an_unknown_level_says_which_there_are() -> None:
    with pytest.raises(IsolationError, match="bubblewrap, landlock or none"):
        Sandbox(level="docker", allow_unisolated=True)


def test_processes_are_refused_where_they_could_not_be_killed() -> None:
    with pytest.raises(ValueError, match="processes need bubblewrap"):
        Sandbox(Limits(processes=4), level="none", allow_unisolated=True)


@pytest.mark.parametrize("field", ["seconds", "memory", "file", "output"])
def test_a_limit_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be above 0"):
        Limits(**{field: 0})


def test_the_strongest_isolation_comes_first() -> None:
    best = next(level for level in ("bubblewrap", "landlock", "none") if not unavailable(level))
    if best == "none":
        pytest.skip("no isolation here")
    assert Sandbox().isolation.level == best
    assert Sandbox().isolation.complete
