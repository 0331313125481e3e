"""The command line. Each verb is a module of this package, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import click

from presscheck.errors import PresscheckError

COMMANDS = {
    "edition": "Build a day's edition: Markdown, web page, feed and JSON",
    "check": "Hold every statement of a digest against its paper",
    "list": "List the papers whose claims can be run, with their latest verdicts",
    "show": "Show a system: its claims, and what was measured",
    "run": "Measure a paper's claims on this machine",
    "peer": "Install or list the libraries that a system is measured beside",
    "new": "Start a new system from a paper",
    "archive": "Keep papers and editions of many days, ready to search",
    "search": "Find papers by words and meaning, in Korean and English",
    "similar": "Find the papers nearest to one",
    "read": "Mark papers as read or starred",
    "for-me": "Rank a day's papers by what you have read and starred",
    "site": "Build all editions into a static site",
    "serve": "Browse editions, search and runs in a local web page",
    "send": "Send an edition by e-mail, Slack, Discord or Telegram",
    "doctor": "Say what is set up and what is not",
    "writers": "List the writers that are set up, and try each",
    "evaluate": "Measure a writer on the papers of the shipped editions",
}
"""Verb → one line of help, so that ``--help`` imports none of them."""


class LazyGroup(click.Group):
    """Loads a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The verb's command, or None so that click says what is wrong."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"presscheck.cli.{name.replace('-', '_')}_")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest verb where there is none of that name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `{close[0]}`?" if close else "`presscheck --help` shows all commands"
            raise PresscheckError(error.message.rstrip("."), hint=hint) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(  # type: ignore[override]  # click's overloads differ only in what standalone_mode returns
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; print a PresscheckError as an error and a hint, and exit with 2."""
        standalone = standalone_mode
        try:
            result = super().main(args, prog_name, standalone_mode=False, **extra)
        except PresscheckError as error:
            if not standalone:
                raise
            click.echo(f"Error: {error.message}", err=True)
            if error.hint:
                click.echo(f"\nhint: {error.hint}", err=True)
            raise SystemExit(2) from None
        except click.ClickException as error:
            if not standalone:
                raise
            error.show()
            raise SystemExit(error.exit_code) from None
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nStopped. What was finished is kept.", err=True)
            raise SystemExit(130) from None
        if standalone:
            raise SystemExit(result if isinstance(result, int) else 0)
        return result


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="presscheck")
def main() -> None:
    """The daily-papers digest that is checked, and whose headline results can be run.

    presscheck turns a day of machine-learning papers into an edition in which
    every statement points to the sentence of the paper that carries it.

    \b
    presscheck edition              the newest closed day
    presscheck edition 2024-07-31   that day, from the library, the network or what is shipped
    presscheck check digest.md      anybody's digest, held against its papers
    presscheck run think            a paper's claims, measured on this machine
    presscheck search 키-값 캐시     papers, found in Korean or English
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
