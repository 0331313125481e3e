"""Another encoder than the built-in one, its cosines brought to the scale that the models know."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from presscheck.cli import main
from presscheck.digest.check.encoders import Matched
from presscheck.digest.vectors import encode
from presscheck.errors import BadInput

TEXTS = {
    "2407.00001": ["A small model reads Greek.", "Its tokenizer has many entries.", "It beats a larger one."],
    "2407.00002": ["Robots fold towels.", "The grasp planner looks for corners.", "Most towels end up flat."],
    "2407.00003": ["Captions of music name the beat.", "Listeners prefer them.", "The data are public."],
}


def shifted(texts: Sequence[str]) -> np.ndarray:
    """The built-in encoder with a large common part, so that every cosine is between 0.8 and 1."""
    rows = np.hstack([encode(texts), np.full((len(texts), 1), 2.0, dtype=np.float32)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_cosines_come_to_the_scale_of_the_reference():
    matched = Matched(shifted, TEXTS, encode)
    texts = [text for each in TEXTS.values() for text in each]
    pairs = np.triu_indices(len(texts), 1)
    raw = (shifted(texts) @ shifted(texts).T)[pairs]
    known = (encode(texts) @ encode(texts).T)[pairs]
    got = (matched(texts) @ matched(texts).T)[pairs]
    assert raw.min() > 0.75
    assert got.mean() == pytest.approx(known.mean(), abs=0.02)
    assert got.std() == pytest.approx(known.std(), abs=0.01)
    assert np.corrcoef(got, known)[0, 1] > 0.8


def test_the_background_is_about_other_papers():
    matched = Matched(shifted, TEXTS, encode)
    rows = matched.background({"2407.00001"})
    np.testing.assert_allclose(rows, matched([*TEXTS["2407.00002"], *TEXTS["2407.00003"]]), atol=1e-5)
    assert len(matched.background(set(TEXTS))) == 9


def test_an_encoder_that_tells_nothing_apart_is_refused():
    with pytest.raises(BadInput, match="same vector"):
        Matched(lambda texts: np.ones((len(texts), 4), dtype=np.float32) / 2, TEXTS, encode)


def test_a_digest_is_checked_with_a_model_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A stand-in that is wider than the built-in encoder."""

    class Loaded:
        def __init__(self, name: str) -> None:
            assert name == "mini"

        def encode(self, texts: list[str], **options: bool) -> np.ndarray:
            return shifted(texts)

    fake = types.ModuleType("sentence_transformers")
    fake.SentenceTransformer = Loaded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    (tmp_path / "papers.jsonl").write_text(
        '{"id": "2407.00009", "title": "Larkspur: A Small Greek Model", "authors": ["Anna First"], "summary":'
        ' "Greek has few open language models. We present Larkspur, a model with 2.42B parameters that is'
        ' trained on Greek and English text. A new tokenizer shortens Greek text."}\n'
    )
    digest = tmp_path / "digest.md"
    digest.write_text(
        "# 2024-07-31\n\n## [Larkspur: A Small Greek Model](https://arxiv.org/abs/2407.00009)\n\n"
        "**Authors**: Anna First\n\n- **What's New**: Larkspur는 그리스어를 위한 언어 모델입니다.\n\n"
        "- **Technical Details**: 2.42억 개의 파라미터를 가진 모델입니다.\n\n"
        "- **Performance Highlights**: 새로운 토크나이저가 그리스어 텍스트를 줄입니다.\n"
    )
    result = CliRunner().invoke(
        main,
        ["check", str(digest), "--papers", str(tmp_path / "papers.jsonl"), "--encoder", "mini", "--json"],
    )
    assert result.exit_code == 0, result.output
    assert '"magnitude"' in result.output and "24.2억" in result.output
