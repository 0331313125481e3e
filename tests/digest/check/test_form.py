"""The form of an entry: authors, sections, links, register, leftovers, what is left out."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.form import (
    check_authors,
    check_head,
    check_omitted,
    check_register,
    check_sections,
    register,
    says_nothing,
)
from presscheck.digest.check.residue import check_residue
from presscheck.types import Head, Paper, Section, Statement

AUTHORS = ["Ada Bergström", "Minho Seo", "J. R. Okafor", "Lena Ivanova", "Wei Zhang", "Wei Zhang"]


def kinds(findings: list) -> list[str]:
    return [finding.kind for finding in findings]


def test_the_papers_own_list_has_no_finding() -> None:
    assert check_authors(AUTHORS, AUTHORS) == []
    assert check_authors(["Ada Bergstrom", "Minho Seo", "John Okafor", *AUTHORS[3:]], AUTHORS) == []


@given(st.permutations(range(6)))
def test_every_scramble_is_found_and_nothing_else(order: list[int]) -> None:
    printed = [AUTHORS[i] for i in order]
    assert kinds(check_authors(printed, AUTHORS)) == ([] if printed == AUTHORS else ["author_order"])


def test_the_first_wrong_name_says_who_should_stand_there() -> None:
    (finding,) = check_authors(
        ["Ada Bergström", "Lena Ivanova", "Minho Seo"], ["Ada Bergström", "Minho Seo", "Lena Ivanova"]
    )
    assert (finding.text, finding.expected) == ("Lena Ivanova", "Minho Seo")


def test_a_button_among_the_authors_is_an_artefact_and_who_it_hid_is_missing() -> None:
    printed = [*AUTHORS[:2], "+", *AUTHORS[4:]]
    findings = check_authors(printed, AUTHORS)
    assert kinds(findings) == ["author_artifact", "author_missing"]
    assert findings[1].expected == "J. R. Okafor, Lena Ivanova"
    assert "author_artifact" in kinds(check_authors([*AUTHORS[:5], "8 authors"], AUTHORS))


def test_a_list_that_is_shortened_openly_is_complete_if_the_count_is_right() -> None:
    assert check_authors([*AUTHORS[:3], "and 3 more"], AUTHORS) == []
    assert check_authors([*AUTHORS[:3], "외 3명"], AUTHORS) == []
    assert "author_missing" in kinds(check_authors([*AUTHORS[:3], "and 9 more"], AUTHORS))


def test_somebody_who_is_no_author_is_found() -> None:
    assert kinds(check_authors([*AUTHORS, "Nobody Atall"], AUTHORS)) == ["author_unknown"]


def section(key: str, *texts: str, absent: str = "") -> Section:
    return Section(key=key, statements=tuple(Statement(text=text) for text in texts), absent=absent)


def test_missing_extra_and_empty_sections_are_found() -> None:
    whole = [
        section("whats_new", "A."),
        section("technical_details", "B."),
        section("performance_highlights", "C."),
    ]
    assert check_sections(whole, "detailed") == []
    assert kinds(check_sections(whole[:2], "detailed")) == ["missing_section"]
    assert kinds(check_sections([*whole, section("Limitations", "D.")], "detailed")) == ["extra_section"]
    assert kinds(check_sections([*whole, section("whats_new", "D.")], "detailed")) == ["extra_section"]
    assert kinds(check_sections([*whole[:2], section("performance_highlights")], "detailed")) == [
        "empty_section"
    ]


def test_a_section_that_is_absent_with_a_reason_is_no_fault() -> None:
    said = [section("whats_new", "A."), section("technical_details", "B.")]
    reason = section("performance_highlights", absent="the abstract gives no measured result")
    assert check_sections([*said, reason], "detailed") == []


@pytest.mark.parametrize(
    "text",
    [
        "성능에 대한 구체적인 정보는 제공되지 않았습니다.",
        "자세한 내용은 논문을 참고하시기 바랍니다.",
        "No performance information is provided.",
        "More details can be found in the paper.",
        "The results were not mentioned in the abstract.",
        "N/A",
    ],
)
def test_a_statement_that_says_nothing_is_known(text: str) -> None:
    assert says_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "데이터가 제공되지 않는 환경에서도 정확도가 높습니다.",
        "추가 정보 없이 학습합니다.",
        "The model needs no labels and reaches 71%.",
        "The paper gives more details to the user than a search engine.",
    ],
)
def test_a_statement_about_what_is_not_given_to_a_model_says_something(text: str) -> None:
    assert not says_nothing(text)


def test_an_avatar_and_a_link_to_another_paper_are_found() -> None:
    paper = Paper(id="2401.00001", title="A")
    good = Head(title="A", url=paper.url, pdf=paper.pdf, thumbnail=paper.thumbnail)
    assert check_head(good, paper) == []
    avatar = Head(
        title="A", thumbnail="https://example.org/avatars/7.svg", pdf="https://arxiv.org/pdf/2401.00002"
    )
    assert kinds(check_head(avatar, paper)) == ["thumbnail", "link"]
    assert kinds(check_head(Head(title="A", pdf=paper.pdf, pdf_is_image=True), paper)) == ["link"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("좋습니다.", "합니다"), ("좋아요!", "해요"), ("제안한다.", "한다"), ("제안함", "함"),
        ("성능이 올랐습니다 (표본 5개).", "합니다"), ("인공지능, 기계 학습", ""), ("It works.", ""),
    ],
)  # fmt: skip
def test_the_register_of_a_sentence_is_its_ending(text: str, name: str) -> None:
    assert register(text) == name


def test_the_odd_register_of_an_edition_is_found_and_a_uniform_one_is_not() -> None:
    same = ["가볍습니다.", "빠릅니다.", "정확합니다.", "작습니다."]
    assert check_register(same) == [None] * 4
    findings = check_register([*same, "결과가 좋다."])
    assert findings[:4] == [None] * 4 and findings[4] is not None
    assert "결과가 좋다."[findings[4].start : findings[4].end] == "좋다."


def test_a_measured_result_without_any_of_its_figures_in_the_entry_is_left_out() -> None:
    abstract = ["We present a parser.", "It reaches 71.4% on ParseBench.", "It has 2.42B parameters."]
    told = ["이 파서의 파라미터는 24.2억 개입니다."]
    findings = check_omitted(abstract, told, lambda sentence: any(c.isdigit() for c in sentence))
    assert [f.expected for f in findings] == [abstract[1]]
    assert check_omitted(abstract, [*told, "71.4%를 얻었습니다."], lambda sentence: True) == []


@pytest.mark.parametrize(
    ("statement", "fragment"),
    [
        ("큰 모델(Meta-AI, 2024)은 강합니다.", "(Meta-AI, 2024)"),
        ("이전 연구(Smith et al., 2020)와 다릅니다.", "(Smith et al., 2020)"),
        ("이 방법은 빠릅니다 [12, 13].", "[12, 13]"),
        ("새 연산 (caligraphic_Q-Add)을 씁니다.", "caligraphic_Q"),
        ("그림 3에서 볼 수 있듯이 빠릅니다.", "그림 3"),
        ("[그림] 구조를 보입니다.", "[그림]"),
        ("As Figure 4 shows, it is fast.", "Figure 4"),
        ("경쟁력 있는 scores를 얻었습니다.", "scores"),
        ("이 모델은 текст를 읽습니다.", "текст"),
        (r"이 값은 \alpha 입니다.", r"\alpha"),
    ],
)
def test_leftovers_are_found_where_they_stand(statement: str, fragment: str) -> None:
    (finding,) = [f for f in check_residue(statement) if f.sure >= 0.5]
    assert finding.text == fragment and statement[finding.start : finding.end] == fragment


@pytest.mark.parametrize(
    "statement",
    [
        "목표 3가지를 세웠습니다.",
        "구간 [0, 1]에서 표본을 뽑습니다.",
        "점수(scores)를 계산합니다.",
        "Chain-of-Thought prompting과 KV cache를 씁니다.",
        "서울(1988)에서 열린 대회입니다.",
        "회의는 봄(April 2024)에 열렸습니다.",
        "“public” 이라는 낱말입니다.",
    ],
)
def test_terms_glosses_and_numbers_are_no_leftovers(statement: str) -> None:
    assert [f for f in check_residue(statement) if f.sure >= 0.5] == []


def test_what_the_abstract_itself_has_is_no_leftover() -> None:
    assert check_residue("We follow Lu et al., 2024 here.", "We follow Lu et al., 2024 here.") == []


@given(st.text(max_size=300))
def test_any_text_is_read_and_offsets_hold(text: str) -> None:
    for finding in check_residue(text):
        assert text[finding.start : finding.end] == finding.text
    register(text)
    says_nothing(text)
    check_register([text, "좋다.", "합니다."])


@pytest.mark.parametrize(
    "piece", ["[1", "(Ab ", "표 ", "more details ", "정보 ", "(", "a superscript ", "1,", "x et al "]
)
def test_hostile_text_costs_no_square(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    start = time.process_time()
    check_residue(text)
    says_nothing(text)
    check_register([text])
    check_omitted([text[:5000]], [text], lambda _: True)
    assert time.process_time() - start < 3


def test_thousands_of_authors_cost_no_square() -> None:
    names = [f"Given{i} Zhang" for i in range(3300)]
    printed = names[:]
    random.Random(1).shuffle(printed)
    start = time.process_time()
    assert kinds(check_authors(printed, names)) == ["author_order"]
    assert time.process_time() - start < 2
