"""`presscheck send`: an edition as an e-mail or a chat message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from presscheck.errors import PresscheckError
from presscheck.types import LANGUAGES, STYLES

if TYPE_CHECKING:
    from presscheck.site.send.deliver import Delivered


@click.command(short_help="Send an edition by e-mail, Slack, Discord or Telegram")
@click.argument("date", default="latest", metavar="[DATE|latest]")
@click.option(
    "--to",
    "names",
    multiple=True,
    required=True,
    type=click.Choice(["email", "slack", "discord", "telegram"]),
    help="Where to; may be given more than once.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--again", is_flag=True, help="Send although it was sent before.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Of the entries; the first one by default.")
@click.option("--style", type=click.Choice(STYLES), help="Of the entries; easy by default.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the editions.")
@click.option("--json", "as_json", is_flag=True, help="Print one object for each target.")
def command(
    date: str,
    names: tuple[str, ...],
    dry_run: bool,
    again: bool,
    language: str | None,
    style: str | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Send a published edition by e-mail, or to Slack, Discord or Telegram.

    Each is set up in the environment or in presscheck.toml, in the library's folder:

    \b
    [send]
    site = "https://example.org/papers"     # for links
    [send.email]
    host = "smtp.example.org"               # PRESSCHECK_SMTP_PASSWORD
    user = "me"
    sender = "Papers <me@example.org>"
    to = ["me@example.org"]

    PRESSCHECK_SLACK_WEBHOOK, PRESSCHECK_DISCORD_WEBHOOK, PRESSCHECK_TELEGRAM_TOKEN
    and PRESSCHECK_TELEGRAM_CHAT set up the others. An edition goes to a target
    once; what is too long for one message goes in several, numbered.

    Exit status: 0 sent, now or before; 1 a target failed or a recipient was refused.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.papers.library import Library
    from presscheck.papers.settings import load_settings
    from presscheck.site.send.deliver import deliver, published, words_of
    from presscheck.site.send.message import message_of
    from presscheck.site.send.targets import target_of, with_environment

    library = Library()
    settings = load_settings(library.home, out=str(out) if out else None)
    chosen = with_environment(settings.send)
    folder = Path(settings.out).expanduser() if settings.out else library.editions_folder
    edition = published(folder, "" if date == "latest" else date)
    message = message_of(
        edition,
        language or chosen.language or edition.languages[0],  # type: ignore[arg-type]  # click has checked it
        style or (chosen.style if chosen.style in edition.styles else edition.styles[0]),  # type: ignore[arg-type]
        chosen.site,
    )
    bad = 0
    for name in dict.fromkeys(names):
        target = target_of(name, chosen)
        if dry_run:
            click.echo(target.show(message))
            continue
        try:
            target.check()
            done: Delivered | None = deliver(message, name, target, library, again=again)
        except PresscheckError as error:
            bad, done = bad + 1, None
            click.echo(f"Error: {name}: {words_of(error)}", err=True)
        if done is not None:
            bad += bool(done.refused)
            _tell(done, as_json)
    return 1 if bad else 0


def _tell(done: Delivered, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(msgspec.to_builtins(done)).decode())
        return
    if done.before:
        changed = ", and has changed since: `--again` sends it anew" if done.changed else ""
        click.echo(f"{done.edition} · {done.target} · sent before, {done.before}{changed}")
    else:
        several = f" in {done.parts} messages" if done.parts > 1 else ""
        click.echo(f"{done.edition} · {done.target} · sent{several}")
    for recipient, why in done.refused.items():
        click.echo(f"Note: {recipient}: refused: {why}", err=True)
