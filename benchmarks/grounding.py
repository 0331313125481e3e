"""Whether the extractive writer stays with its source, over real abstracts.

    python benchmarks/grounding.py --papers FILE.jsonl.gz [--count 1000]

Takes papers spread evenly over the file, writes both English styles, and looks
every statement up again in the abstract as it was published: the hash of the
sentence, and the words of the span. Then it asks of every sentence that states
a measured result whether Performance Highlights has it, or left_out says why not.
Exits with 1 if one statement is not grounded or one result is lost.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from pathlib import Path

from presscheck.digest.headline import has_measurement, is_headline
from presscheck.digest.vectors import encode
from presscheck.digest.write.extractive import write_all
from presscheck.papers.clean import clean
from presscheck.papers.paper import make_paper
from presscheck.papers.sentences import digest, sentence_texts, sentences_of, split
from presscheck.types import SECTIONS, STYLES, Entry, Evidence, Paper, Statement


def read(path: Path, count: int) -> list[Paper]:
    """Papers spread evenly over an archive of JSON Lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    picked = [rows[i * len(rows) // count] for i in range(min(count, len(rows)))]
    return [
        make_paper(id=row["id"], title=row["title"], abstract=row["summary"], authors=row["authors"])
        for row in picked
    ]


class Source:
    """A paper's published title and abstract, cleaned and split anew, nothing taken from the entry."""

    def __init__(self, paper: Paper) -> None:
        self.title = digest(clean(paper.title_original, title=True).text)
        self.cleaned = clean(paper.abstract_original)
        self.sentences = sentences_of(self.cleaned)
        self.texts = [self.cleaned.text[start:end] for start, end in split(self.cleaned.text)]

    def hash_matches(self, evidence: Evidence) -> bool:
        """The sentence that is named has the hash that is given."""
        if evidence.source == "title":
            return evidence.hash == self.title
        number = evidence.sentence or 0
        return 1 <= number <= len(self.texts) and digest(self.texts[number - 1]) == evidence.hash

    def span_resolves(self, statement: Statement, evidence: Evidence) -> bool:
        """The span lies in its sentence, and it is the span of these very words in it."""
        if evidence.start is None or evidence.end is None or evidence.sentence is None:
            return False
        sentence = self.sentences[evidence.sentence - 1]
        if not sentence.start <= evidence.start < evidence.end <= sentence.end:
            return False
        at = self.cleaned.text.find(statement.text)
        while at >= 0:
            if self.cleaned.locate(at, at + len(statement.text)) == (evidence.start, evidence.end):
                return True
            at = self.cleaned.text.find(statement.text, at + 1)
        return False


def share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / max(whole, 1):.2f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    papers = read(options.papers, options.count)
    encode(["loaded before the clock starts"])
    start = time.perf_counter()
    entries = write_all(papers, ["en"], STYLES)
    seconds = time.perf_counter() - start

    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.paper, []).append(entry)
    counts: Counter[str] = Counter()
    for paper in papers:
        source = Source(paper)
        for entry in by_id[paper.id]:
            counts["written"] += entry.status == "written"
            counts[f"entries {entry.style}"] += entry.status == "written"
            for section in entry.sections:
                counts[f"filled {entry.style} {section.key}"] += bool(section.statements)
                counts["said why"] += bool(section.statements) != bool(section.absent)
                counts["sections"] += 1
                for statement in section.statements:
                    for evidence in statement.evidence:
                        counts["statements"] += 1
                        counts["hash"] += source.hash_matches(evidence)
                        if section.key != "fields":
                            counts["quotes"] += 1
                            counts["span"] += source.span_resolves(statement, evidence)
            if entry.style != "detailed" or entry.status != "written":
                continue
            shown = {
                evidence.sentence
                for section in entry.sections
                if section.key == "performance_highlights"
                for statement in section.statements
                for evidence in statement.evidence
            }
            out = {left.evidence.sentence for left in entry.left_out if left.reason}
            for number, text in enumerate(sentence_texts(paper), 1):
                if is_headline(text):
                    counts["headlines"] += 1
                    counts["measured"] += has_measurement(text)
                    counts["headline shown"] += number in shown
                    counts["headline left out"] += number in out and number not in shown
                    counts["headline kept"] += number in shown | out
    sentences = sum(len(paper.sentences) for paper in papers)
    print(
        f"{len(papers):,} papers, {sentences:,} sentences, {len(entries):,} English entries, "
        f"{counts['written']:,} written"
    )
    print(f"statements whose evidence hash matches   {share(counts['hash'], counts['statements'])}")
    print(f"quotes whose span resolves to the text   {share(counts['span'], counts['quotes'])}")
    print(f"headline results shown or left out       {share(counts['headline kept'], counts['headlines'])}")
    print(f"  with a measured quantity               {share(counts['measured'], counts['headlines'])}")
    print(f"  in Performance Highlights              {share(counts['headline shown'], counts['headlines'])}")
    print(
        f"  left out with a reason                 {share(counts['headline left out'], counts['headlines'])}"
    )
    print(f"sections filled, or empty with a reason  {share(counts['said why'], counts['sections'])}")
    for style in STYLES:
        for key in SECTIONS[style]:
            name = f"  filled: {style} {key}"
            print(f"{name:<40} {share(counts[f'filled {style} {key}'], counts[f'entries {style}'])}")
    print(
        f"{sentences / seconds:.0f} sentences a second, {len(papers) / seconds:.0f} papers a second, "
        "both styles"
    )
    whole = (
        ("hash", "statements"),
        ("span", "quotes"),
        ("headline kept", "headlines"),
        ("said why", "sections"),
    )
    if any(counts[part] != counts[all_] for part, all_ in whole):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
