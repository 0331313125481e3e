"""Selective attention's cache: incremental equals parallel, who leaves and who stays, budgets, baselines."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.systems.selective_attention import (
    SelectiveKVCache,
    SelectiveLayer,
    allocate_budgets,
    loss_with_budgets,
    memory_loss,
    recorded_masks,
    selective,
    tasks,
)
from presscheck.systems.selective_attention.baselines import EvictingCache, surviving
from presscheck.systems.selective_attention.mask import kept_keys, selective_mask
from presscheck.systems.selective_attention.training import Shape, build, train
from presscheck.testbeds.language import cache_bytes, tiny_llama


def prompt(tokens=40, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def trained_like(**options):
    model = tiny_llama(**options)
    model.set_attn_implementation("selective")
    return model


@torch.no_grad()
def decoded(model, ids, cache, sizes=None):
    """Logits of a text that is read in runs of these sizes, token by token by default."""
    sizes = [1] * ids.shape[1] if sizes is None else sizes
    return torch.cat([model(part, cache=cache).logits for part in ids.split(sizes, dim=1)], dim=1)


# Incremental is parallel --------------------------------------------------------------


@pytest.mark.parametrize("budget", [None, 200])
def test_decoding_200_tokens_gives_the_logits_of_one_pass(budget):
    model, ids = trained_like(), prompt(200, batch=2)
    with torch.no_grad():
        whole = model(ids).logits
    torch.testing.assert_close(decoded(model, ids, SelectiveKVCache(budget)), whole, atol=1e-4, rtol=1e-4)
    prefilled = decoded(model, ids, SelectiveKVCache(budget), [150, 1, 20, 29])
    torch.testing.assert_close(prefilled, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("budgets", [2, 3, [9, 17], [None, 5]])
def test_a_pruned_cache_is_the_same_however_the_text_is_read(budgets):
    """Token by token, in runs, in one pass: the same keys leave at the same time."""
    model, ids = trained_like(), prompt(60, batch=3)
    caches = [SelectiveKVCache(budgets) for _ in range(4)]
    ways = [None, [60], [7, 1, 30, 22], [1, 59]]
    first, *others = (decoded(model, ids, cache, way) for cache, way in zip(caches, ways, strict=True))
    for logits, cache in zip(others, caches[1:], strict=True):
        torch.testing.assert_close(logits, first, atol=1e-4, rtol=1e-4)
        for one, two in zip(caches[0].layers, cache.layers, strict=True):
            places = [x.positions[:, : x.length].sort(-1).values for x in (one, two)]
            assert torch.equal(*places)
    with torch.no_grad():
        assert (model(ids).logits - first).abs().max() > 1e-3  # something did leave


def test_generate_works_and_sees_what_decoding_sees():
    model, ids = trained_like(), prompt(30)
    cache = SelectiveKVCache([8, 12])
    options = {"max_new_tokens": 20, "min_new_tokens": 20, "do_sample": False}
    got = model.generate(ids, cache=cache, **options)
    logits = decoded(model, got, SelectiveKVCache([8, 12]))
    logits[..., 2] = -torch.inf  # as min_new_tokens does with the end of text
    assert torch.equal(logits[:, 29:-1].argmax(-1), got[:, 30:])
    assert cache.kept() == [8, 12] and cache.get_seq_length() == 49


def test_beams_take_their_votes_with_them():
    model, ids = trained_like(), prompt(24, batch=2)
    with torch.no_grad():
        found = model.generate(
            ids, cache=SelectiveKVCache(9), num_beams=3, max_new_tokens=10, do_sample=False
        )
    assert found.shape[0] == 2
    cache = SelectiveKVCache(9)
    decoded(model, prompt(24, batch=6), cache)
    layer, before = cache.layers[0], copy.deepcopy(cache.layers[0])
    order = torch.tensor([3, 4, 5, 0, 1, 2])
    cache.reorder_cache(order)
    for name in ("keys", "values", "votes", "positions", "first"):
        assert torch.equal(getattr(layer, name), getattr(before, name)[order])
    assert not torch.equal(layer.votes, before.votes)
    cache.batch_select_indices(torch.tensor([1]))
    cache.batch_repeat_interleave(4)
    assert layer.keys.shape[0] == layer.votes.shape[0] == 4


@pytest.mark.parametrize("budget", [None, 10])
def test_padding_takes_no_room_and_casts_no_votes(budget):
    """A row padded on the left keeps what it keeps alone, read in one pass and token by token."""
    model, ids = trained_like(), prompt(30)
    both = torch.cat([torch.cat([torch.ones(1, 12, dtype=torch.long), ids], 1), prompt(42, seed=3)])
    mask = torch.ones_like(both)
    mask[0, :12] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    alone = decoded(model, ids, SelectiveKVCache(budget))
    other = decoded(model, both[1:], SelectiveKVCache(budget))
    for sizes in ([42], [20, 22], [1] * 42, [15] + [1] * 27):
        cache, parts, end = SelectiveKVCache(budget), [], 0
        with torch.no_grad():
            for part in both.split(sizes, dim=1):
                place = positions[:, end : end + part.shape[1]]
                end += part.shape[1]
                inputs = {"attention_mask": mask[:, :end], "position_ids": place}
                parts.append(model(part, cache=cache, **inputs).logits)
        got = torch.cat(parts, dim=1)
        torch.testing.assert_close(got[:1, 12:], alone, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(got[1:], other, atol=1e-4, rtol=1e-4)


def test_padding_while_decoding_lets_nothing_go():
    """A row that is done, and padded from then on, keeps its keys."""
    layer = SelectiveLayer(4)
    draw = torch.Generator().manual_seed(0)

    def step(mask):
        q, k, v = (torch.randn(2, 2, 1, 4, generator=draw) for _ in range(3))
        layer.update(k, v)
        layer.attend(q, mask, 0.5)

    for _ in range(6):
        step(None)
    before = layer.positions[1].sort().values
    seen = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    seen[1] = False
    step(seen)
    assert torch.equal(layer.positions[1].sort().values, before)
    assert 6 in layer.positions[0].tolist()


# Who leaves ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 24), st.integers(2, 10), st.integers(0, 10_000))
def test_the_key_with_most_votes_leaves_and_never_the_first_or_the_newest(tokens, budget, seed):
    """Checked against a list and `max`, one query at a time."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randint(-3, 4, (2, tokens, tokens), generator=draw).float()  # many ties
    masks = selective_mask(logits)
    nobody, all_ = torch.zeros(2, tokens, dtype=torch.bool), torch.ones(2, tokens, dtype=torch.bool)
    first = torch.arange(tokens).expand(2, -1) == 0
    kept = kept_keys(masks, budget, nobody, all_, first, torch.arange(tokens).expand(2, -1))
    for b in range(2):
        cache = []
        for i in range(tokens):
            if len(cache) == budget:
                cache.remove(max(cache[1:], key=lambda j: (masks[b, i, j].item(), -j)))
            cache.append(i)
            assert kept[b, i].nonzero().flatten().tolist() == cache
            assert cache[0] == 0 and len(cache) <= budget


def test_it_is_votes_that_decide_and_not_attention_received():
    """Key 1 gets all attention of the second head and all votes of the first: it leaves."""
    layer = SelectiveLayer(4)
    key = torch.zeros(1, 2, 6, 2)
    key[:, :, 1] = torch.tensor([8.0, 0.0])
    query = torch.ones(1, 2, 6, 2)
    layer.update(key, torch.zeros(1, 2, 6, 2))
    layer.attend(query, None, 1.0)
    assert layer.positions[0, : layer.length].tolist() == [0, 3, 4, 5]


def test_the_cache_is_really_small_and_counts_its_bytes():
    model, ids = trained_like(), prompt(300)
    pruned, full = SelectiveKVCache(16), SelectiveKVCache()
    for cache in (pruned, full):
        decoded(model, ids, cache, [100, 100] + [1] * 100)
        assert cache.nbytes() == cache_bytes(cache)
    slot = 2 * 2 * 16 * 4 + 4 + 4  # keys and values of two heads, votes, position
    assert pruned.nbytes() == 2 * (16 * slot + 4)
    assert full.nbytes() >= 2 * 300 * slot and pruned.nbytes() < full.nbytes() / 18
    assert pruned.kept() == [16, 16] and full.kept() == [300, 300]


def test_tokens_do_not_copy_a_full_cache():
    model, ids = trained_like(), prompt(60)
    cache = SelectiveKVCache(16)
    decoded(model, ids[:, :40], cache)
    where = [layer.keys.data_ptr() for layer in cache.layers]
    decoded(model, ids[:, 40:], cache)
    assert [layer.keys.data_ptr() for layer in cache.layers] == where


# What is refused ----------------------------------------------------------------------


def test_an_attention_that_does_not_read_the_votes_is_noticed_at_once():
    model, cache = tiny_llama(), SelectiveKVCache(8)
    with pytest.raises(RuntimeError, match="attn_implementation='selective'"), torch.no_grad():
        model(prompt(), cache=cache)
    cache.reset()
    with torch.no_grad(), selective(model):
        model(prompt(), cache=cache)
    with pytest.raises(RuntimeError, match="attn_implementation='selective'"), torch.no_grad():
        model(prompt(1), cache=cache)


@pytest.mark.parametrize(
    ("budgets", "says"),
    [(1, "at least 2, got 1"), ([4, 0], "at least 2, got 0"), ([], "budgets is empty")],
)
def test_budgets_that_make_no_sense_are_refused(budgets, says):
    with pytest.raises(ValueError, match=says):
        SelectiveKVCache(budgets)


def test_a_layer_without_a_budget_is_refused():
    with pytest.raises(ValueError, match="more layers than the 1 budgets"), torch.no_grad():
        trained_like()(prompt(), cache=SelectiveKVCache([8]))


def test_training_through_the_cache_is_refused():
    with pytest.raises(RuntimeError, match="no_grad"):
        trained_like()(prompt(), cache=SelectiveKVCache(8))


def test_votes_cannot_be_taken_back():
    cache = SelectiveKVCache(8)
    decoded(trained_like(), prompt(), cache)
    assert not cache.is_croppable
    cache.crop(0)
    with pytest.raises(ValueError, match="cannot be taken back"):
        cache.crop(-1)


def test_masks_other_than_causal_with_padding_are_refused():
    model, ids = trained_like(), prompt(10)
    lower = torch.ones(1, 1, 10, 10).tril().bool()
    window = lower & ~torch.ones(10, 10).tril(-4).bool()
    for mask in (window, torch.ones(1, 1, 10, 10, dtype=torch.bool)):
        with pytest.raises(ValueError, match="not causal with padding"), torch.no_grad():
            model(ids, attention_mask=mask, cache=SelectiveKVCache(8))
    cache = SelectiveKVCache(8)
    decoded(model, ids, cache, [10])
    hidden = torch.ones(1, 1, 1, 11, dtype=torch.bool)
    hidden[..., 0] = False
    with pytest.raises(ValueError, match="not causal with padding"), torch.no_grad():
        model(ids[:, :1], attention_mask=hidden, cache=cache)


def test_a_cache_can_be_left_and_begun_again():
    model, ids, more = trained_like(), prompt(), prompt(5, seed=2)
    cache = SelectiveKVCache(12)
    decoded(model, ids, cache)
    straight = decoded(model, more, copy.deepcopy(cache))
    assert torch.equal(decoded(model, more, cache), straight)
    cache.reset()
    assert cache.get_seq_length() == 0 and cache.nbytes() == 0
    decoded(model, ids, cache)
    assert torch.equal(decoded(model, more, cache), straight)


# Budgets ------------------------------------------------------------------------------


def test_the_loss_under_budgets_is_that_of_decoding():
    model, ids = trained_like(), prompt(50, batch=3)
    logits = decoded(model, ids, SelectiveKVCache([6, 20]))
    wanted = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert loss_with_budgets(model, ids, [6, 20], batch=2) == pytest.approx(wanted.item(), abs=1e-4)


def test_budgets_are_cut_where_it_hurts_least_and_meet_the_target():
    model = trained_like()
    # A first layer whose output is nothing loses nothing by a small cache. What the model says itself
    # is what it predicts best: any other key that goes hurts.
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
    options = {"max_new_tokens": 44, "min_new_tokens": 44, "do_sample": False}
    ids = model.generate(prompt(4, batch=4), cache=SelectiveKVCache(), **options)
    full = loss_with_budgets(model, ids, None)
    found = allocate_budgets(model, ids, full + 1e-4)
    assert found.loss <= full + 1e-4
    assert found.loss == pytest.approx(loss_with_budgets(model, ids, found.budgets))
    assert found.budgets[0] == 2 < found.budgets[1]
    assert found.mean == sum(found.budgets) / 2
    assert found.path[0][0] == [48, 48]
    for (before, _), (after, loss) in itertools.pairwise(found.path):
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1 and loss <= full + 1e-4


def test_a_target_out_of_reach_is_named():
    with pytest.raises(ValueError, match="above the target of 0.1000"):
        allocate_budgets(trained_like(), prompt(), 0.1)
    with pytest.raises(ValueError, match="shrink"):
        allocate_budgets(trained_like(), prompt(), 9.0, shrink=1.0)
    with pytest.raises(ValueError, match="smallest"):
        allocate_budgets(trained_like(), prompt(), 9.0, smallest=1)


# What it is measured against ----------------------------------------------------------


def evicted_slowly(logits, budget, policy):
    """One list a head, by the papers' words."""
    B, H, N, _ = logits.shape
    found = torch.zeros(B, H, N, N, dtype=torch.bool)
    for b in range(B):
        heads = [list(range(H))] if policy == "tova" else [[h] for h in range(H)]
        for group in heads:
            cache, total, last = [], {}, {}
            for i in range(N):
                if len(cache) == budget:
                    movable = [j for j in cache if j > 0]
                    if policy == "h2o":
                        movable = [j for j in movable if j <= i - budget // 2]
                    score = {"h2o": total, "tova": last}[policy]
                    cache.remove(min(movable, key=score.__getitem__))
                cache.append(i)
                weights = logits[b, group][:, i, cache].softmax(-1).mean(0)
                last = dict(zip(cache, weights.tolist(), strict=True))
                for j, w in last.items():
                    total[j] = total.get(j, 0.0) + w
                for h in group:
                    found[b, h, i, cache] = True
    return found


@pytest.mark.parametrize("policy", ["h2o", "tova"])
@pytest.mark.parametrize("budget", [2, 6, 9])
def test_baselines_do_what_their_papers_say(policy, budget):
    logits = torch.randn(2, 3, 20, 20, generator=torch.Generator().manual_seed(budget)) * 2
    got = surviving(logits, budget, policy).expand(-1, 3, -1, -1)
    assert torch.equal(got, evicted_slowly(logits, budget, policy))
    assert (got.sum(-1) == torch.arange(1, 21).clamp(max=budget)).all()


def test_a_recent_window_keeps_the_first_key():
    found = surviving(torch.zeros(1, 1, 6, 6), 3, "recent")
    assert found[5].tolist() == [True, False, False, False, True, True]
    assert (found.sum(-1) == torch.tensor([1, 2, 3, 3, 3, 3])).all()


@pytest.mark.parametrize("policy", ["h2o", "tova", "recent"])
def test_baselines_with_room_for_all_are_the_model(policy):
    model, ids = tiny_llama(), prompt(30, batch=2)
    with torch.no_grad():
        plain = model(ids).logits
        model.config._attn_implementation = "evicting"
        torch.testing.assert_close(
            model(ids, cache=EvictingCache(30, policy)).logits, plain, atol=1e-4, rtol=1e-4
        )
        pruned = model(ids, cache=EvictingCache(8, policy)).logits
    torch.testing.assert_close(pruned[:, :8], plain[:, :8], atol=1e-4, rtol=1e-4)
    assert (pruned - plain).abs().max() > 1e-3
    with pytest.raises(ValueError, match="one of h2o"):
        EvictingCache(8, "lru")


# The README, the tasks, training -------------------------------------------------------


def test_the_readmes_examples_run_on_a_users_model(capsys):
    """Both blocks of code of the README, on a configuration and inputs made here."""
    import re
    from importlib.resources import files

    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=128, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    readme = (files("presscheck.systems.selective_attention") / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 2
    ids = prompt(90, batch=2)
    names = {"AutoModelForCausalLM": AutoModelForCausalLM, "config": config, "ids": ids}
    names |= {"held_out_ids": prompt(30, batch=2, seed=1), "target_loss": 9.0}
    exec("\n".join(blocks), names)
    assert "189 tokens, [64, 64] keys a layer" in capsys.readouterr().out
    assert names["loss"].requires_grad and names["chosen"].budgets == [2, 2]


def test_programs_ask_for_the_value_assigned_last():
    ids, labels = tasks.assignments(64, 33, seed=3, questions=0.5)
    asked = 0
    for row, wanted in zip(ids.tolist(), labels.tolist(), strict=True):
        while row[0] == tasks.BOS:
            row, wanted = row[1:], wanted[1:]
        values = {}
        for at in range(0, len(row), 3):
            sign, name = row[at], row[at + 1]
            if sign == tasks.QUESTION:
                assert wanted[at + 1] == values[name]
                assert at + 2 == len(row) or row[at + 2] == values[name]
                asked += 1
            else:
                values[name] = row[at + 2]
                assert wanted[at + 1] == -100
        assert row[-2] == tasks.QUESTION
    assert asked > 64 * 2 and (labels >= 0).sum() == asked
    alone = tasks.assignments(64, 33, seed=3)[1]
    assert ((alone >= 0).sum(1) == 1).all() and (alone[:, -1] >= 0).all()
    with pytest.raises(ValueError, match="at least 5"):
        tasks.assignments(1, 4, seed=0)


def test_windows_begin_with_the_first_token_and_labels_are_one_ahead():
    tokens = torch.arange(100, 400)
    ids, labels = tasks.text_batches(tokens, 4, 20, seed=1)(7)
    assert (ids[:, 0] == tasks.BOS).all() and ids.shape == (4, 20)
    assert torch.equal(labels[:, :-1], ids[:, 1:]) and (labels[:, 1:] - labels[:, :-1] == 1).all()
    assert not torch.equal(ids, tasks.text_batches(tokens, 4, 20, seed=1)(8)[0])
    assert not torch.equal(ids, tasks.text_batches(tokens, 4, 20, seed=2)(7)[0])


def test_held_out_documents_are_not_trained_on_and_change_with_the_seed():
    documents = tuple(torch.full((10 + i,), i) for i in range(60))
    source = tasks.Text(documents, 60)
    splits = [[set(part.tolist()) for part in source.split(seed)] for seed in (0, 1)]
    for used, choose, test in splits:
        assert not used & choose and not used & test and not choose & test
        assert len(used | choose | test) == 60 and len(choose) + len(test) < 20
    assert splits[0][2] != splits[1][2]


def test_models_that_are_compared_begin_alike_and_twice_the_heads_are_twice_the_attention():
    shape = Shape(64, 32, 2, 4, 8)
    plain, ours = (build(shape, way, 3) for way in ("sdpa", "selective"))
    for one, two in zip(plain.state_dict().values(), ours.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    wide = build(shape, "sdpa", 3, double_heads=True)
    attention = [sum(p.numel() for n, p in m.named_parameters() if "self_attn" in n) for m in (plain, wide)]
    assert attention[1] == 2 * attention[0] == 2 * 2 * 4 * 32 * 32
    assert wide.config.head_dim == plain.config.head_dim


def test_training_learns_and_pays_for_memory_only_if_asked():
    shape = Shape(tasks.VOCABULARY, 32, 1, 2, 16)
    batches = tasks.assignment_batches(8, 32, seed=0)
    seen = {}
    for eps in (0.0, 30.0):
        made = train(build(shape, "selective", 0), batches, 40, eps=eps)
        assert sum(made.losses[-5:]) < sum(made.losses[:5]) - 1
        with torch.no_grad(), recorded_masks(made.model) as masks:
            made.model(batches(99)[0], use_cache=False)
        seen[eps] = memory_loss(list(masks.values()), eps=1.0).item()
    assert seen[30.0] < 0.7 * seen[0.0]
