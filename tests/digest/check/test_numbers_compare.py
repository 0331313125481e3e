"""The numbers of a statement held against a source."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.numbers import SURE_ENOUGH, compare_numbers

SOURCE = (
    "Tarn: A Small Model that Reads Maps",
    "We present Tarn, a 2.42B model trained on 1.08 trillion tokens.",
    "It is tested on sixteen tasks in 12 languages and is up to 2.8× faster than Moor 7B.",
    "Accuracy rises by over 20 %, from 52.55% to 63.1%, and memory falls by half.",
    "Training took 30 hours on 8 GPUs and cost $20 per tutor.",
    "Three annotators wrote 1,378 questions for AIME 2024.",
)


def kinds(statement, sources=SOURCE, **more):
    return [
        (found.kind, found.text) for found in compare_numbers(statement, sources, **more) if found.sure >= 0.5
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "Tarn은 24.2억 개의 파라미터를 가집니다.",
        "24억 2,000만 개의 파라미터",
        "2.42B 파라미터",
        "약 24억 개의 파라미터",
        "1조 800억 토큰으로 학습했습니다.",
        "1,080B tokens",
        "약 1.1조 토큰",
        "16개 작업에서",
        "열여섯 가지 과제",
        "최대 2.8배 빠릅니다.",
        "up to 2.8 times as fast",
        "정확도가 52.6%에서 63.1%로 오릅니다.",
        "메모리를 절반으로 줄입니다.",
        "메모리가 50% 줄어듭니다.",
        "20% 이상 향상됩니다.",
        "30시간이 걸렸습니다.",
        "1,800분이 걸렸습니다.",
        "세 명의 주석자",
        "튜터당 20달러",
        "Moor 7B보다 빠릅니다.",
        "GPT-5보다 낫습니다.",
        "3D 지도를 읽습니다.",
    ],
)
def test_what_the_source_says_is_let_pass_however_it_is_put(statement):
    assert kinds(statement) == []


@pytest.mark.parametrize(
    ("statement", "kind", "fragment", "expected"),
    [
        ("2.42억 개의 파라미터", "magnitude", "2.42억 개", "24.2억"),
        ("242억 개의 파라미터", "magnitude", "242억 개", "24.2억"),
        ("a model of 2.42M parameters", "magnitude", "2.42M", "2.42 billion"),
        ("1,080억 토큰으로", "magnitude", "1,080억 토큰", "1.08조"),
        ("13,780개의 질문", "magnitude", "13,780개", "1,378"),
        ("18개 언어에서", "number", "18개", "12"),
        ("네 명의 주석자", "number", "네 명", "3"),
        ("정확도가 52.55%에서 68.1%로", "number", "68.1%", "63.1%"),
        ("1,379개의 질문", "number", "1,379개", "1,378"),
        ("30분이 걸렸습니다", "unit", "30분", "30시간"),
        ("최소 2.8배 빠릅니다", "hedge", "2.8배", "최대 2.8배"),
        ("2.8배 빠릅니다", "hedge", "2.8배", "최대 2.8배"),
        ("비용은 20달러입니다", "unit", "20달러", "20달러"),
        ("AIME 2042에서", "number", "2042", "2,024"),
    ],
)
def test_what_the_source_says_otherwise_is_found(statement, kind, fragment, expected):
    assert kinds(statement) == [(kind, fragment)]
    (found,) = [one for one in compare_numbers(statement, SOURCE) if one.sure >= SURE_ENOUGH]
    assert found.expected == expected
    assert statement[found.start : found.end] == fragment


def test_a_factor_through_korean_units_is_named_with_both_renderings():
    (found,) = compare_numbers("2.42억 개의 파라미터", SOURCE, places=["title", "sentence 1"])
    assert "2.42B = 24.2억" in found.why and "a factor of 10 too little" in found.why
    assert found.why.endswith("(sentence 1)")


def test_a_number_of_quite_another_size_is_missing_and_nothing_is_said_to_be_meant():
    source = ["The corpus has 4 billion tokens, and energy falls by 80%."]
    for statement, text in (("2,988개의 토큰", "2,988개"), ("에너지가 2.7% 듭니다", "2.7%")):
        (found,) = compare_numbers(statement, source)
        assert (found.kind, found.text, found.expected) == ("number", text, "")
    (near,) = compare_numbers("에너지가 70% 줄어듭니다", source)
    assert near.expected == "80%"


def test_a_bound_turned_round_is_surer_than_a_bound_lost():
    lost = compare_numbers("2.8배 빠릅니다", SOURCE)[0].sure
    turned = compare_numbers("최소 2.8배 빠릅니다", SOURCE)[0].sure
    assert turned > 0.8 > lost >= SURE_ENOUGH


def test_points_are_no_percent():
    source = ["The score rises by 4.2 points."]
    assert kinds("점수가 4.2% 오릅니다.", source) == [("unit", "4.2%")]
    assert kinds("점수가 4.2점 오릅니다.", source) == []
    assert kinds("점수가 4.2%p 오릅니다.", source) == []


def test_relative_told_as_points_is_a_wrong_unit():
    source = ["a relative improvement of 16% over the baseline"]
    assert kinds("16%p 향상됩니다.", source) == [("unit", "16%p")]
    assert kinds("상대적으로 16% 향상됩니다.", source) == []


def test_a_statement_may_be_coarser_than_its_source_but_never_finer():
    assert kinds("정확도 52.6%", ["accuracy of 52.55%"]) == []
    assert kinds("정확도 52.55%", ["accuracy of 52.6%"]) == [("number", "52.55%")]


def test_one_digit_of_a_percentage_is_not_rounded_away():
    assert kinds("97% 이상의 정확도", ["over 98% accuracy"]) == [("number", "97%")]


def test_a_number_inside_a_name_supports_no_percentage():
    assert [found.kind for found in compare_numbers("4% 향상", ["We compare with GPT-4."])] == ["number"]


def test_what_is_counted_in_words_does_not_stand_inside_a_name():
    source = ("Tarn-4o is diagnosed across three critical dimensions of 4D scenes.",)
    said = "네 가지 주요 차원에서 Tarn-4o를 진단합니다."
    assert kinds(said, source, evidence=[0]) == [("number", "네 가지")]
    assert kinds(said.replace("네", "세"), source, evidence=[0]) == []


def test_a_count_of_what_the_source_lists_is_the_writers_own():
    source = ["The pipeline has cleaning, filtering, and ranking."]
    assert compare_numbers("세 가지 처리를 거칩니다.", source) == []


def test_a_number_that_the_abstract_lacks_is_a_hint_and_in_the_whole_paper_an_error():
    source = ["We train a model."]
    (hint,) = compare_numbers("배치 크기는 640입니다.", source)
    (error,) = compare_numbers("배치 크기는 640입니다.", source, complete=True)
    assert hint.sure < SURE_ENOUGH <= error.sure


def test_numbers_of_a_statement_that_nothing_carries_are_hints():
    statement = "정확도는 71.9%입니다."
    assert kinds(statement) == [("number", "71.9%")]
    assert kinds(statement, evidence=()) == []


def test_evidence_tells_a_number_of_another_thing_from_its_own():
    source = ["We release 5 tasks.", "We test 9 models."]
    assert kinds("5개의 모델을 시험합니다.", source, evidence=[1]) == [("number", "5개")]
    assert kinds("9개의 모델을 시험합니다.", source, evidence=[1]) == []


def test_two_values_for_one_thing_are_a_conflict_of_the_source():
    source = [
        "Tarn raises the mean answer correctness score on the hidden test set to 0.752 at once.",
        "Tarn thus raises the mean answer correctness score on the hidden test set to 0.754 again.",
    ]
    assert kinds("정답 점수는 0.752입니다.", source) == [("source_conflict", "0.752")]


def test_two_values_of_two_things_are_no_conflict():
    source = ["Tarn reaches 0.752 on maps drawn by hand.", "Moor reaches 0.754 on satellite photographs."]
    assert kinds("Tarn은 0.752를 얻습니다.", source) == []


def test_a_source_agrees_with_itself():
    for number, sentence in enumerate(SOURCE):
        assert compare_numbers(sentence, SOURCE, evidence=[number], complete=True) == []
        assert compare_numbers(sentence, SOURCE) == []


@given(st.lists(st.text("0123456789.,-% 억만개배약 twoBM()", max_size=30), min_size=1, max_size=4))
def test_any_text_agrees_with_itself(pieces):
    for piece in pieces:
        found = compare_numbers(piece, pieces)
        assert [one for one in found if one.kind in ("number", "magnitude", "unit")] == []


def test_thousands_of_numbers_take_seconds_at_most():
    statement = " ".join(f"{number}.5%" for number in range(4000))
    begun = time.process_time()
    compare_numbers(statement, [" ".join(f"{number}.25% of" for number in range(4000))])
    assert time.process_time() - begun < 20


def test_a_statement_of_ten_megabytes_is_answered():
    begun = time.process_time()
    compare_numbers("2.42억 개의 파라미터와 " * 700_000, SOURCE)
    assert time.process_time() - begun < 20
