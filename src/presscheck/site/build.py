"""All editions → a site: what has changed is made anew, what nothing makes any more is removed.

A page is a function of what it is made from, so a build that changes one day leaves the
same folder as a build from nothing; the tests hold that.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from presscheck import __version__
from presscheck.edition.claims import Claims
from presscheck.errors import BadInput
from presscheck.papers.whole import write_whole
from presscheck.site.facts import DayFacts, PaperFacts, facts_of
from presscheck.site.names import paper_page
from presscheck.site.pages import Known, make_day
from presscheck.site.sources import Source, find_editions, load
from presscheck.site.store import (
    Group,
    Manifest,
    hash_of,
    is_there,
    put,
    read_manifest,
    sizes_of,
    sole_builder,
    sweep,
    write_manifest,
)
from presscheck.types import Problem, Struct

if TYPE_CHECKING:
    from presscheck.bench.standing import Standing

FEW = 6
"""Days that one process makes sooner than two that have to start first."""


class Order(Struct, frozen=True, kw_only=True):
    """How a site is wanted."""

    out: Path
    folders: tuple[Path, ...]
    """Folders of published editions; the first that has a day gives it."""
    shipped: bool = True
    url: str = ""
    cache: Path
    """Where facts of editions are kept between builds."""
    workers: int = 0
    """Processes; 0 for one a processor."""


class Built(Struct, frozen=True, kw_only=True):
    """What became of a build."""

    editions: int
    papers: int
    systems: int
    files: int
    written: int
    """Groups of files that were made anew: an edition's pages, a paper's, a page over all."""
    removed: int
    problems: tuple[Problem, ...] = ()


class _Job(Struct, frozen=True, kw_only=True):
    source: Source
    known: Known


Bar = Callable[[str, int], Any]
"""What and how many → a context that gives the function to call for each that is done."""


@functools.cache
def code_hash() -> str:
    """A hash of all that turns an edition into pages."""
    import hashlib

    digest = hashlib.sha256(__version__.encode())
    for package in ("presscheck.edition", "presscheck.site"):
        for path in sorted(_files(resources.files(package)), key=lambda each: each.name):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Any) -> Iterator[Any]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path)
        elif path.name.endswith((".py", ".html", ".css", ".js")):
            yield path


def build_site(order: Order, bar: Bar | None = None) -> Built:
    """Build a site, or bring it up to date.

    Args:
        order: What is wanted.
        bar: Shows how far it is.

    Raises:
        BadInput: if the folder is someone else's or cannot be written; what was there stays readable.
    """
    from presscheck.site.systems import all_standings

    with sole_builder(order.out):
        manifest = read_manifest(order.out)
        sources, problems = find_editions(order.folders, shipped=order.shipped)
        with _pool(order, len(sources)) as pool:
            days, broken = _facts(sources, order, pool, bar or _silent)
            problems += broken
            return _build(order, manifest, sources, days, problems, all_standings(), pool, bar or _silent)


def read_days(order: Order) -> tuple[dict[str, DayFacts], list[Problem]]:
    """The facts of all editions of a site, and what was passed over."""
    sources, problems = find_editions(order.folders, shipped=order.shipped)
    days, broken = _facts(sources, order, None, _silent)
    return days, problems + broken


def _build(
    order: Order,
    manifest: Manifest,
    sources: Sequence[Source],
    days: Mapping[str, DayFacts],
    problems: list[Problem],
    found: Mapping[str, Standing],
    pool: ProcessPoolExecutor | None,
    bar: Bar,
) -> Built:
    from presscheck.site import shared, systems
    from presscheck.site.index import build_index

    sources = [source for source in sources if source.date in days]
    papers = newest_of(days)
    whole = shared.Whole(
        order.url,
        [days[source.date] for source in reversed(sources)],
        papers,
        systems.claims_by_slug(found, ""),
    )
    sizes = sizes_of(order.out)
    jobs, inputs = _plan(order, sources, days, papers, systems.state(found))
    groups: dict[str, Group] = {}
    for key, made_from in inputs.items():
        if is_there(sizes, manifest.groups.get(key), made_from):
            groups[key] = manifest.groups[key]
    if len(groups) < len(inputs):
        # Before a file is touched the manifest says that it may not be what it was.
        doubtful = {
            key: group if key in groups else msgspec.structs.replace(group, inputs="")
            for key, group in manifest.groups.items()
        }
        write_whole(order.out / "site-manifest.json", msgspec.json.encode(Manifest(groups=doubtful)))
    written = len(inputs) - len(groups)
    wanted = [job for job in jobs if job.known.edition or job.known.makes]
    wanted = [trimmed for job in wanted if (trimmed := _trim(job, groups))]
    told = systems.claims_by_slug(found, "../")
    with bar("pages", len(wanted)) as advance:
        for made in _made(wanted, order.out, told, pool):
            groups |= {key: Group(inputs=inputs[key], files=files) for key, files in made.items()}
            advance()
    newest = [load(source) for source in reversed(sources[-shared.IN_FEED :])]
    files = shared.shared_pages(whole) | shared.feeds(whole, newest)
    files |= build_index(papers, frozenset(found), ("en", "ko"))
    files |= systems.system_files(found, frozenset(paper.id for _, paper in papers), url=order.url)
    if order.url:
        dated = {paper_page(paper.id): date for date, paper in papers}
        dated |= {f"{source.date}/index.html": source.date for source in sources}
        dated |= {name: "" for name in files if name.endswith(".html")}
        files |= shared.sitemap(order.url, dated)
    groups["shared"] = Group(inputs=hash_of(code_hash()), files=put(order.out, files))
    ours = {name for group in groups.values() for name in group.files}
    before = {name for group in manifest.groups.values() for name in group.files}
    removed = sweep(order.out, sizes, before - ours)
    write_manifest(order.out, Manifest(made=code_hash(), groups=groups))
    return Built(
        editions=len(sources),
        papers=len(papers),
        systems=len(found),
        files=len(ours),
        written=written,
        removed=removed,
        problems=tuple(problems),
    )


def newest_of(days: Mapping[str, DayFacts]) -> list[tuple[str, PaperFacts]]:
    """Every paper once, with the newest day that has a written entry of it, newest first."""
    found: dict[str, tuple[str, PaperFacts]] = {}
    for date in sorted(days, reverse=True):
        for paper in days[date].papers:
            held = found.get(paper.id)
            if held is None or (paper.written and not held[1].written):
                found[paper.id] = (date, paper)
    at = {id_: place for place, id_ in enumerate(found)}
    return sorted(found.values(), key=lambda pair: (_newest(pair[0]), at[pair[1].id]))


def _newest(date: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in date)


def _plan(
    order: Order,
    sources: Sequence[Source],
    days: Mapping[str, DayFacts],
    papers: Sequence[tuple[str, PaperFacts]],
    standing: Mapping[str, str],
) -> tuple[list[_Job], dict[str, str]]:
    """One job a day, and what each group of files is made from."""
    from presscheck.site.similar import similar

    near = {
        paper.id: tuple((papers[other][1].id, papers[other][1].title) for other in others)
        for (_, paper), others in zip(papers, similar([paper for _, paper in papers]), strict=True)
    }
    owner = {paper.id: date for date, paper in papers}
    dates: dict[str, dict[str, str]] = {}
    for date in sorted(days):
        for one in days[date].papers:
            dates.setdefault(one.id, {}).setdefault(date, one.anchor)
    jobs, inputs = [], {}
    code = code_hash()
    for at, source in enumerate(sources):
        day = days[source.date]
        makes = tuple(dict.fromkeys(one.id for one in day.papers if owner[one.id] == source.date))
        known = Known(
            url=order.url,
            previous=sources[at - 1].date if at else "",
            following=sources[at + 1].date if at + 1 < len(sources) else "",
            related=tuple(other for other in day.related if other in owner),
            similar={paper: near[paper] for paper in makes if near[paper]},
            dates={paper: tuple(dates[paper].items()) for paper in makes},
            makes=makes,
        )
        jobs.append(_Job(source=source, known=known))
        measured = {one.system: standing[one.system] for one in day.papers if one.system in standing}
        base = (code, source.hash, order.url, known.related, measured)
        inputs[f"day/{source.date}"] = hash_of(base, known.previous, known.following)
        for paper in makes:
            inputs[f"paper/{paper}"] = hash_of(base, near[paper], dates[paper])
    return jobs, inputs


def _trim(job: _Job, groups: Mapping[str, Group]) -> _Job | None:
    """A job without what is there already; None if all of it is."""
    makes = tuple(paper for paper in job.known.makes if f"paper/{paper}" not in groups)
    edition = f"day/{job.source.date}" not in groups
    if not makes and not edition:
        return None
    known = msgspec.structs.replace(job.known, makes=makes, edition=edition)
    return msgspec.structs.replace(job, known=known)


def _made(
    jobs: Sequence[_Job], out: Path, claims: Mapping[str, Claims], pool: ProcessPoolExecutor | None
) -> Iterator[dict[str, dict[str, int]]]:
    """Each job's groups with their files, as they are done."""
    work = functools.partial(_make, out=out, claims=dict(claims))
    if pool is None or len(jobs) <= FEW:
        yield from map(work, jobs)
    else:
        yield from pool.map(work, jobs, chunksize=4)


def _make(job: _Job, out: Path, claims: Mapping[str, Claims]) -> dict[str, dict[str, int]]:
    made = make_day(load(job.source), job.known, claims)
    groups = {f"paper/{paper}": put(out, files) for paper, files in made.papers.items()}
    if made.edition:
        groups[f"day/{job.source.date}"] = put(out, made.edition)
    return groups


def _facts(
    sources: Sequence[Source], order: Order, pool: ProcessPoolExecutor | None, bar: Bar
) -> tuple[dict[str, DayFacts], list[Problem]]:
    """The facts of every edition: kept ones, and those of new or changed editions."""
    found: dict[str, DayFacts] = {}
    missing = []
    decoder = msgspec.msgpack.Decoder(DayFacts)
    for source in sources:
        try:
            found[source.date] = decoder.decode(_kept(order, source).read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            missing.append(source)
    problems = []
    with bar("reading editions", len(missing)) as advance:
        answers = (
            map(_read, missing)
            if pool is None or len(missing) <= FEW
            else pool.map(_read, missing, chunksize=4)
        )
        for source, answer in zip(missing, answers, strict=True):
            if isinstance(answer, str):
                problems.append(Problem(where=source.path or source.date, what=f"passed over: {answer}"))
            else:
                write_whole(_kept(order, source), answer)
                found[source.date] = decoder.decode(answer)
            advance()
    return found, problems


def _kept(order: Order, source: Source) -> Path:
    return order.cache / f"{source.date}-{hash_of(source.hash, code_hash())}.facts"


def _read(source: Source) -> bytes | str:
    """An edition's facts as they are kept, or why there are none."""
    try:
        return msgspec.msgpack.encode(facts_of(load(source)))
    except BadInput as error:
        return error.message


@contextmanager
def _pool(order: Order, days: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for many days; none for few."""
    workers = order.workers or len(os.sched_getaffinity(0))
    if workers < 2 or days <= FEW:
        yield None
        return
    from multiprocessing import get_context

    # Spawned, since a fork of a process that has BLAS threads can hang; they start at the first job.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _silent(what: str, of: int) -> Iterator[Callable[[], None]]:
    yield lambda: None
