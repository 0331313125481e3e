"""BibTeX as Papers: a small tolerant reader of what reference managers write.

Braces, quotes, ``@string``, ``#``, comments and both brackets are read; one broken
entry does not cost the others. An entry ends at the latest where the next line
starts with ``@name{``, which also keeps the work linear on hostile files.
"""

from __future__ import annotations

import re
from contextlib import suppress

from presscheck.errors import BadInput
from presscheck.papers.entries import duplicate
from presscheck.papers.ids import ArxivId, parse_arxiv
from presscheck.papers.paper import make_paper
from presscheck.types import Author, Paper, Problem

START = re.compile(r"^[ \t]*@[A-Za-z]+\s*[{(]", re.MULTILINE)
HEAD = re.compile(r"@([A-Za-z]+)\s*([{(])\s*")
KEY = re.compile(r"([^\s,{}\"#%=()]*)\s*(,|(?=[})]))")
FIELD = re.compile(r"([A-Za-z][\w:.+/-]*)\s*=\s*")
WORD = re.compile(r"[^\s,{}\"#=()]+")
GAP = re.compile(r"[\s,]*")
JOIN = re.compile(r"\s*#\s*")
IN_VALUE = re.compile(r'\\.|[{}"]', re.DOTALL)
DEEPEST = 40
MONTHS = {month.lower()[:3]: month for month in (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)}  # fmt: skip
DOI = re.compile(r"10\.[0-9]{4,9}/\S+")


def looks_like_bibtex(text: str) -> bool:
    """Whether some line starts an entry."""
    return START.search(text) is not None


def read_bibtex(text: str, where: str, problems: list[Problem]) -> list[Paper]:
    """The papers of a BibTeX file, in its order.

    Args:
        text: the file.
        where: its name, for messages.
        problems: what is wrong with single entries is added here.

    Raises:
        BadInput: if no entry at all can be read.
    """
    macros = dict(MONTHS)
    papers: list[Paper] = []
    seen: set[str] = set()
    starts = [match.start() for match in START.finditer(text)]
    first: BadInput | None = None
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        place = f"{where}, character {start}"
        found: list[tuple[str, dict[str, str]]] = []
        try:
            _read_chunk(text[start:end], place, macros, found)
        except BadInput as error:
            first = first or error
            problems.append(Problem(where=place, what=error.message, kind="bad paper"))
        for key, fields in found:
            try:
                paper = _paper(key, fields, problems)
            except BadInput as error:
                first = first or error
                problems.append(Problem(where=key or place, what=error.message, kind="bad paper"))
                continue
            if paper.id in seen:
                problems.append(duplicate(paper.id, f"`{key}`"))
                continue
            seen.add(paper.id)
            papers.append(paper)
    if not papers:
        raise BadInput(first.message if first else f"{where} has no BibTeX entry of a paper")
    return papers


def _read_chunk(
    chunk: str, place: str, macros: dict[str, str], found: list[tuple[str, dict[str, str]]]
) -> None:
    """All entries from one start to the next; those before an error are found."""
    at = 0
    while head := HEAD.search(chunk, at):
        kind, closing = head[1].lower(), "}" if head[2] == "{" else ")"
        at = head.end()
        if kind in ("comment", "preamble"):
            at = _balanced(chunk, at, closing, place)
            continue
        key = ""
        if kind != "string":
            match = KEY.match(chunk, at)
            if not match:
                raise BadInput(f"{place}: an entry without a key")
            key, at = match[1], match.end()
        fields, at = _fields(chunk, at, closing, place, macros)
        if kind == "string":
            macros.update(fields)
        else:
            found.append((key, fields))


def _fields(
    chunk: str, at: int, closing: str, place: str, macros: dict[str, str]
) -> tuple[dict[str, str], int]:
    """``name = value`` pairs up to the closing bracket; a name given twice keeps its first value."""
    fields: dict[str, str] = {}
    while True:
        at = _skip(GAP, chunk, at)
        if chunk.startswith(closing, at):
            return fields, at + 1
        name = FIELD.match(chunk, at)
        if not name:
            got = chunk[at : at + 20].strip() or "the end"
            raise BadInput(f"{place}: `{got}` where `name = value` or `{closing}` was due")
        value, at = _value(chunk, name.end(), place, macros)
        fields.setdefault(name[1].lower(), value)


def _value(chunk: str, at: int, place: str, macros: dict[str, str]) -> tuple[str, int]:
    """A value: parts joined by ``#``."""
    parts = []
    while True:
        if chunk.startswith("{", at):
            end = _balanced(chunk, at + 1, "}", place)
            parts.append(chunk[at + 1 : end - 1])
            at = end
        elif chunk.startswith('"', at):
            end = _balanced(chunk, at + 1, '"', place)
            parts.append(chunk[at + 1 : end - 1])
            at = end
        elif word := WORD.match(chunk, at):
            parts.append(macros.get(word[0].lower(), word[0]))
            at = word.end()
        else:
            raise BadInput(f"{place}: a field without a value")
        joined = JOIN.match(chunk, at)
        if not joined:
            return "".join(parts), at
        at = joined.end()


def _balanced(chunk: str, at: int, closing: str, place: str) -> int:
    """The end of a bracketed or quoted stretch: after its closing mark, outside any braces in it."""
    if closing == ")":
        end = chunk.find(")", at)
        if end < 0:
            raise BadInput(f"{place}: a bracket is not closed")
        return end + 1
    depth = 0
    for match in IN_VALUE.finditer(chunk, at):
        mark = match[0]
        if mark == closing and depth == 0:
            return match.end()
        if mark == "{":
            depth += 1
            if depth > DEEPEST:
                raise BadInput(f"{place}: braces more than {DEEPEST} deep")
        elif mark == "}":
            depth = max(depth - 1, 0)
    raise BadInput(f"{place}: a brace or quote is not closed")


def _skip(pattern: re.Pattern[str], chunk: str, at: int) -> int:
    match = pattern.match(chunk, at)
    return match.end() if match else at


def _paper(key: str, fields: dict[str, str], problems: list[Problem]) -> Paper:
    """One entry as a Paper."""
    title = plain(fields.get("title", ""))
    if not title:
        raise BadInput(f"`{key}` has no title")
    arxiv = _arxiv(fields)
    doi_match = DOI.search(plain(fields.get("doi", "")))
    doi = doi_match[0].rstrip(".,;") if doi_match else ""
    if arxiv:
        paper_id = arxiv.id
    elif doi:
        paper_id = f"doi:{doi.lower()}"
    elif key:
        paper_id = f"key:{key}"
    else:
        raise BadInput("an entry has neither an arXiv id nor a DOI nor a key")
    return make_paper(
        id=paper_id,
        title=title,
        abstract=fields.get("abstract", ""),
        authors=read_authors(fields.get("author", ""), paper_id, problems),
        problems=problems,
        version=arxiv.version if arxiv else "",
        source="file",
        categories=tuple(fields["primaryclass"].split()) if arxiv and "primaryclass" in fields else (),
        doi=doi,
        journal=plain(fields.get("journal", "") or fields.get("booktitle", "")),
    )


def _arxiv(fields: dict[str, str]) -> ArxivId | None:
    """The arXiv id of an entry, from the first field that has one."""
    archive = fields.get("archiveprefix", fields.get("eprinttype", "arxiv")).strip().lower()
    candidates = [fields.get("eprint", "")] if archive == "arxiv" else []
    candidates += [fields.get("arxivid", ""), fields.get("arxiv", ""), fields.get("doi", "")]
    candidates += [fields.get("url", "")]
    if preprint := re.search(r"arXiv:\s*([^\s,]+)", fields.get("journal", ""), re.IGNORECASE):
        candidates.append(preprint[1])
    for candidate in candidates:
        with suppress(BadInput):
            return parse_arxiv(candidate.strip().strip("{}"))
    return None


def read_authors(text: str, paper: str, problems: list[Problem]) -> list[Author]:
    """Names joined by ``and``, in order, "Last, First" turned into "First Last"."""
    authors = []
    for name in _split_names(text):
        if name.lower() == "others":
            what = "the author list ends in “and others”: it is not complete"
            problems.append(Problem(where=paper, what=what))
        elif name.startswith("{") and name.endswith("}") and _one_group(name):
            authors.append(Author(name=plain(name), group=True))
        elif written := _in_order(name):
            authors.append(Author(name=written))
    return authors


def _split_names(text: str) -> list[str]:
    """The names between ``and``s that stand outside braces."""
    names, depth, start = [], 0, 0
    flat = " ".join(text.split())
    for match in re.finditer(r"\\.|[{}]|\sand(?=\s)", flat, re.IGNORECASE):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth = max(depth - 1, 0)
        elif depth == 0 and not match[0].startswith("\\"):
            names.append(flat[start : match.start()])
            start = match.end()
    return [name.strip() for name in [*names, flat[start:]] if name.strip()]


def _one_group(name: str) -> bool:
    """Whether the first brace closes at the last character."""
    depth = 0
    for index, mark in enumerate(name):
        depth += (mark == "{") - (mark == "}")
        if depth == 0:
            return index == len(name) - 1 and " " in name
    return False


def _in_order(name: str) -> str:
    """A name as it is printed; commas inside braces do not count."""
    parts, depth, start = [], 0, 0
    for index, mark in enumerate(name):
        depth += (mark == "{") - (mark == "}")
        if mark == "," and depth == 0:
            parts.append(name[start:index])
            start = index + 1
    parts.append(name[start:])
    last, *suffix, first = [part.strip() for part in parts] if len(parts) > 1 else [name, ""]
    return plain(" ".join(part for part in (first, last, *suffix) if part))


def plain(text: str) -> str:
    """LaTeX as text: accents composed, protecting braces gone, mathematics left as it is."""
    flat = " ".join(text.split())
    if not any(mark in flat for mark in "\\{}~$"):
        return flat
    from pylatexenc.latex2text import LatexNodes2Text

    # A bare % is a percent sign in these files, not the start of a comment.
    escaped = re.sub(r"(?<!\\)%", r"\\%", flat)
    try:
        converted = LatexNodes2Text(math_mode="verbatim").latex_to_text(escaped, tolerant_parsing=True)
    except (RecursionError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        # pylatexenc gives up on a few malformed macros; the text without its braces is better than none.
        converted = re.sub(r"[{}]", "", flat)
    return " ".join(str(converted).split())
