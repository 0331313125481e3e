"""Papers → entries with a language model: side by side, with a limit, and again from where it stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import msgspec

from presscheck.digest.glossary import Glossary
from presscheck.digest.write import extractive
from presscheck.digest.write.abreast import abreast
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


class _Run:
    """What the threads of one run share; one that was left behind stays with its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.stop = threading.Event()
        self.failures = 0
        """Questions in a row without an answer."""
        self.limit = ""
        """What was said when the limit of cost was reached."""


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
        run = _Run(ledger)
        jobs = [(i, style) for i in range(len(papers)) for style in styles]
        made: dict[tuple[int, Style], list[Entry]] = {}
        done = abreast(
            jobs,
            lambda job: self._pair(papers[job[0]], languages, job[1], run),
            self.model.at_once,
            run.stop,
        )
        with closing(done):
            for job, pair in done:
                made[job] = pair
                progress(len(made), len(jobs))
        entries = [
            next(entry for entry in made[i, style] if entry.language == language)
            for i in range(len(papers))
            for language in languages
            for style in styles
        ]
        return Work(entries=tuple(entries), problems=tuple(_problems(entries, run.limit)))

    def _pair(self, paper: Paper, languages: Sequence[Language], style: Style, run: _Run) -> list[Entry]:
        """One paper in one style, in all languages."""
        if run.stop.is_set():
            raise Stopped
        if why_not_summarised(paper):
            return extractive.write_all([paper], languages, [style])
        source = Source(paper)
        if not source.usable:
            return [unusable(source, language, style, self.model.name) for language in languages]
        done = self._talk(source, languages, style, run)
        return [
            compose(source, done, self.model.name, language, style, self.glossary) for language in languages
        ]

    def _talk(self, source: Source, languages: Sequence[Language], style: Style, run: _Run) -> Talk:
        return talk(
            source,
            style,
            languages,
            lambda question: self._ask(source.paper, question, run),
            glossary=self.glossary,
            most=self.most,
            rounds=self.rounds,
        )

    def _ask(self, paper: Paper, question: Question, run: _Run) -> Reply:
        """The answer from the cache, else from the model, entered and kept."""
        key = self.answers.key(paper, self.model.identity, question)
        if (kept := self.answers.get(key)) is not None:
            return kept
        if run.stop.is_set():
            raise Stopped
        try:
            reserved = run.ledger.set_aside(question)
        except LimitReached as error:
            run.limit = run.limit or error.message
            raise
        begun = time.monotonic()
        try:
            reply = self.model.ask(question, run.stop.is_set)
        except NoAnswer as error:
            run.ledger.release(reserved)
            run.failures += 1
            if run.failures >= IN_A_ROW:
                raise Unreachable(
                    f"{self.model.name} gave no answer {run.failures} times in a row, the last time: "
                    f"{error.message}",
                    hint="what was answered is kept; the same command goes on where it stopped",
                ) from error
            raise
        except BaseException:
            run.ledger.release(reserved)
            raise
        run.failures = 0
        reply = msgspec.structs.replace(reply, seconds=time.monotonic() - begun)
        # Entered first: an answer that is lost after this was paid for all the same.
        run.ledger.spend(key, paper.id, reply, reserved)
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
