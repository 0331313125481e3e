"""arXiv ids in every form that people write them, as (id, version).

New style since April 2007: YYMM.NNNN, five digits from January 2015. Old style:
archive/YYMMNNN, with or without the subject class.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from presscheck.errors import BadInput

HOSTS = r"(?:[a-z-]+\.)*(?:arxiv\.org|alphaxiv\.org|ar5iv\.org|huggingface\.co|hf\.co)"
PATHS = r"(?:abs|pdf|html|src|e-print|ps|format|papers|overview)"
BEFORE = re.compile(
    rf"(?:https?://)?(?:www\.)?{HOSTS}/{PATHS}/"
    r"|(?:https?://)?(?:dx\.)?doi\.org/10\.48550/arxiv\."
    r"|(?:doi:\s*)?10\.48550/arxiv\."
    r"|(?:oai:arxiv\.org:|arxiv:)\s*",
    re.IGNORECASE,
)
AFTER = re.compile(r"(?:\.pdf|\.md)?/?(?:[?#].*)?(?:\s*\[[A-Za-z.-]+\])?", re.DOTALL)
NEW = re.compile(r"([0-9]{2})([0-9]{2})\.([0-9]{4,5})(v[1-9][0-9]{0,2})?")
OLD = re.compile(r"([A-Za-z-]{2,16})(\.[A-Za-z]{2})?/([0-9]{2})([0-9]{2})([0-9]{3})(v[1-9][0-9]{0,2})?")
HINT = "for example 2407.21018, arXiv:2407.21018v2, math.GT/0309136 or https://arxiv.org/abs/2407.21018"


class ArxivId(NamedTuple):
    """An arXiv id with the version that was asked for."""

    id: str
    version: str = ""
    """``v1``, ``v2``, …; empty for the newest."""


def parse_arxiv(text: str) -> ArxivId:
    """Read one arXiv id, bare, with a prefix, as a URL or as a DOI.

    Raises:
        BadInput: if it is none; the message says why.
    """
    bare = unquote(text[:300]).strip()
    if before := BEFORE.match(bare):
        bare = bare[before.end() :]
    for style in (_new_style, _old_style):
        if found := style(bare):
            return found
    raise BadInput(f"`{text.strip()[:60]}` is not an arXiv id", hint=HINT)


def _new_style(bare: str) -> ArxivId | None:
    match = NEW.match(bare)
    if not match or not AFTER.fullmatch(bare, match.end()):
        return None
    year, month, number, version = match.groups()
    # The serial number grew from four digits to five in January 2015, so either
    # length on the wrong side of it is a typing error and would name no paper.
    if not "01" <= month <= "12" or (year, month) < ("07", "04") or (len(number) == 5) != (year >= "15"):
        return None
    return ArxivId(f"{year}{month}.{number}", version or "")


def _old_style(bare: str) -> ArxivId | None:
    match = OLD.match(bare)
    if not match or not AFTER.fullmatch(bare, match.end()):
        return None
    archive, subject, year, month, number, version = match.groups()
    if not "01" <= month <= "12" or "07" < year < "91":
        return None
    return ArxivId(f"{archive.lower()}{(subject or '').upper()}/{year}{month}{number}", version or "")
