"""Building: what is new is made, what is stale goes, what is someone else's stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import feedparser
import msgspec
import pytest
from claimed import larch_system
from editions import LARCH, full_edition

from presscheck.edition.publish import publish
from presscheck.errors import BadInput
from presscheck.site import systems
from presscheck.site.build import build_site, newest_of
from presscheck.site.facts import DayFacts, PaperFacts
from presscheck.site.store import MANIFEST, read_manifest
from presscheck.types import Edition

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def contents(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def changed(edition: Edition) -> Edition:
    """The same day with another title, which its pages, the lists and the index show."""
    papers = tuple(
        msgspec.structs.replace(paper, title="Larch, renamed: Pruning Heads")
        if paper.id == LARCH.id
        else paper
        for paper in edition.papers
    )
    return msgspec.structs.replace(edition, papers=papers)


def test_a_build_of_nothing_new_touches_nothing(small):
    before = {path: path.stat().st_mtime_ns for path in small.out.rglob("*") if path.name != MANIFEST}
    again = build_site(small.order)
    assert again.written == 0 and again.removed == 0
    assert {path: path.stat().st_mtime_ns for path in small.out.rglob("*") if path.name != MANIFEST} == before


def test_a_changed_day_leaves_what_a_build_from_nothing_would(small, tmp_path):
    publish(changed(full_edition("2024-07-31", hostile=False)), small.order.folders[0])
    publish(full_edition("2024-08-02", hostile=False), small.order.folders[0])
    part = build_site(small.order)
    assert part.written > 0
    fresh = msgspec.structs.replace(small.order, out=tmp_path / "fresh", cache=tmp_path / "other")
    build_site(fresh)
    assert contents(small.out) == contents(fresh.out)


def test_a_day_that_is_gone_takes_its_pages_with_it(small):
    import shutil

    shutil.rmtree(small.order.folders[0] / "2024-07-31")
    built = build_site(small.order)
    assert built.removed > 3
    assert not (small.out / "2024-07-31").exists()
    assert "../2024-07-31/" not in (small.out / "2024-07-30" / "index.html").read_text()


def test_a_page_that_was_damaged_is_made_anew(small):
    page = small.out / "papers" / "2407.00001.html"
    whole = page.read_bytes()
    page.write_bytes(whole[:100])
    (small.out / "papers" / "2407.00002.json").unlink()
    build_site(small.order)
    assert page.read_bytes() == whole
    assert (small.out / "papers" / "2407.00002.json").is_file()


def test_a_new_record_makes_the_pages_of_its_system_anew_and_no_others(small, tmp_path, monkeypatch):
    standing = larch_system(tmp_path / "unmeasured", recorded=False)
    monkeypatch.setattr(systems, "standings", lambda: {"larch": standing})
    built = build_site(small.order)
    page = (small.out / "papers" / "2407.00001.html").read_text()
    assert "not measured" in page and "holds here" not in page
    assert built.written < len(read_manifest(small.out).groups)


def test_a_folder_of_someone_else_is_refused_and_left_as_it_is(tmp_path, small):
    out = tmp_path / "theirs"
    out.mkdir()
    (out / "index.html").write_text("mine")
    with pytest.raises(BadInput, match="no site of presscheck"):
        build_site(msgspec.structs.replace(small.order, out=out))
    assert contents(out) == {"index.html": b"mine"}


def test_files_that_someone_has_put_into_a_site_stay(small):
    (small.out / "CNAME").write_text("papers.example.org")
    (small.out / ".nojekyll").write_text("")
    publish(full_edition("2024-08-02", hostile=False), small.order.folders[0])
    build_site(small.order)
    assert (small.out / "CNAME").read_text() == "papers.example.org" and (small.out / ".nojekyll").exists()


@pytest.mark.parametrize("broken", [b"", b"{", b'{"schema": 99}', b"\xff\xfe", b'{"groups": 3}'])
def test_a_broken_manifest_means_that_all_is_made_anew(small, broken):
    before = contents(small.out)
    (small.out / MANIFEST).write_bytes(broken)
    assert build_site(small.order).written > 0
    assert contents(small.out) == before


def test_a_manifest_cannot_name_files_outside_the_site(small, tmp_path):
    victim = tmp_path / "victim.html"
    victim.write_text("still here")
    manifest = msgspec.json.decode((small.out / MANIFEST).read_bytes())
    manifest["groups"]["day/x"] = {"inputs": "x", "files": {"../victim.html": 10, str(victim): 10}}
    (small.out / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    build_site(small.order)
    assert victim.read_text() == "still here"


def test_an_edition_that_cannot_be_read_is_told_and_the_others_are_built(small):
    folder = small.order.folders[0] / "2024-08-03"
    folder.mkdir()
    (folder / "edition.json").write_text("{")
    built = build_site(small.order)
    assert built.editions == 2 and "not JSON" in built.problems[0].what


def test_a_site_of_no_editions_has_a_front_page(small, tmp_path):
    order = msgspec.structs.replace(
        small.order, out=tmp_path / "none", folders=(tmp_path / "no",), shipped=False
    )
    assert build_site(order).editions == 0
    assert "No edition has been published here yet." in (order.out / "index.html").read_text()
    assert (order.out / "search" / "index.js").is_file()


def test_a_build_that_is_killed_is_finished_by_the_next(tmp_path):
    """Killed at any point, the next build leaves what an undisturbed one does."""
    for date in ("2024-07-30", "2024-07-31", "2024-08-01"):
        publish(full_edition(date, hostile=False), tmp_path / "editions")
    code = (
        "import sys, pathlib\n"
        "from presscheck.site.build import Order, build_site\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "build_site(Order(out=root / sys.argv[2], folders=(root / 'editions',), shipped=False,\n"
        "                 cache=root / 'cache', workers=1))\n"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run([*run, "whole"], check=True, timeout=60)
    for wanted in (1, 9):
        child = subprocess.Popen([*run, "cut"], stderr=subprocess.DEVNULL)
        while child.poll() is None and len(list((tmp_path / "cut").rglob("*.*"))) < wanted:
            pass
        os.kill(child.pid, signal.SIGKILL) if child.poll() is None else None
        child.wait()
        publish(full_edition("2024-08-01"), tmp_path / "editions")
        publish(full_edition("2024-08-01", hostile=False), tmp_path / "editions")
    subprocess.run([*run, "cut"], check=True, timeout=60)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_paper_of_two_days_has_one_page_with_its_newest_entry():
    def day(date: str, **of: bool) -> DayFacts:
        papers = tuple(PaperFacts(id=id_, title=date, anchor=id_, written=yes) for id_, yes in of.items())
        return DayFacts(date=date, papers=papers)

    days = {"2024-07-30": day("2024-07-30", a=True, b=True), "2024-07-31": day("2024-07-31", b=False, a=True)}
    assert [(date, paper.id) for date, paper in newest_of(days)] == [("2024-07-31", "a"), ("2024-07-30", "b")]


def test_feeds_read_back_whole_and_by_language_and_by_field(site):
    for name, language in (("feed.atom", "en"), ("feed.en.atom", "en"), ("feed.ko.atom", "ko")):
        read = feedparser.parse((site.out / name).read_bytes())
        assert not read.bozo and len(read.entries) == 6
        assert read.entries[0].link == "https://papers.example.org/2024-12-27/index.html"
        assert read.feed.language == language
        assert len({entry.id for entry in read.entries}) == 6
    read = feedparser.parse((site.out / "fields" / "language-models.atom").read_bytes())
    assert not read.bozo and any("Larch" in entry.title for entry in read.entries)
    assert all(entry.link.startswith("https://papers.example.org/papers/") for entry in read.entries)


def test_the_sitemap_names_every_page_once(site):
    root = ET.fromstring((site.out / "sitemap.xml").read_bytes())
    found = [node.text for node in root.iter(SITEMAP + "loc")]
    assert len(found) == len(set(found))
    assert (
        "https://papers.example.org/" in found
        and "https://papers.example.org/papers/2407.00001.html" in found
    )
    for address in found:
        path = site.out / address.removeprefix("https://papers.example.org/")
        assert (path / "index.html" if path.is_dir() else path).is_file()


def test_without_an_address_there_is_no_sitemap_and_feeds_lead_by_relative_ways(small):
    assert not (small.out / "sitemap.xml").exists()
    assert 'href="../papers/2407.00001.html"' in (small.out / "fields" / "language-models.atom").read_text()
