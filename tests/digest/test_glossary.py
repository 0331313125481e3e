"""The glossary: what concerns a paper, what it rules out, and a user's own rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from presscheck.digest.glossary import Glossary, check_terms, load_glossary, ours, read_terms
from presscheck.errors import BadInput


def test_ours_has_the_terms_of_the_field_and_no_form_that_is_right_and_wrong():
    glossary = ours()
    assert len(glossary) >= 300
    for term in glossary.terms:
        assert not set(term.ko) & set(term.wrong), term.en
        assert all(any("가" <= letter <= "힣" or letter.isascii() for letter in form) for form in term.ko)


def test_no_english_form_stands_in_two_rows():
    forms = [form.lower() for term in ours().terms for form in term.en]
    assert len(forms) == len(set(forms))


def test_a_ruled_out_rendering_is_found_with_the_right_one():
    (finding,) = check_terms("새로운 연속 추천 모델입니다.", ["A model for sequential recommendation."])
    assert (finding.kind, finding.text, finding.expected) == ("term", "연속 추천", "순차 추천")
    assert "새로운 연속 추천 모델입니다."[finding.start : finding.end] == "연속 추천"


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("새로운 순차 추천 모델입니다.", "A model for sequential recommendation."),
        ("상품을 연속 추천합니다.", "A shop shows one item after the other."),
        ("A model for sequential recommendation.", "A model for sequential recommendation."),
        ("정밀도가 높습니다.", "Accuracy and precision are high."),
        ("대저수로를 지납니다.", "Each channel is scored."),
        ("", ""),
    ],
)
def test_what_is_right_or_about_something_else_is_no_finding(statement: str, source: str):
    assert check_terms(statement, [source]) == []


def test_a_term_is_found_in_the_plural_across_case_and_hyphens():
    names = [term.en[0] for term in ours().of(["State-Of-The-Art LANGUAGE MODELS with attention heads"])]
    assert {"state of the art", "language model", "attention head", "attention"} <= set(names)


def test_a_users_row_takes_the_place_of_ours_and_others_stay(tmp_path: Path):
    path = tmp_path / "terms.tsv"
    path.write_text("# ours\nbaseline\t기저\t기준선\nwug\t워그\n", "utf-8")
    glossary = load_glossary(path)
    said = check_terms("기준선보다 낫습니다.", ["It beats the baseline."], glossary)
    assert [finding.expected for finding in said] == ["기저"]
    assert [term.ko for term in glossary.of(["a wug"])] == [("워그",)]
    assert glossary.of(["a diffusion model"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"only english\n", "line 1"),
        (b"# fine\n\t\xea\xb0\x80\n", "line 2"),
        (b"a\tb\tc\td\te\n", "line 1"),
        (b"--\t\xea\xb0\x80\n", "line 1"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_row_of_another_shape_is_named(tmp_path: Path, data: bytes, words: str):
    path = tmp_path / "terms.tsv"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=words):
        load_glossary(path)


def test_a_missing_glossary_is_told(tmp_path: Path):
    with pytest.raises(BadInput, match="cannot read the glossary"):
        load_glossary(tmp_path / "none.tsv")


def test_an_empty_glossary_finds_nothing():
    assert Glossary(read_terms("", "x")).of(["language model"]) == []
