"""Answers that were paid for, one whole file each, so that an interrupted edition pays for nothing twice.

The key is everything that an answer depends on: the paper and its version, the model
and where it runs, the prompt's version and its words. A file that cannot be read is no
answer; deleting the folder costs money and nothing else.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from presscheck.digest.write.model import Question, Reply
from presscheck.digest.write.prompt import VERSION
from presscheck.papers.whole import write_whole
from presscheck.types import Paper, Struct


class _Kept(Struct, frozen=True, kw_only=True):
    """A file of the cache."""

    schema: int = 1
    paper: str
    version: str
    model: str
    prompt: str
    reply: Reply


class Answers:
    """The folder of the answers.

    Args:
        folder: Need not exist; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def key(self, paper: Paper, identity: str, question: Question) -> str:
        """The name of the file that has, or will have, this answer."""
        parts = [VERSION, identity, paper.id, paper.version, question]
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]

    def get(self, key: str) -> Reply | None:
        """The answer, if it is there and whole."""
        if self._folder is None:
            return None
        try:
            return msgspec.json.decode(self._path(key).read_bytes(), type=_Kept).reply
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def put(self, key: str, paper: Paper, model: str, reply: Reply) -> None:
        """Keep an answer.

        Raises:
            BadInput: if it cannot be written.
        """
        if self._folder is None:
            return
        kept = _Kept(paper=paper.id, version=paper.version, model=model, prompt=VERSION, reply=reply)
        write_whole(self._path(key), msgspec.json.encode(kept))

    def _path(self, key: str) -> Path:
        if self._folder is None:
            raise ValueError("no folder")
        return self._folder / key[:2] / f"{key}.json"
