"""Speculative Jacobi decoding with models of Hugging Face's: cache, guidance, ``generate``, refusals."""

import re
from importlib.resources import files

import pytest
import torch

from presscheck.systems.speculative_jacobi import (
    Chain,
    Rows,
    SpeculativeJacobiSampler,
    from_causal_lm,
    from_logits,
    generate,
    temperature,
    top_k,
)
from presscheck.testbeds.language import tiny_llama

MODES = ["ar", "jacobi", "sjd", "gumbel_jacobi"]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def prompt(tokens=9, seed=0):
    return torch.randint(3, 128, (tokens,), generator=rng(seed))


@pytest.fixture(scope="module")
def model():
    return tiny_llama()


def build(kind, **settings):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0,
    }  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes | settings)).eval()


# The cache ----------------------------------------------------------------------------


@torch.no_grad()
def test_after_refusals_the_cache_is_as_if_the_drafts_had_never_been(model):
    """20 random patterns of drafts accepted and refused, logits held against a pass without a cache."""
    step, draw = from_causal_lm(model), rng(1)
    sequence = prompt()
    step(sequence, 0)
    for pattern in range(20):
        drafts = prompt(1 + int(torch.randint(7, (1,), generator=draw)), seed=100 + pattern)
        logits = step(drafts, len(sequence))
        whole = model(torch.cat([sequence, drafts])[None], use_cache=False).logits[0, -len(drafts) :]
        torch.testing.assert_close(logits, whole, atol=1e-4, rtol=1e-4)
        sequence = torch.cat([sequence, drafts[: int(torch.randint(len(drafts) + 1, (1,), generator=draw))]])
    assert step.cache.get_seq_length() >= len(sequence)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2", "olmo2", "phi3"])
def test_decoding_in_windows_is_the_sample_of_decoding_token_by_token(kind):
    """Under equal noise, over a cache that is cropped: any wrong column would change a token."""
    other = {"n_embd": 64, "n_head": 4, "n_layer": 2} if kind == "gpt2" else {}
    model = build(kind, initializer_range=0.1, **other)
    if kind == "phi3":
        model.config.sliding_window = None
    one, two = (
        SpeculativeJacobiSampler(from_causal_lm(model), mode=mode, window=6, generator=rng(5)).generate(
            prompt(), 30
        )
        for mode in ("ar", "gumbel_jacobi")
    )
    assert torch.equal(one.tokens, two.tokens)


@pytest.mark.parametrize("mode", MODES)
def test_greedy_decoding_is_the_models_own_greedy_search(model, mode):
    own = model.generate(prompt()[None], do_sample=False, max_new_tokens=24, min_new_tokens=24)[0, 9:]
    step = from_causal_lm(model)

    def without_end(positions, logits):
        return logits.index_fill(1, torch.tensor([2]), -torch.inf)

    filter = Chain(without_end, temperature(0))
    output = SpeculativeJacobiSampler(step, mode=mode, window=5, filter=filter).generate(prompt(), 24)
    assert torch.equal(output.tokens, own)


def test_one_step_serves_many_sequences(model):
    step = from_causal_lm(model)
    sampler = SpeculativeJacobiSampler(step, mode="gumbel_jacobi", window=4, generator=rng())
    again = SpeculativeJacobiSampler(step, mode="gumbel_jacobi", window=4, generator=rng())
    first = sampler.generate(prompt(), 12).tokens
    sampler.generate(prompt(5, seed=3), 12)
    assert torch.equal(again.generate(prompt(), 12).tokens, first)


# Guidance -----------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("unconditional", [9, 4, 12])
def test_guidance_is_the_formula_over_two_prompts_of_any_length(model, unconditional):
    """Against two caches-free passes; both shorter and longer unconditional prompts are padded right."""
    other, sequence = prompt(unconditional, seed=7), prompt()
    step = from_causal_lm(model, cfg_scale=2.5, unconditional=other)
    found = [step(sequence, 0)]
    drafts, more = prompt(6, seed=8), prompt(3, seed=9)
    found.append(step(drafts, 9))
    found.append(step(more, 11))

    def whole(first, keep):
        return model(first[None], use_cache=False).logits[0, -keep:]

    expected = []
    for tail, keep in ((sequence[:0], 1), (drafts, 6), (torch.cat([drafts[:2], more]), 3)):
        c, u = (whole(torch.cat([p, tail]), keep) for p in (sequence, other))
        expected.append(2.5 * (c - u) + u)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_guided_windows_are_the_sample_of_guided_single_tokens(model):
    one, two = (
        SpeculativeJacobiSampler(
            from_causal_lm(model, cfg_scale=2.0, unconditional=[5]), mode=mode, window=6,
            filter=top_k(20), generator=rng(1),
        ).generate(prompt(), 25)
        for mode in ("ar", "gumbel_jacobi")
    )  # fmt: skip
    assert torch.equal(one.tokens, two.tokens)


def test_guidance_needs_both_its_settings(model):
    with pytest.raises(ValueError, match="needs both cfg_scale and the unconditional prompt"):
        from_causal_lm(model, cfg_scale=3.0)
    with pytest.raises(ValueError, match=r"must be \(u,\), u at least 1, got \(0,\)"):
        from_causal_lm(model, cfg_scale=3.0, unconditional=[])


# generate -----------------------------------------------------------------------------

KEEP = {"max_new_tokens": 20, "custom_generate": generate}


@pytest.mark.parametrize("mode", MODES)
def test_generate_without_sampling_is_the_models_own(model, mode):
    ids = prompt()[None]
    own = model.generate(ids, do_sample=False, max_new_tokens=20)
    assert torch.equal(model.generate(ids, do_sample=False, mode=mode, window=5, **KEEP), own)


def test_processors_see_the_tokens_before_every_place_of_the_window(model):
    """A repetition penalty and a ban of repeated pairs depend on all tokens before: greedy must agree."""
    ids = prompt()[None]
    settings = {
        "do_sample": False,
        "repetition_penalty": 1.7,
        "no_repeat_ngram_size": 2,
        "min_new_tokens": 15,
    }
    own = model.generate(ids, max_new_tokens=20, **settings)
    assert torch.equal(model.generate(ids, window=6, **settings, **KEEP), own)


def test_temperature_and_top_k_of_generate_reach_drafts_and_verdicts(model):
    """Top-1 leaves greedy search, whatever the temperature."""
    ids = prompt()[None]
    own = model.generate(ids, do_sample=False, max_new_tokens=20)
    ours = model.generate(ids, do_sample=True, temperature=3.0, top_k=1, window=5, **KEEP)
    assert torch.equal(ours, own)


def test_generate_samples_from_the_models_own_distribution(model):
    """The second new token, drafted and judged, over 120 samples against top-2 conditionals."""
    ids = prompt()[None].repeat(120, 1)
    settings = {"do_sample": True, "top_k": 2, "eos_token_id": None, "pad_token_id": 0}
    found = model.generate(
        ids, max_new_tokens=3, window=3, custom_generate=generate, generator=rng(), **settings
    )[:, 9:11]
    law, shares = {}, {}
    with torch.no_grad():
        first = top_k(2)(None, model(ids[:1]).logits[:, -1]).softmax(-1)[0]
        for token in first.nonzero()[:, 0]:
            more = torch.cat([ids[:1], token.view(1, 1)], dim=1)
            second = top_k(2)(None, model(more).logits[:, -1]).softmax(-1)[0]
            law |= {(int(token), int(t)): float(first[token] * second[t]) for t in second.nonzero()[:, 0]}
    for pair in map(tuple, found.tolist()):
        shares[pair] = shares.get(pair, 0.0) + 1 / len(found)
    assert len(law) == 4 and shares.keys() <= law.keys()
    assert sum(abs(law[pair] - shares.get(pair, 0.0)) for pair in law) / 2 < 0.12


def test_generate_stops_where_the_models_own_stops_and_pads_the_rest(model):
    """A batch of two, one padded on its left, with an end that greedy search meets early."""
    short, long = prompt(5, seed=2), prompt(9)
    ids = torch.stack([torch.cat([torch.zeros(4, dtype=torch.long), short]), long])
    mask = torch.stack([torch.cat([torch.zeros(4), torch.ones(5)]), torch.ones(9)]).long()
    free = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=20, eos_token_id=[127])
    end = int(free[0, 9 + 3])
    settings = {"attention_mask": mask, "do_sample": False, "eos_token_id": [end], "pad_token_id": 3}
    own = model.generate(ids, max_new_tokens=20, **settings)
    assert torch.equal(model.generate(ids, window=6, **settings, **KEEP), own)


def test_generate_gives_a_dictionary_if_asked(model):
    settings = {"do_sample": True, "return_dict_in_generate": True}
    one, two = (
        model.generate(prompt()[None], generator=rng(s), **settings, **KEEP).sequences for s in (3, 3)
    )
    assert torch.equal(one, two) and one.shape[1] <= 29


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"num_beams": 3}, "beams are not supported, got num_beams=3"),
        ({"return_dict_in_generate": True, "output_scores": True}, "output_scores is not supported"),
        ({"window": 1}, "window must be at least 2"),
    ],
)
def test_what_generate_cannot_do_is_refused(model, settings, says):
    with pytest.raises(ValueError, match=says):
        model.generate(prompt()[None], do_sample=True, **settings, **KEEP)


def test_a_cache_in_use_and_holes_in_a_prompt_are_refused(model):
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(prompt(4)[None], cache=cache)
    with pytest.raises(ValueError, match="cache holds 4 tokens already"):
        generate(model, prompt()[None], cache=cache)
    with pytest.raises(ValueError, match="hides tokens inside"):
        generate(model, prompt()[None], attention_mask=torch.tensor([[1, 1, 0, 1, 1, 1, 1, 1, 1]]))


# Refusals -----------------------------------------------------------------------------


def picture(model):
    return (
        model.training,
        model.config.to_dict(),
        [type(m) for m in model.modules()],
        len(model._forward_hooks),
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: build("mistral", sliding_window=16), r"MistralForCausalLM \(mistral\) has sliding-window"),
        (lambda: build("mamba", state_size=8), r"MambaForCausalLM \(mamba\) .*cut off"),
        (lambda: tiny_llama().train(), r"LlamaForCausalLM \(llama\) is in training mode"),
        (lambda: tiny_llama().model, r"LlamaModel \(llama\) has no head"),
    ],
    ids=["sliding", "recurrent", "training", "headless"],
)
def test_what_is_not_supported_is_refused_by_name_and_left_alone(make, says):
    model = make()
    before = picture(model)
    with pytest.raises(ValueError, match=says):
        from_causal_lm(model)
    assert picture(model) == before


def test_an_encoder_and_a_decoder_are_refused():
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=20, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(ValueError, match=r"T5ForConditionalGeneration \(t5\) has an encoder"):
        from_causal_lm(T5ForConditionalGeneration(config).eval())


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="got Linear"):
        from_causal_lm(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_left_exactly_as_it_was(model, fails):
    before = picture(model)

    def filter(positions, logits):
        if fails and positions[0] > 3:
            raise KeyboardInterrupt
        return logits

    try:
        SpeculativeJacobiSampler(from_causal_lm(model), filter=filter).generate(prompt(), 12)
    except KeyboardInterrupt:
        assert fails
    assert picture(model) == before


def test_tokens_and_places_outside_are_refused(model):
    step = from_causal_lm(model)
    with pytest.raises(ValueError, match="0 to 127"):
        step(torch.tensor([128]), 0)
    with pytest.raises(ValueError, match="was given 0 tokens, cannot go on after 3"):
        step(torch.tensor([5]), 3)


def test_processors_that_remember_are_refused(model):
    from transformers import UnbatchedClassifierFreeGuidanceLogitsProcessor

    with pytest.raises(ValueError, match="Unbatched.* remembers its last call"):
        from_causal_lm(model, logits_processor=[UnbatchedClassifierFreeGuidanceLogitsProcessor(2.0, model)])


# At the paper's scale -----------------------------------------------------------------


def test_768_by_768_pixels_keep_cache_and_positions_in_step():
    """48 rows of 48 codes and a separator, under guidance; a narrow model over the paper's vocabulary.

    A deterministic stand-in gives the logits, wrong before each separator; held against the sequence is
    what the model was fed, in front of which cache. Drafts begin wrong at irregular places.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8804, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=4096,
    )  # fmt: skip
    grid = Rows(48, 48, 8803, low=4, high=8196)
    wanted = torch.randint(4, 8196, (48, 49), generator=rng())
    wanted[:, 48] = 8803
    wanted, begin = wanted.flatten(), prompt(12)
    step = from_causal_lm(LlamaForCausalLM(config).eval(), cfg_scale=3.0, unconditional=[7])
    places = []

    def stand_in(tokens, past):
        shape = step(tokens, past).shape
        assert step.cache.layers[0].keys.shape[:3] == (2, 2, past + len(tokens))
        assert shape == ((len(tokens) if past else 1), 8804)
        first = past - len(begin) + 1 if past else 0
        assert not past or tokens[0] == wanted[first - 1]
        places.append(first)
        rows = wanted[first : first + shape[0]]
        return torch.nn.functional.one_hot(rows.where(rows != 8803, 5), 8804).float().log()

    sampler = SpeculativeJacobiSampler(
        stand_in, filter=grid, low=4, high=8196, generator=rng(),
        init=lambda window: int(wanted[window.position]) if window.position**2 % 23 > 2 else 4,
    )  # fmt: skip
    output = sampler.generate(begin, grid.tokens, grid.width)
    assert len(set(output.accepted_per_step)) >= 5
    assert grid.tokens == len(output.tokens) == 2304 + 48
    assert torch.equal(output.tokens, wanted)
    assert places == [one.position for one in output.trace]
    assert grid.image(output.tokens).shape == (48, 48)


def test_a_model_of_7b_parameters_is_stepped_and_cropped_without_being_held():
    """All of its layers, without storage: two rows of guidance, logits of what was fed, drafts cut off."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        config = LlamaConfig(
            vocab_size=65536, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
            num_attention_heads=32, num_key_value_heads=32, max_position_embeddings=4096,
        )  # fmt: skip
        model = LlamaForCausalLM(config).eval()
    assert 6.5e9 < sum(weights.numel() for weights in model.parameters()) < 7.5e9
    step = from_causal_lm(model, cfg_scale=3.0, unconditional=prompt(12, seed=1))
    for tokens, past, rows in ((12, 0, 1), (16, 12, 16), (16, 15, 16)):
        assert step(prompt(tokens), past).shape == (rows, 65536)
        assert {x.keys.shape for x in step.cache.layers} == {(2, 32, past + tokens, 128)}


def test_the_readmes_example_runs_on_a_users_model(model, capsys):
    """The first block of code of the README, on a model and inputs made here."""
    readme = (files("presscheck.systems.speculative_jacobi") / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    inputs = {"input_ids": prompt()[None], "attention_mask": torch.ones(1, 9, dtype=torch.long)}
    exec(blocks[0], {"model": model, "inputs": inputs})
    assert "passes" in capsys.readouterr().out
    logits = from_logits(lambda tokens: torch.zeros(len(tokens), 20))
    assert logits(torch.tensor([1, 2]), 0).shape == (2, 20)
    exec(blocks[1], {"logits": lambda tokens: torch.zeros(len(tokens), 8192)})
    assert "passes" in capsys.readouterr().out
