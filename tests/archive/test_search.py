"""Search and its indexes: what is found, and what becomes of a broken index."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from presscheck.archive import words
from presscheck.archive.korean import pairs, segmented
from presscheck.archive.lexicon import of_glossary, translations
from presscheck.archive.meaning import VectorIndex, own_vector
from presscheck.archive.ranking import Ranking, vector_parts
from presscheck.archive.search import Searcher
from presscheck.archive.store import Archive
from presscheck.archive.vectorfile import open_vectors, write_vectors
from presscheck.archive.words import WordIndex
from presscheck.digest.fields import table
from presscheck.digest.glossary import Glossary, Term
from presscheck.errors import BadInput
from presscheck.papers.library import Library
from presscheck.papers.paper import make_paper
from presscheck.types import Edition, Entry, Section, Statement

replace = msgspec.structs.replace
pytestmark = pytest.mark.usefixtures("bag_of_words")


@pytest.fixture
def searcher(archive, papers):
    archive.add(papers)
    return Searcher(archive)


def test_a_paper_is_found_by_words_of_its_abstract_and_says_which(searcher):
    hit = searcher.search("theorem in algebra")[0]
    assert hit.paper.title == "Proofs found by search"
    assert hit.snippet == "A tree search over tactics proves theorems in algebra."
    assert "words theorem, algebra" in hit.why


def test_words_only_needs_no_vector(searcher, bag_of_words):
    assert searcher.search("robot cloth", words_only=True)[0].paper.title == "Robots that fold shirts"
    assert bag_of_words == [] and not searcher.meaning.folder.exists()


def test_what_an_edition_says_in_korean_is_found_by_a_word_without_its_particle(archive, papers):
    said = Section(key="summary", statements=(Statement(text="로봇이 옷을 갠다."),))
    entry = Entry(paper=papers[1].id, language="ko", style="easy", sections=(said,))
    archive.add_edition(Edition(date="2025-01-03", papers=tuple(papers), entries=(entry,)))
    searcher = Searcher(archive)
    assert searcher.search("로봇", words_only=True)[0].paper.id == papers[1].id
    assert [hit.paper.id for hit in searcher.search("로봇", language="ko")] == [papers[1].id]


def test_an_abstract_is_found_by_the_glossarys_english_for_a_korean_word(archive, papers):
    """No vector can do it here: the bag of words knows no Korean."""
    abstract = "Contrastive learning of pictures. Nothing else is said."
    archive.add([*papers, replace(papers[0], id="2501.00099", title="Pictures alone", abstract=abstract)])
    hit = Searcher(archive).search("대조 학습을 쓰는 방법")[0]
    assert hit.paper.id == "2501.00099" and "contrastive learning" in hit.why


@pytest.mark.parametrize(
    "query",
    ["a" * 10_000, "가" * 10_000, '"', '" OR 1=1 --', "NEAR(", "title:*", "a\0b", "(((", "-x ^y", "\ud800 a"],
)
def test_a_hostile_query_is_only_text(searcher, query):
    if any(letter.isalnum() for letter in query):
        assert isinstance(searcher.search(query), list)
    else:
        with pytest.raises(BadInput, match="no word"):
            searcher.search(query)


@pytest.mark.parametrize("query", ["", "   ", "\0\0", "?!"])
def test_a_query_without_a_word_is_refused(searcher, query):
    with pytest.raises(BadInput, match="no word"):
        searcher.search(query)


def test_filters_leave_only_what_they_say(archive, papers):
    archive.add([*papers[:5], replace(papers[5], system="music")])
    searcher = Searcher(archive, claims=[papers[0].id])
    found = searcher.search("a robot found by search", limit=100)
    assert len(found) == 6
    late = searcher.search("a robot found by search", limit=100, since="2025-01-05")
    assert {hit.paper.date for hit in late} == {"2025-01-05", "2025-01-06", "2025-01-07"}
    claimed = searcher.search("a robot found by search", limit=100, has_claims=True)
    assert {hit.paper.id for hit in claimed} == {papers[0].id, papers[5].id}
    korean = next(field.ko for field in table() if field.en.lower() == "robotics")
    robots = searcher.search("learning", limit=100, field="robotics")
    assert [hit.paper.id for hit in robots] == [papers[1].id]
    assert [hit.paper.id for hit in searcher.search("learning", limit=100, field=korean)] == [papers[1].id]
    assert searcher.search("robot", language="ko") == []


@pytest.mark.parametrize(
    ("argument", "value"),
    [("field", "cookery"), ("since", "yesterday"), ("language", "fr"), ("limit", 0), ("limit", 10**6)],
)
def test_a_filter_that_cannot_be_is_refused(searcher, argument, value):
    with pytest.raises(BadInput):
        searcher.search("robot", **{argument: value})


def test_an_unknown_encoder_is_refused(archive):
    with pytest.raises(BadInput, match="no encoder"):
        Searcher(archive, "bert")


def test_similar_leaves_the_paper_itself_out_and_ranks_by_cosine(archive, papers):
    twin = replace(papers[0], id="2502.00001", title="Pruning the cache of keys and values")
    archive.add([*papers, twin])
    searcher = Searcher(archive)
    hits = searcher.similar(papers[0].id, limit=3)
    assert hits[0].paper.id == twin.id and len(hits) == 3
    vectors = searcher.vectors([papers[0].id, *(hit.paper.id for hit in hits)])
    np.testing.assert_allclose(vectors[1:] @ vectors[0], [hit.score for hit in hits], atol=1e-3)
    with pytest.raises(BadInput, match="no paper"):
        searcher.similar("2599.99999")


def test_only_what_is_new_or_changed_is_encoded(searcher, archive, papers, bag_of_words):
    searcher.update()
    bag_of_words.clear()
    changed = replace(papers[0], version="v2", abstract="Quite another text.")
    archive.add([changed, replace(papers[1], id="2502.00001", title="A new paper", abstract="")])
    searcher.update()
    assert bag_of_words == [changed.title, "Quite another text.", "A new paper"]
    assert searcher.search("quite another text")[0].paper.id == changed.id
    assert searcher.search("remove channels", words_only=True)[:1] == []
    bag_of_words.clear()
    Searcher(archive).update()
    assert bag_of_words == []


def test_papers_found_to_be_one_leave_the_index_as_one(archive, papers):
    archive.add([replace(papers[0], id="doi:10.1/x", title="Elsewhere", doi="10.1/x"), *papers])
    searcher = Searcher(archive)
    assert len(searcher.search("cache", limit=100, words_only=True)) == 2
    archive.add([replace(papers[0], doi="10.1/x")])
    assert [hit.paper.id for hit in searcher.search("cache", words_only=True)] == [papers[0].id]


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "other", "half"])
def test_a_broken_file_of_vectors_is_noticed_and_made_again(searcher, archive, papers, bag_of_words, harm):
    searcher.update()
    before = searcher.vectors([paper.id for paper in papers])
    (path,) = searcher.meaning.folder.glob("*.vectors")
    data = bytearray(path.read_bytes())
    if harm == "flipped":
        data[-5] ^= 64
    broken = {
        "cut": data[:-7],
        "flipped": data,
        "empty": b"",
        "other": b"x" * 5000,
        "half": data[: len(data) // 2],
    }
    path.write_bytes(bytes(broken[harm]))
    bag_of_words.clear()
    again = Searcher(archive)
    np.testing.assert_array_equal(again.vectors([paper.id for paper in papers]), before)
    assert len(again.meaning.broken) == 1 and bag_of_words


@pytest.mark.parametrize("harm", ["other", "cut", "empty"])
def test_a_broken_index_of_words_is_noticed_and_made_again(searcher, archive, papers, harm):
    expected = [hit.paper.id for hit in searcher.search("fold cloth", words_only=True)]
    path = searcher.words.path
    searcher.words.close()
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    data = path.read_bytes()
    path.write_bytes({"other": b"no database " * 999, "cut": data[: len(data) // 2], "empty": b""}[harm])
    again = Searcher(archive)
    assert [hit.paper.id for hit in again.search("fold cloth", words_only=True)] == expected


def test_a_page_that_breaks_while_the_index_is_open_is_made_again(searcher):
    searcher.update(words_only=True)
    path = searcher.words.path
    searcher.words.close()
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    data[4096 * 5 :] = b"\xff" * (4096 * (pages - 5))
    path.write_bytes(data)
    assert searcher.words.search(["robot"], 5)
    assert "damaged" in searcher.words.rebuilt


def test_an_index_of_another_archive_is_not_used(tmp_path, searcher, papers):
    searcher.update(words_only=True)
    other = Archive(Library(tmp_path / "other"))
    other.add(papers[3:4])
    index = WordIndex(other, searcher.words.path)
    list(index.update())
    assert [facts.id for facts in index.facts().values()] == [papers[3].id]


def test_small_files_are_joined_and_nothing_is_lost(archive, papers, bag_of_words):
    from presscheck.archive.encoders import Encoder

    index = VectorIndex(archive, Encoder())
    for number in range(12):
        archive.add([replace(papers[number % 6], id=f"2503.{number:05d}", title=f"Day {number} has one")])
        list(index.update())
    assert len(list(index.folder.glob("*.vectors"))) <= 9
    assert len(index) == 12
    encoded = len(bag_of_words)
    again = VectorIndex(archive, Encoder())
    list(again.update())
    assert set(again.slot) == set(index.slot) and len(bag_of_words) == encoded


def test_a_scan_in_blocks_is_the_scan_in_memory(searcher, monkeypatch):
    searcher.update()
    query = searcher.meaning.own([2])[0]
    whole = searcher.meaning.scores(query)
    monkeypatch.setattr("presscheck.archive.meaning.IN_MEMORY", 0)
    monkeypatch.setattr("presscheck.archive.meaning.BLOCK", 4)
    blocks = Searcher(searcher.archive)
    blocks.update()
    assert blocks.meaning._own is None
    np.testing.assert_allclose(blocks.meaning.scores(query), whole, atol=1e-6)


def test_the_graph_finds_what_the_scan_finds(searcher, monkeypatch):
    pytest.importorskip("usearch")
    searcher.update()
    query = searcher.meaning.own([4])[0]
    exact = searcher.meaning.nearest(query, 3)
    monkeypatch.setattr("presscheck.archive.meaning.LARGE", 1)
    slots, cosines = searcher.meaning.nearest(query, 3)
    assert slots[0] == exact[0][0] == 4
    np.testing.assert_allclose(cosines, exact[1], atol=2e-3)


def test_vectors_come_back_from_their_file(tmp_path):
    rng = np.random.default_rng(0)
    own, rows = rng.standard_normal((2, 8)), rng.standard_normal((5, 8))
    papers = [("a", "h1", 2), ("b", "h2", 3)]
    write_vectors(tmp_path / "x.vectors", "m 1", papers, own, rows)
    held = open_vectors(tmp_path / "x.vectors", "m 1")
    np.testing.assert_array_equal(held.papers, own.astype(np.float16))
    np.testing.assert_array_equal(held.rows[held.starts[1] :], rows[2:].astype(np.float16))
    with pytest.raises(BadInput, match="encoder"):
        open_vectors(tmp_path / "x.vectors", "m 2")
    with pytest.raises(ValueError, match="do not fit"):
        write_vectors(tmp_path / "y.vectors", "m 1", papers, own, rows[:4])


def test_the_parts_of_a_score_are_title_mean_and_best_sentence():
    unit = np.eye(4, dtype=np.float32)
    rows = np.stack([unit[0], unit[1], unit[2], unit[3]])  # a paper of three texts, one of a title alone
    starts = np.array([0, 3, 4])
    query = np.array([0.1, 0.2, 0.9, 0.3], dtype=np.float32)
    title, mean, best = vector_parts(np.stack([query, query]), rows, starts)
    np.testing.assert_allclose(title, [0.1, 0.3])
    np.testing.assert_allclose(mean, [1.1 / 2**0.5, 0.3], rtol=1e-6)
    np.testing.assert_allclose(best, [0.9, 0.3])


def test_a_projection_turns_queries_and_not_titles():
    swap = np.eye(2, dtype=np.float32)[::-1]
    ranking = Ranking(title=1.0, mean=0.0, best=10.0, own=0.0, english=0.0, projection=swap)
    rows = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    none = np.zeros(1, dtype=np.float32)
    score = ranking.scores(np.array([1.0, 0.0], dtype=np.float32), rows, np.array([0, 2]), none, none)
    np.testing.assert_allclose(score, [11.0])


def test_own_vector_is_halfway_between_title_and_sentences():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(own_vector(rows), [2**-0.5, 2**-0.5], rtol=1e-6)
    np.testing.assert_allclose(own_vector(rows[:1]), rows[0])


def test_korean_without_kiwi_becomes_pairs_and_the_rest_stays():
    assert pairs("모델을") == ["모델", "델을"] and pairs("키") == ["키"]
    assert segmented("KV 캐시를 줄임", "pairs") == "KV 캐시 시를 줄임"


def test_a_term_is_translated_inside_a_compound_and_with_its_particle():
    table = of_glossary(
        Glossary([Term(en=("language model",), ko=("언어 모델",)), Term(en=("code",), ko=("코드",))])
    )
    assert translations("대규모 언어모델의 코드를 본다", table) == ["language model", "code"]
    assert translations("a language model", table) == []


INDEXER = """
import sys
from pathlib import Path
import numpy as np
from presscheck.archive import encoders, meaning
from presscheck.archive.search import Searcher
from presscheck.archive.store import Archive
from presscheck.papers.library import Library
import time
def encode(self, texts, *, query):
    time.sleep(0.05)
    out = np.ones((len(texts), self.width), dtype=np.float32)
    return out / np.linalg.norm(out, axis=1, keepdims=True)
encoders.Encoder._encode = encode
meaning.PIECE = 5
Searcher(Archive(Library(Path(sys.argv[1])))).update(lambda what, done, total: print(what, done, flush=True))
"""


def test_a_killed_indexer_goes_on_where_it_stopped(archive, papers, bag_of_words):
    many = [replace(papers[0], id=f"2503.{n:05d}", title=f"Paper {n} of many") for n in range(200)]
    archive.add(many)
    source = Path(__file__).resolve().parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", INDEXER, str(archive.library.home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert process.stdout
    while (line := process.stdout.readline()) and line != "vectors 25\n":
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert line == "vectors 25\n"
    searcher = Searcher(archive)
    searcher.update()
    assert not searcher.meaning.broken
    assert len(searcher.meaning) == 200
    assert len({text for text in bag_of_words if text.startswith("Paper")}) <= 175
    assert searcher.search("Paper 7 of many", words_only=True)


def many_with_a_common_word(archive: Archive) -> WordIndex:
    """Sixty papers on models, of which the first six are on eels too, the sixth most of all."""
    found = []
    for n in range(60):
        eels = " Eels swim." * (n + 1) if n < 6 else ""
        text = f"A model of rivers is told.{eels}"
        found.append(make_paper(id=f"2501.{n:05}", title=f"Model number {n}", abstract=text, authors=["A B"]))
    archive.add(found)
    index = WordIndex(archive)
    for _ in index.update():
        pass
    return index


def test_a_common_word_counts_in_the_score_of_what_a_rarer_one_finds(archive):
    index = many_with_a_common_word(archive)
    whole = dict(index._open().execute(f"{words._RANKED}", ('"model" OR "eels"',)).fetchall())
    found = index.search(["model", "eels"], 4)
    assert len(found) == 4
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    for n, score in found:
        assert score == pytest.approx(-whole[n])


def test_where_rarer_words_find_too_few_the_common_ones_are_looked_up(archive):
    index = many_with_a_common_word(archive)
    found = index.search(["model", "eels"], 20)
    assert len(found) == 20
    assert {n for n, _ in found[:6]} == {n for n, _ in index.search(["eels"], 20)}


def test_words_are_counted_anew_when_papers_come(archive):
    index = many_with_a_common_word(archive)
    assert index._rarer(index._open(), ["model", "eels"]) == ["eels"]
    archive.add(
        make_paper(id=f"2501.{n:05}", title=f"Eels {n}", abstract="More eels.", authors=["A B"])
        for n in range(60, 80)
    )
    for _ in index.update():
        pass
    assert index._rarer(index._open(), ["model", "eels"]) == []


def test_the_lengths_of_sums_are_remembered_and_those_of_the_rows(archive, papers, bag_of_words):
    archive.add(papers)
    searcher = Searcher(archive)
    searcher.update()
    slots = [4, 0, 2]
    rows, starts = searcher.meaning.rows(slots)
    expected = [np.linalg.norm(rows[a + 1 : b].sum(axis=0)) for a, b in zip(starts, starts[1:], strict=False)]
    for _ in range(2):
        np.testing.assert_allclose(searcher.meaning.lengths(slots, rows, starts), expected, rtol=1e-5)
    mixed, at = searcher.meaning.rows([1, 4])
    assert searcher.meaning.lengths([1, 4], mixed, at)[1] == pytest.approx(expected[0], rel=1e-5)
