"""My order: what I read comes first, newer weighs more, and the reasons sum to the score."""

from __future__ import annotations

import numpy as np
import pytest

from presscheck.archive.for_me import explain, learn, rank, weights_of
from presscheck.archive.profile import Profile, Terms, terms_of
from presscheck.archive.reading import Mark, mark_of
from presscheck.papers.paper import make_paper
from presscheck.types import Paper


def paper(n: int, subject: str, author: str = "") -> Paper:
    about = {
        "fish": "We count the rings of river fish scales in photographs with a small network.",
        "music": "We compose string quartets with a transformer over symbolic scores.",
        "proof": "We prove theorems of number theory with a search over formal tactics.",
    }[subject]
    return make_paper(
        id=f"2401.{n:05}",
        title=f"{subject.title()} Study {n}",
        abstract=about,
        authors=[author or f"Author {n}"],
    )


def vectors(papers: list[Paper]) -> np.ndarray:
    """One direction a subject, and noise: unit rows, as the encoder gives them."""
    draw = np.random.default_rng(1)
    axes = {"Fish": 0, "Music": 1, "Proof": 2}
    rows = 0.25 * draw.normal(size=(len(papers), 16))
    for row, one in zip(rows, papers, strict=True):
        row[axes[one.title.split()[0]]] += 1.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


OTHERS = [paper(n, ("fish", "music", "proof")[n % 3]) for n in range(100, 160)]
DAY = [paper(n, ("fish", "music", "proof")[n % 3]) for n in range(200, 212)]


def marks(*papers: Paper, at: str = "2024-02-01T00:00:00Z", star: bool = False) -> list[Mark]:
    return [mark_of(one, star=star, at=at) for one in papers]


def taste_of(mine: list[Mark]):  # type: ignore[no-untyped-def]
    return learn(mine, vectors([mark.paper for mark in mine]), OTHERS, vectors(OTHERS))


@pytest.mark.parametrize("subject", ["fish", "music", "proof"])
@pytest.mark.parametrize("count", [1, 4])
def test_papers_like_mine_come_first(subject: str, count: int):
    mine = marks(*(paper(n, subject) for n in range(count)))
    ranked = rank(taste_of(mine), DAY, vectors(DAY))
    assert {one.paper.title.split()[0].lower() for one in ranked[:4]} == {subject}
    assert ranked[3].logit > ranked[4].logit
    assert all(0 <= one.score <= 1 for one in ranked)


def test_a_newer_interest_outweighs_an_older_one_of_the_same_size():
    old = marks(*(paper(n, "fish") for n in range(4)), at="2023-01-01T00:00:00Z")
    new = marks(*(paper(n, "music") for n in range(10, 14)), at="2024-02-01T00:00:00Z")
    order = [one.paper.title.split()[0] for one in rank(taste_of([*old, *new]), DAY, vectors(DAY))]
    assert order[:4] == ["Music"] * 4
    assert order[4:8] == ["Fish"] * 4


def test_a_mark_weighs_half_after_its_half_life_and_a_star_double_and_none_is_forgotten():
    fish = paper(1, "fish")
    given = [
        *marks(fish, at="2024-07-01T00:00:00Z"),
        *marks(fish, at="2024-01-03T00:00:00Z"),  # 180 days before
        *marks(fish, at="2024-07-01T00:00:00Z", star=True),
        *marks(fish, at="2001-01-01T00:00:00Z"),
    ]
    assert weights_of(given) == pytest.approx([1.0, 0.5, 2.0, 0.1])


def test_an_author_of_mine_moves_a_paper_up_that_is_about_something_else():
    mine = marks(*(paper(n, "fish", author="Mina Kim") for n in range(4)))
    day = [paper(300, "proof"), paper(301, "proof", author="Mina Kim")]
    same = np.vstack([vectors(day)[:1]] * 2)
    ranked = rank(taste_of(mine), day, same)
    assert ranked[0].paper.id == "2401.00301"
    reasons = explain(taste_of(mine), day[1], same[1])
    assert reasons.authors == ("Mina Kim",)
    assert {pull.what: pull.logit for pull in reasons.named}["authors"] > 0


def test_reasons_sum_to_the_score_in_both_readings():
    taste = taste_of(marks(*(paper(n, "fish") for n in range(3))))
    rows = vectors(DAY)
    for one in rank(taste, DAY, rows):
        reasons = explain(taste, one.paper, rows[DAY.index(one.paper)])
        words = sum(pull.logit for pull in reasons.words)
        named = sum(pull.logit for pull in reasons.named)
        assert words + reasons.meaning + named + reasons.base == pytest.approx(one.logit, abs=1e-9)
        by_paper = sum(pull.logit for pull in reasons.mine) + reasons.archive
        assert by_paper == pytest.approx(words + reasons.meaning, abs=1e-4)


def test_a_paper_is_pulled_by_the_paper_of_mine_that_it_is_like():
    mine = marks(paper(1, "fish"), paper(2, "music"))
    fish = next(one for one in DAY if one.title.startswith("Fish"))
    reasons = explain(taste_of(mine), fish, vectors(DAY)[DAY.index(fish)])
    assert reasons.mine[0].id == "2401.00001"
    assert reasons.mine[0].logit > 1.5 * reasons.mine[1].logit
    assert {"fish", "rings", "scales"} & {pull.what for pull in reasons.words[:8]}


def test_a_paper_is_no_evidence_for_itself():
    """Else every author and field would look like mine, since each paper of mine has its own."""
    mine = [paper(1, "fish", author="A"), paper(2, "music", author="B")]
    profile = Profile(mine, [1.0, 1.0])
    assert profile.features(mine)[:, 0].tolist() == [0.0, 0.0]
    assert profile.authors(paper(9, "proof", author="A")) == {"A": 1}


def test_a_list_of_thousands_of_authors_says_nothing():
    crowd = make_paper(id="2401.09999", title="All", abstract="", authors=[f"N {n}" for n in range(3303)])
    assert Profile([crowd, paper(1, "fish", author="N 5")], [1.0, 1.0]).authors(crowd) == {}


def test_terms_are_words_and_pairs_without_stop_words():
    one = make_paper(
        id="2401.00001", title="The Key Cache", abstract="We prune the key cache.", authors=["A"]
    )
    assert terms_of(one) == {"key": 2, "cache": 2, "key cache": 2, "prune": 1, "prune key": 1}
    weights = Terms([one, *OTHERS], {one.id}).tf_idf(one)
    assert sum(value**2 for value in weights.values()) == pytest.approx(1.0)


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="0 marks"):
        learn([], vectors([]), OTHERS, vectors(OTHERS))
