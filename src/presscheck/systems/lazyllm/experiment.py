"""LazyLLM measured: time to first token, loss and exactness of answers, work, at equal budgets.

A round draws its questions and passages by its seed. Arms differ in the schedule alone: the
paper's, the same with tokens drawn at random or the most recent ones, static pruning, and none.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.errors import BadInput
from presscheck.systems.lazyllm import LazyCache, PruneSchedule, check_model, lazyllm
from presscheck.testbeds.language import LanguageModel, load, needle, passage, tiny_llama

BUDGETS = (0.9, 0.8, 0.7, 0.5, 0.35)
"""Shares of a prompt's (token, layer) pairs that are computed."""


@dataclass(frozen=True)
class Size:
    """How much is read."""

    keys: int
    """Questions for a number hidden in prose, a round."""
    documents: int
    """Questions for the number in one of eight short documents, a round."""
    tokens: int
    """Of a question's prompt."""
    passage: int
    """Tokens of the prose whose next token's distribution is compared."""
    speed: int
    """Tokens of the prompt whose first token is timed at every budget."""
    calibration: int
    """Questions of each kind, of other seeds, by which the arm `lossless` chooses its budget."""
    budgets: tuple[float, ...] = BUDGETS
    candidates: tuple[float, ...] = (0.35, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    """Budgets that `lossless` may choose from."""
    answer: int = 32
    """Tokens of the answer over which total work and time are counted."""
    tiny: bool = False


SIZES = {
    "smoke": Size(1, 1, 80, 48, 80, 1, (0.8, 0.5, 0.35), (0.5, 0.8), 8, tiny=True),
    "quick": Size(1, 1, 200, 64, 300, 2, (0.8, 0.5, 0.35), (0.5, 0.7, 0.8, 0.9), 16),
    "full": Size(1, 1, 400, 200, 1600, 6),
}
ROUNDS = {"smoke": 2, "quick": 5, "full": 7}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
"""None: what is timed is run once beforehand, and nothing else needs it."""
MODELS = True
EARLY = 3
"""The first layer that static pruning leaves tokens out of, or a sixth of a shallower model."""
LOSS_MARGIN, MATCH_MARGIN = 0.05, 0.02
"""What `lossless` may lose on its calibration questions: nats a token, and share of exact answers."""
PLACES = ("Oslo", "Lima", "Cairo", "Tokyo", "Quito", "Delhi", "Paris", "Rome")
PEER = "presscheck.systems.lazyllm.peers:compressed"
NO_WEIGHTS = (
    "prompt compression by llmlingua needs the weights of a model of its own, which no package ships; "
    "with them at hand, compress the prompt and run `full` on what is left"
)


@dataclass(frozen=True)
class Question:
    """A prompt (1, T) and the tokens of its answer (1, A)."""

    ids: Tensor
    answer: Tensor


def schedules(layers: int, budget: float) -> dict[str, PruneSchedule]:
    """The contenders that compute this share of a prompt's token-layer pairs."""
    early = max(1, min(EARLY, layers // 6))
    share = (budget * layers - early) / (layers - early)
    return {
        "lazy": PruneSchedule.for_budget(budget, layers),
        "random": PruneSchedule.for_budget(budget, layers, choose="random"),
        "recent": PruneSchedule.for_budget(budget, layers, choose="recent"),
        "static": PruneSchedule(((early, share),), revive=False),
    }


def candidates(layers: int, budget: float) -> list[PruneSchedule]:
    """Where `lossless` looks: the three steps of that budget, and one late cut after two thirds."""
    late = 2 * layers // 3
    share = (budget * layers - late) / (layers - late)
    one_cut = [PruneSchedule(((late, share),))] if share > 0 else []
    return [PruneSchedule.for_budget(budget, layers), *one_cut]


def questions(lm: LanguageModel, size: Size, seed: int, keys: int, documents: int) -> list[Question]:
    """Questions drawn by a seed; random ids where there is no tokenizer."""
    found = []
    for number in range(keys + documents):
        if lm.tokenizer is None:
            draw = torch.Generator().manual_seed(100 * seed + number)
            ids = torch.randint(3, 128, (1, size.tokens + 5), generator=draw)
            found.append(Question(ids[:, :-5], ids[:, -5:]))
        elif number < keys:
            asked = needle(lm, size.tokens, 1000 * seed + number)
            found.append(Question(asked.ids, encoded(lm, f" {asked.answer}")))
        else:
            found.append(of_documents(lm, size.tokens, 1000 * seed + number))
    return found


def of_documents(lm: LanguageModel, tokens: int, seed: int) -> Question:
    """Eight short documents, a city and its number in each, and the question for one of them.

    Prose, numbers, the order of cities and the one that is asked for are drawn by the seed.
    """
    draw = random.Random(f"documents {seed}")
    places = draw.sample(PLACES, len(PLACES))
    codes = [str(draw.randrange(10_000, 100_000)) for _ in places]
    asked = draw.randrange(len(places))
    tails = [
        encoded(lm, f" The code of {place} is {code}.\n\n") for place, code in zip(places, codes, strict=True)
    ]
    heads = [encoded(lm, f"Document {number + 1}: ") for number in range(len(places))]
    question = encoded(lm, f"What is the code of {places[asked]}? The code of {places[asked]} is")
    spent = sum(part.shape[1] for part in [*heads, *tails, question])
    each = max(1, (tokens - spent) // len(places))
    pieces = []
    for head, tail in zip(heads, tails, strict=True):
        pieces += [head, passage(lm, each, draw.randrange(1 << 30)), tail]
    return Question(torch.cat([*pieces, question], dim=1), encoded(lm, f" {codes[asked]}"))


def encoded(lm: LanguageModel, text: str) -> Tensor:
    """(1, T) token ids, no special ones."""
    ids: Tensor = lm.tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    return ids.to(lm.device)


def prose(lm: LanguageModel, tokens: int, seed: int) -> Tensor:
    """(1, tokens) of a passage drawn by a seed."""
    if lm.tokenizer is None:
        return torch.randint(3, 128, (1, tokens), generator=torch.Generator().manual_seed(seed))
    return passage(lm, tokens, seed)


@torch.no_grad()
def answered(lm: LanguageModel, question: Question, plan: PruneSchedule | None) -> tuple[float, float]:
    """Nats a token of the right answer, teacher-forced one by one, and 1 if greedy decoding says it."""
    answer = question.answer
    if plan is None:
        out = lm.model(question.ids, use_cache=True, logits_to_keep=1)
        rest = lm.model(answer[:, :-1], cache=out.cache).logits
        logits = torch.cat([out.logits[:, -1:], rest], dim=1)
    else:
        with lazyllm(lm.model, plan) as cache:
            first = lm.model(question.ids, cache=cache).logits
            logits = torch.cat([first, lm.model(answer[:, :-1], cache=cache).logits], dim=1)
    loss = torch.nn.functional.cross_entropy(logits[0].float(), answer[0]).item()
    return loss, float(torch.equal(logits[0].argmax(-1), answer[0]))


def exam(lm: LanguageModel, asked: list[Question], plan: PruneSchedule | None) -> tuple[float, float]:
    """Mean loss and share of exact answers."""
    marks = [answered(lm, question, plan) for question in asked]
    return sum(loss for loss, _ in marks) / len(marks), sum(right for _, right in marks) / len(marks)


@torch.no_grad()
def first_token(lm: LanguageModel, ids: Tensor, plan: PruneSchedule | None) -> Tensor:
    """(V,) logits of the first token: what a user waits for, its cache kept.

    Without a plan, the model itself with one row of logits: rows for the whole prompt would make
    it slower than it need be.
    """
    if plan is None:
        logits = lm.model(ids, use_cache=True, logits_to_keep=1).logits
    else:
        with lazyllm(lm.model, plan) as cache:
            logits = lm.model(ids, cache=cache, logits_to_keep=1).logits
    row: Tensor = logits[0, -1]
    return row


@torch.no_grad()
def whole_answer(
    lm: LanguageModel, ids: Tensor, plan: PruneSchedule | None, tokens: int
) -> tuple[float, Any]:
    """Share of the work of a prompt alone, and the cache after greedy decoding of so many tokens."""
    if plan is None:
        out = lm.model(ids, use_cache=True, logits_to_keep=1)
        for _ in range(tokens - 1):
            out = lm.model(out.logits[:, -1].argmax(-1)[:, None], cache=out.cache)
        return 1.0, out.cache
    with lazyllm(lm.model, plan) as cache:
        token = lm.model(ids, cache=cache).logits[:, -1].argmax(-1)
        prompt = cache.work()
        for _ in range(tokens - 1):
            token = lm.model(token[:, None], cache=cache).logits[:, -1].argmax(-1)
    return prompt, cache


def in_turn(
    run: Run, lm: LanguageModel, ids: Tensor, plans: dict[str, PruneSchedule | None], seed: int, *, back: bool
) -> dict[str, float]:
    """Seconds to the first token under each plan: all in turn, in an order drawn by the seed.

    With `back`, the same order back as well: every plan's time then has the same middle, so that a
    machine that slows down favours none.
    """
    order = list(plans)
    random.Random(f"turns {seed}").shuffle(order)
    seconds = dict.fromkeys(plans, 0.0)
    for name in order + order[::-1] if back else order:
        seconds[name] += run.time(functools.partial(first_token, lm, ids, plans[name]))[0]
    return {name: spent / 2 if back else spent for name, spent in seconds.items()}


def loses_nothing(
    lm: LanguageModel, known: list[Question], plan: PruneSchedule, loss: float, right: float
) -> bool:
    """Whether answers stay within the margins of full prefill's mean loss and share of exact answers."""
    spent, hits = 0.0, 0.0
    for question in known:
        got, hit = answered(lm, question, plan)
        spent, hits = spent + got, hits + hit
        if spent > (loss + LOSS_MARGIN) * len(known):
            return False  # no loss is negative: the rest cannot make up for it
    return hits >= (right - MATCH_MARGIN) * len(known)


def arms(run: Run) -> dict[str, Arm]:
    """The contenders, and why one is not among them."""
    size = SIZES[run.size]
    lm = _model(run.model, run.device, size.tiny)
    layers = lm.model.config.num_hidden_layers
    lazy = {f"lazy-{budget}": schedules(layers, budget)["lazy"] for budget in size.budgets}

    @functools.lru_cache(maxsize=1)
    def truth(seed: int) -> Tensor:
        return first_token(lm, prose(lm, size.passage, seed), None).float().log_softmax(-1)

    @functools.lru_cache(maxsize=1)
    def asked(seed: int) -> list[Question]:
        return questions(lm, size, seed, size.keys, size.documents)

    @functools.cache
    def warm() -> None:
        # The first call allocates.
        for plan in (None, lazy[f"lazy-{min(size.budgets)}"]):
            first_token(lm, prose(lm, size.speed, 0), plan)

    @functools.lru_cache(maxsize=1)
    def clock(seed: int) -> dict[str, float]:
        warm()
        return in_turn(run, lm, prose(lm, size.speed, seed), {"full": None, **lazy}, seed, back=False)

    def judged(plan: PruneSchedule | None, seed: int) -> Iterator[Reading]:
        loss, right = exam(lm, asked(seed), plan)
        yield "answer_nll", loss, "nat"
        yield "exact_match", right, "1"
        if plan is not None:
            guess = first_token(lm, prose(lm, size.passage, seed), plan).float().log_softmax(-1)
            yield "kl", max(0.0, (truth(seed).exp() * (truth(seed) - guess)).sum().item()), "nat"

    def answer(plan: PruneSchedule | None, seed: int) -> tuple[float, tuple[float, Any]]:
        return run.time(lambda: whole_answer(lm, asked(seed)[0].ids, plan, size.answer))

    def full(seed: int) -> Iterator[Reading]:
        yield from judged(None, seed)
        yield "ttft_seconds", clock(seed)["full"], "s"
        yield "answer_seconds", answer(None, seed)[0], "s"

    def rival(plan: PruneSchedule, seed: int) -> Iterator[Reading]:
        yield from judged(replace(plan, seed=seed), seed)

    def ours(name: str, seed: int) -> Iterator[Reading]:
        yield from judged(lazy[name], seed)
        yield "ttft_seconds", clock(seed)[name], "s"
        seconds, (prompt, cache) = answer(lazy[name], seed)
        yield "answer_seconds", seconds, "s"
        yield "prompt_work", prompt, "1"
        yield from costs(cache)

    def same(seed: int) -> Iterator[Reading]:
        """The largest difference of logits, prompt and steps, where nothing is pruned."""
        yield "logit_error", exactness(lm, asked(seed)[0]), "1"

    @functools.cache
    def chosen() -> tuple[float, PruneSchedule]:
        # Seeds that no round uses, so that the choice is judged on questions that it has not seen.
        known = questions(lm, size, 1_000_003, size.calibration, size.calibration)
        loss, right = exam(lm, known, None)
        for budget in sorted(size.candidates):
            for plan in candidates(layers, budget):
                if loses_nothing(lm, known, plan, loss, right):
                    return budget, plan
        return 1.0, PruneSchedule(())

    def lossless(seed: int) -> Iterator[Reading]:
        """The smallest budget that loses nothing, timed on a question itself, in turn with full prefill.

        Where each that is tried loses something, it is the budget 1: the speed-up is then none.
        """
        warm()
        budget, plan = chosen()
        yield from judged(plan, seed)
        yield "budget", budget, "1"
        yield "first_layer", plan.keep[0][0] if plan.keep else layers, "1"
        seconds = in_turn(run, lm, asked(seed)[0].ids, {"full": None, "lazy": plan}, seed, back=True)
        yield "speedup", seconds["full"] / seconds["lazy"], "x"

    def compressed(seed: int) -> Iterator[Reading]:
        raise Unavailable(NO_WEIGHTS)

    found: dict[str, Arm] = {"full": full, "keep-1": same, "lossless": lossless, "llmlingua-2": compressed}
    for budget in size.budgets:
        for name, plan in schedules(layers, budget).items():
            arm = f"{name}-{budget}"
            found[arm] = functools.partial(ours, arm) if name == "lazy" else functools.partial(rival, plan)
    settings = {"ratio": 0.5, "tokens": size.tokens, "tiny": size.tiny and run.model is None}
    found["kvpress-0.5"] = Peer("kvpress", PEER, {**settings, "model": run.model, "device": run.device})
    return found


def costs(cache: LazyCache) -> Iterator[Reading]:
    """What a prompt and its answer took, and what is kept of them."""
    yield "total_work", cache.work(), "1"
    yield "last_layer_share", cache.computed[-1] / cache.seen, "1"
    yield "revived_a_token", sum(cache.revived[1:]) / max(1, len(cache.revived) - 1), "1"
    for name, size in cache.nbytes().items():
        yield f"{name}_bytes", size, "B"


@torch.no_grad()
def exactness(lm: LanguageModel, question: Question) -> float:
    """The largest difference from the model's own logits with ``keep`` of 1 everywhere."""
    out = lm.model(question.ids, use_cache=True, logits_to_keep=1)
    rest = lm.model(question.answer, cache=out.cache).logits
    with lazyllm(lm.model, keep=((1, 1.0),)) as cache:
        first = lm.model(question.ids, cache=cache).logits
        later = lm.model(question.answer, cache=cache).logits
    return max((first - out.logits).abs().max().item(), (later - rest).abs().max().item())


@functools.lru_cache(maxsize=1)
def _model(name: str | None, device: str, tiny: bool) -> LanguageModel:
    if tiny and name is None:
        return LanguageModel(tiny_llama(layers=6).to(device), None, "tiny")
    lm = load(name, device)
    try:
        check_model(lm.model)
        schedules(lm.model.config.num_hidden_layers, max(BUDGETS))
    except (TypeError, ValueError) as error:
        raise BadInput(
            str(error), hint="give a deeper causal language model, or one of another kind"
        ) from error
    return lm


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    size = SIZES[run.size]
    layers = _model(run.model, run.device, size.tiny).model.config.num_hidden_layers
    plans = {str(b): list(schedules(layers, b)["lazy"].keep) for b in size.budgets}
    return {
        **asdict(size),
        "schedules": plans,
        "static_layer": schedules(layers, size.budgets[0])["static"].deepest,
        "margins": [LOSS_MARGIN, MATCH_MARGIN],
    }


def figure(record: Any) -> Any:
    """Loss and exact answers against the budget, a line a contender; speed-up under ours."""
    from matplotlib.figure import Figure

    means: dict[str, dict[str, float]] = {}
    for row in record.measurements:
        means.setdefault(row.arm, {}).setdefault(row.metric, 0.0)
        means[row.arm][row.metric] += row.value / len(record.seeds)
    drawing = Figure(figsize=(8, 3.6), layout="constrained")
    axes = drawing.subplots(1, 3)
    panels = (("answer_nll", "loss of the answer (nat)"), ("exact_match", "exact answers"), ("", "speed-up"))
    styles = {"lazy": "o-", "random": "s--", "recent": "^:", "static": "D-."}
    for axis, (metric, label) in zip(axes, panels, strict=True):
        axis.set(xlabel="share of pairs computed", ylabel=label)
        axis.invert_xaxis()
        for name, style in styles.items():
            at = sorted(
                (float(arm.partition("-")[2]), values)
                for arm, values in means.items()
                if arm.startswith(f"{name}-")
            )
            if metric:
                axis.plot([b for b, _ in at], [v[metric] for _, v in at], style, label=name, markersize=4)
            elif name == "lazy" and "ttft_seconds" in means.get("full", {}):
                speed = [means["full"]["ttft_seconds"] / v["ttft_seconds"] for _, v in at]
                axis.plot([b for b, _ in at], speed, style, label="lazy", markersize=4)
                axis.plot([b for b, _ in at], [1 / b for b, _ in at], color="0.6", label="1 / share")
        if metric and metric in means.get("full", {}):
            axis.axhline(means["full"][metric], color="0.6", label="full")
        axis.legend(fontsize=7)
    return drawing
