"""What a language model writes, and what of it is printed, over real abstracts: ``benchmarks/write.md``.

    python benchmarks/write.py --papers FILE.jsonl.gz --model MODEL.gguf [--count 50] [--serve]
                               [--keep DIR [--kept]] [--output FILE]

Takes papers spread evenly over the file and writes each with a model in a GGUF file, in
this process or with ``--serve`` through llama.cpp's OpenAI-protocol server on a free port
of this machine. Every finished entry is then checked anew, alone and in a digest of all
of them, against the papers as they are published. With ``--keep`` answers and ledger are
kept in a folder, as an edition keeps them, and a run that was stopped goes on with its
seconds. Exits with 1 if one printed statement is not supported.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from grounding import read

from presscheck.digest.check.check import Papers, check_digest
from presscheck.digest.glossary import ours
from presscheck.digest.jsonfile import head_of
from presscheck.digest.write.cache import Answers
from presscheck.digest.write.endpoint import Endpoint, Patience
from presscheck.digest.write.gguf import load
from presscheck.digest.write.ledger import Ledger
from presscheck.digest.write.local import CONTEXT, Local, spare_threads
from presscheck.digest.write.model import Model
from presscheck.digest.write.verify import supported
from presscheck.digest.write.writer import ModelWriter
from presscheck.types import Digest, Entry, Language, Paper

NAMES = ("kept", "repaired", "replaced", "added", "dropped")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--languages", default="en")
    parser.add_argument("--most", type=int, default=300, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=1, help="of repair")
    parser.add_argument("--serve", action="store_true", help="through the server instead of in process")
    parser.add_argument("--keep", type=Path, help="folder of the answers and the ledger")
    parser.add_argument("--kept", action="store_true", help="only papers that --keep has answers for")
    parser.add_argument("--output", type=Path, help="a page in Markdown; else it is printed")
    given = parser.parse_args()
    papers = read(given.papers, given.count)
    languages: list[Language] = given.languages.split(",")
    model, held = _model(given.model, given.serve)
    answers = Answers(given.keep and given.keep / "answers")
    writer = ModelWriter(model, glossary=ours(), answers=answers, most=given.most, rounds=given.rounds)
    ledger = Ledger(given.keep and given.keep / "ledger.json", "benchmark", model)
    if given.kept:
        papers = [paper for paper in papers if ledger.seconds_of(paper.id)]
    seconds: list[float] = []
    entries: list[Entry] = []
    for number, paper in enumerate(papers, start=1):
        print(f"{number} of {len(papers)}: {paper.id}", file=sys.stderr, flush=True)
        before, begun = ledger.seconds_of(paper.id), time.perf_counter()
        entries += writer.write_all([paper], languages, ["detailed"], ledger).entries
        seconds.append(before + time.perf_counter() - begun)
    load_now = os.getloadavg()[2]
    model.close()
    del held
    by_id = {paper.id: paper for paper in papers}
    alone = [good for entry in entries for good in supported(entry, by_id[entry.paper])]
    together = _as_digests(entries, papers, languages)
    told = {
        "model": model.name, "way": "llama.cpp's server" if given.serve else "in this process",
        "threads": spare_threads(), "most": given.most, "rounds": given.rounds,
        "languages": given.languages, "load": load_now,
        "wanted": given.count, "alone": (sum(alone), len(alone)), "together": together,
    }  # fmt: skip
    text = page(entries, papers, seconds, ledger, told)
    if given.output is None:
        print(text)
    else:
        given.output.write_text(text, encoding="utf-8")
    return 0 if alone and all(alone) and together[0] == together[1] else 1


def _as_digests(entries: list[Entry], papers: list[Paper], languages: list[Language]) -> tuple[int, int]:
    """Supported and printed statements, as `presscheck check` sees a digest of all entries."""
    by_id, good, printed = {paper.id: paper for paper in papers}, 0, 0
    for language in languages:
        mine = tuple(
            Entry(paper=one.paper, language=one.language, style=one.style, sections=one.sections,
                  status=one.status, reason=one.reason, head=head_of(by_id[one.paper]))
            for one in entries if one.language == language
        )  # fmt: skip
        report = check_digest(Digest(style="detailed", language=language, entries=mine), Papers(papers))
        verdicts = [s.verdict for entry in report.entries for s in entry.statements if s.section != "fields"]
        good, printed = good + verdicts.count("supported"), printed + len(verdicts)
    return good, printed


def page(
    entries: list[Entry], papers: list[Paper], seconds: list[float], ledger: Ledger, told: dict[str, Any]
) -> str:
    """The page."""
    counts: Counter[str] = Counter()
    for entry in entries:
        for name in NAMES:
            counts[name] += getattr(entry.written, name) if entry.written is not None else 0
    written = [entry for entry in entries if entry.status == "written"]
    of_model = [e for e in written if e.written is not None and e.written.kept + e.written.repaired]
    quoted = [e for e in written if e.writer != told["model"]]
    in_quoted = sum(
        len(section.statements) for e in quoted for section in e.sections if section.key != "fields"
    )
    (good, printed), (also_good, also) = told["alone"], told["together"]
    totals, spent = ledger.totals, sum(seconds)
    rows = [
        ("papers, of those spread evenly over an archive", f"{len(papers):,} of {told['wanted']:,}"),
        ("entries written", f"{len(written)} of {len(entries)}"),
        ("statements printed", f"{printed}"),
        ("– **supported**, each entry checked alone", f"**{good} of {printed}**"),
        ("– **supported**, all entries checked as one digest", f"**{also_good} of {also}**"),
        ("– kept as the model wrote them", f"{counts['kept']}"),
        ("– repaired after a finding", f"{counts['repaired']}"),
        ("– replaced by the abstract's sentence", f"{counts['replaced']}"),
        ("– results of the abstract that it had not told, added", f"{counts['added']}"),
        (f"– in {len(quoted)} entries of which nothing of the model could be used", f"{in_quoted}"),
        ("dropped, with nothing in their place", f"{counts['dropped']}"),
        ("entries with a statement in the model's own words", f"{len(of_model)}"),
        ("seconds a paper", f"{spent / len(papers):.1f} (median {sorted(seconds)[len(seconds) // 2]:.1f}, "
                            f"slowest {max(seconds):.1f})"),
        ("statements a second", f"{printed / spent:.3f}"),
        ("requests; tokens read, written", f"{totals.requests}; {totals.read:,}, {totals.written:,}"),
    ]  # fmt: skip
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""# Writing with a language model

Made by `benchmarks/write.py`; do not edit. {time.strftime("%Y-%m-%d", time.gmtime())}, \
{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, mean load of the last \
quarter of an hour {told["load"]:.1f}: above 1, \
times are those of a machine with other work.

`{told["model"]}`, {told["way"]}, {told["threads"]} thread(s), answers of at most {told["most"]} tokens, \
{told["rounds"]} round(s) of repair, languages: {told["languages"]}, detailed style.

| | |
| --- | --- |
{table}

A model of this size writes badly; what is shown is that nothing of it is printed that the check does not
support. A repair is what the model rewrote when it was told the finding, or the first sentence of an answer
that ran on, if that passes alone.
"""


def _model(path: Path, serve: bool) -> tuple[Model, object]:
    """The model, and what has to live as long as it."""
    if not serve:
        return Local(path), None
    server = load(path, context=CONTEXT, threads=spare_threads())
    url = f"{server.listening_address}/v1"
    return Endpoint("served", url, key="none", key_name="", at_once=1, patience=Patience(total=600.0)), server


if __name__ == "__main__":
    raise SystemExit(main())
