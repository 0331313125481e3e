"""A local model as the writer, with systems switched on and off: ``benchmarks/local_writer.md``.

    python benchmarks/local_writer.py --papers FILE.jsonl.gz [--count 20] [--model MODEL]
                                    [--with think --with think,flute …] [--output FILE]

Each way of running the model is a process of its own, so that its peak memory can be told;
they take turns, paper by paper and prompt by prompt, so that what else the machine does
falls on all of them. Papers are spread evenly over the file; each is written by the model and
held against its abstract. Long prompts are prose that every Python has; their answer is
of fixed length.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

LENGTHS = (2048, 4096)
NEW_TOKENS = 48
"""Of the answer to a long prompt."""
NAMES = ("kept", "repaired", "replaced", "added", "dropped")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--model", help="a folder, a GGUF file or a hub name; else SmolLM2-135M-Instruct")
    parser.add_argument("--with", dest="ways", action="append", help="systems with commas between")
    parser.add_argument("--most", type=int, default=120, help="tokens of an answer about a paper")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each long prompt")
    parser.add_argument("--output", type=Path, help="a page in Markdown; else it is printed")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        return child(given)
    from presscheck.inference.accelerators import known

    ways = ["", *(given.ways or known())]
    text = page(given, *measured(given, ways))
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


def measured(given: argparse.Namespace, ways: list[str]) -> tuple[list[str], dict[str, list[Any]]]:
    """Ask all processes in turn; the ways, and what each answered."""
    children = {
        way: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--child", way],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for way in ways
    }  # fmt: skip
    orders = [("paper", i) for i in range(given.count)]
    orders += [("prompt", length, seed) for seed in range(given.rounds) for length in LENGTHS]
    replies: dict[str, list[Any]] = {way: [] for way in ways}
    for number, order in enumerate([("load",), *orders]):
        turn = number % len(ways)
        for way in ways[turn:] + ways[:turn]:
            answer = ask(children[way], order)
            if order[0] != "load":
                replies[way].append({"order": order, **answer})
        print(f"\r{number} of {len(orders)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for way, process in children.items():
        replies[way].append({"order": ("memory",), **ask(process, ("memory",))})
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
    return ways, replies


def ask(process: Any, order: Any) -> dict[str, Any]:
    """One order to one process."""
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        sys.exit("a process of the benchmark ended; its reason is above")
    answer: dict[str, Any] = json.loads(line)
    return answer


def child(given: argparse.Namespace) -> int:
    """One way of running the model: orders on standard input, answers on standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    from grounding import read

    from presscheck.digest.glossary import ours
    from presscheck.digest.write.cache import Answers
    from presscheck.digest.write.ledger import Ledger
    from presscheck.digest.write.verify import supported
    from presscheck.digest.write.writer import ModelWriter
    from presscheck.inference.chat import Chat
    from presscheck.testbeds import language

    papers = read(given.papers, given.count)
    chat = Chat(given.model or language.NAME, accelerators=tuple(filter(None, given.child.split(","))))
    clock = Clock()
    answer = chat.answer

    def timed(question: Any, stopped: Any) -> Any:
        clock.begin()
        return answer(question, stopped, clock)

    chat.answer = timed  # type: ignore[method-assign]
    writer = ModelWriter(chat, glossary=ours(), answers=Answers(None), most=given.most, rounds=0)
    for line in sys.stdin:
        kind, *rest = json.loads(line)
        reply: dict[str, Any] = {}
        if kind == "load":
            chat.open()
        elif kind == "paper":
            paper = papers[rest[0]]
            (entry,) = writer.write_all([paper], ["en"], ["detailed"], Ledger(None, "bench", chat)).entries
            verdicts = supported(entry, paper)
            reply = {**clock.told(), "printed": len(verdicts), "supported": sum(verdicts)}
            if entry.written is not None:
                reply |= {name: getattr(entry.written, name) for name in NAMES}
        elif kind == "prompt":
            length, seed = rest
            reply = long_prompt(chat, length, seed)
        else:
            reply = {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        print(json.dumps(reply), file=out, flush=True)
    chat.close()
    return 0


class Clock:
    """A logits processor that keeps when each token was about to be chosen."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A question begins."""
        self.begun, self.at = time.perf_counter(), []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Called once a token."""
        self.at.append(time.perf_counter())
        return scores

    def told(self) -> dict[str, float]:
        """Seconds to the first token, and tokens a second after it."""
        if len(self.at) < 2:
            return {"first": self.at[0] - self.begun if self.at else 0.0, "tokens": len(self.at)}
        rate = (len(self.at) - 1) / (self.at[-1] - self.at[0])
        return {"first": self.at[0] - self.begun, "rate": rate, "tokens": len(self.at)}


def long_prompt(chat: Any, length: int, seed: int) -> dict[str, float]:
    """Read a prompt of so many tokens and write on for a fixed number of them."""
    import torch
    from transformers import LogitsProcessorList

    from presscheck.testbeds import language

    lm = language.LanguageModel(chat.model, chat.tokenizer, chat.name)
    ids = language.passage(lm, length, seed).to(chat.model.device)
    clock = Clock()
    chat.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
        do_sample=False,
        logits_processor=LogitsProcessorList([clock]),
        **chat.begin(),
    )
    return clock.told()


def page(given: argparse.Namespace, ways: list[str], replies: dict[str, list[Any]]) -> str:
    """The page."""
    from presscheck.testbeds import language

    def of(way: str, kind: str, *rest: int) -> list[dict[str, Any]]:
        return [
            r
            for r in replies[way]
            if r["order"][0] == kind and list(r["order"][1 : 1 + len(rest)]) == list(rest)
        ]

    def ratio(way: str, metric: str, kind: str, *rest: int) -> str:
        pairs = [
            a[metric] / b[metric]
            for a, b in zip(of(way, kind, *rest), of("", kind, *rest), strict=True)
            if a.get(metric) and b.get(metric)
        ]
        return f"{statistics.geometric_mean(pairs):.2f}" if pairs else "–"

    def middle(way: str, metric: str, kind: str, *rest: int) -> str:
        values = [r[metric] for r in of(way, kind, *rest) if r.get(metric)]
        return f"{statistics.median(values):.2f}" if values else "–"

    cores = len(os.sched_getaffinity(0))
    lines = [
        "# A local model with systems switched on",
        "",
        "Made by `python benchmarks/local_writer.py`; do not edit. "
        f"{given.model or language.NAME} through transformers, {cores} cores, {platform.machine()}; "
        f"{given.count} abstracts with answers of up to {given.most} tokens, and prompts of "
        f"{' and '.join(map(str, LENGTHS))} tokens with {NEW_TOKENS} more. The ways take turns; `×` is the "
        "geometric mean of paired ratios to the plain model.",
        "",
        "## Speed and memory",
        "",
        "| with | abstract: first token, s | × | tokens/s | × | "
        + " | ".join(f"{n} tokens: first, s | × | tokens/s | ×" for n in LENGTHS)
        + " | peak memory, MB |",
        "| --- |" + " --- |" * (4 + 4 * len(LENGTHS) + 1),
    ]
    for way in ways:
        cells = [way or "nothing"]
        for kind, *rest in [("paper",), *(("prompt", n) for n in LENGTHS)]:
            for metric in ("first", "rate"):
                cells += [middle(way, metric, kind, *rest), ratio(way, metric, kind, *rest)]
        cells.append(f"{of(way, 'memory')[0]['bytes'] / 1e6:,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## What is printed of it",
        "",
        "Every printed statement is held against its abstract.",
        "",
        "| with | tokens an answer | " + " | ".join(NAMES) + " | printed | supported |",
        "| --- |" + " --- |" * (len(NAMES) + 3),
    ]
    for way in ways:
        papers = of(way, "paper")
        total = Counter(
            {name: sum(r.get(name, 0) for r in papers) for name in (*NAMES, "printed", "supported")}
        )
        tokens = statistics.fmean(r.get("tokens", 0) for r in papers)
        cells = [
            way or "nothing",
            f"{tokens:.0f}",
            *(str(total[n]) for n in (*NAMES, "printed", "supported")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
