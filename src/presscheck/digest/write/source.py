"""One paper as the writer sees it: sentences that may be used, sentences that are passed over."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from presscheck.digest.write.hostile import addressed, split_hostile
from presscheck.papers.sentences import sentence_texts
from presscheck.types import Evidence, Language, Paper

_PASSED_OVER: dict[Language, str] = {
    "en": "Passed over, since they speak to software and not to readers: sentence {}",
    "ko": "독자가 아니라 소프트웨어에 말하므로 쓰지 않은 문장: {}",
}


class Source:
    """A paper with the sentences of its abstract; indices count from 0, numbers from 1."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.texts: list[str] = sentence_texts(paper)
        self.usable, self.passed_over = split_hostile(self.texts)

    @property
    def title(self) -> str:
        """The title, unless it speaks to software itself."""
        return "" if addressed(self.paper.title) else self.paper.title

    @property
    def numbered(self) -> list[tuple[int, str]]:
        """Numbers and texts of the sentences that may be used."""
        return [(i + 1, self.texts[i]) for i in self.usable]

    @cached_property
    def allowed(self) -> list[str]:
        """Title and sentences that may carry a statement."""
        return [self.title, *(self.texts[i] for i in self.usable)]

    @cached_property
    def checked_against(self) -> Paper:
        """The paper that statements are held against: without the sentences that are passed over.

        Else a sentence that an author of orders wrote would carry what it orders.
        """
        if not self.passed_over and self.title == self.paper.title:
            return self.paper
        kept = " ".join(self.texts[i] for i in self.usable)
        return Paper(id=self.paper.id, title=self.title, abstract=kept, authors=self.paper.authors)

    @property
    def whole(self) -> bool:
        """Whether nothing is passed over, so that sentence numbers are those of the abstract."""
        return self.checked_against is self.paper

    def evidence(self, numbers: Sequence[int]) -> tuple[Evidence, ...]:
        """Pointers to whole sentences, in the order of the abstract."""
        known = {sentence.number: sentence for sentence in self.paper.sentences}
        return tuple(
            Evidence(
                source="abstract",
                version=self.paper.version,
                sentence=number,
                start=known[number].start,
                end=known[number].end,
                hash=known[number].hash,
            )
            for number in sorted(set(numbers))
            if number in known
        )

    def note(self, language: Language) -> tuple[str, ...]:
        """The line about what was passed over, if anything was."""
        if not self.passed_over:
            return ()
        return (_PASSED_OVER[language].format(", ".join(str(i + 1) for i in self.passed_over)),)
