"""The digests that the project started from: what is labelled in them, and what is invented."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checking.encoding import Encoder
from checking.shares import Share, share
from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.check.entry import FORM
from presscheck.digest.check.report import EntryReport
from presscheck.digest.files import read_digest_file
from presscheck.papers.files import read_papers
from presscheck.types import Digest

INVENTED = ("2407.20445", "2410.03645")
"""FUTGA and GenSim2, invented from end to end. A third, CodeMMLU (2410.01999), is without abstract."""


@dataclass
class Seeds:
    """What the check says of them."""

    entries: int = 0
    no_source: list[str] = field(default_factory=list)
    invented: Share = Share(0, 0)
    refused_wrongly: Share = Share(0, 0)
    labelled: int = 0
    statements: int = 0
    apart: int = 0
    """Labelled entries of which label and reader divide the text into statements differently."""
    magnitude: Share = Share(0, 0)
    names: Share = Share(0, 0)
    scrambled: Share = Share(0, 0)
    artifacts: Share = Share(0, 0)
    alarms: Share = Share(0, 0)
    form_alarms: Share = Share(0, 0)
    alarm_kinds: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)


def measure(data: Path, seeds: Path, encoder: Encoder) -> Seeds:
    """Check all editions against the papers of the daily lists."""
    papers = Papers([p for file in sorted((data / "api").glob("*.json")) for p in read_papers(file).papers])
    with (data / "seed_errors_dev.jsonl").open(encoding="utf-8") as lines:
        labels = {(row["file"], row["arxiv"]): row for row in map(json.loads, lines)}
    said: list[tuple[str, Digest, EntryReport]] = []
    for file in sorted(seeds.glob("*.txt")):
        for digest in read_digest_file(file):
            report = check_digest(digest, papers, encoder=encoder)
            said += [(file.name, digest, entry) for entry in report.entries]
    found = Seeds(entries=len(said))
    found.no_source = [entry.paper for _, _, entry in said if entry.verdict == "no source"]
    known = [entry for _, _, entry in said if entry.verdict != "no source"]
    found.invented = share([e.verdict == "not this paper" for e in known if e.paper in INVENTED])
    found.refused_wrongly = share([e.verdict == "not this paper" for e in known if e.paper not in INVENTED])
    rows = [(entry, labels[name, entry.paper]) for name, _, entry in said if (name, entry.paper) in labels]
    found.labelled = len(rows)
    _errors(found, rows)
    _statements(found, rows)
    return found


def _errors(found: Seeds, rows: list[tuple[EntryReport, dict[str, Any]]]) -> None:
    """Labelled errors that a checker of title, abstract and authors can be asked for."""

    def told(entry: EntryReport, error: dict[str, Any], kinds: set[str]) -> bool:
        """A finding of these kinds touches the words of the label."""
        for statement in entry.statements:
            at = statement.text.find(error["text"])
            end = at + len(error["text"])
            if at >= 0 and any(f.kind in kinds and f.start < end and at < f.end for f in statement.findings):
                return True
        return False

    errors = [(entry, error) for entry, row in rows for error in row["errors"]]
    found.magnitude = share([
        told(entry, error, {"magnitude"}) for entry, error in errors if error["kind"] == "wrong_magnitude"
    ])  # fmt: skip
    found.names = share([
        told(entry, error, {"name", "expansion"}) for entry, error in errors if error["kind"] == "wrong_name"
    ])  # fmt: skip
    for label in ("author_order", "author_artifact"):
        hits = [
            any(finding.kind == label for finding in entry.findings)
            for entry, error in errors
            if error["kind"] == label
        ]
        if label == "author_order":
            found.scrambled = share(hits)
        else:
            found.artifacts = share(hits)


def _statements(found: Seeds, rows: list[tuple[EntryReport, dict[str, Any]]]) -> None:
    """False alarms on supported statements, and verdicts by label."""
    content, form = [], []
    for entry, row in rows:
        labels = _labels(entry, row)
        if labels is None:
            found.apart += 1
            continue
        for label, statement in zip(labels, entry.statements, strict=True):
            found.statements += 1
            found.verdicts.setdefault(label, Counter())[statement.verdict] += 1
            if label == "S":
                content.append(any(finding.kind not in FORM for finding in statement.findings))
                form.append(any(finding.kind in FORM for finding in statement.findings))
                found.alarm_kinds.update({finding.kind for finding in statement.findings})
    found.alarms, found.form_alarms = share(content), share(form)


def _labels(entry: EntryReport, row: dict[str, Any]) -> list[str] | None:
    """A label for each statement as the reader divides the text.

    Where the labels divide it differently, a statement with the words of an error that is
    labelled E gets that label, and the others the one label that is left; None if several are.
    """
    labels: str = row["labels"]
    if len(labels) == len(entry.statements):
        return list(labels)
    wrong = [
        error["text"]
        for error in row["errors"]
        if 1 <= error.get("sentence", 0) <= len(labels) and labels[error["sentence"] - 1] == "E"
    ]
    rest = set(labels) - {"E"}
    if len(rest) != 1 or len(wrong) < labels.count("E"):
        return None
    return ["E" if any(text in s.text for text in wrong) else min(rest) for s in entry.statements]
