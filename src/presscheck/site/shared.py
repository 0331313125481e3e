"""The pages and feeds that are made of all editions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from presscheck.edition import feed, front
from presscheck.edition.claims import Claim, Claims
from presscheck.edition.page import Site, weekdays
from presscheck.edition.words import say
from presscheck.site.facts import DayFacts, FieldName, PaperFacts
from presscheck.site.index import field_names
from presscheck.site.names import paper_page
from presscheck.site.pages import SCRIPTS, SHEETS, page, template
from presscheck.types import LANGUAGES, Edition

IN_FEED = 20
"""Editions in a feed."""
IN_FIELD = 40
"""Papers in the feed of a field."""
MONTHS = 6
"""Months on the front page; a year's calendar is a page of its own."""
MEASURED = 5
"""Claims on the front page."""

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


class Whole(NamedTuple):
    """All of a site in short."""

    url: str
    days: Sequence[DayFacts]
    """Newest first."""
    papers: Sequence[tuple[str, PaperFacts]]
    """Every paper once with the day of its newest edition, newest first."""
    claims: Mapping[str, Claims]
    """By slug, addresses as seen from the root."""


def shared_pages(whole: Whole) -> dict[str, bytes]:
    """Front page, calendars, fields, search, and the files that all pages load."""
    years = sorted({day.date[:4] for day in whole.days}, reverse=True)
    months = front.months(whole.days)
    fields = _counted(whole.papers)
    files = {
        "index.html": _home(whole, months, years),
        "fields.html": page("fields.html", _root(whole, "fields.html"), LANGUAGES, fields=fields),
        "search.html": search_page(whole.url),
    }
    for year in years:
        of_year = [month for month in months if f"{month.year:04}" == year]
        address = f"calendar-{year}.html"
        files[address] = page(
            "calendar.html", _root(whole, address), LANGUAGES, year=year, months=of_year, weekdays=weekdays()
        )
    return files | assets()


def assets() -> dict[str, bytes]:
    """Sheets and scripts."""
    from presscheck.edition.page import asset

    names = ("page.css", "claims.css", "site.css", "page.js", "site.js", "search.js", "run.js")
    return {f"assets/{name}": (template(name) or asset(name)).encode() for name in names}


def search_page(url: str = "", *, live: bool = False) -> bytes:
    """The page of the search.

    Args:
        url: Of the site.
        live: It asks the server that it came from instead of the index.
    """
    site = Site("", SHEETS, (*SCRIPTS, "search.js"), address="search.html", url=url, live=live)
    return page("search.html", site, LANGUAGES)


def _root(whole: Whole, address: str) -> Site:
    return Site("", SHEETS, SCRIPTS, address=address, url=whole.url)


def _home(whole: Whole, months: Sequence[front.Month], years: Sequence[str]) -> bytes:
    latest = whole.days[0] if whole.days else None
    told = [(of, one) for of in whole.claims.values() for one in of.claims]
    measured = sorted(
        ((of, one) for of, one in told if one.word != "not measured" and not of.stale),
        key=lambda pair: pair[0].when,
        reverse=True,
    )
    site = _root(whole, "index.html")._replace(
        about=say("tagline", "en"), card=f"{latest.date}/card.png" if latest else ""
    )
    return page(
        "home.html",
        site,
        LANGUAGES,
        latest=latest,
        leads=list(islice(_leads(latest), front.LEADS)) if latest else [],
        notes=list(islice((piece for day in whole.days[:IN_FEED] for piece in _notes(day)), front.NOTES)),
        months=months[:MONTHS],
        years=years if len(months) > MONTHS else [],
        weekdays=weekdays(),
        measured=_spread(measured),
        judged=len(measured),
    )


def _spread(measured: Sequence[tuple[Claims, Claim]]) -> list[tuple[Claims, Claim]]:
    """The newest claims, one a system before a second of the same."""
    rounds: list[tuple[int, int, tuple[Claims, Claim]]] = []
    seen: dict[str, int] = {}
    for at, (of, one) in enumerate(measured):
        seen[of.slug] = seen.get(of.slug, 0) + 1
        rounds.append((seen[of.slug], at, (of, one)))
    return [pair for _, _, pair in sorted(rounds, key=lambda each: each[:2])[:MEASURED]]


def _leads(day: DayFacts) -> Any:
    for paper in day.papers:
        if paper.lead:
            yield _piece(day, paper, paper.lead)


def _notes(day: DayFacts) -> Any:
    for paper in day.papers:
        if paper.note:
            yield _piece(day, paper, paper.note)


def _piece(day: DayFacts, paper: PaperFacts, said: Mapping[Any, str]) -> front.Piece:
    spoken = tuple(front.Spoken(language, text) for language, text in said.items())
    return front.Piece(day.date, paper_page(paper.id), paper, spoken)


def _counted(papers: Sequence[tuple[str, PaperFacts]]) -> list[tuple[FieldName, int]]:
    counts: dict[str, int] = {}
    for _, paper in papers:
        for slug in {field.slug for field in paper.fields}:
            counts[slug] = counts.get(slug, 0) + 1
    return [(field, counts[field.slug]) for field in field_names(paper for _, paper in papers)]


def feeds(whole: Whole, newest: Sequence[Edition]) -> dict[str, bytes]:
    """The feed of all editions, one a language, one a field.

    Args:
        whole: The site.
        newest: The newest editions whole, newest first.
    """
    files = {"feed.atom": feed.render_feed(newest, url=whole.url, page_of=paper_page)}
    for language in LANGUAGES:
        spoken = [edition for edition in newest if language in edition.languages]
        files[f"feed.{language}.atom"] = feed.render_feed(spoken, language, url=whole.url, page_of=paper_page)
    taken = {day.date: feed.updated_of(day.date, day.taken) for day in whole.days}
    by_field: dict[str, list[tuple[str, PaperFacts]]] = {}
    for date, paper in whole.papers:
        for slug in dict.fromkeys(field.slug for field in paper.fields):
            by_field.setdefault(slug, []).append((date, paper))
    up = "" if whole.url else "../"
    for field, _ in _counted(whole.papers):
        papers = by_field[field.slug][:IN_FIELD]
        name = f"fields/{field.slug}.atom"
        root = feed.head(
            f"{feed.TAG}field/{field.slug}", f"presscheck: {field.en}", "en",
            name if whole.url else name.rpartition("/")[2], f"{up}fields.html",
            max(taken[date] for date, _ in papers), whole.url,
        )  # fmt: skip
        for date, paper in papers:
            feed.entry_of(
                root, f"{feed.TAG}paper/{paper.id}", paper.title, "en", taken[date],
                up + paper_page(paper.id), list(paper.lead.values()),
            )  # fmt: skip
        files[name] = feed.document(root)
    return files


def sitemap(url: str, dated: Mapping[str, str]) -> dict[str, bytes]:
    """The pages of the site for those who collect them; parts of 50,000, as the protocol has it.

    Args:
        url: Where the site will be found.
        dated: Address → day of its last change, or empty.
    """
    parts = []
    pages = sorted(dated.items())
    for start in range(0, max(1, len(pages)), 50_000):
        root = ET.Element("urlset", {"xmlns": SITEMAP})
        for address, date in pages[start : start + 50_000]:
            one = ET.SubElement(root, "url")
            ET.SubElement(one, "loc").text = url + address.removesuffix("index.html")
            if date:
                ET.SubElement(one, "lastmod").text = date
        parts.append(ET.tostring(root, encoding="utf-8", xml_declaration=True))
    files = {"robots.txt": f"User-agent: *\nAllow: /\nSitemap: {url}sitemap.xml\n".encode()}
    if len(parts) == 1:
        return files | {"sitemap.xml": parts[0]}
    index = ET.Element("sitemapindex", {"xmlns": SITEMAP})
    for number, part in enumerate(parts, start=1):
        files[f"sitemap-{number}.xml"] = part
        ET.SubElement(ET.SubElement(index, "sitemap"), "loc").text = f"{url}sitemap-{number}.xml"
    return files | {"sitemap.xml": ET.tostring(index, encoding="utf-8", xml_declaration=True)}
