"""Gists: where they stand, who sees whom, what is kept, and that reading bit by bit changes nothing."""

import re
from importlib.resources import files

import pytest
import torch

from presscheck.systems.gist_compression import (
    GistCache,
    GistCausalLM,
    GistConfig,
    gist_attention_mask,
    gist_mask_mod,
    insert_gists,
    layout,
)
from presscheck.testbeds.language import cache_bytes, tiny_llama

FINE, COARSE = {"granularity": "fine"}, {"granularity": "coarse"}
RECURRENT = {"granularity": "coarse", "memory": "recurrent"}
KINDS = [
    FINE,
    COARSE,
    FINE | {"positions": "shared"},
    COARSE | {"positions": "shared"},
    RECURRENT,
]


def small(**settings):
    return GistConfig(**{"ratio": 4, "segment_len": 16} | settings)


def text(tokens=60, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def gist_model(seed=0, **settings):
    lm = GistCausalLM(tiny_llama(seed=seed), small(**{"gist_init": "random"} | settings))
    return lm.eval()


# Where gists stand ------------------------------------------------------------------


def test_fine_gists_come_after_every_r_tokens_and_coarse_ones_behind_their_segment():
    ids = torch.arange(1, 11)[None]
    fine, is_gist, segment, _ = insert_gists(ids, GistConfig(ratio=2, segment_len=4), gist_id=0)
    assert fine.tolist() == [[1, 2, 0, 3, 4, 0, 5, 6, 0, 7, 8, 0, 9, 10, 0]]
    assert segment.tolist() == [0] * 6 + [1] * 6 + [2] * 3
    assert torch.equal(is_gist, fine[0] == 0)
    coarse, _, segment, _ = insert_gists(ids, GistConfig(ratio=2, segment_len=4, granularity="coarse"), 0)
    assert coarse.tolist() == [[1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0, 9, 10]]
    assert segment.tolist() == [0] * 6 + [1] * 6 + [2] * 2


@pytest.mark.parametrize("kind", [FINE, COARSE])
def test_the_token_before_a_gist_predicts_the_next_raw_token_and_gists_predict_nothing(kind):
    ids = text(22)
    with_gists, is_gist, _, labels = insert_gists(ids, small(**kind), gist_id=999)
    assert (labels[:, is_gist] == -100).all()
    assert torch.equal(labels[:, ~is_gist][:, :-1], ids[:, 1:])
    assert labels[0, ~is_gist][-1] == -100
    assert is_gist.any() and (with_gists[:, is_gist] == 999).all()


def test_positions_are_counted_with_gists_or_shared_with_the_last_token_that_a_gist_stands_for():
    own = layout(0, 10, GistConfig(ratio=2, segment_len=4, granularity="coarse"))
    assert own.position.tolist() == list(range(14))
    for kind in (FINE, COARSE):
        shared = layout(0, 10, GistConfig(ratio=2, segment_len=4, positions="shared", **kind))
        assert shared.position[~shared.is_gist].tolist() == list(range(10))
        gists = shared.position[shared.is_gist].tolist()
        assert gists == [1, 3, 5, 7, 9][: len(gists)]


@pytest.mark.parametrize("kind", KINDS[:4])
def test_stretches_put_behind_each_other_are_the_layout_of_the_whole(kind):
    whole = layout(0, 50, small(**kind))
    parts = [layout(a, b, small(**kind)) for a, b in [(0, 3), (3, 16), (16, 17), (17, 50)]]
    for name in ("is_gist", "segment_id", "position"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))


# Who sees whom ----------------------------------------------------------------------


def test_the_mask_is_the_definition_spelt_out():
    for kind in (FINE, COARSE):
        place = layout(0, 40, small(**kind))
        mask = gist_attention_mask(place.is_gist, place.segment_id)
        for i in range(len(mask)):
            for j in range(len(mask)):
                same = place.segment_id[i] == place.segment_id[j]
                assert mask[i, j] == (j <= i and (bool(same) or bool(place.is_gist[j])))


def test_raw_tokens_see_the_gists_of_their_own_segment():
    place = layout(0, 16, small())
    mask = gist_attention_mask(place.is_gist, place.segment_id)
    assert place.is_gist[4] and not place.is_gist[5] and mask[5, 4]


def test_the_mask_for_flex_attention_is_the_same():
    from torch.nn.attention.flex_attention import create_mask

    place = layout(0, 40, small())
    mod = gist_mask_mod(place.is_gist, place.segment_id)
    N = len(place.is_gist)
    found = create_mask(mod, None, None, N, N, device="cpu")[0, 0]
    assert torch.equal(found, gist_attention_mask(place.is_gist, place.segment_id))


@pytest.mark.parametrize("kind", [FINE, COARSE])
def test_a_raw_token_of_an_earlier_segment_reaches_later_ones_through_gists_only(kind):
    """Gists' inputs to every layer are frozen; then no raw token of segment 1 may move segment 2."""
    lm, ids = gist_model(**kind), text(40)
    other = ids.clone()
    other[0, 3] = (other[0, 3] + 1) % 128
    is_gist = layout(0, 40, lm.config).is_gist
    kept = []

    def keep(module, args):
        kept.append(args[0][:, is_gist].clone())

    def put_back(module, args):
        hidden = args[0].clone()
        hidden[:, is_gist] = frozen.pop(0)
        return (hidden, *args[1:])

    def hooked(hook, ids):
        handles = [layer.register_forward_pre_hook(hook) for layer in lm.model.model.layers]
        with torch.no_grad():
            logits = lm(ids).logits
        for handle in handles:
            handle.remove()
        return logits

    before = hooked(keep, ids)
    frozen = list(kept)
    after = hooked(put_back, other)
    assert not torch.allclose(before[:, 3:16], after[:, 3:16])
    torch.testing.assert_close(before[:, 16:], after[:, 16:], atol=1e-6, rtol=0)
    moved = lm(other).logits
    assert not torch.allclose(before[:, 16:], moved[:, 16:], atol=1e-4)  # with gists free it does


def test_memory_of_recurrent_gists_carries_gradient_to_the_first_segment():
    lm, ids = gist_model(**RECURRENT), text(40)
    embeds = lm.model.get_input_embeddings()
    lm.zero_grad()
    lm(ids).logits[0, 35].logsumexp(0).backward()
    used = embeds.weight.grad.abs().sum(1) > 0
    assert used[ids[0, 2]]


# Reading bit by bit -----------------------------------------------------------------


@pytest.mark.parametrize("way", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KINDS)
def test_segment_by_segment_gives_the_logits_of_one_pass(kind, way):
    lm, ids = gist_model(**kind), text(60, batch=2)
    lm.model.set_attn_implementation(way)
    with torch.no_grad():
        at_once = lm(ids).logits
    for pieces in ([60], [1] * 60, [16, 16, 28], [5, 11, 3, 30, 11]):
        cache = lm.new_cache()
        found = torch.cat([lm.read(piece, cache) for piece in ids.split(pieces, dim=1)], dim=1)
        torch.testing.assert_close(found, at_once, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_generation_says_what_rereading_everything_would_say(kind):
    lm, ids = gist_model(**kind), text(29)
    written = lm.generate(ids, max_new_tokens=30)
    with torch.no_grad():
        for _ in range(30):
            ids = torch.cat([ids, lm(ids).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(written, ids)


def test_a_conversation_goes_on_with_its_cache():
    lm, ids, more = gist_model(), text(29), text(9, seed=4)
    cache = lm.new_cache()
    said = lm.generate(ids, max_new_tokens=5, cache=cache)
    # The last token said has not been read yet.
    again = lm.generate(torch.cat([said[:, -1:], more], dim=1), max_new_tokens=4, cache=cache)
    together = lm.generate(torch.cat([said, more], dim=1), max_new_tokens=4)
    assert torch.equal(again[:, -4:], together[:, -4:])


# What the first segment and a ratio of 1 are -----------------------------------------


def test_before_anything_is_compressed_the_model_is_itself():
    ids = text(16)
    for kind in (COARSE, RECURRENT):
        lm = gist_model(**kind)
        torch.testing.assert_close(lm(ids).logits, lm.model(ids).logits, atol=1e-5, rtol=1e-5)


def test_at_ratio_1_gists_that_hold_their_tokens_give_full_attention():
    """Each gist's keys and values are overwritten by those of the token that it stands for."""
    lm = gist_model(ratio=1, granularity="coarse", positions="shared")
    ids, more = text(16), text(20, seed=1)[:, :14]
    with torch.no_grad():
        full = lm.model(torch.cat([ids, more], dim=1), use_cache=True)
    cache = lm.new_cache()
    lm.read(ids, cache)
    assert cache.tokens == 16
    for ours, theirs in zip(cache.layers, full.cache.layers, strict=True):
        ours.keys.copy_(theirs.keys[:, :, :16])
        ours.values.copy_(theirs.values[:, :, :16])
    torch.testing.assert_close(lm.read(more, cache), full.logits[:, 16:], atol=1e-4, rtol=1e-4)


# What is kept -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_raw_keys_and_values_are_gone_from_memory(kind):
    lm = gist_model(**kind)
    cache = lm.new_cache()
    lm.read(text(48), cache)
    each = 2 * 2 * 16 * 4  # keys and values, heads, channels, bytes: one token of one layer
    if kind == RECURRENT:
        assert cache.nbytes() == cache_bytes(cache) == 12 * 64 * 4
    else:
        assert cache.tokens == 12
        assert cache.nbytes() == cache_bytes(cache) == 12 * each * 2
    lm.read(text(6), cache)
    raw_and_gists = 6 + (1 if kind.get("granularity") == "fine" else 0)
    memory = 12 * 64 * 4 if kind == RECURRENT else 0
    assert cache.nbytes() == cache_bytes(cache) == memory + (12 + raw_and_gists) * each * 2


@pytest.mark.parametrize("read", [16384, 16384 + 1000])
def test_bytes_at_the_shape_of_llama_3_1_8b_are_the_closed_form(read):
    """16k tokens at ratio 4 in bfloat16, 8 heads of 128 channels; one of the 32 equal layers is held."""
    config = GistConfig(ratio=4, segment_len=2048)
    cache = GistCache(config)
    cache.reading = True
    done = 0
    while done < read:
        stop = min(read, done + cache.room)
        place = layout(done, stop, config)
        states = torch.zeros(1, 8, len(place.is_gist), 128, dtype=torch.bfloat16)
        cache.update(states, states.clone(), 0)
        cache.note(place.is_gist, stop - done)
        done = stop
        if cache.room == 2048:
            cache.end_segment()
    full = 2 * read * 8 * 128 * 2
    current = read % 2048
    kept = read // 2048 * 512 + current + current // 4
    assert cache.nbytes() * read == full * kept
    if not current:
        assert cache.nbytes() / full == 0.25


def test_a_gist_is_exactly_one_row_more():
    model = tiny_llama()
    before = sum(p.numel() for p in model.parameters())
    lm = GistCausalLM(model, small())
    assert sum(p.numel() for p in lm.parameters()) == before + 64
    assert model.get_input_embeddings().weight.shape == (128, 64)


def test_gist_embeddings_begin_where_they_are_told():
    rows = tiny_llama().get_input_embeddings().weight
    torch.testing.assert_close(gist_model(gist_init="mean").gist, rows.mean(0))
    assert torch.equal(gist_model(gist_init=7).gist, rows[7])
    with pytest.raises(ValueError, match="gist_init is token 128, the model has 128"):
        gist_model(gist_init=128)


# What is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"segment_len": 18}, "segment_len must be a multiple of ratio, got 18 and 4"),
        ({"ratio": 0}, "ratio must be at least 1, got 0"),
        ({"granularity": "medium"}, "granularity must be fine or coarse"),
        ({"memory": "disk"}, "memory must be kv or recurrent"),
        ({"memory": "recurrent"}, "recurrent memory needs granularity coarse"),
        (RECURRENT | {"positions": "shared"}, "recurrent memory needs positions own"),
        ({"positions": "none"}, "positions must be own or shared"),
        ({"gist_init": "zero"}, "gist_init must be mean, random or a token id"),
        ({"gist_init": -1}, "gist_init must be mean, random or a token id, got -1"),
        ({"ae_weight": -1.0}, "ae_weight must not be negative"),
        ({"tie_alpha": float("nan")}, "tie_alpha must not be negative"),
    ],
)
def test_settings_out_of_range_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        small(**settings)


def build(kind, **settings):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes | settings)).eval()


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3", "phi3", "olmo2"])
def test_every_kind_of_model_that_is_supported_works(kind):
    model, ids = build(kind, sliding_window=None), text(40)
    lm = GistCausalLM(model, small(granularity="coarse"))
    with torch.no_grad():
        at_once = lm(ids).logits
        torch.testing.assert_close(at_once[:, :16], model(ids[:, :16]).logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(lm.read(ids, lm.new_cache()), at_once, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: build("mistral", sliding_window=16), r"MistralForCausalLM \(mistral\) has sliding-window"),
        (lambda: build("gemma2"), r"Gemma2ForCausalLM \(gemma2\) is not supported"),
        (lambda: build("gpt2", n_embd=64, n_head=4), r"GPT2LMHeadModel \(gpt2\) is not supported"),
        (lambda: tiny_llama().model, r"LlamaModel \(llama\) has no head"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_and_left_alone(model, says):
    model = model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=says):
        GistCausalLM(model, small())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_attention_that_takes_no_mask_is_refused_by_name():
    model = tiny_llama()
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="attention `flash_attention_2`"):
        GistCausalLM(model, small())
    with pytest.raises(TypeError, match="got Linear"):
        GistCausalLM(torch.nn.Linear(2, 2), small())


def test_reading_leaves_the_model_as_it_was_also_by_an_exception():
    model, ids = tiny_llama(), text(40)
    before, settings = model(ids).logits, model.config.to_dict()
    lm = GistCausalLM(model, small())
    cache = lm.new_cache()
    with pytest.raises(IndexError):
        lm.read(torch.full((1, 20), 128), cache)
    assert not cache.reading
    lm.generate(ids, max_new_tokens=3)
    assert torch.equal(model(ids).logits, before) and model.config.to_dict() == settings
    assert type(model).__name__ == "LlamaForCausalLM" and not model._forward_hooks


def test_a_gist_cache_in_the_hands_of_the_model_alone_is_refused():
    lm, ids = gist_model(), text(20)
    with pytest.raises(RuntimeError, match=r"filled by GistCausalLM.read"):
        lm.model(ids, cache=lm.new_cache())
    with pytest.raises(ValueError, match="another GistConfig"):
        lm.read(ids, GistCache(small(ratio=2)))
    cache = lm.new_cache()
    lm.read(ids, cache)
    with pytest.raises(ValueError, match="cannot be cropped"):
        cache.crop(-1)
    cache.reset()
    assert cache.nbytes() == 0 and cache.tokens == 0
    torch.testing.assert_close(lm.read(ids, cache), lm(ids).logits, atol=1e-4, rtol=1e-4)


def test_a_prompt_shorter_than_a_segment_is_read_whole_with_a_warning():
    lm = gist_model()
    with pytest.warns(UserWarning, match="a prompt of 9 tokens is not compressed"):
        lm.generate(text(9), max_new_tokens=2)


def test_sequences_without_a_token_and_labels_that_do_not_fit_are_named():
    lm = gist_model()
    for call in (lambda x: lm(x), lambda x: lm.read(x, lm.new_cache())):
        with pytest.raises(ValueError, match=r"got \(1, 0\)"):
            call(torch.zeros(1, 0, dtype=torch.long))
    with pytest.raises(ValueError, match=r"labels \(1, 4\)"):
        lm(text(5), labels=text(4))
    with pytest.raises(ValueError, match=r"labels \(1, 4\) do not fit ids"):
        insert_gists(text(5), small(), 0, labels=text(4))
    with pytest.raises(ValueError, match="max_new_tokens of at least 1"):
        lm.generate(text(20), max_new_tokens=0)


def test_a_row_that_has_ended_stays_ended():
    lm, ids = gist_model(), text(20, batch=2)
    said = lm.generate(ids, max_new_tokens=6)
    end = int(said[0, 22])
    stopped = lm.generate(ids, max_new_tokens=6, eos_token_id=end)
    first = (said[0, 20:] == end).int().argmax()
    assert (stopped[0, 20 + first :] == end).all()


# For one's own model ----------------------------------------------------------------


def test_a_saved_model_is_the_same_when_it_is_loaded(tmp_path):
    lm, ids = gist_model(ae_weight=0.5), text(40)
    lm.save(tmp_path)
    again = GistCausalLM.load(tmp_path)
    assert again.config == lm.config
    assert torch.equal(again(ids, labels=ids).loss, lm(ids, labels=ids).loss)
    (tmp_path / "gist.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no gist.safetensors"):
        GistCausalLM.load(tmp_path)


def test_the_readmes_example_runs_on_a_users_model(capsys):
    readme = (files("presscheck.systems.gist_compression") / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    model, input_ids = tiny_llama(), text(300)
    exec(code, {"model": model, "input_ids": input_ids})
    shown = capsys.readouterr().out
    # 300 + 19 tokens read: two segments of 128 left as 32 gists each, and 63 tokens with 15 gists.
    assert shown.split()[0].replace(",", "") == str((64 + 63 + 15) * 2 * 2 * 2 * 16 * 4)
    assert model.model.embed_tokens.weight.grad is not None
