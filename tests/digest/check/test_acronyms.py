"""Acronyms: a wrong expansion is found, the many right ways to write one are not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.acronyms import check_expansions, expansions, expansions_table, same

SOURCE = [
    "We compare Kolmogorov-Arnold Networks (KANs) with a Tri-plane Graph Decoder (TGD).",
    "Large language models are not used.",
]


def found(statement: str) -> list[tuple[str, str]]:
    return [(f.text, f.expected) for f in check_expansions(statement, SOURCE) if f.sure >= 0.5]


def test_the_table_has_two_hundred_expansions() -> None:
    assert len(expansions_table()) >= 200


@pytest.mark.parametrize(
    "statement",
    [
        "Kernel Attention Networks (KAN)를 제안합니다.",
        "KAN(Kernel Attention Networks)을 제안합니다.",
        "커널 망(Kernel Attention Networks, KAN)을 제안합니다.",
    ],
)
def test_an_expansion_that_is_not_the_sources_is_found_in_every_spelling(statement: str) -> None:
    assert found(statement) == [("Kernel Attention Networks", "Kolmogorov-Arnold Networks")]


@pytest.mark.parametrize(
    "statement",
    [
        "Kolmogorov Arnold Network (KAN)를 씁니다.",
        "The Kolmogorov–Arnold networks (KANs) are used.",
        "대형 언어 모델(Large Language Model, LLM)을 씁니다.",
        "LLMs(Large Language Models)를 씁니다.",
        "triplane graph decoder (TGD)를 씁니다.",
        "시각 언어 모델(Visual Language Models, VLM)도 봅니다.",
        "지식 증류(knowledge distillation, KD)를 씁니다.",
        "새로운 방법(Bounded Sparse Routing, BSR)을 제안합니다.",
    ],
)
def test_the_same_words_in_another_form_are_left_alone(statement: str) -> None:
    assert found(statement) == []


def test_where_the_source_is_silent_the_usual_meaning_counts_less() -> None:
    (finding,) = check_expansions("Neural Language Processing (NLP)를 다룹니다.", SOURCE)
    assert finding.expected == "Natural Language Processing" and finding.sure < 0.6


def test_letters_may_come_from_inside_words() -> None:
    (one,) = expansions("We use the Quiet Tensor eXchange (QTX) here.")
    assert one.words == "Quiet Tensor eXchange"


def test_same_ignores_articles_and_plurals_only() -> None:
    assert same("Mixture of the Experts", "mixture-of-expert")
    assert not same("Kernel Attention Networks", "Kolmogorov-Arnold Networks")


@given(st.text(max_size=300))
def test_any_text_is_read_and_offsets_hold(text: str) -> None:
    for one in expansions(text):
        assert text[one.start : one.end] == one.words


@pytest.mark.parametrize("piece", ["Ab (", "A ", "A-", "(AB, ", "a b c (ABC) ", "KAN("])
def test_hostile_text_costs_no_square(piece: str) -> None:
    start = time.process_time()
    check_expansions(piece * (1_000_000 // len(piece)), SOURCE)
    assert time.process_time() - start < 3
