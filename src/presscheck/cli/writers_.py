"""`presscheck writers`: what can write entries here, each tried on one abstract of ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from presscheck.cli.writing import open_writer
from presscheck.errors import PresscheckError

if TYPE_CHECKING:
    from presscheck.papers.library import Library
    from presscheck.papers.settings import Settings
    from presscheck.types import Paper

ABSTRACT = (
    "Scales of a river fish carry rings that tell its age, and counting them by eye takes long. "
    "We present Dace, a small network that counts the rings in a photograph of one scale. "
    "On 1,200 photographs Dace is right for 94% of the fish, 6 points more than two trained readers."
)


@click.command(short_help="List the writers that are set up, and try each")
@click.option("--no-test", is_flag=True, help="List only; nothing is loaded or asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
@click.argument("names", nargs=-1, metavar="[NAME|MODEL]…")
def command(names: tuple[str, ...], no_test: bool, as_json: bool) -> int:
    """List the writers that are set up, each tried on one abstract of ours.

    Writers are set up in presscheck.toml, in the library's folder:

    \b
    [writers.mini]
    model = "openai:gpt-4.1-mini"      # the key is read from OPENAI_API_KEY
    price = [0.40, 1.60]               # US dollars for a million tokens in and out
    [writers.here]
    model = "gguf:~/models/model.gguf"
    [writers.lean]
    model = "hf:~/models/folder"       # a folder, a GGUF file or a name on the hub
    with = ["think"]                   # systems that are switched on in it
    [writers.ollama]
    model = "openai:qwen3"
    base_url = "http://127.0.0.1:11434/v1"

    A NAME or MODEL tries only these. A try costs a few hundred tokens.

    Exit status: 0 all can write; 1 one cannot.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    import json

    from presscheck.papers.library import Library
    from presscheck.papers.settings import load_settings

    library = Library()
    settings = load_settings(library.home)
    bad = 0
    for name in names or ("extractive", *settings.writers):
        one = settings.writers.get(name)
        begun = time.monotonic()
        try:
            said = "not tried" if no_test else _try(name, settings, library)
            good = True
        except PresscheckError as error:
            said, good = error.message, False
            if error.hint:
                said += f" ({error.hint})"
        bad += not good
        row = {
            "name": name,
            "model": one.model if one else name,
            "base_url": one.base_url if one else "",
            "default": name == settings.writer,
            "works": None if no_test else good,
            "said": said,
            "seconds": round(time.monotonic() - begun, 1),
        }
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            mark = "–" if no_test else "ok" if good else "×"
            model = f"{row['model']} {row['base_url']}".strip() if one else ""
            star = " (default)" if row["default"] else ""
            click.echo("  ".join(part for part in (mark, name + star, model, said) if part))
    return 1 if bad else 0


def _try(name: str, settings: Settings, library: Library) -> str:
    """What a writer makes of our abstract, in a few words.

    Raises:
        PresscheckError: if it cannot write.
    """
    from presscheck.digest.write.extractive import WRITER, write_all
    from presscheck.digest.write.ledger import Ledger
    from presscheck.errors import Unreachable

    writer = open_writer(name, settings, library, "", None)
    if writer is None:
        entries = write_all([_paper()], ["en"], ["easy"])
        return f"{sum(len(section.statements) for section in entries[0].sections)} statements, no model"
    try:
        ledger = Ledger(None, "", writer.model)
        work = writer.write_all([_paper()], ["en"], ["easy"], ledger)
    finally:
        writer.model.close()
    (entry,) = work.entries
    written = entry.written
    if entry.writer == WRITER or written is None:
        raise Unreachable(
            f"it answers, and nothing of it can be printed: {' '.join(written.notes) if written else ''}"
        )
    spent = ledger.totals
    cost = f", ${spent.dollars:.4f}" if writer.model.priced else ""
    first = written.kept + written.repaired + written.replaced + written.dropped
    return (
        f"{written.kept} of {first} statements pass at once, {written.repaired} repaired; "
        f"{spent.read + spent.written} tokens{cost}"
    )


def _paper() -> Paper:
    from presscheck.papers.paper import make_paper

    return make_paper(
        id="key:dace", title="Dace: Counting the Rings of Fish Scales", abstract=ABSTRACT, authors=["A. Ide"]
    )
