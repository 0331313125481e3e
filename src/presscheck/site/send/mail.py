"""A message as an e-mail: plain text beside HTML, and handing it to a mail server.

Headers by RFC 5322, RFC 2919 (List-Id) and RFC 2369 (List-Unsubscribe). The Message-ID
follows from edition, list and content, so that a mail sent twice by accident is one
mail to every server and reader that looks.
"""

from __future__ import annotations

import html
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from presscheck.edition.words import say
from presscheck.errors import BadInput, Unreachable
from presscheck.papers.days import utc_now
from presscheck.papers.targets import EmailSettings
from presscheck.site.send.message import Item, Message, Part
from presscheck.site.send.outcome import NotKnown

PORTS = {"starttls": 587, "tls": 465, "none": 25}
TIMEOUT = 30.0
LARGEST = 95_000
"""Bytes of HTML; some readers cut a mail above about 102 kB, and not where we would."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+")


def check_settings(given: EmailSettings) -> None:
    """Say what is missing or cannot be.

    Raises:
        BadInput: naming the setting, never its value if that is secret.
    """
    needed = {"host": given.host, "sender": given.sender, "to or bcc": given.to or given.bcc}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise BadInput(
            f"e-mail is not set up: {', '.join(missing)} of [send.email] missing",
            hint="`docs/follow.md` shows the settings; PRESSCHECK_SMTP_HOST and others set them too",
        )
    for address in (given.sender, *given.to, *given.bcc):
        name, bare = parseaddr(address)
        if not _ADDRESS.fullmatch(bare) or re.search(r"[\r\n]", address):
            raise BadInput(f"`{address[:60]}` is no mail address", hint="such as me@example.org")
    if not 0 <= given.port < 65536:
        raise BadInput(f"the port of [send.email] is {given.port}: it has to be 1 to 65535")
    if given.security == "none" and given.password and given.host not in LOOPBACK:
        raise BadInput(
            f"a password would go to {given.host} in the clear",
            hint='`security = "starttls"` or "tls" in [send.email]',
        )


def compose(message: Message, given: EmailSettings, identity: str) -> EmailMessage:
    """The e-mail.

    Args:
        message: from ``message_of``.
        given: whom it goes to.
        identity: edition, list and content in a few letters; equal for equal mails.
    """
    mail = EmailMessage(policy=SMTP)
    name, sender = parseaddr(given.sender)
    domain = sender.rpartition("@")[2]
    mail["From"] = Address(name or "presscheck", addr_spec=sender)
    if given.to:
        mail["To"] = ", ".join(given.to)
    else:
        mail["To"] = "undisclosed-recipients:;"
    mail["Subject"] = f"presscheck · {message.title}"
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{identity}@{domain}>"
    mail["List-Id"] = f"presscheck editions <editions.presscheck.{domain}>"
    if given.unsubscribe:
        mail["List-Unsubscribe"] = f"<{re.sub(r'[<>]|[^!-~]', '', given.unsubscribe)}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = message.language
    page = as_html(message)
    text = as_text(message)
    if len(page.encode()) > LARGEST:
        page, text = as_html(message, short=True), as_text(message, short=True)
    mail.set_content(text)
    mail.add_alternative(page, subtype="html")
    return mail


def as_text(message: Message, *, short: bool = False) -> str:
    """The plain text. ``short`` gives the first statement of each entry and says so."""
    lines = [message.title, message.intro, message.link, ""]
    if short:
        lines += [_shortened(message), ""]
    for item in message.items:
        lines += [f"{item.number}. {item.title}", f"   {item.byline}", f"   {item.url}"]
        lines += [f"   {mark}" for mark in item.marks]
        for part in _parts(item, short):
            lines.append(f"\n   {part.heading}" if part.heading else "")
            lines += [f"   - {said.text}" + (f"  [{said.mark}]" if said.mark else "") for said in part.said]
            if part.absent and not part.said:
                lines.append(f"   {part.absent}")
        for note in () if short else item.notes:
            lines.append(f"\n   {say('notes', message.language)}: {note}")
        lines.append("")
    return "\n".join(line for line in lines if line is not None).rstrip() + "\n"


def as_html(message: Message, *, short: bool = False) -> str:
    """The HTML: every text escaped, no script, nothing loaded from anywhere."""
    out = [
        f'<!doctype html><html lang="{message.language}"><head><meta charset="utf-8">'
        f"<title>{_esc(message.title)}</title></head>"
        '<body style="font-family:Georgia,serif;line-height:1.55;max-width:42em;margin:0 auto;padding:1em">'
        f'<h1 style="font-size:1.3em">{_link(message.title, message.link)}</h1>'
    ]
    if message.intro:
        out.append(f"<p>{_esc(message.intro)}</p>")
    if short:
        out.append(f"<p>{_esc(_shortened(message))}</p>")
    for item in message.items:
        out.append(
            f'<h2 style="font-size:1.05em;margin:1.6em 0 .2em">{item.number}. '
            f"{_link(item.title, item.url)}</h2>"
        )
        out.append(f'<p style="margin:0;font:13px sans-serif;color:#666">{_esc(item.byline)}</p>')
        out += [f"<p>{_mark(mark)}</p>" for mark in item.marks]
        for part in _parts(item, short):
            if part.heading:
                out.append(
                    f'<h3 style="font:600 13px sans-serif;margin:.8em 0 .2em">{_esc(part.heading)}</h3>'
                )
            if part.said:
                said = (f"<li>{_esc(one.text)}{_mark(one.mark)}</li>" for one in part.said)
                out.append(f'<ul style="margin:0;padding-left:1.2em">{"".join(said)}</ul>')
            elif part.absent:
                out.append(f'<p style="margin:0;color:#666">{_esc(part.absent)}</p>')
        for note in () if short else item.notes:
            out.append(f"<p><b>{_esc(say('notes', message.language))}</b> {_esc(note)}</p>")
        if item.page:
            out.append(
                f'<p style="font:13px sans-serif">{_link(say("read_on", message.language), item.page)}</p>'
            )
    return "".join([*out, "</body></html>"])


def _shortened(message: Message) -> str:
    if message.language == "ko":
        return "메일이 길어 항목마다 첫 문장만 싣습니다." + (f" 전체: {message.link}" if message.link else "")
    told = "Shortened to the first statement of each entry, for its length."
    return told + (f" All of it: {message.link}" if message.link else "")


def _parts(item: Item, short: bool) -> Sequence[Part]:
    return (Part(heading="", said=(item.first,)),) if short else item.parts


def _esc(text: str) -> str:
    return html.escape(text, quote=True)


def _mark(mark: str) -> str:
    return f' <b style="color:#a3005c;font:600 13px sans-serif">{_esc(mark)}</b>' if mark else ""


def _link(text: str, address: str) -> str:
    return f'<a href="{_esc(address)}" style="color:inherit">{_esc(text)}</a>' if address else _esc(text)


@contextmanager
def connected(given: EmailSettings) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server, encrypted and logged in as the settings say.

    Raises:
        Unreachable: if it does not answer, or not as it must.
        BadInput: if it does not accept user and password.
    """
    port = given.port or PORTS[given.security]
    where = f"{given.host}:{port}"
    server: smtplib.SMTP | None = None
    try:
        try:
            context = ssl.create_default_context() if given.security != "none" else None
            if given.security == "tls":
                server = smtplib.SMTP_SSL(given.host, port, timeout=TIMEOUT, context=context)
            else:
                server = smtplib.SMTP(given.host, port, timeout=TIMEOUT)
            if given.security == "starttls":
                server.starttls(context=context)
            if given.user:
                server.login(given.user, given.password)
        except smtplib.SMTPAuthenticationError as error:
            raise BadInput(f"{where} did not accept user and password (SMTP {error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError as error:
            raise BadInput(f"{where}: {error}", hint="another `security` in [send.email]?") from None
        except ssl.SSLError as error:
            raise Unreachable(
                f"{where}: its certificate was not accepted ({error.reason or error})"
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{where} cannot be reached: {_reason(error)}") from None
        yield server
    finally:
        if server is not None:
            try:
                server.quit()
            except (smtplib.SMTPException, OSError):
                server.close()


def deliver(mail: EmailMessage, given: EmailSettings) -> dict[str, str]:
    """Hand a mail to the server.

    Returns:
        Recipients that the server refused, each with why; empty if it took all.

    Raises:
        BadInput: if it took none of them, or not the mail: it is certain that nothing was sent.
        Unreachable: if it could not be asked: nothing was sent.
        NotKnown: if the connection ended before the server's answer.
    """
    recipients = [parseaddr(address)[1] for address in (*given.to, *given.bcc)]
    sender = parseaddr(given.sender)[1]
    with connected(given) as server:
        try:
            refused = server.sendmail(sender, recipients, mail.as_bytes())
        except smtplib.SMTPRecipientsRefused as error:
            why = {one: _answer(*answer) for one, answer in error.recipients.items()}
            raise BadInput(
                f"{given.host} took no recipient: {'; '.join(map(': '.join, why.items()))}"
            ) from None
        except smtplib.SMTPSenderRefused as error:
            raise BadInput(
                f"{given.host} refused the sender: {_answer(error.smtp_code, error.smtp_error)}"
            ) from None
        except smtplib.SMTPDataError as error:
            raise BadInput(
                f"{given.host} refused the mail: {_answer(error.smtp_code, error.smtp_error)}"
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotKnown(
                f"{given.host} ended the connection before it answered: {_reason(error)}"
            ) from None
    return {one: _answer(*answer) for one, answer in refused.items()}


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"SMTP {code} {' '.join(said.split())[:160]}"


def _reason(error: BaseException) -> str:
    from presscheck.papers.replies import reason

    return reason(error)
