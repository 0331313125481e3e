"""Papers → entries with a language model: side by side, with a limit, and again from where it stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import msgspec

from presscheck.digest.glossary import Glossary
from presscheck.digest.write import extractive
from presscheck.digest.write.cache import Answers
from presscheck.digest.write.compose import compose, unusable
from presscheck.digest.write.dialogue import ROUNDS, Talk, talk
from presscheck.digest.write.ledger import Ledger, LimitReached
from presscheck.digest.write.model import Model, NoAnswer, Question, Reply, Stopped
from presscheck.digest.write.prompt import VERSION
from presscheck.digest.write.source import Source
from presscheck.errors import Unreachable
from presscheck.papers.paper import why_not_summarised
from presscheck.types import Entry, Language, Paper, Problem, Struct, Style

MOST_TOKENS = 2400
"""Tokens of an answer: nine facts in two languages with their quantities take about 1,800."""
IN_A_ROW = 4
"""Papers in a row without an answer after which the model counts as gone."""

Progress = Callable[[int, int], None]


class Work(Struct, frozen=True, kw_only=True):
    """What a writer made of a list of papers."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


class ModelWriter:
    """Writes entries with a language model.

    Args:
        model: What is asked.
        glossary: Terms that it is given and held to.
        answers: Where answers are kept.
        rounds: Of repair, at most.
        most: Tokens of an answer, at most.
    """

    def __init__(
        self,
        model: Model,
        *,
        glossary: Glossary,
        answers: Answers,
        rounds: int = ROUNDS,
        most: int = MOST_TOKENS,
    ) -> None:
        self.model, self.glossary, self.answers = model, glossary, answers
        self.rounds, self.most = rounds, most
        self._stop = threading.Event()
        self._failures = 0
        self._limit = ""

    @property
    def version(self) -> str:
        """What an edition depends on beside its papers: the model, the prompt, the limits."""
        terms = hash_of(self.glossary)
        return f"{self.model.identity} {VERSION} {self.rounds} {self.most} {terms}"

    def write_all(
        self,
        papers: Sequence[Paper],
        languages: Sequence[Language],
        styles: Sequence[Style],
        ledger: Ledger,
        progress: Progress = lambda done, total: None,
    ) -> Work:
        """Write every paper in every language and style.

        Args:
            papers: In the order of the list.
            languages: In the order of print; all come from the same facts.
            styles: In the order of print.
            ledger: Takes what is spent.
            progress: Told how many of how many pairs of paper and style are done.

        Returns:
            The entries, ordered by paper, then language, then style.

        Raises:
            BadInput: if no request can succeed.
            Unreachable: if the model is not there. What was answered is kept.
        """
        self._stop.clear()
        self._failures, self._limit = 0, ""
        jobs = [(i, style) for i in range(len(papers)) for style in styles]
        made: dict[tuple[int, Style], list[Entry]] = {}
        pool = ThreadPoolExecutor(self.model.at_once, thread_name_prefix="presscheck-write")
        try:
            waiting: dict[Future[list[Entry]], tuple[int, Style]] = {
                pool.submit(self._pair, papers[i], languages, style, ledger): (i, style) for i, style in jobs
            }
            left = set(waiting)
            while left:
                # A wait without end would not hear Ctrl-C.
                done, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    made[waiting[future]] = future.result()
                    progress(len(made), len(jobs))
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        entries = [
            next(entry for entry in made[i, style] if entry.language == language)
            for i in range(len(papers))
            for language in languages
            for style in styles
        ]
        return Work(entries=tuple(entries), problems=tuple(_problems(entries, self._limit)))

    def _pair(self, paper: Paper, languages: Sequence[Language], style: Style, ledger: Ledger) -> list[Entry]:
        """One paper in one style, in all languages."""
        if self._stop.is_set():
            raise Stopped
        if why_not_summarised(paper):
            return extractive.write_all([paper], languages, [style])
        source = Source(paper)
        if not source.usable:
            return [unusable(source, language, style, self.model.name) for language in languages]
        done = self._talk(source, languages, style, ledger)
        return [
            compose(source, done, self.model.name, language, style, self.glossary) for language in languages
        ]

    def _talk(self, source: Source, languages: Sequence[Language], style: Style, ledger: Ledger) -> Talk:
        return talk(
            source,
            style,
            languages,
            lambda question: self._ask(source.paper, question, ledger),
            glossary=self.glossary,
            most=self.most,
            rounds=self.rounds,
        )

    def _ask(self, paper: Paper, question: Question, ledger: Ledger) -> Reply:
        """The answer from the cache, else from the model, entered and kept."""
        key = self.answers.key(paper, self.model.identity, question)
        if (kept := self.answers.get(key)) is not None:
            return kept
        if self._stop.is_set():
            raise Stopped
        try:
            reserved = ledger.set_aside(question)
        except LimitReached as error:
            self._limit = self._limit or error.message
            raise
        begun = time.monotonic()
        try:
            reply = self.model.ask(question, self._stop.is_set)
        except NoAnswer as error:
            ledger.release(reserved)
            self._failures += 1
            if self._failures >= IN_A_ROW:
                raise Unreachable(
                    f"{self.model.name} gave no answer {self._failures} times in a row, the last time: "
                    f"{error.message}",
                    hint="what was answered is kept; the same command goes on where it stopped",
                ) from error
            raise
        except BaseException:
            ledger.release(reserved)
            raise
        self._failures = 0
        reply = msgspec.structs.replace(reply, seconds=time.monotonic() - begun)
        # Entered first: an answer that is lost after this was paid for all the same.
        ledger.spend(key, paper.id, reply, reserved)
        self.answers.put(key, paper, self.model.name, reply)
        return reply


def hash_of(glossary: Glossary) -> str:
    """A glossary in 12 hex digits."""
    import hashlib

    return hashlib.sha256(msgspec.json.encode(glossary.terms)).hexdigest()[:12]


def _problems(entries: Sequence[Entry], limit: str) -> list[Problem]:
    """What the reader of the edition is told: papers of which nothing of the model is printed."""
    without = [e.paper for e in entries if e.written is not None and e.writer == extractive.WRITER]
    papers = list(dict.fromkeys(without))
    if not papers:
        return []
    named = ", ".join(papers[:5]) + (f" and {len(papers) - 5} more" if len(papers) > 5 else "")
    why = (
        f"the limit of cost was reached ({limit})" if limit else "the model gave nothing that can be printed"
    )
    return [Problem(where=named, what=f"quoted from the abstract, since {why}")]
