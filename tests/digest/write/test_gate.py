"""The gates before the check: plain words, one sentence, the paper's own words and denials."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.write.facts import read
from presscheck.digest.write.gate import gate
from presscheck.digest.write.hostile import addressed
from presscheck.digest.write.sanitise import plain_words
from presscheck.digest.write.words import new_denial, strange_words
from tests.digest.write.papers import GOOD, LARCH
from tests.standin.model import facts


@pytest.mark.parametrize("one", GOOD)
def test_a_plain_statement_passes(one: dict[str, str]):
    en = one["en"].replace("{1}", "2.8 times").replace("{2}", "0.4%")
    assert gate(en, "en", [LARCH]) == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Larch** is `fast`.", "Larch is fast."),
        ("[Larch](javascript:alert(1)) is fast.", "Larch is fast."),
        ("![x](https://a.b/c.png) Larch.", "x Larch."),
        ("<b>Larch</b> is <script src=x>fast</script>.", "Larch is fast ."),
        ("<scr<b>ipt>Larch", "<scr ipt>Larch"),
        ("# Larch\nis\tfast.", "Larch is fast."),
        ("a < b and c > d", "a < b and c > d"),
        ("Lar\u200bch \u202eis\u202c fast.", "Larch is fast."),
        ("2*3 = 6", "2*3 = 6"),
        ("<!-- hidden -->Larch", "Larch"),
        ("<img src=x onerror=alert(1)", ""),
    ],
)
def test_markup_is_taken_off(text: str, plain: str):
    assert plain_words(text) == plain


@given(st.text(max_size=200))
def test_plain_words_are_one_line_without_hidden_letters_and_stay_as_they_are(text: str):
    once = plain_words(text)
    assert plain_words(once) == once
    assert "\n" not in once and once == once.strip()
    assert not any(letter in once for letter in "\u200b\u202e\x00\x1b")


@given(st.text(max_size=300))
def test_no_text_breaks_a_gate_or_the_reader(text: str):
    gate(text, "en", [LARCH], [text])
    gate(text, "ko", [LARCH], [text])
    addressed(text)
    read(text)
    read(facts({"en": text, "ko": text}))


@pytest.mark.parametrize(
    "unit", ["you must ", "ignore all ", "[x](", "AI ", "a. ", "<b", "1,", "지시 ", "AAAAaaaa1"]
)
def test_hostile_text_costs_no_more_than_real_text(unit: str):
    text = unit * (20_000 // len(unit))
    begun = time.perf_counter()
    addressed(text)
    plain_words(text)
    gate(text[:2000], "en", [LARCH])
    assert time.perf_counter() - begun < 2.0


def test_a_statement_with_several_sentences_is_refused():
    said = gate("Larch is a cache. It keeps the channels that queries use.", "en", [LARCH])
    assert any("one sentence" in finding.why for finding in said)


@pytest.mark.parametrize("text", ["Larch deserves trust from bankers.", "Everybody in Paris adores Larch."])
def test_words_that_the_paper_lacks_are_told(text: str):
    assert strange_words(text, "en", LARCH)


def test_a_name_that_the_paper_lacks_is_told_in_korean():
    assert strange_words("Larch는 Spruce보다 메모리를 줄이는 캐시를 소개합니다.", "ko", LARCH) == "Spruce"


def test_a_denial_needs_one_in_the_sentences_that_are_named():
    assert new_denial("Larch loses no accuracy.", "en", ["Larch loses 0.4% accuracy."]) == "no"
    assert not new_denial("Larch needs no training.", "en", ["Larch works without training."])
    assert new_denial("정확도를 전혀 잃지 않습니다.", "ko", ["Larch loses 0.4% accuracy."])
    assert not new_denial("학습이 필요 없습니다.", "ko", ["Larch is training-free."])
