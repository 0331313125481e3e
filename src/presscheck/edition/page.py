"""One HTML file that is complete by itself: style sheet and script inlined, nothing fetched.

The page works without its script: language, style and colours are radio inputs
that the style sheet reads, and every evidence number is a link. The script
remembers the choices, keeps the reader's place to the line and shows the
evidence's words beside the statement.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from presscheck import __version__
from presscheck.edition import claims, front, marks, view, words
from presscheck.types import LANGUAGES, Edition, Language, Style

if TYPE_CHECKING:
    from jinja2 import Environment

    from presscheck.edition.against import Comparison
    from presscheck.edition.published import Listed

THUMBNAIL_HOST = "https://cdn-thumbnails.huggingface.co"

# What HTML forbids even when escaped: controls, lone surrogates, non-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


class File(NamedTuple):
    """A file beside the page that the page points to."""

    name: str
    href: str
    type: str = ""
    """Its media type, where programs should find it too."""


class Site(NamedTuple):
    """How a page that is one of many files is framed: sheets and scripts are files beside it."""

    root: str
    """From the page to the site's first page: empty, ``../``."""
    sheets: tuple[str, ...]
    """Names in ``assets/``."""
    scripts: tuple[str, ...]
    address: str = ""
    """The page's own place below the site's root."""
    url: str = ""
    """Where the site will be found, with a slash at its end; empty where that is not known."""
    about: str = ""
    """A sentence about the page, for previews."""
    card: str = ""
    """Address of the preview's picture below the root."""
    styles: tuple[tuple[Style, str], ...] = ()
    """A style and the address of this page in it, where styles are pages of their own."""
    live: bool = False
    """The page may ask the server that it came from."""


def printable(text: object) -> object:
    """Text without the characters that no HTML or XML file may have; other values as they are."""
    # Most text is printable all through, and Python says so far sooner than a regular expression.
    if isinstance(text, str) and not text.isprintable() and _UNPRINTABLE.search(text):
        return type(text)(_UNPRINTABLE.sub("", text))
    return text


def render_edition(
    edition: Edition,
    *,
    thumbnails: bool = False,
    previous: str = "",
    following: str = "",
    files: Sequence[File] = (),
) -> str:
    """The page of an edition.

    Args:
        edition: Papers and entries.
        thumbnails: Load the papers' thumbnails as images; else they are links.
        previous: Date of the edition before, if it is published beside this one.
        following: Date of the edition after.
        files: Files beside the page to point to.

    The claims of the papers' systems are shown as they stand on this machine.

    Returns:
        A whole HTML document.
    """
    from presscheck.edition.measured import measured

    writers, told = writers_of(edition), measured(edition.papers)
    return render(
        "edition.html",
        edition.languages,
        edition.styles,
        images=thumbnails,
        sheets=("page.css", "claims.css") if told else ("page.css",),
        figures=any(of.figure for of in told.values()),
        home="../index.html" if files else "#main",
        edition=edition,
        items=view.items(edition, claims=told),
        score=marks.score(edition.entries),
        thumbnails=thumbnails,
        files=files,
        writers=writers,
        name_writers=len(writers) > 1,
        neighbours=render_neighbours(edition.languages, previous, following, published=bool(files)),
    )


def render_against(comparison: Comparison) -> str:
    """The page of a comparison: someone else's digest beside ours, in its language and style.

    Args:
        comparison: Both digests, checked.

    Returns:
        A whole HTML document, which stands in the day's folder beside the edition's page.
    """
    return render(
        "against.html",
        (comparison.language,),
        (),
        sheets=("page.css", "against.css"),
        images=False,
        home="../index.html",
        of=comparison,
        language=comparison.language,
    )


def render_index(listed: Sequence[Listed], recent: Sequence[Edition]) -> str:
    """The front page over all published editions.

    Args:
        listed: Every edition, newest first, for the calendar.
        recent: The newest of them whole: the first one's leads and the press notes of all are shown.

    Returns:
        A whole HTML document.
    """
    return render(
        "index.html",
        LANGUAGES,
        (),
        images=False,
        home="#main",
        latest=recent[0] if recent else None,
        leads=front.leads(recent[0]) if recent else [],
        notes=front.notes(recent),
        months=front.months(listed),
        weekdays=weekdays(),
    )


def weekdays() -> list[dict[str, str]]:
    """The heads of a calendar's columns."""
    return [{"en": en[:2], "ko": ko} for en, ko in zip(words.WEEKDAYS, words.WEEKDAYS_KO, strict=True)]


def writers_of(edition: Edition) -> list[str]:
    """Who wrote the entries, each once."""
    return list(dict.fromkeys(entry.writer for entry in edition.entries if entry.writer))


def render_neighbours(
    languages: Sequence[Language], previous: str, following: str, *, published: bool = True
) -> str:
    """The links of a page to the editions beside it; empty for a page that stands alone."""
    if not published:
        return ""
    from markupsafe import Markup

    template = environment().get_template("neighbours.html")
    return Markup(template.render(languages=_order(languages), previous=previous, following=following))


def _order(languages: Sequence[Language]) -> list[Language]:
    """The languages of a page's own words; a page of no language still has words."""
    return list(languages) or list(LANGUAGES)


def render(
    name: str,
    languages: Sequence[Language],
    styles: Sequence[Style],
    *,
    images: bool,
    figures: bool = False,
    sheets: Sequence[str] = ("page.css",),
    site: Site | None = None,
    templates: Callable[[str], str | None] | None = None,
    **values: object,
) -> str:
    """A whole HTML document.

    Args:
        name: Of the template.
        languages: Of the page's own words; the first is the page's.
        styles: Those that the page can switch between.
        images: Whether it loads thumbnails.
        figures: Whether it has figures within itself.
        sheets: What is put into the page; a page of a site names its own.
        site: Set for a page that is one of a site's.
        templates: Another room's templates; see `environment`.
        **values: What the template prints.
    """
    from markupsafe import Markup

    if site is not None:
        policy = [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            f"img-src 'self'{f' {THUMBNAIL_HOST}' if images else ''}",
            "base-uri 'none'",
            "form-action 'self'",
            *(["connect-src 'self'"] if site.live else []),
        ]
        return (
            environment(templates)
            .get_template(name)
            .render(
                languages=_order(languages),
                styles=list(styles),
                policy="; ".join(policy),
                version=__version__,
                site=site,
                home=f"{site.root}index.html",
                **values,
            )
        )
    pictures = [*([THUMBNAIL_HOST] if images else []), *(["data:"] if figures else [])]
    css, js = "".join(asset(sheet) for sheet in sheets), asset("page.js")
    policy = [
        "default-src 'none'",
        f"style-src '{_hash(css)}'",
        f"script-src '{_hash(js)}'",
        *([f"img-src {' '.join(pictures)}"] if pictures else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return (
        environment()
        .get_template(name)
        .render(
            languages=_order(languages),
            styles=list(styles),
            css=Markup(css),
            js=Markup(js),
            policy="; ".join(policy),
            version=__version__,
            site=None,
            **values,
        )
    )


@functools.cache
def asset(name: str) -> str:
    """A template, sheet or script of this room."""
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


@functools.cache
def environment(more: Callable[[str], str | None] | None = None) -> Environment:
    """The template environment, made once: everything printed is cleaned, then escaped.

    Args:
        more: Another room's templates by name; None for a name that is not among them.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup, escape

    def isolated(text: str) -> Markup:
        """A name in a line of others: one that runs from right to left must not turn its neighbours."""
        if view.language_of(text) == "ko":
            return Markup('<bdi lang="ko">{}</bdi>').format(printable(text))
        return Markup("<bdi>{}</bdi>").format(printable(text)) if view.runs_left(text) else escape(text)

    def load(name: str) -> str:
        return (more(name) if more else None) or asset(name)

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        say=words.say,
        count=words.count,
        day_in_words=words.day_in_words,
        month_in_words=words.month_in_words,
        time_in_words=words.time_in_words,
        writer_in_words=view.writer_in_words,
        language_of=view.language_of,
        isolated=isolated,
        kind_in_words=marks.kind_in_words,
        first_authors=view.FIRST_AUTHORS,
        open_authors=view.OPEN_AUTHORS,
        signs=marks.SIGNS,
        verdicts=marks.VERDICTS,
        verdict_signs=claims.SIGNS,
    )
    return environment
