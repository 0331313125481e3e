from importlib.resources import files

import numpy as np
import pytest

from presscheck.digest.roles import BUCKETS, ROLES, choose, classify, features, in_context, probabilities
from presscheck.digest.vectors import WIDTH, encode

ABSTRACT = [
    "Bridges age, and inspecting them by hand is slow and dangerous.",
    "Previous systems rely on expensive sensors and cover only small areas.",
    "In this paper, we aim to find cracks from cheap drone footage.",
    "We train a convolutional network on frames that are aligned with a laser scan.",
    "A second stage merges the detections of neighbouring frames by voting.",
    "Experimental results show that our method improves recall by 12% over the best baseline.",
    "© 2019 Elsevier Ltd. All rights reserved.",
]


def test_a_textbook_abstract_gets_its_roles():
    roles = classify(ABSTRACT)
    assert roles[:2] == ["background", "background"]
    assert roles[2] == "objective"
    assert roles[3:5] == ["method", "method"]
    assert roles[5:] == ["result", "other"]


def test_each_row_is_a_probability_over_the_roles():
    given = probabilities(ABSTRACT)
    assert given.shape == (len(ABSTRACT), len(ROLES))
    assert (given >= 0).all()
    np.testing.assert_allclose(given.sum(1), 1.0, atol=1e-9)


def test_probabilities_are_those_of_all_paths_enumerated():
    """Forward and backward must agree with the sum over every sequence of roles of a short abstract."""
    from itertools import product

    from presscheck.digest import roles

    texts, learnt = ABSTRACT[:3], roles._weights()
    vectors = encode(texts)
    scores = (in_context(vectors) @ learnt.vectors).astype(float)
    for row, found in zip(scores, features(texts), strict=True):
        row += learnt.words[found].sum(0) / np.sqrt(len(found))
    expected = np.zeros((3, len(ROLES)))
    for path in product(range(len(ROLES)), repeat=3):
        a, b, c = path
        score = scores[0, a] + scores[1, b] + scores[2, c] + learnt.first[a] + learnt.last[c]
        weight = np.exp(score + learnt.follows[a, b] + learnt.follows[b, c])
        for i, role in enumerate(path):
            expected[i, role] += weight
    np.testing.assert_allclose(
        probabilities(texts, vectors), expected / expected.sum(1, keepdims=True), rtol=1e-6
    )


def test_vectors_of_the_caller_are_used_and_must_fit():
    vectors = encode(ABSTRACT)
    np.testing.assert_array_equal(probabilities(ABSTRACT, vectors), probabilities(ABSTRACT))
    with pytest.raises(ValueError, match="6 vectors for 7 sentences"):
        probabilities(ABSTRACT, vectors[:6])


def test_the_place_in_the_abstract_matters():
    """The same sentence opens one abstract and closes another."""
    sentence = "Graphs of citations grow quickly."
    first = probabilities([sentence, *ABSTRACT[2:5]])[0]
    last = probabilities([*ABSTRACT[2:5], sentence])[-1]
    background = ROLES.index("background")
    assert first[background] > last[background] + 0.1


def test_neighbours_of_the_ends_are_zero_and_the_mean_is_shared():
    vectors = np.arange(2 * WIDTH, dtype=np.float32).reshape(2, WIDTH)
    wide = in_context(vectors)
    assert wide.shape == (2, 4 * WIDTH)
    np.testing.assert_array_equal(wide[0, WIDTH : 2 * WIDTH], np.zeros(WIDTH))
    np.testing.assert_array_equal(wide[1, WIDTH : 2 * WIDTH], vectors[0])
    np.testing.assert_array_equal(wide[0, 2 * WIDTH : 3 * WIDTH], vectors[1])
    np.testing.assert_array_equal(wide[0, 3 * WIDTH :], wide[1, 3 * WIDTH :])


def test_digits_are_masked_so_that_figures_cannot_be_learnt():
    one, other = features(["It reaches 91.4% on 12 sets."]), features(["It reaches 17.0% on 88 sets."])
    np.testing.assert_array_equal(one[0], other[0])


def test_features_are_buckets_in_range():
    for row in features(ABSTRACT):
        assert row.min() >= 0
        assert row.max() < BUCKETS


def test_no_sentence_no_role():
    assert classify([]) == []
    assert choose(np.zeros((0, len(ROLES)))) == []


def test_an_empty_sentence_and_one_of_symbols_get_a_role_too():
    assert len(classify(["", "→ ∑ 漢字 ✓"])) == 2


def test_the_weights_are_small_and_need_no_pickle():
    stored = files("presscheck.digest").joinpath("roles.npz")
    assert len(stored.read_bytes()) < 500_000
    with stored.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


@pytest.mark.shared
def test_dev_scores_are_those_of_the_report(shared_data):
    import gzip
    import json

    with gzip.open(shared_data / "csabstruct" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    vectors = encode([sentence for row in rows for sentence in row["sentences"]])
    right = start = 0
    for row in rows:
        end = start + len(row["sentences"])
        said = classify(row["sentences"], vectors[start:end])
        right += sum(a == b for a, b in zip(said, row["labels"], strict=True))
        start = end
    from pathlib import Path

    report = (Path(__file__).parents[2] / "benchmarks" / "roles.md").read_text(encoding="utf-8")
    reported = float(next(line for line in report.splitlines() if line.startswith("| ours")).split("|")[2])
    assert right / start == pytest.approx(reported, abs=0.005)
