"""How a finding words a number: in the language of the digest, with the source's own form beside it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from presscheck.digest.check.number_pool import Pool, Sourced
from presscheck.digest.check.quantities import Quantity, render_en, render_ko
from presscheck.types import Finding, Language

_UNITS_KO = {
    "percent": "%", "pp": "%p", "points": "점", "times": "배", "years": "년", "months": "개월", "weeks": "주",
    "days": "일", "hours": "시간", "minutes": "분", "seconds": "초", "ms": "ms", "USD": "달러",
    "cents": "센트",
    "KRW": "원", "EUR": "유로", "CNY": "위안", "bits": "비트", "degrees": "도", "place": "위",
}  # fmt: skip
_UNITS_EN = {
    "percent": "%", "pp": " percentage points", "times": "x", "degrees": "°", "px": " px", "place": "",
    "bits": "-bit",
}  # fmt: skip
_HEDGES_KO = {
    "about": "약 {}", "over": "{} 초과", "at least": "{} 이상", "under": "{} 미만", "at most": "{} 이하",
    "up to": "최대 {}",
}  # fmt: skip
_HEDGES_EN = {
    "about": "about {}", "over": "over {}", "at least": "at least {}", "under": "under {}",
    "at most": "at most {}",
    "up to": "up to {}",
}  # fmt: skip
_EMPHASIS = (
    "as ",
    "최고",
    "까지",
    "무려",
    "some",
    "beyond",
    "above",
    "surpass",
    "exceed",
    "여",
    "sub-",
    "within",
    "under",
    "below",
)


def hedge_reads(quantity: Quantity) -> bool:
    """Whether a hedge is a bound for certain; "as many as" or 까지 may be mere emphasis."""
    return not quantity.hedge_text.lower().startswith(_EMPHASIS)


def alike(stated: Quantity, source: Quantity) -> bool:
    """Whether one figure reads like a slip for the other: as many digits, half of them or more in place."""
    one, other = (quantity.written.replace(",", "") for quantity in (stated, source))
    if len(one) != len(other) or len(one) < 3:
        return False
    return 2 * sum(first == second for first, second in zip(one, other, strict=True)) >= len(one)


def printed(quantity: Quantity, language: Language) -> str:
    """A source's quantity as the digest would print it: 24.2억, "최대 2.8배", "over 20%"."""
    if quantity.kind == "fraction" and quantity.written:
        return quantity.text
    render = render_ko if language == "ko" else render_en
    body = render(quantity.low)
    if quantity.low != quantity.high:
        body += "–" + render(quantity.high)
    units = _UNITS_KO if language == "ko" else _UNITS_EN
    name = quantity.unit if quantity.dimension else ""
    if name == "USD" and language == "en":
        body = f"${body}"
    elif name:
        body += units.get(name, f" {name}")
    hedges = _HEDGES_KO if language == "ko" else _HEDGES_EN
    return hedges[quantity.hedge].format(body) if quantity.hedge else body


def says(stated: Quantity, source: Quantity, language: Language) -> str:
    """The source's words, their rendering where it differs, and by how much the statement is off."""
    words = f"the source says {source.text}"
    rendered = printed(source, language)
    if rendered.replace(" ", "") != source.text.replace(" ", ""):
        words += f" = {rendered}"
    one, other = stated.low * stated.worth, source.low * source.worth
    if one > 0 and other > 0 and one != other:
        power = log10(one / other)
        if abs(power - round(power)) < 0.03 and round(power):
            words += f", a factor of {10 ** abs(round(power)):,} {'too much' if power > 0 else 'too little'}"
    return words


def worded(
    kind: str,
    stated: Quantity,
    found: Sourced,
    sure: float,
    note: str,
    language: Language,
    places: Sequence[str],
) -> Finding:
    """A finding with what the source says and where."""
    place = places[found.piece] if found.piece < len(places) else f"sentence {found.piece + 1}"
    return Finding(
        kind=kind,
        text=stated.text,
        start=stated.start,
        end=stated.end,
        expected=printed(found.quantity, language),
        why=f"{note}: {says(stated, found.quantity, language)} ({place})",
        sure=sure,
    )


def missing(stated: Quantity, sure: float) -> Finding:
    """A number that nothing in the source could stand for."""
    return Finding(
        kind="number",
        text=stated.text,
        start=stated.start,
        end=stated.end,
        why="the source has no such number",
        sure=sure,
    )


def conflict(stated: Quantity, candidates: Sequence[Sourced], pool: Pool) -> Finding | None:
    """The source itself gives two values for one thing."""
    for found in candidates:
        rival = pool.rival(found)
        if rival is not None:
            one, other = found.quantity.text, rival.quantity.text
            return Finding(
                kind="source_conflict",
                text=stated.text,
                start=stated.start,
                end=stated.end,
                expected=f"{one} / {other}",
                why=f"the source says {one} in one place and {other} in another",
                sure=0.6,
            )
    return None
