"""E-mail through a real mail server with TLS: what arrives, what is refused, what is never in the clear."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import main
from presscheck.errors import BadInput, Unreachable
from presscheck.papers.library import Library
from presscheck.papers.targets import EmailSettings
from presscheck.site.send.mail import check_settings, compose, deliver
from presscheck.site.send.message import message_of
from presscheck.site.send.outcome import NotKnown
from tests.site.send.conftest import HOSTILE, edition_of
from tests.site.send.services import Mailbox, certificate, smtp


def run(*given: str) -> Result:
    return CliRunner().invoke(main, ["send", *given])


def settings(port: int, security: str = "starttls", **given: object) -> EmailSettings:
    fields = {"host": "localhost", "port": port, "security": security, "user": "user",
              "password": "right password", "sender": "Papers <me@example.org>", "to": ("you@example.org",),
              **given}  # fmt: skip
    return EmailSettings(**fields)  # type: ignore[arg-type]


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose certificate this process trusts."""
    cert, _ = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    # The server must show the certificate that is trusted, not one of its own.
    monkeypatch.setattr("tests.site.send.services.certificate", lambda folder: (cert, tmp_path / "key.pem"))
    return tmp_path


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_edition_arrives_encrypted_with_text_and_html(
    security: str, trusted: Path, library: Library, monkeypatch: pytest.MonkeyPatch
):
    mailbox = Mailbox()
    with smtp(mailbox, trusted, security) as port:
        for name, value in {
            "SMTP_HOST": "localhost", "SMTP_PORT": str(port), "SMTP_SECURITY": security, "SMTP_USER": "user",
            "SMTP_PASSWORD": "right password", "MAIL_FROM": "Papers <me@example.org>",
            "MAIL_TO": "you@example.org", "MAIL_BCC": "hidden@example.org, other@example.org",
            "SITE": "https://site.example/p/",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"PRESSCHECK_{name}", value)
        result = run("--to", "email", "--language", "ko")
        again = run("--to", "email", "--language", "ko")
    assert result.exit_code == 0, result.stderr
    assert "sent before" in again.stdout
    assert mailbox.logins[0] == (b"user", b"right password")
    ((recipients, data),) = mailbox.mails
    assert recipients == ["you@example.org", "hidden@example.org", "other@example.org"]
    assert b"hidden@example.org" not in data
    mail = parsed(data)
    assert mail["Subject"] == "presscheck · 2024년 7월 31일 수요일: 논문 3편"
    assert mail["From"] == "Papers <me@example.org>"
    assert mail["List-Id"] == "presscheck editions <editions.presscheck.example.org>"
    assert re.fullmatch(r"<presscheck\.2024-07-31\.\w+\.\w+@example\.org>", mail["Message-ID"])
    assert mail.get_content_type() == "multipart/alternative"
    text, page = (part.get_content() for part in mail.iter_parts())
    assert "데이스는 비늘 2개를 셉니다." in text
    assert "https://site.example/p/2024-07-31/" in text
    assert "교정 메모: Table 2 has another number." in text
    assert "[×" in text, "a statement in conflict carries its mark"
    assert HOSTILE.replace("  ", " ") in text
    assert "&lt;b&gt;Chips&lt;/b&gt;" in page
    assert not re.search(r"<(script|b>Chips|img|link)", page)
    assert 'lang="ko"' in page


def test_the_html_escapes_whatever_a_title_or_a_statement_says():
    from presscheck.site.send.mail import as_html

    page = as_html(message_of(edition_of(), "en", "easy"))
    assert "Dace counts &lt;rings&gt; &amp; scales" in page
    assert HOSTILE not in page
    assert 'href="javascript' not in page


def test_equal_editions_have_one_message_id_and_a_changed_one_another(library: Library):
    from presscheck.site.send.targets import target_of
    from presscheck.types import Edition

    def identity(edition: Edition) -> str:
        from presscheck.papers.targets import SendSettings

        target = target_of("email", SendSettings(email=settings(25)))
        shown = target.show(message_of(edition, "en", "easy"))
        found = re.search(r"^Message-ID: (.*)$", shown, re.MULTILINE)
        assert found
        return found[1]

    assert identity(edition_of()) == identity(edition_of())
    assert identity(edition_of()) != identity(edition_of(4))


def test_a_wrong_password_is_told_without_the_password(trusted: Path):
    with smtp(Mailbox(), trusted, "starttls") as port, pytest.raises(BadInput) as error:
        deliver(compose(message_of(edition_of(), "en", "easy"), settings(port), "x"),
                settings(port, password="wrong secret"))  # fmt: skip
    assert "did not accept user and password" in error.value.message
    assert "wrong secret" not in error.value.message


def test_a_certificate_that_nobody_signed_is_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    mailbox = Mailbox()
    with smtp(mailbox, tmp_path, "starttls") as port, pytest.raises(Unreachable, match="certificate"):
        deliver(compose(message_of(edition_of(), "en", "easy"), settings(port), "x"), settings(port))
    assert not mailbox.mails and not mailbox.logins


def test_one_refused_recipient_does_not_cost_the_others_theirs(trusted: Path):
    mailbox = Mailbox()
    mailbox.refused = {"gone@example.org"}
    with smtp(mailbox, trusted, "starttls") as port:
        given = settings(port, to=("you@example.org", "gone@example.org"))
        refused = deliver(compose(message_of(edition_of(), "en", "easy"), given, "x"), given)
    assert refused == {"gone@example.org": "SMTP 550 no such user here"}
    assert mailbox.mails[0][0] == ["you@example.org"]


def test_a_mail_that_is_refused_was_not_sent_and_may_be_tried_again(
    trusted: Path, library: Library, monkeypatch: pytest.MonkeyPatch
):
    mailbox = Mailbox()
    mailbox.data = "451 greylisted, come back later"
    with smtp(mailbox, trusted, "starttls") as port:
        monkeypatch.setenv("PRESSCHECK_SMTP_PASSWORD", "right password")
        (library.home / "presscheck.toml").write_text(
            f'[send.email]\nhost = "localhost"\nport = {port}\nuser = "user"\n'
            'sender = "me@example.org"\nto = ["you@example.org"]\n'
        )
        result = run("--to", "email")
        assert result.exit_code == 1
        assert "451 greylisted" in result.stderr
        mailbox.data = "250 OK"
        assert run("--to", "email").exit_code == 0
    assert len(mailbox.mails) == 1


def test_a_connection_that_ends_after_the_mail_leaves_it_open_whether_it_arrived(trusted: Path):
    class Dropping(Mailbox):
        async def handle_DATA(self, server, session, envelope):  # type: ignore[no-untyped-def]
            server.transport.abort()
            return "250 never seen"

    with smtp(Dropping(), trusted, "none") as port, pytest.raises(NotKnown, match="ended the connection"):
        given = settings(port, "none", user="", password="", host="127.0.0.1")
        deliver(compose(message_of(edition_of(), "en", "easy"), given, "x"), given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": ""}, "host of"),
        ({"to": ()}, "to or bcc"),
        ({"sender": "nobody"}, "no mail address"),
        ({"to": ("a@b.c\nBcc: x@y.z",)}, "no mail address"),
        ({"security": "none", "host": "mail.example.org"}, "in the clear"),
        ({"port": 70000}, "has to be 1 to 65535"),
    ],
)
def test_settings_that_cannot_be_are_named(given: dict[str, object], words: str):
    fields: dict[str, object] = {"port": 25, **given}
    port = fields.pop("port")
    with pytest.raises(BadInput, match=words) as error:
        check_settings(settings(port, **fields))  # type: ignore[arg-type]
    assert "right password" not in str(error.value)


def test_a_mail_too_long_for_readers_is_shortened_and_says_so():
    long = edition_of(60, statement="A long statement about fish. " * 70)
    mail = compose(message_of(long, "en", "easy", "https://site.example"), settings(25), "x")
    page = mail.get_body(("html",))
    assert page is not None
    assert "Shortened to the first statement" in page.get_content()
    assert "https://site.example/2024-07-31/" in page.get_content()
