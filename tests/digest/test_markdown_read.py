"""Digests of other people: what is printed is what is read, whatever is missing or added."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from presscheck.digest.markdown.inline import plain
from presscheck.digest.markdown.read import read_markdown
from presscheck.digest.markdown.write import as_printed, to_markdown
from presscheck.errors import BadInput
from presscheck.types import Digest, Evidence, Section, Statement

DETAILED = """\
## Daily Papers (2024-07-31)

### [Owl: Night Vision [v2] for Cars](https://arxiv.org/abs/2407.12345)

![](https://example.org/2407.12345.png)

Vote: 12

Authors: Ann Lee, +, Bo Kim

- **What's New**: Owl은 밤길을 봅니다. 카메라가 하나면 됩니다.
- **Technical Details**: 식은 5×10^{-5}이고 <end_of_x> 토큰을 씁니다.
- **Performance Highlights**:
- **Future Work**: 비 오는 날이 남았습니다.

### [Second Paper](https://arxiv.org/abs/cs/0112017v2)

![](/avatars/a.svg)

Vote: 0

Authors: Cy Park

- **What's New**: 새 방법입니다.
"""

EASY = """\
![Image](https://example.org/social-thumbnails/papers/2410.11111.png)
## 제목:
Kite: Wind for Drones

**요약**:
바람을 읽는 방법입니다. 드론이 12% 더 멀리 납니다.

**쉬운설명**:
연처럼 바람을 탑니다.

**관련분야**:
로봇, 제어(PID, MPC), 강화 학습

**추천수**:
7

**PDF 다운로드 링크**: ![PDF 다운로드](https://arxiv.org/pdf/2410.11111)

---

![Image](https://example.org/social-thumbnails/papers/2410.22222.png)
## 제목:
Second Kite

**요약**:
둘째 논문입니다.
---"""


def texts(section: Section) -> list[str]:
    return [one.text for one in section.statements]


def test_a_detailed_digest_is_read_as_it_is_printed() -> None:
    digest = read_markdown(DETAILED)
    assert (digest.style, digest.language, digest.date, digest.state) == (
        "detailed",
        "ko",
        "2024-07-31",
        "unknown",
    )
    first, second = digest.entries
    assert first.head is not None and second.head is not None
    assert (first.paper, second.paper) == ("2407.12345", "cs/0112017")
    assert first.head.title == "Owl: Night Vision [v2] for Cars"
    assert first.head.authors == ("Ann Lee", "+", "Bo Kim")
    assert (first.head.votes, second.head.votes) == (12, 0)
    assert (first.head.pdf, first.head.pdf_is_image) == ("", False)
    assert second.head.thumbnail == "/avatars/a.svg"
    assert [section.key for section in first.sections] == [
        "whats_new",
        "technical_details",
        "performance_highlights",
        "Future Work",
    ]
    assert texts(first.sections[0]) == ["Owl은 밤길을 봅니다.", "카메라가 하나면 됩니다."]
    assert texts(first.sections[1]) == ["식은 5×10^{-5}이고 <end_of_x> 토큰을 씁니다."]
    assert first.sections[2] == Section(key="performance_highlights")
    assert [section.key for section in second.sections] == ["whats_new"]


def test_an_easy_digest_is_read_as_it_is_printed() -> None:
    digest = read_markdown(EASY)
    assert (digest.style, digest.language, digest.date) == ("easy", "ko", "")
    first, second = digest.entries
    assert first.head is not None and second.head is not None
    assert (first.paper, first.head.title, first.head.votes) == ("2410.11111", "Kite: Wind for Drones", 7)
    assert (first.head.pdf, first.head.pdf_is_image) == ("https://arxiv.org/pdf/2410.11111", True)
    assert [section.key for section in first.sections] == ["summary", "plain", "fields"]
    assert texts(first.sections[0]) == ["바람을 읽는 방법입니다.", "드론이 12% 더 멀리 납니다."]
    assert texts(first.sections[2]) == ["로봇", "제어(PID, MPC)", "강화 학습"]
    assert (second.paper, second.head.title) == ("2410.22222", "Second Kite")
    assert texts(second.sections[0]) == ["둘째 논문입니다."]


@pytest.mark.parametrize("markdown", [DETAILED, EASY])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "   \n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace("### [", "# [").replace("## 제목", "#### 제목"),
        lambda text: text.replace("- **", "* **"),
        lambda text: text.replace("- **", "**"),
        lambda text: text.replace("- **What's New**:", "#### What's New\n"),
        lambda text: re.sub(r"\*\*(.+?)\*\*:", r"**\1:**", text),
        lambda text: text.replace("Vote:", "Votes:").replace("## 제목:\n", "## 제목: "),
        lambda text: text.replace("### [", "### 1. [").replace("**추천수**:\n", "**추천수**: "),
        lambda text: "```markdown\n" + text + "\n```\n",
        lambda text: "<!-- made by\n\n### [x](https://arxiv.org/abs/1) -->\n" + text,
    ],
)
def test_small_differences_of_form_change_nothing(markdown: str, change: Callable[[str], str]) -> None:
    assert read_markdown(change(markdown)) == read_markdown(markdown)


def test_parts_may_be_missing() -> None:
    digest = read_markdown("### [Only a Title and a Vote](https://arxiv.org/abs/2407.12345)\nVotes: 1,234\n")
    (entry,) = digest.entries
    assert entry.head is not None
    assert (entry.head.votes, entry.head.authors, entry.sections) == (1234, (), ())
    (entry,) = read_markdown("**Title**: Kite\n\n**Summary**: It flies. It lands.\n").entries
    assert entry.head is not None
    assert (entry.style, entry.head.title, entry.paper) == ("easy", "Kite", "")
    assert texts(entry.sections[0]) == ["It flies.", "It lands."]


def test_an_english_digest_is_told_from_a_korean_one() -> None:
    begin = "### [A](https://arxiv.org/abs/2407.12345)\n- **What's New**: "
    assert read_markdown(begin + "It calls 김치 by its name, kimchi, throughout.\n").language == "en"
    assert read_markdown(begin + "LLaMA3와 Mistral로 SOTA accuracy를 냅니다.\n").language == "ko"


def test_headings_lists_and_markup_in_a_section_leave_its_words() -> None:
    digest = read_markdown(
        "### [A](https://arxiv.org/abs/2407.12345)\n"
        "- **Technical Details**: See [the code](https://a.b/c_(d)) and `f(x)`.\n"
        "  - **Encoder**: It has *two* layers\n"
        "  - It is **fast**.\n\n"
        "#### Limits\n\nNot at night.\n"
    )
    first, second = digest.entries[0].sections
    assert texts(first) == ["See the code and f(x).", "Encoder: It has *two* layers", "It is fast."]
    assert second == Section(key="Limits", statements=(Statement(text="Not at night."),))


def test_words_under_no_heading_are_not_lost() -> None:
    digest = read_markdown("### [A](https://arxiv.org/abs/2407.12345)\nVote: 1\n\nIt is said to fly.\n")
    assert digest.entries[0].sections == (
        Section(key="untitled", statements=(Statement(text="It is said to fly."),)),
    )


def test_what_was_read_can_be_printed_and_read_again() -> None:
    for markdown in (DETAILED, EASY):
        digest = read_markdown(markdown)
        assert read_markdown(to_markdown(digest)) == as_printed(digest)


def test_an_entry_cut_out_of_our_digest_keeps_its_evidence() -> None:
    pointer = '<!-- ev: abstract v1 s2 10:25 3f2a; repository at="a.py" -->'
    digest = read_markdown(
        f"### [A](https://arxiv.org/abs/2407.12345)\n- **What's New**: One of two. {pointer} Two.\n"
    )
    first, second = digest.entries[0].sections[0].statements
    assert first.evidence == (
        Evidence(source="abstract", version="v1", sentence=2, start=10, end=25, hash="3f2a"),
        Evidence(source="repository", place="a.py"),
    )
    assert second == Statement(text="Two.")


def test_comments_of_others_are_not_text_and_not_marks() -> None:
    digest = read_markdown(
        "### [A](https://arxiv.org/abs/2407.12345)\n"
        "- **What's New**: One <!-- ev: of many --> two. <!-- x -->\n"
    )
    assert texts(digest.entries[0].sections[0]) == ["One", "two."]


MARKED = '## Daily Papers\n<!-- presscheck: detailed en -->\n\n<!-- entry: paper="1" -->\n### A\n\n'


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("Hello\n\nworld\n", "no digest that presscheck knows"),
        ("# Daily Papers (2024-07-31)\n", "no digest that presscheck knows"),
        ("<!DOCTYPE html><html><body>502</body></html>", "no digest that presscheck knows"),
        ("# Notes\n\n## [A link](https://a.b)\n\nand text\n", "no digest that presscheck knows"),
        ("## Daily Papers\n<!-- presscheck: long en -->\n", "x.md, line 2: .*need a style"),
        (MARKED.replace("paper=", "papr="), "x.md, line 4: .*papr"),
        (MARKED + "- **What's New**: It flies. <!-- ev: abstract s -->\n", "x.md, .* line 7: .*'s'"),
        (MARKED + "- **What's New**: It flies. <!-- ev: v1 -->\n", "before a source"),
        (MARKED + "- **What's New**: It flies. <!-- ev: title abstract -->\n", "need `;`"),
        (MARKED + '- **What\'s New**: It flies. <!-- ev: title on="x" -->\n', "no field of a pointer"),
        (MARKED + "- **What's New**: <!-- ev: title -->\n", "no statement before it"),
    ],
)
def test_what_is_no_digest_is_an_error_that_says_what_was_looked_for(markdown: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read_markdown(markdown, name="x.md")
    if "knows" in said:
        assert "What's New" in caught.value.hint and "제목" in caught.value.hint


def test_our_digest_without_entries_is_one() -> None:
    digest = Digest(
        style="easy", language="ko", date="2024-07-27", taken="2024-07-28T00:00:09Z", state="closed"
    )
    assert read_markdown(to_markdown(digest)) == digest


HOSTILE = [
    "a", "[", "![", "](", "[](", "**", "**a ", "**a** ", "`", "`a` ", "\\", "\\*", "&", "&amp;", "<",
    "<!--", "<!-- ", "\\<!--", "-->", "<!-- ev: -->", "<!-- ev: abstract s1 -->", "(", ",", "、(", "#",
    "# ", " #", "-", "- ", "* ", "> ", ">", "1. ", "|", "_", "~", "한", "한글. ", "가. 나! ", "a.b ",
    "\"", "www.", "://", "+", "=",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    """Ten times the text may take ten times as long, with room for noise, but not a hundred times."""

    def seconds(length: int) -> float:
        words = piece * (length // len(piece))
        markdown = f"### [{words}](https://arxiv.org/abs/1)\n- **What's New**: {words}\n- **A**: x\n"
        best = float("inf")
        for _ in range(2):
            begin = time.perf_counter()
            plain(words)
            read_markdown(markdown)
            best = min(best, time.perf_counter() - begin)
        return best

    short, long = seconds(4_000), seconds(40_000)
    assert long < 40 * short + 0.2, f"{short:.4f} s, then {long:.4f} s"
