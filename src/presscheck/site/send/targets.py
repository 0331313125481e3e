"""The four targets: what each needs, from the environment before ``presscheck.toml``, and how it sends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.targets import ChatSettings, EmailSettings, SendSettings, TelegramSettings
from presscheck.site.send.ledger import hash_of
from presscheck.site.send.message import Message

NAMES = ("email", "slack", "discord", "telegram")

VARIABLES = {
    "PRESSCHECK_SITE": ("", "site"),
    "PRESSCHECK_SMTP_HOST": ("email", "host"),
    "PRESSCHECK_SMTP_PORT": ("email", "port"),
    "PRESSCHECK_SMTP_SECURITY": ("email", "security"),
    "PRESSCHECK_SMTP_USER": ("email", "user"),
    "PRESSCHECK_SMTP_PASSWORD": ("email", "password"),
    "PRESSCHECK_MAIL_FROM": ("email", "sender"),
    "PRESSCHECK_MAIL_TO": ("email", "to"),
    "PRESSCHECK_MAIL_BCC": ("email", "bcc"),
    "PRESSCHECK_SLACK_WEBHOOK": ("slack", "webhook"),
    "PRESSCHECK_DISCORD_WEBHOOK": ("discord", "webhook"),
    "PRESSCHECK_TELEGRAM_TOKEN": ("telegram", "token"),
    "PRESSCHECK_TELEGRAM_CHAT": ("telegram", "chat"),
}
"""Environment variable → table and name of ``[send]``."""


class Target(Protocol):
    """Something that an edition can be sent to."""

    @property
    def to(self) -> str:
        """A hash of who it goes to."""
        ...

    def parts(self, message: Message) -> list[Any]:
        """What is sent, in order."""
        ...

    def show(self, message: Message) -> str:
        """The same for the eye, nothing secret in it."""
        ...

    def send(self, part: Any) -> dict[str, str]:
        """Send one part; returns recipients that were refused, with why. Raises as ``webhook.post``."""
        ...

    def check(self) -> None:
        """Raise BadInput if something is missing."""
        ...

    def try_out(self) -> str:
        """Ask the service without sending anything; what it said. Raises if that goes wrong."""
        ...


def with_environment(settings: SendSettings, environment: Mapping[str, str] = os.environ) -> SendSettings:
    """The settings with what the environment says, which wins.

    Raises:
        BadInput: naming the variable, never its value.
    """
    table: dict[str, Any] = msgspec.to_builtins(settings)
    for variable, (group, name) in VARIABLES.items():
        if text := environment.get(variable, "").strip():
            value: Any = text
            if name in ("to", "bcc"):
                value = [part.strip() for part in text.split(",") if part.strip()]
            elif name == "port":
                if not (text.isascii() and text.isdigit()):
                    raise BadInput(f"{variable} is no number")
                value = int(text)
            (table.setdefault(group, {}) if group else table)[name] = value
    try:
        return msgspec.convert(table, SendSettings)
    except msgspec.ValidationError as error:
        raise BadInput(f"[send] or its environment: {error}") from None


def target_of(name: str, settings: SendSettings, wait: Callable[[float], None] = time.sleep) -> Target:
    """The target of a name.

    Args:
        name: one of ``NAMES``.
        settings: with the environment, from ``with_environment``.
        wait: waits for some seconds, where a service asks for it.
    """
    if name == "email":
        return _Email(settings.email)
    if name == "telegram":
        return _Telegram(settings.telegram, wait)
    return _Webhook(name, settings.slack if name == "slack" else settings.discord, wait)


class _Email:
    def __init__(self, given: EmailSettings) -> None:
        self._given = given

    @property
    def to(self) -> str:
        return hash_of(*sorted((*self._given.to, *self._given.bcc)))

    def check(self) -> None:
        from presscheck.site.send.mail import check_settings

        check_settings(self._given)

    def parts(self, message: Message) -> list[Any]:
        return [message]

    def show(self, message: Message) -> str:
        from presscheck.site.send.mail import as_text, compose

        example = msgspec.structs.replace(self._given, sender=self._given.sender or "me@example.org")
        mail = compose(message, example, self._identity(message))
        heads = "\n".join(f"{name}: {value}" for name, value in mail.items() if name != "Content-Type")
        return f"{heads}\n\n{as_text(message)}"

    def send(self, part: Any) -> dict[str, str]:
        from presscheck.site.send.mail import compose, deliver

        return deliver(compose(part, self._given, self._identity(part)), self._given)

    def _identity(self, message: Message) -> str:
        return f"presscheck.{message.date}.{self.to[:8]}.{content_of([message])[:8]}"

    def try_out(self) -> str:
        from presscheck.site.send.mail import connected

        self.check()
        with connected(self._given) as server:
            server.noop()
        return f"{self._given.host} answers" + (", user and password accepted" if self._given.user else "")


class _Chat:
    """What webhooks and bots have in common."""

    name: str

    def parts(self, message: Message) -> list[Any]:
        from presscheck.site.send.chat import FORMS, payloads

        return list(payloads(message, FORMS[self.name]))

    def show(self, message: Message) -> str:
        from presscheck.site.send.chat import shown

        return shown(self.parts(message))


class _Webhook(_Chat):
    def __init__(self, name: str, given: ChatSettings, wait: Callable[[float], None]) -> None:
        self.name, self._address, self._wait = name, given.webhook, wait

    @property
    def to(self) -> str:
        return hash_of(self._address)

    def check(self) -> None:
        from presscheck.site.send.webhook import check_address

        if not self._address:
            raise BadInput(
                f"no webhook of {self.name} is set",
                hint=f"PRESSCHECK_{self.name.upper()}_WEBHOOK, or `webhook` in [send.{self.name}]",
            )
        check_address(self._address, self.name)

    def send(self, part: Any) -> dict[str, str]:
        from presscheck.site.send.webhook import post

        post(self._address, part, (), self._wait)
        return {}

    def try_out(self) -> str:
        self.check()
        if self.name == "slack":
            return "set; a webhook of Slack can only be tried by posting"
        from presscheck.site.send.webhook import ask

        ask(self._address, (), "discord")
        return "discord knows the webhook"


class _Telegram(_Chat):
    name = "telegram"

    def __init__(self, given: TelegramSettings, wait: Callable[[float], None]) -> None:
        self._given, self._wait = given, wait

    @property
    def to(self) -> str:
        return hash_of(self._given.token.partition(":")[0], self._given.chat)

    def check(self) -> None:
        from presscheck.site.send.webhook import check_address

        missing = [name for name in ("token", "chat") if not getattr(self._given, name)]
        if missing:
            raise BadInput(
                f"telegram is not set up: {' and '.join(missing)} missing",
                hint="PRESSCHECK_TELEGRAM_TOKEN and PRESSCHECK_TELEGRAM_CHAT, or [send.telegram]",
            )
        if not self._given.token.replace(":", "").replace("-", "").replace("_", "").isalnum():
            raise BadInput("the token of telegram is none: digits, a colon, letters and digits")
        check_address(self._given.url, "telegram")

    def send(self, part: Any) -> dict[str, str]:
        from presscheck.site.send.webhook import post

        body = {"chat_id": self._given.chat, **part}
        answer = post(self._method("sendMessage"), body, (self._given.token,), self._wait)
        try:
            good = json.loads(answer).get("ok") is True
        except (ValueError, AttributeError, RecursionError):
            good = False
        if not good:
            from presscheck.site.send.outcome import NotKnown

            raise NotKnown("telegram answered without saying that it is done")
        return {}

    def try_out(self) -> str:
        from presscheck.site.send.webhook import ask

        self.check()
        ask(self._method("getMe"), (self._given.token,), "telegram")
        return "telegram knows the bot; the chat can only be tried by writing to it"

    def _method(self, name: str) -> str:
        return f"{self._given.url.rstrip('/')}/bot{self._given.token}/{name}"


def content_of(parts: list[Any]) -> str:
    """A hash of everything that is sent."""
    return hash_of(msgspec.json.encode(parts))
