"""What a check needs from disk: the digests, and of all papers given those that they are about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from presscheck.digest.check.check import Papers
from presscheck.digest.files import bytes_of, read_digests
from presscheck.digest.jsonfile import edition_from_json
from presscheck.errors import BadInput
from presscheck.papers.files import iter_papers
from presscheck.papers.library import Library
from presscheck.types import Digest, Paper, Problem, Struct

FULL_TEXT = (".txt", ".md")
LARGEST_TEXT = 16 * 2**20
"""Bytes of a full text: a long paper has a quarter of a million."""


class Named(Struct, frozen=True, kw_only=True):
    """A digest with the file that it came from, and the papers that the file itself holds."""

    file: str
    digest: Digest
    papers: tuple[Paper, ...] = ()


def read_named(path: str) -> list[Named]:
    """The digests of a file; an edition.json brings its papers along.

    Raises:
        BadInput: if it cannot be read or is no digest.
    """
    data = bytes_of(path)
    digests = read_digests(data, name="standard input" if path == "-" else path)
    papers: tuple[Paper, ...] = ()
    if data.lstrip()[:1] == b"{":
        papers = edition_from_json(data, path).papers
    return [Named(file=path, digest=digest, papers=papers) for digest in digests]


def gather(
    digests: Sequence[Named],
    paths: Iterable[str],
    library: Library,
    *,
    texts: Path | None = None,
    problems: list[Problem] | None = None,
) -> Papers:
    """The papers that these digests are about, from what was given.

    In this order: the digest's own file, the paths, the library's list of its day. Of a
    large archive only the lines that name one of the papers are read.

    Args:
        digests: What is checked.
        paths: Files and folders of papers.
        library: Asked for the digest's day where the paths have not all of its papers.
        texts: A folder of full texts, ``<arXiv id>.txt`` or ``.md``.
        problems: What is wrong with single papers is added here.
    """
    told = problems if problems is not None else []
    ids = {entry.paper for named in digests for entry in named.digest.entries}
    found: list[Paper] = [paper for named in digests for paper in named.papers]
    wanted = _mentions(ids) if all(ids) else None
    for path in paths:
        found += [paper for paper in iter_papers(path, told, wanted) if wanted is None or paper.id in ids]
    missing = ids - {paper.id for paper in found if paper.abstract}
    for date in sorted({named.digest.date for named in digests if named.digest.date}) if missing else ():
        if day := library.day(date):
            found += day.papers
    return Papers(found, _full_texts(texts, ids) if texts is not None else None)


def _mentions(ids: set[str]) -> Callable[[bytes], object] | None:
    """Searches a raw line for any of the ids, as bytes, before anything of it is decoded."""
    if not ids:
        return None
    return re.compile("|".join(re.escape(one) for one in sorted(ids)).encode()).search


def _full_texts(folder: Path, ids: set[str]) -> dict[str, str]:
    """The full texts of a folder by arXiv id."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", hint="put full texts there as 2407.20743.txt or .md")
    texts = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in FULL_TEXT and path.stem in ids:
            data = bytes_of(str(path))
            if len(data) > LARGEST_TEXT:
                raise BadInput(f"{path} has more than {LARGEST_TEXT // 2**20} MB")
            texts[path.stem] = data.decode("utf-8", "replace")
    return texts

