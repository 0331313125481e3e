"""What presscheck raises on input that it cannot use."""

from __future__ import annotations


class PresscheckError(Exception):
    """Something a user can put right: what was got, what is needed, and a hint.

    The command line prints it as ``Error: …``, a blank line, ``hint: …`` and
    exits with 2; nothing has been written when it is raised.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(PresscheckError):
    """A file, an answer or an argument is not what it has to be."""


class Unreachable(PresscheckError):
    """A service did not answer, after every retry that its manners allow."""
