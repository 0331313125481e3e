"""An endpoint's faults: what is asked again, what is left out, what is told, and that nothing hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from presscheck.digest.write.endpoint import Endpoint, Patience
from presscheck.digest.write.model import Message, NoAnswer, Question, Stopped, TooLong
from presscheck.errors import BadInput, Unreachable
from tests.digest.write.papers import GOOD, QUICK, endpoint, larch, texts, write
from tests.standin.model import Act, ScriptedModel, facts

QUESTION = Question(
    messages=(Message("system", "Answer."), Message("user", "{}")), schema={"type": "object"}, most=200
)
ANSWER = '{"facts": []}'


def ask(server: ScriptedModel, stopped: Callable[[], bool] = lambda: False, **given: Any) -> Any:
    """One question to the scripted server."""
    model = endpoint(server, **given)
    try:
        return model.ask(QUESTION, stopped)
    finally:
        model.close()


def first(act: Act) -> Callable[[dict[str, Any], int], Act]:
    """A script that fails once and then answers."""
    return lambda body, number: act if number == 0 else Act(ANSWER)


@pytest.mark.parametrize(
    "act",
    [
        Act(status=429, error={"message": "slow down"}),
        Act(status=500, error={"message": "oops"}),
        Act(status=503, raw=b"<html>busy</html>"),
        Act(ANSWER * 20, cut_after=2),
        Act(ANSWER, cut_after=0),
        Act(ANSWER, stream_error={"message": "overloaded", "code": 500}),
        Act(""),
        Act(raw=b"data: {not json}\n\n", headers={"Content-Type": "text/event-stream"}),
        Act(raw=b"", headers={"Content-Type": "text/event-stream"}),
        Act(raw=b"\xff\xfe\xfd", headers={"Content-Type": "text/event-stream"}),
    ],
    ids=["429", "500", "503 html", "cut", "no end", "stream error", "empty", "no json", "nothing", "bytes"],
)
def test_a_fault_that_may_pass_is_asked_again(act: Act):
    with ScriptedModel(first(act)) as server:
        reply = ask(server)
    assert reply.text == ANSWER
    assert (reply.requests, len(server.requests)) == (2, 2)


def test_a_fault_that_stays_is_told_after_the_last_try():
    with ScriptedModel(lambda body, number: Act(status=500, error={"message": "oops"})) as server:
        with pytest.raises(NoAnswer) as error:
            ask(server)
        assert "HTTP 500, after 3 tries" in error.value.message
    assert len(server.requests) == QUICK.attempts


def test_retry_after_is_waited_for_by_all_requests():
    def script(body: dict[str, Any], number: int) -> Act:
        return Act(status=429, headers={"Retry-After": "0.4"}) if number == 0 else Act(ANSWER)

    with ScriptedModel(script) as server:
        model = endpoint(server)
        begun = time.monotonic()
        model.ask(QUESTION, lambda: False)
        assert time.monotonic() - begun >= 0.4
        model.close()


def test_a_retry_after_beyond_patience_is_told_and_not_waited_for():
    with ScriptedModel(lambda body, number: Act(status=429, headers={"Retry-After": "3600"})) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer) as error:
            ask(server)
    assert "asks to wait 3600 s" in error.value.message
    assert time.monotonic() - begun < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("act", [Act(drip=0.05), Act(ANSWER, pause=9.0)], ids=["drip", "silence"])
def test_an_answer_that_does_not_come_is_given_up_in_time(act: Act):
    patience = msgspec.structs.replace(QUICK, total=0.5, attempts=1)
    with ScriptedModel(lambda body, number: act) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            ask(server, patience=patience)
        assert time.monotonic() - begun < 3


def test_an_answer_without_end_is_cut_off():
    with ScriptedModel(lambda body, number: Act(endless=True)) as server:
        reply = ask(server)
    assert reply.finish == "length"
    assert len(reply.text) < QUESTION.most * 20


def test_a_stopped_run_does_not_wait_for_the_answer():
    with ScriptedModel(lambda body, number: Act(endless=True)) as server, pytest.raises(Stopped):
        ask(server, stopped=lambda: len(server.requests) > 0)


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        ("response_format of type json_schema is not supported", "json_schema"),
        ("unknown field stream_options", "stream_options"),
        ("temperature does not support 0 with this model", "temperature"),
        ("Unsupported parameter: max_tokens, use max_completion_tokens", "max_tokens"),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(refused: str, field: str):
    def script(body: dict[str, Any], number: int) -> Act:
        if field == "json_schema":
            has = body.get("response_format", {}).get("type") == "json_schema"
        else:
            has = field in body
        return Act(status=400, error={"message": refused}) if has else Act(ANSWER)

    with ScriptedModel(script) as server:
        model = endpoint(server)
        assert model.ask(QUESTION, lambda: False).text == ANSWER
        assert model.ask(QUESTION, lambda: False).requests == 1
        model.close()
    assert len(server.requests) == 3
    if field == "max_tokens":
        assert server.requests[-1]["max_completion_tokens"] == QUESTION.most


def test_without_counts_of_the_server_tokens_are_estimated_and_marked_so():
    with ScriptedModel(lambda body, number: Act(ANSWER * 10, usage=False)) as server:
        reply = ask(server)
    assert not reply.counted
    assert reply.written == len(ANSWER * 10) // 4


@pytest.mark.parametrize(
    ("act", "words", "hint"),
    [
        (Act(status=401, error={"message": "Incorrect API key"}), "refused the key", "TEST_KEY"),
        (Act(status=404, error={"message": "model not found"}), "no model `scripted`", "/v1"),
        (Act(status=429, error={"message": "quota", "code": "insufficient_quota"}), "no credit", ""),
        (Act(status=301, headers={"Location": "http://127.0.0.1:9/"}), "leads elsewhere", ""),
    ],
)
def test_what_no_second_try_would_change_is_told_at_once(act: Act, words: str, hint: str):
    with ScriptedModel(lambda body, number: act) as server, pytest.raises(BadInput) as error:
        ask(server)
    assert words in error.value.message
    assert hint in error.value.hint
    assert "k-secret" not in error.value.message + error.value.hint
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_told_at_once():
    model = Endpoint("m", "http://127.0.0.1:9/v1", key="k", key_name="K", patience=QUICK)
    begun = time.monotonic()
    with pytest.raises(Unreachable) as error:
        model.ask(QUESTION, lambda: False)
    assert "refused" in error.value.message
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 4096 tokens, your messages have 5096",
         "code": "context_length_exceeded"},
        {"message": "request (5031 tokens) exceeds the available context size (4031 tokens)",
         "type": "exceed_context_size_error", "n_prompt_tokens": 5031, "n_ctx": 4031},
    ],
)  # fmt: skip
def test_a_question_that_is_too_long_says_by_how_much(error: dict[str, Any]):
    script = first(Act(status=400, error=error))
    with ScriptedModel(script) as server, pytest.raises(TooLong) as told:
        ask(server)
    assert told.value.over == 1000


def test_a_paper_that_is_too_long_is_shortened_by_sentences_and_the_entry_names_them():
    paper = larch()

    def script(body: dict[str, Any], number: int) -> Act:
        if len(_sentences(body)) == 6:
            return Act(status=400, error={"message": "maximum context length is 1000, you have 1020",
                                          "code": "context_length_exceeded"})  # fmt: skip
        return Act(facts(*GOOD))

    with ScriptedModel(script) as server:
        en, ko = write(server, [paper]).entries
    shown = [one["number"] for one in _sentences(server.requests[-1])]
    assert shown == [2, 3, 4, 5, 6], "what the field was like before goes first"
    assert en.written is not None and ko.written is not None
    assert any("20 tokens" in note and "1" in note for note in en.written.notes)
    assert any("20개" in note for note in ko.written.notes)


def _sentences(body: dict[str, Any]) -> list[dict[str, Any]]:
    import json

    shown: list[dict[str, Any]] = json.loads(body["messages"][-1]["content"])["sentences"]
    return shown


def test_a_model_without_room_for_any_sentence_leaves_the_extractive_entry():
    said = "maximum context length is 16 tokens, you have 900"
    error = {"message": said, "code": "context_length_exceeded"}
    with ScriptedModel(lambda body, number: Act(status=400, error=error)) as server:
        en, _ = write(server, [larch()]).entries
    assert en.writer == "extractive"
    assert en.written is not None and "does not fit" in " ".join(en.written.notes)
    assert len(server.requests) < 10


def test_one_paper_without_an_answer_does_not_stop_the_others():
    def script(body: dict[str, Any], number: int) -> Act:
        if "Bad luck" in body["messages"][-1]["content"]:
            return Act(status=500, error={"message": "oops"})
        return Act(facts(*GOOD))

    papers = [larch(), larch(id="2407.99006", title="Bad luck with Larch"), larch(id="2407.99007")]
    with ScriptedModel(script) as server:
        work = write(server, papers, languages=("en",))
    assert [entry.writer for entry in work.entries] == ["scripted", "extractive", "scripted"]
    assert [problem.where for problem in work.problems] == ["2407.99006"]
    assert all(texts(entry)["whats_new"] for entry in work.entries)


def test_a_model_that_never_answers_ends_the_run_instead_of_quoting_everything():
    papers = [larch(id=f"2407.990{n:02}") for n in range(10, 30)]
    act = Act(status=500, error={"message": "oops"})
    with ScriptedModel(lambda body, number: act) as server, pytest.raises(Unreachable) as error:
        write(server, papers, languages=("en",))
    assert "in a row" in error.value.message
    assert len(server.requests) < 40


def test_no_more_requests_at_once_than_the_limit():
    def script(body: dict[str, Any], number: int) -> Act:
        return Act(facts(*GOOD), pause=0.05)

    papers = [larch(id=f"2407.991{n:02}") for n in range(12)]
    with ScriptedModel(script) as server:
        write(server, papers, languages=("en",), at_once=3)
    assert server.most_at_once == 3


def test_the_key_goes_to_the_server_as_a_bearer_token():
    with ScriptedModel(lambda body, number: Act(ANSWER)) as server:
        ask(server)
    assert server.keys == ["Bearer k-secret"]


def test_several_threads_share_one_client():
    with ScriptedModel(lambda body, number: Act(ANSWER)) as server:
        model = endpoint(server, patience=Patience(total=5.0))
        replies: list[str] = []
        threads = [
            threading.Thread(target=lambda: replies.append(model.ask(QUESTION, lambda: False).text))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        model.close()
    assert replies == [ANSWER] * 6
