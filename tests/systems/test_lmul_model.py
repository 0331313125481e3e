"""L-Mul inside a model, its energies, its training, and the contract of a system."""

import math

import pytest
import torch
from torch import nn

from presscheck.systems.lmul import (
    LMulAttention,
    LMulLinear,
    attention_by,
    energy_report,
    linears_by,
    lmatmul,
    lmul_matmul,
    saving,
)
from presscheck.systems.lmul.casts import cast, cast_matmul, int8_matmul
from presscheck.systems.lmul.energy import TABLE, count_operations, load_table
from presscheck.systems.lmul.measures import attention_products
from presscheck.systems.lmul.training import validation_loss
from presscheck.testbeds.language import tiny_llama

IDS = torch.randint(3, 128, (1, 20), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    return tiny_llama()


@torch.no_grad()
def logits(model, **options):
    return model(input_ids=IDS, use_cache=False, **options).logits


def test_attention_with_exact_products_is_the_models_own(model):
    """Grouped heads, mask and scale are right: what differs with L-Mul is L-Mul."""
    own = logits(model)
    with attention_by(model, LMulAttention(torch.matmul)):
        torch.testing.assert_close(logits(model), own, rtol=1e-4, atol=1e-4)


def test_padding_is_not_attended_to(model):
    padded = torch.cat([torch.full((1, 4), 5), IDS], dim=1)
    seen = torch.cat([torch.zeros(1, 4), torch.ones(1, 20)], dim=1).long()
    attention = LMulAttention(lmul_matmul(4))
    with torch.no_grad(), attention_by(model, attention):
        places = (seen.cumsum(-1) - 1).clamp(min=0)
        found = model(padded, attention_mask=seen, position_ids=places).logits
        torch.testing.assert_close(found[:, 4:], logits(model), rtol=1e-3, atol=1e-3)


def test_an_encoder_attends_to_both_sides_and_not_to_padding():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    encoder = BertModel(BertConfig(vocab_size=50, initializer_range=0.3, **sizes)).eval()
    ids, mask = torch.randint(50, (2, 9)), torch.ones(2, 9).long()
    mask[1, 6:] = 0
    with torch.no_grad():
        own = encoder(ids, attention_mask=mask).last_hidden_state
        with attention_by(encoder, LMulAttention(torch.matmul)):
            found = encoder(ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[0], own[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1, :6], own[1, :6], rtol=1e-4, atol=1e-4)


def test_a_bfloat16_model_keeps_its_type_and_the_sums_of_float32():
    model = tiny_llama().bfloat16()
    with attention_by(model, LMulAttention(lmul_matmul(4))), linears_by(model, lmul_matmul(4)):
        found = logits(model)
    assert found.dtype == torch.bfloat16 and found.isfinite().all()


def test_scores_and_outputs_are_both_l_mul_products():
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    out, weights = LMulAttention(lmul_matmul(3))(nn.Module(), q, k, v, None)
    keys, values = (x.repeat_interleave(2, 1) for x in (k, v))
    expected = (lmatmul(q, keys.mT, 3) / math.sqrt(8)).softmax(-1)
    torch.testing.assert_close(weights, expected)
    assert torch.equal(out, lmatmul(weights, values, 3).transpose(1, 2))


def test_the_model_is_left_as_it_was_found_also_after_an_exception(model):
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    state = lambda: (  # noqa: E731
        model.config._attn_implementation,
        sorted(ALL_ATTENTION_FUNCTIONS),
        sorted(ALL_MASK_ATTENTION_FUNCTIONS),
        [(name, id(module)) for name, module in model.named_modules()],
        [(name, id(p)) for name, p in model.named_parameters()],
    )
    before, own = state(), logits(model)
    with pytest.raises(KeyboardInterrupt), attention_by(model, LMulAttention()), linears_by(model, lmatmul):
        assert state() != before
        assert not torch.allclose(logits(model), own, rtol=1e-3)
        raise KeyboardInterrupt
    assert state() == before
    assert torch.equal(logits(model), own)


def test_one_within_another_ends_in_order(model):
    coarse = LMulAttention(lmul_matmul(1))
    with attention_by(model, LMulAttention(torch.matmul)):
        outer = logits(model)
        with attention_by(model, coarse):
            assert not torch.allclose(logits(model), outer, rtol=1e-2)
        assert torch.equal(logits(model), outer)


def test_attention_with_a_cache_agrees_with_attention_without(model):
    with torch.no_grad(), attention_by(model, LMulAttention(lmul_matmul(4))):
        whole = logits(model)
        first = model(input_ids=IDS[:, :15], use_cache=True)
        rest = model(input_ids=IDS[:, 15:], past_key_values=first.past_key_values).logits
    torch.testing.assert_close(rest, whole[:, 15:], rtol=1e-3, atol=1e-3)


def test_a_linear_layer_shares_its_parameters_and_trains():
    linear = nn.Linear(6, 3)
    ours, x = LMulLinear(linear, lmul_matmul(4)), torch.randn(2, 5, 6)
    assert ours.weight is linear.weight and ours.bias is linear.bias
    torch.testing.assert_close(ours(x), lmatmul(x, linear.weight.mT, 4) + linear.bias)
    ours(x).sum().backward()
    expected = torch.autograd.grad(linear(x).sum(), linear.weight)[0]
    torch.testing.assert_close(linear.weight.grad, expected)


def test_what_is_no_model_says_so():
    with (
        pytest.raises(TypeError, match="no transformers model"),
        attention_by(nn.Linear(2, 2), LMulAttention()),
    ):
        pass
    with pytest.raises(TypeError, match=r"no nn\.Linear"), linears_by(nn.Linear(2, 2), lmatmul):
        pass
    with pytest.raises(ValueError, match=r"1\.\.23"):
        lmul_matmul(24)
    with pytest.raises(ValueError, match="3 query heads"):
        LMulAttention()(nn.Module(), torch.ones(1, 3, 2, 4), *[torch.ones(1, 2, 2, 4)] * 2, None)


def test_masked_pairs_enter_no_error(model):
    scores, outputs = attention_products(model, IDS, pairs=500, seed=0)
    assert len(scores) == len(outputs) == 2
    for products in scores:
        assert (products.column <= products.row).all()
    for products in outputs:
        assert (products.k <= products.row).all()
        assert (products.left[products.head, products.row, products.k] > 0).all()


def test_scaling_saves_e4m3_from_losing_small_weights():
    """Unscaled, a weight up to 2^-10 is zero and a value above 448 is cut."""
    x = torch.tensor([1e-4, 2e-4, 11e-4])
    assert (cast(x, "e4m3") == 0).sum() == 2
    torch.testing.assert_close(cast(x, "e4m3", scaled=True), x, rtol=0.07, atol=0)
    assert cast(torch.tensor([1e4]), "e4m3").item() == 448
    torch.testing.assert_close(cast(torch.tensor([1e4]), "e4m3", scaled=True), torch.tensor([1e4]))
    assert cast(torch.zeros(3), "e4m3", scaled=True).tolist() == [0.0] * 3
    with pytest.raises(ValueError, match="unknown format"):
        cast(x, "e3m4")


def test_int8_products_are_exact_on_its_own_grid():
    a, b = torch.randint(-127, 128, (3, 4)).float(), torch.randint(-127, 128, (4, 5)).float()
    a[:, 0], b[0] = 127, 127
    torch.testing.assert_close(int8_matmul(a * 0.5, b * 2), a @ b)


# Energy -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "width", "percent"),
    [
        ("elementwise", "fp32", 97.3),
        ("elementwise", "fp16", 95.5),
        ("dot", "fp32", 78.3),
        ("dot", "fp16", 70.0),
    ],
)
def test_the_four_savings_follow_from_the_table(what, width, percent):
    assert saving(f"lmul_{width}", width, what) == pytest.approx(percent, abs=0.05)


def test_memory_leaves_little_of_the_saving():
    """One 64-bit read of an 8 KB cache is 10 pJ: three operands of 4 bytes are four times the product."""
    assert saving("lmul_fp32", "fp32", "elementwise", memory="cache_8k") == pytest.approx(100 * 3.6 / 18.7)
    assert saving("lmul_fp32", "fp32", "dot", memory="dram") < 1


def test_counts_of_an_8b_model_at_8k_tokens_are_the_closed_form():
    """Llama-3.1-8B on torch's meta device: no weight is allocated."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    T = 8192
    found = count_operations(model, T)
    assert found["attention"].products == 32 * 32 * 2 * T * T * 128
    weights = 32 * (4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336) + 4096 * 128256
    assert found["linear"].products == T * weights
    assert found["linear"].elements >= weights  # each weight is moved once
    energy = energy_report(model, T, "lmul_fp16")["attention"]
    assert energy.products == pytest.approx(found["attention"].products * 0.05e-12)
    assert energy.total > energy.arithmetic == energy.products + energy.additions


def test_another_table_gives_other_energies_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    text = TABLE.read_text()
    path.write_text(text.replace("fp32 = 3.7", "fp32 = 0.2"))
    assert saving("lmul_fp32", "fp32", "elementwise", table=load_table(path)) == pytest.approx(50)
    for old, new, says in (
        ("fp32 = 3.7", "fp32 = -1", "0 or more, got -1"),
        ("fp32 = 3.7", "", "schemes.fp32.product must name an operation"),
        ("[memory] ", "[storage] ", r"needs the tables \[schemes\] and \[memory\]"),
        ("bytes = 4", "bytes = 0", "bytes of an operand"),
        ("[add]", "[add", "no TOML"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=says):
            load_table(path)
    with pytest.raises(ValueError, match="unknown scheme 'fp64'"):
        saving("fp64", "fp32", "dot")
    with pytest.raises(ValueError, match="unknown memory"):
        saving("lmul_fp32", "fp32", "dot", memory="disk")


# Training and the contract ----------------------------------------------------------


def test_training_with_l_mul_learns():
    text = torch.arange(3, 67).repeat(30)  # each token says the next
    before = validation_loss(tiny_llama(layers=1), text, lmul_matmul(3), steps=0, seq_len=16)
    after = validation_loss(tiny_llama(layers=1), text, lmul_matmul(3), steps=25, seq_len=16)
    assert after < 0.6 * before
    with pytest.raises(ValueError, match="at least 320"):
        validation_loss(tiny_llama(), text[:100], cast_matmul, steps=1, seq_len=16)
