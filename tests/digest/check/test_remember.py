"""What was read a moment ago is given again, never shared and never kept for long."""

from __future__ import annotations

from presscheck.digest.check.quantities import quantities
from presscheck.digest.check.remember import RECENT, SHORT, remembered


def test_what_a_caller_does_with_a_list_is_its_own():
    first = quantities("It has 12 layers.")
    first.clear()
    assert [one.text for one in quantities("It has 12 layers.")] == ["12"]


def test_a_text_is_read_once_a_long_one_each_time_and_an_old_one_again():
    read: list[str] = []

    @remembered
    def words(text: str) -> list[str]:
        read.append(text)
        return text.split()

    for text in ("a b", "a b", "x" * (SHORT + 1), "x" * (SHORT + 1)):
        words(text)
    assert [len(text) for text in read] == [3, SHORT + 1, SHORT + 1]
    for number in range(RECENT + 1):
        words(str(number))
    words("a b")
    assert read.count("a b") == 2
