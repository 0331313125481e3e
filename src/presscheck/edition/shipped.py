"""The editions that come with the package: written by editors, with pointers instead of source text.

A shipped edition is a folder ``content/editions/DATE`` with ``edition.toml`` (the
papers, and where the sentences of each abstract stand) and ``ARXIV.LANGUAGE.md``
(the statements). The abstracts are not in it. ``docs/content.md`` has the format.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.abc import Traversable

import msgspec

from presscheck import __version__
from presscheck.edition.shipped_text import parse_text
from presscheck.edition.shipped_toml import parse_table
from presscheck.edition.shipped_verdicts import NAME as VERDICTS
from presscheck.edition.shipped_verdicts import read_verdicts, with_verdicts
from presscheck.errors import BadInput
from presscheck.types import (
    LANGUAGES,
    SECTIONS,
    STYLES,
    Day,
    Edition,
    Entry,
    Language,
    Paper,
    Problem,
)

WRITER = "editors"


def _editions() -> Traversable:
    return resources.files("presscheck.content").joinpath("editions")


def shipped_dates() -> list[str]:
    """The days of the shipped editions, oldest first."""
    root = _editions()
    if not root.is_dir():
        return []
    return sorted(day.name for day in root.iterdir() if day.joinpath("edition.toml").is_file())


def load_shipped(date: str) -> Edition:
    """Read a shipped edition.

    Args:
        date: One of ``shipped_dates()``.

    Returns:
        All papers in both languages and both styles, every pointer resolved.

    Raises:
        BadInput: if no edition of that day is shipped, or its files break the format.
    """
    dates = shipped_dates()
    if date not in dates:
        raise BadInput(
            f"no edition of `{date}` comes with this version: it has {', '.join(dates) or 'none'}",
            hint=f"`presscheck edition {date}` fetches and writes that day",
        )
    return read_folder(_editions().joinpath(date))


def read_folder(folder: Traversable) -> Edition:
    """Read an edition in the shipped format from any folder.

    Args:
        folder: A ``pathlib.Path`` or a package resource with ``edition.toml`` and the texts.

    Raises:
        BadInput: naming the file and, where there is one, the line that breaks the format.
    """
    raw = {"edition.toml": _read(folder, "edition.toml")}
    table = parse_table(raw["edition.toml"], "edition.toml")
    if table.date != folder.name:
        raise BadInput(f"edition.toml: the date is {table.date}, but the folder is called {folder.name}")
    entries: list[Entry] = []
    for paper in table.papers:
        for language in LANGUAGES:
            name = f"{paper.id}.{language}.md"
            raw[name] = _read(folder, name)
            entries.extend(_entries(raw[name], name, paper, language))
    if folder.joinpath(VERDICTS).is_file():
        raw[VERDICTS] = _read(folder, VERDICTS)
        verdicts = read_verdicts(raw[VERDICTS], VERDICTS)
        entries = [with_verdicts(entry, verdicts) for entry in entries]
    expected = set(raw)
    for stray in sorted(item.name for item in folder.iterdir() if item.name not in expected):
        raise BadInput(
            f"{stray}: belongs to no paper of edition.toml",
            hint="add the paper to edition.toml, or remove the file",
        )
    return Edition(
        date=table.date,
        taken=table.taken,
        state=table.state,
        source=table.source,
        inputs=_hash(raw),
        papers=table.papers,
        entries=tuple(entries),
        problems=table.problems,
    )


def _read(folder: Traversable, name: str) -> str:
    try:
        return folder.joinpath(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"{folder.name}/{name} is missing", hint="every paper of an edition needs its text in en and ko"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{folder.name}/{name}: not UTF-8 at byte {error.start}") from None


def _hash(raw: dict[str, str]) -> str:
    """What the edition is made from, as ``assemble.inputs_hash`` says it for a fetched day."""
    sha = hashlib.sha256(__version__.encode())
    for name in sorted(raw):
        sha.update(f"\0{name}\0{raw[name]}".encode())
    return sha.hexdigest()[:16]


def _entries(text: str, name: str, paper: Paper, language: Language) -> list[Entry]:
    """The entries of one text, one a style; both carry the press notes, since each is read alone."""
    sections, notes = parse_text(text, name, paper)
    return [
        Entry(
            paper=paper.id,
            language=language,
            style=style,
            writer=WRITER,
            sections=tuple(sections[key] for key in SECTIONS[style]),
            notes=notes,
        )
        for style in STYLES
    ]


def _mismatch(shipped: Paper, held: Paper) -> str:
    """Why the abstract at hand is not the one that was pointed at; empty if it is."""
    from presscheck.papers.sentences import locate

    if not held.abstract_original:
        return "has no abstract here"
    for sentence in shipped.sentences:
        try:
            locate(held, sentence)
        except BadInput as error:
            return f"sentence {sentence.number} is not the one that was pointed at: {error.message}"
    return ""


def verify_shipped(edition: Edition, day: Day) -> list[Problem]:
    """Hold a shipped edition against the abstracts, where they are at hand.

    Args:
        edition: From ``load_shipped``.
        day: The same day's papers with their abstracts.

    Returns:
        One problem for each paper that is missing from the day, has other authors,
        or whose abstract is not the one that the pointers were set on.
    """
    held = {paper.id: paper for paper in day.papers}
    problems: list[Problem] = []
    for paper in edition.papers:
        if paper.id not in held and not paper.sentences:
            continue  # written from the paper itself: nothing points into an abstract
        if paper.id not in held:
            problems.append(Problem(where=paper.id, what="is not among the papers at hand"))
            continue
        if paper.authors != held[paper.id].authors:
            problems.append(
                Problem(where=paper.id, what="has other authors, or in another order, than the source")
            )
        if why := _mismatch(paper, held[paper.id]):
            problems.append(Problem(where=paper.id, what=why))
    return problems


def with_abstracts(edition: Edition, day: Day) -> Edition:
    """Attach the abstracts that the reader holds, so that evidence can be shown in its own words.

    An abstract that is not the one pointed at (a later version, say) is left
    out, and the edition says so.
    """
    held = {paper.id: paper for paper in day.papers}
    papers: list[Paper] = []
    problems = list(edition.problems)
    for paper in edition.papers:
        source = held.get(paper.id)
        if source is None or not paper.sentences:
            papers.append(paper)
        elif why := _mismatch(paper, source):
            papers.append(paper)
            problems.append(Problem(where=paper.id, what=f"its abstract is not shown: {why}"))
        else:
            papers.append(
                msgspec.structs.replace(
                    paper,
                    abstract=source.abstract,
                    abstract_original=source.abstract_original,
                    title_original=source.title_original,
                )
            )
    return msgspec.structs.replace(edition, papers=tuple(papers), problems=tuple(problems))
