"""Slack, Discord and Telegram: limits, escaping, waiting, and sending once; against a local server."""

from __future__ import annotations

import html
import json
import re

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main
from presscheck.edition.publish import publish
from presscheck.papers.library import Library
from presscheck.site.send.chat import FORMS, cut, payloads, units
from presscheck.site.send.ledger import Ledger
from presscheck.site.send.message import message_of
from presscheck.site.send.webhook import PATIENCE
from tests.site.send.conftest import HOSTILE, edition_of
from tests.site.send.services import DISCORD_OK, SLACK_OK, TELEGRAM_OK, Answer, Service, service

TOKEN = "123456:SECRET-token_of_the_bot"
USUAL = {"slack": SLACK_OK, "discord": DISCORD_OK, "telegram": TELEGRAM_OK}
TOO_MANY = {
    "slack": Answer(429, b"rate_limited", {"Retry-After": "30"}),
    "discord": Answer(429, b'{"message":"You are being rate limited.","retry_after":30.0,"global":false}'),
    "telegram": Answer(429, b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30",'
                            b'"parameters":{"retry_after":30}}'),
}  # fmt: skip


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting takes no time; what was waited for is kept."""
    waited: list[float] = []
    monkeypatch.setattr("presscheck.site.send.targets.time.sleep", waited.append)
    import presscheck.site.send.targets as targets

    plain = targets.target_of
    monkeypatch.setattr(targets, "target_of", lambda name, given: plain(name, given, waited.append))
    return waited


def run(*given: str) -> Result:
    return CliRunner().invoke(main, ["send", *given])


def set_up(name: str, running: Service, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "telegram":
        monkeypatch.setenv("PRESSCHECK_TELEGRAM_TOKEN", TOKEN)
        monkeypatch.setenv("PRESSCHECK_TELEGRAM_CHAT", "@papers")
        (library.home / "presscheck.toml").write_text(f'[send.telegram]\nurl = "{running.url}"\n')
    else:
        monkeypatch.setenv(f"PRESSCHECK_{name.upper()}_WEBHOOK", f"{running.url}/services/T0/B0/SECRET")


def texts(name: str, bodies: list[dict]) -> list[str]:
    if name == "slack":
        return ["\n".join(block["text"]["text"] for block in body["blocks"]) for body in bodies]
    return [body["content" if name == "discord" else "text"] for body in bodies]


@pytest.mark.parametrize("name", ["slack", "discord", "telegram"])
def test_an_edition_is_posted_once(name: str, library: Library, monkeypatch: pytest.MonkeyPatch):
    with service(USUAL[name]) as running:
        set_up(name, running, library, monkeypatch)
        first, second = run("--to", name), run("--to", name)
        assert (first.exit_code, second.exit_code) == (0, 0), first.stderr
        assert "sent before" in second.stdout
        assert len(running.bodies) == 1
        third = run("--to", name, "--again")
        assert third.exit_code == 0
        assert len(running.bodies) == 2
    (text,) = texts(name, running.bodies[:1])
    assert "Paper 2 About the Scales of Fish" in text
    assert "SECRET" not in first.output + second.output + (library.home / "sent.json").read_text()


def test_what_each_service_wants_is_in_the_body(library: Library, monkeypatch: pytest.MonkeyPatch):
    with service(TELEGRAM_OK) as running:
        set_up("telegram", running, library, monkeypatch)
        assert run("--to", "telegram").exit_code == 0
        assert running.paths == [f"/bot{TOKEN}/sendMessage"]
        assert running.bodies[0]["chat_id"] == "@papers"
        assert running.bodies[0]["parse_mode"] == "HTML"
    message = message_of(edition_of(), "en", "easy")
    assert payloads(message, FORMS["discord"])[0]["allowed_mentions"] == {"parse": []}
    blocks = payloads(message, FORMS["slack"])[0]["blocks"]
    assert all(block["type"] == "section" and block["text"]["type"] == "mrkdwn" for block in blocks)


def test_hostile_titles_are_text_and_nothing_else():
    message = message_of(edition_of(), "en", "easy")
    slack = "".join(texts("slack", payloads(message, FORMS["slack"])))
    assert "<!channel>" not in slack
    assert "&lt;!channel&gt;" in slack
    assert re.findall(r"<(https?://[^|>]*)\|", slack)[0] == "https://arxiv.org/abs/2407.20000"
    discord = "".join(texts("discord", payloads(message, FORMS["discord"])))
    assert "\\*bold\\*" in discord
    assert "](javascript" not in discord.replace("\\]\\(", "")
    telegram = "".join(texts("telegram", payloads(message, FORMS["telegram"])))
    assert set(re.findall(r"</?([a-z]+)", telegram)) <= {"a", "b"}
    plain = html.unescape(re.sub(r"<[^>]+>", "", telegram))
    assert HOSTILE in plain, "what the reader sees is the title as it is"


@pytest.mark.parametrize("name", ["slack", "discord", "telegram"])
@pytest.mark.parametrize("statement", ["", "가나다라 & <마바사> " * 400, "*_~`|>[]()#" * 300, "😀" * 3000])
def test_no_message_is_longer_than_the_service_takes_and_no_paper_is_lost(name: str, statement: str):
    form = FORMS[name]
    bodies = payloads(message_of(edition_of(70, statement=statement), "en", "easy"), form)
    found = texts(name, bodies)
    for body, text in zip(bodies, found, strict=True):
        assert units(text) <= form.limit
        if name == "slack":
            assert len(body["blocks"]) <= 50
            assert all(1 <= len(block["text"]["text"]) <= 3000 for block in body["blocks"])
    numbers = [int(n) for text in found for n in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, 71))
    assert len(found) > 1
    for place, text in enumerate(found, 1):
        assert re.search(rf"\(?{place}/{len(found)}", text), "each part says which it is"


def test_a_text_is_cut_at_a_space_and_shows_it():
    assert cut("one two three", 13) == "one two three"
    assert cut("one two three", 10) == "one two…"
    assert cut("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("name", ["slack", "discord", "telegram"])
def test_a_service_that_asks_to_wait_is_waited_for(
    name: str, library: Library, waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    with service(USUAL[name]) as running:
        running.queue = [TOO_MANY[name], TOO_MANY[name]]
        set_up(name, running, library, monkeypatch)
        result = run("--to", name)
    assert result.exit_code == 0, result.stderr
    assert waits == [30.0, 30.0]
    assert len(running.bodies) == 3


def test_a_wait_beyond_patience_stops_and_the_next_run_goes_on_with_the_missing_part(
    library: Library, waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    publish(edition_of(40), library.editions_folder)
    with service(DISCORD_OK) as running:
        set_up("discord", running, library, monkeypatch)
        parts = len(payloads(message_of(edition_of(40), "en", "easy"), FORMS["discord"]))
        assert parts >= 3
        running.queue = [DISCORD_OK, Answer(429, b'{"retry_after": 4000}')]
        result = run("--to", "discord")
        assert result.exit_code == 1
        assert "asks to wait 4000 s" in result.stderr
        assert f"1 of {parts} parts were sent before" in result.stderr
        assert not waits, f"{PATIENCE} s is the most that is waited for"
        assert run("--to", "discord").exit_code == 0
    sent = [body["content"] for body in running.bodies]
    assert len(sent) == parts + 1, "the part that was refused is the only one that was posted twice"
    assert len(set(sent)) == parts


@pytest.mark.parametrize(
    "fault", [Answer(502, b"<html>"), Answer(500, b"rollup_error"), Answer(200, cut=True)]
)
def test_what_may_have_arrived_is_not_sent_again_unless_it_is_asked_for(
    fault: Answer, library: Library, monkeypatch: pytest.MonkeyPatch
):
    with service(SLACK_OK) as running:
        set_up("slack", running, library, monkeypatch)
        running.queue = [fault]
        first = run("--to", "slack")
        assert first.exit_code == 1
        assert "may have been sent" in first.stderr
        second = run("--to", "slack")
        assert second.exit_code == 1
        assert "may have been sent" in second.stderr
        assert len(running.bodies) == 1
        assert run("--to", "slack", "--again").exit_code == 0
        assert "sent before" in run("--to", "slack").stdout
    assert len(running.bodies) == 2


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("slack", Answer(404, b"no_service"), "no_service"),
        ("slack", Answer(403, b"action_prohibited"), "action_prohibited"),
        ("discord", Answer(404, b'{"message": "Unknown Webhook", "code": 10015}'), "Unknown Webhook"),
        (
            "telegram",
            Answer(401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}'),
            "Unauthorized",
        ),
        ("telegram", Answer(400, f'{{"ok":false,"description":"no {TOKEN} here"}}'.encode()), "no ••• here"),
    ],
)
def test_a_refusal_is_told_in_the_services_words_without_a_secret_and_can_be_tried_again(
    name: str, answer: Answer, words: str, library: Library, monkeypatch: pytest.MonkeyPatch
):
    with service(USUAL[name]) as running:
        set_up(name, running, library, monkeypatch)
        running.queue = [answer]
        result = run("--to", name)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "SECRET" not in result.output
        assert run("--to", name).exit_code == 0


def test_a_service_that_cannot_be_reached_is_told_without_its_address(
    library: Library, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PRESSCHECK_SLACK_WEBHOOK", "http://127.0.0.1:9/services/SECRET")
    result = run("--to", "slack")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr
    assert "SECRET" not in result.output


@pytest.mark.parametrize(
    "address", ["http://hooks.slack.com/SECRET", "hooks.slack.com/SECRET", "file:///SECRET"]
)
def test_a_webhook_is_only_ever_called_encrypted(
    address: str, library: Library, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PRESSCHECK_SLACK_WEBHOOK", address)
    result = run("--to", "slack")
    assert result.exit_code == 1
    assert "no https address" in result.stderr
    assert "SECRET" not in result.output


def test_a_changed_edition_is_not_sent_by_itself(library: Library, monkeypatch: pytest.MonkeyPatch):
    with service(SLACK_OK) as running:
        set_up("slack", running, library, monkeypatch)
        assert run("--to", "slack").exit_code == 0
        publish(edition_of(4), library.editions_folder)
        result = run("--to", "slack")
        assert "has changed since" in result.stdout
        assert len(running.bodies) == 1
        # Another channel is another target.
        monkeypatch.setenv("PRESSCHECK_SLACK_WEBHOOK", f"{running.url}/services/other")
        assert run("--to", "slack").stdout.endswith("sent\n")
    assert len(Ledger(library.home).all()) == 2


def test_a_dry_run_needs_no_set_up_and_sends_nothing(library: Library):
    result = run("--to", "slack", "--to", "email", "--dry-run")
    assert result.exit_code == 0
    assert "undisclosed-recipients" in result.stdout
    assert '"mrkdwn"' in result.stdout
    assert not (library.home / "sent.json").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--to", "slack"), "no webhook of slack is set"),
        (("--to", "telegram"), "token and chat missing"),
        (("--to", "email"), "e-mail is not set up"),
    ],
)
def test_what_is_not_set_up_is_told(given: tuple[str, ...], words: str, library: Library):
    result = run(*given)
    assert result.exit_code == 1
    assert words in result.stderr


def test_an_edition_that_is_not_there_is_told(library: Library):
    for date, words in (("2024-01-01", "no edition of 2024-01-01"), ("../x", "is no day")):
        result = run(date, "--to", "slack")
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_broken_ledger_stops_everything_rather_than_sending_twice(
    library: Library, monkeypatch: pytest.MonkeyPatch
):
    (library.home / "sent.json").write_text('{"sent": [')
    with service(SLACK_OK) as running:
        set_up("slack", running, library, monkeypatch)
        result = run("--to", "slack")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
    assert not running.bodies


def test_json_is_one_object_a_target(library: Library, monkeypatch: pytest.MonkeyPatch):
    with service(SLACK_OK) as running:
        set_up("slack", running, library, monkeypatch)
        row = json.loads(run("--to", "slack", "--json").stdout)
    assert (row["target"], row["parts"], row["sent"]) == ("slack", 1, 1)
