"""Selective attention: the mask, the attention function, blocks of rows, and its place in transformers."""

from __future__ import annotations

import pytest
import torch

from presscheck.systems.selective_attention import (
    SelectiveAttention,
    SelectiveKVCache,
    check_model,
    memory_loss,
    recorded_masks,
    selective,
    selective_attention,
    selective_mask,
)
from presscheck.testbeds.language import tiny_llama


def states(B=2, H=4, N=12, D=8, G=None, seed=0, dtype=torch.float32):
    draw = torch.Generator().manual_seed(seed)
    heads = (H, G or H, G or H)
    return [torch.randn(B, h, N, D, generator=draw, dtype=dtype) * 2 for h in heads]


def written_out(logits):
    """F by the definition, one vote at a time."""
    B, N, _ = logits.shape
    mask = torch.zeros_like(logits)
    for b in range(B):
        for i in range(N):
            for j in range(1, i):
                mask[b, i, j] = sum(max(0.0, logits[b, k, j].item()) for k in range(j + 1, i))
    return mask


def prompt(tokens=24, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def trained_like(**settings):
    model = tiny_llama(**settings)
    model.set_attn_implementation("selective")
    return model


# The mask -----------------------------------------------------------------------------


def test_one_vote_counts_from_the_next_query_on_and_for_good():
    """Token 2 votes against token 1. Sums over keys, or without the shift, give another picture."""
    logits = torch.full((1, 6, 6), -1.0)
    logits[0, 2, 1] = 0.7
    wanted = torch.zeros(1, 6, 6)
    wanted[0, 3:, 1] = 0.7
    torch.testing.assert_close(selective_mask(logits), wanted)


def test_the_mask_is_the_definition_written_out():
    logits = torch.randn(2, 9, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(selective_mask(logits), written_out(logits))


def test_the_mask_grows_and_spares_the_first_token_and_oneself():
    mask = selective_mask(torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(2)).abs())
    assert (mask.diff(dim=1) >= 0).all() and mask[:, -1, 1:14].min() > 0
    assert (mask[:, :, 0] == 0).all() and (mask.diagonal(0, 1, 2) == 0).all()
    assert (mask.diagonal(-1, 1, 2) == 0).all()  # nobody stands between a token and the next


def test_row_i_of_the_mask_does_not_depend_on_logits_of_row_i_or_of_later_keys():
    logits = torch.randn(1, 8, 8, requires_grad=True)
    grad = torch.autograd.grad(selective_mask(logits)[0, 5].sum(), logits)[0][0]
    assert (grad[5:] == 0).all() and (grad.triu(0) == 0).all() and grad[:5].abs().sum() > 0


def test_packed_documents_are_masked_as_if_alone():
    """Each first token is spared, and no vote crosses over."""
    logits = torch.randn(1, 10, 10, generator=torch.Generator().manual_seed(3)).abs()
    documents = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
    mask = selective_mask(logits, documents=documents)
    torch.testing.assert_close(mask[:, :4, :4], selective_mask(logits[:, :4, :4]))
    torch.testing.assert_close(mask[:, 4:, 4:], selective_mask(logits[:, 4:, 4:]))
    assert torch.equal(mask[:, 4:, :4], mask[:, 4:5, :4].expand(-1, 6, -1))


def test_padding_casts_no_votes():
    logits = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(4)).abs()
    left = torch.tensor([[False] * 3 + [True] * 5])
    mask = selective_mask(logits, valid=left)
    torch.testing.assert_close(mask[:, 3:, 3:], selective_mask(logits[:, 3:, 3:]))
    assert (mask[:, :, :3] == 0).all()
    right = torch.tensor([[True] * 5 + [False] * 3])
    mask = selective_mask(logits, valid=right)
    assert torch.equal(mask[:, 7, :5], mask[:, 5, :5])


def test_votes_are_summed_in_float32():
    """In bfloat16 a sum of ones stops at 256."""
    logits = torch.ones(1, 600, 600, dtype=torch.bfloat16)
    mask = selective_mask(logits)
    assert mask.dtype == torch.float32 and mask[0, -1, 1] == 597


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: selective_mask(x, causal=False), "causal"),
        (lambda x: selective_mask(x[:, :4]), r"\(batch, tokens, tokens\)"),
        (lambda x: selective_mask(x, allowed=torch.ones(1, 8, 8, dtype=torch.bool)), "query 0 see key 1"),
        (lambda x: selective_mask(x, valid=torch.ones(1, 5, dtype=torch.bool)), "valid must be"),
        (lambda x: memory_loss([]), "at least one layer"),
        (lambda x: memory_loss([x], tau=0.0), "tau"),
    ],
)
def test_masks_that_make_no_sense_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call(torch.zeros(1, 8, 8))


def test_the_memory_loss_is_what_is_still_seen():
    mask = torch.zeros(1, 4, 4)
    # Nothing is masked: the last query sees all four.
    assert memory_loss([mask, mask], eps=0.1).item() == pytest.approx(0.1)
    mask[0, 2:, 1] = 0.5
    mask[0, 3, 2] = 7.0  # beyond tau counts as tau
    # Rows see 1, 2, 2.5 and 2.5 keys.
    assert memory_loss([mask], tau=1.0, eps=1.0).item() == pytest.approx(2.5 / 4)
    assert memory_loss([mask], tau=2.0, eps=1.0).item() == pytest.approx(2.75 / 4)
    valid = torch.tensor([False, True, True, True])
    allowed = torch.ones(4, 4).tril().bool() & valid & valid[:, None]
    assert memory_loss([mask], eps=1.0, allowed=allowed[None]).item() == pytest.approx(1.5 / 3)


# The attention function ---------------------------------------------------------------


def test_attention_is_softmax_of_logits_less_the_mask_of_one_head():
    q, k, v = states()
    logits = q @ k.mT / 8**0.5
    for head in (0, 2):
        out, mask = selective_attention(q, k, v, selector_head=head, return_mask=True)
        wanted = written_out(logits[:, head])
        later = torch.ones(12, 12).triu(1).bool()
        weights = (logits - wanted[:, None]).masked_fill(later, -torch.inf).softmax(-1)
        torch.testing.assert_close(mask, wanted)
        torch.testing.assert_close(out, weights @ v)


def test_without_positive_logits_of_the_selector_it_is_ordinary_attention():
    q, k, v = states()
    q[:, 0], k[:, 0] = -q[:, 0].abs(), k[:, 0].abs()
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(selective_attention(q, k, v), plain)


def test_it_takes_the_arguments_of_scaled_dot_product_attention():
    """Call by call: mask as True and False, as numbers, causal; scale; grouped heads."""
    q, k, v = states(G=2)
    lower = torch.ones(12, 12).tril().bool()
    numbers = torch.zeros(12, 12).masked_fill(~lower, torch.finfo(torch.float32).min)
    wanted = selective_attention(q, k, v, None, 0.0, True, 0.2, True)
    for given in (lower, numbers, numbers.masked_fill(~lower, -torch.inf), lower.expand(2, 1, 12, 12)):
        got = selective_attention(q, k, v, attn_mask=given, is_causal=False, scale=0.2, enable_gqa=True)
        torch.testing.assert_close(got, wanted)
    repeated = [x.repeat_interleave(2, dim=1) for x in (k, v)]
    torch.testing.assert_close(selective_attention(q, *repeated, scale=0.2), wanted)


def test_a_bias_is_part_of_the_votes():
    q, k, v = states(B=1)
    bias = torch.randn(1, 4, 12, 12, generator=torch.Generator().manual_seed(5))
    _, mask = selective_attention(q, k, v, attn_mask=bias, return_mask=True)
    torch.testing.assert_close(mask, selective_mask((q @ k.mT / 8**0.5 + bias)[:, 0]))


@pytest.mark.parametrize("block", [1, 5, 12, 100])
def test_blocks_of_rows_change_neither_output_nor_gradient(block):
    documents = torch.tensor([[0] * 5 + [1] * 7, [0] * 12])
    results = []
    for rows in (None, block):
        inputs = [x.requires_grad_() for x in states(G=2, dtype=torch.float64)]
        out, mask = selective_attention(
            *inputs, enable_gqa=True, documents=documents, return_mask=True, block_rows=rows
        )
        loss = (out * torch.linspace(0, 1, 8, dtype=torch.float64)).sum() + memory_loss([mask])
        results.append([out, mask, *torch.autograd.grad(loss, inputs)])
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two)


def test_blocks_of_rows_take_less_memory_to_train():
    """Bytes that the graph keeps for the backward pass: inputs and sums of rows, nothing square."""
    kept = {}
    for rows in (None, 16):
        q, k, v = (x.requires_grad_() for x in states(B=1, H=4, N=256))
        documents = torch.arange(256)[None] // 100
        storages = {}

        def pack(tensor, storages=storages):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            selective_attention(q, k, v, block_rows=rows, documents=documents)
        kept[rows] = sum(storage.nbytes() for storage in storages.values())
    inputs = 3 * 4 * 256 * 8 * 4
    sums = sum(range(16, 257, 16)) * 4
    assert kept[16] <= inputs + 2 * sums < 256 * 256 * 4 < kept[None]


def test_gradients_are_right():
    inputs = [x.requires_grad_() for x in states(B=1, H=2, N=6, D=3, dtype=torch.float64)]
    assert torch.autograd.gradcheck(lambda *x: selective_attention(*x, return_mask=True), inputs)
    assert torch.autograd.gradcheck(lambda *x: selective_attention(*x, block_rows=4), inputs)


def test_what_is_masked_still_learns_through_its_votes():
    """A mask that is cut off the graph would leave the votes without a gradient."""
    q, k, v = (x.requires_grad_() for x in states(B=1, H=2))
    selective_attention(q, k, v)[:, 1].square().sum().backward()
    assert q.grad[:, 0].abs().sum() > 0


@pytest.mark.parametrize("block", [None, 4])
def test_later_tokens_change_nothing_before_them(block):
    q, k, v = states()
    changed = [x.clone() for x in (q, k, v)]
    for x in changed:
        x[:, :, 7:] = 9.0
    before = selective_attention(q, k, v, block_rows=block)
    after = selective_attention(*changed, block_rows=block)
    assert torch.equal(before[:, :, :7], after[:, :, :7])


def test_packed_documents_attend_as_if_alone():
    q, k, v = states()
    documents = torch.tensor([[0] * 5 + [1] * 7] * 2)
    packed = selective_attention(q, k, v, documents=documents)
    alone = [selective_attention(*(x[:, :, part] for x in (q, k, v))) for part in (slice(5), slice(5, 12))]
    torch.testing.assert_close(packed, torch.cat(alone, dim=2))


def test_rows_of_padding_give_zeros_and_the_others_what_they_give_alone():
    q, k, v = states(B=1)
    valid = torch.tensor([False] * 4 + [True] * 8)
    mask = torch.ones(12, 12).tril().bool() & valid
    out = selective_attention(q, k, v, attn_mask=mask, is_causal=False)
    alone = selective_attention(*(x[:, :, 4:] for x in (q, k, v)))
    assert (out[:, :, :4] == 0).all()
    torch.testing.assert_close(out[:, :, 4:], alone)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"is_causal": False}, "is causal"),
        ({"is_causal": False, "attn_mask": torch.ones(12, 12, dtype=torch.bool)}, "comes later"),
        ({"selector_head": 4}, "0 to 3, got 4"),
        ({"selector_head": -1}, "got -1"),
        ({"block_rows": 0}, "block_rows"),
        ({"attn_mask": torch.ones(5, 12, dtype=torch.bool)}, "does not broadcast"),
        ({"documents": torch.zeros(2, 3)}, "documents must be"),
    ],
)
def test_uses_that_make_no_sense_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        selective_attention(*states(), **change)


def test_queries_without_the_votes_before_them_are_refused():
    q, k, v = states()
    with pytest.raises(ValueError, match="votes of earlier queries"):
        selective_attention(q[:, :, -1:], k, v)
    q, k, v = states(G=2)
    with pytest.raises(ValueError, match="enable_gqa"):
        selective_attention(q, k, v)


def test_the_module_is_its_projections_and_the_function():
    torch.manual_seed(0)
    layer = SelectiveAttention(32, 4, kv_heads=2, selector_head=1, rotate=lambda x: x * 2)
    x = torch.randn(2, 10, 32)
    out, mask = layer(x, return_mask=True)
    heads = [p(x).view(2, 10, -1, 8).transpose(1, 2) for p in (layer.q_proj, layer.k_proj, layer.v_proj)]
    wanted = selective_attention(heads[0] * 2, heads[1] * 2, heads[2], enable_gqa=True, selector_head=1)
    torch.testing.assert_close(out, layer.o_proj(wanted.transpose(1, 2).flatten(2)))
    assert mask.shape == (2, 10, 10)
    assert sum(p.numel() for p in layer.parameters()) == 32 * (32 + 16 + 16 + 32)
    with pytest.raises(ValueError, match="divide"):
        SelectiveAttention(30, 4)
    with pytest.raises(ValueError, match="selector_head"):
        SelectiveAttention(32, 4, selector_head=4)


# In transformers ----------------------------------------------------------------------


def by_hand(model, ids, **inputs):
    """The model's logits with attention by the definition, independent of our function."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def slow(module, query, key, value, attention_mask, scaling=None, **kwargs):
        r = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(r, 1), value.repeat_interleave(r, 1)
        logits = query @ key.mT * scaling
        later = torch.ones(logits.shape[-2:]).triu(1).bool()
        weights = (logits - written_out(logits[:, 0].detach())[:, None]).masked_fill(later, -torch.inf)
        return (weights.softmax(-1) @ value).transpose(1, 2), None

    ALL_ATTENTION_FUNCTIONS.register("slow", slow)
    ALL_MASK_ATTENTION_FUNCTIONS.register("slow", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    before, model.config._attn_implementation = model.config._attn_implementation, "slow"
    try:
        return model(ids, **inputs).logits
    finally:
        model.config._attn_implementation = before


def test_a_model_is_made_and_trained_with_it_by_name():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, attn_implementation="selective",
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    ids = prompt(32, batch=4) % 64
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        with recorded_masks(model) as masks:
            loss = model(ids, labels=ids).loss
        assert sorted(masks) == [0, 1] and masks[0].shape == (4, 32, 32)
        (loss + memory_loss(list(masks.values()))).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5


def test_the_models_attention_is_the_definition():
    model, ids = trained_like(), prompt()
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, by_hand(model, ids), atol=1e-4, rtol=1e-4)
        plain = tiny_llama()(ids).logits
    assert (model(ids).logits - plain).abs().max() > 0.01


def test_padding_on_either_side_changes_nothing_in_a_model():
    model, ids = trained_like(), prompt(20)
    alone = model(ids).logits
    for left in (True, False):
        pad = torch.ones(1, 9, dtype=torch.long)
        both = torch.cat([pad, ids] if left else [ids, pad], dim=1)
        mask = torch.cat([pad * 0, ids * 0 + 1] if left else [ids * 0 + 1, pad * 0], dim=1)
        part = slice(9, None) if left else slice(20)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        got = model(both, attention_mask=mask, position_ids=positions).logits[:, part]
        torch.testing.assert_close(got, alone, atol=1e-4, rtol=1e-4)


def test_documents_packed_by_positions_stay_apart_in_a_model():
    model, one, two = trained_like(), prompt(11), prompt(14, seed=1)
    positions = torch.cat([torch.arange(11), torch.arange(14)])[None]
    with torch.no_grad():
        packed = model(torch.cat([one, two], 1), position_ids=positions, use_cache=False).logits
        for part, ids in ((slice(11), one), (slice(11, None), two)):
            torch.testing.assert_close(packed[:, part], model(ids).logits, atol=1e-4, rtol=1e-4)


def test_block_rows_and_the_selector_are_read_from_the_configuration():
    model, ids = trained_like(), prompt()
    whole = model(ids).logits
    model.config.selective_block_rows = 7
    torch.testing.assert_close(model(ids).logits, whole, atol=1e-5, rtol=1e-4)
    model.config.selector_head = 2
    assert (model(ids).logits - whole).abs().max() > 1e-3
    model.config.selector_head = 4
    with pytest.raises(ValueError, match="0 to 3, got 4"):
        model(ids)
    with pytest.raises(ValueError, match=r"LlamaForCausalLM \(llama\) has selector_head=4"):
        check_model(model)


@pytest.mark.parametrize("d", [8, 12, 16])
def test_no_parameter_is_added_at_the_papers_sizes(d):
    """Width 64 d, d heads, d layers; by name and shape, on torch's meta device."""
    from transformers import LlamaConfig, LlamaForCausalLM

    names = {}
    for way in ("sdpa", "selective"):
        config = LlamaConfig(
            vocab_size=8000, hidden_size=64 * d, intermediate_size=64 * d * 8 // 3, num_hidden_layers=d,
            num_attention_heads=d, num_key_value_heads=d, attn_implementation=way,
        )  # fmt: skip
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        names[way] = {name: tensor.shape for name, tensor in model.state_dict().items()}
        if d == 12:
            # As many numbers in its blocks' matrices as GPT-2 small: 12 layers of 12 x 768 x 768.
            matrices = (p.numel() for n, p in model.model.layers.named_parameters() if "norm" not in n)
            assert sum(matrices) == 12 * 12 * 768 * 768
    assert names["sdpa"] == names["selective"]


def picture(model):
    modules = {name: (sorted(vars(m)), type(m).forward) for name, m in model.named_modules()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return modules, hooks, model.config.to_dict(), model.config._attn_implementation


@pytest.mark.parametrize("fails", [False, True])
def test_a_block_leaves_the_model_as_it_was(fails):
    model, ids = tiny_llama(), prompt()
    before, logits = picture(model), model(ids).logits
    try:
        with selective(model), recorded_masks(model) as masks:
            inside = model(ids).logits
            assert sorted(masks) == [0, 1]
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert picture(model) == before
    assert torch.equal(model(ids).logits, logits) and not torch.equal(inside, logits)
    masks.clear()
    with selective(model):
        model(ids)
    assert not masks  # nothing is recorded any more


def test_masks_of_other_models_are_not_recorded():
    one, two = trained_like(), trained_like(seed=1)
    with recorded_masks(one) as masks:
        two(prompt())
        assert not masks
    with pytest.raises(ValueError, match="`sdpa`, which has no votes"), recorded_masks(tiny_llama()):
        pass


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
    model, ids = build(kind, sliding_window=None, initializer_range=0.2), prompt(16)
    with torch.no_grad(), selective(model):
        torch.testing.assert_close(model(ids).logits, by_hand(model, ids), atol=1e-4, rtol=1e-3)
        steps = SelectiveKVCache()
        logits = torch.cat([model(ids[:, i : i + 1], cache=steps).logits for i in range(16)], dim=1)
        torch.testing.assert_close(logits, model(ids).logits, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: build("mistral", sliding_window=16), r"MistralForCausalLM \(mistral\) has sliding-window"),
        (lambda: build("gemma2"), r"Gemma2ForCausalLM \(gemma2\) is not supported"),
        (lambda: build("gpt2", n_embd=64, n_head=4), r"GPT2LMHeadModel \(gpt2\) is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_and_left_alone(model, says):
    model = model()
    before = picture(model)
    with pytest.raises(ValueError, match=says), selective(model):
        raise AssertionError("entered")
    assert picture(model) == before


@pytest.mark.parametrize("kernel", ["flex_attention", "flash_attention_2"])
def test_a_kernel_that_hides_its_logits_is_refused_by_name(kernel):
    model = tiny_llama()
    model.config._attn_implementation = kernel
    with pytest.raises(ValueError, match=f"attention `{kernel}`, a fused kernel"), selective(model):
        pass
    assert model.config._attn_implementation == kernel


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="got Linear"), selective(torch.nn.Linear(2, 2)):
        pass


def test_models_that_bring_more_to_their_attention_are_refused_when_they_run():
    """Loaded by name, past `check_model`: the cap of Gemma's logits must not be dropped in silence."""
    model = build("gemma2", sliding_window=64)
    model.config._attn_implementation = "selective"
    with pytest.raises(ValueError, match="soft cap|sliding window"):
        model(prompt())


def test_a_model_without_an_order_of_tokens_is_refused():
    model = trained_like()
    for module in model.modules():
        if hasattr(module, "is_causal"):
            module.is_causal = False
    with pytest.raises(ValueError, match="not causal"):
        model(prompt())


def test_an_ordinary_cache_is_refused_once_votes_would_be_missing():
    model, ids = trained_like(), prompt()
    first = model(ids, use_cache=True)
    with pytest.raises(ValueError, match="cache=SelectiveKVCache"):
        model(ids[:, :1], cache=first.cache)
