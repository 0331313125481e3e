"""``ARXIV.LANGUAGE.md`` of a shipped edition → sections and press notes.

Headings are keys and stay English in both languages. A statement is one line::

    - Meltemi 7B has 7 billion parameters. [a2 p:"Table 1"]

Pointers: ``a2`` sentence 2 of the abstract, ``t`` the title, ``p:"Table 1"`` a
place in the full paper, ``r:"README.md"`` a file of the official repository. A
section without statements is a line ``absent: why``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from presscheck.errors import BadInput
from presscheck.types import Evidence, Paper, Section, Statement

HEADINGS: Mapping[str, str] = {
    "What's New": "whats_new",
    "Technical Details": "technical_details",
    "Performance Highlights": "performance_highlights",
    "Summary": "summary",
    "In Plain Words": "plain",
    "Fields": "fields",
    "Press Note": "notes",
}
"""Headings in the order of the file, with the keys of ``types.SECTIONS``; the last one may be left out."""

_STATEMENT = re.compile(r"- (?P<text>\S.*?) \[(?P<pointers>[^\[\]]*)\]")
_POINTER = re.compile(r'a(?P<sentence>[1-9]\d*)|(?P<title>t)|(?P<kind>[pr]):"(?P<place>[^"]+)"')


def parse_text(text: str, name: str, paper: Paper) -> tuple[dict[str, Section], tuple[Statement, ...]]:
    """Read one text, strictly.

    Args:
        text: The file.
        name: How errors call it.
        paper: Whose text it is; pointers are resolved in its sentences.

    Returns:
        The sections by key, and the press notes.

    Raises:
        BadInput: naming the file and the line.
    """
    lines = text.splitlines()
    if not lines or lines[0] != f"# {paper.title}":
        raise BadInput(f"{name}:1: need the title as published, `# {paper.title}`")
    order = list(HEADINGS)
    found: dict[str, list[Statement]] = {}
    absent: dict[str, str] = {}
    heading = ""
    for number, line in enumerate(lines[1:], start=2):
        where = f"{name}:{number}"
        if not line.strip():
            continue
        if line.startswith("## "):
            heading = line[3:]
            if heading not in HEADINGS:
                raise BadInput(f"{where}: no section is called `{heading}`: need {', '.join(order)}")
            if heading in found or [*found, heading] != order[: len(found) + 1]:
                raise BadInput(f"{where}: `{heading}` is out of order: need {', '.join(order)}")
            found[heading] = []
        elif not heading:
            raise BadInput(f"{where}: text before the first section")
        elif line.startswith("absent: "):
            if found[heading] or heading in absent or heading == "Press Note":
                raise BadInput(f"{where}: `absent:` stands alone in a section, and not in the press note")
            absent[heading] = line.removeprefix("absent: ").strip()
        elif heading in absent:
            raise BadInput(f"{where}: `{heading}` is said to be absent")
        else:
            found[heading].append(_statement(line, where, paper))
    for heading in order[:-1]:
        if not found.get(heading) and not absent.get(heading):
            raise BadInput(
                f"{name}: `{heading}` is missing or empty",
                hint="write `absent: ` and the reason where there is nothing to say",
            )
    if "Press Note" in found and not found["Press Note"]:
        raise BadInput(
            f"{name}: `Press Note` is empty", hint="leave the heading out where there is nothing to note"
        )
    sections = {
        HEADINGS[heading]: Section(
            key=HEADINGS[heading], statements=tuple(found[heading]), absent=absent.get(heading, "")
        )
        for heading in order[:-1]
    }
    return sections, tuple(found.get("Press Note", ()))


def _statement(line: str, where: str, paper: Paper) -> Statement:
    match = _STATEMENT.fullmatch(line)
    if match is None:
        raise BadInput(f'{where}: need `- statement [a1 t p:"Table 2" r:"README.md"]`, got `{line[:60]}`')
    return Statement(text=match["text"], evidence=_evidence(match["pointers"], where, paper))


def _evidence(pointers: str, where: str, paper: Paper) -> tuple[Evidence, ...]:
    """Resolve the pointers of one statement; there is at least one, and none twice."""
    resolved: list[Evidence] = []
    rest = pointers
    while rest:
        match = _POINTER.match(rest)
        if match is None or (rest[match.end() :] and not rest[match.end() :].startswith(" ")):
            raise BadInput(
                f'{where}: need pointers such as `a1 t p:"Table 2" r:"README.md"`, got `[{pointers}]`'
            )
        resolved.append(_resolve(match, where, paper))
        rest = rest[match.end() + 1 :]
    if not resolved:
        raise BadInput(f"{where}: the statement has no pointer")
    if len(set(resolved)) != len(resolved):
        raise BadInput(f"{where}: a pointer is given twice in `[{pointers}]`")
    return tuple(resolved)


def _resolve(match: re.Match[str], where: str, paper: Paper) -> Evidence:
    if match["title"]:
        from presscheck.papers.sentences import digest

        return Evidence(source="title", version=paper.version, sentence=1, hash=digest(paper.title))
    if match["kind"]:
        if match["kind"] == "r" and not paper.code:
            raise BadInput(f"{where}: `{match[0]}` points into a repository, but the paper has no `code`")
        return Evidence(
            source="paper" if match["kind"] == "p" else "repository",
            version=paper.version if match["kind"] == "p" else "",
            place=match["place"],
        )
    number = int(match["sentence"])
    if number > len(paper.sentences):
        raise BadInput(
            f"{where}: `a{number}`: the abstract of {paper.id} has {len(paper.sentences)} sentences"
        )
    sentence = paper.sentences[number - 1]
    return Evidence(
        source="abstract",
        version=paper.version,
        sentence=number,
        start=sentence.start,
        end=sentence.end,
        hash=sentence.hash,
    )
