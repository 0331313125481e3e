"""Bytes of a service or a file as text and as JSON, with errors that say where it went wrong."""

from __future__ import annotations

import json
import re
from typing import Any

from presscheck.errors import BadInput

HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
HTML_TITLE = re.compile(r"<title[^>]*>([^<]{1,120})", re.I)
SURROGATE = re.compile("[\ud800-\udfff]")


def decode_text(data: bytes, where: str) -> str:
    """UTF-8 as text, without a byte-order mark.

    Raises:
        BadInput: if it is empty or no UTF-8; the message names the first bad byte.
    """
    if not data.strip():
        raise BadInput(f"{where} is empty", hint="a day without papers is `[]`")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{where} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            hint="save it as UTF-8",
        ) from None


def refuse_html(text: str, where: str, needed: str) -> None:
    """Say so where a page stands in place of data, as gateways and error pages do.

    Raises:
        BadInput: if the text is an HTML page.
    """
    if HTML.match(text[:4096]):
        title = HTML_TITLE.search(text[:65536])
        called = f" (“{' '.join(title[1].split())}”)" if title else ""
        raise BadInput(f"{where} is an HTML page{called}, not {needed}")


def decode_json(text: str, where: str) -> Any:
    """JSON as values. NaN becomes None, and half a surrogate pair U+FFFD: neither can be written again.

    Raises:
        BadInput: if it is HTML, or no JSON; the message names line and column.
    """
    refuse_html(text, where, "JSON")
    try:
        return without_surrogates(json.loads(text, parse_constant=lambda name: None))
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise BadInput(f"{where} is not JSON: {what}, line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadInput(f"{where} is nested too deeply to be a list of papers") from None
    except ValueError as error:
        raise BadInput(f"{where} is not JSON: {error}") from None


def without_surrogates(value: Any) -> Any:
    """The same value with every lone surrogate replaced, since UTF-8 cannot hold one."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [without_surrogates(part) for part in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(part) for key, part in value.items()}
    return value


def kind_of(value: object) -> str:
    """What a JSON value is, for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
