"""Evidence: the sentence that carries a statement, and statements that no sentence carries."""

from __future__ import annotations

import sys
import time
import types

import numpy as np
import pytest

from presscheck.digest.check import evidence
from presscheck.digest.check.encoders import sentence_transformer
from presscheck.digest.check.evidence import FOREIGN, Source, belongs, entry_belongs, find, language
from presscheck.digest.check.terms import TermTable, table, terms
from presscheck.errors import BadInput

TITLE = "QuietForge: Sparse Kernels for Fast Language Model Inference"
ABSTRACT = [
    "Serving large language models is limited by memory bandwidth.",
    "We introduce QuietForge, a compiler that generates sparse matrix kernels for quantized weights.",
    "The compiler searches tile sizes with an evolutionary algorithm and caches the result.",
    "On four GPUs it is 1.8 times faster than dense kernels and loses less than one point of accuracy.",
]
KOREAN = [
    "대규모 언어 모델의 서빙은 메모리 대역폭에 의해 제한됩니다.",
    "QuietForge는 양자화된 가중치를 위한 희소 행렬 커널을 생성하는 컴파일러입니다.",
    "컴파일러는 진화 알고리즘으로 타일 크기를 탐색합니다.",
    "네 개의 GPU에서 밀집 커널보다 1.8배 빠르며 정확도 손실은 1점 미만입니다.",
]
STRANGE = [
    "산호초의 백화 현상을 위성 영상으로 추적하는 데이터셋을 공개합니다.",
    "음악 캡션을 시간 구간별로 생성하는 MelodyNote 모델을 제안합니다.",
    "로봇 팔의 파지 자세를 강화 학습으로 최적화합니다.",
]


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(ABSTRACT, TITLE)


def test_each_korean_statement_finds_its_sentence(source: Source) -> None:
    assert [ranked[0][0] for ranked in find(KOREAN, source)] == [0, 1, 2, 3]


def test_each_sentence_finds_itself(source: Source) -> None:
    assert [ranked[0][0] for ranked in find(ABSTRACT, source)] == [0, 1, 2, 3]


def test_probabilities_of_all_sentences_add_up_to_one_best_first(source: Source) -> None:
    (ranked,) = find(KOREAN[1:2], source, top=10)
    assert len(ranked) == 4 and sum(p for _, p in ranked) == pytest.approx(1)
    assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)


def test_own_statements_belong_and_those_of_other_papers_do_not(source: Source) -> None:
    assert min(belongs(KOREAN, source)) >= FOREIGN
    assert max(belongs(STRANGE, source)) < FOREIGN
    for stranger in STRANGE:
        probabilities = belongs([*KOREAN[:3], stranger], source)
        assert [p < FOREIGN for p in probabilities] == [False, False, False, True]


def test_english_statements_are_told_apart_too(source: Source) -> None:
    strange = "We release a data set of coral bleaching tracked in satellite images."
    probabilities = belongs([*ABSTRACT, strange], source)
    assert min(probabilities[:4]) >= FOREIGN > probabilities[4]


def test_an_entry_of_another_paper_is_one_and_an_own_one_with_a_detail_is_not(source: Source) -> None:
    assert entry_belongs(belongs(STRANGE, source, entry=False)) < 0.5
    mixed = [*KOREAN[1:], "배치 크기는 64로 설정했습니다.", "학습률은 코사인 일정을 따릅니다."]
    assert entry_belongs(belongs(mixed, source, entry=False)) > 0.5
    assert entry_belongs([]) == 1.0


def test_vectors_that_are_given_are_used_and_must_fit(source: Source) -> None:
    again = Source(ABSTRACT, TITLE, vectors=np.vstack([source.vectors, source.title_vector[None]]))
    assert find(KOREAN, again) == find(KOREAN, source)
    with pytest.raises(BadInput, match="2 vectors for 1 statements"):
        find(KOREAN[:1], source, vectors=source.vectors[:2])
    with pytest.raises(BadInput, match="without a sentence"):
        Source([])


def test_any_sentence_transformers_model_can_be_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of 64 hashed letters: what matters is that names, not widths, choose the encoder."""

    class Loaded:
        def __init__(self, name: str) -> None:
            if name != "mini":
                raise OSError(f"{name} is not a model")

        def encode(self, texts: list[str], **options: bool) -> np.ndarray:
            assert options["normalize_embeddings"]
            rows = np.zeros((len(texts), 64), dtype=np.float32)
            for n, text in enumerate(texts):
                for char in text.lower():
                    rows[n, ord(char) % 64] += 1
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    fake = types.ModuleType("sentence_transformers")
    fake.SentenceTransformer = Loaded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    encoder = sentence_transformer("mini")
    other = Source(ABSTRACT, TITLE, encoder=encoder)
    assert [ranked[0][0] for ranked in find(ABSTRACT, other, encoder=encoder)] == [0, 1, 2, 3]
    with pytest.raises(BadInput, match="512 wide"):
        belongs(ABSTRACT, other, encoder=encoder)
    assert len(belongs(ABSTRACT, other, encoder=encoder, background=encoder(STRANGE))) == 4
    with pytest.raises(BadInput, match="no sentence-transformers model"):
        sentence_transformer("nothing")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(BadInput, match="not installed"):
        sentence_transformer("mini")


def test_the_background_is_vectors_only_and_under_a_megabyte() -> None:
    from importlib import resources

    folder = resources.files("presscheck.digest.check")
    data = (folder / "evidence.npz").read_bytes()
    assert len(data) < 1_000_000
    with resources.as_file(folder / "evidence.npz") as path, np.load(path, allow_pickle=False) as arrays:
        assert all(array.dtype.kind in "fi" for array in arrays.values())


def test_terms_are_stems_numbers_and_pairs_of_syllables() -> None:
    assert terms("The models improved 3.5 times") == ["model", "improv", "3.5", "time"]
    assert terms("컴파일러를 생성하는") == ["컴파", "파일", "일러", "생성"]


def test_a_rare_term_covers_more_than_a_common_one() -> None:
    small = TermTable({"모델": [("model", 0.5)], "산호": [("coral", 0.5)]}, {"모델": 1.0, "산호": 5.0})
    assert small.covered(["모델", "산호"], {"model"}) == pytest.approx(1 / 6)
    assert small.covered(["모델", "산호"], {"coral"}) == pytest.approx(5 / 6)
    assert small.used({"model", "x"}, ["모델"]) == pytest.approx(1 / 2)


def test_the_table_renders_terms_of_the_field() -> None:
    assert table().renders["학습"][0][0] in {"learn", "train"}


def test_language_goes_by_hangul() -> None:
    assert (language("QuietForge는 빠릅니다."), language("QuietForge is fast.")) == ("ko", "en")


def test_a_hostile_statement_costs_no_square(source: Source) -> None:
    text = "가나다라 " * 400_000
    start = time.process_time()
    find([text], source)
    belongs([text] * 3, source)
    assert time.process_time() - start < 5


def test_many_statements_of_an_entry_cost_no_square(source: Source) -> None:
    vectors = np.repeat(source.vectors, 250, axis=0)
    statements = [f"{sentence} {n}" for n, sentence in enumerate(ABSTRACT * 250)]
    start = time.process_time()
    assert len(belongs(statements, source, vectors=vectors)) == 1000
    assert time.process_time() - start < 15
    assert evidence._ENTRY < 100
