"""Python literals as data: what ``repr`` writes of dicts and lists, with ``nan`` and ``inf``.

Some collections of daily lists were stored that way. Nothing is evaluated: a
lexer and a parser of our own build the values; depth and size are bounded.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from presscheck.errors import BadInput

LARGEST = 16 * 2**20
DEEPEST = 64

ESCAPE = r"""\\(?:[\\'"abfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
TOKEN = re.compile(
    rf"""(?P<mark>[\[\]{{}}(),:])
    |(?P<text>'[^'\\\r\n]*+(?:{ESCAPE}[^'\\\r\n]*+)*'|"[^"\\\r\n]*+(?:{ESCAPE}[^"\\\r\n]*+)*")
    |(?P<number>[+-]?(?:[0-9]{{1,300}}(?:\.[0-9]{{0,300}})?(?:[eE][+-]?[0-9]{{1,4}})?))
    |(?P<name>-?[A-Za-z_]{{1,20}})""",
    re.VERBOSE,
)
"""No possessive group, only possessive sets: Python 3.11.2 matches the groups wrongly."""
SPACE = re.compile(r"[ \t\r\n]*+")
NAMES = {"None": None, "True": True, "False": False, "nan": None, "inf": None, "-inf": None}
"""``nan`` and infinity are no votes and no text: they count as not known."""


def parse_literal(text: str, where: str) -> Any:
    """Read one literal; tuples and sets come back as lists.

    Raises:
        BadInput: if it is none, is deeper than ``DEEPEST`` or longer than ``LARGEST``.
    """
    if len(text) > LARGEST:
        raise BadInput(f"{where} has more than {LARGEST} characters: it is no entry of a list")
    reader = _Reader(text, where)
    value = reader.value(0)
    if reader.peek():
        raise reader.error("nothing more")
    return value


class _Reader:
    """One pass over the tokens."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._kind = ""
        self._token = ""
        self._start = 0
        self._end = 0
        self._advance()

    def peek(self) -> str:
        """The token in hand; empty at the end."""
        return self._token

    def error(self, needed: str) -> BadInput:
        """What stands where something else has to."""
        got = self._text[self._start : self._start + 20] or "its end"
        return BadInput(
            f"{self._where} is not a Python literal: `{got}` at character {self._start}, needed {needed}"
        )

    def value(self, depth: int) -> Any:
        """A literal of any kind."""
        if depth > DEEPEST:
            raise BadInput(f"{self._where} is nested more than {DEEPEST} deep: it is no entry of a list")
        kind, token = self._kind, self._token
        if kind == "text":
            return self._string(token)
        if kind == "number":
            self._advance()
            return float(token) if re.search(r"[.eE]", token) else int(token)
        if kind == "name" and token in NAMES:
            self._advance()
            return NAMES[token]
        if token == "{":
            return self._braces(depth)
        if token in ("[", "("):
            return self._items("]" if token == "[" else ")", depth)
        raise self.error("a value")

    def _advance(self) -> None:
        space = SPACE.match(self._text, self._end)
        self._start = space.end() if space else self._end
        match = TOKEN.match(self._text, self._start)
        if match is None:
            if self._start < len(self._text):
                raise self.error("a value or a bracket")
            self._kind = self._token = ""
            return
        self._kind, self._token, self._end = match.lastgroup or "", match.group(), match.end()

    def _string(self, token: str) -> str:
        try:
            value = str(ast.literal_eval(token))
        except (SyntaxError, ValueError):
            raise self.error("a string that Python could have written") from None
        self._advance()
        return value

    def _items(self, closing: str, depth: int) -> list[Any]:
        """The items up to a closing bracket."""
        self._advance()
        items = []
        while self._token != closing:
            items.append(self.value(depth + 1))
            self._comma(closing)
        self._advance()
        return items

    def _braces(self, depth: int) -> Any:
        """A dict, or a set as a list."""
        self._advance()
        table: dict[str, Any] = {}
        items: list[Any] = []
        while self._token != "}":
            key = self.value(depth + 1)
            if self._token == ":" and not items:
                if not isinstance(key, str):
                    raise self.error("a name before the colon")
                self._advance()
                table[key] = self.value(depth + 1)
            elif table:
                raise self.error("`:`")
            else:
                items.append(key)
            self._comma("}")
        self._advance()
        return items if items else table

    def _comma(self, closing: str) -> None:
        if self._token == ",":
            self._advance()
        elif self._token != closing:
            raise self.error(f"`,` or `{closing}`")
