"""The form of an entry: authors, sections, links, leftovers, register, what it leaves out.

Nothing here needs the meaning of a statement, so all of it is settled by rule.

What this cannot see: an author's name in another script; an English term that Korean
writers keep in English by taste (only words of a short list, for which a plain Korean
one is due, are marked); whether a headline result that shares a figure with the entry
is really told there.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from presscheck.digest.check.quantities import quantities
from presscheck.types import SECTIONS, Finding, Head, Paper, Section, Style

LONGEST = 20_000
"""Characters of a statement that are read."""

# Authors ----------------------------------------------------------------------

_NOT_A_NAME = re.compile(
    r"\+\s*\d*|\d+|(?:\+|and|&)?\s*\d*\s*(?:more|others?|authors?|et\.? al\.?|more authors?)\.?|\.\.\.|…"
    r"|외\s*\d+\s*[명인]",
    re.I,
)
_AND_MORE = re.compile(r"(?:and|외)\s*(\d+)\s*(?:more|others|명|인)", re.I)


def _name_key(name: str) -> str:
    """A name without accents, case, dots and hyphens."""
    flat = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in flat.casefold()).split())


def _alike(one: str, other: str) -> bool:
    """One family name, and first names of which one may be an initial: "J. Pons", "Jordi Pons"."""
    a, b = one.split(), other.split()
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-1]:
        return False
    return a[0] == b[0] or (1 in (len(a[0]), len(b[0])) and a[0][0] == b[0][0])


def _placed(printed: Sequence[str], authors: Sequence[str]) -> list[int | None]:
    """The place of each printed name in the paper's list; each place is given once."""
    free: dict[str, list[int]] = {}
    families: dict[str, list[int]] = {}
    keys = [_name_key(author) for author in authors]
    for place, one in enumerate(keys):
        free.setdefault(one, []).append(place)
        families.setdefault(one.rsplit(" ", 1)[-1], []).append(place)
    taken: set[int] = set()
    places: list[int | None] = []
    for name in printed:
        one = _name_key(name)
        turned = " ".join(reversed(one.split(" ", 1))) if "," in name else one
        same = [p for p in (*free.get(one, ()), *free.get(turned, ())) if p not in taken][:1]
        if not same:
            near = families.get(one.rsplit(" ", 1)[-1], ())[:50]
            same = [p for p in near if p not in taken and _alike(one, keys[p])][:1]
        taken.update(same)
        places.append(same[0] if same else None)
    return places


def check_authors(printed: Sequence[str], authors: Sequence[str]) -> list[Finding]:
    """A printed author list against the paper's.

    A list that is shortened openly ("and 8 more", 외 8명) with the right count is complete.

    Returns:
        Findings of kind ``author_artifact``, ``author_unknown``, ``author_missing`` and
        ``author_order``; the first wrong name is the fragment.
    """
    findings = []
    more = sum(int(match[1]) for name in printed if (match := _AND_MORE.fullmatch(name.strip())))
    names = [name for name in printed if name.strip() and not _NOT_A_NAME.fullmatch(name.strip())]
    open_end = bool(more) and len(names) + more == len(authors)
    findings += [
        Finding(
            kind="author_artifact", text=name, end=len(name), why="part of a page became an author"
        )  # fmt: skip
        for name in printed
        if _NOT_A_NAME.fullmatch(name.strip()) and not (open_end and _AND_MORE.fullmatch(name.strip()))
    ]
    if not authors:
        return findings
    places = _placed(names, authors)
    known = [(place, name) for place, name in zip(places, names, strict=True) if place is not None]
    findings += [
        Finding(
            kind="author_unknown",
            text=name,
            end=len(name),
            sure=0.8,
            why="the paper has no author of this name",
        )  # fmt: skip
        for place, name in zip(places, names, strict=True)
        if place is None
    ]
    there = {place for place, _ in known}
    missing = [author for place, author in enumerate(authors) if place not in there]
    if missing and names and not open_end:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        findings.append(
            Finding(
                kind="author_missing",
                expected=shown,
                why=f"{len(missing)} of {len(authors)} authors are missing",
            )  # fmt: skip
        )
    for n, (place, name) in enumerate(known):
        first_wrong = place != n if len(known) == len(authors) or open_end else False
        if first_wrong or (n and place < known[n - 1][0]):
            right = sorted(p for p, _ in known)
            findings.append(
                Finding(
                    kind="author_order",
                    text=name,
                    end=len(name),
                    expected=authors[right[n]],
                    why=f"the order is lost: the paper begins with {authors[0]} and ends with {authors[-1]}",
                )  # fmt: skip
            )
            break
    return findings


# Sections ---------------------------------------------------------------------

_SAYS_NOTHING = re.compile(
    r"(?:정보|내용|사항|수치|결과|언급|설명|세부)[^.,]{0,24}"
    r"(?:제공되지 않|제공되어 있지 않|언급되지 않|언급되어 있지 않|명시되지 않|명시되어 있지 않|포함되지 않"
    r"|포함되어 있지 않|나와 있지 않|없습니다|없다)"
    r"[^.]{0,12}\.?\s*$"
    r"|(?:자세한|상세한|추가적인|구체적인)[^.]{0,30}(?:논문|원문|본문|초록)[^.]{0,15}(?:참고|참조|확인)"
    r"|\b(?:no|not any) (?:further |additional |specific |more |performance |quantitative )*"
    r"(?:information|details?|results?|numbers?|metrics?)\b[^.]{0,40}\b(?:provided|given|available"
    r"|mentioned|reported|specified)\b"
    r"|\b(?:is|are|was|were) not (?:explicitly |further )?(?:provided|given|mentioned|specified|detailed"
    r"|described)"
    r"(?: in the (?:abstract|paper|text|summary))?\.?\s*$"
    r"|\b(?:more|further|additional|full) (?:details?|information|results?)\b[^.]{0,30}"
    r"\b(?:in|see|refer to|found in) the (?:full |original )?(?:paper|article|text)"
    r"|^\W*(?:N/?A|none|null|not applicable|not provided|해당 ?없음|없음)\W*$",
    re.I,
)


_CLAUSE_BEFORE = re.compile(r"[가-힣](?:며|고|지만|으나),? |, but |; ")
BEFORE_NOTHING = 40
"""Characters before "no details are given" from which on the statement has said something."""


def says_nothing(statement: str) -> bool:
    """Whether a statement only says that there is nothing to say."""
    match = _SAYS_NOTHING.search(statement.strip())
    if match is None:
        return False
    # A result with "the abstract gives no figure" behind it says something.
    before = statement.strip()[: match.start()]
    return len(before) <= BEFORE_NOTHING and not _CLAUSE_BEFORE.search(before)


def check_sections(sections: Sequence[Section], style: Style) -> list[Finding]:
    """Sections of an entry against its style's: ``missing_section``, ``extra_section``, ``empty_section``.

    A section that is absent with its reason is not missing.
    """
    there = [section.key for section in sections]
    findings = [
        Finding(kind="missing_section", expected=key, why=f"the entry has no section {key}")
        for key in SECTIONS[style]
        if key not in there
    ]
    counts: Counter[str] = Counter()
    for section in sections:
        counts[section.key] += 1
        if section.key not in SECTIONS[style] or counts[section.key] > 1:
            known = section.key in SECTIONS[style]
            why = "the section stands twice" if known else "the format has no such section"
            findings.append(Finding(kind="extra_section", text=section.key, end=len(section.key), why=why))
        texts = [statement.text for statement in section.statements]
        if (not any(text.strip() for text in texts) and not section.absent) or (
            texts and all(says_nothing(text) for text in texts)
        ):
            text = texts[0] if texts else ""
            findings.append(
                Finding(
                    kind="empty_section",
                    text=text,
                    end=len(text),
                    expected=section.key,
                    why=f"the section {section.key} says nothing",
                )  # fmt: skip
            )
    return findings


# Links ------------------------------------------------------------------------

_ID_IN_LINK = re.compile(r"(?:arxiv\.org/(?:abs|pdf|html)|/papers)/(\d{4}\.\d{4,5})")


def check_head(head: Head, paper: Paper) -> list[Finding]:
    """Thumbnail and links of an entry's head against its paper: ``thumbnail``, ``link``."""
    findings = []
    if head.thumbnail and paper.thumbnail and head.thumbnail != paper.thumbnail:
        other = paper.arxiv not in head.thumbnail
        why = "this picture is not the paper's thumbnail" if other else "not the address that thumbnails have"
        findings.append(
            Finding(
                kind="thumbnail",
                text=head.thumbnail,
                end=len(head.thumbnail),
                expected=paper.thumbnail,
                why=why,
                sure=1.0 if other else 0.5,
            )  # fmt: skip
        )
    if head.pdf_is_image:
        findings.append(
            Finding(
                kind="link",
                text=head.pdf,
                end=len(head.pdf),
                expected=paper.pdf,
                why="the PDF is linked as an image, so the reader sees a broken picture",
            )  # fmt: skip
        )
    for address in (head.url, head.pdf):
        match = _ID_IN_LINK.search(address)
        if match and paper.arxiv and match[1] != paper.arxiv:
            findings.append(
                Finding(
                    kind="link",
                    text=address,
                    end=len(address),
                    expected=address.replace(match[1], paper.arxiv),
                    why=f"the link leads to {match[1]}, not to {paper.arxiv}",
                )  # fmt: skip
            )
    return findings


# Register ---------------------------------------------------------------------

_ENDINGS = (
    ("합니다", re.compile(r"(?:니다|니까|시오)[.!?\"'”’)\s]*$")),
    ("해요", re.compile(r"[요죠][.!?\"'”’)\s]*$")),
    ("한다", re.compile(r"(?<!니)다[.!?\"'”’)\s]*$")),
    ("함", re.compile(r"(?:[함됨임음]|[가-힣](?:았|었|했)음)[.!?\"'”’)\s]*$")),
)


def register(statement: str) -> str:
    """The register that a Korean sentence ends in: 합니다, 해요, 한다, 함; empty for anything else."""
    end = re.sub(r"\([^()]{0,60}\)\s*\.?$", "", statement[-200:].rstrip())
    return next((name for name, pattern in _ENDINGS if pattern.search(end)), "")


def check_register(statements: Sequence[str]) -> list[Finding | None]:
    """For each statement of an edition whether its register is not the edition's: ``register``."""
    registers = [register(statement) for statement in statements]
    counts = Counter(one for one in registers if one)
    if len(counts) < 2:
        return [None] * len(statements)
    usual, most = counts.most_common(1)[0]
    share = most / sum(counts.values())
    findings: list[Finding | None] = []
    for statement, one in zip(statements, registers, strict=True):
        if not one or one == usual:
            findings.append(None)
            continue
        start = len(statement.rstrip()[: -len(statement.split()[-1])]) if statement.split() else 0
        findings.append(
            Finding(
                kind="register",
                text=statement[start:],
                start=start,
                end=len(statement),
                expected=f"{usual}체",
                why=f"ends in {one}체, most of the edition in {usual}체",
                sure=0.9 if share >= 0.7 else 0.6,
            )  # fmt: skip
        )
    return findings


# What is left out --------------------------------------------------------------

_FIGURE = re.compile(r"(?<![A-Za-z0-9.\-])[0-9][0-9,]*(?:\.[0-9]+)?(?![0-9])")


def _figures(text: str) -> set[str]:
    """The significant digits of a text's numbers: 2.42B and 24.2억 are both 242, 1조 800억 is 108."""
    written = [match.group() for match in _FIGURE.finditer(text)]
    written += [f"{value:.10g}" for quantity in quantities(text) for value in (quantity.low, quantity.high)]
    found = (re.sub(r"e[+-]?[0-9]+$|[^0-9]", "", figure).strip("0") for figure in written)
    return {figure for figure in found if figure}


def check_omitted(
    sentences: Sequence[str], statements: Iterable[str], is_headline: Callable[[str], bool]
) -> list[Finding]:
    """Measured results of an abstract of which no figure is anywhere in the entry: ``omitted_headline``.

    Args:
        sentences: The abstract's.
        statements: All statements of the entry.
        is_headline: Whether a sentence states a measured result.
    """
    told: set[str] = set()
    for statement in statements:
        told |= _figures(statement[:LONGEST])
    findings = []
    for number, sentence in enumerate(sentences, 1):
        figures = _figures(sentence)
        if figures and not figures & told and is_headline(sentence):
            shown = [match.group().rstrip(",") for match in _FIGURE.finditer(sentence)]
            findings.append(
                Finding(
                    kind="omitted_headline",
                    expected=sentence,
                    sure=0.7,
                    why=f"sentence {number} of the abstract states a result ({', '.join(shown[:5])}) "
                    "that the entry leaves out",
                )  # fmt: skip
            )
    return findings
