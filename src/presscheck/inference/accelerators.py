"""Systems that make a model smaller or faster, by name, around a model that is loaded.

A system says in its claims.toml what to call:

    [system.accelerator]
    call = "package.module:name"
    settings = { keep = 0.6 }

``name(model, **settings)`` is a context manager. Inside it the model is accelerated; it yields a
cache with ``reset()`` for ``model.generate``, or anything else if the model's own cache serves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from presscheck import catalog
from presscheck.bench.machine import folder_hash
from presscheck.claims import Accelerator
from presscheck.errors import BadInput


class Found:
    """A system that accelerates, found and not yet imported."""

    def __init__(self, slug: str, offer: Accelerator, version: str) -> None:
        self.slug, self.offer = slug, offer
        self.version = version
        """What the answers depend on: the system's code and settings."""

    def load(self) -> Callable[..., Any]:
        """What is called with the model.

        Raises:
            BadInput: if it cannot be imported.
        """
        module, _, name = self.offer.call.partition(":")
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise BadInput(f"the system `{self.slug}` cannot be loaded: {error}") from error
        return found


def find(names: Sequence[str]) -> list[Found]:
    """The systems of these names, in this order.

    Raises:
        BadInput: if one is unknown, is given twice or accelerates nothing.
    """
    found: list[Found] = []
    for name in names:
        if name in (one.slug for one in found):
            raise BadInput(f"--with names `{name}` twice", hint=f"one `{name}` is enough")
        system = catalog.find(name)
        offer = system.manifest().system.accelerator
        if offer is None:
            raise BadInput(
                f"the system `{name}` does not run inside a model",
                hint=f"those that do: {', '.join(known()) or 'none'}",
            )
        found.append(Found(name, offer, f"{name} {folder_hash(system.folder)[:16]} {offer.settings}"))
    return found


def known() -> list[str]:
    """Slugs of all systems that accelerate a model."""
    slugs = []
    for slug, system in catalog.systems().items():
        if not system.broken and system.manifest().system.accelerator is not None:
            slugs.append(slug)
    return slugs


@contextmanager
def accelerated(model: Any, chosen: Sequence[Found]) -> Iterator[Callable[[], dict[str, Any]]]:
    """The model with all of them on, for as long as the ``with`` block lasts.

    Yields:
        A function that begins a conversation: what ``generate`` is to be given for it.

    Raises:
        BadInput: if one does not fit the model, or two bring a cache.
    """
    with ExitStack() as stack:
        caches: dict[str, Any] = {}
        for one in chosen:
            call = one.load()
            try:
                brought = stack.enter_context(call(model, **one.offer.settings))
            except (TypeError, ValueError) as error:
                raise BadInput(f"`{one.slug}` cannot be used with this model: {error}") from error
            if hasattr(brought, "reset"):
                caches[one.slug] = brought
        if len(caches) > 1:
            raise BadInput(
                f"{' and '.join(f'`{slug}`' for slug in caches)} each keep the cache their own way",
                hint="take one of them",
            )

        def begin() -> dict[str, Any]:
            cache = next(iter(caches.values()), None)
            if cache is None:
                return {}
            cache.reset()
            return {"cache": cache}

        yield begin
