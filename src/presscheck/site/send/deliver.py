"""Sends one edition to one target, part by part, by the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from presscheck.edition.published import DATE, JSON_NAME, list_editions
from presscheck.errors import BadInput, PresscheckError, Unreachable
from presscheck.site.send.ledger import Ledger, Sent
from presscheck.site.send.message import Message
from presscheck.site.send.outcome import NotKnown
from presscheck.site.send.targets import Target, content_of
from presscheck.types import Edition, Struct

if TYPE_CHECKING:
    from presscheck.papers.library import Library


class Delivered(Struct, frozen=True, kw_only=True):
    """What became of it."""

    edition: str
    target: str
    parts: int
    """Messages that it is made of."""
    sent: int
    """Of these, sent by this call."""
    before: str = ""
    """When it had been sent already; empty if it had not."""
    changed: bool = False
    """It had been sent, and has changed since."""
    refused: dict[str, str] = {}
    """Recipients that the mail server refused, with why."""


def published(out: Path, date: str) -> Edition:
    """An edition of a folder.

    Args:
        out: the folder of published editions.
        date: its day; empty for the newest.

    Raises:
        BadInput: if there is none, or it cannot be read.
    """
    from presscheck.digest.jsonfile import edition_from_json

    if not date:
        listed = list_editions(out).editions
        if not listed:
            raise BadInput(f"no edition is published in {out}", hint="`presscheck edition` builds the newest")
        date = listed[0].date
    if not DATE.fullmatch(date):
        raise BadInput(f"`{date[:40]}` is no day: it has to be YYYY-MM-DD")
    path = out / date / JSON_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"no edition of {date} is published in {out}", hint=f"`presscheck edition {date}` builds it"
        ) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    return edition_from_json(data, str(path))


def deliver(
    message: Message, name: str, target: Target, library: Library, *, again: bool = False
) -> Delivered:
    """Send what has not been sent.

    Args:
        message: from ``message_of``.
        name: the target's name.
        target: from ``targets.target_of``, checked.
        library: where the ledger is.
        again: send all of it, whatever the ledger says.

    Raises:
        BadInput: if the target refuses, or a former run leaves it open whether a part arrived.
        Unreachable: if the target cannot be asked. What was sent is in the ledger.
        NotKnown: if a part may have arrived.
    """
    parts = target.parts(message)
    new = Sent(edition=message.date, target=name, to=target.to, content=content_of(parts), parts=len(parts))
    with library.lock(f"send-{name}"):
        ledger = Ledger(library.home)
        last = None if again else ledger.find(message.date, name, target.to)
        if last is not None and (last.complete or last.begun or last.content != new.content):
            return _as_before(last, new)
        entry = last or new
        refused: dict[str, str] = {}
        sent = 0
        for number, part in enumerate(parts, 1):
            if number in entry.done:
                continue
            before = entry
            entry = ledger.put(msgspec.structs.replace(entry, begun=number))
            try:
                refused |= target.send(part)
            except NotKnown as error:
                raise NotKnown(
                    f"{error.message}: part {number} of {len(parts)} may have been sent",
                    hint="look there first; `--again` sends the whole edition again",
                ) from None
            except (BadInput, Unreachable) as error:
                ledger.put(msgspec.structs.replace(before, begun=0))
                if before.done:
                    gone = f"{error.message} ({len(before.done)} of {len(parts)} parts were sent before)"
                    raise type(error)(gone, hint=error.hint) from None
                raise
            done = tuple(sorted({*entry.done, number}))
            entry = ledger.put(msgspec.structs.replace(entry, begun=0, done=done))
            sent += 1
    return Delivered(edition=message.date, target=name, parts=len(parts), sent=sent, refused=refused)


def _as_before(last: Sent, new: Sent) -> Delivered:
    """What there is to say of an edition that was sent, wholly or in part."""
    if last.begun:
        raise BadInput(
            f"part {last.begun} of {last.parts} of {last.edition} may have been sent to {last.target} on "
            f"{last.at}: that run was stopped in the middle",
            hint="look there first; `--again` sends the whole edition again",
        )
    if not last.complete:
        raise BadInput(
            f"{len(last.done)} of {last.parts} parts of {last.edition} were sent to {last.target} on "
            f"{last.at}, and the edition has changed since",
            hint="`--again` sends the whole edition as it is now",
        )
    changed = last.content != new.content
    return Delivered(
        edition=new.edition, target=new.target, parts=new.parts, sent=0, before=last.at, changed=changed
    )


def words_of(error: PresscheckError) -> str:
    """An error and its hint in one line."""
    return f"{error.message} ({error.hint})" if error.hint else error.message
