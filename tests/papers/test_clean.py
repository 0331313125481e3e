"""Cleaning: what it puts right, what it must leave alone, and the way back to the original."""

from __future__ import annotations

import gzip
import json
import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.papers.clean import clean
from presscheck.papers.offsets import Traced

PUT_RIGHT = [
    # lines and spaces
    ("Kettles boil\nfaster  than\r\n  pans. ", "Kettles boil faster than pans."),
    ("a\u00a0b\u2009c\u3000d", "a b c d"),
    ("high-\nresolution maps", "high-resolution maps"),
    ("open-\nand closed-source", "open- and closed-source"),
    ("the resolu-\ntion of maps", "the resolution of maps"),
    ("a teapot and a tea-\npot", "a teapot and a teapot"),
    ("down by -\n3 points", "down by - 3 points"),
    ("GPT-\n4 and 10-\n20 runs", "GPT-4 and 10-20 runs"),
    # maths whose backslashes a service dropped
    ("an 8times289M mixture, 5times faster", "an 8×289M mixture, 5× faster"),
    ("up to 1.47times.", "up to 1.47×."),
    ("on 8timesA100 and 8timesRTX cards", "on 8×A100 and 8×RTX cards"),
    ("256times256times3 pixels", "256×256×3 pixels"),
    ("(2 times 2 times 2) to (16 times 16 times 1)", "(2 × 2 × 2) to (16 × 16 × 1)"),
    ("only sim20% of it, sim 75% less", "only ~20% of it, ~75% less"),
    ("between 20sim40 years, 15timessim50times", "between 20~40 years, 15×~50×"),
    ("of {sim}20% at 7{times} the cost", "of ~20% at 7× the cost"),
    ("scores 2.479pm0.196", "scores 2.479±0.196"),
    ("(leq3B) and geq 90% and approx0.4 s", "(≤3B) and ≥ 90% and ≈0.4 s"),
    ("72.5rightarrow76.8", "72.5→76.8"),
    ("pi_0 and pi_{0.5} with eta^{ast}", "π_0 and π_0.5 with η^*"),
    ("a 360^circ view, 360^{\\circ}, 0.25{\\deg}", "a 360° view, 360°, 0.25°"),
    ("10^{26} or 10^{-3} or 10^4", "10^26 or 10^-3 or 10^4"),
    ("n^{1+o(1)} steps", "n^(1+o(1)) steps"),
    ("10^{2}5", "10^(2)5"),
    ("mathcal{O}(N^2) and textbf{D}ual", "O(N^2) and Dual"),
    ("the 4^{th} and 2^nd", "the 4th and 2nd"),
    ("170{,}083 files and 10\\,000 more", "170,083 files and 10,000 more"),
    # LaTeX
    ("$\\sim$20\\% of $O(n^2)$ in $\\alpha$-space", "~20% of O(n^2) in α-space"),
    ("it costs $5 and $7, not \\$9", "it costs $5 and $7, not $9"),
    ("gains of $-3\\%$ and $10\\times$", "gains of -3% and 10×"),
    ("``foo'' and `bar'", "\"foo\" and 'bar'"),
    ("\\textsc{Kettle \\emph{and} pan}, {\\bf so} {\\em it\\/}", "Kettle and pan, so it"),
    ("G\\\"odel, Fr\\'echet, {\\\"o}, \\v{S}, \\c{c}, na\\\"{\\i}ve", "Gödel, Fréchet, ö, Š, ç, naïve"),
    ("the model\\'s view", "the model's view"),
    ("\\ie, \\eg, and \\etc.", "i.e., e.g., and etc."),
    ("fast\\footnote{On one core.} enough \\cite{a,b}.", "fast (On one core.) enough."),
    ("\\frac{1}{2} of \\frac{a+b}{c}, \\sqrt{2}", "1/2 of (a+b)/c, √2"),
    ("models~(LMs), Section~3, 200~ms", "models (LMs), Section 3, 200 ms"),
    ("range 6--32\\%, a -- b, wait---what", "range 6–32%, a – b, wait—what"),
    ("A \\rightharpoonup B", "A ⇀ B"),
    ("$A \\not= B$, $x \\not\\in Y$ and $\\neg A$", "A ≠ B, x ∉ Y and ¬ A"),
    ("$-$5 and $\\Delta$E at 20$^\\circ$C in $O(n)$ of $\\sim\\!20$", "-5 and ΔE at 20°C in O(n) of ~20"),
    ("$2\\times$--$3\\times$ on $k$-NN, $N{=}5$", "2×–3× on k-NN, N=5"),
    ("\\\"quoted\\\" and \\o rsted and Stra\\ss e", "\"quoted\" and ørsted and Straße"),
    # links
    ("at https://a.org/k{https://a.org/k}.", "at https://a.org/k."),
    ("at https://a.org/k{here}, see https://a.org/p{Project page}",
     "at https://a.org/k, see https://a.org/p (Project page)"),
    ("at \\url{https://a.org/a\\_b}", "at https://a.org/a_b"),
    ("the \\href{https://a.org/k}{code}", "the https://a.org/k (code)"),
    ("FOO{blue{https://a.org/k}}", "FOO https://a.org/k"),
    # HTML
    ("R&amp;D, a &lt; b, &#945;, &amp;amp;", "R&D, a < b, α, &"),
    ("10<sup>4</sup> <i>E. coli</i><br/>cells", "10^4 E. coli cells"),
    # what cannot be seen
    ("ke\u200btt\u00adle\ufeff \u202eright\u202c", "kettle right"),
    ("bell\x07 and tab\tand\x0bmore", "bell and tab and more"),
    ("e\u0301tude \u1112\u1161\u11ab", "étude 한"),
    ("a lone \ud800 half", "a lone \ufffd half"),
    # sentences glued together
    ("We are 19 times fasterAn online demo is available.",
     "We are 19 times faster. An online demo is available."),
    ("in this state.In contrast, people by 5%.We see", "in this state. In contrast, people by 5%. We see"),
]


@pytest.mark.parametrize(("published", "wanted"), PUT_RIGHT)
def test_it_puts_right(published: str, wanted: str) -> None:
    assert clean(published).text == wanted


@pytest.mark.parametrize("text", [
    "It runs 3 times 5 tasks, many times over, at times 2 of them",
    "sim2real, Sim2Sim, real-to-sim transfer; simulation",
    "GitHub, iOS, arXiv, LaTeX, ProteinGPT, LeetCode, WandA and CelebA",
    "torch.Tensor is, nn.Module, U.S. policy, e.g. Model",
    "snake_case, float8_e4m3, pass@1, top-k_2",
    "<think>, </answer>, <b>, {-1, 0, 1}, Q&A; and {last answer}",
    "not 5, no 3.2%, -7, +3.1, ~4, 12~20%, 5'' long, x~N(0,1), run --fast",
    "see https://a.org/~user/sim20_x^2--y?p=1&q=8times3",
    "\\method beats \\ours by 2",
    "costs $200k or $0.34 a day",
    "at 5 pm 23 people came",
    "p = 1.5e-3, 1,234.5 and 10^4",
    "\u2018quoted\u2019 \u201cwell\u201d",
    "می\u200cخواهم",
])
def test_it_leaves_alone(text: str) -> None:
    assert clean(text).text == text


def test_a_title_stays_one_line_without_a_stop() -> None:
    published = "Kettles:\n  Boil Less fasterAn Ode to Pans"
    assert clean(published, title=True).text == "Kettles: Boil Less fasterAn Ode to Pans"
    assert clean("Is Tea All You Need?", title=True).text == "Is Tea All You Need?"


def test_a_span_leads_back_to_the_characters_it_came_from() -> None:
    published = "We \\textbf{halve\nthe cost} on 8times289M\\footnote{Once.}."
    cleaned = clean(published)
    assert cleaned.text == "We halve the cost on 8×289M (Once.)."
    for words in ("halve", "cost", "8", "289M", "Once"):
        start = cleaned.text.index(words)
        first, last = cleaned.locate(start, start + len(words))
        assert published[first:last] == words
    at = cleaned.text.index("×")
    assert published[slice(*cleaned.locate(at, at + 1))] == "times"
    both = cleaned.text.index("halve the")
    assert published[slice(*cleaned.locate(both, both + len("halve the")))] == "halve\nthe"


def test_an_added_stop_leads_to_the_letter_before_it() -> None:
    cleaned = clean("is 19 times fasterAn online demo is here")
    at = cleaned.text.index(".")
    assert cleaned.original[slice(*cleaned.locate(at, at + 1))] == "r"


def test_cleaned_text_cannot_be_changed_and_bad_spans_are_refused() -> None:
    cleaned = clean("tea")
    with pytest.raises(AttributeError):
        cleaned.text = "coffee"  # type: ignore[misc]
    for span in ((0, 0), (2, 1), (0, 4), (-1, 2)):
        with pytest.raises(ValueError, match="not within"):
            cleaned.locate(*span)


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        Traced("abcd").apply([(0, 2, "x"), (1, 3, "y")])


FRAGMENTS = st.sampled_from([
    "times", "sim", "pm", "leq", "approx", "alpha", "pi", "circ", "{", "}", "\\", "$", "^", "_", "~", "`",
    "'", '"',
    "--", "-", "\n", " ", "\r\n", ".", ",", "&", ";", "amp", "lt", "#38", "<", ">", "sup", "/", "i", "8",
    "2", "0.5", "%",
    "https://a.b/c", "textbf", "emph", "href", "url", "frac", "footnote", "cite", "sqrt", "bf", "em", "The",
    "We are",
    "faster", "A", "x", "e\u0301", "\u0301", "\u200d", "\u200b", "\ud800", "\u212a", "한", "\u1112",
    "\u1161", "다.", "(", ")",
    "\\,", "\\%", "\\'", "\\(", "\\)", "red", "mathcal", "boldsymbol", "st", "u.s", "and", "tion",
])
TEXTS = st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=25).map("".join))


@settings(max_examples=600, deadline=None)
@given(TEXTS, st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, title: bool) -> None:
    once = clean(text, title=title).text
    assert clean(once, title=title).text == once


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_clean_text_is_one_line_in_nfc_without_invisible_characters(text: str) -> None:
    cleaned = clean(text).text
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs")]
    assert not set(cleaned) & set("\u200b\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_every_character_has_a_span_and_spans_keep_their_order(text: str) -> None:
    cleaned = clean(text)
    before = (0, 0)
    for at in range(len(cleaned.text)):
        start, end = cleaned.locate(at, at + 1)
        assert 0 <= start < end <= len(text)
        assert start >= before[0]
        assert end >= before[1]
        before = (start, end)
    if cleaned.text:
        assert cleaned.locate(0, len(cleaned.text))[1] == before[1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from(["", "-", "+", "~", "sim", "$", "\\$", "not ", "no "]),
    st.decimals(0, 10**6, allow_nan=False, places=2).map(str),
    st.sampled_from(["", "\\%", "%", "times", "M", " ms", "^circ", "k", "\\times", "GB"]),
    st.sampled_from([" ", "\n", ", ", ". We see ", " and ", " -- ", "~"]),
), min_size=1, max_size=8))
def test_numbers_signs_percents_negations_and_units_survive(parts: list[tuple[str, str, str, str]]) -> None:
    cleaned = clean("".join("".join(part) for part in parts) + "end").text
    assert re.findall(r"\d+\.\d+", cleaned) == [number for _, number, _, _ in parts]
    assert cleaned.count("%") == sum("%" in unit for _, _, unit, _ in parts)
    assert len(re.findall(r"\bno[t ]", cleaned)) == sum(sign.startswith("no") for sign, _, _, _ in parts)
    assert len(re.findall(r"\+\d", cleaned)) == sum(sign == "+" for sign, _, _, _ in parts)
    assert cleaned.count("×") == sum("times" in unit for _, _, unit, _ in parts)
    for unit in ("GB", " ms", "°"):
        assert cleaned.count(unit) == sum(u.replace("^circ", "°") == unit for _, _, u, _ in parts)


@pytest.mark.parametrize("piece", [
    "{", "}", "{}", "\\textbf{", "$", "$a", "$a$", "&amp;", "&", "<i>", "<sup>", "\\", "``", "`a", "'", "~",
    "a~", "-\n",
    " ", "\n", "a", "a.", "a-", "_{", "^{a", "\u0301", "a\u0301\u0316", "\u200d", "한", ". ", "4 times ",
    "times", "sim5",
    "https://", "https://a.b/c{", "www.", "\\frac{1}", "\\'a", "href{", "word.We ", "fasterAn online ",
    "A.B.", "(",
    "\\\\", "\\(", "red{", "\\color{red}", "{\\bf", "N times ", "pm 3", "leq", "[", "é",
])
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    """A pattern that backtracks would need hundreds of times as long for sixteen times the text."""
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        clean(text)
        return time.process_time() - began

    small = max(min(seconds(10_000) for _ in range(2)), 0.002)
    assert seconds(160_000) < 100 * small


def test_what_never_settles_still_ends() -> None:
    """Twenty layers are more than the rounds; the text is then left as it is but for its spaces."""
    layered = "^{" * 40 + "a" + "}" * 40
    once = clean(f" {layered} \n b").text
    assert once.endswith(" b")
    assert clean(once).text == once


@pytest.mark.shared
def test_real_texts_keep_their_figures_and_settle(shared_data: Path) -> None:
    with gzip.open(shared_data / "daily_papers_2024-05_2026-03.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines][::12]
    for paper in papers:
        for text, title in ((paper["title"], True), (paper["summary"], False)):
            cleaned = clean(text, title=title)
            assert clean(cleaned.text, title=title).text == cleaned.text
            plain = re.sub(r"\{[^{}]*\}?", "", re.sub(r"https?://\S+", "", text)) if "http" in text else text
            figures = re.findall(r"\d+(?:\.\d+)?", cleaned.text)
            assert [f for f in re.findall(r"\d+(?:\.\d+)?", plain) if f not in figures] == []
            assert cleaned.text.count("%") == text.count("%")
