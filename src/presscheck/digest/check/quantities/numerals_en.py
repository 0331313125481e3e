"""English numbers: the scale behind digits (2.42B, 1.08 trillion) and numbers in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from presscheck.digest.check.quantities.numeral import Form, Numeral

SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
    "bn": 1e9, "mn": 1e6,
    "K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9, "b": 1e9, "T": 1e12, "G": 1e9,
}  # fmt: skip
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: float(value) for value, word in enumerate(_UNITS)} | {
    word: 10.0 * value for value, word in enumerate(_TENS, 2)
}
_LARGE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_ORDINALS = {
    word: float(value)
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth".split(), 1
    )
}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourths": 4,
    "fifth": 5, "fifths": 5, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10,
}  # fmt: skip
_MULTIPLES = {
    "twice": 2.0, "thrice": 3.0, "double": 2.0, "doubles": 2.0, "doubled": 2.0, "doubling": 2.0,
    "triple": 3.0, "triples": 3.0, "tripled": 3.0, "tripling": 3.0, "quadruple": 4.0, "quadrupled": 4.0,
    "twofold": 2.0, "threefold": 3.0, "fourfold": 4.0, "fivefold": 5.0, "sixfold": 6.0, "tenfold": 10.0,
}  # fmt: skip
_HALVED = {"halve", "halves", "halved", "halving"}
_IMPLIED = {
    "dual": 2.0, "both": 2.0, "pair": 2.0, "pairs": 2.0, "couple": 2.0, "bilingual": 2.0, "binary": 2.0,
    "bidirectional": 2.0, "pairwise": 2.0, "either": 2.0, "twin": 2.0, "bimanual": 2.0,
    "trio": 3.0, "trilingual": 3.0, "triplet": 3.0, "triplets": 3.0, "tri": 3.0, "quadruped": 4.0,
    "quadrupedal": 4.0, "quartet": 4.0, "octree": 8.0, "single": 1.0, "dozen": 12.0,
}  # fmt: skip
_SCALE = re.compile(
    r"[ ‐‑-]?(?i:thousand|million|billion|trillion|hundred)(?![A-Za-z])|(?:\\,)?(?:bn|mn"
    r"|[KkMBbTG])(?![A-Za-z0-9])"
)
_WORD = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(
        sorted(
            {*_SMALL, *_LARGE, *_ORDINALS, *_PARTS, *_MULTIPLES, *_HALVED, *_IMPLIED}, key=len, reverse=True
        )
    )
    + r")(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_JOINT = re.compile(r"(?:[ ‐‑-]|\sand\s|-and-)")


def scale_at(text: str, position: int) -> tuple[float, str, int]:
    """The magnitude that follows digits: factor, how it is written, and where it ends."""
    match = _SCALE.match(text, position)
    if match is None:
        return 1.0, "", position
    written = match.group().strip(" ‐‑-\\,")
    return SCALES[written if len(written) == 1 else written.lower()], written, match.end()


def in_words(text: str) -> Iterator[Numeral]:
    """Numbers written out: sixteen, twenty-five, two million, two-thirds, half, twice, third."""
    words = list(_WORD.finditer(text))
    at = 0
    while at < len(words):
        run = [words[at]]
        while at + 1 < len(words) and _JOINT.fullmatch(text, run[-1].end(), words[at + 1].start()):
            if not _continues(run, words[at + 1].group().lower()):
                break
            at += 1
            run.append(words[at])
        at += 1
        yield _read(run)


def _continues(run: list[re.Match[str]], word: str) -> bool:
    """Whether a word goes on with the number that the words before it began."""
    last = run[-1].group().lower()
    if last in _LARGE:
        return word in _SMALL or word in _LARGE
    if last in _SMALL:
        if word in _LARGE:
            return True
        if word in _PARTS and word not in ("half", "second"):
            return last in _UNITS and (len(run) == 1)
        return last in _TENS and word in _UNITS[1:10]
    return False


def _read(run: list[re.Match[str]]) -> Numeral:
    """Value of the words of one number."""
    words = [match.group().lower() for match in run]
    start, end = run[0].start(), run[-1].end()
    head, last = words[0], words[-1]
    form: Form = "cardinal"
    if len(words) > 1 and last in _PARTS:
        return Numeral(
            start=start, end=end, value=_cardinal(words[:-1]) / _PARTS[last], step=0.01, digits="",
            form="fraction",
        )  # fmt: skip
    if head in _SMALL or head in _LARGE:
        value = _cardinal(words)
    elif head == "half" or head in _HALVED:
        value, form = 0.5, "fraction"
    elif head in ("third", "quarter", "quarters"):
        value, form = (3.0, "ordinal") if head == "third" else (0.25, "fraction")
    elif head in _ORDINALS:
        value, form = _ORDINALS[head], "ordinal"
    elif head in _PARTS:
        value, form = 1 / _PARTS[head], "fraction"
    elif head in _MULTIPLES:
        value, form = _MULTIPLES[head], "multiple"
    else:
        value, form = _IMPLIED[head], "implied"
    return Numeral(start=start, end=end, value=value, step=1.0 if value >= 1 else 0.01, digits="", form=form)


def _cardinal(words: list[str]) -> float:
    """Two hundred and five thousand: groups of thousands, each below a thousand.

    Words beyond 10^300 make no number; the product saturates there.
    """
    total = group = 0.0
    for word in words:
        if word in _SMALL:
            group += _SMALL[word]
        elif word == "hundred":
            group = min(max(group, 1.0) * 1e2, 1e300)
        elif group or not total:
            total, group = min(total + max(group, 1.0) * _LARGE[word], 1e300), 0.0
        else:
            total = min(total * _LARGE[word], 1e300)
    return total + group
