"""The table of words: complete, in both languages, filled safely."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from presscheck.edition.words import WORDS, count, day_in_words, say, time_in_words

TEMPLATES = resources.files("presscheck.edition").joinpath("templates")


@pytest.mark.parametrize("key", WORDS)
def test_a_word_has_the_same_blanks_in_both_languages_and_korean_where_it_is_korean(key):
    english, korean = WORDS[key]
    assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", korean))
    assert not re.search("[가-힣]", english)
    assert re.search("[가-힣]", korean) or english == korean == "PDF"


def test_korean_sentences_are_in_one_register():
    for _, korean in WORDS.values():
        if korean.endswith("."):
            assert korean.endswith("니다.")


def test_every_word_of_the_templates_is_in_the_table():
    used = set()
    for path in TEMPLATES.iterdir():
        if path.name.endswith(".html"):
            used |= set(re.findall(r'\b(?:w|say)\("([^"]+)"', path.read_text(encoding="utf-8")))
    assert len(used) > 20 and used <= set(WORDS)


def test_a_value_is_never_read_as_a_blank():
    assert say("at_paper", "en", version="{place}", place="Table 2") == "Full text {place}, Table 2"


def test_an_empty_value_leaves_no_gap():
    assert say("at_abstract", "en", version="", n=3) == "Abstract, sentence 3"
    assert say("at_paper", "en", version="v1", place="") == "Full text v1"


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 votes"), (1, "1 vote"), (-1, "−1 votes"), (1234, "1,234 votes")]
)
def test_counts(n, words):
    assert count("vote", n, "en") == words
    assert count("vote", n, "ko") == f"추천 {words.split()[0]}"


def test_days_in_words():
    assert day_in_words("2024-07-31", "en") == "Wednesday, 31 July 2024"
    assert day_in_words("2024-07-31", "ko") == "2024년 7월 31일 수요일"
    assert day_in_words("no day", "en") == "no day"


def test_times_in_words():
    assert time_in_words("2024-07-31T01:02:03Z") == "2024-07-31 01:02 UTC"
    assert time_in_words("later") == "later"
