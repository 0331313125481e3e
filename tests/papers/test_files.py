"""Files of papers: every kind told by its content, every fault by its place."""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.errors import BadInput
from presscheck.papers.files import IdList, iter_papers, read_bytes, read_file, read_papers
from presscheck.papers.literal import parse_literal
from presscheck.papers.snapshots import Snapshot, encode_snapshot
from presscheck.types import Day, Problem
from tests.standin.client import client_for
from tests.standin.papers import arxiv_id, atom_entry, atom_error, atom_feed, daily_list
from tests.standin.server import GATEWAY, StandIn

DATE = "2026-01-07"
LIST = daily_list(DATE, 5)
NAMES = [entry["paper"]["id"] for entry in LIST]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A line of an archive."""
    fields = {
        "date": DATE,
        "id": arxiv_id(DATE, number),
        "title": f"Brindle-{number}: Shorter\n  Proofs",
        "authors": ["Ada Ng", "Bo Li"],
        "published_at": "2026-01-05T17:00:00.000Z",
        "summary": "We shorten proofs by 12%.",
        "upvotes": number,
        "thumbnail": None,
        "github_repo": "https://github.com/example/brindle",
        "submitted_on_daily_at": None,
    }
    return fields | changes


def lines(*rows: Any) -> bytes:
    return b"".join((one if isinstance(one, str) else json.dumps(one)).encode() + b"\n" for one in rows)


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


SHAPES = {
    "a list of objects": json.dumps(LIST),
    "the same, indented": json.dumps(LIST, indent=2, ensure_ascii=False),
    "with a byte-order mark": "\ufeff" + json.dumps(LIST),
    "a list of Python texts": json.dumps([repr(entry) for entry in LIST]),
    "Python texts with nan": json.dumps([repr({**e, "numComments": float("nan")}) for e in LIST]),
    "a Python text as a whole": repr(LIST),
    "JSON with NaN": json.dumps([{**entry, "numComments": float("nan")} for entry in LIST]),
    "a snapshot": encode_snapshot(
        Snapshot(date=DATE, taken="2026-01-07T10:00:00Z", pages=(LIST[:3], LIST[3:]))
    ).decode(),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_list_reads_the_same_in_every_shape(tmp_path: Path, shape: str, packed: bool) -> None:
    data = SHAPES[shape].encode()
    day = read_papers(write(tmp_path, "list.data", gzip.compress(data) if packed else data))
    plain = read_bytes(json.dumps(LIST).encode(), "list.json")
    assert isinstance(plain, Day)
    assert [paper.id for paper in day.papers] == NAMES
    same = [(p.title, p.abstract_original, p.authors, p.votes, p.listed, p.date) for p in plain.papers]
    assert [(p.title, p.abstract_original, p.authors, p.votes, p.listed, p.date) for p in day.papers] == same


def test_the_number_one_is_an_empty_day(tmp_path: Path) -> None:
    day = read_papers(write(tmp_path, "2026-01-10.json", "1\n"))
    assert (day.date, day.papers, day.problems) == ("2026-01-10", (), ())


def test_the_day_comes_from_the_entries_before_the_name(tmp_path: Path) -> None:
    assert read_papers(write(tmp_path, "2020-02-02.json", json.dumps(LIST))).date == DATE
    for entry in (old := json.loads(json.dumps(LIST))):
        del entry["paper"]["submittedOnDailyAt"]
    assert read_papers(write(tmp_path, "day-2020-02-02-again.json", json.dumps(old))).date == "2020-02-02"
    undated = read_papers(write(tmp_path, "list.json", json.dumps(old)))
    assert undated.date == DATE  # by the last time that a paper was put on the list
    assert {paper.date for paper in undated.papers} == {DATE}


def test_a_file_was_taken_no_earlier_than_its_latest_time(tmp_path: Path) -> None:
    entries = json.loads(json.dumps(LIST))
    entries[2]["paper"]["authors"][0]["statusLastChangedAt"] = "2026-01-07T15:00:01.500Z"
    entries[3]["publishedAt"] = "2999-01-01T00:00:00.000Z"  # no clock of ours has shown that yet
    day = read_papers(write(tmp_path, "x.json", json.dumps(entries)))
    assert (day.taken, day.state) == ("2026-01-07T15:00:01Z", "unknown")
    assert {paper.votes_at for paper in day.papers} == {"2026-01-07T15:00:01Z"}
    entries[2]["paper"]["authors"][0]["statusLastChangedAt"] = "2026-01-08T00:00:00.000Z"
    assert read_papers(write(tmp_path, "y.json", json.dumps(entries))).state == "closed"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "misnamed.txt"])
def test_json_lines_read_plain_and_packed(tmp_path: Path, name: str) -> None:
    data = lines(row(1), "", row(2, upvotes=None), row(3, date="2026-01-08"))
    day = read_papers(write(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data))
    assert [(p.date, p.votes) for p in day.papers] == [(DATE, 1), (DATE, None), ("2026-01-08", 3)]
    assert day.date == ""
    assert day.papers[0].title == "Brindle-1: Shorter Proofs"
    assert [author.name for author in day.papers[0].authors] == ["Ada Ng", "Bo Li"]
    assert day.papers[0].votes_at == ""  # an archive does not say when it counted


def test_a_single_line_is_an_archive_of_one(tmp_path: Path) -> None:
    assert read_papers(write(tmp_path, "one.jsonl", lines(row(1)))).date == DATE


def test_a_bad_line_costs_only_itself_and_is_named(tmp_path: Path) -> None:
    data = lines(row(1), '{"id": ', row(2, authors=None), row(3, date="soon"), row(1), row(4))
    path = write(tmp_path, "a.jsonl", data)
    day = read_papers(path)
    assert [paper.votes for paper in day.papers] == [1, 4]
    assert [problem.kind for problem in day.problems] == ["bad paper"] * 3 + ["duplicate"]
    assert "line 2" in day.problems[0].what
    assert f"{path}, line 3: $.authors is missing" in day.problems[1].what
    assert "$.date is `soon`" in day.problems[2].what


def test_one_bad_entry_of_fifty_is_named_by_file_and_field(tmp_path: Path) -> None:
    entries = daily_list(DATE, 50)
    entries[3]["paper"]["id"] = 5
    path = write(tmp_path, "x.json", json.dumps(entries))
    day = read_papers(path)
    assert len(day.papers) == 49
    assert [problem.what for problem in day.problems] == [
        f"{path}: $[3].paper.id is a number: it has to be text"
    ]


CUT = gzip.compress(json.dumps(daily_list(DATE, 40)).encode())[:-100]
FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t", "is empty"),
    "cut JSON": (json.dumps(LIST).encode()[:-50], "is not JSON: "),
    "an HTML page": (GATEWAY.encode(), "is an HTML page (“502 Bad gateway”)"),
    "an HTML page with a comment": (b"<!-- x -->\n<html><body>", "is an HTML page"),
    "a cut gzip file": (CUT, "is a gzip file that was cut"),
    "a broken gzip file": (CUT[:200] + b"\xff" * 200 + CUT[400:], "gzip file"),
    "no UTF-8": (b'[{"title": "caf\xe9"}]', "is not UTF-8: byte 0xe9 at offset 15"),
    "an error object": (b'{"error": "Invalid date"}', "holds an error in place of a list: Invalid date"),
    "another object": (b'{"papers": []}', "`$` is an object: it has to be a list of papers"),
    "a text": (b'"hello"', "`$` is text"),
    "another number": (b"2", "is of no known kind"),
    "numbers": (b"[1, 2]", "$[0] is a number: it has to be an object"),
    "other objects": (b'[{"a": 1}]', "$[0].id is missing"),
    "other lines": (b'{"a": 1}\n{"a": 2}\n', "$.id is missing"),
    "other texts": (b'["hello"]', "$[0] is not a Python literal: `hello`"),
    "a call as text": (b'["__import__(1)"]', "is not a Python literal"),
    "prose": (b"We hold these papers to be short.", "is of no known kind"),
    "another XML": (b"<rss><channel/></rss>", "is not an Atom feed: its root is `rss`"),
    "broken XML": (b"<feed><entry>", "is not XML"),
    "entities": (b'<!DOCTYPE f [<!ENTITY a "b">]><feed>&a;</feed>', "declares a document type or entities"),
    "an Atom error": (atom_error("incorrect id format").encode(), "is an error: incorrect id format"),
    "deep JSON": (b"[" * 100_000, "nested too deeply"),
    "deep Python": (json.dumps(["[" * 500]).encode(), "nested more than 64 deep"),
    "a newer snapshot": (b'{"schema": 99, "pages": []}', "schema 99: this presscheck reads up to 1"),
    "half a snapshot": (b'{"pages": []}', "is not a snapshot: Object missing required field `date`"),
    "BibTeX without papers": (b"@comment{nothing}", "has no BibTeX entry of a paper"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_read_is_told_with_its_name(tmp_path: Path, fault: str) -> None:
    data, words = FAULTS[fault]
    path = write(tmp_path, "input", data)
    with pytest.raises(BadInput) as error:
        read_papers(path)
    assert words in error.value.message
    assert str(path) in error.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no file .*nothing.json"):
        read_papers(tmp_path / "nothing.json")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no files"):
        read_papers(tmp_path)


def test_a_folder_is_all_its_files_and_names_those_it_cannot_use(tmp_path: Path) -> None:
    write(tmp_path, "2026-01-07.json", json.dumps(LIST))
    write(tmp_path, "2026-01-08.json", json.dumps(daily_list("2026-01-08", 2)))
    write(tmp_path, "again.json", json.dumps(LIST[:1]))
    write(tmp_path, "README", "These are lists.")
    write(tmp_path, ".hidden", "not ours")
    day = read_papers(tmp_path)
    assert len(day.papers) == 7
    assert day.date == ""
    assert {paper.date for paper in day.papers} == {DATE, "2026-01-08"}
    assert [(problem.kind, problem.where) for problem in day.problems] == [
        ("warning", "README"),
        ("duplicate", NAMES[0]),
    ]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(json.dumps(LIST).encode())))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert [paper.id for paper in read_papers("-").papers] == NAMES


IDS_FILE = f"""# read on the train
{NAMES[0]}
arXiv:{NAMES[1]}v2, https://arxiv.org/abs/cs/0112017   # an old one
10.48550/arXiv.{NAMES[2]} Brindle: the paper with the proofs
not this line
{NAMES[0]}
"""


def test_a_list_of_ids_says_what_to_fetch(tmp_path: Path) -> None:
    found = read_file(write(tmp_path, "ids.txt", IDS_FILE))
    assert isinstance(found, IdList)
    assert ["".join(one) for one in found.ids] == [NAMES[0], f"{NAMES[1]}v2", "cs/0112017", NAMES[2]]
    assert [problem.kind for problem in found.problems] == ["bad paper", "duplicate"]
    assert "line 5" in found.problems[0].what


def test_a_file_with_a_single_id_is_a_list_and_no_number(tmp_path: Path) -> None:
    assert isinstance(read_file(write(tmp_path, "ids.txt", "2407.21018")), IdList)


def test_a_list_of_ids_needs_a_client_and_is_fetched_by_it(tmp_path: Path) -> None:
    path = write(tmp_path, "ids.txt", "\n".join(NAMES))
    with pytest.raises(BadInput, match="list of arXiv ids"):
        read_papers(path)
    with StandIn() as service, client_for(service) as client:
        assert [paper.id for paper in read_papers(path, client).papers] == NAMES


def test_an_atom_file_reads(tmp_path: Path) -> None:
    feed = atom_feed([atom_entry(name, 2) for name in [*NAMES, NAMES[0]]])
    day = read_papers(write(tmp_path, "query.xml", feed))
    assert [(paper.id, paper.version) for paper in day.papers] == [(name, "v2") for name in NAMES]
    assert day.taken == "2026-01-05T05:00:00Z"
    assert [problem.kind for problem in day.problems] == ["duplicate"]


def test_lone_surrogates_never_reach_a_paper(tmp_path: Path) -> None:
    entry = json.loads(json.dumps(LIST[0]))
    entry["paper"]["title"] = "Brindle \ud800 Proofs"
    day = read_papers(write(tmp_path, "x.json", json.dumps([entry])))
    assert day.papers[0].title_original == "Brindle \ufffd Proofs"
    day.papers[0].title.encode()


def test_an_archive_streams_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    filler = "Every sentence of this text is like the one before it. " * 240
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number in range(1000):
            file.write(lines(row(0, id=f"26{1 + number % 12:02d}.{number:05d}", title=f"Paper {number}",
                                 summary=filler[:200], filler=filler)))  # fmt: skip
    tracemalloc.start()
    papers = iter_papers(path)
    next(papers)
    tracemalloc.reset_peak()
    count = 1 + sum(1 for _ in papers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1000
    assert peak < 6 * 2**20  # the file holds 13 MB


def test_a_cut_archive_gives_what_came_before_the_cut_and_then_says_so(tmp_path: Path) -> None:
    data = b"".join(lines(row(n % 400, title=f"Paper {n * 7919}", date=f"2026-01-{1 + n // 400:02d}"))
                    for n in range(3000))  # fmt: skip
    path = write(tmp_path, "a.jsonl.gz", gzip.compress(data)[:-2000])
    got = []
    with pytest.raises(BadInput, match="gzip file that was cut"):
        for paper in iter_papers(path):
            got.append(paper)
    assert len(got) > 100


def test_iterating_tells_problems_and_reads_every_kind(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", lines(row(1), row(1)))
    write(tmp_path, "b.json", json.dumps(LIST))
    problems: list[Problem] = []
    assert len(list(iter_papers(tmp_path, problems))) == 6
    assert [problem.kind for problem in problems] == ["duplicate"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': [1, -2.5, 1e3], 'b': (None, True), \"c\": 'it\\'s'}",
         {"a": [1, -2.5, 1000.0], "b": [None, True], "c": "it's"}),
        ("{'votes': nan, 'x': -inf}", {"votes": None, "x": None}),
        ("{}", {}),
        ("{'a', 'b'}", ["a", "b"]),
        ("'caf\\xe9 \\u00e9 \\U0001f600 \\n \\\\'", "café é 😀 \n \\"),
    ],
)  # fmt: skip
def test_python_texts_are_read(text: str, value: Any) -> None:
    assert parse_literal(text, "x") == value


STORED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(STORED)
def test_whatever_python_writes_is_read_back(value: Any) -> None:
    assert parse_literal(repr(value), "x") == value


PIECES = ["'", '"', "\\", "\\'", '\\"', "\\\\", "\\n", "\\x41", "\\u00e9", "a", " ", "\n"]


@given(st.lists(st.sampled_from(PIECES)))
def test_a_text_is_read_as_python_reads_it_or_refused(pieces: list[str]) -> None:
    written = f"'{''.join(pieces)}'"
    try:
        value = parse_literal(written, "x")
    except BadInput:
        # Texts that stand side by side are one to Python, and more than a literal to us.
        whole = re.fullmatch(r"'(?:[^'\\\n]|\\(?:[\\'\"an]|x41|u00e9))*'", written)
        assert whole is None
    else:
        assert value == ast.literal_eval(written)


def test_a_long_text_that_does_not_end_costs_no_square() -> None:
    begun = time.process_time()
    for piece in ("a", "\\n", "a\\'"):
        with pytest.raises(BadInput):
            parse_literal("'" + piece * 300_000, "x")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text",
    ["", "{", "{'a'}}", "{'a': 1,, }", "f'{1}'", "open('x')", "a.b", "1 + 1", "{1: 2}", "'a' 'b'", "b'a'",
     "[1 2]", "'\\q'", "'unterminated", "lambda: 1", "{'a': 1, 'b'}", "'\\U99999999'", "{**{}}", "[*'ab']"],
)  # fmt: skip
def test_what_is_more_than_a_literal_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a Python literal"):
        parse_literal(text, "x")


@pytest.mark.shared
def test_the_stored_answers_come_whole_and_exact(shared_data: Path) -> None:
    for name, count in {"2024-07-22": 16, "2024-07-31": 10, "2024-10-07": 13, "2024-10-23": 10,
                        "2024-12-25": 9, "2024-12-27": 4}.items():  # fmt: skip
        path = shared_data / "api" / f"{name}.json"
        day = read_papers(path)
        raw = [parse_literal(e, "x") if isinstance(e, str) else e for e in json.loads(path.read_text())]
        assert (day.date, len(day.papers), day.problems) == (name, count, ())
        for paper, entry in zip(day.papers, raw, strict=True):
            assert paper.id == entry["paper"]["id"]
            assert paper.abstract_original == entry["paper"]["summary"]
            assert len(paper.authors) == len(entry["paper"]["authors"])
            assert paper.votes == entry["paper"]["upvotes"]


@pytest.fixture
def archive(shared_data: Path) -> Iterator[Path]:
    yield shared_data / "daily_papers_2024-05_2026-03.jsonl.gz"


@pytest.mark.shared
def test_the_archive_streams_whole(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Cleaning has its own tests, and takes most of the time.
    from presscheck.papers import entries
    from presscheck.types import Paper

    def uncleaned(**fields: Any) -> Paper:
        fields.pop("problems")
        return Paper(**fields | {"authors": tuple(fields["authors"])})

    monkeypatch.setattr(entries, "make_paper", uncleaned)
    problems: list[Problem] = []
    sizes = [len(paper.authors) for paper in iter_papers(archive, problems)]
    assert (len(sizes), max(sizes), problems) == (9575, 3303, [])
