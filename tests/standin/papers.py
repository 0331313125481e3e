"""Papers that nobody wrote: the text is ours, its figures are made up, its form is the services'."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

SYSTEMS = ("Larkspur", "Tidewater", "Quillon", "Mossgate", "Brindle", "Ostrava", "Pellucid", "Harrowgate")
TASKS = ("long-document question answering", "code repair", "video captioning", "speech translation")
DATA = ("NarrowQA", "FixBench", "ClipTell", "TongueBridge")
FIRST = ("Mina", "Jörg", "Aiko", "Søren", "Lucía", "Wei", "Priya", "Tomáš", "하윤", "Noor")
LAST = ("Halvorsen", "Okafor", "Tanaka", "Nguyễn", "Castellanos", "Brandt", "Rao", "Dvořák", "김", "Haddad")


def arxiv_id(date: str, number: int) -> str:
    """The id of the n-th paper of a day; different days have different ids."""
    year, month, day = date.split("-")
    return f"{year[2:]}{month}.{int(day) * 500 + number:05d}"


def date_of(arxiv: str) -> tuple[str, int]:
    """The day and the number of a paper, from its id; an id that no list has gets some day of its month."""
    month, serial = arxiv.split(".")
    day = int(serial) // 500
    return f"20{month[:2]}-{month[2:]}-{day if 1 <= day <= 28 else 1 + day % 28:02d}", int(serial) % 500


def facts(date: str, number: int) -> dict[str, Any]:
    """What both services say about a paper."""
    seed = zlib.crc32(f"{date} {number}".encode())
    system = f"{SYSTEMS[seed % 8]}-{number}"
    task, data = TASKS[seed // 8 % 4], DATA[seed // 8 % 4]
    gain, rate, size = 2 + seed // 32 % 70 / 10, 2 + seed // 64 % 7, 1 + seed // 128 % 60
    authors = [
        f"{FIRST[(seed + step * 7) % 10]} {LAST[(seed // 3 + step * 3) % 10]}"
        for step in range(1 + seed // 256 % 7)
    ]
    return {
        "id": arxiv_id(date, number),
        "title": f"{system}: Cheaper Training\n  for {task.title()}",
        "abstract": (
            f"Models for {task} are costly to train, and their costs grow with the length of the\n"
            f"input. We present {system}, a training method that reuses intermediate results between\n"
            f"neighbouring examples. The method needs no change to the model. On {data}, {system}\n"
            f"improves accuracy by {gain:.1f}% over the strongest baseline and trains {rate} times faster.\n"
            f"With {size}B parameters it fits on a single accelerator. Code is available."
        ),
        "authors": authors,
        "published": (datetime.fromisoformat(date).replace(hour=17, tzinfo=UTC) - timedelta(days=2)),
        "votes": seed % 90,
    }


def daily_entry(date: str, number: int, more_votes: int = 0) -> dict[str, Any]:
    """An entry of the daily list."""
    paper = facts(date, number)
    listed = datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(minutes=3 * number)
    return {
        "paper": {
            "id": paper["id"],
            "authors": [
                {"_id": f"{zlib.crc32(name.encode()):024x}", "name": name, "hidden": step == 5}
                for step, name in enumerate(paper["authors"])
            ],
            "publishedAt": f"{paper['published']:%Y-%m-%dT%H:%M:%S}.000Z",
            "submittedOnDailyAt": f"{listed:%Y-%m-%dT%H:%M:%S}.000Z",
            "title": paper["title"],
            "summary": paper["abstract"],
            "upvotes": paper["votes"] + more_votes,
            "ai_summary": "A text of a model that must never be read.",
            "githubRepo": f"https://github.com/example/{paper['id']}",
        },
        "publishedAt": f"{listed:%Y-%m-%dT%H:%M:%S}.000Z",
        "title": " ".join(paper["title"].split()),
        "summary": paper["abstract"],
        "thumbnail": f"https://cdn-thumbnails.huggingface.co/social-thumbnails/papers/{paper['id']}.png",
        "numComments": 1,
    }


def daily_list(date: str, count: int, more_votes: int = 0) -> list[dict[str, Any]]:
    """A day's list in the service's order: by votes, most first."""
    entries = [daily_entry(date, number, more_votes) for number in range(count)]
    return sorted(entries, key=lambda entry: -entry["paper"]["upvotes"])


def atom_entry(arxiv: str, version: int = 1) -> str:
    """An entry of the arXiv API."""
    paper = facts(*date_of(arxiv)) | {"id": arxiv}
    authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in paper["authors"])
    return (
        f"<entry><id>http://arxiv.org/abs/{arxiv}v{version}</id>"
        f"<updated>{paper['published']:%Y-%m-%dT%H:%M:%SZ}</updated>"
        f"<published>{paper['published']:%Y-%m-%dT%H:%M:%SZ}</published>"
        f"<title>{escape(paper['title'])}</title><summary>  {escape(paper['abstract'])}\n</summary>{authors}"
        '<arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.LG"/>'
        '<category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>'
        '<category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/></entry>'
    )


def atom_feed(entries: list[str], total: int | None = None) -> str:
    """An answer of the arXiv API."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        "<title>ArXiv Query</title><updated>2026-01-05T00:00:00-05:00</updated>"
        '<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"{len(entries) if total is None else total}</opensearch:totalResults>{''.join(entries)}</feed>"
    )


def atom_error(message: str) -> str:
    """How the arXiv API tells an error."""
    return atom_feed(
        [
            "<entry><id>http://arxiv.org/api/errors#problem</id><title>Error</title>"
            f"<summary>{escape(message)}</summary></entry>"
        ]
    )
