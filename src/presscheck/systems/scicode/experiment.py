"""Measures the harness on gold code, mutants, hostile code, simulated solvers and a small model."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable

from . import upstream
from .adversaries import STEP, adversaries
from .grading import Grader
from .humaneval import load_humaneval
from .mini_set import TARGETS, load_mini, mini_targets, rows
from .mutants import Mutant, equivalent, mutate
from .problems import SciCodeProblem, SciCodeStep, count, load_problems
from .prompts import PromptBuilder, extract_code
from .sandbox import Limits, Sandbox
from .simulated import Simulation, draw

MODELS = True
ROUNDS = {"smoke": 2, "quick": 5, "full": 5}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
WORKERS = 2


@dataclass(frozen=True)
class Size:
    """How much of everything one round has."""

    problems: int
    """Whose gold code is graded."""
    steps: int
    """That are mutated."""
    mutants: int
    """A step."""
    shared: int
    """Mutants, and as many gold steps, that the other harnesses grade too."""
    hostile: int
    simulated: int
    """Problems of the simulated solvers."""
    draws: int
    asked: int
    """Steps of one problem that the model is asked for."""
    tokens: int
    settings: bool
    """Whether the model runs in all four settings."""
    humaneval: int


SIZES = {
    "smoke": Size(1, 1, 1, 1, 2, 1, 4, 1, 0, True, 1),
    "quick": Size(2, 8, 1, 3, 8, 1, 200, 1, 64, False, 0),
    "full": Size(2, 33, 1, 8, 13, 2, 200, 3, 96, True, 8),
}
ERROR_RATES = {"smoke": (0.3,), "quick": (0.1, 0.3, 0.5), "full": (0.1, 0.3, 0.5)}


@functools.cache
def problems() -> tuple[SciCodeProblem, ...]:
    """The bundled set."""
    return tuple(load_mini())


def graders() -> tuple[Grader, Grader]:
    """For ordinary code, and with tight limits for hostile code."""
    usual = Grader(mini_targets(), Sandbox(Limits(seconds=20.0)))
    tight = Grader(mini_targets(), Sandbox(Limits(seconds=2.0, memory=1 << 30)))
    return usual, tight


Pair = tuple[SciCodeProblem, SciCodeStep]


def before(pair: Pair) -> tuple[str, ...]:
    """Gold code of the steps before."""
    problem, step = pair
    return tuple(one.gold or "" for one in problem.steps[: step.index - 1])


def chosen(seed: int, size: Size) -> list[tuple[Pair, Mutant]]:
    """The mutants of a round, the shared ones first; every step comes once before any comes twice."""
    pairs = [(problem, step) for problem in problems() for step in problem.steps]
    random.Random(f"steps {seed}").shuffle(pairs)
    found = []
    for pair in pairs[: size.steps]:
        mutants = mutate(pair[1].gold or "", pair[1].number, seed, size.mutants)
        found += [(pair, mutant) for mutant in mutants]
    return found


def some_problems(seed: int, number: int) -> list[SciCodeProblem]:
    """A round's problems; five rounds of two have all ten."""
    known = problems()
    return [known[(seed * number + i) % len(known)] for i in range(min(number, len(known)))]


def hostile(seed: int, size: Size) -> list[Any]:
    """The attacks of a round.

    At `smoke` only harmless ones, which take no time. At `quick` all that fool an exit status and, of the
    rest, which run until a limit ends them, two that change from round to round. At `full` all.
    """
    known = list(adversaries())
    fooling = [one for one in known if one.fools_exit_status]
    others = [one for one in known if not one.fools_exit_status]
    if (more := size.hostile - len(fooling)) > 0:
        more = min(more, len(others))
        return fooling + [others[(seed * more + i) % len(others)] for i in range(more)]
    harmless = [one for one in known if one.harmless]
    random.Random(f"hostile {seed}").shuffle(harmless)
    return harmless[: size.hostile]


def spread(jobs: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    """Work on all jobs, two at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, jobs))


def arms(run: Run) -> dict[str, Arm]:
    """Ours, upstream's semantics, the peer, the simulated solvers, the model, and the published files."""
    size = SIZES[run.size]
    usual, tight = graders()
    attacked = next(one for one in problems() if one.id == STEP.split(".")[0])

    def ours(seed: int) -> Iterator[Reading]:
        gold = [(problem, step) for problem in some_problems(seed, size.problems) for step in problem.steps]
        passed = spread(gold, lambda pair: usual.step(pair[0], pair[1], pair[1].gold, before(pair)).passed)
        yield "gold_passed", sum(passed) / len(passed), "1"
        empty = [usual.step(pair[0], pair[1], None, before(pair)).passed for pair in gold]
        yield "empty_passed", sum(empty) / len(empty), "1"
        jobs = chosen(seed, size)
        verdicts = spread(
            jobs, lambda job: usual.step(job[0][0], job[0][1], job[1].code, before(job[0])).passed
        )
        differ = [
            not (accepted and equivalent(*pair, mutant.code, usual.sandbox, seed=seed))
            for (pair, mutant), accepted in zip(jobs, verdicts, strict=True)
        ]
        rejected = [not accepted for accepted, counts in zip(verdicts, differ, strict=True) if counts]
        yield "mutants", float(len(rejected)), "1"
        yield "mutants_rejected", sum(rejected) / len(rejected), "1"
        shared = verdicts[: size.shared]
        yield "shared_mutants_rejected", 1.0 - sum(shared) / len(shared), "1"
        attacks = hostile(seed, size)
        accepted = spread(attacks, lambda one: tight.step(attacked, attacked.step(STEP), one.code).passed)
        yield "adversaries_accepted", float(sum(accepted)), "1"
        pairs = zip(attacks, accepted, strict=True)
        yield "harmless_adversaries_accepted", float(sum(a for one, a in pairs if one.harmless)), "1"

    def theirs(seed: int) -> Iterator[Reading]:
        data = TARGETS.read_bytes()

        def passes(job: tuple[Pair, str, Sandbox]) -> bool:
            return upstream.passes(job[2], data, *job[0], job[1], before(job[0]))

        mutants = [(pair, mutant.code, usual.sandbox) for pair, mutant in chosen(seed, size)[: size.shared]]
        accepted = spread(mutants, passes)
        yield "shared_mutants_rejected", 1.0 - sum(accepted) / len(accepted), "1"
        attacks = hostile(seed, size)
        pair = (attacked, attacked.step(STEP))
        # Time to start h5py and SciPy must not look like a rejection.
        limits = Limits(seconds=10.0, memory=1 << 30)
        patient = Sandbox(limits)
        short = Sandbox(replace(limits, seconds=4.0))
        jobs = [(pair, one.code, patient if one.fools_exit_status else short) for one in attacks]
        fooled = spread(jobs, passes)
        yield "adversaries_accepted", float(sum(fooled)), "1"
        harmless = [a for one, a in zip(attacks, fooled, strict=True) if one.harmless]
        yield "harmless_adversaries_accepted", float(sum(harmless)), "1"

    found: dict[str, Arm] = {"presscheck": ours, "upstream": theirs, "inspect-evals": peer(run, size)}
    known: dict[str, bool] = {}
    shares = ERROR_RATES[run.size]
    found |= {f"solver-{mode}": simulated(mode, size, shares, usual, known) for mode in ("self", "gold")}
    found |= models(run, size, usual)
    found["published"] = published
    return found


def peer(run: Run, size: Size) -> Peer:
    """The peer's jobs, which it is told with each trial."""
    by_id = {row["problem_id"]: row for row in rows()}

    def job(pair: Pair, code: str, kind: str) -> dict[str, Any]:
        return {"problem": by_id[pair[0].id], "codes": [*before(pair), code], "kind": kind}

    jobs: dict[str, list[dict[str, Any]]] = {}
    attacked = next(one for one in problems() if one.id == STEP.split(".")[0])
    for seed in run.seeds:
        mutants = chosen(seed, size)[: size.shared]
        jobs[str(seed)] = [job(pair, mutant.code, "mutant") for pair, mutant in mutants]
        jobs[str(seed)] += [job(pair, pair[1].gold or "", "gold") for pair, _ in mutants]
        attacks = [one for one in hostile(seed, size) if one.harmless]
        pair = (attacked, attacked.step(STEP))
        jobs[str(seed)] += [job(pair, one.code, "adversary") for one in attacks]
    settings = {"jobs": jobs, "data": str(TARGETS), "timeout": 30}
    return Peer("inspect-evals", "presscheck.systems.scicode.peers:graded", settings, patience=600.0)


def simulated(
    mode: str, size: Size, shares: tuple[float, ...], grader: Grader, known: dict[str, bool]
) -> Arm:
    """A solver that is wrong at known places.

    Args:
        mode: ``self`` or ``gold``.
        size: Of the run.
        shares: Error rates a step.
        grader: Of the cases.
        known: Verdicts by script, which both modes use.
    """

    def passes_with(problem: SciCodeProblem, step: SciCodeStep, codes: list[str]) -> bool:
        key = "\n\n".join(codes)
        if key not in known:
            known[key] = grader.step(problem, step, codes[-1], codes[:-1]).passed
        return known[key]

    def rejected(problem: SciCodeProblem, step: SciCodeStep, seed: int) -> str:
        """The first mutant of a step that is rejected where the steps before are gold."""
        for mutant in mutate(step.gold or "", step.number, seed, 10):
            if not passes_with(problem, step, [*before((problem, step)), mutant.code]):
                return mutant.code
        raise Unavailable(f"no mutant of step {step.number} is rejected")

    def arm(seed: int) -> Iterator[Reading]:
        group = some_problems(seed, size.simulated)
        wrong = {step.number: rejected(one, step, seed) for one in group for step in one.steps}

        def passes(problem: SciCodeProblem, index: int, case: tuple[bool, ...]) -> bool:
            steps = zip(problem.steps, case, strict=False)
            codes = [wrong[step.number] if changed else step.gold or "" for step, changed in steps]
            return passes_with(problem, problem.steps[index], codes)

        simulation = Simulation(passes, mode)
        differences = []
        for share in shares:
            rates = simulation.rates(draw(group, share, size.draws, seed))
            differences.append(rates.main - rates.steps)
            suffix = "" if share == 0.3 else f"_q{round(100 * share)}"
            yield f"main_rate{suffix}", rates.main, "1"
            yield f"step_rate{suffix}", rates.steps, "1"
            if not suffix:
                yield "gap_in_half_widths", rates.gap_in_half_widths, "1"
        yield "main_minus_step", max(differences), "1"

    return arm


def models(run: Run, size: Size, grader: Grader) -> dict[str, Arm]:
    """The model in its settings, and on HumanEval."""

    def setting(mode: str, background: bool) -> Arm:
        def arm(seed: int) -> Iterator[Reading]:
            if not size.settings and (mode, background) != ("self", False):
                raise Unavailable("only at size full")
            problem = random.Random(f"asked {seed}").choice(problems())
            build, many = PromptBuilder(background), writer(run, size)
            steps = problem.steps[: size.asked]
            gold = [step.gold or "" for step in steps]
            if mode == "gold":
                replies = many([build.prompt(problem, s, tuple(gold[: s.index - 1])) for s in steps])
                codes = [extract_code(r, s.name) for r, s in zip(replies, steps, strict=True)]
                earlier = [tuple(gold[:i]) for i in range(len(steps))]
            else:
                codes, earlier = [], []
                for step in steps:
                    earlier.append(tuple(code or "" for code in codes))
                    codes.append(extract_code(many([build.prompt(problem, step, earlier[-1])])[0], step.name))
            jobs = list(zip(steps, codes, earlier, strict=True))
            passed = spread(jobs, lambda job: grader.step(problem, *job).passed)
            yield "step_rate", sum(passed) / len(passed), "1"
            if len(steps) == len(problem.steps):
                yield "main_rate", float(all(passed)), "1"
            yield "replies_with_code", sum(code is not None for code in codes) / len(codes), "1"

        return arm

    def humaneval(seed: int) -> Iterator[Reading]:
        if not size.humaneval:
            raise Unavailable("only at size full")
        try:
            tasks, targets = load_humaneval()
        except ModuleNotFoundError as error:
            raise Unavailable(str(error)) from error
        # Rounds take different tasks.
        order = random.Random("tasks").sample(tasks, len(tasks))
        mine = [order[(seed * size.humaneval + i) % len(order)] for i in range(size.humaneval)]
        build = PromptBuilder()
        replies = writer(run, size)([build.prompt(one, one.steps[0], ()) for one in mine])
        plain = Grader(targets, grader.sandbox)
        jobs = [
            (one, one.steps[0], extract_code(r, one.steps[0].name))
            for one, r in zip(mine, replies, strict=True)
        ]
        passed = spread(jobs, lambda job: plain.step(*job).passed)
        yield "step_rate", sum(passed) / len(passed), "1"

    return {
        "smollm2": setting("self", False),
        "smollm2+background": setting("self", True),
        "smollm2+gold": setting("gold", False),
        "smollm2+gold+background": setting("gold", True),
        "smollm2-humaneval": humaneval,
    }


def writer(run: Run, size: Size) -> Callable[[list[str]], list[str]]:
    """The model as a function of many prompts; at `smoke` a stand-in without weights."""
    if not size.tokens:
        return lambda prompts: ["I would have to think about that." for _ in prompts]
    return _loaded(run.model, run.device, size.tokens).many


@functools.cache
def _loaded(model: str | None, device: str, tokens: int) -> Any:
    from presscheck.errors import BadInput
    from presscheck.testbeds import language

    from .models import CausalLM

    try:
        lm = language.load(model, device)
    except BadInput as error:
        raise Unavailable(f"{error.message}; {error.hint}") from error
    return CausalLM(lm.model, lm.tokenizer, max_new_tokens=tokens)


def published(seed: int) -> Iterator[Reading]:
    """Counts of the published files, which are not shipped."""
    folder = os.environ.get("SCICODE_FILES", "")
    files = [Path(folder) / name for name in ("problems_all.jsonl", "problems_dev.jsonl")]
    if not folder or not all(one.is_file() for one in files):
        names = " and ".join(one.name for one in files)
        raise Unavailable(
            f"the published files are not here: SCICODE_FILES must name a folder with {names}, "
            "as the paper's repository had them in eval/data before it moved them to a hub"
        )
    test, dev = (count(load_problems(one)) for one in files)
    yield "problems", float(test.problems + dev.problems), "1"
    yield "steps", float(test.graded_steps + dev.graded_steps), "1"


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps besides."""
    sandbox = Sandbox()
    return {"isolation": sandbox.isolation.how, "set": str(count(problems()))}
