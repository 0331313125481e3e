"""Sentences: where they end, that they stay where they are, and how evidence finds them."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.errors import BadInput
from presscheck.papers.clean import clean
from presscheck.papers.paper import make_paper
from presscheck.papers.sentences import digest, locate, sentence_texts, sentences_of, split
from presscheck.types import Paper, Sentence

# A bar stands for the space between two sentences, two bars for no space.
PARTED = [
    "We boil tea.|It takes 3.5 min.|Why so long?|Nobody knows!",
    "Kettles, e.g. Kettle-2 and i.e. Pans, boil.|See Fig. 3 and Eq. (2) for it.",
    "As Kim et al. (2021) say, cf. Sec. 4, No. 5 is approx. 3 vs. 4.|The rest is not.",
    "It is faster w.r.t. Time-2 and others.|Pots, pans, etc. boil too.|We have cups, etc.|Then we eat.",
    "This holds for pots et al.|We show it.",
    "J. Kim and A. B. Lee made it.|In class C. it fails.",
    "It is good in the U.S. market.|People in the U.S.|The end.",
    "Version 2.0.1 is out.|GPT-3.5 is not.|We use Python 3.11.|It works.",
    "Read on ... and on.|So it goes...|Then it ends.",
    "It runs at 3 FPS.|3 of them fail.|4D maps are next.",
    "Kettle boils.|iKettle boils more.|nnU-Pot is third.|vLLM serves tea.",
    "Code is at https://a.org/k.html?x=1.2.|We thank you.",
    "Code: https://a.org/k.|https://b.org/v is the video.",
    "It asks “why?” and “how!” of us.|\"It boils.\"|She left.",
    "Yahoo! Answers is a site.|Is it?|Yes.",
    "It works (see Fig. 3. It is there) well.|(It is a whole sentence.)|Next.",
    "There are three: (i) tea, (ii) pots.|(iii) is absent.|(2) Then tea.",
    "We list: 1. Tea is hot.|2. Pots are not.",
    "It is in Table 2.|We see an accuracy of 5.|Then more.",
    "Ends here.||However, this has no space.",
    "torch.Tensor is fast.|Node.js is not.",
    "No stop at the end",
    "차를 끓입니다.|3.5분이 걸립니다.|왜 그럴까요?|모릅니다!",
    "차를 끓였다.|물은 100도였다.|그래서 Kettle-2를 썼다.|BLEU는 32.1이다.",
    "차를 끓입니다.||그래서 맛있습니다.||Kettle을 씁니다.",
    "그는 \"차가 좋습니다.\"라고 말했습니다.|끝입니다.",
    "그는 “차가 좋다.” 라고 했다.|끝이다.",
    "성능이 좋아짐.||(It gets better.)",
    "속도(예: 3.5배. 측정값)가 빠릅니다.|끝.",
    "모델은 iKettle입니다.|nnPot은 아닙니다.",
]


@pytest.mark.parametrize("parted", PARTED)
def test_sentences_end_where_a_reader_would_end_them(parted: str) -> None:
    text = parted.replace("||", "").replace("|", " ")
    assert [text[a:b] for a, b in split(text)] == parted.replace("||", "|").split("|")


PIECES = st.sampled_from([
    "Tea boils", "we see", "e.g", "et al", "Fig", "J", "U.S", "3", "2.5", "다", "좋습니다", "iPot",
    "https://a.org/x", "etc",
    ".", ". ", "? ", "! ", "... ", ".”", "(", ")", ") ", "\"", "“", " ", "。", ": ", "1", "A", "。」", "The",
])
MARKUP = st.sampled_from(["\n", "\\%", "times", "{\\bf x}", "$", "\\textbf{"])


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=50), st.lists(PIECES, max_size=20).map("".join)))
def test_all_but_spaces_is_in_exactly_one_sentence_in_order(text: str) -> None:
    end = 0
    for start, stop in split(text):
        assert not text[end:start].strip()
        assert end <= start < stop
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([
    "Tea boils fast.", "We use 3.5 cups, e.g. small ones.", "Is it hot?", "This is e.g. “tea”.",
    "It gains 5% (vs. 4%).",
]), min_size=1, max_size=8))
def test_sentences_joined_by_a_space_are_found_again(sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert [text[a:b] for a, b in split(text)] == sentences


@pytest.mark.parametrize("piece", [
    ". ", "A. ", "(", "() ", "한다.", "a.", "etc. ", "? ", "\"a.\" ", "1. ", "a", "https://a.b. ", "…", ".\"",
])
def test_time_grows_with_the_text(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        split(text)
        return time.process_time() - began

    small = max(min(seconds(10_000) for _ in range(2)), 0.002)
    assert seconds(160_000) < 100 * small


def test_the_digest_sees_words_and_not_spaces_or_composition() -> None:
    assert digest("Tea  boils\nfast.") == digest("Tea boils fast.")
    assert digest("cafe\u0301") == digest("café")
    assert digest("Tea boils fast.") != digest("Tea boils fast!")
    assert digest("tea") == hashlib.sha256(b"tea").hexdigest()[:16]


ABSTRACT = "Kettles are\nslow. \\textbf{We boil} tea 5times faster\nthan pans.  It costs\n20\\% less."


def tea(**changes: str) -> Paper:
    return make_paper(id="2401.00001", title="Tea", authors=["A B"], **{"abstract": ABSTRACT, **changes})


def test_offsets_lead_to_the_abstract_as_published() -> None:
    paper = tea()
    assert [s.number for s in paper.sentences] == [1, 2, 3]
    assert [ABSTRACT[s.start : s.end] for s in paper.sentences] == [
        "Kettles are\nslow.", "We boil} tea 5times faster\nthan pans.", "It costs\n20\\% less.",
    ]
    texts = ["Kettles are slow.", "We boil tea 5× faster than pans.", "It costs 20% less."]
    assert sentence_texts(paper) == texts
    assert [s.hash for s in paper.sentences] == [digest(t) for t in sentence_texts(paper)]


def test_a_sentence_is_found_again_by_its_offsets_and_hash() -> None:
    paper = tea()
    assert [locate(paper, s) for s in paper.sentences] == sentence_texts(paper)


def test_a_changed_abstract_is_noticed() -> None:
    changed = tea(abstract=ABSTRACT.replace("5times", "6times"))
    with pytest.raises(BadInput, match=r"2401.00001: sentence 2 has hash .* need") as error:
        locate(changed, tea().sentences[1])
    assert "version" in error.value.hint


def test_offsets_beyond_the_abstract_are_an_error_and_not_a_crash() -> None:
    with pytest.raises(BadInput, match="sentence 9"):
        locate(tea(), Sentence(number=9, start=900, end=990, hash="0" * 16))


def test_a_paper_shipped_without_its_abstract_has_sentences_but_no_text() -> None:
    shipped = Paper(id="2401.00001", title="Tea", sentences=tea().sentences, source="shipped")
    assert sentence_texts(shipped) == []
    with pytest.raises(BadInput, match="abstract is not here"):
        locate(shipped, shipped.sentences[0])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(PIECES, MARKUP), max_size=20).map("".join))
def test_every_sentence_of_every_abstract_can_be_located(abstract: str) -> None:
    paper = make_paper(id="2401.00001", title="T", abstract=abstract, authors=[])
    assert [locate(paper, s) for s in paper.sentences] == sentence_texts(paper)
    assert paper.sentences == sentences_of(clean(abstract))


@pytest.mark.shared
def test_boundaries_of_real_abstracts_are_found(shared_data: Path) -> None:
    found = wanted = both = 0
    with gzip.open(shared_data / "csabstruct" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            text, gold = "", set()
            for sentence in json.loads(line)["sentences"]:
                text += " " if text else ""
                gold.add(len(text))
                text += " ".join(sentence.split())
            ours = {start for start, _ in split(text)[1:]}
            gold.discard(0)
            found, wanted, both = found + len(ours), wanted + len(gold), both + len(ours & gold)
    assert both / found >= 0.98
    assert both / wanted >= 0.98
