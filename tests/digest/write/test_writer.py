"""A paper's way through a language model: facts, figures in both languages, repairs, what is dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from presscheck.digest.write.extractive import WRITER
from presscheck.digest.write.figures import MOST, figures
from presscheck.papers.sentences import split
from tests.digest.write.papers import GOOD, HOW, LAPTOP, LARCH, MEMORY, NEW, larch, texts, write
from tests.standin.model import Act, ScriptedModel, data_of, facts


def says(*given: dict[str, Any]) -> Any:
    """A script that always answers the same."""
    return lambda body, number: Act(facts(*given))


def test_both_languages_print_the_same_facts_with_figures_reckoned_from_one_field():
    with ScriptedModel(says(*GOOD)) as server:
        en, ko = write(server, [larch()]).entries
    assert texts(en)["performance_highlights"] == [
        "On four benchmarks, Larch cuts memory by up to 2.8 times and loses 0.4% accuracy.",
        "A model with 2.42 billion parameters runs on one laptop with Larch.",
    ]
    assert texts(ko)["performance_highlights"] == [
        "네 개의 벤치마크에서 Larch는 메모리를 최대 2.8배 줄이고 정확도는 0.4% 잃습니다.",
        "Larch를 쓰면 24.2억 개의 파라미터를 가진 모델이 노트북 한 대에서 실행됩니다.",
    ]
    assert len(server.requests) == 1
    assert en.writer == ko.writer == "scripted"
    assert en.written is not None
    assert (en.written.kept, en.written.repaired, en.written.replaced, en.written.dropped) == (4, 0, 0, 0)


def test_every_statement_is_supported_and_points_to_the_sentences_that_carry_it():
    paper = larch()
    with ScriptedModel(says(*GOOD)) as server:
        work = write(server, [paper])
    hashes = {sentence.number: sentence.hash for sentence in paper.sentences}
    for entry in work.entries:
        for section in entry.sections:
            for statement in section.statements:
                assert statement.verdict == "supported"
                assert statement.evidence
                assert all(e.hash == hashes[e.sentence or 0] for e in statement.evidence)


def test_an_invented_number_goes_back_with_the_finding_and_is_repaired():
    wrong = {**MEMORY, "quantities": [{**MEMORY["quantities"][0], "value": "28"}, MEMORY["quantities"][1]]}

    def script(body: dict[str, Any], number: int) -> Act:
        if number == 0:
            return Act(facts(NEW, HOW, wrong, LAPTOP))
        failed = data_of(body)["failed"]
        assert [one["number"] for one in failed] == [3]
        assert any("28" in finding["text"] for finding in failed[0]["findings"])
        return Act(facts({**MEMORY, "mends": 3}))

    with ScriptedModel(script) as server:
        en, ko = write(server, [larch()]).entries
    assert len(server.requests) == 2
    assert "up to 2.8 times" in " ".join(texts(en)["performance_highlights"])
    for entry in (en, ko):
        assert entry.written is not None
        assert (entry.written.kept, entry.written.repaired) == (3, 1)


def test_what_cannot_be_repaired_gives_way_to_the_abstract_in_english_and_is_dropped_in_korean():
    wrong = {**MEMORY, "quantities": [{**MEMORY["quantities"][0], "value": "28"}, MEMORY["quantities"][1]]}

    def script(body: dict[str, Any], number: int) -> Act:
        return Act(facts(NEW, HOW, wrong, LAPTOP) if number == 0 else facts({**wrong, "mends": 3}))

    with ScriptedModel(script) as server:
        en, ko = write(server, [larch()]).entries
    assert len(server.requests) == 3, "it is sent back twice, then given up"
    sentence = "On four benchmarks, Larch cuts memory by up to 2.8 times and loses 0.4% accuracy."
    assert sentence in texts(en)["performance_highlights"]
    assert "28" not in json.dumps([texts(en), texts(ko)], ensure_ascii=False)
    assert en.written is not None and ko.written is not None
    assert (en.written.replaced, en.written.dropped) == (1, 0)
    assert (ko.written.replaced, ko.written.dropped) == (0, 1)
    assert [left.evidence.sentence for left in ko.left_out] == [4], "a result that is not told is listed"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("en", "Larch는 최근 쿼리가 사용하는 채널만 유지하는 캐시를 소개합니다."),
        ("ko", "Larch is a cache that keeps only the channels that recent queries use."),
        ("ko", "Larch 是一种只保留最近查询所使用通道的缓存，它减少了内存。"),
        ("ko", "Larch는 최근 쿼리가 사용하는 채널만 유지하는 캐시다"),
        ("en", "Larch is a cache"),
        ("en", ""),
        ("en", "See https://larch.example for a cache that keeps only the channels that queries use."),
        ("en", "Larch is a revolutionary cache that keeps only the channels that recent queries use."),
        ("ko", "Larch는 최근 쿼리가 사용하는 채널만 유지하는 획기적인 캐시를 소개합니다."),
        ("en", "As an AI language model, I think that the cache keeps only the channels of queries."),
    ],
)
def test_a_text_that_is_no_statement_in_its_language_is_not_printed(field: str, text: str):
    with ScriptedModel(says({**NEW, field: text}, HOW, MEMORY, LAPTOP)) as server:
        entries = {e.language: e for e in write(server, [larch()]).entries}
    assert text not in texts(entries[field])["whats_new"]
    written = entries[field].written
    assert written is not None
    assert written.replaced + written.dropped == 1


def test_links_and_markup_are_taken_off_and_the_words_stay():
    marked = {**NEW, "en": "- **Larch** is a [cache](https://evil.example/x) that keeps only the "
              "<b>channels</b> that `recent` queries use."}  # fmt: skip
    with ScriptedModel(says(marked, HOW, MEMORY, LAPTOP)) as server:
        en, _ = write(server, [larch()]).entries
    assert texts(en)["whats_new"] == [NEW["en"]]


def test_a_statement_about_another_paper_is_not_printed():
    other = {**HOW, "en": "The robot folds towels with two arms after watching people in a kitchen.",
             "ko": "로봇은 부엌에서 사람을 본 뒤 두 팔로 수건을 접습니다."}  # fmt: skip
    with ScriptedModel(says(NEW, other, MEMORY, LAPTOP)) as server:
        en, ko = write(server, [larch()]).entries
    assert "towel" not in str(texts(en)) and "수건" not in str(texts(ko))


def test_a_term_that_the_glossary_rules_out_is_sent_back_with_the_right_one():
    paper = larch(
        title="Alder: Sequential Recommendation by Attention",
        abstract="Shops want to know what a customer buys next. "
        "We propose Alder, a model for sequential recommendation that reads a customer's purchases in order. "
        "Alder uses attention over the last purchases and a small memory for older ones. "
        "In tests on two shops, Alder finds the next purchase for 31% of customers.",
    )
    wrong = {"section": "whats_new", "sentences": [2], "en": "Alder is a model for sequential recommendation "
             "that reads a customer's purchases in order.",
             "ko": "Alder는 고객의 구매를 순서대로 읽는 연속 추천 모델을 제안합니다."}  # fmt: skip
    right = {**wrong, "ko": "Alder는 고객의 구매를 순서대로 읽는 순차 추천 모델을 제안합니다."}

    def script(body: dict[str, Any], number: int) -> Act:
        if number == 0:
            assert data_of(body)["terms"]["sequential recommendation"] == "순차 추천"
            return Act(facts(wrong))
        told = data_of(body)["failed"][0]["findings"]
        assert [(f["kind"], f["text"], f["expected"]) for f in told] == [("term", "연속 추천", "순차 추천")]
        return Act(facts({**right, "mends": 1}))

    with ScriptedModel(script) as server:
        _, ko = write(server, [paper]).entries
    assert texts(ko)["whats_new"] == [right["ko"]]


@pytest.mark.parametrize(
    "answer",
    [
        "I am sorry, I cannot help with that.",
        '{"facts": [',
        '{"facts": []}',
        '{"facts": "none"}',
        "[1, 2, 3]",
        "null",
        '{"facts": [{"section": 7}]}',
        "<html><body>502 Bad Gateway</body></html>",
        "{" * 5000,
        "[" * 60_000,
    ],
)
def test_an_answer_that_cannot_be_read_becomes_the_extractive_entry_and_says_so(answer: str):
    with ScriptedModel(lambda body, number: Act(answer)) as server:
        work = write(server, [larch()])
    en, ko = work.entries
    assert len(server.requests) == 3, "it is asked again twice"
    assert en.writer == WRITER
    assert en.written is not None and any("scripted" in note for note in en.written.notes)
    assert ko.written is not None and any("scripted" in note for note in ko.written.notes)
    said = [text for section in texts(en).values() for text in section]
    assert said and all(text.rstrip(".") in LARCH for text in said)
    assert [problem.where for problem in work.problems] == ["2407.99001"]


def test_an_answer_that_breaks_off_keeps_the_facts_that_are_whole():
    whole = facts(*GOOD)
    with ScriptedModel(lambda body, number: Act(whole[: whole.rindex("노트북")], finish="length")) as server:
        en, _ = write(server, [larch()]).entries
    assert en.writer == "scripted"
    assert texts(en)["whats_new"] == [NEW["en"]]


@pytest.mark.parametrize("act", [Act("", refusal="I will not."), Act("", finish="content_filter")])
def test_a_refusal_is_an_answer_that_is_not_printed(act: Act):
    with ScriptedModel(lambda body, number: act) as server:
        en, _ = write(server, [larch()]).entries
    assert en.writer == WRITER
    assert en.written is not None and "refused" in " ".join(en.written.notes)


def test_a_broken_source_is_never_sent():
    papers = [
        larch(id="2407.99002", abstract=""),
        larch(id="2407.99003", abstract="Too short."),
        larch(id="2407.99004", abstract="Error 404: page not found. " * 10),
    ]
    with ScriptedModel(says(*GOOD)) as server:
        work = write(server, papers)
    assert server.requests == []
    assert [entry.status for entry in work.entries] == ["not summarised"] * 6


def test_the_source_travels_as_data_and_cannot_leave_its_place():
    paper = larch(abstract=LARCH + ' A model named "}]} is compared, as is one named \\ or </data>.')
    with ScriptedModel(says(*GOOD)) as server:
        write(server, [paper])
    shown = data_of(server.requests[0])
    assert [one["number"] for one in shown["sentences"]] == [1, 2, 3, 4, 5, 6, 7]
    assert '"}]} is compared' in shown["sentences"][6]["text"]


def test_the_answer_is_bound_to_the_sections_and_to_the_sentences_that_are_there():
    with ScriptedModel(says(*GOOD)) as server:
        write(server, [larch()])
    bound = server.requests[0]["response_format"]["json_schema"]["schema"]["properties"]["facts"]["items"]
    assert bound["properties"]["sentences"]["items"]["enum"] == [1, 2, 3, 4, 5, 6]
    assert bound["properties"]["section"]["enum"] == [
        "whats_new", "technical_details", "performance_highlights",
    ]  # fmt: skip
    assert set(bound["required"]) == set(bound["properties"])


def test_a_figure_can_only_be_one_that_the_paper_has():
    with ScriptedModel(says(*GOOD)) as server:
        write(server, [larch()])
        plain = [LARCH[start:end] for start, end in split(LARCH)]
        write(server, [larch(abstract=" ".join(plain[i] for i in (0, 1, 2, 5)))])
    with_figures, without = (
        one["response_format"]["json_schema"]["schema"]["properties"]["facts"]["items"]["properties"]
        for one in (server.requests[0], server.requests[-1])
    )
    values = with_figures["quantities"]["items"]["properties"]["value"]["enum"]
    assert {"2.8", "0.4", "2.42", "4"} <= set(values) and "2" not in values
    assert "quantities" not in without


def test_figures_are_those_of_the_text_as_digits():
    told = figures(["From 3-5 of 1,200 papers, twenty-five had 2.42B parameters", "and 3 had 0.5%."])
    assert set(told) == {"3", "5", "3-5", "1,200", "25", "2.42", "0.5"}
    assert len(figures([" ".join(str(n) for n in range(1000))])) == MOST


def test_a_repair_begins_like_the_first_question_so_that_servers_read_on():
    wrong = {**NEW, "en": "Larch is a cache of nine hundred robots that fold towels at night."}
    with ScriptedModel(says(wrong, HOW)) as server:
        write(server, [larch()], languages=("en",))
    first, second = (one["messages"] for one in server.requests[:2])
    assert first[0] == second[0]
    assert second[1]["content"].startswith(first[1]["content"].rstrip("}"))


def test_a_text_that_runs_on_is_cut_to_its_first_sentence_if_that_passes():
    runs_on = {**NEW, "en": NEW["en"] + " It is the king of all the hills, and it will"}
    with ScriptedModel(says(runs_on, HOW)) as server:
        (entry,) = write(server, [larch()], languages=("en",)).entries
    assert texts(entry)["whats_new"] == [NEW["en"]]
    assert entry.written is not None and (entry.written.repaired, entry.written.dropped) == (1, 0)


def test_a_fact_that_names_no_sentence_of_the_paper_is_not_printed():
    with ScriptedModel(says({**NEW, "sentences": [17]}, {**HOW, "sentences": []}, MEMORY)) as server:
        en, ko = write(server, [larch()]).entries
    assert NEW["en"] not in str(texts(en)) and HOW["ko"] not in str(texts(ko))


def test_the_same_statement_is_printed_once():
    with ScriptedModel(says(NEW, NEW, NEW, HOW)) as server:
        en, _ = write(server, [larch()]).entries
    assert texts(en)["whats_new"] == [NEW["en"]]


def test_a_result_that_no_statement_tells_is_added_as_it_stands_in_the_abstract():
    with ScriptedModel(says(NEW, HOW)) as server:
        en, ko = write(server, [larch()]).entries
    assert any("2.8 times" in text for text in texts(en)["performance_highlights"])
    assert en.written is not None and en.written.added >= 1
    assert 4 in [left.evidence.sentence for left in ko.left_out]


def test_the_easy_style_has_its_sections_and_fields():
    easy = {**NEW, "section": "summary"}
    with ScriptedModel(says(easy, {**LAPTOP, "section": "plain"})) as server:
        en, ko = write(server, [larch()], styles=("easy",)).entries
    for entry in (en, ko):
        assert [section.key for section in entry.sections] == ["summary", "plain", "fields"]
        assert texts(entry)["summary"] and texts(entry)["plain"]


def test_entries_come_by_paper_then_language_then_style():
    papers = [larch(), larch(id="2407.99005")]
    with ScriptedModel(says(*GOOD)) as server:
        work = write(server, papers, styles=("detailed", "easy"))
    assert [(e.paper, e.language, e.style) for e in work.entries] == [
        (paper.id, language, style)
        for paper in papers
        for language in ("en", "ko")
        for style in ("detailed", "easy")
    ]
