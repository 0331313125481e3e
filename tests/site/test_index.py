"""The index that pages search by: it can be read back, and what is alike is alike."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from presscheck.site.facts import MOST, PaperFacts
from presscheck.site.finding import Asked, Words
from presscheck.site.index import LARGEST, build_index, korean_terms
from presscheck.site.similar import similar
from presscheck.site.tokens import LONGEST, plain, tokens


def values(data: bytes, name: str) -> list:
    text = data.decode()
    assert text.startswith(f"presscheck.{name}(") and text.endswith(");\n")
    return msgspec.json.decode("[" + text[len(name) + 12 : -3] + "]")


def read_back(files: dict[str, bytes]) -> dict[str, dict[int, int]]:
    """Token → paper → weight, as a page reads it."""
    found: dict[str, dict[int, int]] = {}
    for name, data in files.items():
        if not re.fullmatch(r"search/s\d+\.js", name):
            continue
        _, part = values(data, "part")
        for token, written in part.items():
            at = 0
            found[token] = {}
            for step, weight in re.findall(r"([0-9a-z]+)([A-H])", written):
                at += int(step, 36)
                found[token][at] = ord(weight) - 64
    return found


def facts(at: int, **tokens_: int) -> PaperFacts:
    return PaperFacts(id=f"2407.{at:05}", title=f"Paper {at}", anchor="", tokens=tokens_)


@given(
    st.lists(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, MOST), max_size=5), max_size=60)
)
def test_what_is_posted_is_read_back(papers):
    dated = [
        (
            "2024-07-31",
            PaperFacts(
                id=str(at),
                title="",
                anchor="",
                tokens={t.encode("utf-8", "replace").decode(): w for t, w in one.items()},
            ),
        )
        for at, one in enumerate(papers)
    ]
    found = read_back(build_index(dated, frozenset(), ("en",)))
    for at, (_, paper) in enumerate(dated):
        for token, weight in paper.tokens.items():
            assert found[token][at] == weight
    assert sum(map(len, found.values())) == sum(len(paper.tokens) for _, paper in dated)


def test_a_part_is_found_by_its_first_token_and_is_small():
    dated = [("2024-07-31", facts(at, **{f"word{at * 7 + n}": 1 for n in range(40)})) for at in range(400)]
    files = build_index(dated, frozenset(), ("en",))
    (head,) = values(files["search/index.js"], "index")
    parts = [values(files[f"search/s{n}.js"], "part")[1] for n in range(len(head["prefixes"]))]
    assert len(parts) > 1
    assert head["prefixes"] == [next(iter(part)) for part in parts] == sorted(head["prefixes"])
    assert all(len(files[f"search/s{n}.js"]) < 1.2 * LARGEST for n in range(len(parts)))
    assert sum(n for _, n in head["days"]) == len(dated)


def test_words_are_folded_and_hangul_is_taken_in_pairs_and_triples():
    assert list(tokens("The Models, QUANTIZED by naïve Zürich-nets")) == [
        "model",
        "quantized",
        "naive",
        "zurich",
        "net",
    ]
    assert list(tokens("양자화를 쓴다")) == ["양자", "자화", "화를", "양자화", "자화를", "쓴다"]
    assert list(tokens("2407.21018v2 ﬁne 日本 K8s")) == ["2407.21018", "v2", "fine", "日本", "k8s"]


@given(st.text(max_size=200))
def test_any_text_has_tokens_of_bounded_length_and_none_twice_folded(text):
    for token in tokens(text):
        assert 0 < len(token) <= LONGEST and plain(token) == token.lower()


def test_korean_terms_lead_to_the_tokens_of_english_texts():
    terms = korean_terms()
    assert "quantization" in terms["양자화"]
    assert all(" " not in term and forms for term, forms in terms.items())


def test_similar_papers_share_what_few_papers_have():
    papers = [facts(at, common=1, **{f"own{at}": 4}) for at in range(60)]
    papers[3] = facts(3, common=1, mamba=4, scan=3, state=2)
    papers[40] = facts(40, common=1, mamba=4, scan=3, other=2)
    found = similar(papers)
    assert found[3] == [40] and found[40] == [3]
    assert found[10] == []
    assert similar([]) == [] and similar(papers[:1]) == [[]]


def test_the_servers_words_find_what_the_index_holds():
    dated = [
        ("2024-08-01", facts(1, quantization=6, cache=1)),
        ("2024-07-31", facts(2, cache=5)),
        ("2024-07-30", facts(3, prune=5)),
    ]
    words = Words(dated, frozenset())
    assert [row["id"] for row in words.search(Asked("cache"))] == ["2407.00002", "2407.00001"]
    assert [row["id"] for row in words.search(Asked("양자화"))] == ["2407.00001"]
    assert [row["id"] for row in words.search(Asked("cache", since="2024-08-01"))] == ["2407.00001"]
    for hostile in ("", "\0", '"OR" NEAR(', "x" * 20_000, "'; drop table", "가" * 10_000, "\ud800"):
        assert words.search(Asked(hostile)) == []
