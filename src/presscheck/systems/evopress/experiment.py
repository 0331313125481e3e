"""EvoPress measured: against every profile of a small space, and within token budgets on large ones.

A round draws its calibration and evaluation text by its seed, from disjoint halves of the prose. In
the small space (runs of blocks of which three go) all profiles are scored once; searches then
cost nothing and their distance from the optimum is known. In the large ones (blocks, half
blocks, bits, sparsity) every method may read as many calibration tokens, and what it chose is
measured on the evaluation text.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.systems.evopress import (
    DepthSpace,
    EvoPress,
    KLFitness,
    LevelSpace,
    Profile,
    TableFitness,
    allocate,
    bit_database,
    check_model,
    cosine_scores,
    divergence,
    drop_least,
    greedy,
    input_norms,
    layer_errors,
    random_search,
    removals,
    sparsity_database,
    window_cosine,
)
from presscheck.systems.evopress.units import ModelSpace
from presscheck.testbeds.language import LanguageModel, load, prose, tiny_llama


@dataclass(frozen=True)
class Size:
    """How much is read and searched."""

    units: int
    """At most so many units in the space of which every profile is scored; three go."""
    table_sequences: int
    searches: int
    """Searches on that table a round, each with a seed of its own."""
    sequence: int
    """Tokens of a calibration sequence."""
    pool: int
    """Calibration sequences a round."""
    drop: int
    """Blocks that go; of a model with other than 30, the same share."""
    depth_tokens: int
    """Tokens that each method may read to choose the blocks that go."""
    level_tokens: int
    """The same for half blocks, for bits and for sparsity."""
    evaluation: int
    """Sequences of the evaluation text a round."""
    tiny: bool = False


SIZES = {
    "smoke": Size(6, 1, 4, 16, 8, 1, 352, 352, 2, tiny=True),
    "quick": Size(10, 1, 20, 32, 32, 3, 1920, 1408, 8),
    "full": Size(15, 1, 20, 64, 32, 6, 10752, 8192, 8),
}
ROUNDS = {"smoke": 2, "quick": 3, "full": 5}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
MODELS = True
STRIDE = 4
BITS, AVERAGE_BITS = (2, 3, 4, 5, 6), 3.0
KEEP, AVERAGE_KEEP = (0.3, 0.4, 0.5, 0.6, 0.7), 0.5
SOURCES = ("argparse", "ast", "calendar", "configparser", "csv", "difflib", "fractions", "inspect", "zipfile")
"""Modules of Python's library whose source is the calibration text of the other domain."""
ONE_SHOT = ("cosine", "window", "removal")


def halves() -> tuple[str, str]:
    """Prose to calibrate on and prose to evaluate on, cut between two paragraphs."""
    paragraphs = prose().split("\n\n")
    # Every third block of paragraphs is held out, so that both have all the subjects.
    blocks = [paragraphs[i : i + 12] for i in range(0, len(paragraphs), 12)]
    kept = itertools.chain.from_iterable(b for i, b in enumerate(blocks) if i % 3 != 2)
    held = itertools.chain.from_iterable(b for i, b in enumerate(blocks) if i % 3 == 2)
    return "\n\n".join(kept), "\n\n".join(held)


@functools.cache
def code() -> str:
    """Source code that every Python has."""
    origins = [spec.origin for name in SOURCES if (spec := importlib.util.find_spec(name)) and spec.origin]
    return "\n\n".join(Path(origin).read_text("utf-8") for origin in origins)


class Bench:
    """A model, and what the arms of a round share; the round is the seed that was asked for last."""

    def __init__(self, size: Size, model: str | None = None, device: str = "cpu") -> None:
        self.size = size
        if size.tiny:
            self.lm = LanguageModel(tiny_llama(layers=6), None, "tiny")
        else:
            self.lm = load(model, device, dtype=torch.bfloat16)
        check_model(self.lm.model)
        blocks = self.lm.model.config.num_hidden_layers
        spans = [s for s in range(1, blocks + 1) if blocks % s == 0 and 4 <= blocks // s <= size.units]
        if not spans:
            raise ValueError(
                f"{self.lm.name} has {blocks} blocks, which no span divides into 4 to {size.units} units"
            )
        self.runs = DepthSpace(self.lm.model, 3, span=spans[0])
        self.depth = DepthSpace(self.lm.model, max(1, round(size.drop * blocks / 30)))
        self.halves = DepthSpace(self.lm.model, 0.25, granularity="subblock")
        self.table = functools.lru_cache(1)(self._table)
        self.nested = functools.lru_cache(2)(self._nested)
        self.held_out = functools.lru_cache(1)(self._held_out)
        self.calibrated = functools.lru_cache(2)(self._calibrated)
        self.one_shot = functools.lru_cache(3)(self._one_shot)
        self.bits = functools.lru_cache(1)(self._bits)
        self.sparse = functools.lru_cache(1)(self._sparse)

    # Text -----------------------------------------------------------------------------

    def text(self, domain: str, sequences: int, seed: int) -> Tensor:
        """(sequences, T) token ids drawn from a domain: ``prose``, ``held-out`` or ``code``."""
        T = self.size.sequence
        draw = random.Random(f"{domain} {seed}")
        if self.lm.tokenizer is None:
            made = torch.Generator().manual_seed(draw.randrange(1 << 30))
            return torch.randint(3, 128, (sequences, T), generator=made)
        ids = _ids(self.lm.tokenizer, domain)
        # Starts on a grid, so that sequences of one draw never overlap.
        starts = draw.sample(range(len(ids) // T), sequences)
        return torch.stack([ids[T * i : T * (i + 1)] for i in starts]).to(self.lm.device)

    def _calibrated(self, seed: int, domain: str = "prose") -> KLFitness:
        return KLFitness(self.depth, self.text(domain, self.size.pool, seed), stride=STRIDE)

    def _held_out(self, seed: int) -> tuple[KLFitness, Tensor]:
        ids = self.text("held-out", self.size.evaluation, seed)
        fitness = KLFitness(self.depth, ids)
        return fitness, fitness.logits(None, tuple(range(len(ids))))

    def measured(self, space: ModelSpace, profile: Profile, seed: int) -> tuple[float, float]:
        """KL divergence in nats and perplexity of a profile on the evaluation text."""
        fitness, dense = self.held_out(seed)
        logits = fitness.over(space).logits(profile, tuple(range(len(dense))))
        kl = statistics.fmean(divergence(a, b).mean().item() for a, b in zip(dense, logits, strict=True))
        return kl, self.perplexity(logits, fitness.calibration)

    def perplexity(self, logits: Tensor, ids: Tensor) -> float:
        """Of sequences of one length: (S, T, V) logits, (S, T) ids."""
        losses = [
            torch.nn.functional.cross_entropy(row[:-1].float(), target[1:]).item()
            for row, target in zip(logits, ids, strict=True)
        ]
        return math.exp(statistics.fmean(losses))

    # The space of which every profile is scored ------------------------------------------

    def _table(self, seed: int) -> dict[Profile, float]:
        """Every profile with one, two and three units dropped → KL on one fixed batch."""
        fitness = self.calibrated(seed)
        batch = tuple(range(self.size.table_sequences))
        n = len(self.runs.units)
        table: dict[Profile, float] = {}
        for gone in (1, 2, 3):
            profiles = [
                tuple(int(i not in dropped) for i in range(n))
                for dropped in itertools.combinations(range(n), gone)
            ]
            scores = fitness.over(self.runs.dropping(gone))(profiles, batch)
            table.update(zip(profiles, scores, strict=True))
        return table

    def full_profiles(self, seed: int) -> dict[Profile, float]:
        """The table's profiles that drop three: the space that is searched."""
        return {p: kl for p, kl in self.table(seed).items() if sum(p) == len(p) - 3}

    def _nested(self, seed: int, useful: bool) -> tuple[Profile, Profile]:
        """Two dropped units and a superset of three that does better: the likeliest such pair.

        Six candidates by the table, the one of them that gains most on more calibration text. With `useful`
        only those whose smaller set is in the better half of its kind.
        """
        table, fitness = self.table(seed), self.calibrated(seed)
        two = [kl for p, kl in table.items() if sum(p) == len(p) - 2]
        most = statistics.median(two) if useful else math.inf
        pairs = sorted(
            (kl / table[p], p, q)
            for q, kl in self.full_profiles(seed).items()
            for i, stays in enumerate(q)
            if not stays and table[p := (*q[:i], 1, *q[i + 1 :])] <= most
        )[:6]
        batch = tuple(range(self.size.table_sequences, min(self.size.pool, self.size.table_sequences + 3)))
        smaller = fitness.over(self.runs.dropping(2))([p for _, p, _ in pairs], batch)
        larger = fitness.over(self.runs)([q for _, _, q in pairs], batch)
        best = min(range(len(pairs)), key=lambda i: larger[i] / smaller[i])
        return pairs[best][1], pairs[best][2]

    def searched(self, seed: int, kind: str) -> Iterator[Reading]:
        """Searches on the table, each from a seed of its own."""
        table = self.full_profiles(seed)
        fitness, best = TableFitness(table), min(table.values())
        needed, reached = [], []
        for search in range(self.size.searches):
            own = 1000 * seed + search
            if kind == "random":
                result = random_search(self.runs, fitness, tokens=1, max_tokens=len(table), seed=own)
            else:
                result = EvoPress(
                    self.runs, fitness, offspring=8, stages=((1, 1),), generations=len(table),
                    initial=16 if len(table) > 100 else 4, initial_tokens=1, max_tokens=len(table), seed=own,
                ).run()  # fmt: skip
            # Without the optimum a search counts as many evaluations as there are profiles.
            needed.append(result.evaluations_to(best) or len(table))
            quarter = [step.fitness for step in result.history if step.evaluations <= len(table) / 4]
            reached.append(quarter[-1] if quarter else result.fitness)
        yield "evaluations", statistics.median(needed), "count"
        yield "evaluations_share", statistics.median(needed) / len(table), "1"
        yield "table_kl", statistics.fmean(reached), "nat"

    # The large spaces ------------------------------------------------------------------

    def evolve(
        self,
        space: ModelSpace,
        seed: int,
        tokens: int,
        start: tuple[Profile, ...] = (),
        domain: str = "prose",
    ) -> Any:
        """EvoPress within a budget of tokens: two stages, scaled down from the scripts' three."""
        T = self.size.sequence
        return EvoPress(
            space, self.calibrated(seed, domain).over(space), offspring=12,
            stages=((3, T), (1, 4 * T)), generations=1000, initial=0 if start else 16,
            initial_tokens=T, start=start, max_tokens=tokens, seed=seed,
        ).run()  # fmt: skip

    def _one_shot(self, seed: int, kind: str) -> Profile:
        """What a score chooses, from all the calibration text or as much as the budget pays for."""
        fitness, size = self.calibrated(seed), self.size
        if kind == "cosine":
            return drop_least(self.depth, cosine_scores(self.depth, fitness.calibration))
        if kind == "window":
            return window_cosine(self.depth, fitness.calibration)
        each = min(size.depth_tokens // len(self.depth.units) // size.sequence, size.pool)
        batch = tuple(range(max(1, each)))
        return drop_least(self.depth, removals(self.depth, fitness, batch))

    def depth_choice(self, seed: int, kind: str) -> Profile:
        """The blocks that stay, by a method."""
        size = self.size
        if kind in ONE_SHOT:
            return self.one_shot(seed, kind)
        if kind == "greedy":
            budget, least = size.depth_tokens, size.sequence
            fitness = self.calibrated(seed)
            return greedy(self.depth, fitness, max_tokens=budget, tokens=least, seed=seed).best
        if kind == "random":
            fitness, tokens = self.calibrated(seed), 4 * size.sequence
            found = random_search(self.depth, fitness, tokens=tokens, max_tokens=size.depth_tokens, seed=seed)
            return found.best
        if kind == "evopress-started":
            # The two that one reading of the text pays for; it comes off the search's budget.
            start = tuple(dict.fromkeys(self.one_shot(seed, one) for one in ("cosine", "window")))
            left = size.depth_tokens - size.pool * size.sequence
            return self.evolve(self.depth, seed, left, start).best
        domain = "code" if kind == "evopress-code" else "prose"
        return self.evolve(self.depth, seed, size.depth_tokens, (), domain).best

    def _bits(self) -> LevelSpace:
        model = self.lm.model
        group = math.gcd(
            64, *(m.shape[1] for n, m in model.named_parameters() if "_proj" in n and m.dim() == 2)
        )
        return LevelSpace(model, bit_database(model, BITS, group), AVERAGE_BITS)

    def _sparse(self) -> LevelSpace:
        model = self.lm.model
        # Made once a run, as the paper's database is, from calibration text that is no round's.
        norms = input_norms(model, self.text("prose", self.size.pool, -1))
        return LevelSpace(model, sparsity_database(model, KEEP, norms), AVERAGE_KEEP)

    def levels(self, name: str) -> LevelSpace:
        """The space of bits or of sparsity."""
        return self.bits() if name == "bits" else self.sparse()

    def level_choice(self, space: LevelSpace, seed: int, kind: str) -> Profile:
        """The levels of all linear layers, by a method."""
        if kind == "uniform":
            return space.uniform()
        calibrated = self.calibrated(seed)
        if kind == "dp":
            # Six passes over eight sequences, dense and five levels: no more than the search reads.
            errors = layer_errors(self.lm.model, space.database, calibrated.calibration[:8])
            return allocate(space, errors)
        return self.evolve(space, seed, self.size.level_tokens, (space.uniform(),)).best


@functools.lru_cache(8)
def _ids(tokenizer: Any, domain: str) -> Tensor:
    text = code() if domain == "code" else halves()[domain == "held-out"]
    ids: Tensor = tokenizer(text, return_tensors="pt", verbose=False).input_ids[0]
    return ids


def arms(run: Run) -> dict[str, Arm]:
    """The search, and what it is compared with, in five spaces."""
    made: list[Bench] = []

    def bench() -> Bench:
        if not made:
            try:
                made.append(Bench(SIZES[run.size], run.model, run.device))
            except (TypeError, ValueError) as error:  # a model of the user's that EvoPress does not fit
                raise Unavailable(str(error)) from error
        return made[0]

    def quality(space: str, choose: Callable[[Bench, int], Profile]) -> Arm:
        def trial(seed: int) -> Iterator[Reading]:
            at = bench()
            found = {"depth": at.depth, "halves": at.halves}.get(space) or at.levels(space)
            kl, perplexity = at.measured(found, choose(at, seed), seed)
            yield "kl", kl, "nat"
            yield "perplexity", perplexity, "1"

        return trial

    def dense(seed: int) -> Iterator[Reading]:
        fitness, logits = bench().held_out(seed)
        yield "perplexity", bench().perplexity(logits, fitness.calibration), "1"

    def best_score(seed: int) -> Iterator[Reading]:
        """The one-shot score that is best on the evaluation text: a choice nobody can make beforehand."""
        at = bench()
        kl, perplexity = min(at.measured(at.depth, at.one_shot(seed, kind), seed) for kind in ONE_SHOT)
        yield "kl", kl, "nat"
        yield "perplexity", perplexity, "1"

    def in_table(kind: str) -> Arm:
        def trial(seed: int) -> Iterator[Reading]:
            at = bench()
            table, singles = at.full_profiles(seed), at.table(seed)
            n = len(at.runs.units)
            if kind == "optimum":
                yield "table_kl", min(table.values()), "nat"
                return
            if kind == "cosine":
                profile = drop_least(at.runs, cosine_scores(at.runs, at.calibrated(seed).calibration))
            elif kind == "greedy":
                scorings = 3 * n - 3
                profile = greedy(at.runs, TableFitness(singles), max_tokens=scorings, tokens=1).best
            else:
                alone = removals(at.runs, TableFitness(singles), None)
                profile = drop_least(at.runs, alone)
                summed = {p: sum(a for a, stays in zip(alone, p, strict=True) if not stays) for p in table}
                yield "spearman", rank_correlation([summed[p] for p in table], list(table.values())), "1"
            yield "table_kl", table[profile], "nat"

        return trial

    def nested(which: int, useful: bool) -> Arm:
        def trial(seed: int) -> Iterator[Reading]:
            at = bench()
            profile = at.nested(seed, useful)[which]
            space = at.runs.dropping(2 + which)
            kl, perplexity = at.measured(space, profile, seed)
            yield "kl", kl, "nat"
            yield "perplexity", perplexity, "1"

        return trial

    def depth(kind: str) -> Arm:
        return quality("depth", lambda at, seed: at.depth_choice(seed, kind))

    def levels(space: str, kind: str) -> Arm:
        def choose(at: Bench, seed: int) -> Profile:
            return at.level_choice(at.levels(space), seed, kind)

        return quality(space, choose)

    found: dict[str, Arm] = {"dense": dense, "subset": nested(0, False), "superset": nested(1, False)}
    found |= {"useful-subset": nested(0, True), "useful-superset": nested(1, True)}
    for kind in ("evopress", "random"):
        found[f"table-{kind}"] = functools.partial(lambda seed, kind: bench().searched(seed, kind), kind=kind)
    found |= {f"table-{kind}": in_table(kind) for kind in ("optimum", "greedy", "cosine", "additive")}
    found |= {
        f"depth-{kind}": depth(kind)
        for kind in ("evopress", "evopress-started", "evopress-code", "random", "greedy", *ONE_SHOT)
    }
    found["depth-best-score"] = best_score
    found["halves-evopress"] = quality(
        "halves", lambda at, seed: at.evolve(at.halves, seed, at.size.level_tokens).best
    )
    found["halves-cosine"] = quality(
        "halves",
        lambda at, seed: drop_least(at.halves, cosine_scores(at.halves, at.calibrated(seed).calibration)),
    )
    for kind in ("evopress", "uniform", "dp"):
        found[f"bits-{kind}"] = levels("bits", kind)
        found[f"sparse-{kind}"] = levels("sparse", kind)
    return found


def rank_correlation(a: list[float], b: list[float]) -> float:
    """Spearman's, ties by their mean rank."""

    def ranks(values: list[float]) -> list[float]:
        order = sorted(values)
        first = {value: order.index(value) for value in set(values)}
        return [first[value] + (values.count(value) - 1) / 2 for value in values]

    return statistics.correlation(ranks(a), ranks(b))


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    return {**asdict(SIZES[run.size]), "stride": STRIDE,
            "average_bits": AVERAGE_BITS, "average_keep": AVERAGE_KEEP}  # fmt: skip


def figure(record: Any) -> Any:
    """KL divergence on the evaluation text, a dot a round and a bar at the geometric mean; by space."""
    from matplotlib.figure import Figure

    readings: dict[str, list[float]] = {}
    for row in record.measurements:
        if row.metric == "kl":
            readings.setdefault(row.arm, []).append(row.value)
    panels = ("depth", "halves", "bits", "sparse")
    titles = ("blocks dropped", "half blocks dropped", "bits", "sparsity")
    counts = [max(1, sum(name.startswith(f"{panel}-") for name in readings)) for panel in panels]
    drawing = Figure(figsize=(7, 5.6), layout="constrained")
    rows = drawing.subplots(len(panels), 1, height_ratios=counts)
    for axes, panel, title in zip(rows, panels, titles, strict=True):
        names = sorted(
            (name for name in readings if name.startswith(f"{panel}-")),
            key=lambda name: -math.exp(statistics.fmean(map(math.log, readings[name]))),
        )
        for at, name in enumerate(names):
            colour = "C0" if "evopress" in name else "0.5"
            values = readings[name]
            axes.plot(values, [at] * len(values), "o", color=colour, markersize=3, alpha=0.6)
            middle = math.exp(statistics.fmean(map(math.log, values)))
            axes.plot([middle], [at], "|", color=colour, markersize=12, markeredgewidth=2)
        axes.set_yticks(range(len(names)), [name.removeprefix(f"{panel}-") for name in names], fontsize=7)
        axes.set_ylim(-0.6, max(1, len(names)) - 0.4)
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(title, fontsize=8, loc="left")
    rows[-1].set_xlabel(
        "KL divergence from the uncompressed model (nats a token), evaluation text", fontsize=8
    )
    return drawing
