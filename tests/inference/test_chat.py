"""A model of transformers as a writer: SmolLM2-135M in this process, alone and with a system on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs presscheck[hf]")
pytest.importorskip("llguidance", reason="needs presscheck[hf]")

from presscheck.digest.glossary import ours  # noqa: E402
from presscheck.digest.write.cache import Answers  # noqa: E402
from presscheck.digest.write.choose import open_model  # noqa: E402
from presscheck.digest.write.ledger import Ledger  # noqa: E402
from presscheck.digest.write.model import Message, Question, Stopped, TooLong  # noqa: E402
from presscheck.digest.write.verify import supported  # noqa: E402
from presscheck.digest.write.writer import ModelWriter  # noqa: E402
from presscheck.errors import BadInput  # noqa: E402
from presscheck.inference import accelerators  # noqa: E402
from presscheck.inference.chat import Chat  # noqa: E402
from presscheck.papers.writers import WriterSettings  # noqa: E402
from presscheck.testbeds import language  # noqa: E402
from tests.digest.write.papers import larch  # noqa: E402

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    try:
        language.load()
    except BadInput as error:
        pytest.skip(error.message)
    made = Chat(language.NAME, context=2048)
    yield made
    made.close()


def asked(text: str = "What is the tree called?", most: int = 40) -> Question:
    return Question(messages=(Message("user", text),), schema=SCHEMA, most=most)


def test_an_answer_is_json_of_the_schema(chat: Chat):
    reply = chat.ask(asked(), lambda: False)
    assert reply.read > 10 and 3 < reply.written <= 40 and reply.counted
    if reply.finish == "stop":
        assert set(json.loads(reply.text)) == {"name"}
    else:
        assert reply.text.startswith("{") and reply.written == 40


def test_a_question_beyond_the_context_says_by_how_much(chat: Chat):
    with pytest.raises(TooLong) as error:
        chat.ask(asked("word " * 3000), lambda: False)
    assert 900 < error.value.over < 1200


def test_a_stopped_answer_ends(chat: Chat):
    calls: list[int] = []

    def stopped() -> bool:
        calls.append(1)
        return len(calls) > 5

    with pytest.raises(Stopped):
        chat.ask(asked(most=400), stopped)
    assert len(calls) < 20


def test_nothing_unsupported_is_printed(chat: Chat):
    paper = larch()
    writer = ModelWriter(chat, glossary=ours(), answers=Answers(None), most=120, rounds=0)
    (entry,) = writer.write_all([paper], ["en"], ["detailed"], Ledger(None, "test", chat)).entries
    verdicts = supported(entry, paper)
    assert verdicts and all(verdicts)
    assert entry.written is not None and language.NAME in chat.name


def test_a_system_is_on_while_it_answers_and_off_when_closed(monkeypatch: pytest.MonkeyPatch):
    lm = language.LanguageModel(language.tiny_llama(), language.load().tokenizer, "tiny")
    lm.model.config.vocab_size, lm.model.config.max_position_embeddings = len(lm.tokenizer), 4096
    lm.model.resize_token_embeddings(len(lm.tokenizer))
    monkeypatch.setattr(language, "load", lambda *_, **__: lm)
    before = lm.model.config._attn_implementation
    chat = Chat("tiny", accelerators=("think",))
    reply = chat.ask(asked("The larch is a tree. " * 20, most=20), lambda: False)
    assert reply.written > 0
    assert lm.model.config._attn_implementation == f"think-{before}"
    again = chat.ask(asked("The larch is a tree. " * 20, most=20), lambda: False)
    assert again.text == reply.text, "each question begins with an empty cache"
    chat.close()
    assert lm.model.config._attn_implementation == before


def test_systems_that_accelerate_are_part_of_what_the_model_is(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    plain, thin = Chat(str(tmp_path)), Chat(str(tmp_path), accelerators=("think",))
    assert plain.identity != thin.identity
    assert "think" in thin.name and str(tmp_path.parent) not in thin.name
    (tmp_path / "config.json").write_text("{ }")
    assert Chat(str(tmp_path)).identity != plain.identity


@pytest.mark.parametrize(
    ("names", "said"),
    [(("scicode",), "does not run inside a model"), (("thimk",), "no system"), (("think", "think"), "twice")],
)
def test_a_system_that_cannot_be_switched_on_is_refused_at_once(names: tuple[str, ...], said: str):
    with pytest.raises(BadInput) as error:
        Chat(language.NAME, accelerators=names)
    assert said in error.value.message
    assert error.value.hint and "think" in error.value.hint


class Cache:
    def reset(self) -> None:
        pass


def test_two_systems_that_keep_the_cache_are_refused_and_both_switched_off(monkeypatch: pytest.MonkeyPatch):
    from contextlib import contextmanager

    seen: list[str] = []

    @contextmanager
    def one(model: Any, **_: Any) -> Iterator[Cache]:
        seen.append("on")
        try:
            yield Cache()
        finally:
            seen.append("off")

    (think,) = accelerators.find(("think",))
    found = [think, accelerators.Found("other", think.offer, "")]
    monkeypatch.setattr(accelerators.Found, "load", lambda self: one)
    with pytest.raises(BadInput) as error, accelerators.accelerated(None, found):
        pass
    assert "own way" in error.value.message and seen == ["on", "on", "off", "off"]


def test_a_model_that_a_system_does_not_fit_is_named():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=40)).eval()
    found = accelerators.find(("think",))
    with pytest.raises(BadInput) as error, accelerators.accelerated(model, found):
        pass
    assert "`think`" in error.value.message and "gpt2" in error.value.message


def test_a_writer_of_the_settings_opens_it():
    model = open_model(WriterSettings(model=f"hf:{language.NAME}", accelerators=("think",)))
    assert isinstance(model, Chat) and model.name == f"{language.NAME} + think"


@pytest.mark.parametrize("name", ["openai:gpt", "gguf:model.gguf"])
def test_systems_go_with_a_model_of_this_process_only(name: str):
    with pytest.raises(BadInput) as error:
        open_model(WriterSettings(model=name, accelerators=("think",)))
    assert "hf:MODEL" in error.value.hint


def test_a_model_that_is_not_there_says_so():
    with pytest.raises(BadInput) as error:
        Chat("/no/such/model").ask(asked(), lambda: False)
    assert "/no/such/model" in error.value.message
