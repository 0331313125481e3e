"""A client for the stand-in: the same code with waits that a test can afford."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presscheck.papers.http import Client, Manners
from presscheck.papers.settings import Settings
from tests.standin.server import StandIn


def client_for(service: StandIn, cache: Path | None = None, **manners: Any) -> Client:
    """A client whose services are the stand-in's; close it, or use it as a context manager."""
    quick = {"wait_initial": 0.0, "wait_max": 0.0, "jitter": 0.0, "read": 0.3, "total": 1.5, "attempts": 3}
    settings = Settings(hf_url=service.hf_url, arxiv_url=service.arxiv_url, arxiv_interval=0.0)
    return Client(cache, settings, Manners(**{**quick, **manners}))
