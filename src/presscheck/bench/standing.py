"""How the claims of each system stand: its newest record, and what follows from it."""

from __future__ import annotations

from pathlib import Path

from presscheck.bench import records
from presscheck.bench.machine import claims_hash, folder_hash
from presscheck.bench.verdict import judge
from presscheck.catalog import System, systems
from presscheck.claims import SIZES, Claim, Manifest, Record, Verdict
from presscheck.errors import BadInput
from presscheck.papers.library import default_home
from presscheck.types import Struct

OTHER_CODE = "the system's code has changed since"
OTHER_CLAIMS = "the claims file has changed since"


class Standing(Struct, frozen=True, kw_only=True):
    """A system with its newest record. Without a record every claim is "not measured"."""

    system: System
    manifest: Manifest | None = None
    """None if the system is broken; ``system.broken`` says why."""
    record: Record | None = None
    path: Path | None = None
    shipped: bool = False
    """The record is the reference machine's, not the user's."""
    stale: tuple[str, ...] = ()
    """What has changed since the record: it is shown, but as a record of something else."""
    wrong: tuple[str, ...] = ()
    """Records that cannot be read."""
    verdicts: tuple[Verdict, ...] = ()
    """In the order of the claims."""

    @property
    def pairs(self) -> list[tuple[Claim, Verdict]]:
        """Each claim with its verdict."""
        return list(zip(self.manifest.claims, self.verdicts, strict=True)) if self.manifest else []

    @property
    def figure(self) -> Path | None:
        """The SVG file beside the record, where there is one."""
        figure = self.path.with_suffix(".svg") if self.path else None
        return figure if figure is not None and figure.is_file() else None


def records_folder() -> Path:
    """Where this user's records are."""
    return default_home() / "records"


def standing(system: System, roots: tuple[Path, ...] | None = None) -> Standing:
    """How one system stands.

    The record that counts is of this code rather than another, the larger size rather than the
    smaller, the user's own rather than the shipped, the newer rather than the older.

    Args:
        system: From the catalog.
        roots: Folders of records; by default those that ship and the user's own.
    """
    try:
        manifest = system.manifest()
    except BadInput:
        return Standing(system=system)
    found, wrong = [], []
    for order, root in enumerate(roots or (records.SHIPPED, records_folder())):
        good, bad = records.all_of(system.slug, root)
        found += [(path, record, order, root) for path, record in good]
        wrong += bad
    if not found:
        verdicts = tuple(
            Verdict(claim=claim.id, answer="not measured", why="no record") for claim in manifest.claims
        )
        return Standing(system=system, manifest=manifest, wrong=tuple(wrong), verdicts=verdicts)
    folder, claims = folder_hash(system.folder), claims_hash(system.folder)

    def rank(item: tuple[Path, Record, int, Path]) -> tuple[bool, int, int, str]:
        _, record, order, _ = item
        return record.code.get("folder") == folder, SIZES.index(record.size), order, record.started

    path, record, _, root = max(found, key=rank)
    stale = [OTHER_CODE] * (record.code.get("folder") != folder)
    stale += [OTHER_CLAIMS] * (record.code.get("claims") != claims)
    return Standing(
        system=system,
        manifest=manifest,
        record=record,
        path=path,
        shipped=root == records.SHIPPED,
        stale=tuple(stale),
        wrong=tuple(wrong),
        verdicts=tuple(judge(claim, record) for claim in manifest.claims),
    )


def standings() -> dict[str, Standing]:
    """How every system on this machine stands, by slug."""
    return {slug: standing(system) for slug, system in systems().items()}
