"""How well a writer does on papers whose good entries we have: measures a paper, and results that merge.

A result is a file of its own with a row for each paper; merging results is copying
files into one folder. The table takes the newest row of each writer, prompt and paper.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from presscheck.digest.headline import is_headline
from presscheck.digest.write.prompt import VERSION
from presscheck.digest.write.source import Source
from presscheck.digest.write.verify import supported
from presscheck.errors import BadInput
from presscheck.papers.whole import create_whole
from presscheck.types import Entry, Paper, Struct

SUFFIX = ".evaluation.json"


class Row(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One paper by one writer, all languages and styles together."""

    paper: str
    statements: int
    """Printed, quotes of the abstract included."""
    supported: int
    """Of these, by a check of the finished entries."""
    first: int
    """Statements of the model's first answer."""
    kept: int
    repaired: int
    replaced: int
    dropped: int
    results: int
    """Sentences of the abstract with a headline result, once a language."""
    told: int
    """Of these, told in the writer's own words."""
    facts: int
    """Facts that stand in some language."""
    agreed: int
    """Of these, those that stand in every language."""
    seconds: float
    dollars: float
    requests: int


class Evaluation(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A result file."""

    schema: int = 1
    writer: str
    prompt: str
    taken: str
    rows: tuple[Row, ...]


class Line(Struct, frozen=True, kw_only=True):
    """One writer in the table: sums over its papers."""

    writer: str
    prompt: str
    papers: int
    statements: int
    faithful: float
    """Share of the first answer's statements that the check supports."""
    printed: float
    """Share of the printed statements that it supports."""
    covered: float
    """Share of the headline results that are told in the writer's own words."""
    agreed: float
    """Share of the facts that stand in both languages."""
    repaired: int
    replaced: int
    dropped: int
    seconds: float
    """A paper."""
    dollars: float
    """A paper."""


def measure(paper: Paper, entries: Sequence[Entry], *, seconds: float, dollars: float, requests: int) -> Row:
    """Measure what a writer made of one paper.

    Args:
        paper: With its abstract.
        entries: Of this paper, in any languages and styles.
        seconds: That it took.
        dollars: That it cost.
        requests: To the model.
    """
    source = Source(paper)
    good = [supported(entry, paper) for entry in entries]
    headlines = {number for number, text in source.numbered if is_headline(text)}
    told = results = facts = agreed = 0
    for style in dict.fromkeys(entry.style for entry in entries):
        these = [entry for entry in entries if entry.style == style and entry.status == "written"]
        own = [facts_of(entry, source, quotes=False) for entry in these]
        for numbers in own:
            results += len(headlines)
            told += len(headlines & {number for _, fact in numbers for number in fact})
        every: set[tuple[str, tuple[int, ...]]] = set().union(*own)
        facts += len(every)
        # A sentence of the abstract that stands for a fact in one language says it too.
        agreed += len(every.intersection(*(facts_of(entry, source, quotes=True) for entry in these)))
    written = [entry.written for entry in entries if entry.written is not None]
    counts = {
        name: sum(getattr(one, name) for one in written)
        for name in ("kept", "repaired", "replaced", "dropped")
    }
    return Row(
        paper=paper.id,
        statements=sum(map(len, good)),
        supported=sum(map(sum, good)),
        first=sum(counts.values()),
        **counts,
        results=results,
        told=told,
        facts=facts,
        agreed=agreed,
        seconds=round(seconds, 3),
        dollars=dollars,
        requests=requests,
    )


def facts_of(entry: Entry, source: Source, *, quotes: bool) -> set[tuple[str, tuple[int, ...]]]:
    """Section and carrying sentences of each statement.

    Args:
        entry: With its evidence.
        source: Its paper.
        quotes: Whether sentences and clauses of the abstract count.
    """
    return {
        (section.key, tuple(e.sentence for e in statement.evidence if e.sentence))
        for section in entry.sections
        if section.key != "fields"
        for statement in section.statements
        if quotes or not any(statement.text in text for text in source.texts)
    }


def line(writer: str, prompt: str, rows: Sequence[Row]) -> Line:
    """Sum up a writer's rows."""

    def total(name: str) -> float:
        return float(sum(getattr(row, name) for row in rows))

    def share(part: str, whole: str) -> float:
        return total(part) / total(whole) if total(whole) else 0.0

    return Line(
        writer=writer,
        prompt=prompt,
        papers=len(rows),
        statements=int(total("statements")),
        faithful=share("kept", "first"),
        printed=share("supported", "statements"),
        covered=share("told", "results"),
        agreed=share("agreed", "facts"),
        repaired=int(total("repaired")),
        replaced=int(total("replaced")),
        dropped=int(total("dropped")),
        seconds=total("seconds") / len(rows) if rows else 0.0,
        dollars=total("dollars") / len(rows) if rows else 0.0,
    )


def table(results: Iterable[Evaluation]) -> list[Line]:
    """One line for each writer and prompt, over the newest row of each paper."""
    newest: dict[tuple[str, str], dict[str, Row]] = {}
    for result in sorted(results, key=lambda one: one.taken):
        rows = newest.setdefault((result.writer, result.prompt), {})
        rows.update({row.paper: row for row in result.rows})
    return [line(*key, list(rows.values())) for key, rows in sorted(newest.items())]


def keep(folder: Path, writer: str, rows: Sequence[Row], taken: str) -> Path:
    """Write a result as a new file.

    Raises:
        BadInput: if it cannot be written.
    """
    result = Evaluation(writer=writer, prompt=VERSION, taken=taken, rows=tuple(rows))
    data = msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", writer)[:60]
    stamp = re.sub(r"[-:]", "", taken)
    for _ in range(100):
        path = folder / f"{stamp}-{short}-{secrets.token_hex(3)}{SUFFIX}"
        if create_whole(path, data):
            return path
    raise BadInput(f"{folder} has no free name for a result")


def results_in(folder: Path) -> list[Evaluation]:
    """Every result of a folder.

    Raises:
        BadInput: with the file, if one is no result.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Evaluation))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is no result of an evaluation: {error}") from error
    return found
