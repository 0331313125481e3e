"""Selective attention measured: loss, keys that can go, variables remembered, beside ordinary Transformers.

Everything is trained within the run, on the same windows in the same order for all arms of a round. A round's
seed draws weights, programs, windows, and which documents are held out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.testbeds.language import prose

from . import tasks
from .baselines import EvictingCache
from .budgets import allocate_budgets, loss_with_budgets
from .cache import SelectiveKVCache
from .training import Shape, Trained, build, cross_entropy, parameters_of, train

PEER = "presscheck.systems.selective_attention.peers:selective_decoder"


@dataclass(frozen=True)
class Size:
    """How much is trained, and on what."""

    task_steps: int
    task_rows: int
    """Programs a training step."""
    task_width: int
    task_held: int
    """Programs that accuracy is measured on."""
    characters: int
    """Of text, the library's sources and prose."""
    vocab: int
    width: int
    layers: int
    heads: int
    context: int
    long: int
    """The longer context; 0 for none."""
    rows: int
    """Windows a training step; as many tokens a step at the longer context."""
    steps: int
    held: int
    """Held-out windows to choose budgets on; twice as many to measure on."""
    shares: tuple[float, ...]
    """Budgets tried, one for all layers, as shares of the context."""


HEAD_DIM = 16
SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
SIZES = {
    "smoke": Size(
        task_steps=4, task_rows=8, task_width=32, task_held=32, characters=60_000, vocab=300, width=32,
        layers=2, heads=2, context=32, long=48, rows=4, steps=4, held=2, shares=(1 / 8, 1 / 2),
    ),
    "quick": Size(
        task_steps=300, task_rows=32, task_width=64, task_held=256, characters=3_000_000, vocab=512, width=64,
        layers=2, heads=4, context=128, long=0, rows=8, steps=60, held=8,
        shares=(1 / 16, 1 / 8, 1 / 4, 1 / 2),
    ),
    "full": Size(
        task_steps=600, task_rows=32, task_width=64, task_held=512, characters=5_000_000, vocab=512, width=64,
        layers=3, heads=4, context=256, long=512, rows=4, steps=180, held=8, shares=SHARES,
    ),
}  # fmt: skip
ROUNDS = {"smoke": 2, "quick": 5, "full": 5}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}

EPS = 0.1
PEAK = {"text": 5e-3, "variables": 8e-3}
"""Learning rates: narrow models and few steps bear, and need, high ones."""
EIGHTH = 1 / 8
ROUNDING = 1e-6
"""Nats by which sums in another order may differ."""
TASK_TOKENS, TASK_TESTS = 32, (32, 64, 128)
POLICIES = ("h2o", "tova", "recent")
GOOD = 0.6
"""Accuracy that counts as learnt; picking a recent value gives some 0.45."""


class Language:
    """The text of a round: windows to train on, to choose budgets on, and to measure on."""

    def __init__(self, size: Size, seed: int, context: int) -> None:
        source = tasks.text(size.vocab, size.characters, tuple(prose()[: size.characters // 2].split("\n\n")))
        used, choose, test = source.split(seed)
        self.seed, self.context = seed, context
        self.shape = Shape(source.vocab, size.width, size.layers, size.heads, HEAD_DIM)
        self.steps = size.steps
        rows = max(1, size.rows * size.context // context)
        self.batches = tasks.text_batches(used, rows, context, seed)
        # Budgets are chosen on other documents than they are measured on.
        self.choose = tasks.windows(choose, size.held, context + 1, f"choose {seed}")
        self.test = tasks.windows(test, 2 * size.held, context + 1, f"test {seed}")

    @torch.no_grad()
    def loss(self, model: Any, ids: Tensor, logits: Callable[[Any, Tensor], Tensor] | None = None) -> float:
        """Nats per token."""
        losses = []
        for rows in ids.split(16):
            found = logits(model, rows[:, :-1]) if logits else model(rows[:, :-1], use_cache=False).logits
            losses.append(cross_entropy(found, rows[:, 1:]) * len(rows))
        return float(torch.stack(losses).sum()) / len(ids)


@functools.lru_cache(maxsize=16)
def language(size: Size, seed: int, context: int) -> Language:
    """The text of a round, made once for all of its arms."""
    return Language(size, seed, context)


@functools.lru_cache(maxsize=8)
def trained(size: Size, seed: int, context: int, kind: str) -> Trained:
    """A model of a round, trained once for all arms that look at it."""
    text = language(size, seed, context)
    way = "selective" if kind.startswith("selective") else "sdpa"
    model = build(text.shape, way, seed, double_heads=kind == "standard-2h")
    return train(
        model, text.batches, text.steps, peak=PEAK["text"], eps=EPS if kind == "selective+memory" else 0.0
    )


def arms(run: Run) -> dict[str, Arm]:
    """Ours with and without the memory loss, ordinary models with H and 2H heads, evictions, the peer."""
    size = SIZES[run.size]
    found: dict[str, Arm] = {}
    for kind in ("standard", "standard-2h", "selective", "selective+memory"):
        found[kind] = functools.partial(model_arm, size, size.context, kind)
        if kind in ("standard", "selective+memory"):
            found[f"{kind}-long"] = functools.partial(model_arm, size, size.long, kind)
    found["selective+memory-uniform"] = functools.partial(uniform_arm, size)
    for policy in POLICIES:
        found[f"standard+{policy}"] = functools.partial(evicting_arm, size, policy)
    for way in ("standard", "selective"):
        found[f"variables-{way}"] = functools.partial(variables_arm, size, way)
    found["x-transformers"] = Peer("x-transformers", PEER, {"size": run.size})
    return found


def model_arm(size: Size, context: int, kind: str, seed: int) -> Iterator[Reading]:
    """Loss of a trained model; with selective attention also what its cache can do without."""
    if not context:
        raise Unavailable("the longer context is trained at the size `full` only")
    text, made = language(size, seed, context), trained(size, seed, context, kind)
    yield "nll", text.loss(made.model, text.test), "nat"
    yield "parameters", parameters_of(made.model), "1"
    yield "step_seconds", made.seconds, "s"
    for share in (0.25, 0.5, 0.75):
        at, some = int(len(made.losses) * share), max(1, len(made.losses) // 10)
        yield f"training_nll_{share:.0%}", sum(made.losses[at : at + some]) / some, "nat"
    # Windows without their last token, which budgets and evictions are measured on.
    short = text.test[:, :-1]
    if not kind.startswith("selective"):
        yield "budgeted_nll", text.loss(made.model, short), "nat"
        return
    yield "decode_error", decode_error(made.model, text.test[:4, :-1]), "1"
    if loss_with_budgets(made.model, text.choose[:, :-1], None) > goal(size, seed, context):
        # Not even the full cache is as good as the ordinary model: no budget is.
        yield "memory_ratio", 0.0, "1"
        yield "budgeted_nll", loss_with_budgets(made.model, short, None), "nat"
        return
    chosen = allocate_budgets(made.model, text.choose[:, :-1], goal(size, seed, context) + ROUNDING)
    yield "memory_ratio", context / chosen.mean, "1"
    yield "budgeted_nll", loss_with_budgets(made.model, short, chosen.budgets), "nat"


def goal(size: Size, seed: int, context: int) -> float:
    """The loss to match: the ordinary model's with its full cache, where budgets are chosen."""
    text = language(size, seed, context)
    return text.loss(trained(size, seed, context, "standard").model, text.choose[:, :-1])


def uniform_arm(size: Size, seed: int) -> Iterator[Reading]:
    """Selective eviction with one budget for all layers."""
    model = trained(size, seed, size.context, "selective+memory").model
    yield from curve(size, seed, lambda ids, budget: loss_with_budgets(model, ids, budget))


def evicting_arm(size: Size, policy: str, seed: int) -> Iterator[Reading]:
    """The ordinary model under an eviction that needs no training, with one budget for all layers."""
    model = trained(size, seed, size.context, "standard").model

    @torch.no_grad()
    def loss(ids: Tensor, budget: int) -> float:
        before, model.config._attn_implementation = model.config._attn_implementation, "evicting"
        try:
            total = 0.0
            for rows in ids.split(16):
                logits = model(rows, cache=EvictingCache(budget, policy), use_cache=True).logits[:, :-1]
                total += float(cross_entropy(logits, rows[:, 1:])) * len(rows)
            return total / len(ids)
        finally:
            model.config._attn_implementation = before

    yield from curve(size, seed, loss)


def curve(size: Size, seed: int, loss: Callable[[Tensor, int], float]) -> Iterator[Reading]:
    """Loss at each budget, and the context over the smallest budget that matches the ordinary model.

    0 where not even the whole context does; a budget counts only if all larger ones match as well.
    """
    text, context = language(size, seed, size.context), size.context
    target, ratio = goal(size, seed, context), 0.0
    falling = True
    for budget in sorted(tasks.grid(context, size.shares), reverse=True):
        falling = falling and loss(text.choose[:, :-1], budget) <= target + ROUNDING
        if falling:
            ratio = context / budget
        yield f"nll_keep_{budget}", loss(text.test[:, :-1], budget), "nat"
    yield "memory_ratio", ratio, "1"
    yield "nll_keep_eighth", loss(text.test[:, :-1], max(2, round(context * EIGHTH))), "nat"


@torch.no_grad()
def decode_error(model: Any, ids: Tensor) -> float:
    """The largest difference between logits of one pass and of token by token through a cache."""
    cache = SelectiveKVCache()
    steps = torch.cat([model(one, cache=cache).logits for one in ids.split(1, dim=1)], dim=1)
    worst: float = (steps - model(ids, use_cache=False).logits).abs().max().item()
    return worst


def variables_arm(size: Size, way: str, seed: int) -> Iterator[Reading]:
    """Variable assignment: accuracy at the length trained on and beyond, and steps to be good at it."""
    shape = Shape(tasks.VOCABULARY, size.task_width, 2, 4, size.task_width // 4)
    model = build(shape, "selective" if way == "selective" else "sdpa", seed)
    every = max(1, size.task_steps // 20)
    made = train(
        model, tasks.assignment_batches(size.task_rows, TASK_TOKENS, seed), size.task_steps,
        peak=PEAK["variables"], every=every,
        score=lambda model: tasks.assignment_accuracy(model, TASK_TOKENS, seed, size.task_held // 2),
    )  # fmt: skip
    for tokens in TASK_TESTS:
        accuracy = tasks.assignment_accuracy(made.model, tokens, seed + 500, size.task_held)
        yield f"accuracy_{tokens}", accuracy, "1"
    good = [step for step, share in made.scores if share >= GOOD]
    yield "steps_to_good", good[0] if good else size.task_steps + every, "1"
    yield "step_seconds", made.seconds, "s"


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    return {**asdict(SIZES[run.size]), "memory_loss_eps": EPS, "threads": torch.get_num_threads()}


def figure(record: Any) -> Any:
    """Loss against budget, and accuracy against length."""
    from .figure import draw

    return draw(record)
