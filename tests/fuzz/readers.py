"""What the readers promise for any bytes, and good files to start from when looking for bad ones."""

from __future__ import annotations

import gzip
import json

from presscheck.errors import PresscheckError
from presscheck.papers.files import IdList, read_bytes
from presscheck.papers.snapshots import Snapshot, encode_snapshot
from presscheck.types import Day
from tests.standin.papers import arxiv_id, atom_entry, atom_error, atom_feed, daily_list

DATE = "2026-01-07"
LIST = daily_list(DATE, 2)
ROW = {"date": DATE, "id": arxiv_id(DATE, 1), "title": "T", "authors": ["Ada Ng"], "upvotes": 0}
BIBTEX = '@string{j = "J"}\n@article{k, title = {A {B}}, author = {Ng, Ada and Li, Bo}, journal = j # "x"}\n'

SEEDS: tuple[bytes, ...] = (
    json.dumps(LIST).encode(),
    json.dumps([repr(entry) for entry in LIST]).encode(),
    repr(LIST).encode(),
    b"1",
    b'{"error": "no"}',
    b"".join(json.dumps(ROW).encode() + b"\n" for _ in range(2)),
    gzip.compress(json.dumps(ROW).encode() + b"\n", mtime=0),
    BIBTEX.encode(),
    atom_feed([atom_entry(arxiv_id(DATE, 1))]).encode(),
    atom_error("no").encode(),
    encode_snapshot(Snapshot(date=DATE, taken="2026-01-07T10:00:00Z", pages=(LIST,))),
    b"arXiv:2601.03501v2 # a note\ncs/0112017\n",
    b"<!doctype html><title>x</title>",
)


def read_any(data: bytes) -> None:
    """Read bytes as a file of papers: a Day, a list of ids, or an error for the user; nothing else.

    Raises:
        AssertionError: if what comes back cannot be written again.
    """
    try:
        found = read_bytes(data, "input-2026-01-07")
    except PresscheckError as error:
        assert error.message
        error.message.encode()
        return
    assert isinstance(found, Day | IdList)
    if isinstance(found, Day):
        for paper in found.papers:
            assert paper.id
            assert paper.title_original.strip()
            json.dumps([paper.title, paper.abstract_original, [a.name for a in paper.authors]]).encode()
            (paper.title_original + paper.abstract_original).encode()
    for problem in found.problems:
        (problem.where + problem.what).encode()
