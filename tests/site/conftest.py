"""Makes the editions and systems of the edition's tests importable here, and builds a site once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "edition"))

from claimed import larch_system
from editions import full_edition

from presscheck.edition.publish import publish
from presscheck.site import systems
from presscheck.site.build import Built, Order, build_site


class Made(NamedTuple):
    """A site, and what it was made of."""

    out: Path
    order: Order
    built: Built


def make_site(root: Path, patch: pytest.MonkeyPatch, *, shipped: bool = False, url: str = "") -> Made:
    """Two editions with every kind of entry and a hostile paper, and a system with four claims."""
    for date in ("2024-07-30", "2024-07-31"):
        publish(full_edition(date, hostile=date == "2024-07-31"), root / "editions")
    standing = larch_system(root / "systems")
    patch.setattr(systems, "standings", lambda: {"larch": standing})
    order = Order(
        out=root / "out",
        folders=(root / "editions",),
        shipped=shipped,
        url=url,
        cache=root / "cache",
        workers=1,
    )
    return Made(order.out, order, build_site(order))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    """A site with what ships, at an address."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_site(
            tmp_path_factory.mktemp("site"), patch, shipped=True, url="https://papers.example.org/"
        )


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A site of two editions that a test may change."""
    return make_site(tmp_path, monkeypatch)
