"""One measured run of a system: from its experiment to a record on disk."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from presscheck.bench import records
from presscheck.bench.machine import code, machine, packages
from presscheck.bench.run import Rounds, Run
from presscheck.catalog import System
from presscheck.claims import Manifest, Record
from presscheck.errors import BadInput
from presscheck.types import Struct


class Measured(Struct, frozen=True, kw_only=True):
    """A finished run."""

    record: Record
    path: Path


class Job:
    """A run that is about to start or to go on.

    Args:
        system: From the catalog.
        experiment: Its module ``experiment``, imported by the caller.
        run: Size, seeds, model and device.
        root: Folder of the records.
        resume: Go on with the newest unfinished run of the same code and settings.

    Raises:
        BadInput: if a claim names an arm that the experiment does not have, or there is nothing
            to resume.
    """

    def __init__(
        self, system: System, experiment: Any, run: Run, root: Path, *, resume: bool = False
    ) -> None:
        self.system, self.root, self.experiment = system, root, experiment
        self.manifest: Manifest = system.manifest()
        if run.size not in experiment.SIZES:
            sizes = ", ".join(experiment.SIZES)
            raise BadInput(f"{system.slug} has no size `{run.size}`", hint=f"it has {sizes}")
        self._start = datetime.datetime.now(datetime.UTC)
        parameters = getattr(experiment, "parameters", None)
        params = {"device": run.device, "model": run.model, "warmup": run.warmup}
        params |= {"size": str(experiment.SIZES[run.size])} | (parameters(run) if parameters else {})
        self._blank = Record(
            system=system.slug,
            paper=self.manifest.paper.arxiv,
            size=run.size,
            started=self._start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=0.0,
            machine=machine(run.device),
            packages={},
            code=code(system.folder),
            params=params,
            seeds=list(run.seeds),
            measurements=[],
        )
        self.name = records.file_name(self._blank)
        self._before = self._clock = 0.0
        earlier: Record | None = None
        if resume:
            found = records.newest_partial(self._blank, root)
            if found is None:
                raise BadInput(
                    f"there is no unfinished run of {system.slug} at this size, code and settings",
                    hint="leave out --resume to start one",
                )
            self.name, earlier = found
            self._before = earlier.seconds
        arms = experiment.arms(run)
        _check_arms(self.manifest, arms, system.folder / "claims.toml")
        self.rounds = Rounds(
            arms, run, earlier.measurements if earlier else (), earlier.skipped if earlier else None
        )
        self._started = earlier.started if earlier else self._blank.started

    @property
    def finished(self) -> int:
        """Rounds that are done."""
        return len({row.round for row in self.rounds.rows})

    def go(self, tick: Callable[[str], None]) -> Measured:
        """Run, keeping each finished round on disk, and write the record at the end.

        Raises:
            BadInput: if no arm could run; there is no record then.
        """
        self._clock = time.perf_counter()
        self.rounds.go(tick, lambda: records.keep_partial(self._record(), self.root, self.name))
        if not self.rounds.rows:
            records.drop_partial(self.system.slug, self.root, self.name)
            why = "\n".join(f"  {arm}: {reason}" for arm, reason in self.rounds.skipped.items())
            raise BadInput(f"no arm of {self.system.slug} could run:\n{why}")
        # Looking up every package's version takes a second, so partial records go without.
        record = msgspec.structs.replace(self._record(), packages=packages())
        path = records.append(record, self.root, self.name)
        records.drop_partial(self.system.slug, self.root, self.name)
        return Measured(record=record, path=path)

    def _record(self) -> Record:
        return msgspec.structs.replace(
            self._blank,
            started=self._started,
            seconds=round(self._before + time.perf_counter() - self._clock, 3),
            machine={**self._blank.machine, "gpu": machine()["gpu"]},
            measurements=list(self.rounds.rows),
            skipped=dict(self.rounds.skipped),
        )


def _check_arms(manifest: Manifest, arms: dict[str, Any], path: Path) -> None:
    for number, claim in enumerate(manifest.claims):
        for field, arm in (("arm", claim.arm), ("against", claim.against)):
            if arm is not None and arm not in arms:
                raise BadInput(
                    f"{path}: the experiment has no arm `{arm}` - at `$.claims[{number}].{field}`",
                    hint=f"its arms are {', '.join(arms)}",
                )


def unmeasured_metrics(manifest: Manifest, record: Record, path: Path) -> list[str]:
    """Claims whose metric no measured arm yields, each with file, field and place."""
    yields: dict[str, set[str]] = {}
    for row in record.measurements:
        yields.setdefault(row.arm, set()).add(row.metric)
    wrong = []
    for number, claim in enumerate(manifest.claims):
        for arm in claim.arms:
            if arm in yields and arm not in record.skipped and claim.metric not in yields[arm]:
                names = ", ".join(sorted(yields[arm]))
                wrong.append(
                    f"{path}: `{arm}` yields no metric `{claim.metric}`, only {names}"
                    f" - at `$.claims[{number}].metric`"
                )
    return wrong
