"""What is read from a text: values, units, hedges, and what is no quantity at all."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.quantities import quantities, render_en, render_ko


def only(text):
    found = quantities(text)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.42B parameters", 2.42e9),
        ("1.08 trillion tokens", 1.08e12),
        ("1.08T tokens", 1.08e12),
        ("a 3-billion-parameter model", 3e9),
        ("Scaling to 3 Billion Parameters", 3e9),
        ("1,234 images", 1234),
        ("sixteen tasks", 16),
        ("twenty-five languages", 25),
        ("two million clips", 2e6),
        ("two hundred and five pages", 205),
        ("two-thirds of the cost", 2 / 3),
        ("half the memory", 0.5),
        ("a 128K window", 128e3),
        ("10^4 steps", 1e4),
        ("a rate of 1e-5", 1e-5),
        ("5×10⁶ updates", 5e6),
        ("2억 8,900만 개의 토큰", 289e6),
        ("9,100만 장의 사진", 91e6),
        ("1조 800억 토큰", 1.08e12),
        ("3200만 개의 문장", 32e6),
        ("3.84억 개의 토큰", 384e6),
        ("3천만 명", 3e7),
        ("1만2천 건", 12e3),
        ("4백만 쌍", 4e6),
        ("이백만 명", 2e6),
        ("십육 개", 16),
        ("열여섯 개", 16),
        ("스무 명", 20),
        ("다섯 가지 유형", 5),
        ("두 단계로 학습", 2),
        ("3분의 2", 2 / 3),
        ("절반의 비용", 0.5),
    ],
)
def test_a_number_has_its_value_however_it_is_written(text, value):
    assert only(text).low == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("3.5 times faster", "times"),
        ("16-fold", "times"),
        ("a 2.8× gain", "times"),
        ("세 배", "times"),
        ("1.5배 향상", "times"),
        ("90.9%", "percent"),
        ("90.9 퍼센트", "percent"),
        ("4 p.p.", "pp"),
        ("4 percentage points", "pp"),
        ("4.5%p", "pp"),
        ("3퍼센트포인트", "pp"),
        ("20 hours", "hours"),
        ("20시간", "hours"),
        ("64 GPU hours", "hours"),
        ("5초 만에", "seconds"),
        ("12 ms", "ms"),
        ("48GB", "GB"),
        ("$20", "USD"),
        ("20달러", "USD"),
        ("7B parameters", "params"),
        ("70억 개의 매개변수", "params"),
        ("2T tokens", "tokens"),
        ("12 tasks", "items:tasks"),
    ],
)
def test_a_unit_has_one_name_in_both_languages(text, unit):
    assert only(text).unit == unit


@pytest.mark.parametrize(
    "text",
    [
        "16분야", "5 분석", "30 초기 단계", "8 배치", "20장면", "4 점수", "세대 교체", "네트워크",
        "한계를 넘어",
        "세트를 구성",
        "열린 어휘", "세밀한 제어",
    ],
)  # fmt: skip
def test_a_word_that_begins_like_a_unit_or_a_numeral_is_neither(text):
    assert all(not found.dimension and found.written for found in quantities(text))


@pytest.mark.parametrize(
    "text",
    [
        "Qwen2.5-32B", "GPT-4", "GPT-4o", "3D", "Llama-3-8B", "Phi-3", "CIFAR-10",
        "ImageNet-1K", "H100", "top-5", "pass@1",
        "F1", "v2", "L2", "BLEU-4", "2D/3D", "arXiv:2407.21018", "Section 3.2", "see https://a.example/v2/100",
        "(Someone et al., 2023)", "그림 3", "(1) 첫째로", "1인칭 시점", "release 1.2.3",
    ],
)  # fmt: skip
def test_numbers_inside_names_and_references_are_no_quantities(text):
    assert [found.text for found in quantities(text) if found.written] == []


@pytest.mark.parametrize(
    ("text", "hedge"),
    [
        ("about 300 hours", "about"), ("약 300시간", "about"), ("300시간가량", "about"), ("over 20 %",
        "over"),
        ("more than 300 tasks", "over"), ("500+ images", "over"), ("300여 개", "over"),
        ("20%를 넘는 이득", "over"),
        ("at least 5 runs", "at least"), ("5회 이상", "at least"), ("최소 5개", "at least"),
        ("under 3 ms", "under"), ("3ms 미만", "under"), ("3ms 이하", "at most"), ("up to 2.8×", "up to"),
        ("최대 2.8배", "up to"), ("2.8배까지", "up to"), ("2.8배 향상", None), ("4% 초과하여 앞섭니다", None),
    ],
)  # fmt: skip
def test_a_hedge_is_read_before_and_behind(text, hedge):
    assert only(text).hedge == hedge


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("6.5–7.0", 6.5, 7.0),
        ("5 to 10 samples", 5, 10),
        ("between 5 and 10 samples", 5, 10),
        ("8K-128K tokens", 8e3, 128e3),
        ("7-13B parameters", 7e9, 13e9),
        ("5~10개", 5, 10),
    ],
)
def test_a_range_is_one_quantity(text, low, high):
    assert (only(text).low, only(text).high) == (low, high)


def test_from_one_value_to_another_is_two():
    assert [found.low for found in quantities("improves from 0.612 to 1.204")] == [0.612, 1.204]


def test_a_product_keeps_both_factors():
    assert [found.low for found in quantities("8×289M experts of 8times289M")] == [8, 289e6, 8, 289e6]


def test_a_year_is_no_count():
    assert only("since 2023").kind == "year"
    assert only("2023년부터").kind == "year"
    assert only("2,023 images").kind != "year"


def test_a_denominator_is_kept():
    assert only("$20 per tutor annually").per == "tutor"
    assert only("튜터당 연간 20달러").per == "튜터"


def test_a_size_behind_a_name_is_marked_as_named():
    assert only("Mistral 7B 모델").kind == "named"


def test_the_last_percent_sign_of_a_list_counts_for_all():
    assert [found.unit for found in quantities("70, 20 and 10% splits")] == ["percent"] * 3


@pytest.mark.parametrize(
    ("value", "korean", "english"),
    [
        (2.42e9, "24.2억", "2.42 billion"),
        (289e6, "2.89억", "289 million"),
        (91e6, "9,100만", "91 million"),
        (1.08e12, "1.08조", "1.08 trillion"),
        (123_456_789, "1억 2,345만 6,789", "123,456,789"),
        (15_000, "1만 5,000", "15,000"),
        (999, "999", "999"),
        (0.045, "0.045", "0.045"),
    ],
)
def test_a_value_is_written_as_each_press_does(value, korean, english):
    assert (render_ko(value), render_en(value)) == (korean, english)


@given(st.integers(1, 10**16))
def test_korean_rendering_reads_back(value):
    assert only(render_ko(value) + "개").low == float(value)


@given(st.integers(1, 10**16))
def test_english_rendering_reads_back(value):
    assert only(render_en(value) + " images").low == float(value)


@given(st.floats(0.001, 9999, allow_nan=False).map(lambda value: round(value, 3)))
def test_small_decimals_read_back(value):
    assert math.isclose(only(render_ko(value) + "%").low, value)


ALPHABET = "0123456789.,-–~×x%$ ()억만천조이삼십백두세개배년월분초약최대이상점 aBMKTetwohundred\\^_/:@İß가"


@given(st.text(ALPHABET, max_size=60) | st.text(max_size=60))
def test_reading_never_fails_and_offsets_index_the_text(text):
    for found in quantities(text):
        assert found.text == text[found.start : found.end] != ""
        assert math.isfinite(found.low) and math.isfinite(found.high)


@given(st.text(ALPHABET, max_size=60))
def test_quantities_stand_in_order_and_apart(text):
    found = quantities(text)
    assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))


@pytest.mark.parametrize(
    "unit",
    [
        "1 ",
        "7",
        "1,111,",
        "1.",
        "2억 8,900만 개 ",
        "이백만",
        "two ",
        "two thousand ",
        "5-",
        "8x",
        "1/2/",
        "3 a ",
        "(",
        "십",
        "1:1",
    ],
)
def test_time_grows_with_the_length_and_no_faster(unit):
    """Quadratic parsing would take sixteen times as long for four times the text, not four."""

    def seconds(size):
        text = unit * (size // len(unit))
        best = math.inf
        for _ in range(2):
            begun = time.process_time()
            quantities(text)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(24_000) < 9 * max(seconds(6_000), 0.01)
