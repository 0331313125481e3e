"""BibTeX as reference managers write it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from presscheck.errors import BadInput
from presscheck.papers.bibtex import read_authors, read_bibtex
from presscheck.papers.files import read_papers
from presscheck.types import Author, Problem

FILE = r"""
This line is a comment, since it is outside of every entry.
@comment{ @article{no, title={Not this one}} }
@string{jt = "Journal of " # {Tests}}
@preamble{ "\newcommand{\x}{y}" }

@article{ng2026,
  title     = {{Brindle}: Shorter Proofs for {$\lambda$}-Terms},
  author    = {Ng, Ada and M{\"u}ller, J{\"o}rg and {The Brindle Collaboration} and Ludwig van Beethoven},
  journal   = jt # ", vol. " # 3,
  year      = 2026, month = jan,
  eprint    = {2601.03501v2}, archivePrefix = "arXiv", primaryClass = {cs.LO},
  doi       = {10.1145/1234.5678},
  abstract  = "We shorten proofs by 12\% {on {NarrowQA}}.
               They stay correct.",
}
@INPROCEEDINGS(li2025, Title = "No braces here", Author = "Li, Jr., Bo and Alan M. Turing",
  booktitle = {Proc. of Tests}, doi = {https://doi.org/10.1145/9.9})
@misc{web, title={Only a key}, author={Okafor, Noor and others}, url={https://example.org}}
"""


@pytest.fixture
def problems() -> list[Problem]:
    return []


def test_every_field_is_read_in_every_quoting(problems: list[Problem]) -> None:
    first, second, third = read_bibtex(FILE, "x.bib", problems)
    assert (first.id, first.version, first.doi) == ("2601.03501", "v2", "10.1145/1234.5678")
    assert first.title_original == r"Brindle: Shorter Proofs for $\lambda$-Terms"
    assert first.journal == "Journal of Tests, vol. 3"
    assert first.categories == ("cs.LO",)
    assert first.abstract.startswith("We shorten proofs by 12%")
    assert first.authors == (
        Author(name="Ada Ng"),
        Author(name="Jörg Müller"),
        Author(name="The Brindle Collaboration", group=True),
        Author(name="Ludwig van Beethoven"),
    )
    assert (second.id, second.title, second.journal) == (
        "doi:10.1145/9.9", "No braces here", "Proc. of Tests")  # fmt: skip
    assert [author.name for author in second.authors] == ["Bo Li Jr.", "Alan M. Turing"]
    assert third.id == "key:web"


def test_others_are_told_since_the_list_is_then_not_complete(problems: list[Problem]) -> None:
    read_bibtex(FILE, "x.bib", problems)
    assert [problem.where for problem in problems] == ["key:web"]
    assert "and others" in problems[0].what


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (r"Dvo{\v r}{\'a}k, Anton{\'\i}n", ["Antonín Dvořák"]),
        (r"S{\o}ren Kierkegaard AND {\L}ukasz Nowak", ["Søren Kierkegaard", "Łukasz Nowak"]),
        ("Anderson, Andy and Sandy Brand", ["Andy Anderson", "Sandy Brand"]),
        ("{Barnes and Noble} and Li, Bo", ["Barnes and Noble", "Bo Li"]),
        ("Li,Bo\n  and\n Ng, Ada", ["Bo Li", "Ada Ng"]),
        ("de la Cruz, Ana", ["Ana de la Cruz"]),
        ("김하윤 and 李雷", ["김하윤", "李雷"]),
        ("", []),
    ],
)
def test_names_keep_their_order_and_lose_their_latex(
    written: str, names: list[str], problems: list[Problem]
) -> None:
    assert [author.name for author in read_authors(written, "x", problems)] == names


@pytest.mark.parametrize(
    "fields",
    [
        "eprint={2601.03501}",
        "eprint={arXiv:2601.03501}, eprinttype={arxiv}",
        "arxivId={2601.03501}",
        "doi={10.48550/ARXIV.2601.03501}",
        "url={https://arxiv.org/abs/2601.03501}",
        "journal={arXiv preprint arXiv:2601.03501}",
    ],
)
def test_an_arxiv_id_is_found_wherever_managers_put_it(fields: str, problems: list[Problem]) -> None:
    assert read_bibtex(f"@article{{k, title={{T}}, {fields}}}", "x", problems)[0].id == "2601.03501"


def test_an_eprint_of_another_archive_is_no_arxiv_id(problems: list[Problem]) -> None:
    entry = "@article{k, title={T}, eprint={2601.03501}, archivePrefix={PubMed}}"
    assert read_bibtex(entry, "x", problems)[0].id == "key:k"


@pytest.mark.parametrize(
    "broken",
    ["@article{b, title = {never closed\n", "@article{b title={x}}\n", "@article{b, title=}\n",
     "@article{b, year={2026}}\n", '@article{b, title="x\n', "@article{b, title={x} author={y}, =}\n"],
)  # fmt: skip
def test_a_broken_entry_costs_only_itself(broken: str, problems: list[Problem]) -> None:
    good = "@article{%s, title={Good}}\n"
    papers = read_bibtex(good % "a" + broken + good % "c", "x.bib", problems)
    assert [paper.id for paper in papers] == ["key:a", "key:c"]
    assert [problem.kind for problem in problems] == ["bad paper"]


def test_a_missing_comma_between_fields_is_forgiven(problems: list[Problem]) -> None:
    assert read_bibtex("@article{k, title={T} doi={10.1/x}}", "x", problems)[0].title == "T"


def test_the_same_paper_twice_is_kept_once(problems: list[Problem]) -> None:
    entry = "@article{%s, title={T}, eprint={2601.03501%s}}\n"
    assert len(read_bibtex(entry % ("a", "") + entry % ("b", "v2"), "x", problems)) == 1
    assert [problem.kind for problem in problems] == ["duplicate"]


def test_a_file_in_which_nothing_can_be_read_is_refused(problems: list[Problem]) -> None:
    with pytest.raises(BadInput, match=r"x.bib, character 0: .* not closed"):
        read_bibtex("@article{b, title={", "x.bib", problems)


@pytest.mark.parametrize(
    "text",
    ["@article{b, title={" * 20_000, "@a{b,c={" + "{" * 200_000, '@a{b,c="' + "x and " * 50_000 + '"}',
     "@article{b,\ntitle={x\n" * 20_000, "@a{b" + " " * 200_000, "@a{b,title={x},author={"
     + "{" * 30 + "}" * 30 + " and y" * 30_000 + "}}"],
)  # fmt: skip
def test_hostile_files_take_linear_time(text: str, problems: list[Problem]) -> None:
    start = time.monotonic()
    with suppress(BadInput):
        read_bibtex(text, "x", problems)
    assert time.monotonic() - start < 5


def test_a_file_is_told_by_its_entries_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "library.txt").write_text(FILE)
    assert len(read_papers(tmp_path / "library.txt").papers) == 3
