"""Rates on real statements; the recipe that makes them wrong, on small ones of our own."""

import gzip
import importlib.util
import json
import random
import sys
from pathlib import Path

import pytest

from presscheck.digest.check.numbers import SURE_ENOUGH, compare_numbers

RECIPE = Path(__file__).resolve().parents[3] / "benchmarks" / "corruptions.py"


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("corruptions", RECIPE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["corruptions"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["corruptions"]


@pytest.fixture
def own(recipe):
    """Two small papers of our own."""
    tarn = {
        "paper": "2407.00001",
        "title": "Tarn: A Small Model",
        "abstract": "Tarn has 24 million parameters. It is tested on 318 maps and two rivers.",
        "evidence": "",
    }
    moor = {
        "paper": "2407.00002",
        "title": "Moor: A Large Model",
        "abstract": "Moor reads books.",
        "evidence": "",
    }
    return [
        recipe.Pair(statement="Tarn은 2400만 개의 매개변수를 가집니다.", **tarn),
        recipe.Pair(statement="Tarn을 318개 지도와 두 가지 강에서 시험합니다.", **tarn),
        recipe.Pair(statement="Moor는 책을 읽습니다.", **moor),
    ]


def found(pair, text):
    return [one for one in compare_numbers(text, pair.sentences) if one.sure >= SURE_ENOUGH]


def test_the_same_seed_makes_the_same_statements_wrong_whatever_stands_beside_them(recipe, own):
    for kind in ("number", "number_word", "magnitude"):
        alone = [one.text for one in recipe.corrupt(own[1:2], kind, seed=3)]
        among = [one.text for one in recipe.corrupt(own, kind, seed=3) if one.pair is own[1]]
        assert alone == among


def test_a_corruption_changes_just_what_it_says(recipe, own):
    for kind in ("number", "number_word", "magnitude", "name"):
        made = list(recipe.corrupt(own, kind))
        assert made
        for one in made:
            assert one.text[one.start : one.end] == one.now != one.was
            restored = one.text[: one.start] + one.was + one.text[one.end :]
            assert restored == one.pair.statement


def test_every_number_made_wrong_in_our_own_statements_is_found(recipe, own):
    assert [found(pair, pair.statement) for pair in own] == [[], [], []]
    for kind in ("number", "magnitude"):
        for seed in range(20):
            for one in recipe.corrupt(own, kind, seed):
                assert found(one.pair, one.text), one


def test_a_foreign_statement_is_of_another_paper(recipe, own):
    made = list(recipe.corrupt(own, "foreign"))
    assert made and all(
        one.text not in [p.statement for p in own if p.paper == one.pair.paper] for one in made
    )


@pytest.mark.shared
def test_rates_on_the_papers_kept_for_the_report(recipe, shared_data):
    """Bounds stand a little under what was measured, so that a real loss fails and noise does not."""
    path = shared_data / "korean_digests_2024-12_2025-08.jsonl.gz"
    pairs = [pair for pair in recipe.pairs(path) if pair.part == "report"]
    flagged = sum(bool(found(pair, pair.statement)) for pair in pairs)
    assert len(pairs) > 2000
    assert flagged <= 0.01 * len(pairs)
    for kind, least in (("number", 0.94), ("magnitude", 0.95)):
        made = list(recipe.corrupt(pairs, kind))
        caught = sum(
            any(
                one.start < made_one.end and one.end > made_one.start
                for one in found(made_one.pair, made_one.text)
            )
            for made_one in made
        )
        assert len(made) > 100
        assert caught >= least * len(made)


@pytest.mark.shared
def test_abstracts_agree_with_themselves(recipe, shared_data):
    with gzip.open(shared_data / "daily_papers_2024-05_2026-03.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = random.Random(0).sample([json.loads(line) for line in lines], 300)
    for row in rows:
        pair = recipe.Pair(
            paper=row["id"],
            title=row["title"],
            statement="",
            abstract=" ".join(row["summary"].split()),
            evidence="",
        )
        sentences = pair.sentences
        for number, sentence in enumerate(sentences):
            assert compare_numbers(sentence, sentences, evidence=[number], complete=True) == []
