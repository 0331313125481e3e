"""How well sentences are split: boundaries against CSAbstruct's own sentences, on its dev part.

The sentences of an abstract are joined by a space and split again. A boundary is the place
between two sentences; the end of the abstract does not count, since nobody can miss it.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

from presscheck.papers.sentences import split

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "csabstruct"


def joined(sentences: list[str]) -> tuple[str, set[int]]:
    """The text of an abstract, and the offsets at which its sentences after the first begin."""
    text, starts = "", set()
    for sentence in (" ".join(s.split()) for s in sentences):
        if text and sentence:
            text += " "
            starts.add(len(text))
        text += sentence
    return text, starts


def main(part: str = "dev", show: str = "") -> None:
    path = DATA / f"{part}.jsonl.gz"
    if not path.exists():
        sys.exit(f"{path} is not here: CSAbstruct lies beside the checkout, in ../shared/data")
    found = wanted = both = abstracts = 0
    began = time.perf_counter()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            text, gold = joined(json.loads(line)["sentences"])
            ours = {start for start, _ in split(text)[1:]}
            abstracts, found, wanted, both = (
                abstracts + 1, found + len(ours), wanted + len(gold), both + len(ours & gold)
            )
            if show:
                for at in sorted(ours ^ gold):
                    kind = "extra " if at in ours else "missed"
                    print(kind, repr(f"{text[max(0, at - 50) : at]}|{text[at : at + 40]}"))
    seconds = time.perf_counter() - began
    precision, recall = both / found, both / wanted
    f1 = 2 * precision * recall / (precision + recall)
    print(f"CSAbstruct {part}: {abstracts} abstracts, {wanted} boundaries, {seconds:.2f} s")
    print(f"precision {precision:.4f}   recall {recall:.4f}   F1 {f1:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
