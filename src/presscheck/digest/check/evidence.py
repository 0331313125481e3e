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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import log
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from presscheck.digest.check.terms import LONGEST, table, terms
from presscheck.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]
    Floats: TypeAlias = NDArray[np.float64]

Encoder = Callable[[Sequence[str]], Any]
"""Texts in, (n, width) unit rows out."""

_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_HANGUL = re.compile(r"[가-힣]")
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


@dataclass(frozen=True)
class Weights:
    """A logistic model: centre and scale of the features, then a weight for each."""

    centre: Floats
    scale: Floats
    weight: Floats
    bias: float
    threshold: float
    """The probability under which "about this paper" is denied."""

    def logits(self, features: Floats) -> Floats:
        """The log-odds of each row of features."""
        logits: Floats = (features - self.centre) / self.scale @ self.weight + self.bias
        return logits


@dataclass(frozen=True)
class Model:
    """What the package learned: ranking, and belonging for each language."""

    rank: Weights
    belongs: dict[str, Weights]
    background: Vectors


@lru_cache(maxsize=1)
def model() -> Model:
    """The model that comes with the package."""
    import numpy as np

    file = resources.files("presscheck.digest.check") / "evidence.npz"
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as data:

        def weights(name: str) -> Weights:
            centre, scale, weight = (data[name][row].astype(np.float64) for row in range(3))
            bias, threshold = data[f"{name}_end"].tolist()
            return Weights(centre, scale, weight, bias, threshold)

        background = data["background"].astype(np.float32)
        background /= np.linalg.norm(background, axis=1, keepdims=True)
        return Model(weights("rank"), {one: weights(f"belongs_{one}") for one in ("en", "ko")}, background)


def sentence_transformer(name: str) -> Encoder:
    """An encoder by the name of any sentence-transformers model.

    Raises:
        BadInput: if the package is not installed or has no such model.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise BadInput(
            f"the encoder `{name}` needs sentence-transformers, which is not installed",
            hint="`pip install sentence-transformers`, or leave the encoder out for the one that is built in",
        ) from error
    try:
        loaded = SentenceTransformer(name)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"no sentence-transformers model called `{name}`: {str(error)[:200]}",
            hint="give a name on the hub or the folder of a model",
        ) from error

    def encode(texts: Sequence[str]) -> Any:
        return loaded.encode(list(texts), normalize_embeddings=True, convert_to_numpy=True)

    return encode


def _default_encoder() -> Encoder:
    from presscheck.digest.vectors import encode

    return encode


class Source:
    """The sentences of a paper with what is compared, made once."""

    def __init__(
        self, sentences: Sequence[str], title: str = "", *, vectors: Vectors | None = None,
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
    statements: Sequence[str], source: Source, *, vectors: Vectors | None = None,
    encoder: Encoder | None = None, top: int = 3,
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


def belonging_features(statement: str, vector: Vectors, source: Source, background: Vectors) -> Floats:
    """What tells whether a statement is about a source's paper: (13,).

    Nearness to the source stands beside nearness to the background, sentences of other
    papers: a statement in general words is near to everything, and says little.
    """
    import numpy as np

    near = np.sort(source.vectors @ vector)[::-1]
    elsewhere = background @ vector
    best = np.sort(elsewhere)[::-1]
    said, latin, numbers = terms(statement), _latin(statement), _numbers(statement)
    lexicon = table()
    covered = max(lexicon.covered(said, one) for one in [*source.terms, source.title_terms])
    strange = sum(1 for word in latin if word not in source.all_latin and word.rstrip("s") not in source.all_latin)
    return np.array([
        near[0], near[:3].mean(), float(source.mean @ vector), float(source.title_vector @ vector),
        best[:_NEAR].mean(), best[:_AROUND].mean(), elsewhere.mean(),
        covered, lexicon.covered(said, source.all_terms),
        min(strange, 3), min(len(latin & source.all_latin), 3),
        min(len(numbers - source.all_numbers), 3), min(len(numbers & source.all_numbers), 2),
    ], dtype=np.float64)  # fmt: skip


def belongs(
    statements: Sequence[str], source: Source, *, background: Vectors | None = None,
    vectors: Vectors | None = None, encoder: Encoder | None = None,
) -> list[float]:
    """How likely each statement is about the paper of a source, at even odds before looking.

    Args:
        statements: In English or Korean.
        source: The paper.
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
    for statement, vector in zip(statements, _vectors(statements, vectors, encoder), strict=True):
        features = belonging_features(statement, vector, source, around)
        logit = float(known.belongs[language(statement)].logits(features))
        probabilities.append(float(1 / (1 + np.exp(-logit))))
    return probabilities


def is_foreign(statement: str, probability: float) -> bool:
    """Whether `belongs` is so low that the statement must be taken for another paper's."""
    return probability < model().belongs[language(statement)].threshold


def entry_belongs(statements: Sequence[str], probabilities: Sequence[float]) -> float:
    """How likely an entry is about its paper, from what `belongs` said of its statements.

    The middle one of the statements decides: one odd sentence does not make an entry
    foreign, nor does one general sentence save an invented one. Below 0.5 it is not this
    paper. Statements with fewer than 4 words say too little and do not vote.
    """
    import numpy as np

    odds = []
    for statement, probability in zip(statements, probabilities, strict=True):
        if len(statement.split()) < 4:
            continue
        p = min(max(probability, 1e-6), 1 - 1e-6)
        threshold = model().belongs[language(statement)].threshold
        odds.append(log(p / (1 - p)) - log(threshold / (1 - threshold)))
    if not odds:
        return 1.0
    return float(1 / (1 + np.exp(-np.median(odds))))
