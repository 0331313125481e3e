# ruff: noqa: E501 - code in strings, tables of cases
"""Problems, prompts, tests in two halves, grading, reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py")
pytest.importorskip("scipy")

from presscheck.systems.scicode import (
    Grader,
    Limits,
    MemoryTargets,
    PromptBuilder,
    Sandbox,
    SciCodeProblem,
    TargetStore,
    count,
    evaluate,
    extract_code,
    load_problems,
    solve,
    wilson,
)
from presscheck.systems.scicode.asserts import judge, split
from presscheck.systems.scicode.grading import ProblemVerdict, Report, StepVerdict
from presscheck.systems.scicode.isolation import unavailable
from presscheck.systems.scicode.mini_set import load_mini, mini_targets, rows, write_jsonl

NO_SANDBOX = bool(unavailable("bubblewrap")) and bool(unavailable("landlock"))
needs_sandbox = pytest.mark.skipif(NO_SANDBOX, reason="no isolation on this machine")


def step_row(number: str, code: str = "def f(x):\n    return x\n", **more: Any) -> dict[str, Any]:
    row = {
        "step_number": number,
        "step_description_prompt": f"Do step {number}.",
        "step_background": f"Background of {number}.",
        "function_header": code.split("\n")[0] + "\n    '''What it does.'''",
        "return_line": "    return x",
        "ground_truth_code": code,
        "test_cases": ["assert np.allclose(f(2.0), target)"],
    }
    return row | more


def problem_row(identity: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "problem_id": identity,
        "problem_name": "p",
        "required_dependencies": "import numpy as np",
        "sub_steps": steps,
    } | more


def load(*rows: dict[str, Any], **more: Any) -> list[SciCodeProblem]:
    return load_problems(rows, **more)


def grader(targets: Any, **more: Any) -> Grader:
    return Grader(targets, Sandbox(Limits(seconds=20.0)), **more)


# Loading ----------------------------------------------------------------------------------------


def test_twelve_steps_stay_twelve_steps() -> None:
    """Read as decimals, 77.1 and 77.10 are one step, and 77.2 comes after 77.12."""
    numbers = [f"77.{i}" for i in (1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9)]
    codes = {n: f"def f{n.split('.')[1]}(x):\n    return x\n" for n in numbers}
    [problem] = load(problem_row("77", [step_row(n, codes[n]) for n in numbers]))
    assert [step.number for step in problem.steps] == [f"77.{i}" for i in range(1, 13)]
    assert problem.step("77.10").name == "f10" and problem.step("77.1").name == "f1"


def test_given_steps_are_not_counted() -> None:
    many = [problem_row(i, [step_row(f"{i}.{k}") for k in range(1, 7)]) for i in ("13", "62", "76", "5")]
    counts = count(load(*many))
    assert (counts.problems, counts.steps, counts.graded_steps) == (4, 24, 21)


def test_the_bundled_set_has_the_published_form(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    write_jsonl(path)
    assert load_problems(path) == load_mini()
    (tmp_path / "list.json").write_text(json.dumps(rows()))
    assert load_problems(tmp_path / "list.json") == load_mini()
    counts = count(load_mini())
    assert (counts.problems, counts.steps, counts.graded_steps) == (10, 33, 33)
    assert len({one.domain for one in load_mini()}) == 5


def test_a_line_separator_inside_text_does_not_end_a_line(tmp_path: Path) -> None:
    row = problem_row("1", [step_row("1.1")], problem_description_main="one\u2028two")
    (tmp_path / "p.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert load_problems(tmp_path / "p.jsonl")[0].description == "one\u2028two"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([problem_row("1", [step_row("1.1"), step_row("1.1")])], "step number 1.1 comes twice"),
        ([problem_row("1", [step_row("1.1"), step_row("1.3")])], "step 1.2 is missing"),
        ([problem_row("1", [step_row("2.1")])], "problem 1: step 2.1 belongs to another"),
        ([problem_row("1", [step_row("1.1", step_number=1.1)])], "problem 1: step number must be text"),
        (
            [problem_row("1", [step_row("1.1", function_header="x = 1")])],
            "step 1.1 has neither def nor class",
        ),
        ([problem_row("1", [step_row("1.1", test_cases=[])])], "step 1.1 has no test"),
        ([problem_row("1", [])], "at least one step"),
        ([problem_row("1", [step_row("1.1")])] * 2, "problem 1 comes twice"),
        ([problem_row("a/b", [step_row("1.1")])], "problem_id"),
        (["nothing"], "must be an object"),
    ],
)
def test_malformed_problems_are_named(rows: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_problems(rows)


def test_an_unknown_step_is_named() -> None:
    [problem] = load(problem_row("1", [step_row("1.1")]))
    with pytest.raises(ValueError, match="problem 1 has no step 1.10"):
        problem.step("1.10")
    with pytest.raises(ValueError, match=r"given code for step 9\.1"):
        load(problem_row("1", [step_row("1.1")]), given={"9.1": "x"})


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("def f(x):\n    '''It calls def g(x) inside.'''", "f"),
        (
            "class Maxwell:\n    '''With def step(x) in its text.'''\n    def __init__(self):\n        pass",
            "Maxwell",
        ),
        ("class Wave(object):\n    def __init__(self, n):", "Wave"),
        ("import numpy\n\ndef g(x,\n      y=2):", "g"),
        ("def broken(x:\n", "broken"),
    ],
)
def test_the_name_is_what_the_header_defines(header: str, name: str) -> None:
    [problem] = load(problem_row("1", [step_row("1.1", function_header=header)]))
    assert problem.steps[0].name == name


# Prompts ----------------------------------------------------------------------------------------


def test_the_prompt_has_what_the_setting_gives() -> None:
    [problem] = load(problem_row("1", [step_row("1.1"), step_row("1.2"), step_row("1.3")]))
    with_background = PromptBuilder(True).prompt(problem, problem.steps[1], ("def mine(): pass",))
    without = PromptBuilder(False).prompt(problem, problem.steps[1], ("def mine(): pass",))
    for text in (with_background, without):
        assert "Do step 1.1." in text and "Do step 1.2." in text and "Do step 1.3." not in text
        assert "def mine(): pass" in text and "import numpy as np" in text and "return x" in text
    assert "Background of 1.1." in with_background and "Background of 1.2." in with_background
    assert "Background of" not in without


def test_braces_in_a_problem_are_left_alone() -> None:
    [problem] = load(problem_row("1", [step_row("1.1", step_description_prompt=r"\frac{header}{2} {step}")]))
    assert r"\frac{header}{2} {step}" in PromptBuilder().prompt(problem, problem.steps[0], ())


def test_a_template_without_the_step_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks {header}"):
        PromptBuilder(template="{step}")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("```python\ndef f(x):\n    return 1\n```", "def f(x):\n    return 1"),
        (
            "A draft:\n```python\ndef f(x):\n    return 1\n```\nBetter:\n```py\ndef f(x):\n    return 2\n```",
            "def f(x):\n    return 2",
        ),
        (
            "```python\ndef f(x):\n    return 1\n```\nUse:\n```python\nprint(f(2))\n```",
            "def f(x):\n    return 1",
        ),
        (
            "```python\ndef h():\n    return 3\n```\nand\n```python\ndef f(x):\n    return h()\n```",
            "def h():\n    return 3\n\n\ndef f(x):\n    return h()",
        ),
        ("```\ndef f(x):\n    return 1\n", "def f(x):\n    return 1"),
        ("def f(x):\n    return 1\n", "def f(x):\n    return 1"),
        ("```bash\nls\n```", None),
        ("I cannot do that.", None),
        ("", None),
        ("~~~python\ndef f(x):\n    return '```'\n~~~", "def f(x):\n    return '```'"),
    ],
)
def test_the_code_of_a_reply(reply: str, code: str | None) -> None:
    found = extract_code(reply, "f")
    assert (found.strip() if found else found) == code


def test_self_mode_goes_on_from_the_models_code_and_gold_mode_from_gold() -> None:
    gold = ["def a():\n    return 1\n", "def b():\n    return 2\n"]
    [problem] = load(problem_row("1", [step_row("1.1", gold[0]), step_row("1.2", gold[1])]))
    prompts: list[str] = []

    def model(prompt: str) -> str:
        prompts.append(prompt)
        return "```python\ndef a():\n    return 99\n```"

    own = solve(problem, model, "self").attempts[1]
    right = solve(problem, model, "gold").attempts[1]
    assert own.previous == ("def a():\n    return 99",) and "return 99" in prompts[1]
    assert right.previous == (gold[0],) and "return 99" not in prompts[3]
    with pytest.raises(ValueError, match="self or gold"):
        solve(problem, model, "silver")  # type: ignore[arg-type]


def test_gold_mode_without_gold_names_problem_and_step() -> None:
    [problem] = load(problem_row("1", [step_row("1.1"), step_row("1.2", ground_truth_code="")]))
    with pytest.raises(ValueError, match=r"problem 1: step 1\.2 has no gold code"):
        solve(problem, lambda prompt: "", "gold")


# Tests in two halves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "value", "target", "holds"),
    [
        ("assert np.allclose(f(), target)", np.ones(3), np.ones(3), True),
        ("assert np.allclose(f(), target)", 1.0, np.ones(3), False),
        ("assert np.allclose(f(), target)", np.ones((0, 3)), np.ones(3), False),
        ("assert np.allclose(target, f())", np.ones(3) * 2, np.ones(3), False),
        ("assert np.allclose(f(), target, rtol=0.2)", 1.1, 1.0, True),
        ("assert np.allclose(f()[0], target[0]) and np.allclose(f()[1], target[1])", 2.0, (2.0, 2.0), True),
        ("assert np.allclose(f()[0], target[0]) and np.allclose(f()[1], target[1])", 2.0, (2.0, 3.0), False),
        ("a, b = f()\nassert a == target", "x", "x", True),
        ("assert f() == target", 3, 4, False),
        ("assert (f() == target).all()", np.array([1, 2]), np.array([1, 2]), True),
        ("assert (f() == target).all()", np.array([]), np.array([1, 2]), False),
        ("assert abs(f() - target) < 1e-3", 1.0004, 1.0, True),
        ("tol = 1e-3\nassert abs(f() - target) < tol", 1.1, 1.0, False),
        ("assert np.max(np.abs(f() - target)) <= 1e-3", np.zeros((1, 2)), np.zeros((2, 1)), False),
        (
            "from scicode.compare.cmp import cmp_tuple_or_list\nassert cmp_tuple_or_list(f(), target)",
            (1, [2.0]),
            (1, [2.0]),
            True,
        ),
        (
            "from scicode.compare.cmp import are_dicts_close\nassert are_dicts_close(f(), target)",
            {"a": 1},
            {"a": 2},
            False,
        ),
        ("assert not np.allclose(f(), target)", 1.0, 2.0, True),
        ("np.testing.assert_allclose(f(), target, atol=0.1)", 1.05, 1.0, True),
        ("assert np.isclose(f(), target)", np.ones(2), 1.0, False),
        ("assert f().shape == target.shape and f() is not None", True, np.ones(2), False),
    ],
)
def test_a_test_in_two_halves_says_what_it_said(test: str, value: Any, target: Any, holds: bool) -> None:
    halves = split(test)
    assert not halves.handed and "target" not in halves.source
    values = [value] * halves.source.count("f()")
    found = judge(halves.residuals[0], values, target)
    assert found.ok is holds, found


def test_what_cannot_be_split_is_handed_over() -> None:
    for test in (
        "for one, other in zip(f(), target):\n    assert np.allclose(one, other)",
        "expected = target\nassert f() == expected",
        "assert all(np.allclose(a, b) for a, b in zip(f(), target))",
        "assert f() == unknown(target)",
    ):
        assert split(test).handed
    with pytest.raises(ValueError, match="asserts nothing"):
        split("f()")
    with pytest.raises(ValueError, match="is no Python"):
        split("assert (")


def test_a_method_of_the_solutions_own_class_runs_in_the_child() -> None:
    """`sum` of a class of the solution's is not NumPy's."""
    assert "f().sum()" in split("assert f().sum() == target").source


def test_a_tolerance_is_not_the_childs_to_choose() -> None:
    """It would else be a name of the child, where a solution can reach it."""
    halves = split("tol = 1e-6\nassert abs(f() - target) < tol")
    assert "tol" not in halves.source.split("__report__")[1]


# Grading ----------------------------------------------------------------------------------------

THREE = [
    step_row("1.1", "SCALE = 2.0\n\ndef helper(x):\n    return SCALE * x\n\ndef first(x):\n    return helper(x)\n",
             function_header="def first(x):", test_cases=["assert np.allclose(first(2.0), target)"]),
    step_row("1.2", "def second(x):\n    return x + 1\n", test_cases=["assert np.allclose(second(2.0), target)"]),
    step_row("1.3", "def third(x):\n    return helper(second(x)) * SCALE\n",
             test_cases=["assert np.allclose(third(2.0), target)"]),
]  # fmt: skip
THREE_TARGETS = MemoryTargets({"1.1": [4.0], "1.2": [3.0], "1.3": [12.0]})


def gold_model(problem: SciCodeProblem) -> Any:
    replies = iter([f"```python\n{step.gold}```" for step in problem.steps if not step.given])
    return lambda prompt: next(replies)


@needs_sandbox
def test_helpers_and_constants_of_earlier_steps_live_on() -> None:
    """Keeping only the function asked for loses `helper` and `SCALE`, and step 3 fails."""
    [problem] = load(problem_row("1", THREE))
    verdict = grader(THREE_TARGETS).solution(problem, solve(problem, gold_model(problem)))
    assert verdict.solved


CLASS = """class Counter:
    '''Counts; def count(self) is its way.'''

    def __init__(self, start):
        self.value = start

    def count(self, n):
        self.value = self.value + n
        return self.value
"""


@needs_sandbox
def test_a_given_class_stays_whole_and_the_problem_can_be_solved() -> None:
    steps = [
        step_row("13.1", "def start():\n    return 5\n", test_cases=["assert start() == target"]),
        step_row("13.2", CLASS, function_header="class Counter:\n    def __init__(self, start):", given_code=CLASS),
        step_row("13.3", "def total(n):\n    return Counter(start()).count(n)\n", test_cases=["assert total(2) == target"]),
    ]  # fmt: skip
    [problem] = load(problem_row("13", steps))
    targets = MemoryTargets({"13.1": [5], "13.3": [7]})
    report = evaluate([problem], gold_model(problem), targets, grader=grader(targets))
    assert report.main.passed == 1
    assert (report.steps.passed, report.steps.total) == (2, 2)
    with pytest.raises(ValueError, match=r"step 13\.2 is given"):
        grader(targets).step(problem, problem.steps[1], CLASS)


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (None, "no code"),
        ("  \n", "no code"),
        ("def f(x):\n    return 3.0", "wrong answer"),
        ("def f(x):\n    return [2.0, 2.0]", "wrong shape or type"),
        ("def f(x):\n    return (y for y in [x])", "wrong shape or type"),
        ("def f(x):\n    return x / 0", "exception"),
        ("def f(x:\n", "exception"),
        ("def f(x):\n    raise SystemExit(0)", "early exit"),
        ("raise AssertionError", "exception"),
        ("def f(x):\n    assert False", "wrong answer"),
        ("np.linalg.norm = max\ndef f(x):\n    return 2.0", "tampering"),
        ("class Same(float):\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Same(3)", "wrong answer"),
        ("def f(x):\n    class Liar:\n        def __eq__(self, other):\n            return True\n    return Liar()", "wrong shape or type"),
    ],
)  # fmt: skip
def test_the_kind_of_failure(code: str | None, kind: str) -> None:
    [problem] = load(
        problem_row(
            "1",
            [step_row("1.1", test_cases=["assert f(2.0) == target", "assert np.allclose(f(2.0), target)"])],
        )
    )
    verdict = grader(MemoryTargets({"1.1": [2.0, 2.0]})).step(problem, problem.steps[0], code)
    assert (verdict.passed, verdict.kind) == (False, kind), verdict


@needs_sandbox
def test_a_name_of_the_solution_does_not_stand_in_for_numpy() -> None:
    """`np` in a test is NumPy even if the solution has made it something else."""
    [problem] = load(
        problem_row("1", [step_row("1.1", test_cases=["assert np.allclose(f(np.array([2.0])), target)"])])
    )
    code = "class np:\n    array = staticmethod(lambda x: x)\n    allclose = staticmethod(lambda *a: True)\ndef f(x):\n    return type(x).__name__\n"
    verdict = grader(MemoryTargets({"1.1": ["list"]})).step(problem, problem.steps[0], code)
    assert not verdict.passed


@needs_sandbox
def test_tests_may_define_helpers_and_share_names() -> None:
    """The second test of a published step often uses what the first one set."""
    tests = [
        "def twice(x):\n    return 2 * x\nL = 3.0\nassert f(twice(1.0)) == target",
        "assert f(L) == target",
    ]
    [problem] = load(problem_row("1", [step_row("1.1", test_cases=tests)]))
    verdict = grader(MemoryTargets({"1.1": [2.0, 3.0]})).step(
        problem, problem.steps[0], "def f(x):\n    return x"
    )
    assert verdict.passed


@needs_sandbox
@pytest.mark.parametrize(
    ("code", "differs"),
    [
        ("def f(x):\n    return x", False),
        ("seen = []\ndef f(x):\n    seen.append(x)\n    return x if len(seen) == 1 else -x", True),
        (
            "def f(x):\n    return x * (np.random.randint(0, 9, 4) >= 0).all() + (np.random.seed(1) or 0)",
            False,
        ),
    ],
)
def test_state_that_leaks_between_tests_is_flagged(code: str, differs: bool) -> None:
    tests = ["assert f(2.0) == target", "assert f(3.0) == target"]
    [problem] = load(problem_row("1", [step_row("1.1", test_cases=tests)]))
    strict = grader(MemoryTargets({"1.1": [2.0, 3.0]}), check_order=True)
    assert strict.step(problem, problem.steps[0], code).depends_on_order is differs


@needs_sandbox
def test_a_target_that_is_handed_over_still_comes_after_the_solution() -> None:
    test = "for one, other in zip(f(2.0), target):\n    assert np.allclose(one, other)"
    [problem] = load(problem_row("1", [step_row("1.1", test_cases=[test])]))
    harness = grader(MemoryTargets({"1.1": [[2.0, 4.0]]}))
    right = harness.step(problem, problem.steps[0], "def f(x):\n    return [x, 2 * x]")
    assert right.passed and right.handed
    assert not harness.step(problem, problem.steps[0], "def f(x):\n    return [x, x]").passed
    spy = """
import gc
pairs = [one for one in gc.get_objects() if type(one) is list and len(one) == 2 and type(one[0]) is float]
assert [2.0, 4.0] not in pairs
def f(x):
    return [x, x]
"""
    assert harness.step(problem, problem.steps[0], spy).kind == "wrong answer"


@needs_sandbox
def test_an_assertion_that_is_not_reached_is_no_pass() -> None:
    """A solution that ends a test early without an error must not gain by it."""
    test = "x = f(1.0)\nassert np.allclose(x, target)"
    [problem] = load(problem_row("1", [step_row("1.1", test_cases=[test])]))
    code = "def f(x):\n    import sys\n    sys._getframe(1).f_globals['__report__'] = lambda *a: None\n    return x"
    verdict = grader(MemoryTargets({"1.1": [1.0]})).step(problem, problem.steps[0], code)
    assert verdict.kind == "tampering"


def test_missing_targets_are_named(tmp_path: Path) -> None:
    """A missing file once made every score 0 in a port; here it is an error."""
    [problem] = load(problem_row("1", [step_row("1.1", test_cases=["assert f(1) == target"] * 2)]))
    for targets, says in (
        (MemoryTargets({}), "step 1.1 has 2 tests and 0 targets"),
        (MemoryTargets({"1.1": [1]}), "step 1.1 has 2 tests and 1 targets"),
        (TargetStore(tmp_path / "none.h5"), "no file of targets .* step 1.1"),
    ):
        harness = Grader(targets, Sandbox(level="none", allow_unisolated=True))
        with pytest.raises(ValueError, match=says):
            harness.step(problem, problem.steps[0], None)


def test_a_step_that_was_never_generated_is_no_pass() -> None:
    [problem] = load(problem_row("1", THREE))
    solution = solve(problem, lambda prompt: "")
    part = type(solution)("1", "self", False, solution.attempts[:2])
    harness = Grader(THREE_TARGETS, Sandbox(level="none", allow_unisolated=True))
    with pytest.raises(ValueError, match=r"no attempt at step 1\.3"):
        harness.solution(problem, part)


# Reports ----------------------------------------------------------------------------------------


def test_wilson_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for passed, total in ((0, 33), (3, 65), (33, 33), (75, 288)):
        theirs = binomtest(passed, total).proportion_ci(method="wilson")
        assert wilson(passed, total) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="got 4 of 3"):
        wilson(4, 3)


def test_the_report_counts_by_domain_and_kind() -> None:
    def problem(identity: str, domain: str, *kinds: str) -> ProblemVerdict:
        return ProblemVerdict(identity, domain, tuple(StepVerdict(identity, not k, k) for k in kinds))

    report = Report(
        (problem("1", "physics", "", ""), problem("2", "physics", "", "timeout"), problem("3", "biology", "no code")),
        "self", False, "none",
    )  # fmt: skip
    assert (report.main.passed, report.main.total) == (1, 3)
    assert (report.steps.passed, report.steps.total) == (3, 5)
    main, steps = report.by_domain["physics"]
    assert (main.passed, main.total, steps.passed, steps.total) == (1, 2, 3, 4)
    assert report.failures["timeout"] == 1 and report.failures["no code"] == 1 and len(report.failures) == 8
    assert "main problems 1/3" in str(report) and "timeout: 1" in str(report)


@needs_sandbox
def test_an_empty_model_solves_nothing_and_starts_nothing() -> None:
    report = evaluate(load_mini(), lambda prompt: "No.", mini_targets(), grader=grader(mini_targets()))
    assert (report.main.passed, report.steps.passed, report.failures["no code"]) == (0, 0, 33)
