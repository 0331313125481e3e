"""Where this user's editions lie, as a site or a server takes them."""

from __future__ import annotations

from pathlib import Path

from presscheck.papers.library import Library
from presscheck.papers.settings import load_settings
from presscheck.site.build import Order


def order_of(out: Path, folders: tuple[Path, ...], *, shipped: bool, url: str) -> Order:
    """A site of the given folders, then the user's own editions, then those that ship."""
    library = Library()
    settings = load_settings(library.home)
    own = Path(settings.out).expanduser() if settings.out else library.editions_folder
    return Order(
        out=out, folders=(*folders, own), shipped=shipped, url=url, cache=library.cache_folder / "site"
    )
