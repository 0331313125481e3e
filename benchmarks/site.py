"""How long a site of many days takes: from nothing, with nothing new, and with one changed day.

    python benchmarks/site.py EDITIONS

EDITIONS is a folder of published editions, which
`presscheck edition all --papers ARCHIVE --out EDITIONS` makes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import msgspec

from presscheck.digest.jsonfile import edition_from_json, edition_to_json
from presscheck.site.build import Built, Order, build_site


def timed(name: str, order: Order) -> Built:
    """Build, and say how long it took."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    built = build_site(order)
    took, used = time.perf_counter() - start, sum(os.times()[:4]) - before
    print(
        f"{name:20} {took:7.1f} s, {used:6.1f} s of processors, "
        f"{built.written:,} groups anew, {built.files:,} files"
    )
    return built


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", type=Path)
    parser.add_argument("--days", type=int, default=450)
    given = parser.parse_args()
    days = sorted(path for path in given.editions.iterdir() if (path / "edition.json").is_file())[
        -given.days :
    ]
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "editions")
        for day in days:
            (folder / day.name).mkdir(parents=True)
            os.link(day / "edition.json", folder / day.name / "edition.json") if (
                day.stat().st_dev == folder.stat().st_dev
            ) else (folder / day.name / "edition.json").write_bytes((day / "edition.json").read_bytes())
        order = Order(
            out=Path(root, "out"),
            folders=(folder,),
            cache=Path(root, "cache"),
            url="https://papers.example.org/",
        )
        built = timed("from nothing", order)
        print(f"{'':24} {built.editions} editions, {built.papers:,} papers")
        timed("nothing new", order)
        path = folder / days[-5].name / "edition.json"
        edition = edition_from_json(path.read_bytes(), str(path))
        first, *others = edition.papers
        papers = (msgspec.structs.replace(first, title=f"{first.title} (revised)"), *others)
        path.unlink()
        path.write_bytes(edition_to_json(msgspec.structs.replace(edition, papers=papers)))
        timed("one changed day", order)
        pages = list(order.out.rglob("*.html"))
        shared = sum(
            (order.out / "assets" / name).stat().st_size
            for name in ("page.css", "claims.css", "site.css", "page.js", "site.js")
        )
        heaviest = max(pages, key=lambda page: page.stat().st_size)
        weight = (heaviest.stat().st_size + shared) / 1e3
        print(f"heaviest page, sheets and scripts: {weight:.0f} kB, {heaviest.relative_to(order.out)}")


if __name__ == "__main__":
    main()
