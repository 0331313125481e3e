"""Where editions are sent, as the settings file names it: ``[send]`` in ``presscheck.toml``.

What is secret (a password, a webhook's URL, a bot's token) may stand in the file or,
better, in the environment; it is wrapped so that no message and no traceback prints it.
"""

from __future__ import annotations

from typing import Literal

from presscheck.types import Language, Struct, Style


class EmailSettings(Struct, frozen=True, kw_only=True):
    """A mail server and who is written to."""

    host: str = ""
    port: int = 0
    """0 for the usual one: 587 for starttls, 465 for tls, 25 for none."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    sender: str = ""
    """``me@example.org`` or ``Name <me@example.org>``."""
    to: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    """Also written to, without being named in the message."""
    password: str = ""
    unsubscribe: str = ""
    """A web or mailto address for ``List-Unsubscribe``."""


class ChatSettings(Struct, frozen=True, kw_only=True):
    """An incoming webhook of Slack or Discord."""

    webhook: str = ""


class TelegramSettings(Struct, frozen=True, kw_only=True):
    """A bot and the chat that it writes to."""

    token: str = ""
    chat: str = ""
    """A number, or ``@name`` of a public channel."""
    url: str = "https://api.telegram.org"


class SendSettings(Struct, frozen=True, kw_only=True):
    """The table ``[send]``."""

    site: str = ""
    """Where the site is published; messages link to it."""
    language: Language | Literal[""] = ""
    """Empty for the first of ``languages``."""
    style: Style = "easy"
    email: EmailSettings = EmailSettings()
    slack: ChatSettings = ChatSettings()
    discord: ChatSettings = ChatSettings()
    telegram: TelegramSettings = TelegramSettings()

    def __repr__(self) -> str:
        """Without its content: some of it is secret."""
        return "SendSettings(…)"
