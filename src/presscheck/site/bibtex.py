"""A paper as BibTeX that any reader of it takes, our own among them."""

from __future__ import annotations

import re
import unicodedata

from presscheck.types import Paper

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
}  # fmt: skip
_YEAR = re.compile(r"(?:19|20)\d\d")


def bibtex_of(paper: Paper, most: int | None = None) -> str:
    """One entry: ``@misc`` with its eprint for a paper of arXiv, else with what is known.

    Args:
        paper: The paper.
        most: Authors that are named; the others are ``others``, as BibTeX has it. None names all.
    """
    fields = [("title", "{" + _tex(paper.title) + "}")]
    if paper.authors:
        names = [
            "{" + _tex(author.name) + "}" if author.group else _tex(author.name)
            for author in paper.authors[:most]
        ]
        if len(names) < len(paper.authors):
            names.append("others")
        fields.append(("author", " and ".join(names)))
    if year := _year(paper):
        fields.append(("year", year))
    if paper.arxiv:
        fields += [("eprint", paper.id), ("archivePrefix", "arXiv")]
        if paper.categories:
            fields.append(("primaryClass", _tex(paper.categories[0])))
    if paper.doi:
        fields.append(("doi", _tex(paper.doi)))
    if paper.journal:
        fields.append(("note", _tex(paper.journal)))
    if paper.url:
        fields.append(("url", _address(paper.url)))
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields)
    return f"@misc{{{cite_key(paper)},\n{body}\n}}\n"


def cite_key(paper: Paper) -> str:
    """``xu2024think``: last name, year and first word of the title, plain letters only."""
    last = paper.authors[0].name.split()[-1:] if paper.authors else []
    words = [word for word in re.findall(r"\w+", _ascii(paper.title).lower()) if len(word) > 2]
    key = re.sub(r"[^a-z0-9]", "", _ascii("".join(last)).lower()) + _year(paper) + "".join(words[:1])
    return key or "paper"


def _address(url: str) -> str:
    """An address without what would close its field."""
    return url.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")


def _year(paper: Paper) -> str:
    if paper.arxiv and paper.arxiv[:4].isdigit():
        return f"20{paper.arxiv[:2]}"
    found = _YEAR.match(paper.published) or _YEAR.search(paper.journal)
    return found[0] if found else ""


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _tex(text: str) -> str:
    """Text that no brace, command or line of it can break out of its field."""
    line = " ".join(
        "".join(
            " " if ord(letter) < 32 or "\ud800" <= letter <= "\udfff" else letter for letter in text
        ).split()
    )
    return "".join(_SPECIAL.get(letter, letter) for letter in line)
