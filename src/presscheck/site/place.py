"""Where this user's editions lie, as a site or a server takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from presscheck.papers.library import Library
from presscheck.papers.settings import load_settings
from presscheck.site.build import Order


def write_archive_days() -> int:
    """Write an edition of every day of the archive that has none, extractive, into the user's own folder.

    Returns:
        How many were written.
    """
    from presscheck.archive.store import Archive
    from presscheck.edition.build import Order as Editions
    from presscheck.edition.build import build_days
    from presscheck.edition.published import JSON_NAME
    from presscheck.edition.shipped import shipped_dates
    from presscheck.types import Day

    library = Library()
    settings = load_settings(library.home)
    own = _own(library)
    archive = Archive(library)
    there = set(shipped_dates())
    wanted = [
        date for date in sorted(archive.days()) if date not in there and not (own / date / JSON_NAME).exists()
    ]

    def days() -> Iterator[Day]:
        for date in wanted:
            yield Day(date=date, taken="", source="archive", papers=tuple(archive.of_day(date)))

    order = Editions(out=own, languages=settings.languages, styles=settings.styles)
    return sum(1 for _ in build_days(days(), order, workers=1 if len(wanted) < 4 else None))


def _own(library: Library) -> Path:
    settings = load_settings(library.home)
    return Path(settings.out).expanduser() if settings.out else library.editions_folder


def order_of(out: Path, folders: tuple[Path, ...], *, shipped: bool, url: str) -> Order:
    """A site of the given folders, then the user's own editions, then those that ship."""
    library = Library()
    return Order(
        out=out,
        folders=(*folders, _own(library)),
        shipped=shipped,
        url=url,
        cache=library.cache_folder / "site",
    )
