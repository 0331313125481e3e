"""Editions made for the tests of the page, the feed and publishing: every kind of entry, and hostile text."""

from __future__ import annotations

import hashlib

from presscheck.types import (
    Author,
    Edition,
    Entry,
    Evidence,
    Language,
    LeftOut,
    Paper,
    Problem,
    Section,
    Sentence,
    Statement,
    Style,
)

HOSTILE = '</style><script>alert(1)</script> "quoted" & <img src=x onerror=alert(2)> {{ 7*7 }} {% raw %}'
TURNED = "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd"


def paper(id: str, title: str, sentences: list[str], *, version: str = "v1", **rest: object) -> Paper:
    """A paper whose abstract is these sentences, joined by a space, with nothing to clean."""
    abstract = " ".join(sentences)
    spans, at = [], 0
    for number, text in enumerate(sentences, start=1):
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        spans.append(Sentence(number=number, start=at, end=at + len(text), hash=key))
        at += len(text) + 1
    return Paper(
        id=id,
        title=title,
        title_original=title,
        abstract=abstract,
        abstract_original=abstract,
        sentences=tuple(spans),
        version=version,
        **rest,  # type: ignore[arg-type]
    )


def evidence(of: Paper, number: int, clause: str = "") -> Evidence:
    """A pointer to a sentence of a paper, or to a clause of it."""
    sentence = of.sentences[number - 1]
    start, end = sentence.start, sentence.end
    if clause:
        start = of.abstract_original.index(clause, sentence.start)
        end = start + len(clause)
    return Evidence(
        source="abstract", version=of.version, sentence=number, start=start, end=end, hash=sentence.hash
    )


def said(of: Paper, text: str, *numbers: int, clause: str = "") -> Statement:
    """A statement carried by sentences of the abstract."""
    return Statement(text=text, evidence=tuple(evidence(of, number, clause) for number in numbers))


LARCH = paper(
    "2407.00001",
    "Larch: Pruning Attention Heads Without Losing the Thread",
    [
        "Long contexts make inference with large language models expensive.",
        "We introduce Larch, a method that prunes attention heads by how much later tokens use them.",
        "Larch scores each head on a window of recent queries and drops the lowest quarter, "
        "while the cache keeps the remaining heads in full precision.",
        "On eight tasks it reduces memory by 31% and keeps accuracy within 0.4 points of the full model.",
        "At a batch of 16 it decodes 1.9 times faster than the baseline.",
    ],
    authors=tuple(
        Author(name=name) for name in ("Ada Byrne", "Jun-ho Kim", "Marta Ruiz", "Li Wei", "이서연")
    ),
    votes=53,
    votes_at="2024-07-31T01:00:00Z",
    date="2024-07-31",
    code="https://github.com/example/larch",
    project="https://larch.example.org/",
    system="larch",
    related=("2407.00002", "2301.00001"),
)

QUARRY = paper(
    "2407.00002",
    "Quarry: A Benchmark of Questions That Need Two Documents",
    [
        "Most benchmarks of question answering can be solved with one document.",
        "We present Quarry, 4,200 questions whose answers need two.",
        "Each question was written by one annotator and answered by two others.",
        "The best model answers 61.2% of them, people answer 93.5%.",
    ],
    authors=(Author(name="Nour Haddad"),),
    votes=0,
    votes_at="2024-07-31T01:00:00Z",
)

ABSENT = Paper(
    id="2407.00003",
    title="A Paper Whose Abstract Is Missing",
    authors=(Author(name="Ines Prado"), Author(name="Tor Vik")),
)

OUTSIDE = Paper(
    id="2407.00005",
    title="Fathom: Depth From a Single Echo",
    version="v2",
    authors=tuple(Author(name=name) for name in ("Sam Okafor", "Fathom Team", "Yuki Mori", "Eva Lund")),
    votes=7,
    votes_at="2024-07-31T01:00:00Z",
)
"""A shipped paper: no abstract, so that its evidence is elsewhere."""


def hostile_paper() -> Paper:
    """Script, markup and turned text wherever a paper has text; 3,303 authors; negative votes."""
    names = [Author(name=f"{HOSTILE} {number}") for number in range(3)]
    names += [Author(name=TURNED), Author(name="محمد علي"), Author(name="山田 太郎")]
    names += [Author(name=f"Author {number}") for number in range(len(names), 3303)]
    return paper(
        "key:" + HOSTILE,
        f"{HOSTILE} {TURNED}",
        [f"We study {HOSTILE}.", "It is 12% better\x00\x1b\ufffe."],
        authors=tuple(names),
        votes=-3,
        votes_at="2024-07-31T01:00:00Z",
        code="javascript:alert(1)",
        project='https://example.org/"><script>alert(3)</script>',
        journal=HOSTILE,
        doi='10.1/"><script>',
        related=(HOSTILE, "2407.00001"),
    )


def entry(
    of: Paper, language: Language, style: Style, parts: dict[str, list[Statement] | str], **rest: object
) -> Entry:
    """An entry; a part given as text is absent for that reason."""
    sections = tuple(
        Section(key=key, absent=part) if isinstance(part, str) else Section(key=key, statements=tuple(part))
        for key, part in parts.items()
    )
    rest.setdefault("writer", "editors")
    return Entry(paper=of.id, language=language, style=style, sections=sections, **rest)  # type: ignore[arg-type]


def larch_entries() -> list[Entry]:
    """Both languages, both styles, by the editors, with a press note."""
    note = "The abstract says eight tasks, its table lists seven."
    return [
        entry(
            LARCH,
            "en",
            "detailed",
            {
                "whats_new": [
                    said(LARCH, "Larch prunes attention heads by how much later tokens use them.", 2)
                ],
                "technical_details": [
                    said(
                        LARCH,
                        "Each head is scored on a window of recent queries.",
                        3,
                        clause="scores each head on a window of recent queries",
                    ),
                    said(
                        LARCH,
                        "The lowest quarter is dropped; the cache keeps the others in full precision.",
                        3,
                    ),
                ],
                "performance_highlights": [
                    said(LARCH, "Memory falls by 31% over eight tasks, accuracy by at most 0.4 points.", 4),
                    said(LARCH, "Decoding is 1.9 times faster at a batch of 16.", 5),
                ],
            },
            notes=(said(LARCH, note, 4),),
        ),
        entry(
            LARCH,
            "en",
            "easy",
            {
                "summary": [
                    said(LARCH, "Larch makes long texts cheaper by leaving out parts nobody reads.", 1, 2)
                ],
                "plain": [said(LARCH, "Think of a meeting from which those who never speak are excused.", 2)],
                "fields": [said(LARCH, "Language models", 1), said(LARCH, "Efficient inference", 1)],
            },
        ),
        entry(
            LARCH,
            "ko",
            "detailed",
            {
                "whats_new": [
                    said(
                        LARCH, "Larch는 이후 토큰이 얼마나 쓰는지를 기준으로 어텐션 헤드를 가지치기합니다.", 2
                    )
                ],
                "technical_details": [
                    said(
                        LARCH,
                        "최근 질의의 창에서 각 헤드의 점수를 매깁니다.",
                        3,
                        clause="scores each head on a window of recent queries",
                    ),
                    said(LARCH, "하위 4분의 1을 버리고 나머지 헤드는 온전한 정밀도로 캐시에 둡니다.", 3),
                ],
                "performance_highlights": [
                    said(LARCH, "여덟 과제에서 메모리를 31% 줄이고 정확도 차이는 0.4점 이내입니다.", 4),
                    said(LARCH, "배치 16에서 기준보다 1.9배 빠르게 디코딩합니다.", 5),
                ],
            },
            notes=(said(LARCH, "초록은 과제가 여덟이라고 하지만 표에는 일곱이 있습니다.", 4),),
        ),
        entry(
            LARCH,
            "ko",
            "easy",
            {
                "summary": [said(LARCH, "아무도 보지 않는 부분을 덜어 긴 글을 더 싸게 처리합니다.", 1, 2)],
                "plain": "쉬운 설명의 바탕이 될 문장이 초록에 없습니다.",
                "fields": [said(LARCH, "언어 모델", 1), said(LARCH, "효율적 추론", 1)],
            },
        ),
    ]


def quarry_entries() -> list[Entry]:
    """English by the extractive writer, Korean absent for a reason, a result left out."""
    texts = [QUARRY.abstract[each.start : each.end] for each in QUARRY.sentences]
    why = "추출식 작성기는 한국어를 쓰지 않습니다."
    left = LeftOut(evidence=evidence(QUARRY, 4), reason="The sentence has two results; one is printed.")
    return [
        entry(
            QUARRY,
            "en",
            "detailed",
            {
                "whats_new": [said(QUARRY, texts[1], 2)],
                "technical_details": [said(QUARRY, texts[2], 3)],
                "performance_highlights": [
                    said(QUARRY, "people answer 93.5%", 4, clause="people answer 93.5%"),
                ],
            },
            writer="extractive",
            left_out=(left,),
        ),
        entry(
            QUARRY,
            "en",
            "easy",
            {
                "summary": [said(QUARRY, texts[1], 2)],
                "plain": "The abstract has no plainly worded explanation.",
                "fields": [said(QUARRY, "Question answering", 1)],
            },
            writer="extractive",
        ),
        entry(
            QUARRY,
            "ko",
            "detailed",
            dict.fromkeys(("whats_new", "technical_details", "performance_highlights"), why),
            writer="extractive",
        ),
        entry(
            QUARRY,
            "ko",
            "easy",
            {
                "summary": why,
                "plain": why,
                "fields": [said(QUARRY, "질의응답", 1)],
            },
            writer="extractive",
        ),
    ]


def outside_entries() -> list[Entry]:
    """Evidence in places that the page does not hold, and a part of our formats' own making."""
    points = (
        Evidence(source="abstract", version="v2", sentence=3, start=0, end=9, hash="0" * 16),
        Evidence(source="paper", version="v2", place="Table 2"),
        Evidence(source="repository", place="train.py"),
        Evidence(source="title", sentence=1),
    )
    return [
        entry(
            OUTSIDE,
            "en",
            "detailed",
            {
                "whats_new": [Statement(text="Fathom estimates depth from one echo.", evidence=points)],
                "Outlook": [Statement(text="Its authors plan a second sensor.")],
            },
        ),
        entry(
            OUTSIDE,
            "ko",
            "detailed",
            {
                "whats_new": [Statement(text="Fathom은 메아리 하나로 깊이를 추정합니다.", evidence=points)],
            },
        ),
    ]


def hostile_entries(of: Paper) -> list[Entry]:
    """Markup in statements, reasons, headings and places."""
    place = Evidence(source="paper", place=HOSTILE, version=HOSTILE)
    return [
        entry(
            of,
            "en",
            "detailed",
            {
                "whats_new": [Statement(text=HOSTILE, evidence=(place, evidence(of, 1)))],
                HOSTILE: [Statement(text=TURNED)],
                "technical_details": HOSTILE,
            },
            writer=HOSTILE,
            notes=(Statement(text=HOSTILE),),
        ),
        entry(of, "ko", "detailed", {}, status="not summarised", reason=HOSTILE),
    ]


def full_edition(date: str = "2024-07-31", *, hostile: bool = True) -> Edition:
    """Every kind of entry; with one hostile paper unless it is asked to be left out."""
    papers = [LARCH, QUARRY, ABSENT, OUTSIDE]
    entries = larch_entries() + quarry_entries() + outside_entries()
    for language, reason in (("en", "the source gives no abstract"), ("ko", "출처에 초록이 없습니다")):
        for style in ("detailed", "easy"):
            entries.append(
                Entry(paper=ABSENT.id, language=language, style=style, status="not summarised", reason=reason)  # type: ignore[arg-type]
            )
    problems = [Problem(where="2407.00009", what="no title: the other papers are printed", kind="bad paper")]
    if hostile:
        bad = hostile_paper()
        papers.append(bad)
        entries += hostile_entries(bad)
        problems.append(Problem(where=HOSTILE, what=TURNED))
    return Edition(
        date=date,
        taken=f"{date}T01:00:00Z",
        state="open",
        source="Hugging Face Daily Papers",
        papers=tuple(papers),
        entries=tuple(entries),
        problems=tuple(problems),
    )
