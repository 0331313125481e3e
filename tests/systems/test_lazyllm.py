"""LazyLLM: which tokens a layer reads, that each is computed once, and that what comes out is right."""

import pytest
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv

from presscheck.systems.lazyllm import LazyCache, PruneSchedule, lazyllm, token_importance
from presscheck.systems.lazyllm.attach import _mask
from presscheck.systems.lazyllm.state import LazyLayer
from presscheck.testbeds.language import tiny_llama


def prompt(tokens=60, seed=0):
    return torch.randint(3, 128, (1, tokens), generator=torch.Generator().manual_seed(seed))


def plan(*keep, **settings):
    return PruneSchedule(keep, **{"min_tokens": 4} | settings)


def read(model, ids, schedule, more=()):
    """The cache after a prompt and single tokens, and the logits (1 + len(more), V) of each."""
    with torch.no_grad(), lazyllm(model, schedule) as cache:
        logits = [model(ids, cache=cache).logits[0, -1]]
        logits += [model(torch.tensor([[token]]), cache=cache).logits[0, -1] for token in more]
    return cache, torch.stack(logits)


class Slow:
    """The method without caches of keys and values: all of a layer's inputs are kept, by position.

    Keys and values are made anew each time from the inputs, attention is written out over the
    tokens that a layer reads, and the newest row of its probabilities, averaged over heads,
    decides for the next layer.
    """

    def __init__(self, model, schedule):
        self.model, self.plan = model.model, schedule
        self.head, self.config = model.lm_head, model.config
        self.inputs = [torch.empty(0, model.config.hidden_size) for _ in range(len(self.model.layers) + 1)]
        self.reads = []

    @torch.no_grad()
    def step(self, ids):
        new = self.model.embed_tokens(ids)[0]
        nothing = torch.full_like(new, torch.nan)
        self.inputs = [torch.cat([x, new if i == 0 else nothing]) for i, x in enumerate(self.inputs)]
        seen = self.inputs[0].shape[0]
        reads, scores, self.reads = torch.arange(seen), None, []
        for index, layer in enumerate(self.model.layers):
            if self.plan.prunes(index):
                scores[-1] = torch.inf
                best = scores.topk(min(self.plan.count(index, seen), len(reads))).indices
                reads = reads[best.sort().values]
            self.reads.append(reads)
            todo = reads[self.inputs[index + 1][reads].isnan().any(-1)]
            scores = self.layer(index, layer, reads, todo)
        return self.head(self.model.norm(self.inputs[-1][-1]))

    def layer(self, index, layer, reads, todo):
        x = self.inputs[index][reads]
        assert not x.isnan().any(), "a token is read whose input was never computed"
        attention, D = layer.self_attn, self.config.head_dim
        normed = layer.input_layernorm(x)[None]
        q, k, v = (
            project(normed).view(1, len(reads), -1, D)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):
            q, k = attention.q_norm(q), attention.k_norm(k)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        q, k = apply_rotary_pos_emb(q, k, *self.model.rotary_emb(normed, position_ids=reads[None]))
        k, v = (repeat_kv(x, q.shape[1] // k.shape[1]) for x in (k, v))
        ahead = reads[None] > reads[:, None]
        weights = (q @ k.mT * attention.scaling).masked_fill(ahead, -torch.inf).softmax(-1)
        y = x + attention.o_proj((weights @ v)[0].transpose(0, 1).flatten(1))
        y = y + layer.mlp(layer.post_attention_layernorm(y))
        rows = torch.isin(reads, todo)
        self.inputs[index + 1][todo] = y[rows]
        return weights[0, :, -1].mean(0)


# Who is left out --------------------------------------------------------------------


def test_importance_is_the_newest_row_of_the_attention_averaged_over_heads():
    """The mean over all rows, which is another method, would choose other tokens here."""
    model, ids = tiny_llama(layers=1), prompt(40)
    model.set_attn_implementation("eager")
    probabilities = model(ids, output_attentions=True).attentions[0][0]  # (H, S, S)
    with torch.no_grad(), lazyllm(model, plan()) as cache:
        model(ids, cache=cache)
    attention = model.model.layers[0].self_attn
    x = model.model.layers[0].input_layernorm(model.model.embed_tokens(ids))[:, -1:]
    query = attention.q_proj(x).view(1, 1, 4, 16).transpose(1, 2)
    cosines, sines = model.model.rotary_emb(x, position_ids=torch.tensor([[39]]))
    query, _ = apply_rotary_pos_emb(query, query, cosines, sines)
    got = token_importance(query[0, :, 0], cache.lazy[0].keys[:, :40], attention.scaling)
    torch.testing.assert_close(got, probabilities[:, -1].mean(0), atol=1e-6, rtol=1e-4)
    mean_of_rows = probabilities.mean((0, 1))
    assert set(got.topk(8).indices.tolist()) != set(mean_of_rows.topk(8).indices.tolist())


def test_importance_of_shapes_that_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="H a multiple of G"):
        token_importance(torch.ones(3, 8), torch.ones(2, 5, 8), 1.0)
    with pytest.raises(ValueError, match=r"query \(4, 8\) does not fit keys \(2, 5, 6\)"):
        token_importance(torch.ones(4, 8), torch.ones(2, 5, 6), 1.0)


def test_the_layer_behind_the_scores_is_the_first_that_reads_fewer():
    """Rows that pass through each of three layers, and who they are: those that layer 1 looks at most."""
    model, ids, rows = tiny_llama(layers=3), prompt(40), []
    model.set_attn_implementation("eager")
    looked = model(ids, output_attentions=True).attentions[1][0, :, -1].mean(0)
    hooks = [
        layer.register_forward_pre_hook(lambda module, args: rows.append(args[0].shape[1]))
        for layer in model.model.layers
    ]
    cache, _ = read(model, ids, plan((2, 0.5)))
    for hook in hooks:
        hook.remove()
    assert rows == cache.computed == [40, 40, 20]
    looked[-1] = torch.inf
    assert cache.lazy[2].present[:40].nonzero()[:, 0].tolist() == sorted(looked.topk(20).indices.tolist())
    assert cache.lazy[1].parked[:40].tolist() == (~cache.lazy[2].present[:40]).tolist()


def test_recent_and_random_choose_by_place_and_by_lot():
    model, ids = tiny_llama(layers=3), prompt(40)
    cache, _ = read(model, ids, plan((1, 0.5), (2, 0.25), choose="recent"))
    assert cache.lazy[1].present[:40].nonzero()[:, 0].tolist() == list(range(20, 40))
    assert cache.lazy[2].present[:40].nonzero()[:, 0].tolist() == list(range(30, 40))
    drawn = [
        read(model, ids, plan((1, 0.5), choose="random", seed=seed))[0].lazy[1].present[:40].tolist()
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(sum(one) == 20 and one[-1] for one in drawn)


def test_tokens_that_are_protected_stay():
    settings = {"protect_first": 3, "protect_last": 5, "min_tokens": 1}
    for choose in ("attention", "random", "recent"):
        cache, _ = read(tiny_llama(layers=3), prompt(40), plan((1, 0.25), choose=choose, **settings))
        assert cache.lazy[1].present[[0, 1, 2, 35, 36, 37, 38, 39]].all()
        assert cache.computed[1] == 10


# What comes out ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "keep",
    [
        ((1, 0.5),),
        ((2, 0.6), (4, 0.3)),
        ((1, 0.8), (2, 0.5), (3, 0.3), (5, 0.1)),
        ((3, 0.02),),
    ],
)
def test_logits_are_those_of_the_method_written_out_without_caches(keep):
    """Prompt and 20 steps, in which tokens come back, at several layers and from several places.

    Positions counted anew after gathering, a layer's input parked instead of its output, revived
    keys put at the end, a mask by index, a new token without keys of its own: each fails here.
    """
    model, ids, more = tiny_llama(layers=6), prompt(50), prompt(20, seed=3)[0].tolist()
    schedule = plan(*keep, min_tokens=1)
    slow = Slow(model, schedule)
    expected = [slow.step(ids)] + [slow.step(torch.tensor([[token]])) for token in more]
    cache, logits = read(model, ids, schedule, more)
    torch.testing.assert_close(logits, torch.stack(expected), atol=2e-4, rtol=1e-4)
    done = [x[:, 0].isfinite() for x in slow.inputs[1:]]
    assert [layer.present[:70].tolist() for layer in cache.lazy] == [one.tolist() for one in done]
    assert sum(cache.revived) > 0


def test_a_token_that_nothing_looks_at_can_go_and_no_bit_of_the_answer_does():
    """Half of the tokens are made invisible to the newest: values and places of the others must hold."""
    model, ids = tiny_llama(layers=4), prompt(50)
    cache, logits = read(model, ids, plan((2, 0.5)))
    survivors = cache.lazy[2].present[:50].nonzero()[:, 0]
    model.set_attn_implementation("eager")
    hidden = torch.triu(torch.full((50, 50), torch.finfo(torch.float32).min), 1)

    def blind(module, args, kwargs):
        mask = hidden.clone()
        mask[:, [i for i in range(50) if i not in survivors.tolist()]] = torch.finfo(torch.float32).min
        return args, {**kwargs, "attention_mask": mask[None, None]}

    for layer in model.model.layers[2:]:
        layer.register_forward_pre_hook(blind, with_kwargs=True)
    with torch.no_grad():
        full = model(ids).logits[0, -1]
    torch.testing.assert_close(logits[0], full, atol=1e-4, rtol=1e-4)


def test_with_everything_kept_the_logits_are_the_models_own():
    for keep in ((), ((1, 1.0),), ((1, 1.0), (3, 1.0))):
        model, ids, more = tiny_llama(layers=4), prompt(), prompt(8, seed=1)[0].tolist()
        cache, logits = read(model, ids, PruneSchedule(keep), more)
        out = model(ids, use_cache=True)
        own = [out.logits[0, -1]]
        own += [model(torch.tensor([[t]]), cache=out.cache).logits[0, -1] for t in more]
        torch.testing.assert_close(logits, torch.stack(own), atol=1e-5, rtol=1e-4)
        assert cache.computed == [68] * 4 and cache.work() == 1.0 and not any(cache.revived)


@pytest.mark.parametrize("choose", ["attention", "random", "recent"])
def test_a_step_that_reads_everything_revives_everything(choose):
    """Against the plain model: tokens that come back before all others are what they would have been.

    With `recent` what was left out stands before what stayed, so that on coming back it must see
    the same tokens as in a full pass, and none of those behind it.
    """
    model, ids = tiny_llama(layers=4), prompt(40)
    with torch.no_grad(), lazyllm(model, plan((1, 0.5), (2, 0.25), choose=choose)) as cache:
        model(ids, cache=cache)
        cache.schedule = PruneSchedule(())
        model(torch.tensor([[5]]), cache=cache)
        own = model(ids, use_cache=True).cache
    assert cache.computed == [41] * 4 and cache.work() == 1.0
    assert cache.revived == [0, 20 + 10]  # 20 wait before layer 1, and 10 more before layer 2
    assert not any(layer.parked.any() for layer in cache.lazy)
    if choose == "recent":
        for ours, theirs in zip(cache.lazy, own.layers, strict=True):
            torch.testing.assert_close(ours.keys[:, :20], theirs.keys[0, :, :20], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(ours.values[:, :20], theirs.values[0, :, :20], atol=1e-4, rtol=1e-4)


def test_a_mask_is_by_place_and_not_by_order_of_arrival():
    mask = _mask(torch.tensor([2, 7, 9]), torch.tensor([0, 2, 3, 7, 8, 9]))
    expected = [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert mask[0, 0].int().tolist() == expected
    assert _mask(torch.tensor([2, 7]), torch.tensor([2, 7])) is None
    assert _mask(torch.tensor([9]), torch.tensor([0, 9])) is None


def test_keys_fall_into_their_places_whatever_order_they_come_in():
    keys, values = torch.randn(2, 2, 6, 4)
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    shuffled = LazyLayer()
    for some in (order[:2], order[2:]):
        shuffled.insert(some, keys[:, some], values[:, some], 8)
    assert torch.equal(shuffled.keys[:, :6], keys) and torch.equal(shuffled.values[:, :6], values)
    assert shuffled.present.tolist() == [True] * 6 + [False] * 2


# Once and no more -------------------------------------------------------------------


def test_no_token_is_computed_twice_in_a_layer_over_a_whole_conversation():
    """Rows counted by hooks, not by the cache; room is made anew on the way."""
    model, rows = tiny_llama(layers=6), [0] * 6

    def count(index):
        def hook(module, args):
            rows[index] += args[0].shape[1]

        return hook

    for index, layer in enumerate(model.model.layers):
        layer.register_forward_pre_hook(count(index))
    cache, _ = read(model, prompt(50), plan((2, 0.4), (4, 0.2)), prompt(120, seed=2)[0].tolist())
    assert rows == cache.computed == [int(layer.present.sum()) for layer in cache.lazy]
    assert rows[:2] == [170, 170] and all(n <= 170 for n in rows)
    # A model of random weights looks elsewhere at each step: all but everything comes back, once.
    assert cache.work() == sum(rows) / (6 * 170) <= 1
    assert len(cache.revived) == 121 and sum(cache.revived) > 0


def test_where_the_same_tokens_stay_important_nothing_comes_back():
    """The most recent half, and quarter, only move on: deep layers compute what is new."""
    schedule = plan((2, 0.5), (4, 0.25), choose="recent")
    cache, _ = read(tiny_llama(layers=6), prompt(100), schedule, prompt(32, seed=2)[0].tolist())
    assert cache.computed == [132, 132, 50 + 32, 50 + 32, 25 + 32, 25 + 32]
    assert not any(cache.revived)


def test_computing_a_token_again_is_an_error():
    layer, states = LazyLayer(), torch.zeros(2, 1, 4)
    layer.insert(torch.tensor([3]), states, states, 8)
    with pytest.raises(RuntimeError, match="computed twice"):
        layer.insert(torch.tensor([3]), states, states, 8)


def test_fetching_what_is_not_parked_is_an_error():
    layer = LazyLayer()
    layer.park(torch.tensor([1]), torch.ones(1, 4), 8)
    assert layer.fetch(torch.tensor([1])).tolist() == [[1.0] * 4]
    with pytest.raises(RuntimeError, match="no hidden states"):
        layer.fetch(torch.tensor([1]))


def test_every_new_token_has_keys_in_every_layer():
    schedule = plan((1, 0.01), (2, 0.01), min_tokens=1)
    cache, _ = read(tiny_llama(layers=3), prompt(50), schedule, range(3, 40))
    assert all(layer.present[49:87].all() for layer in cache.lazy)
    assert cache.computed[2] < 87


def test_static_pruning_revives_nobody():
    schedule = plan((1, 0.5), revive=False)
    cache, _ = read(tiny_llama(layers=4), prompt(50), schedule, range(3, 20))
    assert cache.computed == [67, 25 + 17, 25 + 17, 25 + 17] and not any(cache.revived)


# What it costs ----------------------------------------------------------------------


def test_a_schedules_work_is_what_a_prompt_takes():
    schedule = plan((2, 0.55), (3, 0.3))
    cache, _ = read(tiny_llama(layers=5), prompt(47), schedule)
    assert cache.work() == schedule.work(47, 5) == (2 * 47 + 26 + 2 * 15) / (5 * 47)
    pairs = (2 * 47 * 48 + 26 * 27 + 2 * 15 * 16) / (5 * 47 * 48)
    assert schedule.attention_work(47, 5) == pytest.approx(pairs)


@pytest.mark.parametrize("layers", [6, 13, 30, 32, 80])
@pytest.mark.parametrize("budget", [0.9, 0.8, 0.7, 0.5, 0.35])
def test_a_schedule_for_a_budget_meets_it(budget, layers):
    schedule = PruneSchedule.for_budget(budget, layers)
    assert schedule.work(4000, layers) == pytest.approx(budget, abs=1e-3)
    assert schedule.deepest < layers
    if budget >= 0.7:
        assert schedule.keep[0][0] == layers // 2


def test_shares_are_counted_without_rounding_noise():
    assert PruneSchedule([(1, 0.7)], min_tokens=1).count(1, 10) == 7
    assert PruneSchedule([(1, 0.7)], min_tokens=1).count(1, 11) == 8
    assert PruneSchedule([(1, 0.1)]).count(1, 20) == 16
    assert PruneSchedule([(1, 0.1)]).count(1, 12) == 12
    assert PruneSchedule([(1, 0.1)]).count(0, 1000) == 1000


def test_bytes_at_the_scale_of_llama_2_7b_are_the_closed_form():
    """4096 tokens, 32 heads of 128 channels in bfloat16: one of the 32 equal layers is built."""
    layer, room = LazyLayer(), 4096 + 64
    states = torch.zeros(32, 2048, 128, dtype=torch.bfloat16)
    layer.insert(torch.arange(0, 4096, 2), states, states, room)
    layer.park(torch.arange(1, 4096, 2), torch.zeros(2048, 4096, dtype=torch.bfloat16), room)
    cache = LazyCache(PruneSchedule([(16, 0.5)]), 32)
    cache.lazy = [layer]
    # Parked hidden states take half of what keys and values of a layer take: nothing is saved.
    assert cache.nbytes() == {"kv": 2 * 32 * room * 128 * 2 + room, "aux": room * 4096 * 2 + room}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"keep": [(0, 0.5)]}, "layer 0 reads"),
        ({"keep": [(0, 0.5)]}, "rise from 1"),
        ({"keep": [(4, 0.5), (4, 0.4)]}, "layer 4 after 4"),
        ({"keep": [(4, 0.5), (2, 0.4)]}, "layer 2 after 4"),
        ({"keep": [(1, 0.0)]}, "not pruned"),
        ({"keep": [(1, 1.2)]}, r"shares in \(0, 1\], got 1.2"),
        ({"keep": [(1, float("nan"))]}, "got nan"),
        ({"keep": [(1, 0.5), (2, 0.6)]}, "rises from 0.5 to 0.6 at layer 2"),
        ({"keep": [0.5]}, r"\(layer, share\) pairs"),
        ({"keep": 0.5}, r"\(layer, share\) pairs"),
        ({"keep": [(1.5, 0.5)]}, "whole numbers"),
        ({"keep": [(1, "half")]}, r"\(layer, share\) pairs"),
        ({"min_tokens": 0}, "min_tokens must be a whole number of tokens from 1 up, got 0"),
        ({"min_tokens": 2.5}, "min_tokens"),
        ({"protect_first": -1}, "protect_first"),
        ({"protect_last": 0}, "protect_last"),
        ({"choose": "h2o"}, "choose must be one of attention, random, recent, got 'h2o'"),
    ],
)
def test_settings_out_of_range_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        PruneSchedule(**{"keep": ()} | settings)


@pytest.mark.parametrize("budget", [0.0, 0.1, 1.01, float("nan"), -1])
def test_a_budget_that_cannot_be_met_is_refused(budget):
    with pytest.raises(ValueError, match="budget"):
        PruneSchedule.for_budget(budget, 30)


def test_a_model_of_few_layers_gets_no_schedule_for_a_budget():
    with pytest.raises(ValueError, match="at least 6 layers, got 4"):
        PruneSchedule.for_budget(0.8, 4)
