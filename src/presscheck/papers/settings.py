"""What a user may set: flags before environment before ``presscheck.toml`` before defaults."""

from __future__ import annotations

import difflib
import math
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from presscheck.errors import BadInput
from presscheck.papers.targets import SendSettings
from presscheck.papers.writers import WriterSettings
from presscheck.types import LANGUAGES, STYLES, Language, Struct, Style

FILE = "presscheck.toml"
LARGEST = 1_000_000
"""Bytes of a settings file; more is some other file."""


class Settings(Struct, frozen=True, kw_only=True):
    """All settings with their defaults."""

    languages: tuple[Language, ...] = LANGUAGES
    styles: tuple[Style, ...] = STYLES
    out: str = ""
    """Folder of the editions; empty for the library's own."""
    thumbnails: bool = False
    """Whether pages load thumbnails from Hugging Face."""
    hf_url: str = "https://huggingface.co"
    arxiv_url: str = "https://export.arxiv.org"
    arxiv_interval: float = 3.0
    """Seconds between two requests to ``arxiv_url``; at least 3 where that is arxiv.org."""
    writer: str = "extractive"
    """``extractive``, ``openai:NAME``, ``gguf:PATH``, or the name of one of ``writers``."""
    writers: dict[str, WriterSettings] = {}
    glossary: str = ""
    """A file of terms that adds to the glossary of the package."""
    send: SendSettings = SendSettings()
    """Where editions are sent; see ``papers.targets``."""


NAMES = tuple(field.name for field in msgspec.structs.fields(Settings))


def load_settings(home: Path | None = None, **flags: Any) -> Settings:
    """Settings as they hold for this call.

    Args:
        home: the library's folder, where ``presscheck.toml`` may lie; None reads no file.
        flags: settings given on the command line; None means not given.

    Raises:
        BadInput: if a name is unknown or a value is not what it has to be.
    """
    merged: dict[str, tuple[str, Any]] = {}
    if home is not None:
        path = home / FILE
        merged |= {name: (str(path), value) for name, value in _read_file(path).items()}
    for name in NAMES:
        variable = f"PRESSCHECK_{name.upper()}"
        if text := os.environ.get(variable, "").strip():
            merged[name] = (variable, _from_text(variable, name, text))
    merged |= {name: (f"--{name}", value) for name, value in flags.items() if value is not None}
    return _checked(merged)


def _read_file(path: Path) -> dict[str, Any]:
    """The settings file as a table; a missing one is empty."""
    import tomllib

    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{path} has more than {LARGEST} bytes: it cannot be a settings file")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8: byte {error.start}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error


def _from_text(variable: str, name: str, text: str) -> Any:
    """The value of an environment variable, in the type of its setting."""
    if name in ("languages", "styles"):
        return [part.strip() for part in text.split(",") if part.strip()]
    if name == "thumbnails":
        if text.lower() not in ("1", "true", "yes", "0", "false", "no"):
            raise BadInput(f"{variable} is `{text[:40]}`: it has to be 1 or 0")
        return text.lower() in ("1", "true", "yes")
    if name == "arxiv_interval":
        try:
            return float(text)
        except ValueError:
            raise BadInput(f"{variable} is `{text[:40]}`: it has to be a number of seconds") from None
    return text


def _checked(merged: dict[str, tuple[str, Any]]) -> Settings:
    """One setting after the other, so that the error names where it was set."""
    good: dict[str, Any] = {}
    for name, (where, value) in merged.items():
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"settings are {', '.join(NAMES)}"
            raise BadInput(f"{where}: unknown setting `{name[:60]}`", hint=hint)
        try:
            setting = msgspec.convert({name: value}, Settings, strict=True)
        except msgspec.ValidationError as error:
            raise BadInput(f"{where}: {name}: {error}", hint=_hint(name)) from None
        good[name] = getattr(setting, name)
        _check_value(where, name, good[name])
    return Settings(**good)


def _check_value(where: str, name: str, value: Any) -> None:
    """What a type alone does not say."""
    if name in ("languages", "styles") and (not value or len(set(value)) < len(value)):
        raise BadInput(f"{where}: {name} is empty or names one twice", hint=_hint(name))
    if name == "arxiv_interval" and not (math.isfinite(value) and value >= 0):
        raise BadInput(f"{where}: {name} is {value}: it has to be a number of seconds, 0 or more")
    if name.endswith("_url"):
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.query or parts.fragment or not value.isprintable():
            raise BadInput(f"{where}: {name} is `{value[:80]}`: it has to be a URL such as https://host")


def _hint(name: str) -> str:
    """The values that a setting can have, where they can be listed."""
    return {
        "languages": f"languages are {', '.join(LANGUAGES)}",
        "styles": f"styles are {', '.join(STYLES)}",
    }.get(name, "")
