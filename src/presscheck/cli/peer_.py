"""`presscheck peer`: the libraries that systems are measured beside."""

from __future__ import annotations

import click

from presscheck.errors import BadInput


@click.group(short_help="Install or list the libraries that a system is measured beside")
def command() -> None:
    """Install or list the libraries that systems are measured beside.

    Each gets an environment of its own in your data folder, since many pin older
    libraries; it borrows ours for everything else, torch above all.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON a peer.")
def list_(as_json: bool) -> None:
    """List the peers of all systems, and which are installed."""
    import json

    from presscheck.bench.environments import folder_of, installed

    for name, (requirements, slugs) in peers().items():
        here = installed(name)
        state = (
            "installed" if here == requirements else "not installed" if here is None else "of another version"
        )
        if as_json:
            line = {"peer": name, "requirements": requirements, "systems": slugs, "state": state}
            click.echo(json.dumps({**line, "folder": str(folder_of(name)) if here else None}))
        else:
            click.echo(f"{name:<18}{state:<20}{', '.join(slugs):<24}{' '.join(requirements)}")


@command.command("install")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--again", is_flag=True, help="Install it anew although it is there.")
def install_(names: tuple[str, ...], again: bool) -> None:
    """Install peers, each into an environment of its own."""
    from presscheck.bench.environments import install, installed

    known = peers()
    for name in names:
        if name not in known:
            import difflib

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known) or 'none yet'}"
            raise BadInput(f"no system has a peer called `{name}`", hint=hint)
    for name in names:
        requirements, slugs = known[name]
        if installed(name) == requirements and not again:
            click.echo(f"{name} is installed")
            continue
        folder = install(name, requirements, lambda step: click.echo(step, err=True))
        click.echo(f"{name} is installed in {folder}; `presscheck run {slugs[0]}` measures beside it")


def peers() -> dict[str, tuple[list[str], list[str]]]:
    """Peer → its requirements, and the systems that name it.

    Raises:
        BadInput: if two systems ask for one peer with other requirements.
    """
    from presscheck.catalog import systems

    found: dict[str, tuple[list[str], list[str]]] = {}
    for system in systems().values():
        if system.broken:
            continue
        for name, requirements in system.manifest().system.peers.items():
            had, slugs = found.setdefault(name, (requirements, []))
            if had != requirements:
                raise BadInput(
                    f"{system.slug} asks for the peer {name} as {', '.join(requirements)}, {slugs[0]} as "
                    f"{', '.join(had)}: need one and the same"
                )
            slugs.append(system.slug)
    return found
