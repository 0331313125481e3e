"""List the ordinary words and the well-known names of the field, by counting over abstracts.

    python scripts/list_words.py ARCHIVE.jsonl.gz

A word is ordinary if it stands in lower case in 3 abstracts or more, and in at least 3 of 10
abstracts that have it inside a sentence. A name is well-known if 15 abstracts have it with a
capital after the first letter or a digit, or, if it is not ordinary, with a capital.
Single words only; their number is beside each name.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter
from pathlib import Path

from presscheck.digest.check import evidence

HERE = Path(evidence.__file__).parent
TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.@+/][A-Za-z0-9]+)*")


def main() -> None:
    lower: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    names: Counter[str] = Counter()
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as lines:
        for line in lines:
            low, cap, strong = set(), set(), set()
            for sentence in re.split(r"(?<=[.!?])\s+", " ".join(json.loads(line)["summary"].split())):
                for n, match in enumerate(TOKEN.finditer(sentence)):
                    token = match.group()
                    if re.search(r"[a-z][A-Z]|[A-Z]{2}|[0-9]", token):
                        strong.add(token)
                    for part in re.split(r"[-_./@+]", token):
                        if part.isalpha() and len(part) > 1:
                            if part.islower():
                                low.add(part)
                            elif n:
                                cap.add(part.lower())
            lower.update(low)
            capital.update(cap)
            names.update(strong)
    words = sorted(w for w, n in lower.items() if n >= 3 and n >= 0.3 * (n + capital[w]))
    proper = {w.capitalize(): n for w, n in capital.items() if w not in words}
    known = sorted((w, n) for w, n in (proper | names).items() if n >= 15)
    (HERE / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (HERE / "names.txt").write_text("".join(f"{w}\t{n}\n" for w, n in known), encoding="utf-8")
    print(len(words), "words,", len(known), "names")


if __name__ == "__main__":
    main()
