"""What a user calls a writer → the model that it is."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from presscheck.digest.write.extractive import WRITER
from presscheck.digest.write.model import Model
from presscheck.errors import BadInput
from presscheck.papers.settings import Settings
from presscheck.papers.writers import WriterSettings

OPENAI = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
ANY_KEY = "PRESSCHECK_API_KEY"
"""The key for a base URL where no other variable is named. OpenAI's own key goes only to OpenAI."""

SCHEMES = ("openai", "gguf", "hf")
"""Of a model's name, before the colon."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def writer_settings(
    name: str,
    settings: Settings,
    *,
    base_url: str = "",
    price: tuple[float, float] | None = None,
    accelerators: tuple[str, ...] = (),
) -> WriterSettings | None:
    """The settings of a writer by its name or its model.

    Args:
        name: ``extractive``, ``openai:NAME``, ``gguf:PATH``, ``hf:MODEL``, or a name of ``[writers.NAME]``.
        settings: With the writers that are configured.
        base_url: From the command line; wins.
        price: From the command line; wins.
        accelerators: From the command line; win.

    Returns:
        None for the extractive writer, which is no model.

    Raises:
        BadInput: if there is no such writer.
    """
    if name == WRITER:
        if base_url or price or accelerators:
            raise BadInput(
                "the extractive writer has no server, no price and nothing to accelerate",
                hint="name a --writer",
            )
        return None
    if name in settings.writers:
        one = settings.writers[name]
    elif name.partition(":")[0] in SCHEMES and name.partition(":")[2].strip():
        one = WriterSettings(model=name)
    else:
        known = [WRITER, *settings.writers]
        close = difflib.get_close_matches(name, known, n=1)
        raise BadInput(
            f"no writer is called `{name[:80]}`",
            hint=f"did you mean `{close[0]}`?"
            if close
            else f"writers are {', '.join(known)}, openai:NAME, gguf:PATH and hf:MODEL",
        )
    if base_url:
        one = msgspec.structs.replace(one, base_url=base_url)
    if price is not None:
        one = msgspec.structs.replace(one, price=price)
    if accelerators:
        one = msgspec.structs.replace(one, accelerators=accelerators)
    return one


def open_model(one: WriterSettings) -> Model:
    """The model behind a writer's settings; nothing is loaded or asked yet.

    Raises:
        BadInput: with what is wrong and what is needed.
    """
    scheme, _, name = one.model.partition(":")
    name = name.strip()
    if scheme not in SCHEMES or not name:
        raise BadInput(
            f"`{one.model[:80]}` names no model", hint="models are openai:NAME, gguf:PATH and hf:MODEL"
        )
    if one.accelerators and scheme != "hf":
        raise BadInput(
            f"{one.model[:80]} cannot run with {', '.join(one.accelerators)}",
            hint="--with goes with hf:MODEL, a model of transformers in this process",
        )
    if one.price is not None and not all(0 <= part < 1e6 for part in one.price):
        raise BadInput(f"the price of {one.model[:80]} is {one.price}: need dollars, 0 or more")
    if not 1 <= one.at_once <= 64 or not 0 < one.timeout <= 7200 or not 64 <= one.most <= 100_000:
        raise BadInput(
            f"{one.model[:80]}: at_once {one.at_once}, timeout {one.timeout:g}, most {one.most}",
            hint="at_once is 1 to 64, timeout up to 7200 seconds, most 64 to 100000 tokens",
        )
    if scheme == "openai":
        return _endpoint(one, name)
    if one.base_url:
        raise BadInput("a model in this process has no base URL", hint="openai:NAME goes with --base-url")
    if not 256 <= one.context <= 10_000_000:
        raise BadInput(f"{one.model[:80]}: context {one.context}: need 256 or more tokens")
    return _local(one, name) if scheme == "gguf" else _transformer(one, name)


def _local(one: WriterSettings, name: str) -> Model:
    from presscheck.digest.write.local import Local

    return Local(Path(name).expanduser(), context=one.context, total=one.timeout)


def _transformer(one: WriterSettings, name: str) -> Model:
    # By name, since this room stays light: torch is loaded only for those who ask for it.
    if missing := [one for one in ("torch", "transformers") if importlib.util.find_spec(one) is None]:
        raise BadInput(f"hf:{name[:80]} needs {' and '.join(missing)}", hint="`pip install 'presscheck[hf]'`")
    chat = importlib.import_module("presscheck.inference.chat")
    made: Model = chat.Chat(
        name, accelerators=one.accelerators, context=one.context, device=one.device, total=one.timeout
    )
    return made


def _endpoint(one: WriterSettings, name: str) -> Model:
    from presscheck.digest.write.endpoint import Endpoint, Patience

    url = one.base_url or OPENAI
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or parts.query or parts.fragment or parts.password:
        raise BadInput(f"`{url[:80]}` is no base URL", hint="as in http://127.0.0.1:11434/v1, without a key")
    variable = one.key or (ANY_KEY if one.base_url else OPENAI_KEY)
    if _VARIABLE.fullmatch(variable) is None:
        raise BadInput(
            f"the key of {one.model[:80]} has to be the name of an environment variable",
            hint='as in key = "MY_API_KEY"; the key itself belongs into no file',
        )
    key = os.environ.get(variable, "").strip()
    if not key and (one.key or not one.base_url):
        raise BadInput(
            f"{one.model[:80]} needs a key, and {variable} is not set",
            hint=f"`export {variable}=…`, or --base-url for a server without a key",
        )
    return Endpoint(
        name,
        url,
        key=key or "none",
        key_name=variable,
        at_once=one.at_once,
        price=one.price,
        patience=Patience(total=one.timeout),
    )
