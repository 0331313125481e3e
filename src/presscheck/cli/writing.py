"""The options that name a writer, shared by the verbs that write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from presscheck.cli.edition_print import progress
from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.digest.write.writer import ModelWriter
    from presscheck.edition.writing import DayWriter
    from presscheck.papers.library import Library
    from presscheck.papers.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def _price(_: click.Context, option: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Two sums with a comma between."""
    if value is None:
        return None
    try:
        read, written = (float(part) for part in value.split(","))
    except ValueError:
        read = written = math.nan
    if not (0 <= read < 1e6 and 0 <= written < 1e6):
        raise BadInput(
            f"--price is `{value[:40]}`: need two sums with a comma between",
            hint="`--price 0.15,0.60`: US dollars for a million tokens read and written",
        )
    return read, written


def _cost(_: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """A sum of dollars."""
    if value is None:
        return None
    try:
        cost = float(value.removeprefix("$"))
    except ValueError:
        cost = math.nan
    if not 0 <= cost < 1e9:
        raise BadInput(f"--max-cost is `{value[:40]}`: need a sum of US dollars, 0 or more")
    return cost


def _systems(_: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Slugs with commas between."""
    if value is None:
        return ()
    slugs = tuple(part.strip() for part in value.split(","))
    if not all(slugs):
        raise BadInput(
            f"--with is `{value[:80]}`: need systems with commas between", hint="as in --with think"
        )
    return slugs


def writer_options(command: F) -> F:
    """Add --writer, --with, --base-url, --price and --max-cost."""
    for option in (
        click.option(
            "--max-cost", callback=_cost, metavar="USD", help="Stop before an edition costs more than this."
        ),
        click.option(
            "--price", callback=_price, metavar="IN,OUT", help="US dollars for a million tokens in and out."
        ),
        click.option("--base-url", default="", metavar="URL", help="An OpenAI-protocol server."),
        click.option(
            "--with",
            "accelerators",
            callback=_systems,
            metavar="SYSTEM,…",
            help="Systems to switch on in an hf: model, such as think.",
        ),
        click.option(
            "--writer",
            metavar="MODEL",
            help="openai:NAME, gguf:PATH, hf:MODEL, or one from presscheck.toml; extractive needs no model.",
        ),
    ):
        command = option(command)
    return command


def open_writer(
    name: str,
    settings: Settings,
    library: Library,
    base_url: str,
    price: tuple[float, float] | None,
    accelerators: tuple[str, ...] = (),
) -> ModelWriter | None:
    """A writer by its name; None for the extractive one.

    Raises:
        BadInput: if there is no such writer, or something that it needs is missing.
    """
    from presscheck.digest.write.choose import open_model, writer_settings

    one = writer_settings(name, settings, base_url=base_url, price=price, accelerators=accelerators)
    if one is None:
        return None
    from presscheck.digest.glossary import load_glossary
    from presscheck.digest.write.cache import Answers
    from presscheck.digest.write.writer import ModelWriter

    glossary = load_glossary(Path(settings.glossary).expanduser() if settings.glossary else None)
    answers = Answers(library.cache_folder / "answers")
    return ModelWriter(open_model(one), glossary=glossary, answers=answers, most=one.most)


def writer_of(
    settings: Settings,
    library: Library,
    *,
    writer: str | None,
    base_url: str,
    price: tuple[float, float] | None,
    accelerators: tuple[str, ...],
    max_cost: float | None,
) -> DayWriter | None:
    """The writer of an edition; None for the extractive one."""
    opened = open_writer(settings.writer, settings, library, base_url, price, accelerators)
    if opened is None:
        if max_cost is not None:
            raise BadInput("the extractive writer costs nothing", hint="--max-cost goes with --writer")
        return None
    from presscheck.edition.writing import DayWriter

    return DayWriter(opened, library.home / "ledgers", max_cost, progress)


@contextmanager
def closing(writer: DayWriter | None) -> Iterator[None]:
    """Close a writer at the end, and say what it has cost."""
    try:
        yield
    finally:
        if writer is not None:
            writer.close()
            for date, spent in writer.spent.items():
                tokens = f"{spent.read:,} + {spent.written:,} tokens"
                costs = f"{spent.seconds:.0f} s · ${spent.dollars:.4f}"
                click.echo(
                    f"{date} · {writer.name} · {spent.requests} requests · {tokens} · {costs}", err=True
                )
