"""Papers of our own, and a writer for them that talks to a scripted server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presscheck.digest.glossary import ours
from presscheck.digest.write.cache import Answers
from presscheck.digest.write.endpoint import Endpoint, Patience
from presscheck.digest.write.ledger import Ledger
from presscheck.digest.write.writer import ModelWriter, Work
from presscheck.papers.paper import make_paper
from presscheck.types import Entry, Language, Paper, Style
from tests.standin.model import ScriptedModel

LARCH = (
    "Language models answer slowly when their key-value cache grows with every token. "
    "We introduce Larch, a cache that keeps only the channels that recent queries use. "
    "Larch scores each channel by the norm of the queries in a short window and drops the rest. "
    "On four benchmarks, Larch cuts memory by up to 2.8 times and loses 0.4% accuracy. "
    "A model with 2.42 billion parameters runs on one laptop with Larch. "
    "Code is released under a free licence."
)
NEW = {
    "section": "whats_new",
    "sentences": [2],
    "en": "Larch is a cache that keeps only the channels that recent queries use.",
    "ko": "Larch는 최근 쿼리가 사용하는 채널만 유지하는 캐시를 소개합니다.",
}
HOW = {
    "section": "technical_details",
    "sentences": [3],
    "en": "Larch scores each channel by the norm of the queries in a short window.",
    "ko": "Larch는 짧은 윈도 안의 쿼리 노름으로 각 채널에 점수를 매깁니다.",
}
MEMORY = {
    "section": "performance_highlights",
    "sentences": [4],
    "quantities": [
        {
            "value": "2.8",
            "scale": "",
            "unit": "times",
            "hedge": "up to",
            "condition": "",
            "subject": "memory",
        },
        {"value": "0.4", "scale": "", "unit": "%", "hedge": "", "condition": "", "subject": "accuracy"},
    ],
    "en": "On four benchmarks, Larch cuts memory by {1} and loses {2} accuracy.",
    "ko": "네 개의 벤치마크에서 Larch는 메모리를 {1} 줄이고 정확도는 {2} 잃습니다.",
}
LAPTOP = {
    "section": "performance_highlights",
    "sentences": [5],
    "quantities": [
        {"value": "2.42", "scale": "billion", "unit": "parameters", "hedge": "",
         "condition": "", "subject": "model"},
    ],
    "en": "A model with {1} runs on one laptop with Larch.",
    "ko": "Larch를 쓰면 {1}를 가진 모델이 노트북 한 대에서 실행됩니다.",
}  # fmt: skip
GOOD = (NEW, HOW, MEMORY, LAPTOP)


def larch(**given: Any) -> Paper:
    """The paper about Larch."""
    fields = {
        "id": "2407.99001", "title": "Larch: A Cache of the Channels That Queries Use", "abstract": LARCH,
        "authors": ["Ada Larch", "Bo Fir"], "version": "v1", **given,
    }  # fmt: skip
    return make_paper(**fields)


QUICK = Patience(
    connect=2.0, total=3.0, attempts=3, wait_initial=0.0, wait_max=0.0, jitter=0.0, longest_wait=2.0
)


def endpoint(server: ScriptedModel, **given: Any) -> Endpoint:
    """The scripted server as a model."""
    fields = {"key": "k-secret", "key_name": "TEST_KEY", "patience": QUICK, "at_once": 2, **given}
    return Endpoint("scripted", server.url, **fields)


def write(
    server: ScriptedModel,
    papers: list[Paper],
    *,
    languages: tuple[Language, ...] = ("en", "ko"),
    styles: tuple[Style, ...] = ("detailed",),
    cache: Path | None = None,
    ledger: Path | None = None,
    limit: float | None = None,
    **given: Any,
) -> Work:
    """Entries by the scripted server."""
    model = endpoint(server, **given)
    writer = ModelWriter(model, glossary=ours(), answers=Answers(cache), most=1200)
    try:
        return writer.write_all(papers, languages, styles, Ledger(ledger, "2024-07-31", model, limit))
    finally:
        model.close()


def texts(entry: Entry) -> dict[str, list[str]]:
    """What an entry prints, by section."""
    return {section.key: [s.text for s in section.statements] for section in entry.sections}
