"""What each kind of finding means, with an example: `presscheck check --explain KIND`."""

from __future__ import annotations

import difflib

from presscheck.errors import BadInput
from presscheck.types import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of finding, for a reader."""

    mark: str
    """Three words at most, for the margin."""
    mark_ko: str
    meaning: str
    wrong: str
    """A statement that has it."""
    right: str
    """What the source says."""


KINDS: dict[str, Kind] = {
    "not_this_paper": Kind(
        mark="not this paper",
        mark_ko="다른 논문",
        meaning="The statements of the entry, taken together, are about another paper or about none. "
        "It is one finding for the whole entry; its statements are not judged one by one.",
        wrong="An entry under a paper on music captions that tells of a sorting algorithm.",
        right="The abstract is about music captions.",
    ),
    "foreign_statement": Kind(
        mark="not in paper",
        mark_ko="논문에 없음",
        meaning="Nothing in the source is about what this statement says, although the rest of the entry "
        "is about the paper.",
        wrong="The robot learns to fold towels.",
        right="An abstract on Greek language models.",
    ),
    "magnitude": Kind(
        mark="power of ten",
        mark_ko="자릿수 오류",
        meaning="The digits are the source's and the size is off by a power of ten, most often "
        "through 억 or 만.",
        wrong="2.42억 개의 파라미터",
        right="2.42B parameters, which is 24.2억",
    ),
    "number": Kind(
        mark="other number",
        mark_ko="수치 불일치",
        meaning="The source has another number here, or none.",
        wrong="trained on 45 tasks",
        right="trained on 54 tasks",
    ),
    "unit": Kind(
        mark="other unit",
        mark_ko="단위 불일치",
        meaning="The number is the source's and its unit is not: percent and percentage points, hours and "
        "days, times and percent.",
        wrong="9 percentage points faster",
        right="9% faster",
    ),
    "hedge": Kind(
        mark="hedge changed",
        mark_ko="한정 표현",
        meaning="A bound or an approximation of the source is lost or turned round: about, over, up to, "
        "at least.",
        wrong="2.8 times less memory",
        right="up to 2.8 times less memory",
    ),
    "source_conflict": Kind(
        mark="source conflict",
        mark_ko="원문 내 불일치",
        meaning="The source itself gives two values for what this statement reports. The digest is not "
        "wrong; the reader should know.",
        wrong="an average of 0.754",
        right="0.754 in the abstract, 0.752 in Table 9",
    ),
    "name": Kind(
        mark="other name",
        mark_ko="이름 불일치",
        meaning="A name that the source does not have: cut off, misspelt, or another paper's.",
        wrong="Llama-3-In",
        right="Llama-3-Instruct",
    ),
    "expansion": Kind(
        mark="wrong expansion",
        mark_ko="약어 풀이 오류",
        meaning="An acronym is spelt out in words that the source, or the field, does not use for it.",
        wrong="Kernel Attention Networks (KAN)",
        right="Kolmogorov-Arnold Networks (KAN)",
    ),
    "relation": Kind(
        mark="turned round",
        mark_ko="관계 반대",
        meaning="A comparison points the other way, or a condition such as “relative” or “simulated” is "
        "gone. Only told where statement and source have exactly one direction each.",
        wrong="the error increases",
        right="the error decreases",
    ),
    "negation": Kind(
        mark="negation",
        mark_ko="부정 오류",
        meaning="One of the two denies what the other says.",
        wrong="it needs training data",
        right="it needs no training data",
    ),
    "author_order": Kind(
        mark="author order",
        mark_ko="저자 순서",
        meaning="The authors are not in the paper's order.",
        wrong="C. Third, A. First, B. Second",
        right="A. First, B. Second, C. Third",
    ),
    "author_missing": Kind(
        mark="authors missing",
        mark_ko="저자 누락",
        meaning="Authors of the paper are not in the list, and the list does not say that it is shortened.",
        wrong="A. First",
        right="A. First, B. Second",
    ),
    "author_artifact": Kind(
        mark="no author",
        mark_ko="저자 아님",
        meaning="Something that is no name stands among the authors, such as a page's button.",
        wrong="A. First, +",
        right="A. First, B. Second",
    ),
    "author_unknown": Kind(
        mark="unknown author",
        mark_ko="없는 저자",
        meaning="A name among the authors that the paper's list does not have.",
        wrong="A. First, Z. Stranger",
        right="A. First, B. Second",
    ),
    "missing_section": Kind(
        mark="section missing",
        mark_ko="부분 누락",
        meaning="A section of the format is not there, and nothing says why.",
        wrong="An entry without Performance Highlights",
        right="What's New, Technical Details, Performance Highlights",
    ),
    "extra_section": Kind(
        mark="extra section",
        mark_ko="추가된 부분",
        meaning="A section that the format does not have, or one that stands twice.",
        wrong="Conclusion and Future Work",
        right="What's New, Technical Details, Performance Highlights",
    ),
    "empty_section": Kind(
        mark="says nothing",
        mark_ko="내용 없음",
        meaning="A section without a statement, or with statements that only say that there is nothing "
        "to say.",
        wrong="No further performance details are given.",
        right="A section that is left out says why.",
    ),
    "thumbnail": Kind(
        mark="other picture",
        mark_ko="다른 그림",
        meaning="The picture is not the paper's thumbnail.",
        wrong="an avatar",
        right="…/social-thumbnails/papers/2407.20743.png",
    ),
    "link": Kind(
        mark="wrong link",
        mark_ko="링크 오류",
        meaning="A link that leads elsewhere, or the PDF written as an image.",
        wrong="![PDF](https://arxiv.org/pdf/2407.20743)",
        right="[PDF](https://arxiv.org/pdf/2407.20743)",
    ),
    "residue": Kind(
        mark="leftover",
        mark_ko="잔여물",
        meaning="Something of the source's form that the reader cannot use: a citation, a figure's number, "
        "alternative text of maths, a word left untranslated.",
        wrong="as Figure 3 shows [12]",
        right="without them",
    ),
    "register": Kind(
        mark="other register",
        mark_ko="문체 혼용",
        meaning="The sentence ends in another register than most of the edition (합니다, 한다, 해요, 함).",
        wrong="새로운 모델을 제안한다.",
        right="새로운 모델을 제안합니다.",
    ),
    "omitted_headline": Kind(
        mark="result left out",
        mark_ko="주요 결과 누락",
        meaning="A measured result of the abstract of which no figure is anywhere in the entry.",
        wrong="An entry without the 40% of the abstract",
        right="It cuts the cost by 40%.",
    ),
    "name_absent": Kind(
        mark="name absent",
        mark_ko="이름 없음",
        meaning="The entry never names the system that the paper's title names.",
        wrong="A new small model is presented.",
        right="YuLan-Mini: …",
    ),
    "stale_evidence": Kind(
        mark="stale pointer",
        mark_ko="근거 변경",
        meaning="The statement points to a sentence that is no longer the one it was written from: the "
        "abstract has changed, or the pointer was damaged.",
        wrong="sentence 3 of version 1",
        right="sentence 3 now reads otherwise",
    ),
}
"""In the order of `--explain` without a kind."""


def explain(kind: str) -> str:
    """A paragraph on a kind of finding.

    Raises:
        BadInput: if there is none of that name.
    """
    if kind not in KINDS:
        close = difflib.get_close_matches(kind, KINDS, n=1)
        raise BadInput(
            f"no kind of finding is called `{kind[:60]}`",
            hint=f"did you mean `{close[0]}`?" if close else f"kinds are {', '.join(KINDS)}",
        )
    one = KINDS[kind]
    return f"{kind}\n\n  {one.meaning}\n\n  digest  {one.wrong}\n  source  {one.right}\n"
