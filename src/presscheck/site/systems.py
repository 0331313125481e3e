"""The pages of systems: how one is used, what was measured, where its code is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from presscheck.bench.standing import Standing, standings
from presscheck.edition.claims import Claims, claims_of
from presscheck.edition.page import Site
from presscheck.site.names import paper_page, system_page
from presscheck.site.pages import SCRIPTS, SHEETS, page
from presscheck.types import LANGUAGES, Paper

LARGEST = 4_000_000
"""Bytes of a figure."""
REPOSITORY = ""
"""Where the code of presscheck can be read on the web; empty while that is nowhere."""

_HEADING = re.compile(r"^(#+ .*)\n+", re.M)


def all_standings() -> dict[str, Standing]:
    """The systems that can be used, with what was measured, by slug."""
    return {slug: one for slug, one in standings().items() if one.manifest is not None}


def claims_by_slug(found: Mapping[str, Standing], root: str) -> dict[str, Claims]:
    """The claims of all systems, their addresses as seen from a page.

    Args:
        found: By slug.
        root: From the page to the site's root.
    """
    told = {}
    for slug, one in found.items():
        address = root + system_page(slug)
        claims = claims_of(one, page=address, figure=f"{root}systems/{slug}.svg")
        if claims is not None:
            told[slug] = claims
    return told


def state(found: Mapping[str, Standing]) -> dict[str, str]:
    """A hash of all that pages show of each system."""
    from presscheck.site.store import hash_of

    return {
        slug: hash_of(
            msgspec.to_builtins(one.manifest),
            [msgspec.to_builtins(verdict) for verdict in one.verdicts],
            one.path.name if one.path else "",
            list(one.stale),
            _readme(one.system.folder),
            one.figure.stat().st_mtime_ns if one.figure else 0,
        )
        for slug, one in found.items()
    }


def system_files(
    found: Mapping[str, Standing], pages: frozenset[str], *, url: str = "", live: bool = False
) -> dict[str, bytes]:
    """A page for each system, its figure, its record, and the list of them.

    Args:
        found: By slug.
        pages: Papers that have a page.
        url: Of the site.
        live: The pages may start a measurement.
    """
    told = claims_by_slug(found, "../")
    files: dict[str, bytes] = {}
    for slug, of in told.items():
        files |= _files_of(found[slug], of, pages, url, live)
    site = Site("../", SHEETS, SCRIPTS, address="systems/index.html", url=url)
    files["systems/index.html"] = page("systems.html", site, LANGUAGES, systems=list(told.values()))
    return files


def _files_of(one: Standing, of: Claims, pages: frozenset[str], url: str, live: bool) -> dict[str, bytes]:
    manifest = one.manifest
    assert manifest is not None  # `all_standings` leaves out those without
    files: dict[str, bytes] = {}
    if one.figure is not None and one.figure.stat().st_size <= LARGEST:
        files[f"systems/{of.slug}.svg"] = one.figure.read_bytes()
    else:
        of = of._replace(figure="")
    if one.path is not None:
        files[f"systems/{of.slug}.json"] = one.path.read_bytes()
    id_ = manifest.paper.arxiv
    address = system_page(of.slug)
    scripts = (*SCRIPTS, "run.js") if live else SCRIPTS
    site = Site("../", SHEETS, scripts, address=address, url=url, about=of.summary, live=live)
    files[address] = page(
        "system.html",
        site,
        LANGUAGES,
        of=of,
        title=manifest.paper.title,
        paper=f"../{paper_page(id_)}" if id_ in pages else "",
        source=Paper(id=id_, title="").url,
        code=f"{REPOSITORY}/{of.slug}" if REPOSITORY else "",
        use=_use(one),
        readme=_html(_readme(one.system.folder)),
        files=_code(one),
    )
    return files


def _use(one: Standing) -> str:
    manifest = one.manifest
    assert manifest is not None
    module, _, name = manifest.system.imports.partition(":")
    extras = f"[{','.join(manifest.system.extras)}]" if manifest.system.extras else ""
    what = f"presscheck{extras}" if one.system.origin == "presscheck" else one.system.origin
    lines = [f"pip install '{what}'"] if one.system.origin != "path" else []
    return "\n".join([*lines, f"presscheck run {one.system.slug}", "", f"from {module} import {name}"])


def _readme(folder: Path) -> str:
    """A system's own page, without its title."""
    try:
        text = (folder / "README.md").read_text("utf-8", "replace")[:60_000]
    except OSError:
        return ""
    return re.sub(r"\A\s*# .*\n", "", text)


def _html(text: str) -> object:
    """Markdown of a system's page; markup in it is text, and links lead to the web alone."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    if not text:
        return ""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(re.sub(r"<!--.*?-->\n?", "", text, flags=re.S))
    for token in tokens:
        for child in token.children or ():
            href = str(child.attrGet("href") or "") if child.type == "link_open" else ""
            if href and not href.startswith(("http://", "https://", "#")):
                child.attrs.pop("href")
            if child.type == "image":  # a page loads nothing from elsewhere
                child.type, child.tag, child.children = "text", "", None
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h2" if token.tag in ("h1", "h2") else "h3"
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _code(one: Standing) -> list[str]:
    package = one.system.package.replace(".", "/")
    try:
        return sorted(f"{package}/{path.name}" for path in one.system.folder.iterdir() if path.is_file())
    except OSError:
        return []
