"""Numbers as each language writes them: 2,420,000,000 is 24.2억 and 2.42 billion."""

from __future__ import annotations

_KO = ((1e16, "경"), (1e12, "조"), (1e8, "억"), (1e4, "만"))
_EN = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
_DECIMALS = 3


def render_ko(value: float) -> str:
    """Korean digits with 조/억/만, exact: 24.2억, 9,100만, 1억 2,345만 6,789.

    At 억 and above a value of at most three decimals is written with a decimal
    point, as the press does; anything finer is spelled out place by place.
    """
    if not _whole(value) or abs(value) < 1e4:
        return _plain(value)
    sign, whole = ("-" if value < 0 else ""), int(abs(value))
    for place, name in _KO[:3]:
        thousandths, rest = divmod(whole * 10**_DECIMALS, int(place))
        if whole >= place and not rest:
            return sign + _plain(thousandths / 10**_DECIMALS) + name
    parts = []
    for place, name in _KO:
        count, whole = divmod(whole, int(place))
        if count:
            parts.append(f"{count:,}{name}")
    if whole:
        parts.append(f"{whole:,}")
    return sign + " ".join(parts)


def render_en(value: float) -> str:
    """English digits, exact: 2.42 billion, 9.1 million, 123,456,789."""
    if not _whole(value) or abs(value) < 1e6:
        return _plain(value)
    sign, whole = ("-" if value < 0 else ""), int(abs(value))
    for place, name in _EN:
        thousandths, rest = divmod(whole * 10**_DECIMALS, int(place))
        if whole >= place and not rest:
            return sign + _plain(thousandths / 10**_DECIMALS) + name
    return f"{sign}{whole:,}"


def _whole(value: float) -> bool:
    """Whether a value is an integer that a float can hold."""
    return abs(value) < 1e18 and float(value).is_integer()


def _plain(value: float) -> str:
    """Digits with thousands commas, no trailing zeros and no exponent where one can be avoided."""
    if float(value).is_integer() and abs(value) < 1e18:
        return f"{int(value):,}"
    if 1e-6 <= abs(value) < 1e15:
        return (
            f"{value:,.9f}".rstrip("0").rstrip(".")
            if abs(value) < 1e6
            else f"{value:,.3f}".rstrip("0").rstrip(".")
        )
    return f"{value:g}"
