"""What an edition costs: tokens and money, request by request, with a limit that is never passed.

Before a request the most that it can cost is set aside; where that would pass the
limit it is not sent. The ledger is written after every answer, so a run that was
killed goes on with what was spent before.
"""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from presscheck.digest.write.model import Model, NoAnswer, Question, Reply
from presscheck.errors import BadInput
from presscheck.papers.whole import write_whole
from presscheck.types import Struct

LETTERS_A_TOKEN = 2
"""Characters of a question that a token is reckoned to have before it is sent: English has four,
Korean and JSON about two, so what is set aside is rather too much."""


class Spent(Struct, frozen=True, kw_only=True):
    """One request that was answered."""

    paper: str
    read: int
    written: int
    dollars: float
    seconds: float
    counted: bool = True


class Totals(Struct, frozen=True, kw_only=True):
    """The sum of a ledger."""

    requests: int
    read: int
    written: int
    dollars: float
    seconds: float


class _File(Struct, frozen=True, kw_only=True, omit_defaults=False):
    schema: int = 1
    edition: str
    model: str
    price: tuple[float, float]
    totals: Totals
    requests: dict[str, Spent]


class LimitReached(NoAnswer):
    """The next request could cost more than is left."""


class Ledger:
    """The ledger of one edition by one model. Safe for threads.

    Args:
        path: Where it is kept; None keeps it in memory.
        edition: What it is for, such as the day.
        model: Whose prices count.
        limit: US dollars, at most; None for no limit.

    Raises:
        BadInput: if there is a limit and the model's price is not known.
    """

    def __init__(self, path: Path | None, edition: str, model: Model, limit: float | None = None) -> None:
        if limit is not None and not model.priced:
            raise BadInput(
                f"--max-cost needs the price of {model.name}, and it is not known",
                hint="give it as `--price 0.15,0.60`: US dollars for a million tokens read and written",
            )
        self._path, self._edition, self._model, self._limit = path, edition, model, limit
        self._lock = threading.Lock()
        self._set_aside = 0.0
        self._requests: dict[str, Spent] = {}
        if path is not None:
            try:
                self._requests = dict(msgspec.json.decode(path.read_bytes(), type=_File).requests)
            except FileNotFoundError:
                pass
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BadInput(
                    f"{path} cannot be read, so what was spent is not known: {error}",
                    hint="move it away to begin at nothing",
                ) from error

    def cost(self, read: int, written: int) -> float:
        """US dollars for so many tokens."""
        return (read * self._model.price[0] + written * self._model.price[1]) / 1e6

    def set_aside(self, question: Question) -> float:
        """Reserve the most that a question can cost.

        Returns:
            The sum, to be given to ``spend`` or ``release``.

        Raises:
            LimitReached: if it would pass the limit.
        """
        most = self.cost(question.letters // LETTERS_A_TOKEN + 64, question.most)
        with self._lock:
            spent = self.totals.dollars
            if self._limit is not None and spent + self._set_aside + most > self._limit:
                raise LimitReached(
                    f"{spent:.4f} of {self._limit:.4f} dollars are spent, "
                    f"and one more request can cost {most:.4f}",
                    hint="a higher --max-cost goes on where this one stopped",
                )
            self._set_aside += most
        return most

    def release(self, reserved: float) -> None:
        """Give back what was set aside for a request that got no answer."""
        with self._lock:
            self._set_aside -= reserved

    def spend(self, key: str, paper: str, reply: Reply, reserved: float) -> None:
        """Enter an answer, and write the ledger.

        Raises:
            BadInput: if it cannot be written.
        """
        with self._lock:
            self._set_aside -= reserved
            self._requests[key] = Spent(
                paper=paper,
                read=reply.read,
                written=reply.written,
                dollars=self.cost(reply.read, reply.written),
                seconds=round(reply.seconds, 3),
                counted=reply.counted,
            )
            if self._path is not None:
                write_whole(self._path, self._encoded())

    @property
    def totals(self) -> Totals:
        """What was spent, with all runs of this edition before."""
        spent = list(self._requests.values())
        return Totals(
            requests=len(spent),
            read=sum(one.read for one in spent),
            written=sum(one.written for one in spent),
            dollars=round(sum(one.dollars for one in spent), 9),
            seconds=round(sum(one.seconds for one in spent), 3),
        )

    def seconds_of(self, paper: str) -> float:
        """Seconds of all answers about one paper, of earlier runs too."""
        return sum(one.seconds for one in self._requests.values() if one.paper == paper)

    def _encoded(self) -> bytes:
        file = _File(
            edition=self._edition,
            model=self._model.name,
            price=self._model.price,
            totals=self.totals,
            requests=self._requests,
        )
        return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"
