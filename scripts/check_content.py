"""Hold a shipped edition against its papers and keep the verdicts beside it.

    python scripts/check_content.py DATE --papers FILE

Writes ``content/editions/DATE/verdicts.json``. Exits with 1, and writes nothing, if
a statement is in conflict, unsupported, or has a finding that no overrule sets aside:
such an edition is not to be shipped.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from presscheck.digest.check.annotate import annotate
from presscheck.edition.shipped import read_folder, with_abstracts
from presscheck.edition.shipped_verdicts import NAME, verdicts_to_json
from presscheck.papers.files import read_papers
from presscheck.papers.whole import write_whole

EDITIONS = Path(__file__).parents[1] / "src" / "presscheck" / "content" / "editions"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("date")
    parser.add_argument("--papers", required=True, type=Path)
    parser.add_argument("--editions", type=Path, default=EDITIONS)
    options = parser.parse_args()
    folder = options.editions / options.date
    edition = annotate(with_abstracts(read_folder(folder), read_papers(options.papers)))
    counts: Counter[str] = Counter()
    bad = 0
    for entry in edition.entries:
        for finding in entry.findings:
            bad += 1
            print(f"{entry.paper} {entry.language} {entry.style}: {finding.kind}: {finding.why}")
        for section in entry.sections:
            for statement in section.statements if section.key != "fields" else ():
                counts[statement.verdict or "not checked"] += 1
                if statement.findings or statement.verdict in ("conflict", "unsupported"):
                    bad += 1
                    kinds = ", ".join(f.kind for f in statement.findings) or statement.verdict
                    print(f"{entry.paper} {entry.language} {section.key}: {kinds}: {statement.text}")
    print(f"{options.date}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    if bad:
        return 1
    write_whole(folder / NAME, verdicts_to_json(edition.entries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
