"""One paper's talk with a model: facts, what the check says of them, repairs.

What passes in a language stays as it is; what fails goes back with the finding, at
most ``ROUNDS`` times. Here nothing is printed and nothing replaced: see ``compose``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from presscheck.digest.glossary import Glossary
from presscheck.digest.write.facts import BadSlot, Fact, Read, read, render
from presscheck.digest.write.model import NoAnswer, Question, Reply, TooLong
from presscheck.digest.write.prompt import MOST_TERMS, Failed, Shown, question
from presscheck.digest.write.sanitise import plain_words
from presscheck.digest.write.shorten import shorten
from presscheck.digest.write.source import Source
from presscheck.digest.write.verify import Outcome, Trial, verify
from presscheck.papers.sentences import split
from presscheck.types import SECTIONS, Finding, Language, Style

ROUNDS = 2
"""How often a model is told what is off."""
MOST_SHORTENED = 6
"""How often a paper is shortened for a model before it is given up."""

Ask = Callable[[Question], Reply]


class Candidate(msgspec.Struct):
    """A statement of one fact in one language, on its way to print."""

    fact: Fact
    trial: Trial
    outcome: Outcome
    mended: int = 0
    """How often it was rewritten."""


class Talk(msgspec.Struct):
    """What came out of it."""

    candidates: dict[Language, list[Candidate]]
    broken: int = 0
    """Facts of a wrong shape."""
    given_up: str = ""
    """Why there is nothing of the model; empty if there is something."""
    withheld: tuple[int, ...] = ()
    """Numbers of the sentences that did not fit into the model's context."""
    over: int = 0
    """By how many tokens they did not fit."""


def talk(
    source: Source,
    style: Style,
    languages: Sequence[Language],
    ask: Ask,
    *,
    glossary: Glossary,
    most: int,
    rounds: int = ROUNDS,
) -> Talk:
    """Ask for a paper's facts and have them put right.

    Args:
        source: With at least one sentence that may be used.
        style: Of the entries.
        languages: Of the entries, all from the same facts.
        ask: Sends a question.
        glossary: Terms that the model is given and held to.
        most: Tokens of an answer.
        rounds: Of repair, at most.
    """
    terms = tuple(glossary.of(source.allowed)[:MOST_TERMS]) if "ko" in languages else ()
    shown = Shown(title=source.title, sentences=tuple(source.numbered), terms=terms)
    done = Talk({language: [] for language in languages})
    try:
        answer, shown = _first(source, shown, style, languages, ask, done, most, rounds)
        done.broken = answer.broken
        if not answer.facts:
            done.given_up = answer.trouble
            return done
        _judge(done, source, style, languages, glossary, answer.facts)
        for _ in range(rounds):
            if not _mend(done, source, shown, style, ask, glossary, most):
                break
        _cut_to_one_sentence(done, source, style, glossary)
    except TooLong as error:
        done.given_up = done.given_up or f"the paper does not fit into the model's context: {error.message}"
    except NoAnswer as error:
        # What has passed by now stays; what has not is replaced or dropped.
        if not any(done.candidates.values()):
            done.given_up = error.message
    return done


def _first(
    source: Source,
    shown: Shown,
    style: Style,
    languages: Sequence[Language],
    ask: Ask,
    done: Talk,
    most: int,
    rounds: int,
) -> tuple[Read, Shown]:
    """The first answer with facts in it, of as much of the paper as fits."""
    trouble = ""
    answer = Read((), 0, "the model did not answer")
    shortened = 0
    asked = 0
    while asked <= rounds:
        try:
            reply = ask(question(shown, style, languages, most, trouble=trouble))
        except TooLong as error:
            shortened += 1
            smaller = shorten(shown, error.over, source) if shortened <= MOST_SHORTENED else None
            if smaller is None:
                raise
            done.over = max(done.over, error.over)
            left = {number for number, _ in smaller.sentences}
            done.withheld = tuple(number for number, _ in source.numbered if number not in left)
            shown = smaller
            continue
        asked += 1
        answer = Read((), 0, "the model refused") if reply.finish == "refused" else read(reply.text)
        if answer.facts:
            return answer, shown
        trouble = answer.trouble
    return answer, shown


def _judge(
    done: Talk,
    source: Source,
    style: Style,
    languages: Sequence[Language],
    glossary: Glossary,
    facts: Sequence[Fact],
) -> None:
    """Every fact in every language, held against the paper."""
    for language in languages:
        trials, slots = _trials(facts, language, style)
        outcomes = verify(trials, source, language, style, glossary)
        done.candidates[language] = [
            Candidate(fact, trial, _with(outcome, slot))
            for fact, trial, outcome, slot in zip(facts, trials, outcomes, slots, strict=True)
        ]


def _trials(
    facts: Sequence[Fact], language: Language, style: Style
) -> tuple[list[Trial], list[Finding | None]]:
    """The facts' texts with their figures put in, and what was wrong with their slots."""
    trials, slots = [], []
    known = [key for key in SECTIONS[style] if key != "fields"]
    for fact in facts:
        slot = None
        try:
            text = render(fact, language)
        except BadSlot as error:
            text = fact.en if language == "en" else fact.ko
            slot = Finding(kind="form", why=str(error))
        section = fact.section if fact.section in known else known[0]
        if fact.section not in known:
            slot = slot or Finding(
                kind="form", text=fact.section[:40], why=f"sections are {', '.join(known)}"
            )
        trials.append(Trial(section, plain_words(text), fact.sentences))
        slots.append(slot)
    return trials, slots


def _with(outcome: Outcome, finding: Finding | None) -> Outcome:
    return outcome if finding is None else outcome._replace(findings=(finding, *outcome.findings))


def _mend(
    done: Talk, source: Source, shown: Shown, style: Style, ask: Ask, glossary: Glossary, most: int
) -> bool:
    """One round of repair; whether there was anything to repair."""
    failed = _failed(done)
    if not failed:
        return False
    languages: list[Language] = [
        lang for lang in done.candidates if any(lang in one.findings for one in failed)
    ]
    try:
        reply = ask(question(shown, style, languages, most, failed=failed))
    except TooLong:
        return False
    answer = read(reply.text) if reply.finish != "refused" else Read((), 0, "")
    wanted = {one.number: one for one in failed}
    mends = {fact.mends: fact for fact in reversed(answer.facts) if fact.mends in wanted}
    if not mends and len(failed) == 1 and answer.facts:
        mends = {failed[0].number: answer.facts[0]}
    for language in languages:
        numbers = [number for number in mends if language in wanted[number].findings]
        facts = [mends[number] for number in numbers]
        trials, slots = _trials(facts, language, style)
        outcomes = verify(trials, source, language, style, glossary)
        for number, fact, trial, outcome, slot in zip(numbers, facts, trials, outcomes, slots, strict=True):
            old = done.candidates[language][number - 1]
            if trial.text:
                old.fact, old.trial, old.outcome = fact, trial, _with(outcome, slot)
                old.mended += 1
    return True


def _cut_to_one_sentence(done: Talk, source: Source, style: Style, glossary: Glossary) -> None:
    """What still fails and runs on: its first sentence, if that passes alone."""
    for language, candidates in done.candidates.items():
        for one in candidates:
            spans = [] if one.outcome.passes else split(one.trial.text)
            if len(spans) > 1:
                start, end = spans[0]
                trial = one.trial._replace(text=one.trial.text[start:end])
                (outcome,) = verify([trial], source, language, style, glossary)
                if outcome.passes:
                    one.trial, one.outcome = trial, outcome
                    one.mended += 1


def _failed(done: Talk) -> list[Failed]:
    """The facts that do not pass in some language, numbered from 1."""
    count = max((len(each) for each in done.candidates.values()), default=0)
    failed = []
    for i in range(count):
        findings: dict[Language, tuple[Finding, ...]] = {
            language: each[i].outcome.findings
            for language, each in done.candidates.items()
            if not each[i].outcome.passes
        }
        if findings:
            fact = done.candidates[next(iter(findings))][i].fact
            failed.append(Failed(number=i + 1, fact=fact, findings=findings))
    return failed
