"""Names: what the source lacks is found, what a writer may write is left alone."""

from __future__ import annotations

import gzip
import json
import re
import time
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.digest.check.acronyms import check_expansions
from presscheck.digest.check.names import (
    SourceNames,
    check_names,
    distance,
    introduced,
    name_absent,
    names,
    system_name,
)

TITLE = "QuietForge: Sparse Kernels for Low-Rank Inference"
ABSTRACT = [
    "We introduce QuietForge, a compiler for sparse kernels that speeds up large language models.",
    "On Orion-3-Instruct and MathGauge it halves latency, and chain-of-thought prompts profit most.",
    "A vision transformer variant, QuietForge-V, is released by the Lumen group.",
]
SOURCE = SourceNames(ABSTRACT, TITLE, ["Ada Bergström", "Minho Seo"])


def found(statement: str, **more: object) -> list[tuple[str, str]]:
    """Names worth a reader's time, with the source's form."""
    return [(f.text, f.expected) for f in check_names(statement, SOURCE, **more) if f.sure >= 0.5]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "name", "form"),
    [
        ("QuitForge는 희소 커널을 만듭니다.", "QuitForge", "QuietForge"),
        ("CuiatForge의 커널은 빠릅니다.", "CuiatForge", "QuietForge"),
        ("Orion-3-Ins 모델에서 평가했습니다.", "Orion-3-Ins", "Orion-3-Instruct"),
        ("It is tested on MathGague.", "MathGague", "MathGauge"),
    ],
)
def test_a_cut_or_misspelt_name_is_found_with_the_form_of_the_source(
    statement: str, name: str, form: str
) -> None:
    assert found(statement) == [(name, form)]


@pytest.mark.parametrize(
    "statement",
    [
        "QUIETFORGE는 커널을 만듭니다.",
        "Quiet-Forge가 빠릅니다.",
        "QuietForge들의 비교입니다.",
        "Orion 3 Instruct에서 평가했습니다.",
        "Orion-3 계열에서 평가했습니다.",
        "LLM들의 추론을 빠르게 합니다.",
        "LLM-based 커널을 씁니다.",
        "CoT 프롬프트에서 가장 좋습니다.",
        "ViT 변형도 공개합니다.",
        "Bergström 등이 제안했습니다.",
        "미세 조정(fine-tune)과 희소 커널(Sparse Kernel)을 씁니다.",
        "키-값 캐시(Key-Value Cache)를 줄입니다.",
        "과포화(Over-Saturation)를 막습니다.",
        "코드는 https://github.com/NoSuchTeam/OtherThing 에 있습니다.",
        "7B 모델에서 128K 토큰, 44.1kHz 음성을 다룹니다.",
    ],
)
def test_variants_glosses_and_common_terms_are_left_alone(statement: str) -> None:
    assert found(statement) == []


@pytest.mark.parametrize("name", ["RapidLoom", "VS-Forge", "Tessera", "GRAPHON", "Deepwell-R2", "LLaVQ-2"])
def test_the_name_of_another_paper_is_found(name: str) -> None:
    assert [text for text, _ in found(f"{name}는 새로운 컴파일러입니다.")] == [name]


@pytest.mark.parametrize("name", ["Cube", "C3", "s1"])
def test_a_plain_word_that_a_korean_sentence_speaks_of_by_its_capital_is_a_name(name: str) -> None:
    assert [text for text, _ in found(f"{name}는 커널을 빠르게 만듭니다.")] == [name]
    assert found(f"희소 커널은 {name.lower()} 형태를 가집니다.") == []
    assert found("Sparse 커널은 빠릅니다.") == found("Language 모델은 빠릅니다.") == []


def test_a_letter_with_two_marks_cuts_no_name_in_two() -> None:
    assert found("Nguyễn 등이 만들었습니다.") in ([], [("Nguyễn", "")])


@pytest.mark.parametrize("name", ["Seed-Writer", "Sound-A-Picture", "Weave-and-Cut-Out", "Q2-T2"])
def test_a_compound_of_capitals_among_korean_words_is_a_name(name: str) -> None:
    assert [text for text, _ in found(f"{name}는 새로운 컴파일러입니다.")] == [name]


def test_a_compound_of_capitals_in_brackets_is_a_translation() -> None:
    assert found("희소 커널(Thin-Kernel)을 씁니다.") == []


def test_a_name_of_plain_words_is_found_when_it_is_known_to_be_another_papers() -> None:
    statement = "Quiet Harbor는 새로운 컴파일러입니다."
    assert found(statement) == []
    assert found(statement, known={"Quiet Harbor"}) == [("Quiet Harbor", "")]


def test_a_well_known_model_that_the_abstract_lacks_weighs_little() -> None:
    findings = check_names("GPT-4와 비교했습니다.", SOURCE)
    assert all(f.sure < 0.5 for f in findings)


def test_another_version_of_a_name_of_the_source_is_found() -> None:
    source = SourceNames(["We test Orion-3 on code."])
    (finding,) = check_names("Orion-2로 평가했습니다.", source)
    assert (finding.text, finding.expected) == ("Orion-2", "Orion-3")


def test_an_acronym_that_the_entry_explains_weighs_little() -> None:
    """A detail of the full text, not another paper's name."""
    entry = [
        "타일 배치기(TLPR)를 씁니다.",
        "Mirrored Tile Attention (MiTA)도 씁니다.",
        "TLPR와 MiTA가 빠릅니다.",
    ]
    assert introduced(entry) == {"tlpr", "mita"}
    assert [text for text, _ in found(entry[2])] == ["TLPR", "MiTA"]
    assert [f.text for f in check_names(entry[2], SOURCE, explained={"tlpr"}) if f.sure >= 0.5] == ["MiTA"]


def test_offsets_index_the_fragment() -> None:
    statement = "이 연구는 RapidLoom과 QuitForge를 비교합니다."
    for finding in check_names(statement, SOURCE):
        assert statement[finding.start : finding.end] == finding.text


@pytest.mark.parametrize(
    ("title", "system"),
    [
        ("YuLan-Mini: An Open Data-efficient Language Model", "YuLan-Mini"),
        ("ChatQA 2: Bridging the Gap", "ChatQA 2"),
        ("Qalam : A Multimodal LLM for Arabic", "Qalam"),
        ("Visual Text Generation in the Wild", None),
        ("Jumping Ahead: Improving Reconstruction", None),
        ("Less is More: Pruning by Looking", None),
        ("What Makes a Good Story?: A Study", None),
        ("Reasoning with Exploration: An Entropy Perspective", None),
        ("", None),
    ],
)
def test_the_system_of_a_title_is_what_it_announces(title: str, system: str | None) -> None:
    assert system_name(title) == system


def test_an_entry_that_never_names_its_system_is_found() -> None:
    finding = name_absent(["새로운 컴파일러를 제안합니다."], TITLE, " ".join(ABSTRACT))
    assert finding is not None and finding.expected == "QuietForge" and finding.sure >= 0.5
    assert name_absent(["컴파일러 quiet-forge를 제안합니다."], TITLE) is None
    assert name_absent(["무엇이든"], "Sparse Kernels for Inference") is None


def test_a_name_that_stands_only_in_a_web_address_of_the_abstract_is_not_missed() -> None:
    abstract = "We compile sparse kernels. The code is at https://quietforge.github.io and free."
    absent = name_absent(["A compiler for sparse kernels."], "QuietForge: Sparse Kernels", abstract)
    assert absent is not None and absent.sure < 0.5


def test_a_source_against_itself_has_no_finding() -> None:
    assert [f for sentence in ABSTRACT for f in check_names(sentence, SOURCE)] == []


@pytest.mark.shared
def test_real_abstracts_against_themselves_have_no_finding(shared_data: Path) -> None:
    with gzip.open(shared_data / "daily_papers_2024-05_2026-03.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in islice(lines, 0, 3000, 15)]
    wrong = []
    for paper in papers:
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(paper["summary"].split()))
        source = SourceNames(sentences, paper["title"])
        for sentence in sentences:
            wrong += [*check_names(sentence, source), *check_expansions(sentence, sentences)]
    assert wrong == []


@given(st.text(max_size=300))
def test_any_text_is_read_and_offsets_hold(text: str) -> None:
    for name in names(text):
        assert text[name.start : name.end] == name.text
    for finding in check_names(text, SOURCE):
        assert text[finding.start : finding.end] == finding.text and 0 <= finding.sure <= 1


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equal_words(a: str, b: str) -> None:
    assert distance(a, b, 9) == distance(b, a, 9)
    assert (distance(a, b, 9) == 0) == (a == b)


@pytest.mark.parametrize("piece", ["A-", "Qx7", "Quiet Forge ", "가A(", "a.b@", "LLM-x ", "(((("])
def test_hostile_text_costs_no_square(piece: str) -> None:
    start = time.process_time()
    check_names(piece * (2_000_000 // len(piece)), SOURCE)
    assert time.process_time() - start < 3
