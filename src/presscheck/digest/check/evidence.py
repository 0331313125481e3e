"""Which sentence of a source carries a statement, and whether the source carries it at all.

Works across languages: vectors of sentences (``digest.vectors``) give the meaning,
the word table of ``terms`` and the names and numbers that both share tell sentences
of one abstract apart. Both questions are answered by logistic models over a handful
of such features; ``scripts/train_evidence.py`` fits them, half of the papers being
kept back for its report.

What this cannot see: a statement on the right subject that says the opposite, or
gives another figure, is still about this paper. That is what the other parts of the
check are for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING, Literal

from presscheck.digest.check.encoders import Encoder
from presscheck.digest.check.evidence_model import model
from presscheck.digest.check.terms import LONGEST, table, terms
from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.digest.check.evidence_model import Floats, Vectors

_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_HANGUL = re.compile(r"[가-힣]")
_ENTRY = 40
"""Statements of an entry that are compared with each other, so that a long one costs no square."""
_NEAR, _AROUND = 5, 50
"""Sentences of the background that stand for the best and for the usual one elsewhere."""


def language(text: str) -> Literal["en", "ko"]:
    """Korean if it has more than a few Hangul syllables, English else."""
    return "ko" if len(_HANGUL.findall(text[:LONGEST])) >= 3 else "en"


def _latin(text: str) -> set[str]:
    """The Latin words of a text that look chosen: in Korean all, in English those with a capital or digit."""
    found = _LATIN.findall(text[:LONGEST])
    if language(text) == "en":
        found = [word for word in found if not (word.islower() or word[1:].islower())]
    return {word.lower() for word in found}


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text[:LONGEST]))


def _default_encoder() -> Encoder:
    from presscheck.digest.vectors import encode

    return encode


class Source:
    """The sentences of a paper with what is compared, made once."""

    def __init__(
        self,
        sentences: Sequence[str],
        title: str = "",
        *,
        vectors: Vectors | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        """Take a paper's sentences.

        Args:
            sentences: The abstract's, or those of the full text.
            title: Counts as a sentence for belonging, is never found as evidence.
            vectors: (n + 1, width) unit rows of the sentences and then the title, if they are known.
            encoder: What makes them else.
        """
        import numpy as np

        if not sentences:
            raise BadInput("a source without a sentence", hint="an abstract or a full text is needed")
        self.sentences = list(sentences)
        texts = [*self.sentences, title or self.sentences[0]]
        if vectors is None:
            vectors = np.asarray((encoder or _default_encoder())(texts), dtype=np.float32)
        if vectors.shape[0] != len(texts):
            raise BadInput(f"{vectors.shape[0]} vectors for {len(texts)} texts (sentences and title)")
        self.vectors, self.title_vector = vectors[:-1], vectors[-1]
        mean = self.vectors.mean(axis=0)
        self.mean = mean / max(float(np.linalg.norm(mean)), 1e-9)
        self.terms = [frozenset(terms(text)) for text in self.sentences]
        self.title_terms = frozenset(terms(title))
        self.all_terms = frozenset[str]().union(*self.terms, self.title_terms)
        self.latin = [frozenset(word.lower() for word in _LATIN.findall(text)) for text in self.sentences]
        self.numbers = [_numbers(text) for text in self.sentences]
        self.all_latin = frozenset[str]().union(*self.latin, (w.lower() for w in _LATIN.findall(title)))
        self.all_numbers = set[str]().union(*self.numbers, _numbers(title))
        self.latin_counts = Counter(word for words in self.latin for word in words)


def _vectors(statements: Sequence[str], given: Vectors | None, encoder: Encoder | None) -> Vectors:
    """The statements' vectors: those given, or made now."""
    import numpy as np

    if given is None:
        given = np.asarray((encoder or _default_encoder())(statements), dtype=np.float32)
    if given.shape[0] != len(statements):
        raise BadInput(f"{given.shape[0]} vectors for {len(statements)} statements")
    return given


def rank_features(statement: str, vector: Vectors, source: Source) -> Floats:
    """What speaks for each sentence of a source as the evidence of one statement: (n, 5)."""
    import numpy as np

    said, latin, numbers = terms(statement), _latin(statement), _numbers(statement)
    count, lexicon = len(source.sentences), table()
    near = source.vectors @ vector
    rows = []
    for i in range(count):
        shared = sum(log((count + 1) / source.latin_counts[word]) for word in latin & source.latin[i])
        rows.append((
            float(near[i]), lexicon.covered(said, source.terms[i]), lexicon.used(source.terms[i], said),
            shared, float(len(numbers & source.numbers[i])),
        ))  # fmt: skip
    return np.array(rows, dtype=np.float64)


def find(
    statements: Sequence[str],
    source: Source,
    *,
    vectors: Vectors | None = None,
    encoder: Encoder | None = None,
    top: int = 3,
) -> list[list[tuple[int, float]]]:
    """The sentences of a source that most likely carry each statement.

    Args:
        statements: In English or Korean.
        source: The paper.
        vectors: The statements' vectors, if they are known.
        encoder: What makes them else; the same as the source's.
        top: How many to name for each.

    Returns:
        For each statement pairs (index of the sentence, probability), best first. The
        probabilities of all sentences of the source add up to 1: they say which
        sentence it is if one carries the statement; `belongs` says whether one does.
    """
    import numpy as np

    rank = model().rank
    found = []
    for statement, vector in zip(statements, _vectors(statements, vectors, encoder), strict=True):
        logits = rank.logits(rank_features(statement, vector, source))
        odds = np.exp(logits - logits.max())
        odds /= odds.sum()
        order = np.argsort(-odds, kind="stable")[:top]
        found.append([(int(i), float(odds[i])) for i in order])
    return found


def belonging_features(
    statement: str, vector: Vectors, source: Source, background: Vectors, others: Entry | None = None
) -> Floats:
    """What tells whether a statement is about a source's paper: (13,), with an entry around it (16,).

    Nearness to the source stands beside nearness to the background, sentences of other
    papers: a statement in general words is near to everything, and says little. What the
    rest of its entry says tells a detail of the full text from another paper's statement.
    """
    import numpy as np

    near = np.sort(source.vectors @ vector)[::-1]
    elsewhere = background @ vector
    best = np.sort(elsewhere)[::-1]
    said, latin, numbers = terms(statement), _latin(statement), _numbers(statement)
    lexicon, known = table(), source.all_latin
    covered = max(lexicon.covered(said, one) for one in [*source.terms, source.title_terms])
    strange = sum(1 for word in latin if word not in known and word.rstrip("s") not in known)
    row = [
        near[0], near[:3].mean(), float(source.mean @ vector), float(source.title_vector @ vector),
        best[:_NEAR].mean(), best[:_AROUND].mean(), elsewhere.mean(),
        covered, lexicon.covered(said, source.all_terms), min(strange, 3), min(len(latin & known), 3),
        min(len(numbers - source.all_numbers), 3), min(len(numbers & source.all_numbers), 2),
    ]  # fmt: skip
    if others is not None:
        cosines = others.vectors @ vector
        row += [cosines.max(), cosines.mean(), lexicon.covered(said, others.terms)]
    return np.array(row, dtype=np.float64)


class Entry:
    """The other statements of an entry, as far as they are compared."""

    def __init__(self, statements: Sequence[str], vectors: Vectors) -> None:
        self.vectors = vectors
        self.terms = frozenset(term for statement in statements for term in terms(statement))


def _around(statements: Sequence[str], vectors: Vectors, n: int) -> Entry | None:
    """The entry without its statement n, if enough is left to tell anything."""
    import numpy as np

    rest = [i for i, other in enumerate(statements) if i != n and other != statements[n]][:_ENTRY]
    if len(rest) < 2:
        return None
    return Entry([statements[i] for i in rest], np.asarray(vectors[rest]))


def belongs(
    statements: Sequence[str],
    source: Source,
    *,
    entry: bool = True,
    background: Vectors | None = None,
    vectors: Vectors | None = None,
    encoder: Encoder | None = None,
) -> list[float]:
    """How likely each statement is about the paper of a source, at even odds before looking.

    Args:
        statements: In English or Korean.
        source: The paper.
        entry: The statements are of one entry, so the others say what it is about. Without,
            each stands alone: what `entry_belongs` wants, since an invented entry agrees with itself.
        background: (n, width) unit rows of sentences of other papers. Those that come with the
            package fit the built-in encoder only; with another one give sentences of your own.
        vectors: The statements' vectors, if they are known.
        encoder: What makes them else; the same as the source's.

    Raises:
        BadInput: if the background's width is not the source's.
    """
    import numpy as np

    known = model()
    around = known.background if background is None else background
    if around.shape[1] != source.vectors.shape[1]:
        raise BadInput(
            f"background vectors are {around.shape[1]} wide, the source's {source.vectors.shape[1]}",
            hint="with another encoder give background vectors made by it",
        )
    probabilities = []
    rows = _vectors(statements, vectors, encoder)
    for n, (statement, vector) in enumerate(zip(statements, rows, strict=True)):
        others = _around(statements, rows, n) if entry else None
        weights = known.belongs[language(statement) + ("_entry" if others else "")]
        logit = float(weights.logits(belonging_features(statement, vector, source, around, others)))
        # what is called foreign is below one half, whichever model spoke
        logit -= log(weights.threshold / (1 - weights.threshold))
        probabilities.append(float(1 / (1 + np.exp(-np.clip(logit, -50, 50)))))
    return probabilities


FOREIGN = 0.5
"""A statement whose `belongs` is lower must be taken for another paper's, or for a detail that the
source does not have: of Korean statements whose own sentence is taken out, one third is under it."""
FOREIGN_LAY: dict[Literal["en", "ko"], float] = {"en": 0.03, "ko": 0.01}
"""The same for an explanation in lay words, where little of the source's vocabulary is left. In each
language the largest of 0.05, 0.03, 0.02, 0.01 … with which at most 4 % of the shipped editions' own
explanations, their pointers taken away, are called foreign: 2.8 % of 214 in both. Of another paper's
explanations 70 % are found in Korean and 35 % in English."""


def entry_belongs(probabilities: Sequence[float]) -> float:
    """How likely an entry is about its paper, from `belongs(…, entry=False)` of its statements.

    The statement at the upper quarter decides: details of the full text that an abstract
    lacks do not make an entry foreign, and one general sentence does not save an invented
    one. Below 0.5 it is not this paper; an entry without statements is nobody's (1.0).
    """
    import numpy as np

    if not len(probabilities):
        return 1.0
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-9, 1 - 1e-9)
    return float(1 / (1 + np.exp(-np.quantile(np.log(p / (1 - p)), 0.75))))
