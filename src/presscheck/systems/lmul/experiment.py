"""L-Mul's variants against 8-bit floats and integers: scalar errors, attention, training, energy.

The arms that multiply share one trial: products of drawn pairs, of a model's own operands, and the model's
predictions with its attention computed so. `seconds` is what emulation costs; no speed-up is claimed.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.errors import BadInput
from presscheck.testbeds import language

from . import measures
from .attention import LMulAttention, attention_by, linears_by
from .energy import energy_report, saving
from .schemes import SCHEMES, Scheme
from .sentences import cosine_error
from .training import rounded_sums, validation_loss

MODELS = True
ROUNDS = {"smoke": 2, "quick": 5, "full": 6}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
EVERYWHERE = ("lmul-k4", "e4m3-scaled")
"""Also measured with all linear layers computed so."""
PASSKEY = ("exact", "lmul", "lmul-k4", "lmul-k3", "lmul-k2", "e4m3-scaled", "e5m2-scaled")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    pairs: int
    """Drawn pairs; also, at most, the places in each layer's products."""
    tokens: int
    everywhere: bool
    needle: int
    """Tokens of a passkey prompt; 0 for none."""
    steps: int
    """Of training; 0 for none."""


SIZES = {
    "smoke": Size(pairs=4_000, tokens=24, everywhere=True, needle=0, steps=2),
    "quick": Size(pairs=200_000, tokens=256, everywhere=False, needle=0, steps=0),
    "full": Size(pairs=2_000_000, tokens=512, everywhere=True, needle=256, steps=100),
}

EXACT = Scheme(torch.matmul, lambda x: x)


def arms(run: Run) -> dict[str, Arm]:
    """One arm a scheme; some of them with all linear layers; training; the energy table."""
    size = SIZES[run.size]
    if run.device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(f"torch sees no {run.device}", hint="leave out --device, or install torch for CUDA")
    bench = _Bench(size, _model(run))
    found: dict[str, Arm] = {"exact": functools.partial(bench.attention, "exact", EXACT, run)}
    for name, scheme in SCHEMES.items():
        found[name] = functools.partial(bench.attention, name, scheme, run)
    if size.everywhere:
        for name in EVERYWHERE:
            found[f"{name}+linears"] = functools.partial(bench.everywhere, SCHEMES[name], run)
    for name, kept in (("lmul-k3", "e4m3"), ("e4m3", "e4m3"), ("e5m2", "e5m2")):
        matmul = rounded_sums(SCHEMES[name].matmul, kept)
        found[f"train-{name}"] = functools.partial(_training, matmul, size.steps)
    found["train-exact"] = functools.partial(_training, torch.matmul, size.steps)
    found["energy"] = functools.partial(_energy, bench)
    found["ml-dtypes"] = Peer("ml-dtypes", "presscheck.systems.lmul.peers:e4m3", {"pairs": size.pairs})
    return found


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps: where the products came from, and the threads they had."""
    from .kernel import kernel

    compiled = kernel()
    return {"kernel": compiled.instructions if compiled else "none", "threads": torch.get_num_threads()}


def _model(run: Run) -> language.LanguageModel:
    if run.size == "smoke" and run.model is None:
        return language.LanguageModel(language.tiny_llama(), None, "tiny")
    return language.load(run.model, run.device)


class _Bench:
    """The model, and what all arms of a round share: made once for each seed."""

    def __init__(self, size: Size, lm: language.LanguageModel) -> None:
        self.size, self.lm = size, lm
        self.shared = functools.lru_cache(maxsize=1)(self._shared)

    def ids(self, seed: int) -> torch.Tensor:
        if self.lm.tokenizer is None:
            draw = torch.Generator().manual_seed(seed)
            return torch.randint(3, 128, (1, self.size.tokens), generator=draw)
        return language.passage(self.lm, self.size.tokens, seed)

    def _shared(self, seed: int) -> Any:
        ids = self.ids(seed)
        places = min(self.size.pairs, 4096)
        operands = measures.attention_products(self.lm.model, ids, places, seed)
        return ids, self.logits(ids, EXACT, linears=False), operands

    @torch.no_grad()
    def logits(self, ids: torch.Tensor, scheme: Scheme, linears: bool) -> torch.Tensor:
        with ExitStack() as stack:
            stack.enter_context(attention_by(self.lm.model, LMulAttention(scheme.matmul)))
            if linears:
                stack.enter_context(linears_by(self.lm.model, scheme.matmul))
            found: torch.Tensor = self.lm.model(input_ids=ids, use_cache=False).logits[0]
            return found

    def attention(self, name: str, scheme: Scheme, run: Run, seed: int) -> Iterator[Reading]:
        """Errors of scalar products, and of the model with its attention computed by a scheme."""
        ids, reference, (scores, outputs) = self.shared(seed)
        for kind in ("uniform", "normal"):
            x, y = measures.drawn_pairs(kind, self.size.pairs, seed)
            yield f"rms_{kind}", measures.error_on(scheme, x, y), "1"
        score, output = measures.over_layers(scores, scheme), measures.over_layers(outputs, scheme)
        yield "rms_query_key", score, "1"
        yield "rms_weight_value", output, "1"
        yield "rms_real", ((score**2 + output**2) / 2) ** 0.5, "1"
        yield from self._predictions(ids, reference, scheme, run, linears=False)
        if self.size.needle and name in PASSKEY and self.lm.tokenizer is not None:
            yield "passkey", self._passkey(scheme, seed), "1"
            sentences = random.Random(seed).sample(language.prose().split("\n\n"), 24)
            error = cosine_error(scheme.matmul, sentences)
            if error is not None:
                yield "cosine_error", error, "1"

    def everywhere(self, scheme: Scheme, run: Run, seed: int) -> Iterator[Reading]:
        """The model with its attention and all linear layers computed by a scheme."""
        ids, reference, _ = self.shared(seed)
        yield from self._predictions(ids, reference, scheme, run, linears=True)

    def _predictions(
        self, ids: torch.Tensor, reference: torch.Tensor, scheme: Scheme, run: Run, linears: bool
    ) -> Iterator[Reading]:
        if run.size == "smoke":  # no clock: holding off the collector would take most of the trial
            logits = self.logits(ids, scheme, linears)
        else:
            seconds, logits = run.time(lambda: self.logits(ids, scheme, linears))
            yield "seconds", seconds, "s"
        yield "kl", measures.divergence(reference, logits), "nat"
        yield "nll", measures.next_token_nll(logits, ids), "nat"

    def _passkey(self, scheme: Scheme, seed: int) -> float:
        """The share of a hidden number's tokens that the model finds most likely, given those before."""
        needle = language.needle(self.lm, self.size.needle, seed)
        encode = functools.partial(self.lm.tokenizer, return_tensors="pt", add_special_tokens=False)
        answer = encode(f" {needle.answer}").input_ids.to(needle.ids.device)
        logits = self.logits(torch.cat([needle.ids, answer], dim=1), scheme, linears=False)
        guesses = logits[-answer.shape[1] - 1 : -1].argmax(-1)
        share: float = (guesses == answer[0]).double().mean().item()
        return share


def _training(matmul: Any, steps: int, seed: int) -> Iterator[Reading]:
    if steps == 0:
        raise Unavailable("models are trained at the size `full` only")
    text = torch.tensor([min(byte, 127) for byte in language.prose().encode()])
    start = seed * 997 % (len(text) // 2)
    model = language.tiny_llama(seed=seed)
    loss = validation_loss(model, text[start : start + len(text) // 2], matmul, steps=steps, seed=seed)
    yield "trained_loss", loss, "nat"


def _energy(bench: _Bench, seed: int) -> Iterator[Reading]:
    """Nothing here depends on the seed: a table is multiplied out."""
    for what in ("elementwise", "dot"):
        for width in ("fp32", "fp16"):
            ours = f"lmul_{width}"
            yield f"saving_{what}_{width}", saving(ours, width, what), "%"
            for place in ("cache_8k", "dram"):
                value = saving(ours, width, what, memory=place)
                yield f"saving_{what}_{width}_{place}", value, "%"
    reports = {name: energy_report(bench.lm.model, bench.size.tokens, name) for name in ("fp16", "lmul_fp16")}
    for where in ("attention", "linear"):
        theirs, ours_ = reports["fp16"][where], reports["lmul_fp16"][where]
        yield f"model_{where}_saving", 100 * (1 - ours_.arithmetic / theirs.arithmetic), "%"
        yield f"model_{where}_saving_with_dram", 100 * (1 - ours_.total / theirs.total), "%"


def figure(record: Any) -> Any:
    """Error surfaces of both readings of Eq. 1, and how far each scheme moves a model's predictions."""
    from .figure import draw

    return draw(record)
