"""Where things stand on a site: every address below its root, in one place."""

from __future__ import annotations

import hashlib
import re

from presscheck.types import ARXIV_ID, Style

_SAFE = re.compile(r"[^a-z0-9]+")


def slug_of(paper: str) -> str:
    """A paper's name in addresses: its arXiv id, else a short hash of its id, which may hold anything."""
    if ARXIV_ID.fullmatch(paper):
        return paper.replace("/", "-")
    kind = paper.partition(":")[0] if paper.startswith(("doi:", "key:")) else "paper"
    return f"{kind}-{hashlib.sha256(paper.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def paper_page(paper: str) -> str:
    """The page of a paper."""
    return f"papers/{slug_of(paper)}.html"


def system_page(slug: str) -> str:
    """The page of a system."""
    return f"systems/{slug}.html"


def field_slug(english: str) -> str:
    """A field's name in addresses."""
    plain = _SAFE.sub("-", english.lower()).strip("-")[:60]
    return plain or hashlib.sha256(english.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def edition_page(date: str, style: Style, first: Style, part: int = 1) -> str:
    """A page of an edition; the first style's first part is the edition's index."""
    name = "index" if style == first else style
    return f"{date}/{name}{f'-{part}' if part > 1 else ''}.html"
