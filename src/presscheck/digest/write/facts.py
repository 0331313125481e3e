"""What a model answers: facts, each with the sentences that carry it, in both languages.

The answer is bound by ``schema``; ``read`` takes it as it comes, one fact at a time,
so that a fact of the wrong shape costs no other. A figure stands in the texts as a
slot, ``{1}``, and is rendered from the same field in each language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from presscheck.digest.write.amounts import HEDGES, SCALES, Amount, particle, say
from presscheck.types import SECTIONS, Language, Style

LONGEST = 400
"""Characters of a statement."""
ASKED = 300
"""Characters of a statement that a model is asked for: one plain sentence has fewer."""
MOST_FACTS: dict[Style, int] = {"detailed": 9, "easy": 5}
MOST_AMOUNTS = 4
DEEPEST = 100_000
"""Characters of an answer that are read; an answer of the schema has a fraction of it."""

_NEXT = re.compile(r"[\s,]*\{")
_SLOT = re.compile(r"\{(\d{1,2})\}")
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)(?:\n```\s*)?\Z", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


class Fact(msgspec.Struct, frozen=True):
    """One thing that the paper says, in the languages that were asked for."""

    section: str
    sentences: tuple[int, ...]
    """Numbers of the sentences that carry it, from 1."""
    quantities: tuple[Amount, ...] = ()
    en: str = ""
    ko: str = ""
    mends: int = 0
    """In a repair: the number of the statement that this one takes the place of."""


class Read(NamedTuple):
    """What could be made of an answer."""

    facts: tuple[Fact, ...]
    broken: int
    """Facts of a wrong shape."""
    trouble: str
    """Why there is no answer at all; empty if there is one."""


def schema(
    style: Style,
    languages: Sequence[Language],
    numbers: Sequence[int],
    values: Sequence[str],
    mends: Sequence[int] = (),
) -> dict[str, Any]:
    """The JSON schema of an answer about one paper.

    Every property is required and none may be added, as strict modes want it; sections,
    sentence numbers and figures are listed, so that a grammar lets no other through.
    Where the sentences have no figure, a fact has no ``quantities``.

    Args:
        style: Its sections.
        languages: Each gives a text.
        numbers: Of the sentences that are shown.
        values: Figures of these sentences, as digits.
        mends: In a repair: numbers of the statements that are to be put right.
    """
    text = {"type": "string", "maxLength": ASKED}
    short = {"type": "string", "maxLength": 80}
    amount = _object(
        value={"type": "string", "enum": list(values)},
        scale={"type": "string", "enum": list(SCALES)},
        unit={"type": "string", "maxLength": 30},
        hedge={"type": "string", "enum": list(HEDGES)},
        condition=short,
        subject=short,
    )
    of: dict[str, Any] = {"mends": {"type": "integer", "enum": list(mends)}} if mends else {}
    fact = _object(
        **of,
        section={"type": "string", "enum": [key for key in SECTIONS[style] if key != "fields"]},
        sentences={
            "type": "array",
            "items": {"type": "integer", "enum": list(numbers)},
            "minItems": 1,
            "maxItems": 3,
        },
        **({"quantities": {"type": "array", "items": amount, "maxItems": MOST_AMOUNTS}} if values else {}),
        **dict.fromkeys(languages, text),
    )
    most = len(mends) or MOST_FACTS[style]
    return _object(facts={"type": "array", "items": fact, "minItems": 1, "maxItems": most})


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read(text: str) -> Read:
    """Read an answer, as tolerant in its wrapping as it is strict in its fields."""
    body = _THOUGHT.sub("", text[:DEEPEST])
    if fenced := _FENCE.match(body):
        body = fenced[1]
    start, end = body.find("{"), body.rfind("}")
    if start < 0:
        return Read((), 0, "the answer is not JSON")
    try:
        answer = msgspec.json.decode(body[start : end + 1].encode("utf-8", "replace"))
        listed = answer.get("facts") if isinstance(answer, dict) else None
    except (msgspec.DecodeError, RecursionError):
        listed = _whole_ones(body)
        if not listed:
            return Read((), 0, "the answer is not whole JSON")
    if not isinstance(listed, list) or not listed:
        return Read((), 0, "the answer has no list of facts")
    facts, broken = [], 0
    for one in listed[: 2 * max(MOST_FACTS.values())]:
        try:
            facts.append(msgspec.convert(one, Fact, strict=False))
        except (msgspec.ValidationError, RecursionError):
            broken += 1
    return Read(tuple(facts), broken, "" if facts else "no fact of the answer has the right fields")


def _whole_ones(body: str) -> list[Any]:
    """The facts that an answer has whole before it breaks off."""
    opens = re.search(r'"facts"\s*:\s*\[', body)
    if opens is None:
        return []
    decoder, at, found = json.JSONDecoder(), opens.end(), []
    while begins := _NEXT.match(body, at):
        try:
            one, at = decoder.raw_decode(body, begins.end() - 1)
        except (ValueError, RecursionError):
            break
        found.append(one)
    return found


class BadSlot(ValueError):
    """A text and the quantities of its fact do not fit together."""


def render(fact: Fact, language: Language) -> str:
    """A fact's text in one language, its figures put in.

    Raises:
        BadSlot: if a slot has no quantity, a quantity no slot, or a value is no number.
    """
    text = fact.en if language == "en" else fact.ko
    used: set[int] = set()
    done, at = "", 0
    for slot in _SLOT.finditer(text):
        number = int(slot[1])
        if not 1 <= number <= len(fact.quantities):
            raise BadSlot(f"the text has {slot.group()}, and there are {len(fact.quantities)} quantities")
        used.add(number)
        amount = fact.quantities[number - 1]
        try:
            figure = say(amount, language)
        except ValueError as error:
            raise BadSlot(str(error)) from None
        done += text[at : slot.start()] + _not_twice(figure, text[slot.end() :], amount, language)
        at = slot.end()
        if language == "ko":
            text = text[:at] + particle(figure, text[at:])
    if used and len(used) < len(fact.quantities):
        lacking = ", ".join(
            f"{{{number}}}" for number in range(1, len(fact.quantities) + 1) if number not in used
        )
        raise BadSlot(f"the text lacks {lacking}: every quantity of a fact stands in both languages")
    return done + text[at:]


def _not_twice(figure: str, following: str, amount: Amount, language: Language) -> str:
    """A figure without its unit where the text says the unit again: "{1} hours", "{1}%"."""
    bare = say(msgspec.structs.replace(amount, unit=""), language)
    unit = figure.removeprefix(bare).strip()
    return bare if unit and figure != bare and following.lstrip().startswith(unit) else figure
