import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.digest.headline import is_headline
from presscheck.digest.write.clauses import cut
from presscheck.digest.write.extractive import write, write_all
from presscheck.digest.write.plain import is_plain
from presscheck.digest.write.reasons import REASONS, in_language
from presscheck.digest.write.sections import own_name
from presscheck.papers.clean import clean
from presscheck.papers.paper import make_paper, why_not_summarised
from presscheck.papers.sentences import sentence_texts
from presscheck.types import LANGUAGES, SECTIONS, STYLES

HANGUL = re.compile("[가-힣]")
OWL = """Owls hunt at night, and people need to know where they nest because forests are cut down.
However, earlier tools for listening to owls fail in rain and wind.
In this paper, we present OwlNet, a small network for finding owl calls in long recordings.
OwlNet splits a recording into frames and learns a mask for wind noise from unlabelled forests.
A second stage merges neighbouring frames with a learned filter.
On three test sites, OwlNet reaches 91.4% recall, 7.2 points above the best baseline, at
$\\sim$3 ms per frame.
It also outperforms human listeners in heavy rain.
Code and recordings are available at https://example.org/owlnet."""


def owl(abstract=OWL, title="OwlNet: Finding Owls in the Rain", **rest):
    return make_paper(
        id="2401.00002", title=title, abstract=abstract, authors=["A. Author"], version="v2", **rest
    )


def section(entry, key):
    return next(each for each in entry.sections if each.key == key)


def numbers(entry, key):
    return [statement.evidence[0].sentence for statement in section(entry, key).statements]


def test_a_sentence_goes_where_its_role_belongs():
    entry = write(owl(), "en", "detailed")
    assert (entry.writer, entry.status) == ("extractive", "written")
    assert numbers(entry, "whats_new") == [3, 8]
    assert numbers(entry, "technical_details") == [4, 5]
    assert numbers(entry, "performance_highlights") == [6, 7]
    assert entry.left_out == ()


def assert_grounded(entry, paper):
    """Every quote is, letter by letter, what the published abstract says at the span, once cleaned."""
    cleaned = clean(paper.abstract_original)
    for each in entry.sections:
        assert bool(each.statements) != bool(each.absent)
        if each.key == "fields":
            continue
        for statement in each.statements:
            (evidence,) = statement.evidence
            sentence = paper.sentences[evidence.sentence - 1]
            assert evidence.source == "abstract"
            assert (evidence.version, evidence.hash) == (paper.version, sentence.hash)
            assert sentence.start <= evidence.start < evidence.end <= sentence.end
            at = cleaned.text.index(statement.text)
            assert cleaned.locate(at, at + len(statement.text)) == (evidence.start, evidence.end)


@pytest.mark.parametrize("style", STYLES)
def test_every_statement_is_a_substring_with_offsets_into_the_original(style):
    paper = owl()
    entry = write(paper, "en", style)
    assert_grounded(entry, paper)
    assert [each.key for each in entry.sections] == list(SECTIONS[style])


def test_offsets_hold_where_cleaning_changed_the_text():
    paper = owl()
    quote = section(write(paper, "en", "detailed"), "performance_highlights").statements[0]
    (evidence,) = quote.evidence
    original = paper.abstract_original[evidence.start : evidence.end]
    assert "$\\sim$3 ms" in original and "\n" in original
    assert "$" not in quote.text and "\n" not in quote.text


def test_a_sentence_stands_in_one_section_only():
    entry = write(owl(), "en", "detailed")
    spans = [
        (statement.evidence[0].start, statement.evidence[0].end)
        for each in entry.sections
        for statement in each.statements
    ]
    assert len(spans) == len(set(spans))
    spans.sort()
    assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:], strict=False))


def test_a_sentence_that_is_new_and_result_is_cut_between_the_two():
    abstract = (
        "Owls are hard to hear in forests when it rains for many hours of the night. "
        "We introduce OwlNet, a small network for finding owl calls (and others, achieving much), "
        "achieving 91.4% recall and 7 points more than the best baseline."
    )
    paper = owl(abstract)
    entry = write(paper, "en", "detailed")
    (new,) = section(entry, "whats_new").statements
    (result,) = section(entry, "performance_highlights").statements
    assert new.text.startswith("We introduce OwlNet") and new.text.endswith("achieving much)")
    assert result.text == "achieving 91.4% recall and 7 points more than the best baseline."
    assert new.evidence[0].sentence == result.evidence[0].sentence == 2
    assert new.evidence[0].hash == result.evidence[0].hash
    assert_grounded(entry, paper)


@pytest.mark.parametrize(
    "sentence",
    [
        "We introduce OwlNet, a small net that reaches 91% recall on all owls.",  # no certain boundary
        "OwlNet reaches 91% recall on five sites, improving by 7 points over the best one.",  # two results
        "We introduce OwlNet for many owls, improving how people listen to birds.",  # no result
        'We call it "a net for owls, achieving 91% recall over the best baseline" for short.',  # quoted
        "OwlNet, reaching 91% recall above the best baseline, is small.",  # the first part is no clause
    ],
)
def test_what_cannot_be_cut_with_certainty_stays_whole(sentence):
    assert cut(sentence) is None


def test_a_figure_about_earlier_work_is_left_out_with_its_reason():
    abstract = (
        "Existing listening systems for birds achieve only 12% recall in heavy rain on average. "
        "Rain is loud, and the calls of owls are soft and rare in most forests. "
        "In this paper, we present OwlNet, a small network for finding owl calls. "
        "It splits a recording into frames and learns a mask for the noise of rain. "
        "A second stage then merges frames with a learned filter. "
        "Code is available at https://example.org/owlnet."
    )
    paper = owl(abstract)
    entry = write(paper, "en", "detailed")
    (left,) = entry.left_out
    assert left.evidence.sentence == 1
    assert left.evidence.hash == paper.sentences[0].hash
    assert left.reason == REASONS["of_the_field"]["en"]
    assert section(entry, "performance_highlights").absent == REASONS["no_result"]["en"]
    assert 1 not in numbers(entry, "whats_new") + numbers(entry, "technical_details")


def test_background_is_printed_only_where_nothing_else_is_new():
    text = (
        "Owls have lived in the forests of the north for many thousands of years. "
        "Forests have been shrinking for decades in most countries. "
        "Many birds are known to suffer from the loss of old trees."
    )
    assert numbers(write(owl(text, "Owls"), "en", "detailed"), "whats_new") == [1, 2, 3]
    entry = write(owl(), "en", "detailed")
    assert not {1, 2} & set(numbers(entry, "whats_new"))


def test_the_summary_has_problem_news_and_main_result():
    entry = write(owl(), "en", "easy")
    assert numbers(entry, "summary") == [2, 3, 6]
    assert [left.evidence.sentence for left in entry.left_out] == [7]


def test_plain_explains_why_it_matters_and_is_not_said_twice():
    entry = write(owl(), "en", "easy")
    assert numbers(entry, "plain") == [1]
    assert not set(numbers(entry, "plain")) & set(numbers(entry, "summary"))


@pytest.mark.parametrize(
    ("plain", "sentence"),
    [
        (True, "Doctors need to find the right dose quickly, because a wrong one can do harm."),
        (True, "It is hard for people to tell a true picture from one that a machine has made."),
        (False, "Doctors need to find the right dose within 30 minutes, because a wrong one can harm."),
        (False, "Doctors who use LLMs need to find the right dose, because a wrong one can do harm."),
        (False, "Doctors need OwlNet to find the right dose, because a wrong one can do harm."),
        (False, "Owls sit on trees at night and look at the moon until the morning comes."),
        (
            False,
            "Hyperparameter misconfiguration necessitates demanding re-optimization, a problem.",
        ),
        (False, "It is hard."),
    ],
)
def test_a_plain_sentence_is_short_worded_and_says_why(plain, sentence):
    assert is_plain(sentence) is plain


def test_the_korean_entry_has_korean_only():
    for style in STYLES:
        entry = write(owl(title="Speech Recognition for Owls"), "ko", style)
        for each in entry.sections:
            for text in [each.absent, *(statement.text for statement in each.statements)]:
                assert not text or HANGUL.search(text)
                assert not re.search("[A-Za-z]{4}", text)
            if each.key != "fields":
                assert each.absent.endswith("니다.")
    assert section(entry, "fields").statements[0].text == "음성 인식"


@pytest.mark.parametrize(
    "abstract",
    [
        "",
        "Too short.",
        "No HTML for '2401.00002' is available.",
        "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>",
        "This paper has been withdrawn by the authors because of an error in the third section of the proof.",
        "올빼미는 밤에 사냥하며 숲의 소리를 듣는 작은 신경망이 필요하다는 것을 이 논문은 보인다. " * 3,
    ],
)
def test_what_cannot_be_summarised_says_so_in_both_languages_and_has_no_text(abstract):
    paper = owl(abstract)
    why = why_not_summarised(paper)
    assert why
    for entry in write_all([paper], LANGUAGES, STYLES):
        assert (entry.status, entry.sections, entry.left_out) == ("not summarised", (), ())
        assert entry.reason == (why if entry.language == "en" else in_language(why, "ko"))
    korean = in_language(why, "ko")
    assert korean.endswith("니다.") or korean.endswith("다.")
    assert korean != in_language("some reason that is not in the table", "ko")
    assert not re.search("[A-Za-z]", korean)


def test_a_shipped_paper_without_its_abstract_is_not_summarised():
    paper = msgspec.structs.replace(owl(), abstract="", abstract_original="", source="shipped")
    assert write(paper, "en", "detailed").status == "not summarised"


def test_every_reason_is_there_in_both_languages():
    for texts in REASONS.values():
        assert set(texts) == set(LANGUAGES)
        assert texts["ko"].endswith("니다.") and not re.search("[A-Za-z]", texts["ko"])
        assert not HANGUL.search(texts["en"])


def test_entries_come_by_paper_then_language_then_style_and_equal_those_written_alone():
    papers = [owl(), msgspec.structs.replace(owl("Too short."), id="2401.00003"), owl(title="Owls, again")]
    entries = write_all(papers, ["ko", "en"], ["easy", "detailed"])
    expected = [
        write(p, language, style)
        for p in papers
        for language in ("ko", "en")
        for style in ("easy", "detailed")
    ]
    assert entries == expected


def test_no_paper_no_entry():
    assert write_all([], LANGUAGES, STYLES) == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("OwlNet: Finding Owls", "OwlNet"),
        ("Finding Owls", ""),
        ("On the Nature of Owls: A View", ""),
        (":", ""),
    ],
)
def test_the_name_of_the_work_stands_before_the_colon(title, name):
    assert own_name(title) == name


WORDS = st.sampled_from(
    "we propose OwlNet reaches 91.4% over the baseline, outperforms 3x faster which improves; however (and) "
    "because \\textbf{it} $\\sim$ <script> 漢字 ``quoted'' &amp; \u202e".split(" ")
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(WORDS, min_size=5, max_size=20).map(" ".join), min_size=3, max_size=7).map(". \n".join)
)
def test_whatever_the_abstract_says_it_is_quoted_exactly_and_no_result_is_lost(abstract):
    paper = owl(abstract + ".")
    entry = write(paper, "en", "detailed")
    if entry.status != "written":
        return
    assert_grounded_by_sentence(entry, paper)
    kept = set(numbers(entry, "performance_highlights")) | {left.evidence.sentence for left in entry.left_out}
    headlines = {n for n, text in enumerate(sentence_texts(paper), 1) if is_headline(text)}
    assert headlines <= kept


def assert_grounded_by_sentence(entry, paper):
    """As ``assert_grounded``, for abstracts in which the same words may stand twice."""
    texts = sentence_texts(paper)
    for each in entry.sections:
        for statement in each.statements:
            (evidence,) = statement.evidence
            if evidence.source == "abstract":
                sentence = paper.sentences[evidence.sentence - 1]
                assert evidence.hash == sentence.hash
                assert sentence.start <= evidence.start < evidence.end <= sentence.end
                assert each.key == "fields" or statement.text in texts[evidence.sentence - 1]


@pytest.mark.parametrize(
    "abstract",
    [
        "We introduce a net for many owls" + ", achieving 9% more than all" * 20_000 + ".",
        "We reach 9% more recall than all others do. " * 3_000,
        "Owls (" * 50_000,
    ],
)
def test_a_hostile_abstract_is_written_in_bounded_time(abstract):
    import time

    paper = owl(abstract)
    start = time.perf_counter()
    write_all([paper], ["en"], STYLES)
    assert time.perf_counter() - start < 30


@pytest.mark.shared
def test_real_abstracts_are_quoted_exactly_and_lose_no_result(shared_data):
    import gzip
    import json

    with gzip.open(shared_data / "daily_papers_2024-05_2026-03.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][::120]
    papers = [make_paper(id=r["id"], title=r["title"], abstract=r["summary"], authors=[]) for r in rows]
    for paper, entry in zip(papers, write_all(papers, ["en"], ["detailed"]), strict=True):
        assert_grounded_by_sentence(entry, paper)
        kept = set(numbers(entry, "performance_highlights")) | {
            left.evidence.sentence for left in entry.left_out
        }
        assert {n for n, text in enumerate(sentence_texts(paper), 1) if is_headline(text)} <= kept
