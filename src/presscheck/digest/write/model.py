"""What a language model is to the writer: something that is asked and answers, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from presscheck.errors import PresscheckError
from presscheck.types import Struct


class Message(Struct, frozen=True):
    """One turn of what a model is shown."""

    role: Literal["system", "user"]
    content: str


class Question(Struct, frozen=True, kw_only=True):
    """One request: what is shown, the JSON schema that binds the answer, and how long it may be."""

    messages: tuple[Message, ...]
    schema: dict[str, Any]
    most: int
    """Tokens of the answer, at most."""

    @property
    def letters(self) -> int:
        """Characters of all that is shown."""
        return sum(len(message.content) for message in self.messages)


class Reply(Struct, frozen=True, kw_only=True):
    """An answer with what it took."""

    text: str
    finish: Literal["stop", "length", "refused"] = "stop"
    read: int = 0
    """Tokens of the question."""
    written: int = 0
    """Tokens of the answer."""
    counted: bool = True
    """False where the server gave no token counts and they are our estimate."""
    seconds: float = 0.0
    requests: int = 1
    """Tries that it took."""


class TooLong(PresscheckError):
    """The question does not fit into the model's context."""

    def __init__(self, over: int, message: str) -> None:
        super().__init__(message, hint="a model with a longer context would take it whole")
        self.over = over
        """Tokens too many; at least 1."""


class NoAnswer(PresscheckError):
    """This question got no usable answer after every retry; another one may."""


class Stopped(Exception):
    """The run was stopped while a model was answering."""


class Model(Protocol):
    """A language model. ``ask`` may be called from several threads."""

    @property
    def name(self) -> str:
        """As an entry names its writer: never a path or a key."""
        ...

    @property
    def identity(self) -> str:
        """What its answers depend on beside the question, such as the server or the file's hash."""
        ...

    @property
    def at_once(self) -> int:
        """Questions that it takes side by side."""
        ...

    @property
    def price(self) -> tuple[float, float]:
        """US dollars for a million tokens read and written."""
        ...

    @property
    def priced(self) -> bool:
        """Whether the price is known; a model on this machine costs nothing."""
        ...

    def ask(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        """Answer a question.

        Args:
            question: What is shown and how the answer is bound.
            stopped: Whether the run has been stopped; looked at while the answer comes.

        Raises:
            TooLong: if the question does not fit.
            NoAnswer: if this question failed for good.
            BadInput: if no question can succeed: the key, the model's name.
            Unreachable: if no question can be sent.
            Stopped: if the run was stopped.
        """
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...
