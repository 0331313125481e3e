"""An edition whose statements bear every verdict and every kind of finding."""

from __future__ import annotations

from typing import Literal

import msgspec
from editions import LARCH, OUTSIDE, QUARRY, entry, evidence

from presscheck.digest.check.kinds import KINDS
from presscheck.types import LANGUAGES, Edition, Evidence, Finding, Language, Paper, Statement


def finding(text: str, kind: str, fragment: str = "", expected: str = "", why: str = "") -> Finding:
    """A finding on a fragment of a statement; without one, on the whole of it."""
    start = text.index(fragment)
    return Finding(
        kind=kind, text=fragment, start=start, end=start + len(fragment), expected=expected, why=why, sure=0.9
    )


def judged(
    of: Paper,
    text: str,
    verdict: Literal["supported", "conflict", "unsupported", "beyond"],
    *found: tuple[str, ...],
    at: int = 0,
) -> Statement:
    """A statement with its verdict and findings, each given as kind, fragment, answer, reason."""
    evidence_ = (evidence(of, at),) if at else ()
    return Statement(
        text=text, evidence=evidence_, verdict=verdict, findings=tuple(finding(text, *one) for one in found)
    )


def marked_statements(language: Language) -> list[Statement]:
    """Larch as a careless writer would have it: every verdict, many findings in one line."""
    says = "told of something else there: the source says 31% (sentence 4)"
    lacks = "the source has no such number"
    table = Evidence(source="paper", version="v1", place="Table 2")
    if language == "en":
        return [
            judged(
                LARCH, "Larch prunes attention heads by how much later tokens use them.", "supported", at=2
            ),
            judged(
                LARCH,
                "Memory falls by 310% over eight tasks.",
                "conflict",
                ("magnitude", "310%", "31%", says),
                at=4,
            ),
            judged(
                LARCH,
                "Decoding is 1.9 times slower, and 42 points worse than LarchNet.",
                "conflict",
                (
                    "relation",
                    "slower",
                    "faster",
                    "the direction is turned round: the source says faster (sentence 5)",
                ),
                ("number", "42 points", "0.4 points", says),
                ("name", "LarchNet", "Larch", "cut off or misspelt"),
                at=5,
            ),
            judged(
                LARCH,
                "It was trained for 12 days on 64 cards, at a cost of 9,000 dollars.",
                "beyond",
                ("number", "12 days", "", lacks),
                ("number", "64 cards", "", lacks),
                ("number", "9,000 dollars", "", lacks),
            ),
            judged(LARCH, "The authors use a greedy search.", "beyond"),
            judged(
                LARCH,
                "A robot arm learns to fold towels from a single demonstration.",
                "unsupported",
                (
                    "foreign_statement",
                    "A robot arm learns to fold towels from a single demonstration.",
                    "",
                    "nothing in the source is about this: it may belong to another paper",
                ),
            ),
            judged(
                LARCH,
                "Accuracy stays within 0.4 points, see Figure 3 [12].",
                "supported",
                ("residue", "see Figure 3 [12]", "", "left over: a citation"),
                at=4,
            ),
            judged(
                LARCH,
                "The abstract tells of eight tasks.",
                "conflict",
                ("source_conflict", "eight", "8 / 7", "the source says 8 in one place and 7 in another"),
                at=4,
            ),
            msgspec.structs.replace(
                judged(LARCH, "Ablations cover three window sizes.", "beyond"), evidence=(table,)
            ),
        ]
    return [
        judged(
            LARCH,
            "Larch는 이후 토큰이 얼마나 쓰는지를 기준으로 어텐션 헤드를 가지치기합니다.",
            "supported",
            at=2,
        ),
        judged(
            LARCH,
            "여덟 과제에서 메모리를 310% 줄입니다.",
            "conflict",
            ("magnitude", "310%", "31%", says),
            at=4,
        ),
        judged(
            LARCH,
            "LarchNet보다 42점 낮고 1.9배 느리게 디코딩합니다.",
            "conflict",
            ("relation", "느리게", "빠르게", "the direction is turned round (sentence 5)"),
            ("number", "42점", "0.4점", says),
            ("name", "LarchNet", "Larch", "cut off or misspelt"),
            at=5,
        ),
        judged(
            LARCH,
            "카드 64장으로 12일 동안 학습했습니다.",
            "beyond",
            ("number", "64장", "", lacks),
            ("number", "12일", "", lacks),
        ),
        judged(LARCH, "저자들은 탐욕적 탐색을 씁니다.", "beyond"),
        judged(
            LARCH,
            "로봇 팔이 시연 한 번으로 수건 접기를 배웁니다.",
            "unsupported",
            (
                "foreign_statement",
                "로봇 팔이 시연 한 번으로 수건 접기를 배웁니다.",
                "",
                "nothing is about this",
            ),
        ),
        judged(
            LARCH,
            "정확도 차이는 0.4점 이내이다.",
            "supported",
            ("register", "이내이다.", "합니다체", "ends in 한다체, most of the edition in 합니다체"),
            at=4,
        ),
    ]


def marked_edition() -> Edition:
    """Larch with every verdict, Quarry as another paper, Fathom with every kind of finding."""
    parts = ("whats_new", "technical_details", "performance_highlights")
    entries = []
    for language in LANGUAGES:
        lines = marked_statements(language)
        whole = (
            Finding(
                kind="author_order",
                text="Jun-ho Kim",
                expected="Ada Byrne",
                why="the order is lost: the paper begins with Ada Byrne and ends with 이서연",
            ),
            Finding(
                kind="omitted_headline",
                expected="At a batch of 16 it decodes 1.9 times faster than the baseline.",
                why="sentence 5 of the abstract states a result (1.9 times) that the entry leaves out",
            ),
            Finding(kind="extra_section", text="Outlook", why="the format has no such section"),
            Finding(kind="extra_section", text="Limits", why="the format has no such section"),
        )
        entries.append(
            entry(
                LARCH,
                language,
                "detailed",
                {key: lines[at::3] for at, key in enumerate(parts)},
                findings=whole,
                writer="",
            )
        )
        foreign = (
            Finding(
                kind="not_this_paper",
                expected=QUARRY.title,
                why="taken together, these statements are about another paper, or about none",
            ),
        )
        stolen = [judged(QUARRY, text, "unsupported") for text in ("Bees dance.", "벌은 춤을 춥니다.")]
        entries.append(entry(QUARRY, language, "detailed", {parts[0]: stolen}, findings=foreign, writer=""))
        kinds = [
            Statement(
                text=f"{kind}: {one.wrong}",
                verdict="conflict",
                findings=(finding(f"{kind}: {one.wrong}", kind, one.wrong[:20], one.right, one.meaning),),
            )
            for kind, one in KINDS.items()
        ]
        entries.append(entry(OUTSIDE, language, "detailed", {parts[1]: kinds}, writer=""))
    return Edition(
        date="2024-07-31",
        taken="2024-08-01T00:00:00Z",
        state="closed",
        source="Hugging Face Daily Papers",
        styles=("detailed",),
        papers=(LARCH, QUARRY, OUTSIDE),
        entries=tuple(entries),
    )
