"""`presscheck run`: measure a system's claims on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from presscheck.errors import BadInput

if TYPE_CHECKING:
    from presscheck.bench.experiment import Job, Measured
    from presscheck.catalog import System
    from presscheck.claims import Manifest, Record

SIZES = ("smoke", "quick", "full")


@click.command(short_help="Measure a paper's claims on this machine")
@click.argument("names", nargs=-1, required=True, metavar="SLUG|PATH...")
@click.option(
    "--size",
    type=click.Choice(SIZES),
    default="quick",
    show_default=True,
    help="smoke only shows that it runs; quick gives a first answer; full is for the record.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 1000), metavar="N", help="Rounds, each with a seed of its own."
)
@click.option("--model", metavar="PATH|NAME", help="Another language model, where the system measures one.")
@click.option("--device", default="cpu", show_default=True, help="Where torch computes: cpu, cuda:0.")
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option("--beside", is_flag=True, help="Run although another run is measuring; times will suffer.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the records.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each record with its verdicts as a line of JSON."
)
@click.option("--strict", is_flag=True, help="Exit with 1 unless every claim holds here.")
def command(
    names: tuple[str, ...],
    size: str,
    seeds: int | None,
    model: str | None,
    device: str,
    resume: bool,
    beside: bool,
    out: Path | None,
    as_json: bool,
    strict: bool,
) -> int:
    """Measure a paper's claims on this machine.

    Every arm (ours, the baselines, the peer libraries) runs once a round, in shuffled
    order, on the same input. A claim holds here if the whole 95 % interval of what was
    measured lies inside its bound. Each run is a record in your data folder.

    \b
    presscheck run think                     a first answer, in under two minutes
    presscheck run think --size full         the one to quote
    presscheck run ./prune                   a system of your own, by its folder
    presscheck run think --model ~/my-model  on another model

    Ctrl-C keeps the finished rounds; --resume goes on from there.
    Exit status: 0 measured; 1 with --strict, if a claim does not hold; 2 not measured.
    """  # noqa: D301 - \b is click's mark for "do not rewrap"
    from presscheck.bench.machine import same_threads
    from presscheck.bench.standing import records_folder
    from presscheck.catalog import find

    found = [find(name) for name in names]
    same_threads()
    root = out or records_folder()
    short = False
    with _alone(root, beside):
        for system in found:
            job = _job(system, root, size=size, seeds=seeds, model=model, device=device, resume=resume)
            measured = _measure(job, as_json)
            answers = _tell(job, measured, as_json)
            short |= any(answer != "holds" for answer in answers)
    return 1 if strict and short else 0


def _alone(root: Path, beside: bool) -> Any:
    """Hold the place of the one run that measures on this machine."""
    from contextlib import nullcontext

    if beside:
        return nullcontext()
    from presscheck.papers.lock import file_lock
    from presscheck.papers.whole import make_folder

    make_folder(root)
    return _Place(file_lock(root / ".running.lock", wait=0, what="a run"))


class _Place:
    """The lock, with an error that says what to do."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        try:
            self._lock.__enter__()
        except BadInput:
            raise BadInput(
                "another run is measuring on this machine: each would disturb the other's times",
                hint="wait until it is done, or use --beside where no time matters",
            ) from None

    def __exit__(self, *reason: Any) -> Any:
        return self._lock.__exit__(*reason)


def _job(
    system: System, root: Path, *, size: str, seeds: int | None, model: str | None, device: str, resume: bool
) -> Job:
    """The run, once its experiment is imported."""
    from presscheck.bench.experiment import Job
    from presscheck.bench.run import run_of
    from presscheck.importing import import_experiment

    experiment = import_experiment(system)
    if (model or device != "cpu") and not getattr(experiment, "MODELS", False):
        what = "--model" if model else "--device"
        raise BadInput(f"{system.slug} measures no language model: {what} has no meaning for it")
    run = run_of(experiment, size, seeds, device, model)  # type: ignore[arg-type]  # click has checked it
    return Job(system, experiment, run, root, resume=resume)


def _measure(job: Job, as_json: bool) -> Measured:
    """Run all rounds with a bar that says how long it will take."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total, number = job.rounds.trials, 0
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(job.system.slug, total=total)

        def tick(arm: str) -> None:
            nonlocal number
            number += 1
            bar.update(task, completed=number, description=f"{job.system.slug} · {arm}")
            if as_json:
                _event(job.system.slug, arm, number, total)

        try:
            return job.go(tick)
        except KeyboardInterrupt:
            done = job.finished
            kept = f"{done} of {len(job.rounds.run.seeds)} rounds are kept"
            again = f"presscheck run {job.system.slug} --size {job.rounds.run.size} --resume"
            click.echo(f"\n{kept}: `{again}` goes on" if done else "\nno round was finished", err=True)
            raise


def _event(slug: str, arm: str, number: int, total: int) -> None:
    """How far it is, for a program that watches: a line of JSON on standard error."""
    import json

    click.echo(json.dumps({"system": slug, "arm": arm, "done": number, "of": total}), err=True)


def _tell(job: Job, measured: Measured, as_json: bool) -> list[str]:
    """Print the claims with their verdicts, and keep the figure; returns the answers."""
    import msgspec

    from presscheck.bench.charts import draw
    from presscheck.bench.experiment import unmeasured_metrics
    from presscheck.bench.verdict import judge
    from presscheck.claims import encode

    record, manifest = measured.record, job.manifest
    verdicts = [judge(claim, record) for claim in manifest.claims]
    figure = draw(job.experiment, manifest, record, measured.path)
    for wrong in unmeasured_metrics(manifest, record, job.system.folder / "claims.toml"):
        click.echo(f"Note: {wrong}", err=True)
    if as_json:
        line = {
            "path": str(measured.path),
            "figure": str(figure) if figure else None,
            "verdicts": [msgspec.to_builtins(verdict) for verdict in verdicts],
            "record": msgspec.json.decode(encode(record)),
        }
        click.echo(msgspec.json.encode(line))
    else:
        from presscheck.cli.claims_print import print_run

        print_run(manifest, record, verdicts)
        click.echo(f"\nrecord: {measured.path}", err=True)
        if figure:
            click.echo(f"figure: {figure}", err=True)
        _hints(manifest, record)
    return [verdict.answer for verdict in verdicts]


def _hints(manifest: Manifest, record: Record) -> None:
    """What would measure a claim that was not measured."""
    from presscheck.bench.environments import installed

    for peer in manifest.system.peers:
        if installed(peer) is None and any(peer in why for why in record.skipped.values()):
            click.echo(
                f"\nhint: `presscheck peer install {peer}` lets it be measured beside {peer}", err=True
            )
