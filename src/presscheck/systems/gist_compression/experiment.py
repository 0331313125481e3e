"""Gist models beside full attention, from one base: recall, prose, where the loss sits, what is kept.

The base is trained once a run with full attention. Every arm goes on from it over the same rows with as
many updates, full attention too; each round measures all arms on held-out rows of its own. Models are
trained ``trainings`` times a run, each on other rows; rounds beyond that take them in turn.
Figures are of segments that have something compressed in front of them.
"""

from __future__ import annotations

import copy
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from presscheck.bench.peer import Peer
from presscheck.bench.run import Arm, Reading, Run, Unavailable
from presscheck.testbeds.language import cache_bytes, prose

from . import probes, tasks
from .autoencoding import WeakDecoder, fit_decoder
from .baselines import masked_logits, sink_mask
from .config import GistConfig
from .figure import draw
from .model import GistCausalLM
from .tasks import Form, Rows
from .training import batches, importance_of, small_llama, train_full, train_gist


@dataclass(frozen=True)
class Size:
    """How large the models are, and how long they are trained."""

    width: int
    layers: int
    heads: int
    form: Form
    drill_steps: int
    """Of the base, on ``tasks.drill_rows`` alone; then come all kinds of rows."""
    base_steps: int
    base_rate: float
    steps: int
    batch: int
    rate: float
    prose: float
    """Share of rows that are prose."""
    drill: float
    """Share of ``tasks.drill_rows``; the base's first steps have no other."""
    held_out: int
    """Rows of each kind that are measured on."""
    arms: tuple[str, ...]
    decoder_steps: int
    """Of a decoder that shows what gists hold which were not trained for it."""
    trainings: int = 1
    """How often every arm is trained; rounds beyond measure the same models on other rows."""
    gate: float = 0.9
    """Recall that full attention must reach, or nothing else is measured."""


ARCHITECTURES = ("full", "fine-kv-4", "coarse-kv-4", "coarse-rec-4")
LOSSES = ("fine-kv-4+ae", "fine-kv-4+tie", "fine-kv-4+ae+tie")
RAW = ("sinks-4", "kvpress-snapkv-4")
EVERYTHING = (*ARCHITECTURES, "fine-kv-16", *LOSSES, *RAW)
AE_WEIGHT, TIE_ALPHA = 1.0, 1.0
WINDOW, KERNEL = 8, 5
"""Of SnapKV: its usual window of 64 is longer than what is kept here."""
SIZES = {
    "smoke": Size(
        width=32, layers=1, heads=2, form=Form(digits=4), drill_steps=1, base_steps=1, base_rate=4e-3,
        steps=2, batch=4, rate=1e-3, prose=0.5, drill=0.25, held_out=8, arms=EVERYTHING, decoder_steps=2,
        trainings=2, gate=0.0,
    ),
    "quick": Size(
        width=64, layers=2, heads=2, form=Form(segments=2), drill_steps=300, base_steps=300, base_rate=4e-3,
        steps=600, batch=32, rate=4e-3, prose=0.0, drill=0.5, held_out=64, arms=ARCHITECTURES,
        decoder_steps=0,
    ),
    "full": Size(
        width=64, layers=2, heads=2, form=Form(), drill_steps=400, base_steps=1000, base_rate=4e-3,
        steps=2500, batch=32, rate=4e-3, prose=0.25, drill=0.25, held_out=128, arms=EVERYTHING,
        decoder_steps=200,
    ),
}  # fmt: skip
ROUNDS = {"smoke": 2, "quick": 5, "full": 6}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
PEER = "presscheck.systems.gist_compression.peers:snapkv"


def settings(arm: str, form: Form) -> GistConfig:
    """The gists of an arm, from its name."""
    kind, _, losses = arm.partition("+")
    granularity, memory, ratio = kind.split("-")
    return GistConfig(
        ratio=int(ratio),
        segment_len=form.segment_len,
        granularity=granularity,
        memory="recurrent" if memory == "rec" else "kv",
        ae_weight=AE_WEIGHT if "ae" in losses.split("+") else 0.0,
        tie_alpha=TIE_ALPHA if "tie" in losses.split("+") else 0.0,
    )


# What the arms of a run and of a round share ------------------------------------------


@functools.cache
def _text() -> tuple[Tensor, Tensor]:
    """Prose to train on, and the last tenth, to measure on."""
    ids = tasks.encode(prose())
    cut = len(ids) * 9 // 10
    return ids[:cut], ids[cut:]


@functools.cache
def base_model(size: Size) -> Any:
    """Full attention, trained from nothing."""
    model = small_llama(size.width, size.layers, size.heads)
    rows = functools.partial(batches, size.form, _text()[0], batch=size.batch)
    drills = rows(steps=size.drill_steps, seed=1 << 20, prose=0.0, drill=1.0)
    mixed = rows(steps=size.base_steps, seed=1 << 21, prose=size.prose, drill=size.drill)
    steps = size.drill_steps + size.base_steps
    train_full(model, itertools.chain(drills, mixed), steps=steps, learning_rate=size.base_rate, warmup=30)
    return model


@functools.cache
def rows_of(size: Size, training: int) -> list[Rows]:
    """What every arm is trained on, in this order."""
    return list(
        batches(
            size.form, _text()[0], size.steps, size.batch, 2 * training, prose=size.prose, drill=size.drill
        )
    )  # fmt: skip


@functools.cache
def _full_model(size: Size, training: int) -> tuple[Any, float]:
    model = copy.deepcopy(base_model(size))
    train_full(model, rows_of(size, training), steps=size.steps, learning_rate=size.rate, warmup=20)
    rows = held_out(size, training)
    return model, probes.recall_probe(plain(model), rows.ids, rows.asked)


def full_model(size: Size, seed: int) -> Any:
    """A round's full attention, trained on the same rows as all others.

    Raises:
        Unavailable: if it cannot recall: nothing can be said about what compression loses then.
    """
    model, recall = _full_model(size, seed % size.trainings)
    if recall < size.gate:
        raise Unavailable(f"not trained enough: full attention recalls {recall:.0%}, need {size.gate:.0%}")
    return model


def plain(model: Any) -> probes.LogitsOf:
    """Logits of a model with full attention."""

    def logits_of(ids: Tensor) -> Tensor:
        logits: Tensor = model(ids, use_cache=False).logits
        return logits

    return logits_of


@functools.cache
def _importance(size: Size, training: int) -> list[Tensor]:
    config = settings("fine-kv-4+tie", size.form)
    return [importance_of(base_model(size), config, batch) for batch in rows_of(size, training)]


def held_out(size: Size, seed: int) -> Rows:
    """Synthetic rows that a round is measured on."""
    return tasks.recall_rows(size.form, size.held_out, torch.Generator().manual_seed(2 * seed + 1))


def held_out_prose(size: Size, seed: int) -> Rows:
    """Prose that a round is measured on."""
    draw = torch.Generator().manual_seed(2 * seed + 1)
    return tasks.prose_rows(_text()[1], size.form, size.held_out, draw)


@functools.cache
def gist_model(size: Size, training: int, arm: str) -> GistCausalLM:
    """The trained model of an arm."""
    config = settings(arm, size.form)
    weights = _importance(size, training) if config.tie_alpha else None
    return train_gist(
        base_model(size), config, rows_of(size, training), steps=size.steps, learning_rate=size.rate,
        warmup=20, weights=weights, seed=training,
    )  # fmt: skip


@functools.cache
def _decoder(size: Size, training: int, arm: str) -> WeakDecoder:
    """The decoder that an arm was trained with, or one that is trained for it as it is."""
    lm = gist_model(size, training, arm)
    if lm.decoder is not None:
        return lm.decoder
    shown = [batch.ids for batch in rows_of(size, training)[: size.decoder_steps]]
    return fit_decoder(lm, shown, seed=training)


# Arms ---------------------------------------------------------------------------------


def arms(run: Run) -> dict[str, Arm]:
    """Full attention, gist models, and caches of raw tokens with as much room."""
    size = SIZES[run.size]
    found: dict[str, Arm] = {name: functools.partial(_not_here, run.size) for name in EVERYTHING}
    for name in size.arms:
        if name == "full":
            found[name] = functools.partial(_full, size)
        elif name == "sinks-4":
            found[name] = functools.partial(_sinks, size)
        elif name == "kvpress-snapkv-4":
            found[name] = _SnapKV(size, run.size)
        else:
            found[name] = functools.partial(_gists, size, name)
    return found


def _not_here(name: str, seed: int) -> Iterator[Reading]:
    raise Unavailable(f"not part of `{name}`: `--size full` measures it")
    yield  # an arm yields


def _full(size: Size, seed: int) -> Iterator[Reading]:
    model = full_model(size, seed)

    def write_on(ids: Tensor, count: int) -> Tensor:
        with torch.no_grad():
            read = model(ids, use_cache=True)
            for step in range(count):
                token = read.logits[:, -1:].argmax(-1)
                ids = torch.cat([ids, token], dim=1)
                if step + 1 < count:
                    read = model(token, cache=read.cache)
        return ids

    yield from _measured(size, seed, plain(model), write_on)
    cut = size.form.tokens - size.form.segment_len
    with torch.no_grad():
        read = model(held_out(size, seed).ids[:1, :cut], use_cache=True)
    yield "memory_bytes", cache_bytes(read.cache), "B"


def _sinks(size: Size, seed: int) -> Iterator[Reading]:
    model = full_model(size, seed)
    config = settings("fine-kv-4", size.form)
    rows = held_out(size, seed)
    allowed = sink_mask(rows.ids.shape[1], config)
    yield (
        "recall",
        probes.recall_probe(lambda ids: masked_logits(model, ids, allowed), rows.ids, rows.asked),
        "1",
    )
    each = 2 * 4 * size.width * size.layers  # keys and values in float32
    cut = size.form.tokens - size.form.segment_len
    yield "memory_bytes", each * (int(allowed[cut].sum()) - 1), "B"


def _gists(size: Size, arm: str, seed: int) -> Iterator[Reading]:
    full_model(size, seed)  # if it is not trained enough, this arm says so
    training = seed % size.trainings
    lm = gist_model(size, training, arm)

    def write_on(ids: Tensor, count: int) -> Tensor:
        return lm.generate(ids, max_new_tokens=count)

    yield from _measured(size, seed, lambda ids: lm(ids).logits, write_on)
    yield from _memory(size, seed, lm)
    if lm.config.memory == "kv" and size.decoder_steps:
        decoder = _decoder(size, training, arm)
        yield "rebuilt", probes.reconstruction_accuracy(decoder, lm, held_out(size, seed).ids), "1"


def _measured(
    size: Size, seed: int, logits_of: probes.LogitsOf, write_on: Callable[[Tensor, int], Tensor]
) -> Iterator[Reading]:
    """What is measured of every model."""
    rows, L = held_out(size, seed), size.form.segment_len
    losses = [probes.token_losses(logits_of, rows.ids, rows.labels)[:, L:]]
    yield "recall", probes.recall_probe(logits_of, rows.ids, rows.asked), "1"
    related, surprise = probes.surprise_probe(logits_of, rows.ids, rows.asked, rows.related)
    yield "recall_related", related, "1"
    yield "recall_surprise", surprise, "1"
    yield "surprise_gap", related - surprise, "1"
    strings = slice(0, size.held_out // 2)  # written token by token, which takes its time
    curve = probes.uuid_prefix_curve(write_on, rows.ids[strings], rows.string[strings])
    for place, share in enumerate(curve.tolist()):
        yield f"digit_{place + 1}", share, "1"
    yield "copied", curve.mean().item(), "1"
    yield "way_slope", probes.slope(curve), "1"
    if size.prose:
        text = held_out_prose(size, seed)
        losses.append(probes.token_losses(logits_of, text.ids)[:, L:])
        yield "text_nll", losses[-1].mean().item(), "nat"
        full = plain(full_model(size, seed))
        excess = probes.position_curve(logits_of, full, text.ids, L)
        eighth = L // 8
        start, end = excess[:eighth].mean().item(), excess[-eighth:].mean().item()
        yield "excess_start", start, "nat"
        yield "excess_end", end, "nat"
        yield "boundary_margin", start - 1.5 * end, "nat"
        for place, nats in enumerate(excess.tolist()):
            yield f"excess_{place}", nats, "nat"
    yield "nll", torch.cat([loss.flatten() for loss in losses]).nanmean().item(), "nat"


def _memory(size: Size, seed: int, lm: GistCausalLM) -> Iterator[Reading]:
    """Bytes of a row's cache before its last segment, and how far they are from what they should be.

    The second is also looked at within the last segment.
    """
    config, form = lm.config, size.form
    ids = held_out(size, seed).ids[:1]
    cut, inside = form.tokens - form.segment_len, form.segment_len // 2 + 1
    cache = lm.new_cache()
    lm.read(ids[:, :cut], cache)
    before = cache_bytes(cache)
    lm.read(ids[:, cut : cut + inside], cache)
    each = 2 * 4 * size.width * size.layers
    gists = (form.segments - 1) * config.gists
    own = inside + (inside // config.ratio if config.granularity == "fine" else 0)
    vectors = 4 * size.width * gists if config.memory == "recurrent" else 0
    expected = each * (gists + own) + vectors
    yield "memory_bytes", before, "B"
    yield "memory_off", abs(cache_bytes(cache) / expected - 1), "1"


class _SnapKV:
    """kvpress's arm: the round's model with full attention is handed over as a folder of safetensors."""

    def __init__(self, size: Size, name: str) -> None:
        self.size = size
        self.folder = tempfile.TemporaryDirectory(prefix="presscheck-gists-")
        given = {"folder": self.folder.name, "size": name, "ratio": 4, "window": WINDOW, "kernel": KERNEL}
        self.peer = Peer("kvpress", PEER, given)

    def __call__(self, seed: int) -> list[Reading]:
        """One trial, as of ``Peer``."""
        folder = Path(self.folder.name) / f"training-{seed % self.size.trainings}"
        if not folder.exists():
            full_model(self.size, seed).save_pretrained(folder)
        return self.peer(seed)

    def close(self) -> None:
        """End its process, and take the folder away."""
        self.peer.close()
        self.folder.cleanup()


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    size = SIZES[run.size]
    model = small_llama(size.width, size.layers, size.heads)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "base_tokens": (size.drill_steps + size.base_steps) * size.batch * size.form.tokens,
        "tokens": size.steps * size.batch * size.form.tokens,
        "ae_weight": AE_WEIGHT,
        "tie_alpha": TIE_ALPHA,
        "threads": torch.get_num_threads(),
    }


def figure(record: Any) -> Any:
    """Loss by offset, recall by memory, and along the string."""
    return draw(record)
