"""Finds systems: a package folder with a claims.toml is a system.

Ours lie in ``presscheck/systems``; another package names its own under the entry
point group ``presscheck.systems``; a folder on disk can be named by its path.
Nothing here imports a system.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from importlib import machinery, metadata
from pathlib import Path

import msgspec

from presscheck.claims import Manifest
from presscheck.errors import BadInput
from presscheck.types import Paper, Struct

GROUP = "presscheck.systems"
HERE = Path(__file__).parent


class System(Struct, frozen=True, kw_only=True):
    """Where a system lies. ``broken`` says why it cannot be used, if it cannot."""

    slug: str
    package: str
    folder: Path
    origin: str = "presscheck"
    """The distribution that brings it, or ``path``."""
    broken: str = ""

    def manifest(self) -> Manifest:
        """Its claims.toml.

        Raises:
            BadInput: naming file, field and place.
        """
        if self.broken:
            raise BadInput(f"the system `{self.slug}` is broken: {self.broken}")
        path = self.folder / "claims.toml"
        try:
            return _decoded(path.read_bytes())
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: {error}") from None
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror or error}") from None


@functools.lru_cache(maxsize=128)
def _decoded(claims: bytes) -> Manifest:
    """A claims.toml is looked at when a system is found and again when it is shown."""
    return msgspec.toml.decode(claims, type=Manifest)


class Planned(Struct, frozen=True, kw_only=True):
    """A paper of the shipped editions, whether its system is here or not."""

    slug: str
    arxiv: str
    edition: str
    family: str
    title: str


def planned() -> list[Planned]:
    """The papers of the shipped editions, in the order of their family's first paper."""
    lines = (HERE / "content" / "systems.tsv").read_text("utf-8").splitlines()
    names = lines[0].split("\t")
    papers = [Planned(**dict(zip(names, line.split("\t"), strict=True))) for line in lines[1:]]
    families = list(dict.fromkeys(paper.family for paper in papers))
    return sorted(papers, key=lambda paper: families.index(paper.family))


def systems() -> dict[str, System]:
    """Every system on this machine, by slug; ours first. One that cannot be used says so."""
    found: dict[str, System] = {}
    for folder in sorted((HERE / "systems").iterdir()):
        if (folder / "claims.toml").is_file():
            found[folder.name] = _checked(
                System(slug=folder.name, package=f"presscheck.systems.{folder.name}", folder=folder)
            )
    for point in metadata.entry_points(group=GROUP):
        origin = point.dist.name if point.dist else "an unknown distribution"
        slug = point.name
        if slug in found:
            why = f"{found[slug].package} is called that too: rename the entry point"
            slug = f"{slug} ({origin})"
            found[slug] = System(
                slug=slug,
                package=point.value,
                folder=Path(),
                origin=origin,
                broken=f"entry point `{point.name}`: {why}",
            )
            continue
        where = _folder_of(point.value)
        if where is None:
            why = f"entry point `{slug}` of {origin}: there is no package {point.value}"
            found[slug] = System(slug=slug, package=point.value, folder=Path(), origin=origin, broken=why)
        else:
            found[slug] = _checked(System(slug=slug, package=point.value, folder=where, origin=origin))
    return found


@functools.cache
def slugs_by_paper() -> dict[str, str]:
    """ArXiv id → slug of the system that is here for it; looked up once a process."""
    found: dict[str, str] = {}
    for slug, system in systems().items():
        if not system.broken:
            found.setdefault(system.manifest().paper.arxiv, slug)
    return found


def with_systems(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    """The papers, each with the slug of its system where there is one and the paper does not name it."""
    known = slugs_by_paper()
    return tuple(
        msgspec.structs.replace(paper, system=known[paper.id])
        if not paper.system and paper.id in known
        else paper
        for paper in papers
    )


def find(name: str) -> System:
    """A system by its slug or by the path of its folder.

    Raises:
        BadInput: if there is none, or it is broken.
    """
    if "/" in name or name.startswith("."):
        return _by_path(Path(name))
    found = systems()
    if name in found:
        if found[name].broken:
            raise BadInput(f"the system `{name}` is broken: {found[name].broken}")
        return found[name]
    known = {paper.slug: paper for paper in planned()}
    if name in known:
        raise BadInput(
            f"there is no system for `{name}` yet ({known[name].title})",
            hint="`presscheck list` shows those that can be run",
        )
    close = difflib.get_close_matches(name, [*found, *known], n=1)
    if close:
        hint = f"did you mean `{close[0]}`?"
    elif Path(name, "claims.toml").is_file():
        hint = f"to run the folder, write `./{name}`"
    else:
        hint = f"`presscheck list` shows all {len(found)}"
    raise BadInput(f"no system called `{name}`", hint=hint)


def _by_path(path: Path) -> System:
    folder = path.expanduser().resolve()
    if not (folder / "claims.toml").is_file():
        raise BadInput(
            f"{path} is no system: it has no claims.toml", hint="`presscheck new ARXIV` starts one"
        )
    if not (folder / "__init__.py").is_file():
        raise BadInput(
            f"{path} is no package: it has no __init__.py", hint="`presscheck new ARXIV` starts one"
        )
    names, top = [folder.name], folder.parent
    while (top / "__init__.py").is_file():
        names.insert(0, top.name)
        top = top.parent
    if not all(name.isidentifier() for name in names):
        raise BadInput(f"{folder.name} cannot be imported: a folder's name needs letters, digits and _")
    return System(slug=folder.name, package=".".join(names), folder=folder, origin="path")


def _checked(system: System) -> System:
    try:
        system.manifest()
    except BadInput as error:
        return msgspec.structs.replace(system, broken=error.message)
    return system


def _folder_of(package: str) -> Path | None:
    """The folder of a package that may be nested, without importing any of its parents."""
    path: list[str] | None = None
    for part in package.split("."):
        spec = machinery.PathFinder.find_spec(part, path)
        if spec is None or spec.submodule_search_locations is None:
            return _editable(package) if path is None else None
        path = list(spec.submodule_search_locations)
    return Path(path[0]) if path else None


def _editable(package: str) -> Path | None:
    """As ``_folder_of`` for a top package that only an import hook knows, as editable installs use."""
    import importlib.util

    top, *rest = package.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(list(spec.submodule_search_locations)[0], *rest)
    return folder if (folder / "__init__.py").is_file() else None
