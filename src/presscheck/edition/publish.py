"""An edition → files in a folder: each day's folder changes in one step, the index and the feed after it.

A reader of the folder sees a day's old files or its new ones. What a killed
process leaves behind starts with ``LEFTOVER`` and is cleared by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from presscheck.edition.page import File, render_against, render_edition, render_index, render_neighbours
from presscheck.edition.published import DATE, JSON_NAME, Listing, list_editions, read_editions
from presscheck.errors import BadInput
from presscheck.papers.whole import LEFTOVER, cannot_write, write_whole
from presscheck.types import LANGUAGES, STYLES, Edition, Problem

if TYPE_CHECKING:
    from presscheck.edition.against import Comparison

IN_FEED = 20
"""Editions that the feed holds and that the index takes its leads and press notes from."""

INDEX_NAME, FEED_NAME = "index.html", "feed.atom"

_OURS = {INDEX_NAME, JSON_NAME, *(f"{style}.{language}.md" for style in STYLES for language in LANGUAGES)}
_AGAINST = re.compile(r"against(-\d+)?\.html")
_OLD = f"{LEFTOVER}old-"
_NAV = (b"<!--neighbours-->", b"<!--/neighbours-->")


class Published(NamedTuple):
    """The files of an edition with the index and the feed, and what was passed over."""

    files: list[Path]
    problems: list[Problem]


def publish(edition: Edition, out: Path, *, thumbnails: bool = False) -> Published:
    """Publish an edition, then the index and the feed over all editions of the folder.

    Args:
        edition: What to publish; its date names its folder.
        out: The folder; made if it is missing.
        thumbnails: Whether the page loads thumbnails as images.

    Raises:
        BadInput: if the folder cannot be written or the date is none; nothing is left behind.
    """
    files = publish_edition(edition, out, thumbnails=thumbnails)
    problems = publish_index(out)
    return Published([*files, out / INDEX_NAME, out / FEED_NAME], problems)


def publish_edition(
    edition: Edition, out: Path, *, thumbnails: bool = False, against: Sequence[Comparison] = ()
) -> list[Path]:
    """Publish one edition: page, Markdown and JSON, without the index and the feed.

    Files of the day's folder that are not ours stay as they are. Comparisons with an
    edition that is not published any more go with it.

    Args:
        edition: What to publish; its date names its folder.
        out: The folder; made if it is missing.
        thumbnails: Whether the page loads thumbnails as images.
        against: Digests of others beside this edition, each a page of its own.

    Raises:
        BadInput: if the folder cannot be written or the date is none; nothing is left behind.
    """
    if not DATE.fullmatch(edition.date):
        raise BadInput(f"the edition's date is {edition.date[:40]!r}: need YYYY-MM-DD to name its folder")
    contents = _contents(edition, thumbnails, against)  # all of it before anything is touched
    with _sole_writer(out):
        folder, target = out / f"{LEFTOVER}{edition.date}-{secrets.token_hex(6)}", out / edition.date
        try:
            folder.mkdir()
            for name, data in contents.items():
                write_whole(folder / name, data)
            _carry_over(target, folder)
            _swap(folder, target)
        except OSError as error:
            raise cannot_write(target, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return [target / name for name in contents]


def publish_index(out: Path) -> list[Problem]:
    """Write the index and the feed over all editions of a folder, and link neighbours to each other.

    Returns:
        What was passed over: editions that cannot be read.

    Raises:
        BadInput: if the folder cannot be written.
    """
    from presscheck.edition.feed import render_feed

    with _sole_writer(out):
        listing = list_editions(out)
        recent = read_editions(out, listing, IN_FEED)
        index, feed = render_index(listing.editions, recent).encode(), render_feed(recent)
        write_whole(out / INDEX_NAME, index)
        write_whole(out / FEED_NAME, feed)
        _link_neighbours(out, listing)
    return listing.problems


def _contents(edition: Edition, thumbnails: bool, against: Sequence[Comparison]) -> dict[str, bytes]:
    """The files of an edition by name."""
    from presscheck.digest.jsonfile import digest_of, edition_to_json
    from presscheck.digest.markdown.write import to_markdown

    markdown = {
        f"{style}.{language}.md": to_markdown(digest_of(edition, style, language)).encode()
        for style in edition.styles
        for language in edition.languages
    }
    comparisons = {
        f"against{f'-{number}' if number > 1 else ''}.html": render_against(one).encode()
        for number, one in enumerate(against, start=1)
    }
    beside = [
        *(File(name, name) for name in (*markdown, *comparisons)),
        File(JSON_NAME, JSON_NAME, "application/json"),
        File(FEED_NAME, f"../{FEED_NAME}", "application/atom+xml"),
    ]
    page = render_edition(edition, thumbnails=thumbnails, files=beside)
    return {INDEX_NAME: page.encode(), **comparisons, **markdown, JSON_NAME: edition_to_json(edition)}


@contextlib.contextmanager
def _sole_writer(out: Path) -> Iterator[None]:
    """Hold the folder against other processes that publish into it; the lock ends with the process."""
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _clear_leftovers(out)
        yield
    except BaseException:
        if made:  # only goes if it is empty
            with contextlib.suppress(OSError):
                out.rmdir()
        raise
    finally:
        os.close(descriptor)


def _clear_leftovers(out: Path) -> None:
    """Put right what a killed process left: under the lock, nobody is working on it any more."""
    for path in out.glob(f"{LEFTOVER}*"):
        target = out / path.name.removeprefix(_OLD)[:10]
        if path.name.startswith(_OLD) and not target.exists():
            with contextlib.suppress(OSError):
                path.rename(target)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    for path in out.glob(f"[0-9]*/{LEFTOVER}*"):  # of a page whose links to its neighbours were being written
        with contextlib.suppress(OSError):
            path.unlink()


def _carry_over(target: Path, folder: Path) -> None:
    """Bring along what a person has put beside our files."""
    if not target.is_dir():
        return
    for path in target.iterdir():
        if path.name in _OURS or _AGAINST.fullmatch(path.name) or path.name.startswith(LEFTOVER):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, folder / path.name, symlinks=True)
        else:
            shutil.copy2(path, folder / path.name, follow_symlinks=False)


def _swap(folder: Path, target: Path) -> None:
    """Give the new folder the day's name; the old one comes back if that fails."""
    old = target.with_name(f"{_OLD}{target.name}-{secrets.token_hex(6)}")
    try:
        target.rename(old)
    except FileNotFoundError:
        folder.rename(target)
        return
    try:
        folder.rename(target)
    except OSError:
        old.rename(target)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


def _link_neighbours(out: Path, listing: Listing) -> None:
    """Put the links to the editions before and after into each page where they are not yet."""
    dates = [edition.date for edition in listing.editions]
    for at, edition in enumerate(listing.editions):
        following = dates[at - 1] if at else ""
        previous = dates[at + 1] if at + 1 < len(dates) else ""
        path = out / edition.date / INDEX_NAME
        with contextlib.suppress(FileNotFoundError):
            page = path.read_bytes()
            links = render_neighbours(edition.languages, previous, following).encode()
            # The first pair is ours: escaped text cannot hold a comment.
            head, opening, rest = page.partition(_NAV[0])
            old, closing, tail = rest.partition(_NAV[1])
            if opening and closing and old != links:
                write_whole(path, head + opening + links + closing + tail)
