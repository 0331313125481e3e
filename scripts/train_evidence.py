"""Fit what `presscheck.digest.check.evidence` and `.terms` load, and report on what was kept back.

    python scripts/train_evidence.py DIGESTS.jsonl.gz ARCHIVE.jsonl.gz [--report-only]

DIGESTS has a paper a line: ``id``, ``title``, ``summary``, ``title_ko``, ``purpose_ko``,
``conclusion_ko`` and ``method_ko``, a list of Korean statements each followed in brackets
by the English words of the abstract that it rests on. ARCHIVE has ``id`` and ``summary``.

Papers are halved by a hash of their id: one half trains (word table, weights, thresholds;
features of a training statement come from a table learned without its third of that half),
the other is reported and never looked at for a choice. Deterministic.

Recipe of the word table: IBM model 1, 8 rounds, a null word, add 0.3; pairings under 0.04 dropped.
Recipe of the foreign statements: each statement also against the source of another paper of the
same half, drawn with seed 5, in the middle of that paper's entry. "detail": an own statement
whose sentence was taken out of the source, as a stand-in for what only the full text says: reported,
not trained on, since a detail without its sentence is often no nearer to the paper than a stranger.
English statements are sentences of the abstracts; for "detail" one half is held against the other.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from presscheck.digest.check import evidence
from presscheck.digest.check.evidence import Source, belonging_features, rank_features
from presscheck.digest.check.evidence_model import Weights
from presscheck.digest.check.terms import TermTable, terms
from presscheck.digest.vectors import encode

HERE = Path(evidence.__file__).parent
FOUND = 0.97
"""Share of the other papers' statements of the training half that fall below the threshold."""
BACKGROUND = 1500


def read(path: str) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def plain(text: str) -> str:
    return " ".join(text.split())


ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|etc|vs|Fig|Eq|Sec|cf|resp|approx|w\.r\.t)|\b[A-Z])\.$", re.I
)


def split(text: str) -> list[str]:
    out: list[str] = []
    for part in re.split(r'(?<=[.!?])\s+(?=[A-Z0-9"“(\[가-힣])', plain(text)):
        if out and ABBREVIATION.search(out[-1]):
            out[-1] += " " + part
        elif part:
            out.append(part)
    return out


def bucket(paper: str, salt: str, of: int) -> int:
    return int(hashlib.sha256((salt + paper).encode()).hexdigest(), 16) % of


def cut(item: str) -> tuple[str, str] | None:
    """A statement and the English in its last brackets."""
    item = item.rstrip(" .")
    if not item or item[-1] not in ")）]":
        return None
    depth = 0
    for i in range(len(item) - 1, -1, -1):
        if item[i] in ")）]":
            depth += 1
        elif item[i] in "(（[":
            depth -= 1
            if depth == 0:
                quoted = plain(item[i + 1 : -1]).strip(" \"'“”")
                if len(quoted) < 25 or re.search("[가-힣]", quoted):
                    return None
                return item[:i].strip(), quoted
    return None


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def carried_by(quoted: str, sentences: list[str]) -> set[int]:
    """The sentences that hold three quarters of the words of what is quoted, or of a part of it."""
    there, gold = [words(one) for one in sentences], set()
    for part in [*split(quoted), quoted]:
        said = words(part)
        if len(said) < 4 and part != quoted:
            continue
        shares = [len(said & one) / max(1, len(said)) for one in there]
        if max(shares) >= 0.75:
            gold |= {i for i, share in enumerate(shares) if share >= max(shares) - 1e-9}
    return gold


class Data:
    """The papers with their statements, pairs and vectors."""

    def __init__(self, digests: str, archive: str) -> None:
        self.papers = {p["id"]: p for p in read(digests)}
        self.sentences = {i: split(p["summary"]) for i, p in self.papers.items()}
        self.pairs: list[tuple[str, str, set[int]]] = []
        self.statements: dict[str, list[str]] = defaultdict(list)
        for i, p in self.papers.items():
            method = p.get("method_ko")
            for item in method if isinstance(method, list) else []:
                both = cut(plain(str(item)))
                if both and len(re.findall("[가-힣]", both[0])) >= 8:
                    gold = carried_by(both[1], self.sentences[i])
                    if gold:
                        self.pairs.append((i, both[0], gold))
                        self.statements[i].append(both[0])
            for key in ("purpose_ko", "conclusion_ko"):
                if isinstance(p.get(key), str):
                    self.statements[i] += split(p[key])
        others = sorted(
            (p for p in read(archive) if p["id"] not in self.papers), key=lambda p: bucket(p["id"], "", 2**64)
        )
        pool = [s for p in others[:700] for s in split(p["summary"]) if len(s) > 40]
        self.pool = random.Random(0).sample(pool, BACKGROUND)
        texts = {plain(p["title"]) for p in self.papers.values()} | set(self.pool)
        texts.update(
            s for some in (self.sentences, self.statements) for group in some.values() for s in group
        )
        ordered = sorted(texts)
        self.index = {text: i for i, text in enumerate(ordered)}
        self.vectors = encode(ordered)
        self.by_paper: dict[str, list[tuple[str, str, set[int]]]] = defaultdict(list)
        for pair in self.pairs:
            self.by_paper[pair[0]].append(pair)

    def rows(self, texts: list[str]) -> np.ndarray:
        """The vectors of texts."""
        return self.vectors[[self.index[text] for text in texts]]

    def source(self, i: str, without: Collection[int] = ()) -> Source:
        """A paper's source, some sentences taken out."""
        kept = [s for n, s in enumerate(self.sentences[i]) if n not in without]
        title = plain(self.papers[i]["title"])
        return Source(kept, title, vectors=self.rows([*kept, title]))


def learn_table(data: Data, chosen) -> tuple[TermTable, dict[str, dict[str, float]]]:
    pairs = [
        (terms(statement), sorted(set(terms(" ".join(data.sentences[i][n] for n in sorted(gold))))))
        for i, statement, gold in data.pairs
        if chosen(i)
    ]
    pairs += [
        (terms(p["title_ko"]), sorted(set(terms(p["title"]))))
        for i, p in data.papers.items()
        if chosen(i) and p.get("title_ko")
    ]
    likely: dict[str, dict[str, float]] = defaultdict(dict)
    for korean, english in pairs:
        for e in [*english, ""]:
            likely[e].update(dict.fromkeys(korean, 1.0))
    likely = {e: dict.fromkeys(row, 1.0 / len(row)) for e, row in likely.items()}
    for _ in range(8):
        counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for korean, english in pairs:
            for k in korean:
                shares = [(e, likely[e][k]) for e in [*english, ""]]
                total = sum(share for _, share in shares)
                for e, share in shares:
                    counts[e][k] += share / total
        likely = {e: {k: c / (sum(row.values()) + 0.3) for k, c in row.items()} for e, row in counts.items()}
    seen = Counter(k for korean, _ in pairs for k in set(korean))
    weight = {k: float(np.log((len(pairs) + 1) / (c + 1))) for k, c in seen.items()}
    renders: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for e, row in likely.items():
        for k, p in row.items():
            if e and p >= 0.04 and not k.isascii():
                renders[k].append((e, p))
    for row in renders.values():
        row.sort(key=lambda one: (-one[1], one[0]))
    return TermTable(dict(renders), weight), likely


def use(learned: TermTable) -> None:
    evidence.table = lambda: learned  # type: ignore[assignment]


def fit_rank(cases: list[tuple[np.ndarray, set[int]]]) -> Weights:
    """Softmax over the sentences of a source, plain gradient descent."""
    every = np.concatenate([f for f, _ in cases])
    centre, scale = every.mean(0), every.std(0) + 1e-9
    scaled = [((f - centre) / scale, sorted(g)) for f, g in cases]
    weight = np.zeros(every.shape[1])
    for _ in range(400):
        slope = 1e-3 * len(cases) * weight
        for f, gold in scaled:
            p = np.exp(f @ weight - (f @ weight).max())
            p /= p.sum()
            target = np.zeros(len(p))
            target[gold] = p[gold] / p[gold].sum()
            slope += f.T @ (p - target)
        weight -= 2.0 / len(cases) * slope
    return Weights(centre, scale, weight, 0.0, 0.0)


def fit_belongs(features: np.ndarray, own: np.ndarray) -> Weights:
    """Logistic regression by Newton's method; the threshold has FOUND of the foreign ones below."""
    centre, scale = features.mean(0), features.std(0) + 1e-9
    z = np.c_[(features - centre) / scale, np.ones(len(features))]
    weight = np.zeros(z.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(z @ weight, -30, 30)))
        curve = z.T @ (z * (p * (1 - p) + 1e-9)[:, None]) + 1e-3 * len(z) * np.eye(len(weight))
        weight -= np.linalg.solve(curve, z.T @ (p - own) + 1e-3 * len(z) * weight)
    p = 1 / (1 + np.exp(-z @ weight))
    return Weights(centre, scale, weight[:-1], float(weight[-1]), float(np.quantile(p[~own], FOUND)))


def wilson(hits: int, of: int) -> str:
    """A share with its 95 % interval."""
    p, z = hits / max(of, 1), 1.96
    middle, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{p:6.1%} [{low:.1%}, {high:.1%}] of {of}"


def top(logits: np.ndarray, gold: set[int]) -> bool:
    return int(logits.argmax()) in gold


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("digests")
    ask.add_argument("archive")
    ask.add_argument("--report-only", action="store_true", help="fit and report, write nothing")
    given = ask.parse_args()
    data = Data(given.digests, given.archive)
    half = {i: bucket(i, "", 2) for i in data.papers}
    third = {i: bucket(i, "x", 3) for i in data.papers}
    whole, likely = learn_table(data, lambda i: half[i] == 0)
    thirds = [learn_table(data, lambda i, n=n: half[i] == 0 and third[i] != n)[0] for n in range(3)]
    background = np.round(
        data.rows(data.pool) / np.abs(data.rows(data.pool)).max(1, keepdims=True) * 127
    ).astype(np.int8)
    around = background.astype(np.float32)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    sources = {i: data.source(i) for i in data.papers}

    def table_for(i: str) -> None:
        use(thirds[third[i]] if half[i] == 0 else whole)

    ranking: list[list[tuple[np.ndarray, set[int]]]] = [[], []]
    for i, statement, gold in data.pairs:
        table_for(i)
        if len(data.sentences[i]) > 1:
            ranking[half[i]].append((rank_features(statement, data.rows([statement])[0], sources[i]), gold))
    rank = fit_rank(ranking[0])
    kept = ranking[1]
    print(f"papers {len(data.papers)}, pairs {len(data.pairs)}; report on the half kept back")
    print("right sentence first, vectors alone:", wilson(sum(top(f[:, 0], g) for f, g in kept), len(kept)))
    print(
        "right sentence first:               ",
        wilson(sum(top(rank.logits(f), g) for f, g in kept), len(kept)),
    )
    second = sum(bool(set(np.argsort(-rank.logits(f))[:2].tolist()) & g) for f, g in kept)
    print("right sentence among the first two: ", wilson(second, len(kept)))

    ids, draw, belongs = sorted(data.statements), random.Random(5), {}
    alone: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for tongue in ("ko", "en"):
        cases: list[Case] = []
        for i in ids if tongue == "ko" else sorted(data.papers):
            strangers = [j for j in ids if half[j] == half[i] and j != i]
            table_for(i)
            cases += (korean if tongue == "ko" else english)(
                data, i, draw.choice(strangers), sources, draw, around
            )
        for part in ("", "_entry"):
            chosen = [c for c in cases if part == "" or c.entry is not None]
            rows = np.array([c.entry if part else c.alone for c in chosen])
            train = np.array([half[c.paper] == 0 for c in chosen])
            mine = np.array([c.kind != "foreign" for c in chosen])
            clear = train & np.array([c.kind != "detail" for c in chosen])
            fitted = fit_belongs(rows[clear], mine[clear])
            belongs[tongue + part] = fitted
            p = 1 / (1 + np.exp(-fitted.logits(rows)))
            kinds = np.array([c.kind for c in chosen])
            print(f"[{tongue}{part}] threshold {fitted.threshold:.4f}")
            for kind in ("foreign", "own", "detail"):
                among = p[(kinds == kind) & ~train]
                print(
                    f"    {kind:8} called foreign:", wilson(int((among < fitted.threshold).sum()), len(among))
                )
            if tongue == "ko" and not part:
                cut_at = np.log(fitted.threshold / (1 - fitted.threshold))
                logits = fitted.logits(rows) - cut_at
                for c, logit, learned in zip(chosen, logits.tolist(), train.tolist(), strict=True):
                    if not learned and c.kind != "detail":
                        alone[c.paper, c.kind == "own"].append(1 / (1 + float(np.exp(-logit))))
    for ours in (True, False):
        groups = [g for (_, mine), g in alone.items() if mine is ours and len(g) >= 3]
        called = sum(evidence.entry_belongs(g) < 0.5 for g in groups)
        print(
            f"entries of {'this' if ours else 'another'} paper called foreign:", wilson(called, len(groups))
        )
    if not given.report_only:
        write(rank, belongs, background, whole)


class Case(NamedTuple):
    """A statement with the features of belonging: own, detail (its sentence taken out), foreign."""

    paper: str
    kind: str
    alone: np.ndarray
    entry: np.ndarray | None


def case(data: Data, i: str, kind: str, statement: str, others: list[str], source: Source, around) -> Case:
    vector = data.rows([statement])[0]
    alone = belonging_features(statement, vector, source, around)
    others = [one for one in others if one != statement][:40]
    if len(others) < 2:
        return Case(i, kind, alone, None)
    entry = evidence.Entry(others, data.rows(others))
    return Case(i, kind, alone, belonging_features(statement, vector, source, around, entry))


def korean(
    data: Data, i: str, stranger: str, sources: dict[str, Source], draw: random.Random, around
) -> list[Case]:
    said, found = data.statements[i], []
    gold = {statement: g for _, statement, g in data.by_paper[i]}
    for statement in said:
        found.append(case(data, i, "own", statement, said, sources[i], around))
        if statement in gold and len(data.sentences[i]) > len(gold[statement]) + 1:
            without = data.source(i, without=gold[statement])
            found.append(case(data, i, "detail", statement, said, without, around))
    for statement in data.statements[stranger]:
        found.append(case(data, i, "foreign", statement, said, sources[i], around))
    return found


def english(
    data: Data, i: str, stranger: str, sources: dict[str, Source], draw: random.Random, around
) -> list[Case]:
    sentences = data.sentences[i]
    if len(sentences) < 6 or stranger not in data.sentences:
        return []
    order = list(range(len(sentences)))
    draw.shuffle(order)
    there = set(order[: len(order) // 2])
    said = [s for n, s in enumerate(sentences) if n in there]
    half_source = data.source(i, without=there)
    found = [case(data, i, "own", s, said, sources[i], around) for s in said]
    found += [case(data, i, "detail", s, said, half_source, around) for s in said]
    found += [case(data, i, "foreign", s, said, sources[i], around) for s in data.sentences[stranger]]
    return found


def write(rank: Weights, belongs: dict[str, Weights], background: np.ndarray, lexicon: TermTable) -> None:
    arrays: dict[str, np.ndarray] = {"background": background}
    for name, one in {"rank": rank, **{f"belongs_{k}": v for k, v in belongs.items()}}.items():
        arrays[name] = np.stack([one.centre, one.scale, one.weight])
        arrays[f"{name}_end"] = np.array([one.bias, one.threshold])
    np.savez_compressed(HERE / "evidence.npz", **arrays)
    korean = sorted(lexicon.weight)
    english = sorted({e for row in lexicon.renders.values() for e, _ in row})
    place = {e: n for n, e in enumerate(english)}
    cells = [(place[e], n, p) for n, k in enumerate(korean) for e, p in lexicon.renders.get(k, ())]
    np.savez_compressed(
        HERE / "terms.npz",
        english=np.array(" ".join(english)),
        korean=np.array(" ".join(korean)),
        row=np.array([c[0] for c in cells], dtype=np.uint16),
        column=np.array([c[1] for c in cells], dtype=np.uint16),
        likely=np.array([c[2] for c in cells], dtype=np.float16),
        weight=np.array([lexicon.weight[k] for k in korean], dtype=np.float16),
    )
    for name in ("evidence.npz", "terms.npz"):
        print(name, (HERE / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
