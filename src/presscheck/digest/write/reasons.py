"""Why an entry lacks something, in the entry's language.

The sentences are ours; nothing of a paper or of a page stands in the Korean
ones. ``papers.paper.why_not_summarised`` gives its reasons in English, and
``in_language`` finds the Korean sentence by how the English one begins.
"""

from __future__ import annotations

import re

from presscheck.types import Language

REASONS: dict[str, dict[Language, str]] = {
    "no_new": {
        "en": "no sentence of the abstract says what is new",
        "ko": "무엇이 새로운지 말하는 문장이 초록에 없습니다.",
    },
    "new_is_result": {
        "en": "the sentence that says what is new also states the result; it stands under the results",
        "ko": "새로운 점을 말하는 문장이 결과도 함께 말하므로 결과 부분에 있습니다.",
    },
    "no_method": {
        "en": "no sentence of the abstract is about the method alone",
        "ko": "방법만을 다루는 문장이 초록에 없습니다.",
    },
    "no_result": {
        "en": "the abstract gives no measured result",
        "ko": "초록에 측정된 결과가 없습니다.",
    },
    "no_plain": {
        "en": "the abstract has no plainly worded sentence on why the work matters",
        "ko": "왜 중요한지를 쉬운 말로 설명하는 문장이 초록에 없습니다.",
    },
    "plain_in_summary": {
        "en": "the only plainly worded sentence of the abstract stands in the summary already",
        "ko": "초록에서 쉬운 말로 쓰인 유일한 문장이 이미 요약에 있습니다.",
    },
    "no_fields": {
        "en": "neither title nor abstract names a field that the table knows",
        "ko": "제목과 초록에 분야 표에 있는 용어가 나오지 않습니다.",
    },
    "no_korean": {
        "en": "the extractive writer quotes the abstract, which is in English",
        "ko": "추출식 작성기는 영어 초록의 문장을 그대로 옮기므로 한국어 문장을 쓰지 않습니다.",
    },
    "of_the_field": {
        "en": "the abstract tells it of earlier work, not as a result of this paper",
        "ko": "초록이 이 논문의 결과가 아니라 이전 연구의 일로 말합니다.",
    },
    "easy_is_short": {
        "en": "the easy summary keeps to one main result; the detailed entry has them all",
        "ko": "쉬운 요약은 주요 결과 하나만 싣습니다. 자세한 항목에는 모두 있습니다.",
    },
}

_NOT_SUMMARISED: tuple[tuple[str, str], ...] = (
    (r"the abstract is missing", "초록이 없습니다."),
    (r"the source gave an error page", "초록 대신 오류 페이지를 받았습니다."),
    (r"the abstract is only a withdrawal notice", "초록이 논문 철회 안내뿐입니다."),
    (r"the abstract is not in English", "초록이 영어로 쓰이지 않았습니다."),
)
_TOO_SHORT = re.compile(r"the abstract is too short: (\d+) words, need (\d+)")


def reason(key: str, language: Language) -> str:
    """One of ``REASONS``, in the language of the entry."""
    return REASONS[key][language]


def in_language(why: str, language: Language) -> str:
    """The reason why a paper is not summarised, in the language of the entry.

    Args:
        why: As ``why_not_summarised`` gives it.
        language: Of the entry.
    """
    if language == "en":
        return why
    if short := _TOO_SHORT.match(why):
        return f"초록이 너무 짧습니다. 단어가 {short[1]}개이며 {short[2]}개 이상이어야 합니다."
    for begins, korean in _NOT_SUMMARISED:
        if re.match(begins, why):
            return korean
    return "초록을 요약할 수 없습니다."
