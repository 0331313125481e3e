"""How well `presscheck for-me` ranks a day, on simulated readers over a real archive.

    python benchmarks/for_me.py --papers ARCHIVE.jsonl.gz [--vectors CACHE.npy] [--write benchmarks/for_me.md]

Nobody's reading list is in a public archive, so readers are simulated, three kinds:

* *keywords*: wants papers with one of three keywords of the archive's ``ai_keywords`` (a
  language model's, not ours; read here and nowhere else). Keywords are drawn from those of
  40 to 400 papers.
* *fields*: wants papers with two fields of our own table that are not broad.
* *circle*: an author with at least six papers; wants the papers of anyone who has ever
  signed a paper with them. No text of a paper decides that.

A reader reads a wanted paper with probability 0.6 and any other with 0.01, over the 120
days before a cut; that is the training. The test are the next 20 editions: relevant is
what is wanted, whether it would be read or not. Editions without a wanted paper are left
out. Half of the readers (even seeds) are for choosing settings, the figures of the table
are of the other half. Intervals are 95 %, by bootstrap over readers.

Beside the model stand: the list's order by votes, a random order, tf-idf with a linear
SVM in the way of arxiv-sanity-lite (unigrams and bigrams, 20,000 features, sublinear,
``C=0.01``, balanced), and parts of our model alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from presscheck.archive import for_me, profile
from presscheck.archive.reading import Mark
from presscheck.archive.vectors import paper_text
from presscheck.digest.fields import fields, table
from presscheck.digest.vectors import encode
from presscheck.papers.files import iter_papers
from presscheck.types import Paper

READS, STRAYS = 0.6, 0.01
HISTORY, EDITIONS = 120, 20
KINDS = ("keywords", "fields", "circle")


class World:
    """The archive with what the simulation needs of it."""

    def __init__(self, path: str, vectors: str) -> None:
        seen: dict[str, Paper] = {}
        for paper in iter_papers(path):
            seen.setdefault(paper.id, paper)
        self.papers = list(seen.values())
        self.at = {paper.id: n for n, paper in enumerate(self.papers)}
        if vectors and Path(vectors).exists():
            self.vectors = np.load(vectors)
        else:
            self.vectors = encode([paper_text(paper) for paper in self.papers])
            if vectors:
                np.save(vectors, self.vectors)
        self.days = defaultdict(list)
        for n, paper in enumerate(self.papers):
            self.days[paper.date].append(n)
        self.dates = sorted(self.days)
        self.keywords: dict[str, set[int]] = defaultdict(set)
        opened = gzip.open if path.endswith(".gz") else open
        with opened(path, "rt") as file:
            for line in file:
                row = json.loads(line)
                for word in row.get("ai_keywords") or ():
                    if row["id"] in self.at:
                        self.keywords[word.lower()].add(self.at[row["id"]])
        # Read once for all readers; the model asks for them again and again.
        by_id = {paper.id: [s.text for s in fields(paper, "en")] for paper in self.papers}
        terms = {paper.id: profile.terms_of(paper) for paper in self.papers}
        profile.field_names = lambda paper: by_id[paper.id]
        profile.terms_of = lambda paper: terms[paper.id]
        self.fields: dict[str, set[int]] = defaultdict(set)
        narrow = {field.en for field in table() if not field.broad}
        for n, paper in enumerate(self.papers):
            for name in by_id[paper.id]:
                if name in narrow:
                    self.fields[name].add(n)
        self.by_author: dict[str, set[int]] = defaultdict(set)
        for n, paper in enumerate(self.papers):
            if len(paper.authors) <= 30:
                for author in paper.authors:
                    self.by_author[author.name].add(n)


class Reader:
    """One simulated reader: what they want, have read, and are tested on."""

    def __init__(self, world: World, kind: str, seed: int) -> None:
        draw = random.Random(f"{kind} {seed}")
        wanted: set[int] = set()
        if kind == "keywords":
            names = sorted(word for word, papers in world.keywords.items() if 40 <= len(papers) <= 400)
            wanted = set().union(*(world.keywords[word] for word in draw.sample(names, 3)))
        elif kind == "fields":
            names = sorted(name for name, papers in world.fields.items() if 40 <= len(papers) <= 600)
            wanted = set().union(*(world.fields[name] for name in draw.sample(names, 2)))
        else:
            names = sorted(name for name, papers in world.by_author.items() if 6 <= len(papers) <= 30)
            me = draw.choice(names)
            circle = {a.name for n in world.by_author[me] for a in world.papers[n].authors}
            wanted = set().union(*(world.by_author[name] for name in circle))
        # Keywords are known from 2025-03 on; the cut leaves history before and editions after it.
        first = next(n for n, date in enumerate(world.dates) if date >= "2025-08-01")
        cut = draw.randrange(first, len(world.dates) - EDITIONS)
        history = [n for date in world.dates[max(0, cut - HISTORY) : cut] for n in world.days[date]]
        self.read = [n for n in history if draw.random() < (READS if n in wanted else STRAYS)]
        pool = sorted(set(range(len(world.papers))) - set(self.read))
        before = [n for n in pool if world.papers[n].date < world.dates[cut]]
        self.others = draw.sample(before, min(for_me.SAMPLE, len(before)))
        self.tests = [
            (day, [n in wanted for n in day])
            for day in (world.days[date] for date in world.dates[cut : cut + EDITIONS])
            if any(n in wanted for n in day) and not all(n in wanted for n in day)
        ]
        self.seed = seed
        self.usable = len(self.read) >= 3 and len(self.tests) >= 3


Scores = Callable[[World, Reader], Callable[[Sequence[int]], np.ndarray]]


def votes(world: World, reader: Reader) -> Callable[[Sequence[int]], np.ndarray]:
    return lambda day: np.array([world.papers[n].votes or 0 for n in day], float)


def chance(world: World, reader: Reader) -> Callable[[Sequence[int]], np.ndarray]:
    draw = np.random.default_rng(reader.seed)
    return lambda day: draw.random(len(day))


def svm(world: World, reader: Reader) -> Callable[[Sequence[int]], np.ndarray]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    read = set(reader.read)
    rows = [*reader.read, *reader.others]
    texts = [paper_text(world.papers[n]) for n in rows]
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), max_features=20_000, sublinear_tf=True, stop_words="english", min_df=2
    )
    x = vectorizer.fit_transform(texts)
    model = LinearSVC(C=0.01, class_weight="balanced").fit(x, [n in read for n in rows])
    return lambda day: model.decision_function(
        vectorizer.transform([paper_text(world.papers[n]) for n in day])
    )


def ours(drop: Sequence[str] = (), vector: bool = True, terms: bool = True) -> Scores:
    """The model; ``drop`` takes named features out, ``vector`` and ``terms`` the other kinds."""

    def prepared(world: World, reader: Reader) -> Callable[[Sequence[int]], np.ndarray]:
        marks = [Mark(paper=world.papers[n], at=f"{world.papers[n].date}T12:00:00Z") for n in reader.read]
        others = [world.papers[n] for n in reader.others]
        # A kind of feature is taken out by its scale; the named ones by name.
        scales = {"VECTOR": for_me.VECTOR * vector, "TERMS": for_me.TERMS * terms}
        kept = [name not in drop for name in profile.NAMES]
        scales["NAMED"] = for_me.NAMED * np.array(kept, float)

        def scaled(call: Callable[[], Any]) -> Any:
            before = {name: getattr(for_me, name) for name in scales}
            for name, value in scales.items():
                setattr(for_me, name, value)
            try:
                return call()
            finally:
                for name, value in before.items():
                    setattr(for_me, name, value)

        taste = scaled(
            lambda: for_me.learn(marks, world.vectors[reader.read], others, world.vectors[reader.others])
        )

        def scores(day: Sequence[int]) -> np.ndarray:
            papers = [world.papers[n] for n in day]
            ranked = scaled(lambda: for_me.rank(taste, papers, world.vectors[list(day)]))
            by_id = {one.paper.id: one.logit for one in ranked}
            return np.array([by_id[paper.id] for paper in papers])

        return scores

    return prepared


ARMS: dict[str, Scores] = {
    "random order": chance,
    "order of votes": votes,
    "tf-idf and linear SVM": svm,
    "terms alone": ours(drop=profile.NAMES, vector=False),
    "vector alone": ours(drop=profile.NAMES, terms=False),
    "without the vector": ours(vector=False),
    "without `authors`": ours(drop=("authors",)),
    "without `fields`": ours(drop=("fields",)),
    "presscheck": ours(),
}


def measures(scores: np.ndarray, relevant: Sequence[bool]) -> dict[str, float]:
    """nDCG@10, precision@5 and average precision of one edition; ties keep the list's order."""
    order = np.argsort(-scores, kind="stable")
    hits = np.array(relevant, float)[order]
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.sort(hits)[::-1]
    ranks = np.flatnonzero(hits) + 1
    return {
        "nDCG@10": float(
            (hits[:10] * discount[: len(hits[:10])]).sum() / (ideal[:10] * discount[: len(ideal[:10])]).sum()
        ),
        "precision@5": float(hits[:5].mean()),
        "average precision": float((np.arange(1, len(ranks) + 1) / ranks).mean()),
    }


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean with its 95 % bootstrap interval over readers."""
    draw = np.random.default_rng(0)
    given = np.array(values)
    means = given[draw.integers(0, len(given), (4000, len(given)))].mean(1)
    return float(given.mean()), *(float(edge) for edge in np.quantile(means, (0.025, 0.975)))


def run(world: World, arms: dict[str, Scores], kinds: Sequence[str], seeds: Sequence[int]) -> dict:
    """(kind, arm, measure) → one value a reader."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    seconds: Counter[str] = Counter()
    readers = 0
    for kind in kinds:
        for seed in seeds:
            reader = Reader(world, kind, seed)
            if not reader.usable:
                continue
            readers += 1
            found[kind, "", "read"].append(len(reader.read))
            share = [np.mean(relevant) for _, relevant in reader.tests]
            found[kind, "", "relevant share"].append(float(np.mean(share)))
            for name, arm in arms.items():
                begun = time.perf_counter()
                scores = arm(world, reader)
                rows = [measures(scores(day), relevant) for day, relevant in reader.tests]
                seconds[name] += time.perf_counter() - begun
                for measure in rows[0]:
                    found[kind, name, measure].append(float(np.mean([row[measure] for row in rows])))
    found["", "", "seconds"] = [seconds[name] / max(readers, 1) for name in arms]
    return found


def report(found: dict, arms: dict[str, Scores], kinds: Sequence[str]) -> str:
    lines = []
    for kind in kinds:
        read = found[kind, "", "read"]
        share = np.mean(found[kind, "", "relevant share"])
        lines += [
            f"### {kind}: {len(read)} readers, {np.median(read):.0f} papers read (median), "
            f"{share:.0%} of an edition wanted",
            "",
            "| order | nDCG@10 | precision@5 | average precision | nDCG@10, ours minus this |",
            "| --- | --- | --- | --- | --- |",
        ]
        best = np.array(found[kind, "presscheck", "nDCG@10"])
        for name in arms:
            cells = []
            for measure in ("nDCG@10", "precision@5", "average precision"):
                mean, low, high = interval(found[kind, name, measure])
                cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
            mean, low, high = interval(list(best - np.array(found[kind, name, "nDCG@10"])))
            cells.append("" if name == "presscheck" else f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]")
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    pairs = zip(arms, found["", "", "seconds"], strict=True)
    lines.append(
        "Seconds a reader, fitting and 20 editions, by the wall clock of a machine with other work: "
        + ", ".join(f"{n} {s:.2f}" for n, s in pairs)
        + "."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--papers", required=True)
    parser.add_argument("--vectors", default="", help="a .npy to keep the vectors in")
    parser.add_argument("--readers", type=int, default=40, help="of each kind and half")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which kinds of readers")
    parser.add_argument("--results", default="", help="a .json to gather the results of several calls in")
    parser.add_argument("--tune", action="store_true", help="the other half, over settings")
    parser.add_argument("--write", help="the Markdown file whose table to replace")
    given = parser.parse_args()
    world = World(given.papers, given.vectors)
    if given.tune:
        tune(world, range(0, 2 * given.readers, 2))
        return
    found = run(world, ARMS, given.kinds.split(","), range(1, 2 * given.readers, 2))
    if given.results:
        # Kinds may be run one at a time: what an earlier call found is kept.
        path = Path(given.results)
        held = (
            {tuple(key.split("|")): row for key, row in json.loads(path.read_text()).items()}
            if path.exists()
            else {}
        )
        found = held | found
        path.write_text(json.dumps({"|".join(key): row for key, row in found.items()}))
    kinds = [kind for kind in KINDS if (kind, "", "read") in found]
    text = report(found, ARMS, kinds)
    print(text)
    if given.write:
        page = Path(given.write).read_text()
        head, _, rest = page.partition("<!-- table -->")
        _, _, tail = rest.partition("<!-- /table -->")
        Path(given.write).write_text(f"{head}<!-- table -->\n{text}\n<!-- /table -->{tail}")


def tune(world: World, seeds: Sequence[int]) -> None:
    """Settings on the half of the readers that no table is made of, one at a time."""
    chosen = {"C": 1.0, "TERMS": 4.0, "VECTOR": 1.0, "NAMED": 1.0, "HALF_LIFE": 180.0}
    grid = {
        "TERMS": (2.0, 4.0, 8.0), "VECTOR": (0.5, 1.0, 2.0, 4.0), "NAMED": (0.3, 0.6, 1.0),
        "C": (0.1, 0.3, 1.0, 3.0), "HALF_LIFE": (60.0, 180.0, 1e9),
    }  # fmt: skip
    known: dict[str, float] = {}

    def value(setting: dict[str, float]) -> float:
        key = str(setting)
        if key not in known:
            for name, one in setting.items():
                setattr(for_me, name, one)
            found = run(world, {"presscheck": ours()}, KINDS, seeds)
            by_kind = [float(np.mean(found[kind, "presscheck", "nDCG@10"])) for kind in KINDS]
            known[key] = float(np.mean(by_kind))
            print(setting, [f"{one:.4f}" for one in by_kind], f"{known[key]:.4f}", flush=True)
        return known[key]

    for name, values in grid.items():
        chosen[name] = max(values, key=lambda one: value({**chosen, name: one}))
    print("chosen", chosen)


if __name__ == "__main__":
    main()
