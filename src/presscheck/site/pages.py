"""The pages of a site: an edition's, a paper's, and those over all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from presscheck.edition import view
from presscheck.edition.claims import Claims
from presscheck.edition.marks import score
from presscheck.edition.page import Site, environment, printable, render, render_neighbours, writers_of
from presscheck.edition.words import count, day_in_words, say
from presscheck.site.bibtex import bibtex_of
from presscheck.site.index import as_script
from presscheck.site.names import edition_page, paper_page, slug_of
from presscheck.types import LANGUAGES, Edition, Struct, Style

BUDGET = 148_000
"""Bytes of entries on one page of an edition; with its head, sheet and script it stays below 200 kB."""

SHEETS = ("page.css", "claims.css", "site.css")
SCRIPTS = ("page.js", "site.js")


class Known(Struct, frozen=True, kw_only=True):
    """What a page of one edition knows of the rest of the site."""

    url: str = ""
    previous: str = ""
    following: str = ""
    related: tuple[str, ...] = ()
    """Papers of other editions that have a page and that papers of this one are related to."""
    similar: dict[str, tuple[tuple[str, str], ...]] = {}
    """Paper → id and title of the papers similar to it."""
    dates: dict[str, tuple[tuple[str, str], ...]] = {}
    """Paper → the days of the editions that it is in, each with its id on that page."""
    makes: tuple[str, ...] = ()
    """The papers whose pages are to be made."""
    edition: bool = True
    """Whether the edition's own pages are to be made."""


class Made(NamedTuple):
    """The files of an edition's day: its own, and those of each paper."""

    edition: dict[str, bytes]
    papers: dict[str, dict[str, bytes]]


@functools.cache
def template(name: str) -> str | None:
    """A template, sheet or script of this room; None if it is another's."""
    path = resources.files(__package__).joinpath("templates", name)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def page(
    name: str, site: Site, languages: Sequence[Any], styles: Sequence[Style] = (), **values: Any
) -> bytes:
    """A page of the site as bytes."""
    text = render(name, languages, styles, images=False, site=site, templates=template, **values)
    return text.encode("utf-8", "replace")


def make_day(edition: Edition, known: Known, claims: Mapping[str, Claims]) -> Made:
    """All files of an edition and of its papers.

    Args:
        edition: As published.
        known: What it knows of the rest, and which of its files are wanted.
        claims: System → its claims, addresses as seen from a folder below the root.
    """
    here = [paper.id for paper in edition.papers]
    pages = {paper: f"../{paper_page(paper)}" for paper in (*known.related, *here)}
    made = Made({}, {})
    if known.edition:
        made.edition.update(edition_files(edition, known, pages, claims))
    wanted = set(known.makes)
    for number, paper in enumerate(edition.papers):
        if paper.id in wanted:
            wanted.discard(paper.id)
            made.papers[paper.id] = paper_files(edition, number, known, pages, claims)
    return made


def edition_files(
    edition: Edition, known: Known, pages: Mapping[str, str], claims: Mapping[str, Claims]
) -> dict[str, bytes]:
    """The pages of an edition, a style each and as many parts as its weight needs, and its evidence."""
    styles: tuple[Style, ...] = edition.styles or ("detailed",)
    first = styles[0]
    files: dict[str, bytes] = {}
    writers = writers_of(edition)
    evidence: dict[str, tuple[str, ...]] = {}
    for style in styles:
        items = [_short_links(item) for item in view.items(edition, pages, claims, styles=(style,))]
        evidence |= {slug_of(item.paper.id): item.sentences for item in items if item.sentences}
        parts = _parts(_articles(edition, items, len(writers) > 1))
        where = {
            item.id: edition_page(edition.date, style, first, number).partition("/")[2]
            for number, part in enumerate(parts, start=1)
            for item, _ in part
        }
        for number, part in enumerate(parts, start=1):
            address = edition_page(edition.date, style, first, number)
            others = tuple(
                (
                    each,
                    "#main" if each == style else edition_page(edition.date, each, first).partition("/")[2],
                )
                for each in styles
            )
            files[address] = page(
                "day.html",
                _site(known, address, styles=others, about=_about(edition), card=f"{edition.date}/card.png"),
                edition.languages,
                edition=edition,
                shown=style,
                items=items,
                where={paper: "" if at == address.partition("/")[2] else at for paper, at in where.items()},
                articles=[article for _, article in part],
                parts=[
                    edition_page(edition.date, style, first, at).partition("/")[2]
                    for at in range(1, len(parts) + 1)
                ],
                part=number,
                score=score(edition.entries),
                writers=writers,
                evidence="evidence.js" if evidence else "",
                neighbours=render_neighbours(edition.languages, known.previous, known.following),
            )
    if evidence:
        files[f"{edition.date}/evidence.js"] = as_script("evidence", evidence)
    from presscheck.site.cards import card

    files[f"{edition.date}/card.png"] = card(edition.entries)
    return files


def _short_links(item: view.Item) -> view.Item:
    """An entry on an edition's page: what only the paper's page needs of its links stays there."""
    return item._replace(
        links=tuple(link for link in item.links if link.word in ("source_page", "pdf", "code"))
    )


def _articles(
    edition: Edition, items: Sequence[view.Item], name_writers: bool, level: str = "h2"
) -> list[tuple[view.Item, str]]:
    module = (
        environment(template)
        .get_template("entry.html")
        .make_module(
            {
                "languages": list(edition.languages or LANGUAGES),
                "name_writers": name_writers,
                "thumbnails": False,
            }
        )
    )
    entry: Callable[[view.Item, str], str] = module.entry  # type: ignore[attr-defined]  # the template's macro
    return [(item, entry(item, level)) for item in items]


def _parts(articles: Sequence[tuple[view.Item, str]]) -> list[list[tuple[view.Item, str]]]:
    """Articles in as few parts as the budget allows, of about the same weight; an entry is never cut."""
    sizes = [len(text.encode("utf-8", "replace")) for _, text in articles]
    wanted = max(1, -(-sum(sizes) // BUDGET))
    while True:
        parts: list[list[tuple[view.Item, str]]] = [[] for _ in range(wanted)]
        weights, before = [0] * wanted, 0
        for article, size in zip(articles, sizes, strict=True):
            at = min(wanted - 1, int((before + size / 2) * wanted / sum(sizes)))
            parts[at].append(article)
            weights[at] += size
            before += size
        if wanted >= len(articles) or max(weights) <= BUDGET:
            return [part for part in parts if part] or [[]]
        wanted += 1


def paper_files(
    edition: Edition, number: int, known: Known, pages: Mapping[str, str], claims: Mapping[str, Claims]
) -> dict[str, bytes]:
    """A paper's page, its JSON and its BibTeX."""
    import msgspec

    paper = edition.papers[number]
    entries = tuple(entry for entry in edition.entries if entry.paper == paper.id)
    alone = msgspec.structs.replace(edition, papers=(paper,), entries=entries, problems=())
    elsewhere = {other: href for other, href in pages.items() if other != paper.id}
    item = view.items(alone, elsewhere, claims)[0]
    address, bibtex = paper_page(paper.id), bibtex_of(paper)
    dates = known.dates.get(paper.id) or ((edition.date, view.html_ids(edition.papers)[number]),)
    first = (edition.styles or ("detailed",))[0]
    stem = address.removesuffix(".html")
    files = {
        address: page(
            "paper.html",
            _site(known, address, about=_lead(entries), card=f"{edition.date}/card.png"),
            edition.languages,
            edition.styles,
            item=item,
            article=_articles(alone, [item], len(writers_of(alone)) > 1, "h1")[0][1],
            bibtex=printable(bibtex_of(paper, view.OPEN_AUTHORS)),
            stem=stem.partition("/")[2],
            dates=[(date, f"../{edition_page(date, first, first)}#{anchor}") for date, anchor in dates],
            similar=[(f"{slug_of(other)}.html", title) for other, title in known.similar.get(paper.id, ())],
        ),
        f"{stem}.bib": bibtex.encode("utf-8", "replace"),
    }
    try:
        told = {"paper": paper, "entries": entries, "editions": [date for date, _ in dates]}
        files[f"{stem}.json"] = msgspec.json.encode(told) + b"\n"
    except (UnicodeEncodeError, OverflowError):
        pass  # a lone surrogate has no form in JSON; the page prints it without
    return files


def _site(known: Known, address: str, **more: Any) -> Site:
    return Site("../", SHEETS, SCRIPTS, address=address, url=known.url, **more)


def _about(edition: Edition) -> str:
    language = edition.languages[0] if edition.languages else "en"
    papers = count("paper", len(edition.papers), language)
    return f"{day_in_words(edition.date, language)}: {papers}. {say('tagline', language)}."


def _lead(entries: Sequence[Any]) -> str:
    from presscheck.edition.front import first_statement

    return next((text[:300] for entry in entries if (text := first_statement(entry))), "")
