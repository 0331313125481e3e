"""LazyLLM measured: time to first token, loss and exactness of answers, work, at equal budgets.

A round draws pass-key prompts and a passage by its seed. Arms differ in the schedule alone: the
paper's, the same with tokens drawn at random or the most recent ones, static pruning, and none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.systems.lazyllm import LazyCache, PruneSchedule, lazyllm
from presscheck.testbeds.language import LanguageModel, load, needle, passage, tiny_llama

BUDGETS = (0.9, 0.8, 0.7, 0.5, 0.35)


@dataclass(frozen=True)
class Size:
    """How much is read."""

    needles: int
    """Pass-key prompts a round."""
    needle: int
    passage: int
    """Tokens of the prose whose next token's distribution is compared."""
    speed: int
    """Tokens of the prompt whose first token is timed."""
    calibration: int
    """Pass-key prompts, of other seeds, by which the arm `lossless` chooses its budget."""
    budgets: tuple[float, ...] = BUDGETS
    tiny: bool = False


SIZES = {
    "smoke": Size(1, 48, 48, 64, 1, tiny=True),
    "quick": Size(1, 400, 200, 600, 3, budgets=(0.8, 0.5, 0.35)),
    "full": Size(3, 400, 256, 1600, 12),
}
ROUNDS = {"smoke": 2, "quick": 5, "full": 7}
WARMUP = {"smoke": 0, "quick": 0, "full": 1}
MODELS = True
EARLY = 3
"""The layer after which static pruning makes its one choice; at least one layer is left whole."""
ANSWER = 32
"""Tokens of the answer over which the total work is counted."""
LOSS_MARGIN, MATCH_MARGIN = 0.05, 0.02
"""What `lossless` may lose on its calibration prompts: nats a token, and share of exact matches."""


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


def questions(lm: LanguageModel, size: Size, seed: int, count: int) -> list[Question]:
    """Pass-key prompts drawn by a seed; random ids where there is no tokenizer."""
    found = []
    for number in range(count):
        if lm.tokenizer is None:
            draw = torch.Generator().manual_seed(100 * seed + number)
            ids = torch.randint(3, 128, (1, size.needle + 5), generator=draw)
            found.append(Question(ids[:, :-5], ids[:, -5:]))
            continue
        asked = needle(lm, size.needle, 1000 * seed + number)
        answer = lm.tokenizer(f" {asked.answer}", return_tensors="pt", add_special_tokens=False).input_ids
        found.append(Question(asked.ids, answer.to(lm.device)))
    return found


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
    """(V,) logits of the first token: what a user waits for, its cache kept."""
    if plan is None:
        logits = lm.model(ids, use_cache=True, logits_to_keep=1).logits
    else:
        with lazyllm(lm.model, plan) as cache:
            logits = lm.model(ids, cache=cache, logits_to_keep=1).logits
    row: Tensor = logits[0, -1]
    return row


@torch.no_grad()
def whole_answer(lm: LanguageModel, ids: Tensor, plan: PruneSchedule) -> tuple[float, LazyCache]:
    """Share of the work of a prompt alone, and the cache after greedy decoding of ``ANSWER`` tokens."""
    with lazyllm(lm.model, plan) as cache:
        token = lm.model(ids, cache=cache).logits[:, -1].argmax(-1)
        prompt = cache.work()
        for _ in range(ANSWER - 1):
            token = lm.model(token[:, None], cache=cache).logits[:, -1].argmax(-1)
    return prompt, cache


def arms(run: Run) -> dict[str, Arm]:
    """The contenders, each with an equal share of the rounds."""
    size = SIZES[run.size]
    lm = _model(run.model, run.device, size.tiny)
    layers = lm.model.config.num_hidden_layers

    @functools.lru_cache(maxsize=2)
    def truth(seed: int) -> Tensor:
        return first_token(lm, prose(lm, size.passage, seed), None).float().log_softmax(-1)

    def judged(plan: PruneSchedule | None, seed: int) -> Iterator[Reading]:
        loss, right = exam(lm, questions(lm, size, seed, size.needles), plan)
        yield "answer_nll", loss, "nat"
        yield "exact_match", right, "1"
        if plan is not None:
            guess = first_token(lm, prose(lm, size.passage, seed), plan).float().log_softmax(-1)
            yield "kl", max(0.0, (truth(seed).exp() * (truth(seed) - guess)).sum().item()), "nat"

    def seconds(plan: PruneSchedule | None, seed: int) -> float:
        ids = prose(lm, size.speed, seed)
        return run.time(lambda: first_token(lm, ids, plan))[0]

    def full(seed: int) -> Iterator[Reading]:
        yield from judged(None, seed)
        yield "ttft_seconds", seconds(None, seed), "s"

    def rival(plan: PruneSchedule, seed: int) -> Iterator[Reading]:
        yield from judged(plan, seed)

    def ours(plan: PruneSchedule, seed: int) -> Iterator[Reading]:
        yield from judged(plan, seed)
        yield "ttft_seconds", seconds(plan, seed), "s"
        ids = questions(lm, size, seed, 1)[0].ids
        prompt, cache = whole_answer(lm, ids, plan)
        yield "prompt_work", prompt, "1"
        yield "total_work", cache.work(), "1"
        yield "last_layer_share", cache.computed[-1] / cache.seen, "1"
        yield "aux_bytes", cache.nbytes()["aux"], "B"
        yield "kv_bytes", cache.nbytes()["kv"], "B"

    def same(seed: int) -> Iterator[Reading]:
        """The largest difference of logits, prompt and steps, where nothing is pruned."""
        yield "logit_error", exactness(lm, questions(lm, size, seed, 1)[0]), "1"

    @functools.cache
    def chosen() -> tuple[float, PruneSchedule]:
        # Seeds that no round uses, so that the choice is judged on prompts that it has not seen.
        asked = questions(lm, size, 1_000_003, size.calibration)
        loss, right = exam(lm, asked, None)
        for budget in sorted(size.budgets):
            plan = schedules(layers, budget)["lazy"]
            got, match = exam(lm, asked, plan)
            if got <= loss + LOSS_MARGIN and match >= right - MATCH_MARGIN:
                return budget, plan
        raise Unavailable(f"at no budget of {size.budgets} is the loss within {LOSS_MARGIN} nats of full")

    def lossless(seed: int) -> Iterator[Reading]:
        """The smallest budget that loses nothing, against full prefill right beside it."""
        budget, plan = chosen()
        yield from judged(plan, seed)
        yield "budget", budget, "1"
        # Both orders, so that a machine that slows down favours neither.
        first, second = seconds(None, seed), seconds(plan, seed)
        third, fourth = seconds(plan, seed), seconds(None, seed)
        yield "speedup", math.sqrt((first / second) * (fourth / third)), "x"

    found: dict[str, Arm] = {"full": full, "keep-1": same, "lossless": lossless}
    for budget in size.budgets:
        for name, plan in schedules(layers, budget).items():
            found[f"{name}-{budget}"] = functools.partial(ours if name == "lazy" else rival, plan)
    return found


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
    return load(name, device)


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    lm = _model(run.model, run.device, SIZES[run.size].tiny)
    layers = lm.model.config.num_hidden_layers
    plans = {str(b): list(schedules(layers, b)["lazy"].keep) for b in SIZES[run.size].budgets}
    return {**asdict(SIZES[run.size]), "schedules": plans, "answer_tokens": ANSWER, "early_layer": EARLY}


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
        axis.set(xlabel="share of token-layer pairs computed", ylabel=label)
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
