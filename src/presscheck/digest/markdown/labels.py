"""The words that stand between the text of a digest: one table for two styles and two languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presscheck.digest.markdown.inline import one_line
from presscheck.types import SECTIONS, Evidence, Language, Style

State = Literal["open", "closed", "unknown"]

HEADING = "Daily Papers"


@dataclass(frozen=True)
class Labels:
    """What one style prints in one language."""

    sections: dict[str, str]
    title: str
    authors: str
    votes: str
    pdf: str
    download: str
    """The text of the link to the PDF."""
    unknown: str
    snapshot: str
    states: dict[State, str]
    not_summarised: str
    left_out: str
    notes: str


_DETAILED = {
    "whats_new": "What's New",
    "technical_details": "Technical Details",
    "performance_highlights": "Performance Highlights",
}
_STATES_EN: dict[State, str] = {
    "open": "day still open, the list may grow",
    "closed": "day closed",
    "unknown": "not known whether the day was closed",
}
_STATES_KO: dict[State, str] = {
    "open": "마감 전, 목록이 늘 수 있음",
    "closed": "마감 후",
    "unknown": "마감 여부 미상",
}

LABELS: dict[tuple[Style, Language], Labels] = {
    ("detailed", "en"): Labels(
        sections=_DETAILED,
        title="Title",
        authors="Authors",
        votes="Vote",
        pdf="PDF",
        download="Download the PDF",
        unknown="unknown",
        snapshot="Snapshot",
        states=_STATES_EN,
        not_summarised="Not summarised",
        left_out="Left out",
        notes="Press notes",
    ),
    ("detailed", "ko"): Labels(
        sections=_DETAILED,
        title="Title",
        authors="Authors",
        votes="Vote",
        pdf="PDF",
        download="PDF 다운로드",
        unknown="미상",
        snapshot="수집 시각",
        states=_STATES_KO,
        not_summarised="요약 없음",
        left_out="싣지 않은 결과",
        notes="교정 메모",
    ),
    ("easy", "en"): Labels(
        sections={"summary": "Summary", "plain": "In Plain Words", "fields": "Fields"},
        title="Title",
        authors="Authors",
        votes="Votes",
        pdf="PDF",
        download="Download the PDF",
        unknown="unknown",
        snapshot="Snapshot",
        states=_STATES_EN,
        not_summarised="Not summarised",
        left_out="Left out",
        notes="Press notes",
    ),
    ("easy", "ko"): Labels(
        sections={"summary": "요약", "plain": "쉬운설명", "fields": "관련분야"},
        title="제목",
        authors="저자",
        votes="추천수",
        pdf="PDF",
        download="PDF 다운로드",
        unknown="미상",
        snapshot="수집 시각",
        states=_STATES_KO,
        not_summarised="요약 없음",
        left_out="싣지 않은 결과",
        notes="교정 메모",
    ),
}

_ALSO_READ = {
    "notes": ("press note",),
    "authors": ("author", "저자", "저자명"),
    "votes": ("vote", "votes", "upvote", "upvotes", "likes", "추천수", "추천", "투표", "투표수"),
    "pdf": ("pdf link", "pdf download link", "pdf download", "pdf 다운로드 링크", "pdf 다운로드", "pdf 링크"),
}
_ALSO_TITLE = ("paper title", "논문 제목")
_ALSO_SECTIONS: dict[Style, dict[str, tuple[str, ...]]] = {
    "detailed": {
        "whats_new": ("whats new", "what is new"),
        "technical_details": ("technical detail",),
        "performance_highlights": ("performance highlight",),
    },
    "easy": {
        "plain": ("쉬운 설명", "plain explanation", "easy explanation", "in simple words"),
        "fields": ("관련 분야", "field", "related fields", "research fields"),
    },
}


def fold(label: str) -> str:
    """Bring a printed label to the form in which labels are compared."""
    return " ".join(label.replace("\u2019", "'").casefold().split())


def _roles(style: Style) -> dict[str, str]:
    roles: dict[str, str] = {}
    for (of, _), labels in LABELS.items():
        if of != style:
            continue
        roles |= {fold(label): key for key, label in labels.sections.items()}
        for role in ("authors", "votes", "pdf", "not_summarised", "left_out", "notes"):
            roles[fold(getattr(labels, role))] = role
        if style == "easy":
            roles[fold(labels.title)] = "title"
    for role, others in (_ALSO_READ | _ALSO_SECTIONS[style]).items():
        roles |= {fold(other): role for other in others}
    if style == "easy":
        roles |= {fold(other): "title" for other in _ALSO_TITLE}
    return roles


ROLES: dict[Style, dict[str, str]] = {"detailed": _roles("detailed"), "easy": _roles("easy")}
"""Folded label → section key or role, for everything that a reader of the style understands."""

SNAPSHOTS = frozenset(fold(labels.snapshot) for labels in LABELS.values())
HEAD_ROLES = frozenset({"title", "authors", "votes", "pdf"})
SECTION_KEYS: dict[Style, frozenset[str]] = {style: frozenset(keys) for style, keys in SECTIONS.items()}


def place_of(evidence: Evidence, language: Language) -> str:
    """Say for people where evidence stands: "Sentence 5 of the abstract"."""
    korean = language == "ko"
    if evidence.source == "title":
        return "논문 제목" if korean else "The title"
    if evidence.source == "abstract":
        if evidence.sentence is None:
            return "초록" if korean else "The abstract"
        number = evidence.sentence
        return f"초록 {number}번째 문장" if korean else f"Sentence {number} of the abstract"
    names = {"paper": ("The paper", "논문"), "repository": ("The repository", "저장소")}
    where = names[evidence.source][korean]
    place = one_line(evidence.place)
    if not place:
        return where
    return f"{where} {place}" if korean else f"{where}, {place}"
