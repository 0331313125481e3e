"""The parts joined: one verdict a statement, one finding for an entry that is not this paper's."""

from __future__ import annotations

import json

import msgspec
import pytest

from presscheck.digest.check.annotate import annotate
from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.kinds import KINDS, explain
from presscheck.digest.check.overrule import finding_key
from presscheck.digest.check.report import EntryReport, Report, StatementReport, to_json
from presscheck.digest.write.extractive import write_all
from presscheck.errors import BadInput
from presscheck.papers.paper import make_paper
from presscheck.types import (
    Digest,
    Edition,
    Entry,
    Evidence,
    Head,
    LeftOut,
    Paper,
    Section,
    Statement,
)

ABSTRACT = (
    "Greek has few open language models. We present Larkspur, a model with 2.42B parameters that is trained "
    "on 1.08 trillion tokens of Greek and English text. A new tokenizer with 61,362 entries shortens Greek "
    "text. On six benchmarks Larkspur reaches an average score of 52.9, which is up to 19.7 points above the "
    "Mistral baseline. Code and weights are released under an open licence."
)
OTHER = (
    "Robots that fold towels need many demonstrations. We introduce TowelBot, which learns from simulated "
    "cloth and a single camera. The grasp planner searches corners with a depth network. TowelBot folds 87% "
    "of unseen towels, compared with 61% for the strongest earlier policy. Videos are on the project page."
)


AUTHORS = ("Anna First", "Ben Second", "Cleo Third")


def paper(
    id: str = "2407.00001", title: str = "Larkspur: A Small Greek Model", abstract: str = ABSTRACT
) -> Paper:
    return make_paper(id=id, title=title, abstract=abstract, authors=AUTHORS)


def entry(*texts: str, of: Paper | None = None, authors: tuple[str, ...] = AUTHORS) -> Entry:
    about = of or paper()
    thirds = [texts[0::3], texts[1::3], texts[2::3]]
    keys = ("whats_new", "technical_details", "performance_highlights")
    return Entry(
        paper=about.id,
        language="ko" if any("가" <= letter <= "힣" for letter in "".join(texts)) else "en",
        style="detailed",
        sections=tuple(
            Section(key=key, statements=tuple(Statement(text=text) for text in part))
            for key, part in zip(keys, thirds, strict=True)
        ),
        head=Head(title=about.title, authors=authors),
    )


def checked(*entries: Entry, papers: list[Paper] | None = None) -> list[EntryReport]:
    digest = Digest(style="detailed", language=entries[0].language, entries=entries)
    return list(check_digest(digest, Papers(papers if papers is not None else [paper()])).entries)


def kinds(report: EntryReport | StatementReport) -> set[str]:
    return {finding.kind for finding in report.findings}


GOOD = (
    "Larkspur는 그리스어를 위한 공개 언어 모델입니다.",
    "24.2억 개의 파라미터를 가지며 1조 800억 개의 토큰으로 학습했습니다.",
    "6개 벤치마크에서 평균 52.9점을 기록하여 Mistral보다 최대 19.7점 높습니다.",
)


def test_a_right_korean_entry_is_in_order():
    (report,) = checked(entry(*GOOD))
    assert report.verdict == "ok"
    assert [statement.verdict for statement in report.statements] == ["supported"] * 3
    assert report.statements[2].evidence[0].sentence == 4


def test_a_factor_of_ten_is_a_conflict_with_the_right_rendering():
    (report,) = checked(entry(GOOD[0], GOOD[1].replace("24.2억", "2.42억"), GOOD[2]))
    wrong = report.statements[1]
    assert wrong.verdict == "conflict"
    (finding,) = wrong.findings
    assert finding.kind == "magnitude" and "24.2억" in finding.expected
    assert wrong.text[finding.start : finding.end] == finding.text


def test_an_entry_of_another_paper_is_one_finding_and_not_ten():
    towels = (
        "TowelBot은 시뮬레이션된 천에서 수건 접기를 학습합니다.",
        "깊이 네트워크가 수건의 모서리를 찾아 잡을 곳을 정합니다.",
        "처음 보는 수건의 87%를 접으며, 이전 정책은 61%였습니다.",
    )
    (report,) = checked(entry(*towels))
    assert report.verdict == "not this paper"
    assert kinds(report) == {"not_this_paper"}
    assert all(not statement.findings for statement in report.statements)


def test_a_statement_of_another_paper_is_found_among_right_ones():
    (report,) = checked(entry(*GOOD, GOOD[0], "로봇은 깊이 카메라로 수건의 모서리를 찾아 접습니다."))
    verdicts = [(s.verdict, kinds(s)) for s in report.statements if "로봇" in s.text]
    assert verdicts == [("unsupported", {"foreign_statement"})]
    assert report.verdict == "findings"


def test_authors_are_held_against_the_papers():
    (report,) = checked(entry(*GOOD, authors=("Cleo Third", "Anna First", "+")))
    assert kinds(report) == {"author_order", "author_missing", "author_artifact"}
    assert report.verdict == "findings"


def test_an_entry_without_its_paper_has_no_source_and_the_rest_is_checked():
    stranger = entry(*GOOD, of=paper(id="2407.09999", title="Unknown: Not Given"))
    first, second = checked(stranger, entry(*GOOD))
    assert (first.verdict, second.verdict) == ("no source", "ok")


def test_a_paper_is_found_by_its_title_where_the_entry_has_no_id():
    (report,) = checked(msgspec.structs.replace(entry(*GOOD), paper=""))
    assert report.verdict == "ok"


def test_a_name_that_an_abstract_lacks_is_told_and_contradicts_nothing():
    (report,) = checked(entry(GOOD[0], GOOD[1], GOOD[2], "학습 데이터는 SlimPajama에서 가져왔습니다."))
    (told,) = [statement for statement in report.statements if "SlimPajama" in statement.text]
    assert told.verdict in ("beyond", "unsupported")
    assert "name" in kinds(told)


def test_a_statement_that_points_to_the_full_text_is_beyond_the_abstract_and_no_conflict():
    pointing = Statement(
        text="GreekSum에서 ROUGE는 31.5입니다.", evidence=(Evidence(source="paper", place="Table 4"),)
    )
    good = entry(*GOOD)
    sections = (msgspec.structs.replace(good.sections[0], statements=(pointing,)), *good.sections[1:])
    (report,) = checked(msgspec.structs.replace(good, sections=sections))
    assert report.statements[0].verdict == "beyond"
    assert not report.statements[0].findings


def test_with_the_full_text_a_number_that_is_nowhere_is_a_conflict():
    text = "The evaluation on GreekSum gives ROUGE 31.5 for Larkspur. Training took nine days."
    said = entry(*GOOD, "GreekSum에서 ROUGE는 48.2입니다.")
    digest = Digest(style="detailed", language="ko", entries=(said,))
    papers = Papers([paper()], {"2407.00001": text})
    (report,) = check_digest(digest, papers).entries
    (told,) = [statement for statement in report.statements if "ROUGE" in statement.text]
    assert told.verdict == "conflict" and "number" in kinds(told)


def test_a_stale_pointer_is_found():
    stale = Evidence(source="abstract", sentence=2, start=0, end=5, hash="0" * 16)
    good = entry(*GOOD)
    first = Statement(text=GOOD[0], evidence=(stale,))
    sections = (msgspec.structs.replace(good.sections[0], statements=(first,)), *good.sections[1:])
    (report,) = checked(msgspec.structs.replace(good, sections=sections))
    assert "stale_evidence" in kinds(report.statements[0])


def test_an_overruled_finding_is_set_aside_until_the_text_changes():
    wrong = GOOD[1].replace("24.2억", "2.42억")
    (report,) = checked(entry(GOOD[0], wrong, GOOD[2]))
    key = finding_key("2407.00001", report.statements[1].findings[0], wrong)

    def verdict(text: str) -> str:
        digest = Digest(style="detailed", language="ko", entries=(entry(GOOD[0], text, GOOD[2]),))
        (one,) = check_digest(digest, Papers([paper()]), overruled={key}).entries
        return one.statements[1].verdict

    assert verdict(wrong) == "supported"
    assert verdict(wrong.replace("가지며", "갖고")) == "conflict"


def test_what_the_extractive_writer_says_is_supported_word_for_word():
    papers = [paper(), paper("2407.00002", "TowelBot: Folding from One Camera", OTHER)]
    entries = write_all(papers, ("en", "ko"), ("detailed", "easy"))
    edition = Edition(date="2024-07-31", papers=tuple(papers), entries=tuple(entries))
    for one in annotate(edition).entries:
        assert not one.findings, (one.paper, one.findings)
        for section in one.sections:
            for statement in section.statements if section.key != "fields" else ():
                assert statement.verdict == "supported", statement
                assert not statement.findings


def test_a_headline_that_is_left_out_with_its_reason_is_not_omitted():
    told = LeftOut(evidence=Evidence(source="abstract", sentence=4), reason="printed in the easy style only")
    quiet = entry(GOOD[0], GOOD[1], "가중치와 코드를 공개합니다.")
    (plain,) = checked(quiet)
    assert "omitted_headline" in kinds(plain)
    (said,) = checked(msgspec.structs.replace(quiet, left_out=(told,)))
    assert "omitted_headline" not in kinds(said)


def test_the_json_has_every_field_of_its_contract():
    said = entry(GOOD[0], "2.42억 개의 파라미터입니다.", GOOD[2])
    digest = Digest(style="detailed", language="ko", entries=(said,))
    report = Report(digests=(check_digest(digest, Papers([paper()]), name="a.md"),))
    told = json.loads(to_json(report))
    assert told["schema"] == 1
    (one,) = told["digests"]
    assert {"file", "style", "language", "entries"} <= one.keys()
    (first,) = one["entries"]
    assert {"paper", "title", "verdict", "findings", "statements"} <= first.keys()
    for statement in first["statements"]:
        assert {"section", "text", "verdict", "evidence", "findings"} <= statement.keys()
        for pointer in statement["evidence"]:
            assert {"source", "sentence", "start", "end", "score"} <= pointer.keys()
    found = [finding for statement in first["statements"] for finding in statement["findings"]]
    assert found
    for finding in found:
        assert finding.keys() == {"kind", "text", "start", "end", "expected", "why", "sure"}
        assert 0 <= finding["sure"] <= 1


def test_evidence_points_into_the_cleaned_abstract():
    about = paper()
    (report,) = checked(entry(*GOOD))
    for statement in report.statements:
        for pointer in statement.evidence:
            assert ABSTRACT[pointer.start : pointer.end] in about.abstract
            assert about.abstract[pointer.start : pointer.end].endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained_with_an_example(kind):
    text = explain(kind)
    assert text.startswith(kind) and "digest" in text and "source" in text
    assert len(KINDS[kind].mark.split()) <= 3


def test_an_unknown_kind_is_told_with_the_nearest():
    with pytest.raises(BadInput) as caught:
        explain("magnitud")
    assert "magnitude" in caught.value.hint
