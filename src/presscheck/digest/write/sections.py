"""Which sentences and clauses of an abstract go into which section.

Input are the sentences with the probabilities of their roles; output are
pieces, that is, spans of sentences. A sentence is in one section only, and a
headline result is in the results or listed as left out, whatever its role.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from presscheck.digest.headline import claims_rank, has_measurement, is_headline
from presscheck.digest.roles import ROLES, Role, choose
from presscheck.digest.write.clauses import cut
from presscheck.digest.write.plain import is_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SURE = 0.6
"""Probability of background from which a figure is taken to be about earlier work."""

_NEW = re.compile(
    r"\b(?:we|this (?:paper|work|report|study|article|survey|technical report)|(?:a|the) paper)\s"
    r"(?:\w+ly\s|also\s|further\s|hereby\s|then\s|therefore\s|thus\s|first\s|aim to\s)*"
    r"(?:propos|introduc|present|releas|open-?sourc|contribut|develop|unveil|announc|describ|offer|provid|construct"
    r"|build|built|creat|curat|design|establish|explor|investigat|stud(?:y|ies)|address|tackl|formaliz|survey|review"
    r"|revisit|argu|ask)\w*\b",
    re.IGNORECASE,
)
_DETAIL = re.compile(
    r"(?:specifically|concretely|in particular|first(?:ly)?|second(?:ly)?|third(?:ly)?|finally|then|next"
    r"|\(?(?:\d|[ivx]+)\)|to this end, (?:it|the)|during|after|at (?:its|the) core|technically)\b",
    re.IGNORECASE,
)
_RELEASE = re.compile(
    r"https?://|\b(?:code|data(?:sets?)?|models?|weights|checkpoints|demo|project page|benchmark|resources"
    r"|toolkit|library)\b.{0,80}\b(?:available|released?|open-?sourc\w+|public(?:ly)?|found at)\b"
    r"|\b(?:release|open-source|publish)\b.{0,80}\b(?:code|data(?:sets?)?|models?|weights|checkpoints)\b",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"\b(?:we|our|ours|us|this (?:paper|work|study|approach|method)|the proposed|experiments?)\b",
    re.IGNORECASE,
)
_FINDING = re.compile(
    r"^(?:\w+ly, )?we (?:also |further |then )?(?:show|find|observe|demonstrate|discover|reveal) that\b"
    r"|\b(?:experiment\w*|results?|evaluations?|ablations?|user stud(?:y|ies)|analys[ei]s|findings)\b"
    r".{0,80}?\b(?:show|demonstrat|confirm|indicat|reveal|validat|suggest|prov|highlight)(?:e?s|ed|ing|e)?\b",
    re.IGNORECASE,
)
"""Tells what came out, whatever role the classifier gives: "Experiments on X demonstrate …"."""
_PROBLEM = re.compile(
    r"\b(?:however|but|yet|challeng\w*|difficult\w*|problem|limit\w*|lack\w*|struggl\w*|fail\w*|costly|expensive|slow"
    r"|bottleneck|gap|hinder\w*|remain\w*|suffer\w*|despite|although|unclear)\b",
    re.IGNORECASE,
)


class Piece(NamedTuple):
    """A span of a sentence; ``sentence`` counts from 0."""

    sentence: int
    start: int
    end: int


class Abstract(NamedTuple):
    """The sentences of one abstract and what each is for."""

    texts: Sequence[str]
    probabilities: NDArray[np.float64]
    """(n, 5), columns as in ``ROLES``."""
    roles: Sequence[Role]
    headlines: Sequence[bool]
    """Whether each sentence states a measured result."""
    speaks: int
    """The first sentence in which the paper speaks of its own work; their count if none does."""
    name: str
    """What the title calls the paper's own work ("Foo" of "Foo: A System"), else empty."""

    def role(self, i: int) -> Role:
        """The role of a sentence."""
        return self.roles[i]

    def chance(self, i: int, role: Role) -> float:
        """The probability of a role."""
        return float(self.probabilities[i, ROLES.index(role)])

    def whole(self, i: int) -> Piece:
        """The sentence as one piece."""
        return Piece(i, 0, len(self.texts[i]))


class Chosen(NamedTuple):
    """What a style prints: pieces by section, the reasons of empty ones, and what is left out."""

    pieces: dict[str, list[Piece]]
    absent: dict[str, str]
    """Section → key of ``REASONS``."""
    left_out: list[tuple[int, str]]
    """Sentence and key of ``REASONS``."""


def understand(texts: Sequence[str], title: str, given: NDArray[np.float64]) -> Abstract:
    """Say what each sentence is for.

    Args:
        texts: All sentences of the abstract.
        title: The paper's.
        given: (n, 5), the probabilities of their roles.
    """
    speaks = (i for i, text in enumerate(texts) if _OWN.search(text) or _NEW.search(text))
    return Abstract(
        texts=texts,
        probabilities=given,
        roles=choose(given),
        headlines=[is_headline(text) for text in texts],
        speaks=next(speaks, len(texts)),
        name=own_name(title),
    )


def own_name(title: str) -> str:
    """What a title calls the paper's own work: the words before its colon, if they are few."""
    name, colon, _ = title.partition(":")
    return name.strip() if colon and len(name.split()) <= 3 else ""


def _new(abstract: Abstract, i: int) -> bool:
    """Whether a sentence says what the paper brings, by its words."""
    text = abstract.texts[i]
    if _DETAIL.match(text) and not (abstract.name and abstract.name in text):
        return False
    return _NEW.search(text) is not None


def _introduces_name(abstract: Abstract, i: int) -> bool:
    """Whether a sentence begins with the work's own name and says what it is."""
    if not abstract.name:
        return False
    after = re.match(rf"(?:the )?{re.escape(abstract.name)}\W", abstract.texts[i], re.IGNORECASE)
    return (
        after is not None
        and re.search(r"\b(?:is|are|enables?|provides?|offers?)\b", abstract.texts[i]) is not None
    )


def _of_the_field(abstract: Abstract, i: int) -> bool:
    """Whether a sentence with a figure tells of earlier work: surely background, before the paper speaks."""
    return i < abstract.speaks and abstract.chance(i, "background") >= SURE


def detailed(abstract: Abstract) -> Chosen:
    """What's New, Technical Details and Performance Highlights of an abstract."""
    new: list[Piece] = []
    method: list[Piece] = []
    results: list[Piece] = []
    background: list[int] = []
    left_out: list[tuple[int, str]] = []
    news_in_results: list[int] = []
    first_news = next((i for i in range(len(abstract.texts)) if _new(abstract, i)), -1)
    for i, text in enumerate(abstract.texts):
        role = abstract.role(i)
        if abstract.headlines[i]:
            if _of_the_field(abstract, i):
                left_out.append((i, "of_the_field"))
                continue
            if _new(abstract, i):
                news_in_results.append(i)
            results.append(abstract.whole(i))
        elif _new(abstract, i) or _RELEASE.search(text):
            new.append(abstract.whole(i))
        elif role == "result" or _FINDING.search(text):
            results.append(abstract.whole(i))
        elif role == "objective" and (i > first_news or _OWN.search(text)):
            new.append(abstract.whole(i))
        elif role == "method":
            method.append(abstract.whole(i))
        elif role in ("background", "objective"):
            background.append(i)
    absent: dict[str, str] = {}
    for i in news_in_results:
        clauses = cut(abstract.texts[i])
        if clauses is not None:
            new.append(Piece(i, *clauses[0]))
            results[results.index(abstract.whole(i))] = Piece(i, *clauses[1])
    if not any(_RELEASE.search(abstract.texts[piece.sentence]) is None for piece in new):
        named = next((piece for piece in method if _introduces_name(abstract, piece.sentence)), None)
        if named is not None:
            method.remove(named)
            new.append(named)
        elif not new and news_in_results:
            absent["whats_new"] = "new_is_result"
        elif not new and background:
            new.extend(abstract.whole(i) for i in background)
    parts = [piece for piece in new[1:] if abstract.role(piece.sentence) == "method" and piece.start == 0]
    if not method and len(new) > 1 and parts:
        # "We propose A. We design B for it." B is how A works, where nothing else tells it.
        method = [piece for piece in parts if not _RELEASE.search(abstract.texts[piece.sentence])]
        new = [piece for piece in new if piece not in method]
    pieces = {"whats_new": sorted(new), "technical_details": method, "performance_highlights": results}
    for key, why in (
        ("whats_new", "no_new"),
        ("technical_details", "no_method"),
        ("performance_highlights", "no_result"),
    ):
        if not pieces[key]:
            absent.setdefault(key, why)
    return Chosen(pieces, absent, left_out)


def _main_result(abstract: Abstract, candidates: Sequence[int]) -> int:
    """The result to print where there is room for one: measured, the paper's own, early."""

    def weight(i: int) -> tuple[float, int]:
        text = abstract.texts[i]
        own = _OWN.search(text) is not None or bool(abstract.name and abstract.name in text)
        return 2 * has_measurement(text) + claims_rank(text) + own + abstract.chance(i, "result"), -i

    return max(candidates, key=weight)


def easy(abstract: Abstract) -> Chosen:
    """The summary (problem, what is new, main result) and the plain explanation of an abstract."""
    texts = abstract.texts
    everything = range(len(texts))
    earlier = [i for i in everything if abstract.headlines[i] and _of_the_field(abstract, i)]
    headlines = sorted({i for i in everything if abstract.headlines[i]} - set(earlier))
    news = [i for i in everything if _new(abstract, i)]
    named = [i for i in everything if _introduces_name(abstract, i)]
    goals = [i for i in everything if abstract.role(i) == "objective" and not abstract.headlines[i]]
    picked: set[int] = set()
    bare = [i for i in news if not abstract.headlines[i]]
    plain_news = [i for i in bare if not _RELEASE.search(texts[i])] or bare or news or named or goals
    if plain_news:
        with_name = [i for i in plain_news if abstract.name and abstract.name in texts[i]]
        picked.add((with_name or plain_news)[0])
    outcomes = [i for i in headlines if i not in picked]
    if not outcomes and not picked & set(headlines):
        outcomes = [
            i
            for i in everything
            if i not in picked
            and not _RELEASE.search(texts[i])
            and (abstract.role(i) == "result" or _FINDING.search(texts[i]))
        ]
    if outcomes:
        picked.add(_main_result(abstract, outcomes))
    before = [
        i
        for i in range(min(picked, default=len(texts)))
        if abstract.role(i) in ("background", "objective") and not _RELEASE.search(texts[i])
    ]
    if before:
        picked.add(next((i for i in reversed(before) if _PROBLEM.search(texts[i])), before[0]))
    spare = sorted(
        (i for i in everything if i not in picked and not _RELEASE.search(texts[i])),
        key=lambda i: (abstract.role(i) != "method", i),
    )
    while len(picked) < 2 and spare:
        picked.add(spare.pop(0))

    plain = [
        i
        for i in everything
        if is_plain(texts[i])
        and abstract.role(i) in ("background", "objective")
        and not abstract.headlines[i]
    ]
    unused = [i for i in plain if i not in picked][:2]
    pieces = {
        "summary": [abstract.whole(i) for i in sorted(picked)],
        "plain": [abstract.whole(i) for i in unused],
    }
    absent = {} if unused else {"plain": "plain_in_summary" if plain else "no_plain"}
    left_out = [(i, "easy_is_short") for i in headlines if i not in picked]
    left_out += [(i, "of_the_field") for i in earlier]
    return Chosen(pieces, absent, sorted(left_out))
