"""Sentences of abstracts, English and Korean: where each stands, and a hash to know it by.

Evidence points to sentence numbers, so splitting depends on nothing but the text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache

from presscheck.errors import BadInput
from presscheck.papers.clean import Cleaned, clean
from presscheck.papers.glued import STARTERS, WEB, WEB_SIGNS
from presscheck.types import Paper, Sentence

_OPENERS = frozenset(STARTERS)
_LOW_OPENERS = frozenset("we our this these however moreover furthermore in the".split())

_ALWAYS_GO_ON = frozenset("e.g i.e eg ie cf vs viz approx ca resp mr mrs dr prof st".split())
"""After these a sentence goes on, whatever comes next."""

_BEFORE_NUMBERS = frozenset(
    "no nos fig figs eq eqs eqn sec secs ref refs tab tabs thm lem prop def vol pp p ch chap alg app art "
    "ver".split()
)
"""Short for something that has a number: "Fig. 3", "Eq. (2)"; otherwise words like any other."""

_MAY_END = frozenset(
    "al etc i.i.d w.r.t a.k.a s.t ph.d m.sc b.sc inc ltd co corp jr sr a.m p.m incl excl".split()
)
"""These end a sentence only before a word that opens one."""

_NAMES_WITH_MARK = frozenset(("yahoo", "jeopardy"))

_STOP = re.compile(
    r"(?P<stop>[.!?…。！？]+(?: ?[”»]|[\"'’)\]」』])*)(?P<gap>\s+|$|(?<=[。！？」』])|(?=[가-힣A-Z\"'“‘(]))"
)
_STOP_OR_WEB = re.compile(rf"(?P<web>(?:{WEB})(?<![.!?…。！？,;:)\]\"'”’»]))|{_STOP.pattern}")
"""An address is looked for at every letter, which takes as long as all else; few abstracts have one."""
_WORD_BEFORE = re.compile(r"[^\s(\[\"“‘'—–/]*$")
_WORD_AFTER = re.compile(r"[\"“‘'(\[*]*([^\s,.;:!?)\]\"”’]*)(.?)", re.DOTALL)
_LOW_NAME = re.compile(r"[a-z]{1,3}[A-Z0-9]|[a-z]{1,8}-?[A-Z]|https?$")
_ITEM = re.compile(r"\((?:[ivx]{1,4}|[a-z]|\d{1,2})\)\s")
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_QUOTING = re.compile(r"이?(?:라고|라는|라며|란|고|는)\b")


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a clean text, in order, without the spaces around them.

    Every character but spaces is in one of them. What stands in round brackets is not split.
    """
    cuts = []
    closing = _brackets(text)
    web = any(sign in text for sign in WEB_SIGNS)
    for match in (_STOP_OR_WEB if web else _STOP).finditer(text):
        if not (web and match["web"]) and _ends(text, match):
            at = match.end("stop")
            while closing and closing[-1][1] < at:
                closing.pop()
            if not closing or closing[-1][0] > match.start():
                cuts.append(at)
    spans = []
    start = 0
    for end in [*cuts, len(text)]:
        piece = text[start:end]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
        start = end
    return spans


def _brackets(text: str, longest: int = 400) -> list[tuple[int, int]]:
    """Outermost pairs of round brackets, last one first. Very long ones are taken for a slip."""
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for match in re.finditer(r"[()]", text):
        if match.group() == "(":
            stack.append(match.start())
        elif stack:
            start, end = stack.pop(), match.start()
            if end - start <= longest:
                while pairs and pairs[-1][0] > start:
                    pairs.pop()
                pairs.append((start, end))
    return pairs[::-1]


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether a mark ends a sentence here."""
    if match.end() == len(text):
        return True
    stop = match["stop"]
    start = match.start()
    if stop[0] in "。！？":
        return not (stop[-1] in "」』" and _QUOTING.match(text, match.end()))
    found = _WORD_BEFORE.search(text, max(0, start - 40), start)
    before = found.group() if found else ""
    following = _WORD_AFTER.match(text, match.end(), match.end() + 80)
    after, then = following.groups() if following else ("", "")
    if "가" <= before[-1:] <= "힣":
        return _ends_korean(text, match, before)
    if not match["gap"]:
        return _ends_glued(before, stop, after, then)
    return _ends_spaced(text, match, before, after)


def _ends_korean(text: str, match: re.Match[str], before: str) -> bool:
    """After Hangul: a quotation goes on ("…다."라고); without a space only an ending ends."""
    if match["gap"]:
        return not (len(match["stop"]) > 1 and _QUOTING.match(text, match.end()))
    noun = (ord(before[-1]) - 0xAC00) % 28 == 16  # a final ㅁ, as in 함, 됨, 줌
    return match["stop"][-1] in ".!?…" and (before[-1] in "다요까죠네" or noun)


def _ends_glued(before: str, stop: str, after: str, then: str) -> bool:
    """Without a space: "state.In contrast", not "U.S." and not "torch.Tensor"."""
    word = re.search(r"[a-z]{2,}$|[\d%]$", before) is not None and "." not in before.strip(".")
    opens = after in _OPENERS and then in (" ", ",")
    return len(stop) == 1 and word and opens and before.lower() not in _ALWAYS_GO_ON


def _ends_spaced(text: str, match: re.Match[str], before: str, after: str) -> bool:
    """With a space after the mark, in Latin script."""
    stop, following = match["stop"], text[match.end()]
    if following in ",;:.!?…)]}%":
        return False
    opens = after in _OPENERS or (after[:1].isupper() and after.endswith("ly"))
    if not before and text[max(0, match.start() - 8) : match.start()].rstrip()[-1:] in (".", ""):
        return opens  # ". . ." and a mark that opens the text
    if stop[0] in "!?":
        name = before.lower() in _NAMES_WITH_MARK and not opens
        return not name and (not after[:1].islower() or _LOW_NAME.match(after) is not None)
    item = _ITEM.match(text, match.end()) is not None
    if after[:1].islower() and not item and not _LOW_NAME.match(after):
        short = before in _MAY_END | _ALWAYS_GO_ON | _BEFORE_NUMBERS
        word_alone = not short and re.fullmatch("[a-z]{3,}", before) is not None
        return stop == "." and after in _LOW_OPENERS and word_alone
    word = before.lower().rstrip(".")
    if stop[0] == "." and stop[:2] != "..":
        if word in _ALWAYS_GO_ON:
            return False
        numbered = following.isdigit() or following in "(#[~" or re.fullmatch("[IVX]+", after) is not None
        if word in _BEFORE_NUMBERS and numbered:
            return False
        if word in _MAY_END or _INITIALS.fullmatch(before):
            return (opens or word == "etc") and after[:1].isupper()
        if re.fullmatch(r"\d{1,2}", before):
            return _counts_nothing(text, match.start() - len(before))
    return True


def _counts_nothing(text: str, start: int) -> bool:
    """Whether a small number belongs to its sentence; after a colon or a full stop it counts an item."""
    before = text[max(0, start - 12) : start].rstrip(" \"'”’)]")
    if before.endswith("."):
        word = before.split()[-1].strip("(.").lower()
        return word in _ALWAYS_GO_ON or word in _BEFORE_NUMBERS
    return before[-1:] not in ("", ":", ";", "!", "?")


def digest(sentence: str) -> str:
    """First 16 hex digits of SHA-256 over the sentence in NFC with single spaces."""
    normal = " ".join(unicodedata.normalize("NFC", sentence).split())
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def sentences_of(cleaned: Cleaned) -> tuple[Sentence, ...]:
    """The sentences of a cleaned text, numbered from 1, with offsets into its original."""
    found = []
    for number, (start, end) in enumerate(split(cleaned.text), 1):
        first, last = cleaned.locate(start, end)
        found.append(Sentence(number=number, start=first, end=last, hash=digest(cleaned.text[start:end])))
    return tuple(found)


def sentence_texts(paper: Paper) -> list[str]:
    """The clean text of each sentence of the abstract; none for a paper shipped without it."""
    return [paper.abstract[start:end] for start, end in split(paper.abstract)]


@lru_cache(maxsize=64)
def _cleaned(original: str) -> tuple[Cleaned, tuple[Sentence, ...]]:
    """An original cleaned and split; evidence of one abstract is looked up many times in a row."""
    cleaned = clean(original)
    return cleaned, sentences_of(cleaned)


def locate(paper: Paper, sentence: Sentence) -> str:
    """The clean text behind a sentence of the abstract.

    Raises:
        BadInput: if the paper comes without its abstract, or the text there has another hash.
    """
    original = paper.abstract_original or paper.abstract
    if not original:
        raise BadInput(
            f"{paper.id}: sentence {sentence.number} cannot be looked up, the abstract is not here",
            hint="fetch the paper, or give it with --papers",
        )
    cleaned, sentences = _cleaned(original)
    for (start, end), found in zip(split(cleaned.text), sentences, strict=True):
        if (found.start, found.end) == (sentence.start, sentence.end) and found.hash == sentence.hash:
            return cleaned.text[start:end]
    part = clean(original[sentence.start : sentence.end]).text
    if digest(part) == sentence.hash:
        return part
    raise BadInput(
        f"{paper.id}: sentence {sentence.number} has hash {digest(part)} at {sentence.start}–{sentence.end}, "
        f"need {sentence.hash}",
        hint="the abstract has changed since, or this is another version of it",
    )
