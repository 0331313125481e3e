"""A check report for people: the digest with its findings in place, then a summary."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from presscheck.digest.check.kinds import KINDS
from presscheck.digest.check.overrule import finding_key
from presscheck.digest.check.report import DigestReport, EntryReport, StatementReport, all_findings
from presscheck.digest.markdown.labels import LABELS
from presscheck.types import Digest, Finding

MARKS = {"supported": " ", "conflict": "×", "unsupported": "?", "beyond": "~"}
COLOURS = {"supported": "", "conflict": "bold magenta", "unsupported": "magenta", "beyond": "yellow"}
VERDICTS = {
    "supported": "supported",
    "conflict": "in conflict",
    "unsupported": "unsupported",
    "beyond": "beyond the abstract",
}
LONGEST = 2000
"""Characters of a statement that are printed; 10 MB of one belong into --json."""


EXPECTED = 200
"""Characters of what the source says that are printed."""
OFTEN = 3
"""Entries from which on the same fault of their form is told once for the digest."""


class Printer:
    """Prints reports on standard output; colour only where it is a terminal, and never alone."""

    def __init__(self, *, brief: bool, keys: bool) -> None:
        from rich.console import Console

        self.console: Any = Console(highlight=False, soft_wrap=False)
        self.brief, self.keys = brief, keys

    def digest(self, report: DigestReport, digest: Digest) -> None:
        """One digest: a heading, its entries."""
        self._line(f"\n{report.file}", "bold")
        self._line(" · ".join(filter(None, (digest.date, report.style, report.language))), "dim")
        common = {} if self.keys else _common(report)
        for (_, why), (finding, count) in common.items():
            named = msgspec.structs.replace(finding, text="", expected="", why=f"{why}; in {count} entries")
            self._finding("", named, "", indent=2)
        for entry in report.entries:
            self._entry(entry, digest, set(common))

    def total(self, reports: Sequence[DigestReport]) -> None:
        """What was found in all digests together."""
        entries: Counter[str] = Counter(entry.verdict for report in reports for entry in report.entries)
        verdicts: Counter[str] = Counter(
            statement.verdict
            for report in reports
            for entry in report.entries
            if entry.verdict != "no source"
            for statement in entry.statements
        )
        kinds = Counter(finding.kind for report in reports for finding in all_findings(report))
        self._line(f"\n{'─' * min(72, self.console.width)}", "dim")
        told = [f"{entries[name]} {words}" for name, words in (
            ("ok", "in order"), ("findings", "with findings"),
            ("not this paper", "not about their paper"), ("no source", "without their paper"),
        ) if entries[name]]  # fmt: skip
        self._line(f"{sum(entries.values())} entries: {', '.join(told) or 'none'}")
        told = [f"{verdicts[name]} {VERDICTS[name]}" for name in MARKS if verdicts[name]]
        self._line(f"{sum(verdicts.values())} statements: {', '.join(told) or 'none'}")
        if kinds:
            self._line("findings: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
            self._line("\n`presscheck check --explain KIND` says what a kind means", "dim")

    def _entry(self, entry: EntryReport, digest: Digest, told: Collection[tuple[str, str]] = ()) -> None:
        if self.brief and entry.verdict == "ok":
            return
        self._line(f"\n{entry.title or entry.paper}  {entry.paper}", "bold")
        if entry.verdict == "no source":
            self._line("  the paper was not given: only its form is checked", "dim")
        for finding in entry.findings:
            if (finding.kind, finding.why) not in told:
                self._finding(entry.paper, finding, "", indent=2)
        section = ""
        for statement in entry.statements:
            if self.brief and not statement.findings and statement.verdict in ("supported", "beyond"):
                continue
            if statement.section != section and entry.verdict != "not this paper":
                section = statement.section
                self._line(f"  {self._section(section, digest)}", "dim")
            if entry.verdict == "not this paper":
                continue
            self._statement(entry, statement)

    def _section(self, key: str, digest: Digest) -> str:
        labels = LABELS[digest.style, digest.language].sections
        return labels.get(key, key)

    def _statement(self, entry: EntryReport, statement: StatementReport) -> None:
        from rich.text import Text

        shown = statement.text[:LONGEST]
        text = Text(_plain(shown))
        for finding in statement.findings:
            if finding.end <= len(shown):
                text.stylize("underline", finding.start, finding.end)
        if len(statement.text) > LONGEST:
            text.append(f" … and {len(statement.text) - LONGEST} characters more", style="dim")
        self._hanging(f"  {MARKS[statement.verdict]} ", text, COLOURS[statement.verdict])
        for finding in statement.findings:
            self._finding(entry.paper, finding, statement.text, indent=6)

    def _finding(self, paper: str, finding: Finding, statement: str, *, indent: int) -> None:
        from rich.text import Text

        mark = KINDS[finding.kind].mark if finding.kind in KINDS else ""
        told = [finding.kind.replace("_", " ")]
        if mark and mark != told[0]:
            told.append(f"({mark})")
        if finding.text and len(finding.text) < 0.8 * max(len(statement), 1) + 40 * (not statement):
            told.append(f"“{_plain(finding.text[:120])}”")
        if finding.expected and finding.expected != finding.text:
            told.append(f"→ {_short(_plain(finding.expected))}")
        if self.keys:
            told.append(f"[{finding_key(paper, finding, statement)}]")
        line = Text(" ".join(told), style="magenta")
        line.append(f" · {_plain(finding.why)}, {finding.sure:.0%} sure", style="dim")
        self._hanging(" " * indent + "^ ", line, "magenta")

    def _hanging(self, lead: str, text: Any, style: str) -> None:
        """Text whose further lines stand under its first."""
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=0)
        row.add_column(width=len(lead), no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(lead, style=style), text)
        self.console.print(row)

    def _line(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self.console.print(Text("\n".join(_plain(line) for line in text.split("\n")), style=style))


def _common(report: DigestReport) -> dict[tuple[str, str], tuple[Finding, int]]:
    """Findings about links that most entries of a digest have alike, with how many have them."""
    counts = Counter(
        (finding.kind, finding.why)
        for entry in report.entries
        for finding in entry.findings
        if finding.kind == "link"
    )
    often = {one for one, count in counts.items() if count >= OFTEN and 2 * count > len(report.entries)}
    return {
        (finding.kind, finding.why): (finding, counts[finding.kind, finding.why])
        for entry in report.entries
        for finding in entry.findings
        if (finding.kind, finding.why) in often
    }


def _short(text: str) -> str:
    """Text cut between words, and marked where it is cut."""
    return text if len(text) <= EXPECTED else text[:EXPECTED].rsplit(" ", 1)[0] + " …"


def _plain(text: str) -> str:
    """Text without what a terminal would obey: controls, and marks that turn the direction of writing."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
