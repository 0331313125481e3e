"""Packed weights in a model: replaced, fused, saved, learned, put back; and what is refused."""

import copy
import math

import pytest
import torch
from torch import nn

from presscheck.systems.flute import (
    LUTLinear,
    LUTTensor,
    learn_scales,
    load_packed,
    measures,
    nf,
    replace_linears,
    save_packed,
)
from presscheck.systems.flute.decoding import Decoder, as_int4, rounded
from presscheck.systems.flute.measures import Int4
from presscheck.systems.flute.replace import FusedPart
from presscheck.testbeds.language import tiny_llama

IDS = torch.randint(3, 128, (1, 12), generator=torch.Generator().manual_seed(0))


def logits(model, ids=IDS):
    with torch.no_grad():
        return model(ids).logits


def dense_copy(model, bits, group=64):
    """The same model with each linear weight rounded in place: what packed weights must compute."""
    other = copy.deepcopy(model)
    for name, layer in other.named_modules():
        if type(layer) is nn.Linear and name != "lm_head":
            layer.weight.data = LUTTensor.quantize(layer.weight.data, nf(bits), group).dequantize()
    return other


def test_the_example_of_the_readme():
    model, inputs = tiny_llama(), {"input_ids": IDS}

    with replace_linears(model, bits=4, group=64) as packed:
        output = model.generate(**inputs, max_new_tokens=20, do_sample=False)
    saved = 1 - packed.nbytes / packed.dense_nbytes
    assert output.shape[1] > IDS.shape[1] and saved > 0.8
    assert type(model.model.layers[0].mlp.down_proj) is nn.Linear


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("fuse", [True, False])
def test_a_model_computes_what_its_rounded_weights_do(bits, fuse):
    model = tiny_llama()
    wanted = logits(dense_copy(model, bits))
    assert not torch.allclose(wanted, logits(model), atol=1e-2)
    with replace_linears(model, bits, 64, fuse=fuse):
        torch.testing.assert_close(logits(model), wanted, atol=2e-5, rtol=1e-4)


def test_generating_with_and_without_fusing_gives_the_same_tokens():
    model, found = tiny_llama(), []
    for fuse in (True, False):
        with replace_linears(model, fuse=fuse):
            found.append(model.generate(IDS, max_new_tokens=24, do_sample=False))
    assert torch.equal(*found)


def test_projections_of_one_input_share_one_product():
    model, calls = tiny_llama(), []
    with replace_linears(model):
        for name, layer in model.named_modules():
            if isinstance(layer, LUTLinear):
                layer.register_forward_hook(lambda *_, name=name: calls.append(name))
        logits(model)
        assert isinstance(model.model.layers[0].self_attn.k_proj, FusedPart)
    assert len(calls) == 4 * 2  # q with k and v, o, gate with up, down: in each of two layers


def test_a_fused_part_asked_with_another_tensor_computes_it_anew():
    """Also after the first tensor was changed in place."""
    model = tiny_llama()
    attention = model.model.layers[0].self_attn
    with replace_linears(model), torch.no_grad():
        x, other = torch.randn(1, 3, 64), torch.randn(1, 3, 64)
        wanted = attention.k_proj(other)
        attention.q_proj(x)
        assert torch.equal(attention.k_proj(other), wanted)
        attention.q_proj(x)
        x.copy_(other)
        assert torch.equal(attention.k_proj(x), wanted)
        attention.v_proj(x)
        assert attention.q_proj._shared.held is None  # nothing is kept alive


def test_leaving_the_block_by_an_exception_gives_the_model_back():
    model = tiny_llama()
    before, layers = logits(model), dict(model.named_modules())
    with pytest.raises(KeyError), replace_linears(model):
        raise KeyError
    assert dict(model.named_modules()) == layers and torch.equal(logits(model), before)


def test_restoring_twice_or_what_was_not_kept_is_refused():
    model = tiny_llama()
    packed = replace_linears(model)
    packed.restore()
    with pytest.raises(ValueError, match="put back already"):
        packed.restore()
    with pytest.raises(ValueError, match="not kept"):
        replace_linears(model, keep=False).restore()


@pytest.mark.parametrize(
    ("spoil", "settings", "says"),
    [
        (lambda m: None, {"group": 128}, r"LlamaForCausalLM \(llama\).*q_proj.*64 columns.*skip"),
        (lambda m: m.model.layers[1].mlp.down_proj.weight.data.fill_(math.nan), {}, "down_proj.*not finite"),
        (lambda m: setattr(m.model.layers[1].mlp, "up_proj", type("Odd", (nn.Linear,), {})(64, 128)), {},
         "up_proj is a Odd"),
        (lambda m: replace_linears(m), {}, "packed weight already"),
        (lambda m: None, {"skip": "*"}, "no nn.Linear to replace"),
        (lambda m: None, {"bits": 5}, "bits must be 2, 3 or 4"),
        (lambda m: None, {"table": "nf5"}, "no table called 'nf5'"),
        (lambda m: None, {"table": nf(3)}, "4 bits has 16 values"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_is_refused_before_anything_changes(spoil, settings, says):
    model = tiny_llama()
    spoil(model)
    layers = dict(model.named_modules())
    with pytest.raises(ValueError, match=says):
        replace_linears(model, **settings)
    assert dict(model.named_modules()) == layers


def test_a_model_without_linear_layers_is_refused_by_name():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=32, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match=r"GPT2LMHeadModel \(gpt2\) has no nn.Linear"):
        replace_linears(model)


def test_saved_weights_load_into_a_fresh_model(tmp_path):
    model, fresh = tiny_llama(), tiny_llama(seed=1)
    for name in ("model.embed_tokens", "model.norm", "lm_head"):
        fresh.get_submodule(name).load_state_dict(model.get_submodule(name).state_dict())
    replace_linears(model, 3, 64)
    save_packed(model, tmp_path / "packed.safetensors")
    loaded = load_packed(fresh, tmp_path / "packed.safetensors")
    assert torch.equal(logits(fresh), logits(model)) and len(loaded.layers) == 14
    (tmp_path / "cut").write_bytes((tmp_path / "packed.safetensors").read_bytes()[:999])
    with pytest.raises(ValueError, match="no file of packed weights"):
        load_packed(tiny_llama(), tmp_path / "cut")
    with pytest.raises(ValueError, match="has no linear layer"):
        load_packed(nn.Sequential(nn.Linear(64, 64)), tmp_path / "packed.safetensors")


def test_casting_a_model_leaves_codes_table_and_scales_alone():
    layer = LUTLinear(LUTTensor.quantize(torch.randn(8, 64), nf(4), 32), torch.randn(8))
    before = layer.lut.dequantize()
    layer.to(torch.float16)
    assert (
        torch.equal(layer.lut.dequantize(), before) and layer(torch.ones(1, 64).half()).dtype == torch.float16
    )


def test_biases_and_tables_of_k_means_are_carried():
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, initializer_range=0.2,
    )).eval()  # fmt: skip
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            layer.bias.data.normal_()
    before = logits(model, IDS % 64)
    with replace_linears(model, 4, 32, "kmeans"):
        assert (logits(model, IDS % 64) - before).norm() < 0.35 * before.norm()


def test_llama_3_8b_takes_the_bytes_of_the_formula():
    """On the device `meta`: nothing is allocated."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8,
    )  # fmt: skip
    for bits in (3, 4):
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        packed = replace_linears(model, bits, 64, keep=False)
        weights = sum(N * K for N, K in packed.layers.values())
        tables = 4 * 32 * 4 * 2**bits  # four products a layer, with a table each
        assert weights == 6_979_321_856 and packed.nbytes - tables == weights * (bits + 16 / 64) / 8


# Learning


def test_learned_scales_lower_the_loss_and_leave_the_table():
    """A model that has learned something: the next token is the last one plus one."""
    torch.manual_seed(0)
    model = tiny_llama(vocab=32)
    text = [(torch.arange(24)[None] + start) % 32 for start in range(32)]
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(60):
        ids = text[step * 7 % 32]
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(ids[:, :-1]).logits[0], ids[0, 1:]).backward()
        optimiser.step()
    ids = torch.cat(text[:8])

    def loss():
        return nn.functional.cross_entropy(
            logits(model, ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()
        ).item()

    flags = [parameter.requires_grad for parameter in model.parameters()]
    with replace_linears(model, 3, 64):
        plain, first = loss(), model.model.layers[0].mlp.down_proj.lut
    losses: list[float] = []
    lessons = [text[step * 5 % 32] for step in range(60)]
    with learn_scales(model, lessons, 3, 64, lr=1e-3, refresh=None, losses=losses):
        lut = model.model.layers[0].mlp.down_proj.lut
        assert loss() < 0.8 * plain and torch.equal(lut.table, nf(3))
        assert torch.equal(lut.packed, first.packed) and not torch.equal(lut.scales, first.scales)
    assert len(losses) == 60
    assert [parameter.requires_grad for parameter in model.parameters()] == flags


def test_the_gradient_of_a_scale_is_the_sum_over_its_group():
    from presscheck.systems.flute.learn import ScaleLearner

    weight, x = torch.randn(6, 64), torch.randn(5, 64, requires_grad=True)
    learner = ScaleLearner(weight, None, nf(3), 32)
    learner(x).square().sum().backward()
    scales = learner.scales.detach().clone().requires_grad_()
    values = nf(3)[learner.codes.long()]
    dense = (values.unflatten(1, (-1, 32)) * scales[:, :, None]).flatten(1)
    again = x.detach().clone().requires_grad_()
    (again @ dense.T).square().sum().backward()
    torch.testing.assert_close(learner.scales.grad, scales.grad)
    torch.testing.assert_close(x.grad, again.grad)


def test_codes_follow_the_scales_as_often_as_asked():
    from presscheck.systems.flute.learn import ScaleLearner

    weight = torch.randn(4, 64)
    for refresh, follows in ((1, True), (3, False), (None, False)):
        learner = ScaleLearner(weight, None, nf(3), 32, refresh)
        learner(torch.ones(1, 64))
        before = learner.codes.clone()
        learner.scales.data *= 2
        learner(torch.ones(1, 64))
        assert torch.equal(learner.codes, before) != follows
        assert torch.equal(learner.packed().codes(), before) == (refresh is None)


@pytest.mark.parametrize(
    ("batches", "says"), [([], "no batch"), ([torch.ones(1, 1, dtype=torch.long)], "T > 1")]
)
def test_learning_that_fails_leaves_the_model_as_it_was(batches, says):
    model = tiny_llama()
    layers, flags = dict(model.named_modules()), [p.requires_grad for p in model.parameters()]
    with pytest.raises(ValueError, match=says):
        learn_scales(model, batches, 3, 64)
    assert dict(model.named_modules()) == layers
    assert [parameter.requires_grad for parameter in model.parameters()] == flags


# Compiling


def test_torch_compile_keeps_the_product_whole():
    layer = LUTLinear(LUTTensor.quantize(torch.randn(8, 64), nf(4), 32))
    x = torch.randn(3, 64)
    with torch.no_grad():
        compiled = torch.compile(layer, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), layer(x))


# What the experiment stands on


def test_torch_int4_holds_the_weights_that_its_errors_are_told_of():
    weight = torch.randn(32, 128)
    int4 = Int4.quantize(weight, 64)
    found = int4(torch.eye(128).bfloat16()).float().T
    ours, theirs = ((one - weight).norm() for one in (rounded(weight, "affine", 4, 64), found))
    assert 0.9 < ours / theirs < 1.1  # codes on the edge may fall to either side
    assert (found - weight).abs().max() < 0.6 * (weight.max() - weight.min()) / 15


def test_a_model_on_torch_int4_is_near_its_own_logits():
    model = tiny_llama().bfloat16()
    before = logits(model).float()
    with as_int4(model, 64, ("lm_head",)):
        assert 0 < (logits(model).float() - before).norm() < 0.6 * before.norm()


def test_decoding_starts_anew_from_its_prompt():
    decoder, found = Decoder(tiny_llama(), IDS), []
    for _ in range(2):
        decoder.restart()
        for _ in range(3):
            decoder.step()
        found.append(int(decoder.token))
    assert found[0] == found[1] and decoder.cache.get_seq_length() == IDS.shape[1] + 3


def test_a_small_working_set_is_flagged_as_cached(tmp_path):
    for index, size in enumerate(("48K", "2048K", "300M")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size)
    cache = measures.last_level_cache(tmp_path)
    assert cache == 300 << 20
    assert not measures.is_cold(4 << 20, cache) and measures.is_cold(1300 << 20, cache)
    assert not measures.is_cold(1300 << 20, None)


def test_contenders_take_turns_over_all_their_copies():
    log: list[str] = []
    calls = {name: [lambda x, k=k, name=name: log.append(f"{name}{k}") for k in range(3)] for name in "ab"}
    contenders = {name: measures.Contender(1, each) for name, each in calls.items()}
    seconds = measures.interleaved(contenders, torch.ones(1), 5, 0)
    assert [len(times) for times in seconds.values()] == [5, 5]
    assert [one for one in log if one[0] == "a"] == ["a0", "a1", "a2", "a0", "a1", "a2"]
    assert all({x[0], y[0]} == {"a", "b"} for x, y in zip(log[::2], log[1::2], strict=True))
