"""What a language model writes, and what of it is printed, over real abstracts.

    python benchmarks/write.py --papers FILE.jsonl.gz --model MODEL.gguf [--count 50] [--serve]

Takes papers spread evenly over the file and writes each with a model in a GGUF file, in
this process or with ``--serve`` through llama.cpp's OpenAI-protocol server on a free port
of this machine. Every finished entry is then checked anew against its paper. Exits with
1 if one printed statement is not supported.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from grounding import read

from presscheck.digest.glossary import ours
from presscheck.digest.write.cache import Answers
from presscheck.digest.write.endpoint import Endpoint, Patience
from presscheck.digest.write.gguf import load
from presscheck.digest.write.ledger import Ledger
from presscheck.digest.write.local import CONTEXT, Local, spare_threads
from presscheck.digest.write.model import Model
from presscheck.digest.write.verify import supported
from presscheck.digest.write.writer import ModelWriter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--languages", default="en")
    parser.add_argument("--most", type=int, default=500, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=1, help="of repair")
    parser.add_argument("--serve", action="store_true", help="through the server instead of in process")
    given = parser.parse_args()
    papers = read(given.papers, given.count)
    model, held = _model(given.model, given.serve)
    writer = ModelWriter(model, glossary=ours(), answers=Answers(None), most=given.most, rounds=given.rounds)
    ledger = Ledger(None, "benchmark", model)
    names = ("kept", "repaired", "replaced", "dropped", "added")
    counts = dict.fromkeys(names, 0)
    printed = good = quoted = 0
    seconds = []
    for number, paper in enumerate(papers, start=1):
        print(f"{number} of {len(papers)}: {paper.id}", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        work = writer.write_all([paper], given.languages.split(","), ["detailed"], ledger)
        seconds.append(time.perf_counter() - begun)
        for entry in work.entries:
            verdicts = supported(entry, paper)
            printed, good = printed + len(verdicts), good + sum(verdicts)
            quoted += entry.writer != model.name and entry.status == "written"
            if entry.written is not None:
                for name in names:
                    counts[name] += getattr(entry.written, name)
    totals = ledger.totals
    model.close()
    del held
    told = {
        "papers": len(papers), "languages": given.languages, "way": "server" if given.serve else "in process",
        "printed": printed, "supported": good, **counts, "entries_quoted": quoted,
        "seconds_per_paper": round(sum(seconds) / len(papers), 2), "slowest_seconds": round(max(seconds), 2),
        "statements_per_second": round(printed / sum(seconds), 3), "requests": totals.requests,
        "tokens_read": totals.read, "tokens_written": totals.written,
    }  # fmt: skip
    print(json.dumps(told, indent=1))
    return 0 if printed and good == printed else 1


def _model(path: Path, serve: bool) -> tuple[Model, object]:
    """The model, and what has to live as long as it."""
    if not serve:
        return Local(path), None
    server = load(path, context=CONTEXT, threads=spare_threads())
    url = f"{server.listening_address}/v1"
    return Endpoint("served", url, key="none", key_name="", at_once=1, patience=Patience(total=600.0)), server


if __name__ == "__main__":
    raise SystemExit(main())
