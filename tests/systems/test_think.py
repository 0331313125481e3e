"""ThinK: what is pruned, what it costs in bytes, and that attention over it is exact."""

import copy
import itertools

import pytest
import torch

from presscheck.systems.think import (
    ThinKCache,
    ThinKConfig,
    ThinKLayer,
    channel_scores,
    select_channels,
    think,
)
from presscheck.systems.think.channels import top_channels
from presscheck.testbeds.language import cache_bytes, tiny_llama


def heads(H=4, G=2, W=8, S=40, D=16, B=1, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(B, H, W, D, generator=draw), torch.randn(B, G, S, D, generator=draw)


def prompt(tokens=60, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def small(**settings):
    return ThinKConfig(**{"key_ratio": 0.5, "query_window": 8, "recent_window": 8} | settings)


def read(model, ids, config, **more):
    with think(model, config) as cache:
        logits = model(ids, cache=cache, **more).logits
    return cache, logits


def written_with_zeros(model, ids, cache):
    """The cache of the same prompt, full width, with zeros where ours has no channel."""
    from transformers import DynamicCache

    plain = DynamicCache()
    logits = model(ids, cache=plain).logits
    for ours, theirs in zip(cache.layers, plain.layers, strict=True):
        old = ours.seen - ours.length
        for states, index in ((theirs.keys, ours.key_index), (theirs.values, ours.value_index)):
            if index is not None:
                kept = torch.zeros_like(states[:, :, 0]).scatter_(-1, index.long(), 1.0)
                states[:, :, :old] *= kept[:, :, None]
    return plain, logits


# What is chosen ---------------------------------------------------------------------


def test_the_channels_kept_are_those_whose_loss_costs_most_in_the_logits():
    """By brute force over single channels: the Frobenius norm of what Q @ K.T loses."""
    queries, keys = heads(H=2, G=2)
    lost = torch.stack(
        [(queries[..., d : d + 1] @ keys[..., d : d + 1].mT).norm(dim=(2, 3)) for d in range(16)], dim=-1
    )
    assert torch.equal(select_channels(queries, keys, 0.4), top_channels(lost, 0.4))
    torch.testing.assert_close(
        channel_scores(queries, keys).sqrt(), lost / (queries.shape[2] * keys.shape[2]) ** 0.5
    )


def test_queries_vote_only_in_their_own_group():
    queries, keys = heads(H=4, G=2)
    queries[:, :2] = 0.0
    queries[:, :2, :, 5] = 1.0
    kept = select_channels(queries, torch.ones_like(keys), 0.9)
    assert 5 in kept[0, 0].tolist()
    alone = queries.clone()
    alone[:, :2] = torch.randn_like(alone[:, :2])
    assert torch.equal(kept[:, 1], select_channels(alone, torch.ones_like(keys), 0.9)[:, 1])


def test_the_largest_head_of_a_group_decides_with_max():
    queries = torch.ones(1, 2, 4, 8)
    queries[0, 0, :, 3] = 9.0
    queries[0, :, :, 6] = 7.0  # the mean prefers 6, one head prefers 3
    keys = torch.ones(1, 1, 10, 8)
    assert select_channels(queries, keys, 0.875, reduce="mean").item() == 6
    assert select_channels(queries, keys, 0.875, reduce="max").item() == 3


def test_scores_are_of_keys_after_the_rotary_embedding():
    """Against the queries and keys that the model's own attention multiplies."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    model, ids, seen = tiny_llama(), prompt(), []

    def spy(module, query, key, value, mask, **options):
        seen.append((query, key))
        return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, mask, **options)

    cache, _ = read(model, ids, small())
    ALL_ATTENTION_FUNCTIONS.register("spy-sdpa", spy)
    model.config._attn_implementation = "spy-sdpa"
    model(ids, use_cache=False)
    for layer, (query, key) in zip(cache.layers, seen, strict=True):
        assert torch.equal(layer.key_index.long(), select_channels(query[:, :, -8:], key, 0.5))


# What it costs ----------------------------------------------------------------------


def test_old_keys_are_narrow_in_memory():
    cache, _ = read(tiny_llama(), prompt(60), small(key_ratio=0.4))
    for layer in cache.layers:
        T = 16 - 6
        assert layer.old_keys.shape == (1, 2, 52, T)
        assert layer.old_keys.untyped_storage().nbytes() == 2 * 52 * T * 4
        assert layer.tail_keys.untyped_storage().nbytes() == 2 * 8 * 16 * 4
        assert layer.old_values.untyped_storage().nbytes() == 2 * 52 * 16 * 4
    assert cache.nbytes() == cache_bytes(cache)


def test_bytes_at_the_scale_of_llama_3_8b_are_the_closed_form():
    """8192 tokens, 8 heads of 128 channels in bfloat16: one of the 32 equal layers is built."""
    layer = ThinKLayer(ThinKConfig(key_ratio=0.4))
    states = torch.zeros(1, 8, 8192, 128, dtype=torch.bfloat16)
    layer.update(states, states)
    layer.compress(torch.zeros(1, 32, 32, 128, dtype=torch.bfloat16))
    indices = 8 * 77 * 2
    assert layer.nbytes() == 2 * 8 * ((8192 - 32) * 77 + 32 * 128 + 8192 * 128) + indices
    assert layer.nbytes() / (2 * 2 * 8 * 8192 * 128) == pytest.approx(0.80, abs=0.002)


def test_nothing_of_the_prompt_stays_alive_behind_an_evicted_cache():
    config = small(eviction="snapkv", capacity=24)
    cache, _ = read(tiny_llama(), prompt(200), config)
    per_layer = 2 * (16 * 8 + 8 * 16 + 24 * 16) * 4 + 2 * 8 * 2 + 2 * 16 * 4
    assert cache_bytes(cache) == cache.nbytes() == 2 * per_layer


def test_tokens_do_not_copy_the_tail_each_time():
    layer = ThinKLayer(small())
    queries, keys = heads(S=40)
    layer.update(keys, keys)
    layer.compress(queries)
    layer.update(keys[:, :, :1], keys[:, :, :1])
    where = layer.tail_keys.data_ptr(), layer.old_keys.data_ptr()
    for _ in range(20):
        layer.update(keys[:, :, :1], keys[:, :, :1])
    assert (layer.tail_keys.data_ptr(), layer.old_keys.data_ptr()) == where
    assert layer.get_seq_length() == 61 and layer.get_mask_sizes(1) == (62, 0)


# That attention over it is exact ----------------------------------------------------


@pytest.mark.parametrize("way", ["sdpa", "eager"])
@pytest.mark.parametrize("ratios", [(0.5, 0.0), (0.3, 0.4), (0.0, 0.5)])
def test_64_tokens_are_those_of_explicit_zeros(way, ratios):
    """Token by token, and logits to 1e-5: a divisor of sqrt(T) or a pruned tail would show at once."""
    model, ids = tiny_llama(), prompt()
    model.set_attn_implementation(way)
    config = small(key_ratio=ratios[0], value_ratio=ratios[1])
    with torch.no_grad(), think(model, config) as cache:
        ours = [model(ids, cache=cache).logits[:, -1]]
        for _ in range(64):
            ours.append(model(ours[-1].argmax(-1)[:, None], cache=cache).logits[:, -1])
    with torch.no_grad():
        zeroed, logits = written_with_zeros(model, ids, read(model, ids, config)[0])
        theirs = [logits[:, -1]]
        for _ in range(64):
            theirs.append(model(theirs[-1].argmax(-1)[:, None], cache=zeroed).logits[:, -1])
    assert [x.argmax().item() for x in ours] == [x.argmax().item() for x in theirs]
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs), atol=1e-4, rtol=1e-5)


def test_generate_gives_the_tokens_of_explicit_zeros():
    model, ids = tiny_llama(), prompt()
    with think(model, small()) as cache:
        ours = model.generate(ids, cache=cache, max_new_tokens=64, min_new_tokens=64, do_sample=False)
    zeroed, logits = written_with_zeros(model, ids, read(model, ids, small())[0])
    theirs = ids
    with torch.no_grad():
        for _ in range(64):
            logits[:, -1, 2] = -torch.inf  # as min_new_tokens does with the end of text
            theirs = torch.cat([theirs, logits[:, -1].argmax(-1)[:, None]], dim=1)
            logits = model(theirs[:, -1:], cache=zeroed).logits
    assert torch.equal(ours, theirs)


def test_several_tokens_at_once_are_those_one_by_one():
    model, ids, more = tiny_llama(), prompt(), prompt(20, seed=5)
    for config in (small(), small(eviction="h2o", capacity=30), small(bits=2, group=4, residual=24)):
        with torch.no_grad(), think(model, config) as cache:
            model(ids, cache=cache)
            together = model(more, cache=cache).logits
        with torch.no_grad(), think(model, config) as cache:
            model(ids, cache=cache)
            single = torch.cat([model(more[:, i : i + 1], cache=cache).logits for i in range(20)], dim=1)
        if config.bits:  # the tail is quantised between calls, so only the first tokens are alike
            together, single = together[:, :3], single[:, :3]
        torch.testing.assert_close(together, single, atol=1e-4, rtol=1e-4)


def test_a_ratio_of_zero_changes_no_bit():
    model, ids, more = tiny_llama(), prompt(), prompt(5, seed=1)
    cache, logits = read(model, ids, small(key_ratio=0.0))
    with think(model, cache=cache):
        after = model(more, cache=cache).logits
    plain = model(ids, use_cache=True)
    assert torch.equal(logits, plain.logits)
    assert torch.equal(after, model(more, cache=plain.cache).logits)


def test_the_prompt_is_read_as_without_pruning():
    model, ids = tiny_llama(), prompt()
    assert torch.equal(read(model, ids, small())[1], model(ids).logits)


# Batches, beams, short prompts ------------------------------------------------------


def test_padding_takes_no_part():
    """A row that is padded on the left chooses the channels, and says the words, that it does alone."""
    model, ids = tiny_llama(), prompt(60)
    padded = torch.cat([torch.full((1, 20), 1), ids], dim=1)
    both = torch.cat([padded, prompt(80, seed=3)])
    mask = torch.ones_like(both)
    mask[0, :20] = 0
    for config in (small(), small(value_ratio=0.3), small(eviction="snapkv", capacity=30)):
        alone = ThinKCache(config)
        with think(model, cache=alone):
            said = model.generate(ids, cache=alone, max_new_tokens=8, min_new_tokens=8, do_sample=False)
        with think(model, config) as cache:
            options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False, "pad_token_id": 1}
            got = model.generate(both, attention_mask=mask, cache=cache, **options)
        for one, two in zip(alone.layers, cache.layers, strict=True):
            assert torch.equal(one.key_index[0], two.key_index[0])
            if config.eviction:
                assert torch.equal(one.places[0, :, :22] + 20, two.places[0, :, :22])
        assert torch.equal(got[0, 20:], said[0])


def test_beams_move_indices_with_their_keys():
    model, ids = tiny_llama(), prompt(60, batch=2)
    with think(model, small()) as cache:
        found = model.generate(ids, cache=cache, num_beams=3, max_new_tokens=12, do_sample=False)
    assert found.shape[0] == 2
    layer = cache.layers[0]
    before = copy.deepcopy(layer)
    order = torch.tensor([3, 4, 5, 0, 1, 2])
    cache.reorder_cache(order)
    for name in ("old_keys", "key_index", "old_values", "tail_keys", "tail_values"):
        assert torch.equal(getattr(layer, name), getattr(before, name)[order])
    assert not torch.equal(layer.key_index, before.key_index)
    cache.batch_select_indices(torch.tensor([1]))
    cache.batch_repeat_interleave(4)
    assert layer.key_index.shape[0] == layer.old_keys.shape[0] == 4


class Zeroed(ThinKLayer):
    """A layer that writes zeros into keys of full width, and is otherwise ``DynamicLayer``."""

    def compress(self, queries, **options):
        self.settled = True
        kept = select_channels(queries[:, :, -8:], self.keys, self.config.key_ratio)
        mask = torch.zeros_like(self.keys[:, :, 0]).scatter_(-1, kept, 1.0)
        self.keys[:, :, :-8] *= mask[:, :, None]


def test_beam_search_finds_what_it_finds_over_explicit_zeros():
    model, ids = tiny_llama(), prompt(60, batch=2)
    options = {"num_beams": 3, "max_new_tokens": 24, "do_sample": False}
    with think(model, small()) as cache:
        ours = model.generate(ids, cache=cache, **options)
    zeroed = ThinKCache(small())
    zeroed.layers = [Zeroed(small()) for _ in range(2)]
    with think(model, cache=zeroed):
        theirs = model.generate(ids, cache=zeroed, **options)
    assert cache.layers[0].compressed and not zeroed.layers[0].compressed
    assert torch.equal(ours, theirs)


def test_a_short_prompt_stays_whole_with_a_warning():
    model, ids = tiny_llama(), prompt(12)
    with pytest.warns(UserWarning, match="12 tokens is left unpruned"), think(model, small()) as cache:
        model(ids, cache=cache)
        after = model(prompt(3), cache=cache).logits
    plain = model(ids, use_cache=True).cache
    assert torch.equal(after, model(prompt(3), cache=plain).logits)


def test_cropping_beyond_the_tail_is_refused():
    cache, _ = read(tiny_llama(), prompt(60), small())
    cache.crop(-3)
    assert cache.get_seq_length() == 57
    with pytest.raises(ValueError, match="only the last 5 are kept whole"):
        cache.crop(-6)


# The model stays as it was ----------------------------------------------------------


def picture(model):
    modules = {name: (sorted(vars(m)), type(m).forward) for name, m in model.named_modules()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return modules, hooks, model.config.to_dict(), model.config._attn_implementation


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_as_it_was(fails):
    model, ids = tiny_llama(), prompt()
    before, logits = picture(model), model(ids).logits
    try:
        with think(model, small()) as cache:
            assert model.config._attn_implementation != "sdpa"
            model(ids, cache=cache)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert picture(model) == before
    assert torch.equal(model(ids).logits, logits)
    with pytest.raises(RuntimeError, match="inside `with think"):
        model(ids[:, :1], cache=cache)


def test_a_plain_cache_inside_the_block_works_as_outside():
    model, ids = tiny_llama(), prompt()
    with think(model, small()):
        inside = model.generate(ids, max_new_tokens=6, do_sample=False)
    assert torch.equal(inside, model.generate(ids, max_new_tokens=6, do_sample=False))


def test_a_cache_can_be_left_and_taken_up_again():
    model, ids, more = tiny_llama(), prompt(), prompt(4, seed=2)
    with torch.no_grad(), think(model, small()) as cache:
        model(ids, cache=cache)
        straight = model(more, cache=copy.deepcopy(cache)).logits
    with think(model, cache=cache):
        assert torch.equal(model(more, cache=cache).logits, straight)
    cache.reset()
    assert cache.get_seq_length() == 0 and cache.nbytes() == 0


def build(kind, **settings):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes | settings)).eval()


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3", "phi3", "granite", "olmo2"])
def test_every_kind_of_model_that_is_supported_works(kind):
    model = build(kind, sliding_window=None)
    config = small()
    cache, _ = read(model, prompt(), config)
    with torch.no_grad():
        zeroed, _ = written_with_zeros(model, prompt(), cache)
        with think(model, cache=cache):
            ours = model(prompt(6, seed=1), cache=cache).logits
        theirs = model(prompt(6, seed=1), cache=zeroed).logits
    assert cache.layers[0].compressed
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: build("mistral", sliding_window=16), r"MistralForCausalLM \(mistral\) has sliding-window"),
        (lambda: build("gemma2"), r"Gemma2ForCausalLM \(gemma2\) is not supported"),
        (lambda: build("gpt2", n_embd=64, n_head=4), r"GPT2LMHeadModel \(gpt2\) is not supported"),
        (lambda: tiny_llama().train(), "LlamaForCausalLM .* training mode"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_and_left_alone(model, says):
    model = model()
    before = picture(model)
    with pytest.raises(ValueError, match=says), think(model):
        raise AssertionError("entered")
    assert picture(model) == before


def test_an_attention_with_another_mask_is_refused_by_name():
    model = tiny_llama()
    model.config._attn_implementation = "flex_attention"
    with pytest.raises(ValueError, match="attention `flex_attention`"), think(model):
        pass
    assert model.config._attn_implementation == "flex_attention"


def test_a_block_within_a_block_is_refused_and_the_outer_one_goes_on():
    model = tiny_llama()
    with think(model, small()) as cache:
        with pytest.raises(ValueError, match="already"), think(model):
            pass
        model(prompt(), cache=cache)
    assert cache.layers[0].compressed


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="got Linear"), think(torch.nn.Linear(2, 2)):
        pass


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"key_ratio": 1.0}, r"key_ratio must be in \[0, 1\), got 1.0"),
        ({"value_ratio": -0.1}, "value_ratio"),
        ({"query_window": 0}, "query_window"),
        ({"eviction": "snapkv"}, "capacity None"),
        ({"capacity": 100}, "eviction None"),
        ({"eviction": "snapkv", "capacity": 32}, "must exceed the 32 last"),
        ({"eviction": "lru", "capacity": 99}, "eviction must be one of"),
        ({"bits": 3}, "bits must be one of"),
        ({"group": 6}, "multiple of 4"),
        ({"kernel": 4}, "kernel must be odd"),
    ],
)
def test_settings_out_of_range_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        ThinKConfig(**settings)


def test_shapes_that_do_not_fit_are_named():
    queries, keys = heads(H=3, G=2)
    with pytest.raises(ValueError, match="H a multiple of G"):
        select_channels(queries, keys, 0.5)


def test_random_channels_differ_by_seed_and_not_by_keys():
    queries, keys = heads()
    one, two = (top_channels(channel_scores(queries, keys, criterion="random", seed=s), 0.5) for s in (0, 1))
    assert not torch.equal(one, two)
    assert all(len(set(row)) == 8 for row in itertools.chain(*one.tolist()))


def test_the_readmes_example_runs_on_a_users_model(capsys):
    """The first block of code of the README, on a model and inputs made here."""
    import re
    from importlib.resources import files

    readme = (files("presscheck.systems.think") / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    inputs = {"input_ids": prompt(400), "attention_mask": torch.ones(1, 400, dtype=torch.long)}
    exec(code, {"model": tiny_llama(), "inputs": inputs})
    full = 2 * 2 * 2 * 419 * 16 * 4
    shown = capsys.readouterr().out
    assert int(shown.split()[0].replace(",", "")) < full
    assert "tokens" in shown
