"""Relations: a direction turned round is found, and nothing is said where it cannot be settled."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.relations import check_relations, signs


def found(statement: str, sentence: str, probability: float = 0.95) -> list[tuple[str, str]]:
    return [(f.kind, f.text) for f in check_relations(statement, sentence, probability)]


@pytest.mark.parametrize(
    ("statement", "sentence", "fragment"),
    [
        ("메모리 사용량이 증가합니다.", "Memory use is reduced by pruning.", "증가"),
        ("정확도가 저하되었습니다.", "Pruning improves accuracy on all tasks.", "저하"),
        ("Memory use is increased by pruning.", "Memory use is reduced by pruning.", "increased"),
        ("Our parser is worse than the baseline.", "Our parser outperforms the baseline.", "worse than"),
    ],
)
def test_a_direction_turned_round_is_found(statement: str, sentence: str, fragment: str) -> None:
    assert found(statement, sentence) == [("relation", fragment)]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("메모리 사용량이 감소합니다.", "Memory use is reduced by pruning."),
        ("정확도 저하 없이 속도를 높입니다.", "It improves speed at the same accuracy."),
        ("성능 저하를 방지합니다.", "It improves results."),
        ("정확도가 향상되고 지연이 감소합니다.", "Latency is increased for some inputs."),
        ("지연이 감소합니다.", "The method is better than the baseline."),
        ("16배 긴 문맥으로 확장합니다.", "It extends to a 16x longer context with less memory."),
    ],
)
def test_nothing_is_said_where_signs_agree_or_are_several(statement: str, sentence: str) -> None:
    assert found(statement, sentence) == []


def test_an_unlikely_sentence_settles_nothing() -> None:
    assert found("메모리 사용량이 증가합니다.", "Memory use is reduced by pruning.", 0.5) == []


def test_a_denial_added_or_dropped_within_one_language_is_found() -> None:
    plain, denied = (
        "The parser needs labelled data for training.",
        "The parser needs no labelled data for training.",
    )
    assert found(denied, plain) == [("negation", "no")]
    assert [kind for kind, _ in found(plain, denied)] == ["negation"]
    assert found(denied, denied) == []


def test_a_denial_is_not_compared_across_languages() -> None:
    assert found("레이블 없이 학습합니다.", "It learns from raw text alone.") == []


def test_a_dropped_relative_is_found_and_a_kept_one_is_not() -> None:
    sentence = "The error falls by 20% relative."
    assert found("오류율은 20%입니다.", sentence) == [("relation", "20%")]
    assert found("오류율이 상대적으로 20% 낮습니다.", sentence) == []


def test_what_was_simulated_is_not_the_real_world() -> None:
    assert found("실제 환경에서 로봇을 시험했습니다.", "We test it on simulated robots.") == [
        ("relation", "실제 환경")
    ]
    assert found("시뮬레이션에서 로봇을 시험했습니다.", "We test it on simulated robots.") == []


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_read_and_offsets_hold(text: str, sentence: str) -> None:
    for sign in signs(text):
        assert text[sign.start : sign.end] == sign.text
    for finding in check_relations(text, sentence, 1.0):
        assert text[finding.start : finding.end] == finding.text


@pytest.mark.parametrize("piece", ["not a ", "증가", "without ", "고 ", "no "])
def test_hostile_text_costs_no_square(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    start = time.process_time()
    check_relations(text, text, 1.0)
    assert time.process_time() - start < 3
