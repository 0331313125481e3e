"""LazyLLM in a model: generate, what is refused before anything changes, and what is left behind."""

import copy
import re
from importlib.resources import files

import pytest
import torch

from presscheck.systems.lazyllm import LazyCache, PruneSchedule, lazyllm
from presscheck.testbeds.language import tiny_llama

KEEP = PruneSchedule([(1, 0.6), (2, 0.3)], min_tokens=4)


def prompt(tokens=60, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def model_of(layers=4):
    return tiny_llama(layers=layers)


def build(kind, **settings):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0,
        "initializer_range": 0.2,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes | settings)).eval()


def picture(model):
    modules = {name: (sorted(vars(m)), m.forward) for name, m in model.named_modules()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return modules, hooks, model.config.to_dict(), model.config._attn_implementation


# Use --------------------------------------------------------------------------------


def test_generate_says_what_single_steps_say():
    model, ids = model_of(), prompt()
    options = {"max_new_tokens": 20, "min_new_tokens": 20, "do_sample": False}
    with lazyllm(model, KEEP) as cache:
        said = model.generate(ids, cache=cache, **options)
    assert cache.seen == 79 and sum(cache.revived) > 0
    with torch.no_grad(), lazyllm(model, KEEP) as single:
        logits, steps = model(ids, cache=single).logits, ids
        for _ in range(20):
            logits[:, -1, 2] = -torch.inf  # as min_new_tokens does with the end of text
            steps = torch.cat([steps, logits[:, -1].argmax(-1)[:, None]], dim=1)
            logits = model(steps[:, -1:], cache=single).logits
    assert torch.equal(said, steps)


def test_generate_with_nothing_pruned_says_what_the_model_says():
    model, ids = model_of(), prompt()
    with lazyllm(model, keep=[(1, 1.0)]) as cache:
        ours = model.generate(ids, cache=cache, max_new_tokens=20, do_sample=False)
    assert torch.equal(ours, model.generate(ids, max_new_tokens=20, do_sample=False))


def test_several_tokens_at_once_are_those_one_by_one():
    model, ids, more = model_of(), prompt(), prompt(9, seed=4)
    with torch.no_grad(), lazyllm(model, KEEP) as cache:
        model(ids, cache=cache)
    single = copy.deepcopy(cache)
    with torch.no_grad(), lazyllm(model, cache=cache):
        together = model(more, cache=cache).logits
    with torch.no_grad(), lazyllm(model, cache=single):
        apart = torch.cat([model(more[:, i : i + 1], cache=single).logits for i in range(9)], dim=1)
    assert together.shape == (1, 9, 128)
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)
    assert cache.computed == single.computed


def test_a_conversation_can_be_left_and_taken_up_again():
    model, ids, more = model_of(), prompt(), prompt(4, seed=2)
    with torch.no_grad(), lazyllm(model, KEEP) as cache:
        model(ids, cache=cache)
    again = copy.deepcopy(cache)
    with torch.no_grad(), lazyllm(model, cache=cache):
        first = model(more, cache=cache).logits
    cache.reset()
    assert cache.seen == 0 and cache.nbytes() == {"kv": 0, "aux": 0} and cache.work() == 0
    with torch.no_grad(), lazyllm(model, cache=again):
        assert torch.equal(model(more, cache=again).logits, first)
    with torch.no_grad(), lazyllm(model, cache=cache):
        model(ids, cache=cache)
        assert torch.equal(model(more, cache=cache).logits, first)


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
@pytest.mark.parametrize("way", ["sdpa", "eager"])
def test_every_kind_of_model_that_is_supported_works(kind, way):
    from tests.systems.test_lazyllm import Slow

    model, more = build(kind, sliding_window=None), prompt(6, seed=1)[0]
    model.set_attn_implementation(way)
    slow = Slow(model, KEEP)
    expected = [slow.step(prompt(40))] + [slow.step(token[None, None]) for token in more]
    with torch.no_grad(), lazyllm(model, KEEP) as cache:
        ours = [model(prompt(40), cache=cache).logits[0, -1]]
        assert cache.computed == [40, 24, 12, 12]
        ours += [model(token[None, None], cache=cache).logits[0, -1] for token in more]
    torch.testing.assert_close(torch.stack(ours), torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_a_budget_is_a_schedule_for_the_models_own_depth():
    model = model_of(10)
    with torch.no_grad(), lazyllm(model, budget=0.7, choose="recent") as cache:
        model(prompt(200), cache=cache)
    assert cache.work() == pytest.approx(0.7, abs=0.01)
    assert cache.schedule == PruneSchedule.for_budget(0.7, 10, choose="recent")


def test_embeddings_work_as_tokens_do():
    model, ids = model_of(), prompt()
    with torch.no_grad(), lazyllm(model, KEEP) as cache:
        by_ids = model(ids, cache=cache).logits
        cache.reset()
        by_embeddings = model(inputs_embeds=model.model.embed_tokens(ids), cache=cache).logits
    assert torch.equal(by_ids, by_embeddings)


def test_bfloat16_stays_bfloat16():
    model, ids = model_of().bfloat16(), prompt()
    with lazyllm(model, KEEP) as cache:
        model.generate(ids, cache=cache, max_new_tokens=5, do_sample=False)
    assert cache.lazy[2].keys.dtype == cache.lazy[1].aux.dtype == torch.bfloat16


def test_another_cache_inside_the_block_works_as_outside():
    model, ids = model_of(), prompt()
    with lazyllm(model, KEEP) as cache:
        inside = model.generate(ids, max_new_tokens=6, do_sample=False)
        logits = model(ids).logits
    assert torch.equal(inside, model.generate(ids, max_new_tokens=6, do_sample=False))
    assert torch.equal(logits, model(ids).logits)
    assert cache.seen == 0


def test_the_readmes_example_runs_on_a_users_model(capsys):
    """The first block of code of the README, on a model and inputs made here."""
    readme = (files("presscheck.systems.lazyllm") / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    inputs = {"input_ids": prompt(400), "attention_mask": torch.ones(1, 400, dtype=torch.long)}
    exec(code, {"model": model_of(10), "inputs": inputs})
    shown = capsys.readouterr().out
    assert 80 <= int(re.match(r"(\d+)%", shown).group(1)) <= 100
    assert "'kv'" in shown and "'aux'" in shown


# The model stays as it was ----------------------------------------------------------


@pytest.mark.parametrize("fails", [None, "between", "in a layer"])
def test_the_model_is_as_it_was(fails):
    model, ids = model_of(), prompt()
    logits = model(ids).logits

    def interrupt(module, args):
        raise KeyboardInterrupt

    before = picture(model)
    try:
        with lazyllm(model, KEEP) as cache:
            model(ids, cache=cache)
            assert picture(model) != before
            if fails == "between":
                raise KeyboardInterrupt
            if fails:
                hook = model.model.layers[2].register_forward_pre_hook(interrupt)
                try:
                    model(ids[:, :1], cache=cache)
                finally:
                    hook.remove()
    except KeyboardInterrupt:
        assert fails
    assert picture(model) == before and not cache.inside
    assert torch.equal(model(ids).logits, logits)
    with pytest.raises(RuntimeError, match="inside `with lazyllm"):
        model(ids[:, :1], cache=cache)


def test_a_forward_that_was_put_on_the_decoder_before_is_put_back():
    model = model_of()
    own, calls = model.model.forward, []

    def wrapped(*args, **kwargs):
        calls.append(1)
        return own(*args, **kwargs)

    model.model.forward = wrapped
    with lazyllm(model, KEEP):
        model(prompt())
    assert model.model.forward is wrapped and calls == [1]


def test_a_pass_that_broke_off_leaves_a_cache_that_says_so():
    model, ids = model_of(), prompt()

    def interrupt(module, args):
        raise KeyboardInterrupt

    with torch.no_grad(), lazyllm(model, KEEP) as cache:
        hook = model.model.layers[2].register_forward_pre_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(ids, cache=cache)
        hook.remove()
        assert model.config._attn_implementation == "sdpa"
        with pytest.raises(ValueError, match=r"broken off half-way: call cache.reset\(\)"):
            model(ids, cache=cache)
        cache.reset()
        model(ids, cache=cache)
    assert cache.seen == 60


# What is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: build("mistral", sliding_window=16), r"MistralForCausalLM \(mistral\) has sliding-window"),
        (
            lambda: build("qwen2", use_sliding_window=True, sliding_window=16, max_window_layers=2),
            r"Qwen2ForCausalLM \(qwen2\) has sliding-window",
        ),
        (lambda: build("gemma2"), r"Gemma2ForCausalLM \(gemma2\) is not supported"),
        (lambda: build("gpt2", n_embd=64, n_head=4), r"GPT2LMHeadModel \(gpt2\) is not supported"),
        (lambda: build("gpt_neox"), r"GPTNeoXForCausalLM \(gpt_neox\) is not supported"),
        (lambda: model_of().model, r"LlamaModel \(llama\) is not supported: need a causal language model"),
        (lambda: model_of().train(), "LlamaForCausalLM .* training mode"),
        (
            lambda: build(
                "llama", rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
            ),
            "rotary positions of the type `dynamic`",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name_and_left_alone(model, says):
    model = model()
    before = picture(model)
    with pytest.raises(ValueError, match=says), lazyllm(model, KEEP):
        raise AssertionError("entered")
    assert picture(model) == before


def test_an_attention_that_cannot_be_replaced_is_refused_by_name():
    model = model_of()
    model.config._attn_implementation = "flex_attention"
    before = picture(model)
    with pytest.raises(ValueError, match="attention `flex_attention`"), lazyllm(model, KEEP):
        raise AssertionError("entered")
    assert picture(model) == before


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="got Linear"), lazyllm(torch.nn.Linear(2, 2), KEEP):
        raise AssertionError("entered")


def test_a_schedule_deeper_than_the_model_is_refused_and_the_model_left_alone():
    model = model_of(4)
    before = picture(model)
    says = "keep names layer 4: LlamaForCausalLM has layers 0 to 3"
    with pytest.raises(ValueError, match=says), lazyllm(model, keep=[(4, 0.5)]):
        raise AssertionError("entered")
    assert picture(model) == before


def test_a_cache_of_another_depth_is_refused():
    cache = LazyCache(KEEP, 6)
    says = "a model with 6 layers, this one has 4"
    with pytest.raises(ValueError, match=says), lazyllm(model_of(4), cache=cache):
        raise AssertionError("entered")
    assert not cache.inside


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"schedule": KEEP, "keep": ()},
        {"schedule": KEEP, "cache": LazyCache(KEEP, 4)},
        {"schedule": KEEP, "budget": 0.8},
    ],
)
def test_one_of_schedule_keywords_and_cache_has_to_be_given(given):
    with pytest.raises(TypeError, match="one of the three"), lazyllm(model_of(), **given):
        raise AssertionError("entered")


def test_a_budget_beside_keep_is_refused():
    with pytest.raises(TypeError, match="`keep` or a `budget`"), lazyllm(model_of(), budget=0.8, keep=()):
        raise AssertionError("entered")


def test_a_budget_for_a_shallow_model_is_refused_and_the_model_left_alone():
    model = model_of(4)
    before = picture(model)
    with pytest.raises(ValueError, match="at least 6 layers, got 4"), lazyllm(model, budget=0.8):
        raise AssertionError("entered")
    assert picture(model) == before


def test_a_block_within_a_block_is_refused_and_the_outer_one_goes_on():
    model = model_of()
    with lazyllm(model, KEEP) as cache:
        with pytest.raises(ValueError, match="already"), lazyllm(model, KEEP):
            raise AssertionError("entered")
        with pytest.raises(ValueError, match="in use"), lazyllm(model_of(), cache=cache):
            raise AssertionError("entered")
        model(prompt(), cache=cache)
    assert cache.seen == 60


def test_a_cache_of_another_block_is_refused():
    one, two = model_of(), model_of()
    with lazyllm(one, KEEP) as first, lazyllm(two, KEEP):
        with pytest.raises(ValueError, match="not of the `with lazyllm"):
            two(prompt(), cache=first)
        one(prompt(), cache=first)
    assert first.seen == 60


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"input_ids": prompt(batch=2)}, r"the shape \(2, 60\): need one sequence"),
        ({"input_ids": prompt()[:, :0]}, r"the shape \(1, 0\)"),
        ({"input_ids": prompt()[0]}, r"the shape \(60,\)"),
        ({"input_ids": prompt(), "attention_mask": torch.tensor([[0] * 5 + [1] * 55])}, "without padding"),
        ({"input_ids": prompt(), "position_ids": torch.arange(1, 61)[None]}, "from the 0 tokens seen"),
        ({"input_ids": prompt(), "output_attentions": True}, "output_attentions is not supported"),
        ({"input_ids": prompt(), "output_hidden_states": True}, "output_hidden_states is not supported"),
        ({}, "exactly one of input_ids"),
    ],
)
def test_input_that_does_not_fit_is_refused_and_the_cache_stays_empty(given, says):
    model = model_of()
    with lazyllm(model, KEEP) as cache:
        with pytest.raises(ValueError, match=says):
            model(**given, cache=cache)
        assert cache.seen == 0 and not cache.broken
        model(prompt(), cache=cache)


@pytest.mark.parametrize("options", [{"num_beams": 2}, {"num_return_sequences": 2, "do_sample": True}])
def test_several_sequences_are_refused_in_generate(options):
    model = model_of()
    with lazyllm(model, KEEP) as cache, pytest.raises(ValueError, match="need one sequence"):
        model.generate(prompt(), cache=cache, max_new_tokens=3, **options)


def test_what_crops_or_reorders_a_cache_is_refused():
    cache = LazyCache(KEEP, 4)
    for call in (cache.crop, cache.reorder_cache, cache.batch_select_indices, cache.batch_repeat_interleave):
        with pytest.raises(ValueError, match="one sequence that only grows"):
            call(1)
    assert not cache.is_croppable and not cache.is_compileable


def test_a_pass_that_is_not_ours_cannot_write_into_the_cache():
    model = model_of()
    with lazyllm(model, KEEP) as cache, pytest.raises(RuntimeError, match="that model's own pass"):
        model.model.layers[0](
            torch.zeros(1, 3, 64),
            position_embeddings=model.model.rotary_emb(torch.zeros(1, 3, 64), torch.arange(3)[None]),
            cache=cache,
        )
