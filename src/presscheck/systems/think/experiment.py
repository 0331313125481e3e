"""ThinK measured: bytes kept, perplexity of what follows, pass keys found, time to decode.

A round reads one passage and one pass-key prompt; every arm then makes its cache from the same
keys, values and queries, so that arms differ in the cache alone.
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
from presscheck.systems.think import ThinKCache, ThinKConfig, ThinKLayer, think
from presscheck.testbeds.language import (
    LanguageModel,
    cache_bytes,
    found,
    load,
    needle,
    passage,
    perplexity,
    tiny_llama,
)


@dataclass(frozen=True)
class Size:
    """How much is read."""

    context: int
    follows: int
    """Tokens whose perplexity is measured, through the pruned cache."""
    passages: int
    """Passages a round, drawn by its seed; their perplexities are joined by the mean loss."""
    needles: int
    needle: int
    """Tokens of a pass-key prompt."""
    speed: int
    """Tokens of the cache whose decoding is timed, and 8 rows."""
    repeats: int
    tiny: bool = False


SIZES = {
    "smoke": Size(192, 24, 1, 0, 0, 256, 2, tiny=True),
    "quick": Size(768, 128, 1, 1, 384, 8192, 4),
    "full": Size(1024, 128, 3, 3, 384, 8192, 8),
}
ROUNDS = {"smoke": 2, "quick": 5, "full": 6}
WARMUP = {"smoke": 0, "quick": 0, "full": 0}
MODELS = True
BATCH = 8
PEER = "presscheck.systems.think.peers:zeroed"


@dataclass(frozen=True)
class Read:
    """A prompt that has been read: what each layer was given."""

    layers: list[tuple[Tensor, Tensor, Tensor]]
    """Queries (1, H, S, D), keys and values (1, G, S, D)."""
    ids: Tensor
    """(1, S)."""
    first: Tensor
    """(1, V): logits of the token that follows."""


class Recorder(ThinKLayer):
    """A layer that keeps its queries instead of pruning."""

    queries: Tensor

    def compress(self, queries: Tensor, **_: Any) -> None:
        """Keep them."""
        self.settled, self.queries = True, queries


@torch.no_grad()
def read(lm: LanguageModel, ids: Tensor) -> Read:
    """One forward pass over a prompt."""
    cache = ThinKCache()
    cache.layers = [Recorder() for _ in range(lm.model.config.num_hidden_layers)]
    with think(lm.model, cache=cache):
        logits = lm.model(ids, cache=cache, logits_to_keep=1).logits
    return Read([(x.queries, x.keys, x.values) for x in cache.layers], ids, logits[:, -1])


def made(prompt: Read, config: ThinKConfig) -> ThinKCache:
    """The cache that a prompt leaves behind under a configuration."""
    cache = ThinKCache(config)
    for index, (queries, keys, values) in enumerate(prompt.layers):
        cache.update(keys, values, index)
        cache.layers[index].compress(queries)
    return cache


@torch.no_grad()
def loss_after(lm: LanguageModel, prompt: Read, cache: ThinKCache, ids: Tensor) -> float:
    """Perplexity of the tokens behind a prompt, teacher-forced through its cache."""
    with think(lm.model, cache=cache):
        logits = lm.model(ids[:, :-1], cache=cache).logits
    return perplexity(torch.cat([prompt.first[:, None], logits], dim=1), ids)


@torch.no_grad()
def digits(lm: LanguageModel, prompt: Read, cache: ThinKCache, tokens: int = 8) -> str:
    """The greedy answer to a prompt."""
    answer = [prompt.first.argmax(-1)]
    with think(lm.model, cache=cache):
        for _ in range(tokens - 1):
            answer.append(lm.model(answer[-1][:, None], cache=cache).logits[:, -1].argmax(-1))
    text: str = lm.tokenizer.decode(torch.cat(answer))
    return text


def configs(context: int) -> dict[str, ThinKConfig]:
    """Arm → its cache. Evictions keep half of the context."""
    half: dict[str, Any] = {"capacity": context // 2}
    none: dict[str, Any] = {"key_ratio": 0.0}
    snapkv, h2o = {**half, "eviction": "snapkv"}, {**half, "eviction": "h2o"}
    both = {
        "full": none,
        "think-0.3": {"key_ratio": 0.3},
        "think-0.4": {},
        "think-0.5": {"key_ratio": 0.5},
        "think-0.6": {"key_ratio": 0.6},
        "think-0.4-no-window": {"recent_window": 0},
        "think-0.4-values-0.3": {"value_ratio": 0.3},
        "key-norm-0.5": {"key_ratio": 0.5, "criterion": "key"},
        "query-norm-0.5": {"key_ratio": 0.5, "criterion": "query"},
        "random-0.5": {"key_ratio": 0.5, "criterion": "random"},
        "snapkv": {**none, **snapkv},
        "snapkv+think-0.4": snapkv,
        "snapkv+think-0.5": {**snapkv, "key_ratio": 0.5},
        "h2o": {**none, **h2o},
        "h2o+think-0.5": {**h2o, "key_ratio": 0.5},
        "kivi": {**none, "bits": 2},
        "kivi+think-0.4": {"bits": 2},
    }
    return {name: ThinKConfig(**settings) for name, settings in both.items()}


def same_bytes(prompt: Read, like: ThinKConfig) -> ThinKConfig:
    """SnapKV alone with as many tokens as fit into the bytes of SnapKV with ThinK."""
    one = Read(prompt.layers[:1], prompt.ids, prompt.first)
    budget, whole = made(one, like).nbytes(), sum(x.nbytes for x in prompt.layers[0][1:])
    # A token that stays also costs its place, 4 bytes a head.
    token = whole // prompt.ids.shape[1] + 4 * prompt.layers[0][1].shape[1]
    return ThinKConfig(key_ratio=0.0, eviction="snapkv", capacity=budget // token)


def arms(run: Run) -> dict[str, Arm]:
    """Our caches, the evictions and criteria they are compared with, and kvpress."""
    size = SIZES[run.size]
    lm = LanguageModel(tiny_llama(), None, "tiny") if size.tiny else load(run.model, run.device)

    @functools.lru_cache(maxsize=1)
    def prompts(seed: int) -> tuple[list[tuple[Read, Tensor]], list[tuple[Read, Any]]]:
        passages = []
        for ids in texts(lm, size.context + size.follows, size.passages, seed):
            passages.append((read(lm, ids[:, : size.context]), ids[:, size.context :]))
        needles = [needle(lm, size.needle, 1000 * seed + i) for i in range(size.needles)]
        return passages, [(read(lm, one.ids), one) for one in needles]

    def arm(name: str, config: ThinKConfig | None) -> Callable[[int], Iterator[Reading]]:
        def trial(seed: int) -> Iterator[Reading]:
            try:
                passages, needles = prompts(seed)
            except (TypeError, ValueError) as error:  # a model of the user's that ThinK does not fit
                raise Unavailable(str(error)) from error
            losses, kept = [], 0
            for prompt, ids in passages:
                chosen = config or same_bytes(prompt, configs(size.context)["snapkv+think-0.4"])
                if chosen.criterion == "random":
                    chosen = ThinKConfig(**{**asdict(chosen), "seed": seed})
                cache = made(prompt, chosen)
                kept = cache_bytes(cache)
                losses.append(loss_after(lm, prompt, cache, ids))
            yield "kv_bytes", kept, "B"
            yield "perplexity", float(torch.tensor(losses).double().log().mean().exp()), "1"
            if name in {"full", "think-0.4", "think-0.5"}:
                shares = [found(digits(lm, prompt, made(prompt, chosen)), one) for prompt, one in needles]
                yield "needle_digits", sum(shares) / max(1, len(shares)), "1"
                yield "decode_attention_seconds", decode_seconds(run, size, lm, chosen), "s"

        return trial

    found_arms: dict[str, Arm] = {name: arm(name, config) for name, config in configs(size.context).items()}
    found_arms["snapkv-same-bytes"] = arm("snapkv-same-bytes", None)
    settings = {key: getattr(size, key) for key in ("context", "follows", "passages", "tiny")}
    found_arms["kvpress-0.4"] = Peer(
        "kvpress", PEER, {**settings, "ratio": 0.4, "model": run.model, "device": run.device}
    )
    return found_arms


def texts(lm: LanguageModel, tokens: int, passages: int, seed: int) -> list[Tensor]:
    """Passages of a round, (1, tokens) each."""
    if lm.tokenizer is None:
        draw = torch.Generator().manual_seed(seed)
        return [torch.randint(3, 128, (1, tokens), generator=draw) for _ in range(passages)]
    return [passage(lm, tokens, 1000 * seed + i) for i in range(passages)]


@torch.no_grad()
def decode_seconds(run: Run, size: Size, lm: LanguageModel, config: ThinKConfig) -> float:
    """Seconds of one step of one layer's attention, 8 rows, the new token stored.

    The full cache is allocated beforehand, and the faster of two attentions over it counts:
    torch's fused one, and the products that ours is made of.
    """
    settings = lm.model.config
    G, H = settings.num_key_value_heads, settings.num_attention_heads
    D = getattr(settings, "head_dim", None) or settings.hidden_size // H
    draw = torch.Generator().manual_seed(0)

    def states(heads: int, tokens: int) -> Tensor:
        drawn = torch.randn(BATCH, heads, tokens, D, generator=draw)
        return drawn.to(run.device, lm.model.dtype)

    S, scaling = size.speed, D**-0.5
    keys, values = states(G, S), states(G, S)
    query, key, value = states(H, 1), states(G, 1), states(G, 1)
    if config.idle:
        room = torch.zeros(2, BATCH, G, S + 1, D, device=run.device, dtype=lm.model.dtype)
        room[0, :, :, :S], room[1, :, :, :S] = keys, values
        grouped = query.view(BATCH, G, H // G, D)

        def fused() -> Tensor:
            room[0, :, :, S:], room[1, :, :, S:] = key, value
            return torch.nn.functional.scaled_dot_product_attention(
                query, room[0], room[1], scale=scaling, enable_gqa=True
            )

        def products() -> Tensor:
            room[0, :, :, S:], room[1, :, :, S:] = key, value
            return ((grouped @ room[0].mT) * scaling).softmax(-1) @ room[1]

        return min(median(run, size.repeats, fused), median(run, size.repeats, products))
    layer = ThinKLayer(config)
    layer.update(keys, values)
    layer.compress(states(H, config.query_window))

    def ours() -> Tensor:
        layer.update(key, value)
        output = layer.attend(query, None, scaling)
        layer.crop(-1)
        return output

    return median(run, size.repeats, ours)


def median(run: Run, repeats: int, call: Callable[[], Tensor]) -> float:
    """Seconds of a call: median of five blocks of calls, after two calls that are not counted."""

    def block() -> None:
        for _ in range(repeats):
            call()

    call()
    call()
    return sorted(run.time(block)[0] / repeats for _ in range(5))[2]


def parameters(run: Run) -> dict[str, Any]:
    """What the record keeps."""
    size = SIZES[run.size]
    return {**asdict(size), "eviction_capacity": size.context // 2, "speed_batch": BATCH}


def figure(record: Any) -> Any:
    """Perplexity against bytes, a dot an arm: geometric means over the rounds."""
    import math

    from matplotlib.figure import Figure

    readings: dict[str, dict[str, list[float]]] = {}
    for row in record.measurements:
        readings.setdefault(row.arm, {}).setdefault(row.metric, []).append(row.value)
    drawing = Figure(figsize=(7, 4.2), layout="constrained")
    axes = drawing.add_subplot()
    for name, metrics in readings.items():
        if not {"kv_bytes", "perplexity"} <= metrics.keys():
            continue
        at = [
            math.exp(sum(map(math.log, metrics[metric])) / len(metrics[metric]))
            for metric in ("kv_bytes", "perplexity")
        ]
        marker, colour = ("o", "C0") if "think" in name else ("s", "0.5")
        axes.plot(at[0] / 1e6, at[1], marker, color=colour)
        axes.annotate(name, (at[0] / 1e6, at[1]), xytext=(4, 3), textcoords="offset points", fontsize=7)
    axes.set(xlabel="cache (MB)", ylabel="perplexity", yscale="log")
    axes.minorticks_off()
    return drawing
