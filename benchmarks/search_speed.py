"""Measure how fast the archive indexes and searches: writes `search_speed.md` beside itself.

    python benchmarks/search_speed.py --papers papers.jsonl.gz [--count 9575]

Peers in the same run: bm25s and rank-bm25 for words, faiss-cpu (exact) for
vectors; one that is not installed is left out and said so. Queries are titles of
papers with every third word taken out; arms take turns query by query in shuffled order.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from presscheck.archive.search import Searcher
from presscheck.archive.store import Archive
from presscheck.archive.words import WordIndex
from presscheck.papers.files import iter_papers
from presscheck.papers.library import Library

OUT = Path(__file__).with_suffix(".md")
QUERIES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument(
        "--home",
        type=Path,
        help="A library with vectors: queries alone are measured, steps stay on the page.",
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given, Path(folder))


def measure(given, folder: Path) -> None:
    rows = []
    archive = Archive(Library(given.home or folder))
    if not given.home:
        start = time.perf_counter()
        papers = list(islice(iter_papers(given.papers), given.count))
        read = time.perf_counter() - start
        start = time.perf_counter()
        archive.add(papers)
        rows += [("reading and cleaning", read), ("adding to the archive", time.perf_counter() - start)]
        start = time.perf_counter()
        for _ in WordIndex(archive).update():
            pass
        rows.append(("index of words", time.perf_counter() - start))
        searcher = Searcher(archive)
        inside = searcher.meaning.encoder._encode
        spent = [0.0]

        def timed(texts, *, query):
            begin = time.perf_counter()
            out = inside(texts, query=query)
            spent[0] += time.perf_counter() - begin
            return out

        searcher.meaning.encoder._encode = timed
        start = time.perf_counter()
        searcher.update()
        total = time.perf_counter() - start
        rows.append((f"index of vectors (encoder {spent[0] / total:.0%})", total))
        fresh = [
            __import__("msgspec").structs.replace(p, id=f"9901.{n:05d}", title=f"{p.title} {n}", doi="")
            for n, p in enumerate(papers[:25])
        ]
        start = time.perf_counter()
        archive.add(fresh)
        searcher.update()
        rows.append(("a day of 25 more papers, ready", time.perf_counter() - start))
    else:
        searcher = Searcher(archive)
        searcher.update()
    every = list(archive)
    rng = random.Random(0)
    texts = [
        " ".join(word for number, word in enumerate(paper.title.split()) if number % 3 != 2)
        for paper in rng.sample(every, min(QUERIES, len(every)))
    ]
    arms = {
        "presscheck, words and vectors": lambda text: searcher.search(text),
        "presscheck, words only": lambda text: searcher.search(text, words_only=True),
    }
    bodies = [f"{p.title} {p.abstract}".lower().split() for p in every]
    missing = []
    try:
        import bm25s

        index = bm25s.BM25()
        index.index(bodies, show_progress=False)
        arms["bm25s, words only"] = lambda text: index.retrieve(
            [text.lower().split()], k=10, show_progress=False
        )
    except ImportError:
        missing.append("bm25s")
    try:
        from rank_bm25 import BM25Okapi

        ranked = BM25Okapi(bodies)
        arms["rank-bm25, words only"] = lambda text: np.argsort(-ranked.get_scores(text.lower().split()))[:10]
    except ImportError:
        missing.append("rank-bm25")
    own = searcher.meaning.own(np.arange(len(searcher.meaning)))
    vectors = dict(zip(texts, searcher.meaning.encoder.queries(texts), strict=True))
    arms["presscheck, exact scan alone"] = lambda text: searcher.meaning.nearest(vectors[text], 10)
    try:
        import faiss

        flat = faiss.IndexFlatIP(own.shape[1])
        flat.add(own)
        arms["faiss-cpu, exact scan alone"] = lambda text: flat.search(vectors[text][None], 10)
    except ImportError:
        missing.append("faiss-cpu")
    searcher._vector.cache_clear()
    for arm in arms.values():
        arm(texts[0])
        arm(texts[1])
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for text in texts:
        searcher._vector.cache_clear()
        names = list(arms)
        rng.shuffle(names)
        for name in names:
            start = time.perf_counter()
            arms[name](text)
            seconds[name].append(time.perf_counter() - start)
    lines = ["# Speed of the archive", "", f"Made by `benchmarks/search_speed.py`: {len(every)} papers.", ""]
    if rows:
        lines += [
            "| step | seconds |",
            "| --- | --- |",
            *(f"| {what} | {took:.1f} |" for what, took in rows),
            "",
        ]
    elif OUT.exists():
        held = [line for line in OUT.read_text("utf-8").splitlines() if line.startswith("|")]
        steps = held[: held.index("| arm | median ms | p95 ms |")]
        lines += ["Making the index, of an earlier run:", "", *steps, ""]
    lines += [f"{len(texts)} queries, warm, the query's encoding included.", ""]
    lines += ["| arm | median ms | p95 ms |", "| --- | --- | --- |"]
    for name, some in seconds.items():
        median, high = np.quantile(some, [0.5, 0.95]) * 1000
        lines.append(f"| {name} | {median:.1f} | {high:.1f} |")
    if missing:
        lines += ["", f"Not installed, so not measured: {', '.join(missing)}."]
    text = "\n".join(lines) + "\n"
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
