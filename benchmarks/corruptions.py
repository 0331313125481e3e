"""Statements made wrong on purpose, by a recipe that anyone can repeat.

The check is measured on real Korean statements of which the right reading is known:
each has the abstract that it was written from. ``corrupt`` makes one of them wrong
in one of five ways and says where. Same seed, same statements, same order: same
corruptions; the draw for one statement depends on its text and the seed alone, so
adding statements changes no other.

- ``number``: one number in digits becomes another of the same shape. Half of the
  time one digit is drawn anew, half of the time all are. A value that the abstract
  has as digits, too, is drawn again, since the statement might still be true.
- ``number_word``: a small number in words (두, 세, 네, 다섯 …) becomes another one.
- ``magnitude``: the figure stays, its power of ten moves: 억 and 만, 조 and 억, B, M
  and K trade places; the decimal point moves by one place under 억 or 조; a plain
  count of two digits or more gains or loses a nought.
- ``name``: the system of another paper stands in place of this one's.
- ``foreign``: the whole statement is another paper's.

Numbers inside names (a Latin letter, a hyphen or an underscore touches the digits)
stay as they are. Only numbers whose digits, or whose value by the units that
``_SCALES`` lists, stand in the abstract are changed, so that what was there was right.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

Kind = Literal["number", "number_word", "magnitude", "name", "foreign"]
Part = Literal["tune", "report"]

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.,@^+\-‑–])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?) ?(조|억|만|천|백만"
    r"|[BMKTk](?![A-Za-z0-9-]))?(?![A-Za-z0-9_^]|[-‑]\w|\.\d)"
)
_SCALES = {
    "조": 1e12,
    "억": 1e8,
    "만": 1e4,
    "천": 1e3,
    "백만": 1e6,
    "B": 1e9,
    "M": 1e6,
    "K": 1e3,
    "k": 1e3,
    "T": 1e12,
}
_TRADES = {"조": "억", "억": "만", "만": "억", "백만": "억", "B": "M", "M": "B", "K": "M", "k": "M", "T": "B"}
_ENGLISH = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SOURCE_NUMBER = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?:[ -]?(thousand|million|billion|trillion)\b"
    r"|([BMKTk])(?![A-Za-z0-9]))?"
)
_WORDS = ("두", "세", "네", "다섯", "여섯", "일곱", "여덟")
_WORD = re.compile(r"(?<![가-힣])(두|세|네|다섯|여섯|일곱|여덟)(?= ?(?:가지|단계|개의|종류|배))")
_ENGLISH_WORDS = dict(zip(_WORDS, ("two", "three", "four", "five", "six", "seven", "eight"), strict=True))
_SYSTEM = re.compile(r"^([A-Za-z][A-Za-z0-9.+-]*[A-Za-z0-9+])(?=:)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\[\"'])")


@dataclass(frozen=True, slots=True)
class Pair:
    """A real statement with what it was written from."""

    paper: str
    title: str
    statement: str
    abstract: str
    evidence: str
    """The sentence that its author gave for it; empty where none was given."""

    @property
    def part(self) -> Part:
        """The half of the papers that it belongs to: one to tune on, one to report on."""
        return "report" if int(sha256(self.paper.encode()).hexdigest(), 16) % 2 else "tune"

    @property
    def sentences(self) -> list[str]:
        """Title and sentences of the abstract, as the source's pieces."""
        return [self.title, *_SENTENCE.split(self.abstract)]


@dataclass(frozen=True, slots=True)
class Corruption:
    """A statement made wrong: where, what stood there and what stands there now."""

    kind: Kind
    pair: Pair
    text: str
    start: int
    end: int
    was: str
    now: str


def pairs(path: Path) -> Iterator[Pair]:
    """The Korean statements of the digests: methods with their evidence, purpose and conclusion without."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            paper = {
                "paper": row["id"],
                "title": " ".join(row["title"].split()),
                "abstract": " ".join(row["summary"].split()),
            }
            for text in row["method_ko"] or ():
                statement, evidence = _split(text)
                if re.search("[가-힣]", statement) and _quoted(evidence, paper["abstract"]):
                    yield Pair(statement=statement, evidence=evidence, **paper)
            for key in ("purpose_ko", "conclusion_ko"):
                if row[key]:
                    yield Pair(statement=row[key].strip(), evidence="", **paper)


def _split(text: str) -> tuple[str, str]:
    """Korean sentence and the English one in the brackets behind it."""
    for match in re.finditer(r" ?\(", text):
        inside = text[match.end() :].rstrip(" .)")
        if len(inside) >= 20 and len(re.findall("[가-힣]", inside)) == 0:
            return text[: match.start()].strip(), inside
    return text.strip(), ""


def _quoted(evidence: str, abstract: str) -> bool:
    """Whether the evidence is a quotation: four of five of its words stand in the abstract."""
    words = re.findall(r"[A-Za-z]{3,}", evidence.lower())
    known = set(re.findall(r"[A-Za-z]{3,}", abstract.lower()))
    return len(words) >= 4 and sum(word in known for word in words) >= 0.8 * len(words)


def corrupt(untouched: Sequence[Pair], kind: Kind, seed: int = 0) -> Iterator[Corruption]:
    """Every statement that can be made wrong in one way, once."""
    names = sorted({match.group(1) for pair in untouched if (match := _SYSTEM.match(pair.title))})
    for pair in untouched:
        draw = random.Random(f"{seed}/{kind}/{pair.paper}/{pair.statement}")
        made: Corruption | None
        if kind == "number":
            made = _number(pair, draw)
        elif kind == "number_word":
            made = _word(pair, draw)
        elif kind == "magnitude":
            made = _magnitude(pair, draw)
        elif kind == "name":
            made = _name(pair, names, draw)
        else:
            made = _foreign(pair, untouched, draw)
        if made is not None:
            yield made


def _replaced(kind: Kind, pair: Pair, start: int, end: int, now: str) -> Corruption:
    text = pair.statement[:start] + now + pair.statement[end:]
    return Corruption(kind, pair, text, start, start + len(now), pair.statement[start:end], now)


def _right(pair: Pair) -> list[re.Match[str]]:
    """The numbers of a statement that stand in its abstract."""
    values = set()
    for match in _SOURCE_NUMBER.finditer(pair.abstract):
        scale = _ENGLISH.get(match.group(2), _SCALES.get(match.group(3), 1.0))
        values.add(round(float(match.group(1).replace(",", "")) * scale, 6))
    found = []
    for match in _NUMBER.finditer(pair.statement):
        value = float(match.group(1).replace(",", "")) * _SCALES.get(match.group(2), 1.0)
        if value > 1 and round(value, 6) in values:
            found.append(match)
    return found


def _number(pair: Pair, draw: random.Random) -> Corruption | None:
    """Another number of the same shape."""
    right = _right(pair)
    if not right:
        return None
    match = draw.choice(right)
    written = match.group(1)
    places = [at for at, letter in enumerate(written) if letter.isdigit()]
    for _ in range(50):
        changed = places if draw.random() < 0.5 else [draw.choice(places)]
        letters = list(written)
        for at in changed:
            letters[at] = draw.choice("123456789" if at == 0 else "0123456789")
        now = "".join(letters)
        plain = now.replace(",", "")
        present = re.search(rf"(?<![\d.]){re.escape(plain)}(?![\d]|\.\d)", pair.abstract.replace(",", ""))
        if float(plain) not in (float(written.replace(",", "")), 1.0) and not present:
            return _replaced("number", pair, match.start(1), match.end(1), now)
    return None


def _word(pair: Pair, draw: random.Random) -> Corruption | None:
    """Another small number in words."""
    found = [
        match
        for match in _WORD.finditer(pair.statement)
        if re.search(rf"\b{_ENGLISH_WORDS[match.group(1)]}\b", pair.abstract, re.IGNORECASE)
    ]
    if not found:
        return None
    match = draw.choice(found)
    now = draw.choice([word for word in _WORDS if word != match.group(1)])
    return _replaced("number_word", pair, match.start(), match.end(), now)


def _magnitude(pair: Pair, draw: random.Random) -> Corruption | None:
    """The same figure with another power of ten."""
    ways: list[tuple[int, int, str]] = []
    for match in _right(pair):
        written, scale = match.group(1), match.group(2)
        if scale in _TRADES:
            ways.append((match.start(2), match.end(2), _TRADES[scale]))
        if scale in ("억", "조"):
            ways.append((match.start(1), match.end(1), f"{float(written.replace(',', '')) / 10:.4g}"))
        following = pair.statement[match.end() : match.end() + 3].lstrip()
        count = (
            written.replace(",", "").isdigit()
            and not scale
            and not following.startswith(("%", "년", "배", "-"))
        )
        if (
            count
            and float(written.replace(",", "")) >= 10
            and following[:1] in "개명편장건종가"
            and following
        ):
            ways.append((match.start(1), match.end(1), f"{int(written.replace(',', '')) * 10:,}"))
    if not ways:
        return None
    start, end, now = draw.choice(ways)
    return _replaced("magnitude", pair, start, end, now)


def _name(pair: Pair, names: Sequence[str], draw: random.Random) -> Corruption | None:
    """The system of another paper."""
    match = _SYSTEM.match(pair.title)
    at = pair.statement.find(match.group(1)) if match else -1
    if match is None or at < 0:
        return None
    others = [name for name in names if name != match.group(1) and name not in pair.abstract]
    return _replaced("name", pair, at, at + len(match.group(1)), draw.choice(others)) if others else None


def _foreign(pair: Pair, untouched: Sequence[Pair], draw: random.Random) -> Corruption | None:
    """The statement of another paper."""
    others = [draw.choice(untouched) for _ in range(8)]
    for other in others:
        if other.paper != pair.paper:
            text = other.statement
            return Corruption("foreign", pair, text, 0, len(text), pair.statement, text)
    return None
