"""`presscheck show`: one system, its claims, and what was measured."""

from __future__ import annotations

import click


@click.command(short_help="Show a system: its claims, and what was measured")
@click.argument("name", metavar="SLUG|PATH")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(name: str, as_json: bool) -> None:
    """Show a system: what it is, what its paper claims, what was measured, and where.

    A record of other code or other claims is shown as such.
    """
    from presscheck.bench.standing import standing
    from presscheck.catalog import find

    system = find(name)
    one = standing(system)
    if as_json:
        import msgspec

        from presscheck.catalog import planned
        from presscheck.cli.list_ import row

        paper = next((paper for paper in planned() if paper.slug == system.slug), None)
        manifest = msgspec.to_builtins(one.manifest)
        record = msgspec.to_builtins(one.record) if one.record else None
        click.echo(msgspec.json.encode({**row(one, paper), "manifest": manifest, "measured": record}))
        return
    from presscheck.bench.environments import installed
    from presscheck.bench.machine import in_words
    from presscheck.cli.claims_print import duration, print_claims

    manifest = one.manifest
    assert manifest is not None  # find() refuses a broken one
    module, _, imported = manifest.system.imports.partition(":")
    click.echo(f"{manifest.paper.title} · {manifest.paper.arxiv}\n{manifest.system.summary}\n")
    click.echo(f"  from {module} import {imported}")
    click.echo(f"  {system.folder / 'README.md'}\n")
    for claim in manifest.claims:
        click.echo(f"  {claim.id}: {claim.text}")
        click.echo(f"    said: {claim.reported} ({claim.source})")
        click.echo(f"    not shown here: {claim.beyond_our_scale}")
    click.echo()
    for peer, requirements in manifest.system.peers.items():
        state = "installed" if installed(peer) == requirements else f"`presscheck peer install {peer}`"
        click.echo(f"  beside {peer} ({', '.join(requirements)}): {state}")
    if one.record is None or one.path is None:
        click.echo(f"\nnot measured yet: `presscheck run {name}`")
        return
    record = one.record
    whose = "the reference machine's" if one.shipped else "yours"
    click.echo(
        f"\n{record.size} · {in_words(record.machine)} · {len(record.seeds)} seeds · "
        f"{duration(record.seconds)} · {record.started[:10]} · {whose}"
    )
    for why in one.stale:
        click.echo(f"stale: {why}")
    click.echo()
    print_claims(manifest.claims, one.verdicts)
    click.echo(f"\nrecord: {one.path}")
    for why in one.wrong:
        click.echo(f"Note: {why}", err=True)
