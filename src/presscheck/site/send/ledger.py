"""What was sent where: so that an edition goes out once, and a stopped run goes on where it stopped.

``sent.json`` in the library has one line for each edition, target and recipient. A part is
entered before it is posted and ticked off after it; one that is entered and not ticked
off may have arrived, and is not sent again unless the user says so. Recipients and
webhooks are kept as hashes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.days import stamp, utc_now
from presscheck.papers.whole import write_whole
from presscheck.types import SCHEMA, Struct

NAME = "sent.json"


class Sent(Struct, frozen=True, kw_only=True):
    """One edition at one target."""

    edition: str
    target: str
    to: str
    """Hash of who it went to."""
    content: str
    """Hash of what was sent."""
    parts: int
    done: tuple[int, ...] = ()
    """Numbers of the parts that arrived, from 1."""
    begun: int = 0
    """A part that was handed over and not answered for; 0 for none."""
    at: str = ""

    @property
    def complete(self) -> bool:
        """Whether every part arrived."""
        return len(self.done) == self.parts and not self.begun


class _File(Struct, frozen=True, kw_only=True):
    schema: int = SCHEMA
    sent: tuple[Sent, ...] = ()


class Ledger:
    """The ledger of a library. Whoever changes it holds the library's lock ``send``.

    Args:
        home: the library's folder.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / NAME

    def find(self, edition: str, target: str, to: str) -> Sent | None:
        """What was sent of an edition to a target, the newest version."""
        found = [one for one in self.all() if (one.edition, one.target, one.to) == (edition, target, to)]
        return found[-1] if found else None

    def all(self) -> list[Sent]:
        """Every line, oldest first.

        Raises:
            BadInput: if the file is there and cannot be read: sending on would be sending twice.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(f"cannot read {self.path}: {error.strerror}") from error
        try:
            return list(msgspec.json.decode(data, type=_File).sent)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput(
                f"{self.path} cannot be read: {error}",
                hint="it says what was sent already; put it right, or move it away to send again",
            ) from None

    def put(self, sent: Sent) -> Sent:
        """Enter a line, in place of the one of the same edition, target, recipient and content."""
        key = (sent.edition, sent.target, sent.to, sent.content)
        rest = [one for one in self.all() if (one.edition, one.target, one.to, one.content) != key]
        new = msgspec.structs.replace(sent, at=stamp(utc_now()))
        data = msgspec.json.encode(_File(sent=(*rest, new)))
        write_whole(self.path, msgspec.json.format(data, indent=1) + b"\n")
        return new


def hash_of(*parts: str | bytes) -> str:
    """Texts in 16 hex digits, none of which can run into the next."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:16]
