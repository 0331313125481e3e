"""`presscheck edition DATE --against FILE` as a user calls it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from markupsafe import escape

from presscheck.cli import main
from presscheck.edition.shipped import load_shipped
from tests.standin.papers import daily_list, facts

DAY = "2026-03-11"


def run(*args: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def papers(folder: Path, count: int = 3, day: str = DAY) -> Path:
    (folder / "list.json").write_text(json.dumps(daily_list(day, count)))
    return folder / "list.json"


def theirs(folder: Path, day: str = DAY, name: str = "theirs.md", heading: bool = True) -> Path:
    """A digest of the first two papers of a day, with a factor of ten in the second."""
    text = f"## Daily Papers ({day})\n" if heading else ""
    for number in (0, 1):
        paper = facts(day, number)
        title, system = " ".join(paper["title"].split()), paper["title"].split(":")[0]
        size = re.search(r"With (\d+)B", " ".join(paper["abstract"].split()))[1]
        text += f"""
### [{title}](https://arxiv.org/abs/{paper["id"]})

Vote: {paper["votes"]}

Authors: {", ".join(paper["authors"])}

- **What's New**: {system} is a training method that reuses intermediate results between neighbours.
- **Technical Details**: {system} needs no change to the model.
- **Performance Highlights**: {system} has {size}{"0" * number}B parameters and fits on a single accelerator.
"""
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def files(out: Path, day: str = DAY) -> set[str]:
    return {path.name for path in (out / day).iterdir()}


def test_a_page_of_comparison_is_written_named_and_linked(tmp_path):
    out = tmp_path / "out"
    result = run("edition", DAY, "--papers", papers(tmp_path), "--against", theirs(tmp_path), "--out", out)
    assert result.exit_code == 0, result.output
    assert str(out / DAY / "against.html") in result.output
    assert 'href="against.html"' in (out / DAY / "index.html").read_text()
    page = (out / DAY / "against.html").read_text()
    assert "power of ten" in page and 'href="index.html"' in page
    assert str(tmp_path) not in page


def test_the_day_may_be_left_to_the_digest_and_the_digest_may_come_from_standard_input(tmp_path):
    out = tmp_path / "out"
    source, digest = papers(tmp_path), theirs(tmp_path)
    result = run("edition", "--papers", source, "--against", "-", "--out", out, stdin=digest.read_bytes())
    assert result.exit_code == 0, result.output
    assert "standard input" in (out / DAY / "against.html").read_text()


def test_several_digests_are_several_pages(tmp_path):
    out = tmp_path / "out"
    one, two = theirs(tmp_path), theirs(tmp_path, name="second.md", heading=False)
    run("edition", DAY, "--papers", papers(tmp_path), "--against", one, "--against", two, "--out", out)
    assert {"against.html", "against-2.html"} <= files(out)
    assert "second.md" in (out / DAY / "against-2.html").read_text()


def test_a_comparison_is_made_again_although_the_edition_is_unchanged_and_goes_with_it(tmp_path):
    out, source, digest = tmp_path / "out", papers(tmp_path), theirs(tmp_path)
    assert run("edition", DAY, "--papers", source, "--out", out).exit_code == 0
    assert "against.html" not in files(out)
    run("edition", DAY, "--papers", source, "--against", digest, "--out", out)
    digest.write_text(digest.read_text().replace("needs no change", "needs no other change"))
    run("edition", DAY, "--papers", source, "--against", digest, "--out", out)
    assert "needs no other change" in (out / DAY / "against.html").read_text()
    run("edition", DAY, "--papers", source, "--out", out)  # unchanged: nothing is touched
    assert "against.html" in files(out)
    (out / DAY / "notes.txt").write_text("mine")
    run("edition", DAY, "--papers", source, "--refresh", "--out", out)
    assert "against.html" not in files(out) and "notes.txt" in files(out)
    assert 'href="against.html"' not in (out / DAY / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["2026-03-12"], "theirs.md is a digest of 2026-03-11, not of 2026-03-12"),
        (["all"], "`all`"),
        ([DAY, "--language", "ko"], "--language en"),
        ([DAY, "--against", "no-such-file.md"], "no-such-file.md"),
    ],
)
def test_what_does_not_fit_is_told_with_a_hint_and_nothing_is_written(tmp_path, options, says):
    out = tmp_path / "out"
    result = run(
        "edition", *options, "--papers", papers(tmp_path), "--against", theirs(tmp_path), "--out", out
    )
    assert result.exit_code == 2, result.output
    assert says in result.stderr and not out.exists()


def test_a_digest_of_other_papers_is_refused_and_what_was_published_stays(tmp_path):
    out, source = tmp_path / "out", papers(tmp_path)
    run("edition", DAY, "--papers", source, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    other = theirs(tmp_path, day="2026-04-02", heading=False)
    result = run("edition", DAY, "--papers", source, "--against", other, "--refresh", "--out", out)
    assert result.exit_code == 2 and "no paper in common" in result.stderr and "hint: " in result.stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_without_a_day_anywhere_the_user_is_asked_for_one(tmp_path):
    digest = theirs(tmp_path, heading=False)
    result = run("edition", "--papers", papers(tmp_path), "--against", digest, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "does not say which day" in result.stderr


def test_a_shipped_day_stays_the_shipped_edition_and_the_papers_lend_it_abstracts(tmp_path):
    """The abstracts are made up here, so what is shipped must say that they are not those it points to."""
    shipped = load_shipped("2024-12-27")
    rows = [
        {"id": paper.id, "title": paper.title, "summary": f"We study {paper.title}.", "date": shipped.date,
         "authors": [author.name for author in paper.authors]}
        for paper in shipped.papers
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paper = shipped.papers[0]
    (tmp_path / "them.md").write_text(
        f"## Daily Papers ({shipped.date})\n\n### [{paper.title}]({paper.url})\n\n"
        "Vote: 1\n\nAuthors: Nobody\n\n- **What's New**: We study it.\n"
        "- **Technical Details**: None.\n- **Performance Highlights**: None.\n"
    )
    out = tmp_path / "out"
    result = run(
        "edition", "--papers", tmp_path / "rows.jsonl", "--against", tmp_path / "them.md", "--out", out
    )
    assert result.exit_code == 0, result.output
    page = (out / shipped.date / "against.html").read_text()
    entry = next(e for e in shipped.entries if (e.paper, e.language, e.style) == (paper.id, "en", "detailed"))
    assert str(escape(entry.sections[0].statements[0].text)) in page
    assert "Written by the editors" in page and "unknown author" in page


@pytest.mark.shared
@pytest.mark.parametrize("day", ["2024-07-31", "2024-12-27"])
def test_a_real_digest_beside_the_shipped_edition(shared_data, tmp_path, day):
    """The digests that are there: every one that says this day, or shares papers with it, has its page."""
    api, out = shared_data / "api" / f"{day}.json", tmp_path / "out"
    for seed in sorted((shared_data.parent / "seeds").glob("*.txt")):
        result = run("edition", day, "--papers", api, "--against", seed, "--out", out)
        if result.exit_code == 0:
            page = (out / day / "against.html").read_text()
            assert seed.name in page and 'class="tally"' in page
            return
        assert "not of" in result.stderr or "in common" in result.stderr
    pytest.fail("no digest of this day was accepted")
