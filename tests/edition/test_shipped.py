from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec
import pytest

from presscheck.edition.shipped import load_shipped, shipped_dates, verify_shipped, with_abstracts
from presscheck.types import LANGUAGES, SECTIONS, STYLES, Day, Edition, Entry, Statement
from tests.edition import quantities

# What ships: the form that every edition keeps -----------------------------------


@pytest.fixture(scope="module", params=shipped_dates())
def edition(request: pytest.FixtureRequest) -> Edition:
    return load_shipped(request.param)


def statements(entry: Entry) -> list[tuple[str, Statement]]:
    """All statements of an entry with their section; press notes too."""
    inside = [(section.key, item) for section in entry.sections for item in section.statements]
    return inside + [("notes", item) for item in entry.notes]


def where(entry: Entry, item: Statement) -> str:
    return f"{entry.paper} {entry.language} {entry.style}: {item.text}"


def test_the_ten_papers_of_2024_07_31_ship():
    edition = load_shipped("2024-07-31")
    assert len(edition.papers) == 10
    assert len(edition.entries) == 10 * 2 * 2
    assert {entry.writer for entry in edition.entries} == {"editors"}
    assert all(paper.source == "shipped" and not paper.abstract for paper in edition.papers)


def test_entries_are_ordered_by_paper_then_language_then_style(edition: Edition):
    assert [(entry.paper, entry.language, entry.style) for entry in edition.entries] == [
        (paper.id, language, style) for paper in edition.papers for language in LANGUAGES for style in STYLES
    ]


def test_sections_stand_in_the_order_of_print(edition: Edition):
    for entry in edition.entries:
        assert tuple(section.key for section in entry.sections) == SECTIONS[entry.style]


def test_sections_have_the_agreed_number_of_statements(edition: Edition):
    allowed = {"summary": (3, 4), "plain": (3, 5)}
    for entry in edition.entries:
        for section in entry.sections:
            low, high = allowed.get(section.key, (2, 4))
            if section.absent:
                assert not section.statements
            else:
                assert low <= len(section.statements) <= high, f"{entry.paper} {entry.language} {section.key}"


def test_every_statement_points_to_its_evidence(edition: Edition):
    sentences = {paper.id: paper.sentences for paper in edition.papers}
    for entry in edition.entries:
        for _, item in statements(entry):
            assert item.evidence, where(entry, item)
            for evidence in item.evidence:
                if evidence.source == "abstract":
                    assert evidence.sentence is not None
                    pointed = sentences[entry.paper][evidence.sentence - 1]
                    assert (evidence.start, evidence.end) == (pointed.start, pointed.end)
                    assert evidence.hash == pointed.hash and evidence.version
                elif evidence.source == "title":
                    assert evidence.hash
                else:
                    assert evidence.place


def test_summaries_rest_on_the_abstract(edition: Edition):
    """A summary is of what the abstract says; what only the paper or its code says belongs elsewhere."""
    told = {paper.id for paper in edition.papers if not paper.sentences}
    for entry in edition.entries:
        if entry.paper in told:
            continue  # no abstract was at hand: it says so by pointing to the paper
        summary = next((section for section in entry.sections if section.key == "summary"), None)
        for item in summary.statements if summary else ():
            assert any(evidence.source in ("abstract", "title") for evidence in item.evidence), where(
                entry, item
            )


def pairs(edition: Edition) -> list[tuple[Entry, Entry]]:
    """(English, Korean) of each paper and style."""
    found = {(entry.paper, entry.style, entry.language): entry for entry in edition.entries}
    return [
        (found[paper.id, style, "en"], found[paper.id, style, "ko"])
        for paper in edition.papers
        for style in STYLES
    ]


def test_both_languages_make_the_same_statements_on_the_same_evidence(edition: Edition):
    for english, korean in pairs(edition):
        assert [(key, item.evidence) for key, item in statements(english)] == [
            (key, item.evidence) for key, item in statements(korean)
        ], english.paper


def test_both_languages_give_the_same_numbers_and_names(edition: Edition):
    for english, korean in pairs(edition):
        for (_, one), (_, other) in zip(statements(english), statements(korean), strict=True):
            assert quantities.english_numbers(one.text) == quantities.korean_numbers(other.text), (
                f"{one.text}\n{other.text}"
            )
            assert quantities.names(one.text) == quantities.names(other.text), f"{one.text}\n{other.text}"


def test_korean_keeps_one_register(edition: Edition):
    for entry in edition.entries:
        if entry.language == "ko":
            for key, item in statements(entry):
                if key == "fields":
                    assert not item.text.endswith((".", "다")), where(entry, item)
                else:
                    assert re.search(r"니다(?:\([^()]*\))?\.$", item.text), where(entry, item)
                    assert not re.search(r"(?<!니)다\.|[해어에]요\b", item.text), where(entry, item)


def test_korean_is_not_translated_word_by_word(edition: Edition):
    turns = (
        "우리는",
        "그들",
        "당신",
        "에 의해",
        "에 있어서",
        "되어지",
        "함에 따라",
        "을 통하여",
        "할 수 있게 된다",
    )
    for entry in edition.entries:
        if entry.language == "ko":
            for _, item in statements(entry):
                assert not any(turn in item.text for turn in turns), where(entry, item)


def test_a_statement_is_one_sentence_of_moderate_length(edition: Edition):
    for entry in edition.entries:
        for key, item in statements(entry):
            assert len(item.text) <= 220, where(entry, item)
            assert not re.search(r"[.?!] [A-Z가-힣]", item.text), where(entry, item)
            if key != "fields":
                assert item.text.endswith("."), where(entry, item)
            assert not re.search(r"[!]|https?:|\s{2}|[*_`]{2}|we |our ", item.text), where(entry, item)


def test_english_is_english_and_korean_is_korean(edition: Edition):
    for entry in edition.entries:
        for _, item in statements(entry):
            assert bool(re.search(r"[가-힣]", item.text)) is (entry.language == "ko"), where(entry, item)


def test_no_two_statements_of_an_entry_are_the_same(edition: Edition):
    for entry in edition.entries:
        texts = [item.text for _, item in statements(entry)]
        assert len(set(texts)) == len(texts), entry.paper


def test_the_edition_names_the_papers_whose_abstract_was_not_at_hand(edition: Edition):
    assert [problem.where for problem in edition.problems] == [
        paper.id for paper in edition.papers if not paper.sentences
    ]


def test_papers_carry_what_a_reader_looks_for(edition: Edition):
    for paper in edition.papers:
        assert paper.authors and paper.system and paper.related, paper.id
        assert paper.votes_at == edition.taken
        assert not paper.sentences or (paper.votes is not None and paper.published and paper.listed)
        assert paper.id not in paper.related
        assert paper.thumbnail.endswith(f"/{paper.id}.png") and paper.pdf


# What ships, against the source ---------------------------------------------------


def source_day(edition: Edition, shared_data: Path) -> Day:
    from presscheck.papers.files import read_papers

    return read_papers(shared_data / "api" / f"{edition.date}.json")


@pytest.mark.shared
def test_every_pointer_leads_to_the_sentence_it_was_set_on(edition: Edition, shared_data: Path):
    assert verify_shipped(edition, source_day(edition, shared_data)) == []


@pytest.mark.shared
def test_titles_authors_votes_and_times_are_the_source_s(edition: Edition, shared_data: Path):
    stored = msgspec.json.decode((shared_data / f"api/{edition.date}.json").read_bytes())
    items = [item if isinstance(item, dict) else ast.literal_eval(item) for item in stored]
    raw = {item["paper"]["id"]: item for item in items}
    for paper in edition.papers:
        if not paper.sentences:
            continue
        item = raw[paper.id]
        assert [author.name for author in paper.authors] == [
            author["name"] for author in item["paper"]["authors"]
        ]
        assert paper.title == " ".join(item["paper"]["title"].split())
        assert paper.votes == item["paper"]["upvotes"]
        assert paper.published[:19] == item["paper"]["publishedAt"][:19]
        assert paper.listed[:19] == item["publishedAt"][:19]


@pytest.mark.shared
def test_papers_stand_in_the_order_of_the_list(edition: Edition, shared_data: Path):
    order = [paper.id for paper in source_day(edition, shared_data).papers]
    listed = [paper.id for paper in edition.papers if paper.sentences]
    assert listed == [id for id in order if id in listed]


def grams(text: str, size: int) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9가-힣]+", text.lower())
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


@pytest.mark.shared
def test_no_run_of_eight_words_is_the_abstract_s(edition: Edition, shared_data: Path):
    source = {paper.id: grams(paper.abstract, 8) for paper in source_day(edition, shared_data).papers}
    for entry in edition.entries:
        for _, item in statements(entry):
            assert not grams(item.text, 8) & source.get(entry.paper, set()), where(entry, item)


@pytest.mark.shared
def test_no_run_of_six_words_is_another_digest_s(edition: Edition, shared_data: Path):
    seeds = shared_data.parent / "seeds"
    others: set[tuple[str, ...]] = set()
    for file in seeds.glob("*.txt"):
        others |= grams(file.read_text(encoding="utf-8"), 6)
    for entry in edition.entries:
        if entry.language == "ko":
            for _, item in statements(entry):
                assert not grams(item.text, 6) & others, where(entry, item)


@pytest.mark.shared
def test_abstracts_at_hand_are_attached_whole(edition: Edition, shared_data: Path):
    from presscheck.papers.sentences import sentence_texts

    full = with_abstracts(edition, source_day(edition, shared_data))
    assert full.problems == edition.problems
    for paper in full.papers:
        assert paper.source == "shipped"
        assert len(sentence_texts(paper)) == len(paper.sentences)


@pytest.mark.parametrize("date", shipped_dates())
def test_every_statement_whose_abstract_was_at_hand_has_the_verdict_of_the_check(date):
    edition = load_shipped(date)
    checkable = {paper.id for paper in edition.papers if paper.sentences}
    for entry in edition.entries:
        for section in entry.sections:
            for statement in section.statements if section.key != "fields" else ():
                expected = {"supported", "beyond"} if entry.paper in checkable else {""}
                assert statement.verdict in expected, f"run scripts/check_content.py {date}: {statement.text}"


@pytest.mark.shared
@pytest.mark.parametrize("date", shipped_dates())
def test_the_check_finds_nothing_and_says_what_is_kept(date, shared_data):
    from presscheck.digest.check.annotate import annotate
    from presscheck.papers.files import read_papers

    edition = load_shipped(date)
    checked = annotate(with_abstracts(edition, read_papers(shared_data / "api" / f"{date}.json")))
    assert checked.entries == edition.entries
