import re

import pytest

from presscheck.digest.fields import MOST, fields, table
from presscheck.papers.paper import make_paper
from presscheck.papers.sentences import digest, locate


def paper(title, abstract="We study a thing. It is a good thing, and it works well.", **rest):
    return make_paper(
        id="2401.00001", title=title, abstract=abstract, authors=["A. Author"], version="v1", **rest
    )


def names(given, language="en"):
    return [statement.text for statement in fields(given, language)]


def test_the_table_has_eighty_fields_with_distinct_names_in_both_languages():
    known = table()
    assert len(known) >= 80
    assert len({field.en for field in known}) == len({field.ko for field in known}) == len(known)
    assert all(field.terms for field in known)
    assert all(re.search("[가-힣]", field.ko) for field in known)


def test_no_term_belongs_to_two_fields():
    terms = [term.lower() for field in table() for term in field.terms]
    assert len(terms) == len(set(terms))


def test_evidence_is_the_first_sentence_with_a_term():
    given = paper(
        "Owls", "We watch birds at night. Our model learns speech recognition. Speech recognition is hard."
    )
    (statement,) = [each for each in fields(given, "en") if each.text == "Speech Recognition"]
    (evidence,) = statement.evidence
    assert (evidence.source, evidence.sentence, evidence.version) == ("abstract", 2, "v1")
    assert locate(given, given.sentences[1]) == "Our model learns speech recognition."
    assert evidence.hash == given.sentences[1].hash
    assert given.abstract_original[evidence.start : evidence.end] == "Our model learns speech recognition."


def test_a_term_of_the_title_points_to_the_title_and_comes_first():
    given = paper("Machine Translation of Owls", "We use reinforcement learning here.")
    first = fields(given, "en")[0]
    assert first.text == "Machine Translation"
    assert (first.evidence[0].source, first.evidence[0].sentence) == ("title", 1)
    assert first.evidence[0].hash == digest(given.title)


def test_nothing_is_named_that_no_term_stands_for():
    assert fields(paper("Owls at Night"), "en") == ()
    assert fields(paper("Owls at Night", categories=("cs.RO", "cs.CV")), "en") == ()


def test_categories_break_a_tie_but_bring_nothing_in():
    text = "We join speech recognition and robotics."
    assert names(paper("Owls", text))[0] == "Speech Recognition"
    assert names(paper("Owls", text, categories=("cs.RO",)))[0] == "Robotics"


def test_capitals_hyphens_and_plurals():
    assert "Retrieval-Augmented Generation" in names(
        paper("Owls", "We improve retrieval augmented generation.")
    )
    assert "Mixture of Experts" in names(paper("Mixture-of-Experts Owls"))
    assert "Knowledge Graphs" in names(paper("Knowledge graphs of owls"))
    assert "Theorem Proving" not in names(paper("Lean", "A lean design is cheap."))[1:]
    assert names(paper("Owls", "The owls lean on a tree.")) == []


def test_a_word_inside_another_is_no_term():
    assert names(paper("Owls", "The musicality of owls is a ragged thing.")) == []


def test_a_longer_term_takes_its_words_with_it():
    """Text-to-video retrieval of a long term must not also count the shorter one inside it."""
    assert "Machine Learning" not in names(paper("Owls", "We study spiking neural networks."))
    assert "Neuroscience and Brain Signals" in names(paper("Owls", "We study spiking neural networks."))


def test_four_at_most_and_broad_ones_last():
    text = (
        "A large language model uses speech recognition, robotics, machine translation, music and OCR. "
        "The large language model is large."
    )
    found = names(paper("Owls", text))
    assert len(found) <= MOST
    assert "Large Language Models" not in found[:2]


def test_korean_names_are_korean_and_equally_grounded():
    given = paper("Machine Translation of Owls")
    english, korean = fields(given, "en"), fields(given, "ko")
    assert [each.text for each in korean] == ["기계 번역"]
    assert [each.evidence for each in korean] == [each.evidence for each in english]


@pytest.mark.parametrize("text", ["robot " * 100_000, "a " * 500_000, "ㄱ" * 300_000])
def test_long_text_is_read_in_linear_time(text):
    import time

    given = paper("Owls", text)
    start = time.perf_counter()
    fields(given, "en")
    assert time.perf_counter() - start < 3.0
