"""What ThinK stands on: tokens chosen by SnapKV and H2O, and two-bit storage after KIVI."""

import pytest
import torch

from presscheck.systems.think import ThinKConfig, ThinKLayer, think
from presscheck.systems.think.eviction import h2o_scores, keep_tokens, snapkv_scores
from presscheck.systems.think.kivi import pack
from presscheck.testbeds.language import tiny_llama


def states(heads, tokens, channels=16, seed=0):
    return torch.randn(1, heads, tokens, channels, generator=torch.Generator().manual_seed(seed))


def full_attention(queries, keys):
    """(B, H, S, S), query heads in pairs on a key-value head, written out."""
    S = keys.shape[2]
    logits = queries @ keys.repeat_interleave(2, dim=1).mT * 0.25
    return logits.masked_fill(torch.triu(torch.ones(S, S, dtype=torch.bool), 1), -torch.inf).softmax(-1)


def prompt(tokens, seed=0):
    return torch.randint(3, 128, (1, tokens), generator=torch.Generator().manual_seed(seed))


# Tokens -------------------------------------------------------------------------------


def test_h2o_sums_the_attention_of_all_queries():
    queries, keys = states(4, 300), states(2, 300, seed=1)  # more than one chunk of queries
    expected = full_attention(queries, keys).sum(2).view(1, 2, 2, 300).mean(2)
    torch.testing.assert_close(h2o_scores(queries, keys, 0.25), expected, atol=1e-4, rtol=1e-4)


def test_snapkv_pools_the_votes_of_the_window_over_neighbours():
    queries, keys = states(4, 60), states(2, 60, seed=1)
    votes = full_attention(queries, keys)[:, :, -8:].mean(2).view(1, 2, 2, 60).mean(2)
    prefix = votes[..., :52]
    expected = torch.stack(
        [torch.nn.functional.pad(prefix, (2, 2))[..., t : t + 5].sum(-1) / 5 for t in range(52)], dim=-1
    )
    scores = snapkv_scores(queries[:, :, -8:], keys, 0.25, kernel=5)
    torch.testing.assert_close(scores[..., :52], expected)


def test_recent_tokens_stay_and_padding_goes_first():
    scores = torch.arange(20.0).flip(0).expand(1, 2, 20)
    valid = torch.ones(1, 20, dtype=torch.bool)
    valid[0, :3] = False
    assert keep_tokens(scores, 9, 5, valid)[0, 0].tolist() == [3, 4, 5, 6, 15, 16, 17, 18, 19]
    with pytest.raises(ValueError, match="must exceed the 9 recent"):
        keep_tokens(scores, 9, 9)


@pytest.mark.parametrize("eviction", ["snapkv", "h2o"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_decoding_after_an_eviction_is_attention_over_what_stayed(eviction, ratio):
    """64 tokens against the model's own attention over the survivors, places unchanged."""
    from transformers import DynamicCache

    model, ids = tiny_llama(), prompt(90)
    config = ThinKConfig(key_ratio=ratio, query_window=8, recent_window=8, eviction=eviction, capacity=40)
    plain = DynamicCache()
    with torch.no_grad(), think(model, config) as cache:
        ours = [model(ids, cache=cache).logits[:, -1]]
        theirs = [model(ids, cache=plain).logits[:, -1]]
        for layer, whole in zip(cache.layers, plain.layers, strict=True):
            assert layer.old_keys.shape[2] == 32 and layer.get_seq_length() == 90
            stay = torch.cat([layer.places.long(), torch.arange(82, 90).expand(1, 2, 8)], dim=-1)
            whole.keys, whole.values = (
                x.gather(2, stay[..., None].expand(-1, -1, -1, 16)) for x in (whole.keys, whole.values)
            )
            if ratio:
                kept = torch.zeros(1, 2, 16).scatter_(-1, layer.key_index.long(), 1.0)
                whole.keys[:, :, :32] *= kept[:, :, None]
        for step in range(64):
            ours.append(model(ours[-1].argmax(-1)[:, None], cache=cache).logits[:, -1])
            at = torch.tensor([[90 + step]])
            theirs.append(model(theirs[-1].argmax(-1)[:, None], cache=plain, position_ids=at).logits[:, -1])
    assert [x.argmax().item() for x in ours] == [x.argmax().item() for x in theirs]
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs), atol=1e-4, rtol=1e-5)


def test_a_capacity_beyond_the_prompt_evicts_nothing():
    config = ThinKConfig(query_window=8, recent_window=8, eviction="h2o", capacity=400)
    layer = ThinKLayer(config)
    layer.update(states(2, 60), states(2, 60))
    layer.compress(states(4, 60))
    assert layer.places is None and layer.old_keys.shape[2] == 52


# Two bits -----------------------------------------------------------------------------


def test_four_codes_share_a_byte():
    packed = pack(states(2, 8, 64), 32)
    assert packed.codes.dtype == torch.uint8 and packed.codes.untyped_storage().nbytes() == 2 * 8 * 64 / 4
    assert packed.scale.shape == packed.zero.shape == (1, 2, 8, 2)
    assert packed.scale.dtype == torch.float16


@pytest.mark.parametrize("n", [32, 10, 39])
def test_what_has_four_levels_comes_back_exactly(n):
    numbers = torch.randint(0, 4, (2, 3, n), generator=torch.Generator().manual_seed(0)) * 0.5 - 1.0
    numbers[..., 0], numbers[..., 1] = -1.0, 0.5
    assert torch.equal(pack(numbers, n).expand(), numbers)


def test_no_number_is_off_by_more_than_half_a_step():
    numbers = states(2, 64, 32)
    packed = pack(numbers, 16)
    steps = (numbers.unflatten(-1, (2, 16)).amax(-1) - numbers.unflatten(-1, (2, 16)).amin(-1)) / 3
    off = (packed.expand() - numbers).abs().unflatten(-1, (2, 16))
    assert (off <= 0.5 * steps[..., None] * 1.01 + 2e-3).all()
    assert len(packed.expand()[0, 0, 0, :16].unique()) <= 4


def test_a_constant_group_is_no_division_by_zero():
    assert torch.equal(pack(torch.full((1, 8), 3.0), 8).expand(), torch.full((1, 8), 3.0))


@pytest.mark.parametrize(
    ("numbers", "says"), [(torch.ones(10), "groups of 4"), (torch.tensor([1e6, 0, 0, 0]), "65504")]
)
def test_what_cannot_be_packed_is_named(numbers, says):
    with pytest.raises(ValueError, match=says):
        pack(numbers, 4)


def test_keys_share_a_scale_along_tokens_and_values_along_channels():
    """One key channel and one token's values are huge: their neighbours must not suffer."""
    keys, values = states(2, 64), states(2, 64, seed=1)
    keys[..., 3] *= 1000
    values[:, :, 5] *= 1000
    layer = ThinKLayer(
        ThinKConfig(key_ratio=0.0, query_window=8, recent_window=0, bits=2, group=16, residual=16)
    )
    layer.update(keys, values)
    layer.compress(states(4, 64))
    off_keys = (layer.old_keys.expand().mT - keys[:, :, :48]).abs()
    off_values = (layer.old_values.expand() - values[:, :, :48]).abs()
    assert off_keys[..., [0, 1, 2, 4]].max() < 2 and off_keys[..., 3].max() > 50
    assert off_values[:, :, [0, 4, 6]].max() < 2 and off_values[:, :, 5].max() > 50


@pytest.mark.parametrize(
    "more", [{}, {"key_ratio": 0.5, "value_ratio": 0.25}, {"eviction": "snapkv", "capacity": 60}]
)
def test_decoding_over_two_bits_is_attention_over_what_they_expand_to(more):
    """Token by token, past several emptyings of the residual; the reference holds full-width zeros."""
    model, ids = tiny_llama(), prompt(90)
    config = ThinKConfig(
        **{"key_ratio": 0.0, "query_window": 8, "recent_window": 8, "bits": 2, "group": 8, "residual": 16}
        | more
    )
    states_of = states(4, 1, seed=9)
    with torch.no_grad(), think(model, config) as cache:
        logits = model(ids, cache=cache).logits
        for _ in range(40):
            logits = model(logits[:, -1].argmax(-1)[:, None], cache=cache).logits
            layer = cache.layers[0]
            assert 16 <= layer.length <= 16 + 8
            shown = layer.attend(states_of, None, 0.25)
            old_keys, old_values = layer.old_keys.expand().mT, layer.old_values.expand()
            if layer.key_index is not None:
                wide = torch.zeros(*old_keys.shape[:3], 16)
                old_keys = wide.scatter(-1, layer.key_index.long()[:, :, None].expand_as(old_keys), old_keys)
                wide = torch.zeros(*old_values.shape[:3], 16)
                index = layer.value_index.long()[:, :, None].expand_as(old_values)
                old_values = wide.scatter(-1, index, old_values)
            keys = torch.cat([old_keys, layer.tail_keys[:, :, : layer.length]], dim=2)
            values = torch.cat([old_values, layer.tail_values[:, :, : layer.length]], dim=2)
            expected = torch.nn.functional.scaled_dot_product_attention(
                states_of, keys, values, scale=0.25, enable_gqa=True
            )
            torch.testing.assert_close(shown, expected.transpose(1, 2), atol=1e-5, rtol=1e-4)
    assert layer.get_seq_length() == 130
    stored = layer.old_keys.size + layer.length
    assert stored == layer.old_values.codes.shape[2] + layer.length == (100 if "capacity" in more else 130)
    if layer.places is not None:
        assert layer.places.shape[2] == layer.old_keys.size
        assert layer.places[0, 0, -1].item() == 129 - layer.length


def test_two_bits_and_their_scales_take_three_bits_a_number():
    """4096 tokens of 128 channels in bfloat16, groups of 32: 2 bits, and 32 bits of scale a group."""
    layer = ThinKLayer(ThinKConfig(key_ratio=0.0, bits=2))
    tokens = torch.randn(1, 1, 4096, 128).bfloat16()
    layer.update(tokens, tokens)
    layer.compress(torch.randn(1, 4, 32, 128).bfloat16())
    old, tail = 4096 - 128, 128
    assert layer.nbytes() == 2 * old * 128 * (2 + 32 / 32) / 8 + 2 * tail * 128 * 2
