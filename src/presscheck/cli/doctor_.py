"""`presscheck doctor`: what is set up and what is not."""

from __future__ import annotations

import click


@click.command(short_help="Say what is set up and what is not")
@click.option("--offline", is_flag=True, help="Ask no service, mail server or webhook.")
@click.option("--workflow", is_flag=True, help="Print a GitHub Actions workflow that publishes daily.")
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
def command(offline: bool, workflow: bool, as_json: bool) -> int:
    """Say what is set up and what is not, with what to do about it.

    Looked at are the library, the settings, the encoder, extras, writers, programs
    of the system, mail and chats (asked, but nothing is sent), and the services.

    \b
    presscheck doctor
    presscheck doctor --workflow > .github/workflows/daily.yml

    Exit status: 0 all that is set up works; 1 something does not.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    if workflow:
        from importlib import resources

        text = resources.files("presscheck.site").joinpath("follow/daily.yml").read_text(encoding="utf-8")
        click.echo(text, nl=False)
        return 0
    from presscheck.papers.library import Library
    from presscheck.site.doctor import examine

    area, counts = "", {"ok": 0, "off": 0, "broken": 0}
    for line in examine(Library(), network=not offline):
        counts[line.state] += 1
        if as_json:
            import msgspec

            click.echo(msgspec.json.encode(line).decode())
            continue
        if line.area != area:
            click.echo(("\n" if area else "") + line.area)
            area = line.area
        sign = {"ok": " ", "off": "–", "broken": "×"}[line.state]
        click.echo(f"{sign} {line.name:<13} {line.said}")
        if line.hint and line.state != "ok":
            click.echo(f"  {'':<13} hint: {line.hint}")
    if not as_json:
        click.echo(f"\n{counts['ok']} work · {counts['off']} not set up (–) · {counts['broken']} broken (×)")
    return 1 if counts["broken"] else 0
