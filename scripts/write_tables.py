"""Writes the tables that are made from records: the systems of the READMEs, and each system's own.

python scripts/write_tables.py           write them
python scripts/write_tables.py --check   exit with 1 if one of them is not up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from presscheck.bench import records
from presscheck.bench.machine import in_words
from presscheck.bench.standing import Standing, standing
from presscheck.catalog import planned, systems
from presscheck.claims import Claim, Verdict
from presscheck.cli.claims_print import SIGNS, duration, measured, what

ROOT = Path(__file__).parents[1]
FAMILIES_KO = {
    "inference": "추론",
    "vision": "비전",
    "evaluation": "평가",
    "inside_models": "모델 내부",
    "three_d": "3D",
    "audio": "오디오",
    "agents": "에이전트",
    "retrieval": "검색",
    "tables_and_science": "표와 과학",
    "training": "학습",
}
ANSWERS_KO = {"holds": "성립", "fails": "불성립", "undecided": "미정", "not measured": "미측정"}


def main() -> int:
    """Write or check every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in tables().items() if path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: run scripts/write_tables.py", file=sys.stderr)
        else:
            path.write_text(tables()[path], "utf-8")
            print(path.relative_to(ROOT))
    return 1 if check and stale else 0


def tables() -> dict[Path, str]:
    """Each file that has a generated table, as it should be, from the records that ship."""
    ours = {
        slug: standing(system, (records.SHIPPED,))
        for slug, system in systems().items()
        if system.origin == "presscheck"
    }
    made = {}
    for path, korean in ((ROOT / "README.md", False), (ROOT / "README.ko.md", True)):
        made[path] = between(path.read_text("utf-8"), "systems", of_systems(ours, korean))
    for one in ours.values():
        path = one.system.folder / "README.md"
        made[path] = between(path.read_text("utf-8"), "measured", of_claims(one))
    return made


def between(text: str, name: str, table: str) -> str:
    """A text with a new table between its two marks."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"there is no <!-- {name} --> … <!-- /{name} --> to write between")
    return pattern.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def of_systems(ours: dict[str, Standing], korean: bool) -> str:
    """The papers of the editions by family, those without a system as "not yet"."""
    rows = (
        ["| 분야 | 논문 | 주장 |", "| --- | --- | --- |"]
        if korean
        else ["| family | paper | claims |", "| --- | --- | --- |"]
    )
    for paper in planned():
        family = FAMILIES_KO[paper.family] if korean else paper.family.replace("_", " ")
        title = paper.title.replace("|", "\\|")
        name = f"**`{paper.slug}`** " if paper.slug in ours else ""
        link = f"[{title}](https://arxiv.org/abs/{paper.arxiv})"
        rows.append(f"| {family} | {name}{link} | {tally(ours.get(paper.slug), korean)} |")
    return "\n".join(rows) + "\n"


def tally(one: Standing | None, korean: bool) -> str:
    """How a system's claims stand: "4 of 6 hold here, 1 fails"."""
    if one is None:
        return "아직 없음" if korean else "not yet"
    answers = [verdict.answer for verdict in one.verdicts]
    counts = {answer: answers.count(answer) for answer in ANSWERS_KO if answers.count(answer)}
    if korean:
        return f"{len(answers)}개: " + ", ".join(f"{ANSWERS_KO[a]} {n}" for a, n in counts.items())
    words = {"holds": "hold", "fails": "fail", "undecided": "undecided", "not measured": "not measured"}
    return f"{len(answers)}: " + ", ".join(f"{n} {words[a] if n > 1 else a}" for a, n in counts.items())


def of_claims(one: Standing) -> str:
    """A system's claims with what the shipped record says."""
    if one.record is None:
        return "Not measured yet.\n"
    rows = ["| claim | said | compared | measured | bound | here |", "| --- | --- | --- | --- | --- | --- |"]
    rows += [row(claim, verdict) for claim, verdict in one.pairs]
    reasons = [
        f"- `{claim.id}` fails here, likely because: {claim.likely_reason}"
        for claim, verdict in one.pairs
        if verdict.answer == "fails" and claim.likely_reason
    ] + [f"- `{claim.id}`: {verdict.why}" for claim, verdict in one.pairs if verdict.answer == "not measured"]
    record = one.record
    made = (
        f"`presscheck run {record.system} --size {record.size}` on {in_words(record.machine)}, "
        f"{len(record.seeds)} seeds, {duration(record.seconds)}, {record.started[:10]}."
    )
    return "\n".join([made, "", *rows, *(["", *reasons] if reasons else [])]) + "\n"


def row(claim: Claim, verdict: Verdict) -> str:
    """One claim as a row."""
    cells = (
        claim.id,
        claim.reported,
        what(claim),
        measured(verdict),
        f"{SIGNS[claim.sign]} {claim.holds_if[2:].strip()}",
        verdict.answer,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
