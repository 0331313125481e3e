"""Which claims the page of an edition shows: those of its papers' systems, with the newest record of each."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presscheck.bench.standing import Standing
    from presscheck.edition.claims import Claims
    from presscheck.types import Paper

LARGEST = 200_000
"""Bytes of a figure that a page still carries within itself."""


def measured(papers: Sequence[Paper]) -> dict[str, Claims]:
    """The claims of the papers' systems by slug, the figures within their addresses."""
    from presscheck.edition.claims import claims_of

    told = {}
    for slug, one in _standings(papers).items():
        claims = claims_of(one, figure=_inlined(one.figure) if one.figure else "")
        if claims is not None:
            told[slug] = claims
    return told


def made_from(inputs: str, papers: Sequence[Paper]) -> str:
    """What a page is made from: the edition's inputs, and what was measured of its papers' systems.

    Args:
        inputs: Hash of all that the entries are made from; empty if it is not known.
        papers: Of the edition.

    Returns:
        16 hex digits; the same ``inputs`` for an edition without systems.
    """
    standings = _standings(papers)
    if not inputs or not standings:
        return inputs
    import msgspec

    sha = hashlib.sha256(inputs.encode())
    for slug, one in sorted(standings.items()):
        told = [one.manifest, one.verdicts, one.path.name if one.path else "", one.stale]
        sha.update(slug.encode() + msgspec.json.encode(told))
    return sha.hexdigest()[:16]


def _standings(papers: Sequence[Paper]) -> dict[str, Standing]:
    """Of the papers' systems that can be used; few papers have one, and only those cost anything."""
    named = {paper.system for paper in papers if paper.system}
    if not named:
        return {}
    from presscheck.bench.standing import standing
    from presscheck.catalog import systems

    known = systems()
    found = {slug: standing(known[slug]) for slug in sorted(named) if slug in known}
    return {slug: one for slug, one in found.items() if one.manifest is not None}


def _inlined(figure: Path) -> str:
    """An SVG file as an address that holds it; empty for one that is too large or cannot be read."""
    try:
        data = figure.read_bytes()
    except OSError:
        return ""
    if len(data) > LARGEST:
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
