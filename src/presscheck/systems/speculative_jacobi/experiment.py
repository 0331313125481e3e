"""Decoders beside each other on images and text: passes, seconds, and whether samples are as good.

Models of digits and of codes of photographs are trained within the run and refused if they know
little more than frequencies, since a model that pays no heed to context flatters every parallel decoder.
Arms of a round get the same model, classes and seeds; a round's samples are made once and shared.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.testbeds.language import LanguageModel, load, passage, tiny_llama

from . import law
from .adapter import from_causal_lm
from .filters import Chain, only, top_k
from .lookup import prompt_lookup
from .pictures import LEVELS, Coded, digits, photo_codes
from .quality import Judge, frechet, half_spread, ks_pvalue
from .sampler import SJDOutput, SpeculativeJacobiSampler
from .tiny import TinyImageGPT, train

MODELS = True
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
ROUNDS = {"smoke": 2, "quick": 5, "full": 6}
WINDOW = 16
SHEET = 6
"""Images of the first round whose pixels are kept, for the figure."""


@dataclass(frozen=True)
class Training:
    """Of one model; no steps for none."""

    steps: int
    width: int = 96
    layers: int = 4
    batch: int = 32
    gate: float = 1.45
    """Held-out nats per token above which nothing is reported."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    digits: Training
    models: int
    """Digit models, trained from different seeds; rounds take turns."""
    images: int
    """A round and arm, at plain temperature."""
    others: int
    """A round and arm, under top-k and guidance."""
    guided: bool
    photos: Training = field(default_factory=lambda: Training(0))
    photo_images: int = 0
    text: int = 0
    """Tokens of each of two texts."""
    table: tuple[int, int] = (3, 4)
    """Vocabulary and length of the table whose law is enumerated."""
    draws: int = 0
    """Real draws from a table of 3 tokens and 5 places."""
    tiny: bool = False


SIZES = {
    "smoke": Size(
        Training(2, 32, 1, 4, 9.9), 1, 4, 1, True, Training(2, 32, 1, 4, 99.0), 1, 6, (2, 3), 20, tiny=True
    ),
    "quick": Size(Training(250), 1, 12, 4, False, text=24),
    "full": Size(Training(400), 3, 34, 9, True, Training(400, batch=8, gate=3.5), 4, 32, (3, 4), 2000),
}

CONTENDERS: dict[str, dict[str, Any]] = {
    "ar": {"mode": "ar"},
    "jacobi": {"mode": "jacobi"},
    "sjd": {},
    "sjd-uniform-q": {"draft_q": "proposal"},
    "sjd-left": {"init": "repeat_left"},
    "sjd-above": {"init": "repeat_above"},
    "gumbel": {"mode": "gumbel_jacobi"},
    "gumbel-above": {"mode": "gumbel_jacobi", "init": "repeat_above"},
}
OTHERS = ("ar", "jacobi", "sjd", "sjd-above", "gumbel")
LAWS = {"law-sjd": None, "law-no-residual": "no residual", "law-stale-drafts": "stale drafts"}


@dataclass(frozen=True)
class Drawn:
    """Images of one arm and round."""

    outputs: list[SJDOutput]
    labels: Tensor
    seconds: float
    side: int

    @property
    def images(self) -> Tensor:
        """(N, side, side) codes."""
        return torch.stack([one.tokens for one in self.outputs]).view(-1, self.side, self.side)


class Bench:
    """What arms share: models, the judge, and each round's images."""

    def __init__(self, run: Run) -> None:
        self.run, self.size = run, SIZES[run.size]
        self.coded = functools.lru_cache(self._coded)
        self.model = functools.lru_cache(self._model)
        self.judge = functools.lru_cache(self._judge)
        self.drawn = functools.lru_cache(maxsize=64)(self._drawn)
        self.language = functools.lru_cache(self._language)

    def _coded(self, kind: str, seed: int) -> Coded:
        if kind == "digits":
            return digits(seed)
        small = self.size.tiny
        try:
            return photo_codes(40, codes=16, side=16) if small else photo_codes()
        except ImportError as error:
            raise Unavailable(str(error)) from error

    def _model(self, kind: str, seed: int) -> TinyImageGPT:
        data = self.coded(kind, seed)
        how = self.size.digits if kind == "digits" else self.size.photos
        if how.steps == 0:
            raise Unavailable("models of photographs are trained at the size `full` only")
        model = train(
            data.images, data.labels, data.held_out, data.held_out_labels,
            codes=data.codes, classes=data.classes, width=how.width, layers=how.layers, steps=how.steps,
            batch=how.batch, seed=seed,
        )  # fmt: skip
        model.model.to(self.run.device)
        return model

    def of_round(self, kind: str, seed: int) -> TinyImageGPT:
        """The model whose turn it is, refused if it has not learnt to use its context."""
        model = self.model(kind, seed % self.size.models if kind == "digits" else 0)
        gate = (self.size.digits if kind == "digits" else self.size.photos).gate
        if model.nats > gate:
            raise Unavailable(
                f"the model of {kind} has {model.nats:.3f} nats per token, need {gate}: it knows too little "
                f"beyond frequencies ({model.by_place:.3f}) for its passes to mean anything"
            )
        return model

    def _judge(self, seed: int) -> Judge:
        data = self.coded("digits", seed)
        return Judge(pixels(data.images), data.labels.numpy(), iterations=3 if self.size.tiny else 200)

    def _language(self) -> LanguageModel:
        if self.size.tiny and self.run.model is None:
            return LanguageModel(tiny_llama(), None, "tiny")
        return load(self.run.model, self.run.device)

    def _drawn(self, kind: str, setting: str, arm: str, seed: int) -> Drawn:
        """All images of an arm in a round, under one clock."""
        model = self.of_round(kind, seed)
        count = self.size.photo_images if kind == "photos" else self.size.others
        count = self.size.images if setting == "plain" and kind == "digits" else count
        labels = torch.randint(model.classes, (count,), generator=torch.Generator().manual_seed(seed))
        keep = only(0, model.codes)
        filter = keep if setting == "plain" else Chain(keep, top_k(8))
        guidance = {"cfg_scale": 2.0, "unconditional": model.null} if setting == "cfg2" else {}
        step = from_causal_lm(model.model, **guidance)

        def one(number: int) -> SJDOutput:
            prompt = model.prompt(int(labels[number]))
            own_seed = 10_000 * seed + number
            if arm == "prompt-lookup":
                return prompt_lookup(model.model, prompt, model.tokens, keep=model.codes, seed=own_seed)
            sampler = SpeculativeJacobiSampler(
                step, window=WINDOW, filter=filter, high=model.codes,
                generator=torch.Generator().manual_seed(own_seed), **CONTENDERS[arm],
            )  # fmt: skip
            return sampler.generate(prompt, model.tokens, model.columns)

        if not self.size.tiny:
            one(0)  # neither the first allocation nor the first import of a kernel is the arm's
        seconds, outputs = self.run.time(lambda: [one(n) for n in range(count)])
        return Drawn(outputs, labels, seconds, model.rows)

    def images(self, kind: str, setting: str, arm: str, seed: int) -> Iterator[Reading]:
        """Passes and seconds; at plain temperature of digits also where they went, and quality."""
        if setting == "cfg2" and not self.size.guided:
            raise Unavailable("guidance is measured at the size `full` only")
        model = self.of_round(kind, seed)
        drawn = self.drawn(kind, setting, arm, seed)
        yield "compression", compression(drawn.outputs), "tokens/pass"
        yield "seconds_per_image", drawn.seconds / len(drawn.outputs), "s"
        yield "nats", float(model.nll(drawn.images, drawn.labels).mean()), "nat"
        if arm == "ar":
            yield "held_out_nats", model.nats, "nat"
            yield "place_nats", model.by_place, "nat"
            yield "unigram_nats", model.unigram, "nat"
        if arm != "prompt-lookup":
            yield from rows_of(drawn)
        if kind == "digits" and setting == "plain":
            if arm != "prompt-lookup":
                yield from self._ink(drawn)
            yield from self._quality(arm, seed, drawn, model)
            if seed == self.run.seeds[0] and arm in {"ar", "sjd"}:
                yield from sheet(drawn.images[:SHEET])

    def _ink(self, drawn: Drawn) -> Iterator[Reading]:
        """Tokens a pass on ink and on background, each token charged its share of its pass."""
        cost = torch.stack([one.cost for one in drawn.outputs]).flatten()
        ink = drawn.images.flatten() > 0
        if ink.any() and not ink.all():
            yield "ink_compression", float(ink.sum() / cost[ink].sum()), "tokens/pass"
            yield "background_compression", float((~ink).sum() / cost[~ink].sum()), "tokens/pass"

    def _quality(self, arm: str, seed: int, drawn: Drawn, model: TinyImageGPT) -> Iterator[Reading]:
        turn = seed % self.size.models
        judge, data = self.judge(turn), self.coded("digits", turn)
        real = judge.features(pixels(data.held_out))
        plain = self.drawn("digits", "plain", "ar", seed)

        def judged(of: Drawn) -> tuple[Any, Any]:
            return judge.recognised(pixels(of.images), of.labels.numpy()), judge.features(pixels(of.images))

        (seen, features), (seen_plain, features_plain) = judged(drawn), judged(plain)
        accuracy, distance = float(seen.mean()), frechet(features, real)
        yield "class_accuracy", accuracy, "1"
        yield "frechet", distance, "1"
        same = (drawn.images == plain.images).flatten(1).all(1).double()
        yield "same_image_as_ar", float(same.mean()), "1"
        yield "nats_ks_pvalue", ks_pvalue(
            model.nll(drawn.images, drawn.labels).numpy(), model.nll(plain.images, plain.labels).numpy()
        ), "1"  # fmt: skip
        count = len(drawn.outputs)
        spread = half_spread(lambda half: float(seen_plain[half].mean()), count, seed)
        # Halves that are alike to the last image must not make one image an infinite gap.
        yield "accuracy_gap", abs(accuracy - seen_plain.mean()) / max(spread, 1 / count), "split-half spread"
        spread = half_spread(lambda half: frechet(features_plain[half], real), count, seed)
        yield "frechet_gap", abs(distance - frechet(features_plain, real)) / spread, "split-half spread"

    def text(self, arm: str, seed: int) -> Iterator[Reading]:
        """Two continuations of prose at temperature 1."""
        if self.size.text == 0:
            raise Unavailable("text is not measured at this size")
        lm = self.language()
        outputs = []
        for number in range(2):
            own_seed = 10_000 * seed + number
            if lm.tokenizer is None:
                rng = torch.Generator().manual_seed(own_seed)
                prompt = torch.randint(3, 128, (16,), generator=rng)
            else:
                prompt = passage(lm, 64, own_seed)[0].cpu()
            if arm == "prompt-lookup":
                outputs.append(prompt_lookup(lm.model, prompt, self.size.text, seed=own_seed))
                continue
            sampler = SpeculativeJacobiSampler(
                self._step(lm), window=WINDOW, generator=torch.Generator().manual_seed(own_seed),
                **CONTENDERS[arm],
            )  # fmt: skip
            outputs.append(sampler.generate(prompt, self.size.text))
        yield "compression", compression(outputs), "tokens/pass"

    def _step(self, lm: LanguageModel) -> Any:
        try:
            return from_causal_lm(lm.model)
        except (TypeError, ValueError) as error:  # a model of the user's that has no croppable cache
            raise Unavailable(str(error)) from error

    def exactness(self, mistake: str | None, seed: int) -> Iterator[Reading]:
        """Every path of the sampler over a random table, and how far its law is from the table's."""
        vocab, length = self.size.table
        table = law.Table(vocab, length, seed)
        sampler = SpeculativeJacobiSampler(table.step(), window=3, init="repeat_left", filter=top_k(vocab))
        found = law.enumerate_law(lambda: sampler.generate([0], length).tokens.tolist(), mistake)
        yield "total_variation", law.total_variation(found, table.law()), "1"
        yield "sequences", len(found), "1"

    def draws(self, seed: int) -> Iterator[Reading]:
        """Real draws of 243 sequences beside as many of an ideal sampler's."""
        if self.size.draws == 0:
            raise Unavailable("real draws are counted at the size `full` only")
        table = law.Table(3, 5, seed)
        rng = torch.Generator().manual_seed(seed)
        sampler = SpeculativeJacobiSampler(table.step(), window=3, generator=rng)
        shares = law.frequencies(lambda: sampler.generate([0], 5).tokens.tolist(), self.size.draws)
        true = table.law()
        ideal = torch.multinomial(torch.tensor(list(true.values())), self.size.draws, True, generator=rng)
        counts = torch.bincount(ideal, minlength=len(true)) / self.size.draws
        yield "total_variation_drawn", law.total_variation(shares, true), "1"
        perfect = dict(zip(true, counts.tolist(), strict=True))
        yield "total_variation_ideal", law.total_variation(perfect, true), "1"


def arms(run: Run) -> dict[str, Arm]:
    """Decoders on digits, the same under top-k and guidance, on photographs and text; laws enumerated."""
    bench = Bench(run)
    found: dict[str, Arm] = {}

    def add(prefix: str, kind: str, setting: str, names: tuple[str, ...]) -> None:
        for name in names:
            found[prefix + name] = functools.partial(bench.images, kind, setting, name)

    others = ("ar", "sjd", "gumbel") if bench.size.tiny else OTHERS
    add("", "digits", "plain", (*CONTENDERS, "prompt-lookup"))
    add("top8-", "digits", "top8", others)
    add("cfg2-", "digits", "cfg2", others)
    add("photos-", "photos", "plain", (*others, "sjd-uniform-q", "prompt-lookup"))
    for name in ("jacobi", "sjd", "gumbel", "prompt-lookup"):
        found[f"text-{name}"] = functools.partial(bench.text, name)
    for name, mistake in LAWS.items():
        found[name] = functools.partial(bench.exactness, mistake)
    found["law-drawn"] = bench.draws
    return found


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    return {**asdict(SIZES[run.size]), "window": WINDOW, "threads": torch.get_num_threads()}


def pixels(images: Tensor) -> Any:
    """(N, 8, 8) levels as (N, 64) grey values in [0, 1]."""
    return (images.flatten(1).double() / (LEVELS - 1)).numpy()


def compression(outputs: list[SJDOutput]) -> float:
    """Tokens a pass over several samples."""
    return sum(len(one.tokens) for one in outputs) / sum(one.n_forward for one in outputs)


def rows_of(drawn: Drawn) -> Iterator[Reading]:
    """Tokens a pass in each row of the images."""
    cost = torch.stack([one.cost for one in drawn.outputs]).view(-1, drawn.side, drawn.side)
    for row, spent in enumerate(cost.mean(0).sum(1).tolist()):
        yield f"row_{row}_compression", drawn.side / spent, "tokens/pass"


def sheet(images: Tensor) -> Iterator[Reading]:
    """Pixels of images for the figure: each row of 8 as one number, its digits to the base of 17."""
    weights = LEVELS ** torch.arange(images.shape[2])
    for number, image in enumerate((images * weights).sum(2).tolist()):
        for row, packed in enumerate(image):
            yield f"pixels_{number}_{row}", packed, "base 17"


def figure(record: Any) -> Any:
    """Tokens a pass by row of the image, and digits sampled one by one and by speculation."""
    from .figure import draw

    return draw(record)
