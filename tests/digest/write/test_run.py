"""Long work that survives: nothing is paid for twice, no limit is passed, what is done is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from presscheck.digest.write.cache import Answers
from presscheck.digest.write.ledger import Ledger
from presscheck.digest.write.model import Message, Question, Reply
from presscheck.errors import BadInput
from tests.digest.write.papers import GOOD, LARCH, endpoint, larch, write
from tests.standin.model import Act, ScriptedModel, facts

PRICE = (10.0, 20.0)


def papers(count: int) -> list[Any]:
    return [larch(id=f"2407.{99100 + n}") for n in range(count)]


def good(body: dict[str, Any], number: int) -> Act:
    return Act(facts(*GOOD))


def test_a_second_run_asks_nothing_and_gives_the_same(tmp_path: Path):
    with ScriptedModel(good) as server:
        first = write(server, papers(3), cache=tmp_path)
        asked = len(server.requests)
        again = write(server, papers(3), cache=tmp_path)
    assert (asked, len(server.requests)) == (3, 3)
    assert again == first


@pytest.mark.parametrize("change", [{"version": "v2"}, {"abstract": LARCH + " It is small."}])
def test_a_changed_paper_is_asked_anew(tmp_path: Path, change: dict[str, str]):
    with ScriptedModel(good) as server:
        write(server, [larch()], cache=tmp_path)
        write(server, [larch(**change)], cache=tmp_path)
    assert len(server.requests) == 2


def test_another_model_is_asked_anew(tmp_path: Path):
    with ScriptedModel(good) as server, ScriptedModel(good) as other:
        write(server, [larch()], cache=tmp_path)
        write(other, [larch()], cache=tmp_path)
    assert len(other.requests) == 1


def test_a_repair_is_kept_too(tmp_path: Path):
    wrong = {**GOOD[0], "en": "Larch is a cache of nine hundred robots that fold towels at night."}

    def script(body: dict[str, Any], number: int) -> Act:
        return Act(facts(wrong, *GOOD[1:]) if number == 0 else facts({**GOOD[0], "mends": 1}))

    with ScriptedModel(script) as server:
        first = write(server, [larch()], cache=tmp_path)
        assert write(server, [larch()], cache=tmp_path) == first
    assert len(server.requests) == 2


def test_a_damaged_answer_is_asked_again_and_a_failed_one_is_not_kept(tmp_path: Path):
    with ScriptedModel(good) as server:
        write(server, [larch()], cache=tmp_path)
        (kept,) = tmp_path.rglob("*.json")
        kept.write_bytes(kept.read_bytes()[:50])
        write(server, [larch()], cache=tmp_path)
        assert len(server.requests) == 2
    with ScriptedModel(lambda body, number: Act(status=500)) as server:
        write(server, [larch(id="2407.99200")], cache=tmp_path)
        assert len(list(tmp_path.rglob("*.json"))) == 1


def test_the_ledger_has_every_request_with_its_tokens_and_cost(tmp_path: Path):
    ledger = tmp_path / "ledger.json"
    with ScriptedModel(good) as server:
        write(server, papers(2), ledger=ledger, price=PRICE)
    told = json.loads(ledger.read_bytes())
    assert told["edition"] == "2024-07-31"
    assert told["totals"]["requests"] == len(told["requests"]) == 2
    for one in told["requests"].values():
        assert one["dollars"] == pytest.approx((one["read"] * 10 + one["written"] * 20) / 1e6)
    assert told["totals"]["dollars"] == pytest.approx(sum(r["dollars"] for r in told["requests"].values()))


def test_the_cost_never_passes_the_limit_and_the_rest_is_quoted(tmp_path: Path):
    ledger = tmp_path / "ledger.json"
    with ScriptedModel(good) as server:
        work = write(server, papers(8), ledger=ledger, price=PRICE, limit=0.1, languages=("en",))
    told = json.loads(ledger.read_bytes())
    assert 0 < told["totals"]["dollars"] <= 0.1
    by = [entry.writer for entry in work.entries]
    assert by.count("scripted") == told["totals"]["requests"] < 8
    assert by.count("extractive") == 8 - by.count("scripted")
    assert "limit" in work.problems[0].what


def test_what_was_spent_before_counts_when_a_run_goes_on(tmp_path: Path):
    ledger, cache = tmp_path / "ledger.json", tmp_path / "cache"
    with ScriptedModel(good) as server:
        write(server, papers(2), ledger=ledger, cache=cache, price=PRICE, languages=("en",))
        spent = json.loads(ledger.read_bytes())["totals"]["dollars"]
        write(server, papers(8), ledger=ledger, cache=cache, price=PRICE, limit=spent, languages=("en",))
    assert len(server.requests) == 2, "the limit is used up, and what is kept costs nothing"


def test_a_limit_without_a_price_is_refused():
    with ScriptedModel(good) as server, pytest.raises(BadInput) as error:
        write(server, papers(1), limit=1.0)
    assert "needs the price" in error.value.message
    assert "--price" in error.value.hint


def test_a_ledger_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path):
    path = tmp_path / "ledger.json"
    path.write_text("{}")
    with ScriptedModel(good) as server, pytest.raises(BadInput, match="what was spent is not known"):
        Ledger(path, "2024-07-31", endpoint(server))


def test_a_key_depends_on_everything_that_an_answer_depends_on():
    answers = Answers(None)
    question = Question(messages=(Message("user", "a"),), schema={"x": 1}, most=10)
    base = answers.key(larch(), "model", question)
    others = [
        answers.key(larch(version="v2"), "model", question),
        answers.key(larch(id="2407.99009"), "model", question),
        answers.key(larch(), "other", question),
        answers.key(larch(), "model", msgspec.structs.replace(question, most=11)),
        answers.key(larch(), "model", msgspec.structs.replace(question, schema={"x": 2})),
        answers.key(larch(), "model", msgspec.structs.replace(question, messages=(Message("user", "b"),))),
    ]
    assert len({base, *others}) == 7


def test_an_answer_is_read_back_as_it_was_kept(tmp_path: Path):
    answers = Answers(tmp_path)
    reply = Reply(text='{"x": "한국어 \\u2028"}', finish="length", read=3, written=4, seconds=1.5)
    answers.put("ab12", larch(), "m", reply)
    assert answers.get("ab12") == reply
    assert answers.get("ab13") is None


COMMAND = [
    sys.executable, "-m", "presscheck", "edition", "2024-07-31", "--language", "en", "--style", "detailed",
    "--writer", "openai:scripted",
]  # fmt: skip


def _edition(server: ScriptedModel, home: Path) -> subprocess.Popen[bytes]:
    """`presscheck edition` by the scripted server, in a process of its own."""
    lines = [
        {
            "id": paper.id,
            "title": paper.title,
            "summary": LARCH,
            "authors": ["Ada Larch"],
            "date": "2024-07-31",
        }
        for paper in papers(12)
    ]
    source = home / "papers.jsonl"
    source.write_text("\n".join(json.dumps(line) for line in lines))
    return subprocess.Popen(
        [*COMMAND, "--base-url", server.url, "--papers", str(source), "--out", str(home / "out")],
        env={**os.environ, "PRESSCHECK_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_edition_that_is_killed_in_the_middle_goes_on_and_asks_nothing_twice(
    how: signal.Signals, own_home: Path
):
    def script(body: dict[str, Any], number: int) -> Act:
        # Answers 1 to 5 come at once, the others only when the first process is gone.
        return Act(facts(*GOOD), pause=0.0 if number < 5 or server.resumed else 60.0)

    with ScriptedModel(script) as server:
        server.resumed = False
        process = _edition(server, own_home)
        until = time.monotonic() + 60
        kept = own_home / "cache" / "answers"
        while len(list(kept.rglob("*.json"))) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(how)
        out, said = process.communicate(timeout=60)
        assert process.returncode != 0
        if how == signal.SIGINT:
            assert b"What was finished is kept" in said
        answered = server.answered
        assert answered == 5
        assert not (own_home / "out" / "2024-07-31" / "edition.json").exists()
        server.resumed = True
        process = _edition(server, own_home)
        out, said = process.communicate(timeout=90)
        assert process.returncode == 0, said.decode()
        assert server.answered == 12, "five were kept, seven are new"
    edition = json.loads((own_home / "out" / "2024-07-31" / "edition.json").read_bytes())
    assert {entry["writer"] for entry in edition["entries"]} == {"scripted"}
    (ledger,) = (own_home / "ledgers").glob("2024-07-31-scripted-*.json")
    assert json.loads(ledger.read_bytes())["totals"]["requests"] == 12
