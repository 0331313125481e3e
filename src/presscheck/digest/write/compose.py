"""A paper's talk with a model → its entries: what passed, and what stands where something did not.

In English a statement that failed gives way to the sentence of the abstract that it
was to tell; in Korean it is dropped, since English text is no Korean entry. A last
check of the finished entry against the whole paper takes out what it does not support.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from presscheck.digest.check.form import check_omitted
from presscheck.digest.fields import fields
from presscheck.digest.glossary import Glossary
from presscheck.digest.headline import is_headline
from presscheck.digest.write import extractive
from presscheck.digest.write.dialogue import Candidate, Talk
from presscheck.digest.write.source import Source
from presscheck.digest.write.verify import Trial, supported, verify
from presscheck.types import (
    SECTIONS,
    Entry,
    Language,
    LeftOut,
    Section,
    Statement,
    Style,
    Written,
)

_WORDS: dict[str, dict[Language, str]] = {
    "none": {
        "en": "no statement for this section passed the check",
        "ko": "이 부분에는 점검을 통과한 문장이 없습니다.",
    },
    "no_fields": {
        "en": "neither title nor abstract names a field that the table knows",
        "ko": "제목과 초록에 분야 표에 있는 용어가 나오지 않습니다.",
    },
    "left_out": {
        "en": "no statement about this result passed the check",
        "ko": "이 결과를 말하는 문장 가운데 점검을 통과한 것이 없습니다.",
    },
    "easy": {
        "en": "the easy summary keeps to the main results; the detailed entry has them all",
        "ko": "쉬운 요약은 주요 결과만 싣습니다. 자세한 항목에는 모두 있습니다.",
    },
    "withheld": {
        "en": "Not given to the model, which has no room for {over} tokens more: sentence {numbers}",
        "ko": "모델의 문맥 길이를 토큰 {over}개 넘어 모델에 주지 않은 문장: {numbers}",
    },
    "given_up": {
        "en": "Nothing of {model} is printed: {why}",
        "ko": "{model}의 글은 싣지 않았습니다({why}).",
    },
    "no_sentence": {
        "en": "no sentence of the abstract is about the paper",
        "ko": "초록에 논문을 다루는 문장이 없습니다.",
    },
}


def words(key: str, language: Language, **given: object) -> str:
    """One of the sentences above."""
    return _WORDS[key][language].format(**given)


class _Line(msgspec.Struct):
    """A statement with what is known of it."""

    trial: Trial
    how: str
    """``kept``, ``repaired``, ``replaced`` or ``added``."""


def compose(
    source: Source, done: Talk, model: str, language: Language, style: Style, glossary: Glossary
) -> Entry:
    """One entry of a model's facts.

    Args:
        source: The paper.
        done: What the model said of it.
        model: Its name.
        language: Of the entry.
        style: Of the entry.
        glossary: What quoted and Korean text is held against.
    """
    notes = list(source.note(language))
    if done.withheld:
        numbers = ", ".join(map(str, done.withheld))
        notes.append(words("withheld", language, over=done.over, numbers=numbers))
    if done.given_up:
        notes.append(words("given_up", language, model=model, why=done.given_up))
        return quoted(source, language, style, tuple(notes))
    lines, failed = _passed(done.candidates[language])
    dropped = len(failed) + done.broken
    if language == "en":
        new = _replacements(source, lines, failed, style, glossary)
        dropped -= len(new)
        lines += new
        lines += _added(source, lines, style, glossary)
    entry = _entry(source, lines, model, language, style)
    good = supported(entry, source.paper)
    lines = [line for line, fine in zip(_in_order(lines, style), good, strict=True) if fine]
    dropped += good.count(False)
    entry = _entry(source, lines, model, language, style)
    counts = {
        how: sum(line.how == how for line in lines) for how in ("kept", "repaired", "replaced", "added")
    }
    return msgspec.structs.replace(
        entry,
        left_out=_left_out(source, lines, language, style),
        written=Written(dropped=dropped, notes=tuple(notes), **counts),
    )


def quoted(source: Source, language: Language, style: Style, notes: tuple[str, ...]) -> Entry:
    """The extractive entry, without sentences that are passed over and what the check does not support."""
    entry = extractive.write(source.paper, language, style)
    hidden = {i + 1 for i in source.passed_over}
    clean = tuple(
        msgspec.structs.replace(
            section,
            statements=tuple(
                s for s in section.statements if not any(e.sentence in hidden for e in s.evidence)
            ),
        )
        for section in entry.sections
    )
    entry = msgspec.structs.replace(entry, sections=clean)
    good = iter(supported(entry, source.paper))
    sections = []
    for section in entry.sections:
        kept = section.statements
        if section.key != "fields":
            kept = tuple(
                msgspec.structs.replace(s, verdict="supported") for s in section.statements if next(good)
            )
        absent = section.absent or ("" if kept else words("none", language))
        sections.append(msgspec.structs.replace(section, statements=kept, absent=absent))
    return msgspec.structs.replace(
        entry,
        sections=tuple(sections),
        left_out=tuple(one for one in entry.left_out if one.evidence.sentence not in hidden),
        written=Written(notes=notes),
    )


def unusable(source: Source, language: Language, style: Style, model: str) -> Entry:
    """The entry of an abstract in which every sentence is passed over."""
    return Entry(
        paper=source.paper.id,
        language=language,
        style=style,
        writer=model,
        status="not summarised",
        reason=words("no_sentence", language),
        written=Written(notes=source.note(language)),
    )


def _passed(candidates: Sequence[Candidate]) -> tuple[list[_Line], list[Candidate]]:
    """What may be printed, no text twice, and what may not."""
    lines: list[_Line] = []
    failed: list[Candidate] = []
    seen: set[str] = set()
    for one in candidates:
        key = "".join(letter for letter in one.trial.text.casefold() if letter.isalnum())
        if not one.outcome.passes or key in seen:
            failed.append(one)
            continue
        seen.add(key)
        carried = set(one.trial.sentences) & set(one.outcome.carrying)
        trial = one.trial if carried else one.trial._replace(sentences=one.outcome.carrying[:1])
        lines.append(_Line(trial, "repaired" if one.mended else "kept"))
    return lines, failed


def _replacements(
    source: Source, lines: Sequence[_Line], failed: Sequence[Candidate], style: Style, glossary: Glossary
) -> list[_Line]:
    """For each failed statement the first sentence that it named, where nothing else tells it."""
    told = {number for line in lines for number in line.trial.sentences}
    known = dict(source.numbered)
    trials: list[Trial] = []
    for one in failed:
        number = next((n for n in one.trial.sentences if n in known and n not in told), None)
        if number is not None:
            told.add(number)
            trials.append(Trial(one.trial.section, known[number], (number,), quoted=True))
    return [_Line(trial, "replaced") for trial in _that_pass(trials, source, style, glossary)]


def _added(source: Source, lines: Sequence[_Line], style: Style, glossary: Glossary) -> list[_Line]:
    """The results of the abstract of which no statement tells, as they stand there."""
    if style != "detailed":
        return []
    trials = [
        Trial("performance_highlights", text, (number,), quoted=True)
        for number, text in _untold(source, lines)
    ]
    return [_Line(trial, "added") for trial in _that_pass(trials, source, style, glossary)]


def _untold(source: Source, lines: Sequence[_Line]) -> list[tuple[int, str]]:
    """Sentences with a result that no statement points to, or of whose figures none is told."""
    told = {number for line in lines for number in line.trial.sentences}
    texts = [line.trial.text for line in lines]
    return [
        (number, text)
        for number, text in source.numbered
        if is_headline(text) and (number not in told or check_omitted([text], texts, is_headline))
    ]


def _that_pass(trials: list[Trial], source: Source, style: Style, glossary: Glossary) -> list[Trial]:
    outcomes = verify(trials, source, "en", style, glossary) if trials else []
    return [trial for trial, outcome in zip(trials, outcomes, strict=True) if outcome.passes]


def _in_order(lines: Sequence[_Line], style: Style) -> list[_Line]:
    """By section, and in it by the sentence that carries a statement."""
    place = {key: i for i, key in enumerate(SECTIONS[style])}
    return sorted(lines, key=lambda line: (place[line.trial.section], min(line.trial.sentences, default=0)))


def _entry(source: Source, lines: Sequence[_Line], model: str, language: Language, style: Style) -> Entry:
    by_section: dict[str, list[Statement]] = {key: [] for key in SECTIONS[style]}
    for line in _in_order(lines, style):
        by_section[line.trial.section].append(
            Statement(
                text=line.trial.text, evidence=source.evidence(line.trial.sentences), verdict="supported"
            )
        )
    sections = []
    for key, statements in by_section.items():
        told = tuple(statements)
        why = "none"
        if key == "fields":
            told, why = (
                fields(source.checked_against if not source.whole else source.paper, language),
                "no_fields",
            )
        sections.append(Section(key=key, statements=told, absent="" if told else words(why, language)))
    return Entry(
        paper=source.paper.id, language=language, style=style, writer=model, sections=tuple(sections)
    )


def _left_out(
    source: Source, lines: Sequence[_Line], language: Language, style: Style
) -> tuple[LeftOut, ...]:
    """The results that an entry does not tell, with the reason."""
    return tuple(
        LeftOut(
            evidence=source.evidence([number])[0],
            reason=words("easy" if style == "easy" else "left_out", language),
        )
        for number, _ in _untold(source, lines)
        if source.evidence([number])
    )
