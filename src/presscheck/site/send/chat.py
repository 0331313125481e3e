"""A message in the forms of Slack, Discord and Telegram, cut where it is too long, and saying so.

Limits as documented: Slack 3,000 characters a section and 50 blocks a message (about
13,000 characters in all are refused, so 10,000 are used); Discord 2,000 characters of
``content``; Telegram 4,096 after the markup is read (counted here with the markup).
Characters are counted as UTF-16 units, the strictest way of the three.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from presscheck.edition.words import say
from presscheck.site.send.message import Item, Message
from presscheck.types import Language

STEPS = ((300, 600), (300, 400), (240, 250), (160, 120), (100, 60), (60, 0))
"""Characters of a title and of a statement, tried until an item fits."""
FOOT = 24
"""Units kept free for the number of the part."""


class Form(NamedTuple):
    """How one service writes."""

    limit: int
    """UTF-16 units of one message."""
    block: int
    """Units of one item."""
    most: int
    """Items of one message."""
    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    """Escaped text and address → a link."""
    payload: Callable[[list[str]], dict[str, Any]]


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """A text of at most this many characters; a longer one is cut at a space and ends in an ellipsis."""
    if len(text) <= most:
        return text
    head = text[: max(most - 1, 0)]
    space = head.rfind(" ")
    return f"{head[:space] if space > most // 2 else head}…" if most > 0 else ""


def payloads(message: Message, form: Form) -> list[dict[str, Any]]:
    """What is posted, in order: one or more messages, each with its number if there are several.

    Args:
        message: from ``message_of``.
        form: the service's.
    """
    escape = form.escape
    head = form.bold(escape(cut(message.title, 300)))
    if message.intro:
        head += f"\n{escape(cut(message.intro, 400))}"
    if message.link:
        head += f"\n{form.link(escape(say('read_on', message.language)), message.link)}"
    blocks = [head, *(_fit(item, form, message.language) for item in message.items)]
    groups: list[list[str]] = [[]]
    for block in blocks:
        size = sum(units(one) + 2 for one in groups[-1])
        full = size + units(block) > form.limit - FOOT or len(groups[-1]) >= form.most
        if groups[-1] and full:
            groups.append([])
        groups[-1].append(block)
    if len(groups) > 1:
        for number, group in enumerate(groups, 1):
            group.append(escape(f"({number}/{len(groups)})"))
    return [form.payload(group) for group in groups]


def _fit(item: Item, form: Form, language: Language) -> str:
    """An item, its title and statement cut until it fits."""
    made = ""
    for title, statement in STEPS:
        made = _item(item, form, language, title, statement)
        if units(made) <= form.block:
            break
    return made


def _item(item: Item, form: Form, language: Language, title: int, statement: int) -> str:
    name = form.escape(cut(item.title, title))
    address = item.url if units(item.url) <= 300 else ""
    lines = [f"{item.number}. {form.link(name, address) if address else name}"]
    said = item.first
    if statement and said.text:
        lines.append(
            form.escape(cut(said.text, statement)) + (f" {form.escape(said.mark)}" if said.mark else "")
        )
    if statement and item.marks:
        lines.append(form.escape(cut(" · ".join(item.marks), statement // 2)))
    if statement and item.notes:
        notes = f"{say('notes', language)}: {' · '.join(item.notes)}"
        lines.append(form.escape(cut(notes, statement // 2)))
    if item.byline:
        lines.append(form.escape(cut(item.byline, 160)))
    return "\n".join(lines)


def _slack_payload(blocks: list[str]) -> dict[str, Any]:
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": block}} for block in blocks]
    # `text` is what notifications show where there are blocks.
    return {
        "text": blocks[0].split("\n")[0],
        "blocks": sections,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _slack_escape(text: str) -> str:
    # Without < and > there is no mention and no link; a zero-width space keeps signs from being markup.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?<!\w)([*_~`])(?=\S)", "\\1\u200b", escaped)


def _discord_escape(text: str) -> str:
    return re.sub(r"([\\*_~`|>\[\]()#<:@-])", r"\\\1", text)


def _discord_payload(blocks: list[str]) -> dict[str, Any]:
    # No mention is ever resolved, whatever a title says; 4 keeps links from unfolding.
    return {"content": "\n\n".join(blocks), "allowed_mentions": {"parse": []}, "flags": 4}


def _telegram_payload(blocks: list[str]) -> dict[str, Any]:
    return {
        "text": "\n\n".join(blocks),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


FORMS: dict[str, Form] = {
    "slack": Form(
        limit=10_000,
        block=2_900,
        most=48,
        escape=_slack_escape,
        bold=lambda text: f"*{text}*",
        link=lambda text, address: f"<{_slack_address(address)}|{text}>",
        payload=_slack_payload,
    ),
    "discord": Form(
        limit=2_000,
        block=1_900,
        most=100,
        escape=_discord_escape,
        bold=lambda text: f"**{text}**",
        link=lambda text, address: f"[{text}](<{address.replace('>', '%3E').replace(' ', '%20')}>)",
        payload=_discord_payload,
    ),
    "telegram": Form(
        limit=4_096,
        block=3_500,
        most=100,
        escape=lambda text: html.escape(text, quote=False),
        bold=lambda text: f"<b>{text}</b>",
        link=lambda text, address: f'<a href="{html.escape(address)}">{text}</a>',
        payload=_telegram_payload,
    ),
}


def _slack_address(address: str) -> str:
    return address.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def shown(bodies: Sequence[dict[str, Any]]) -> str:
    """The messages as JSON, for a dry run."""
    import json

    return "\n".join(json.dumps(body, ensure_ascii=False, indent=2) for body in bodies)
