"""What was read from a text a moment ago: several parts of the check read the same sentences.

Bounded in number and in length, so that an archive streams through in flat memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

RECENT = 512
"""Texts; a digest of sixteen papers has about as many sentences and statements."""
SHORT = 2000
"""Characters; a longer text is read anew each time."""


def remembered(read: Callable[P, list[T]]) -> Callable[P, list[T]]:
    """Keep the last results of a function from a text, its first argument, to a list of immutable things."""

    @lru_cache(RECENT)
    def kept(*args: P.args, **kwargs: P.kwargs) -> tuple[T, ...]:
        return tuple(read(*args, **kwargs))

    @wraps(read)
    def recall(*args: P.args, **kwargs: P.kwargs) -> list[T]:
        if args and isinstance(args[0], str) and len(args[0]) <= SHORT:
            return list(kept(*args, **kwargs))  # type: ignore[arg-type]  # what is unhashable raises
        return read(*args, **kwargs)

    return recall
