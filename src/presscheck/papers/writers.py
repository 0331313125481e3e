"""A writer as the settings file names it: ``[writers.NAME]`` in ``presscheck.toml``."""

from __future__ import annotations

import msgspec

from presscheck.types import Struct


class WriterSettings(Struct, frozen=True, kw_only=True):
    """Where a language model is, and what it may take."""

    model: str
    """``openai:NAME``, ``gguf:PATH`` or ``hf:MODEL``."""
    base_url: str = ""
    """Of an OpenAI-protocol server, as in ``http://127.0.0.1:11434/v1``; empty for OpenAI's own."""
    key: str = ""
    """The environment variable that has the key; never the key itself."""
    price: tuple[float, float] | None = None
    """US dollars for a million tokens read and written."""
    at_once: int = 4
    """Requests side by side."""
    timeout: float = 180.0
    """Seconds for one answer."""
    context: int = 8192
    """Tokens of question and answer together, for a model in this process."""
    accelerators: tuple[str, ...] = msgspec.field(default=(), name="with")
    """Systems that are switched on in an ``hf:`` model."""
    device: str = "cpu"
    """Where an ``hf:`` model runs, as torch writes it."""
    most: int = 2400
    """Tokens of an answer."""
