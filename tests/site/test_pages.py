"""What is on the pages: all of the text, nothing that runs, and never too much of it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import html5lib
import msgspec
import pytest
from editions import HOSTILE, full_edition, hostile_paper

from presscheck.edition.references import ONLY
from presscheck.site.names import field_slug, paper_page, slug_of
from presscheck.site.pages import BUDGET, Known, _parts, make_day
from presscheck.types import Author, Edition

MOST = 200_000
NS = "{http://www.w3.org/1999/xhtml}"


def pages(out: Path) -> list[Path]:
    return sorted(out.rglob("*.html"))


def parse(page: bytes | str) -> ET.Element:
    text = page.decode() if isinstance(page, bytes) else page
    return html5lib.HTMLParser(strict=True).parse(text)


def weight(out: Path, page: Path) -> int:
    """A page with the sheets and scripts that it loads at once; figures and previews apart."""
    text = page.read_text()
    loaded = re.findall(r'(?:<script src|<link rel="stylesheet" href)="([^"]+)"', text)
    return page.stat().st_size + sum((page.parent / name).stat().st_size for name in loaded)


def one_of_each(out: Path) -> list[Path]:
    """A page of every kind, the hostile paper's among them; the shipped editions are more of the same."""
    papers = [out / paper_page(paper.id) for paper in full_edition().papers]
    return [*out.glob("*.html"), *out.glob("2024-07-3*/*.html"), *out.glob("systems/*.html"), *papers]


def test_every_page_weighs_less_than_200_kb(site):
    found = pages(site.out)
    assert len(found) > 60
    for page in found:
        assert weight(site.out, page) < MOST, page


def test_a_page_of_every_kind_is_valid(site):
    for page in one_of_each(site.out):
        parse(page.read_text())


def test_no_page_has_a_script_a_style_or_a_handler_of_its_own(site):
    for page in one_of_each(site.out):
        root = parse(page.read_text())
        for node in root.iter():
            if not isinstance(node.tag, str):
                continue
            assert not any(name.startswith("on") or name == "style" for name in node.attrib), page
            if node.tag == NS + "script":
                assert node.get("src") and not node.text
            assert node.tag != NS + "style"
            href = node.get("href", "")
            assert not href.startswith(("javascript:", "data:", "file:"))
            assert not node.get("src", "").startswith(("http:", "https:", "//"))


def test_every_address_within_the_site_leads_to_a_file_and_an_id(site):
    ids: dict[Path, set[str]] = {}

    def ids_of(page: Path) -> set[str]:
        if page not in ids:
            ids[page] = set(re.findall(r'\bid="([^"]+)"', page.read_text()))
        return ids[page]

    parted = {page for page in pages(site.out) if 'class="parts"' in page.read_text()}
    for page in pages(site.out):
        for href in re.findall(r'(?:href|src)="([^"]*)"', page.read_text()):
            if re.match(r"[a-z]+:", href) or not href:
                continue
            address, _, fragment = href.partition("#")
            target = (page.parent / address.partition("?")[0]).resolve() if address else page
            assert target.is_file(), (page, href)
            if fragment and target.suffix == ".html" and target not in parted:
                assert fragment in ids_of(target), (page, href)


def test_the_statements_of_both_languages_and_styles_stand_on_the_papers_page(site):
    page = (site.out / paper_page("2407.00001")).read_text()
    for entry in full_edition().entries:
        if entry.paper == "2407.00001":
            for section in entry.sections:
                for said in section.statements:
                    assert said.text in page


def test_an_edition_has_a_page_for_each_style_with_all_of_its_statements(site):
    for style in ("detailed", "easy"):
        name = "index.html" if style == "detailed" else f"{style}.html"
        page = (site.out / "2024-07-30" / name).read_text()
        for entry in full_edition(hostile=False).entries:
            for section in entry.sections if entry.style == style else ():
                for said in section.statements:
                    assert said.text in page
    assert 'href="easy.html"' in (site.out / "2024-07-30" / "index.html").read_text()


def test_a_statement_of_an_edition_points_to_the_sentence_on_the_papers_page(site):
    page = (site.out / "2024-07-30" / "index.html").read_text()
    assert f'href="../papers/2407.00001.html#{ONLY}s5"' in page
    evidence = (site.out / "2024-07-30" / "evidence.js").read_text()
    assert "At a batch of 16 it decodes 1.9 times faster than the baseline." in evidence
    assert "At a batch of 16 it decodes" not in page


def test_hostile_text_is_text(site):
    paper = hostile_paper()
    page = (site.out / paper_page(paper.id)).read_text()
    root = parse(page)
    title = next(node for node in root.iter(NS + "h1"))
    assert HOSTILE.split()[0] in "".join(title.itertext())
    assert "<script>alert" not in page and "onerror=alert(2)>" not in page
    assert slug_of(paper.id) == slug_of(paper.id) and "/" not in slug_of(paper.id)


def test_a_long_list_of_authors_stands_on_the_papers_page_alone(site):
    paper = hostile_paper()
    whole = (site.out / paper_page(paper.id)).read_text()
    assert "Author 3302" in whole
    assert "Author 3302" not in (site.out / "2024-07-31" / "index.html").read_text()
    assert "and 3,300 more" in (site.out / "2024-07-31" / "index.html").read_text()


def test_a_heavy_edition_is_cut_between_entries_into_parts_of_like_weight():
    edition = full_edition(hostile=False)
    papers = [
        msgspec.structs.replace(edition.papers[0], id=f"2408.{at:05}", title=f"Paper {at}", related=())
        for at in range(90)
    ]
    entries = [
        msgspec.structs.replace(entry, paper=paper.id)
        for paper in papers
        for entry in edition.entries
        if entry.paper == edition.papers[0].id
    ]
    heavy = Edition(date="2024-08-01", papers=tuple(papers), entries=tuple(entries))
    made = make_day(heavy, Known(), {}).edition
    parts = [made[name].decode() for name in sorted(made) if re.search(r"/index(-\d)?\.html", name)]
    assert len(parts) > 1
    shown = [re.findall(r'<article class="entry" id="([^"]+)"', part) for part in parts]
    assert sorted(id_ for part in shown for id_ in part) == sorted(paper.id for paper in papers)
    assert all(len(part.encode()) < MOST for part in parts)
    last = f'href="index-{len(parts)}.html#2408.00089"'
    assert last in made["2024-08-01/index.html"].decode()


def test_parts_never_weigh_more_than_the_budget_unless_one_entry_does():
    articles = [(None, "x" * size) for size in (90_000, 10, 140_000, 160_000, 30_000, 30_000)]
    for part in _parts(articles):
        assert len(part) == 1 or sum(len(text) for _, text in part) <= BUDGET
    assert [text for part in _parts(articles) for _, text in part] == [text for _, text in articles]
    assert _parts([]) == [[]]


def test_a_page_names_itself_for_previews_and_its_picture_is_a_png(site):
    page = (site.out / "2024-07-30" / "index.html").read_text()
    assert '<link rel="canonical" href="https://papers.example.org/2024-07-30/index.html">' in page
    assert '<meta property="og:image" content="https://papers.example.org/2024-07-30/card.png">' in page
    assert (site.out / "2024-07-30" / "card.png").read_bytes().startswith(b"\x89PNG")


def test_an_entry_shows_its_claims_with_said_measured_and_word(site):
    for name in ("2024-07-30/index.html", "papers/2407.00001.html", "systems/larch.html"):
        page = (site.out / name).read_text()
        assert "The cache takes almost a third less memory." in page
        assert "0.691 [" in page and "≤ 0.75" in page
        for word in ("holds here", "fails here", "undecided", "not measured", "여기서 성립"):
            assert word in page
        assert "On a processor the time goes into the weights" in page
        assert "One task &lt;b&gt;instead&lt;/b&gt; of eight." in page
        assert "presscheck run larch --size quick" in page


def test_the_figure_of_a_record_stands_with_the_paper_and_the_system_and_not_in_the_edition(site):
    for name, there in (
        ("2024-07-30/index.html", 0),
        ("papers/2407.00001.html", 1),
        ("systems/larch.html", 1),
    ):
        assert (site.out / name).read_text().count('<img src="../systems/larch.svg"') == there


def test_a_systems_page_has_its_readme_without_what_could_run(site):
    page = (site.out / "systems" / "larch.html").read_text()
    assert "Pass a <code>LarchCache</code> to" in page
    assert "&lt;script&gt;alert(1)" in page and "javascript:" not in page.replace(
        "[bad](javascript:alert(1))", ""
    )
    assert "evil.example" not in page and "<img src=" not in page.replace(
        '<img src="../systems/larch.svg"', ""
    )
    assert (site.out / "systems" / "larch.svg").is_file()


def test_every_paper_has_json_and_bibtex_that_read_back(site):
    from presscheck.papers.bibtex import read_bibtex

    data = msgspec.json.decode((site.out / "papers" / "2407.00001.json").read_bytes())
    assert data["paper"]["id"] == "2407.00001" and len(data["entries"]) == 4
    assert data["editions"] == ["2024-07-30", "2024-07-31"]
    problems: list = []
    (back,) = read_bibtex((site.out / "papers" / "2407.00001.bib").read_text(), "x.bib", problems)
    paper = full_edition().papers[0]
    assert back.id == paper.id and back.title == paper.title and not problems
    assert [author.name for author in back.authors] == [author.name for author in paper.authors]


@pytest.mark.parametrize("text", ["a } b", "50 % & $x_1$ #1 ~ ^ \\input{x}", HOSTILE, "한국어 제목"])
def test_bibtex_holds_any_title_in_its_field(text):
    from presscheck.papers.bibtex import read_bibtex
    from presscheck.site.bibtex import bibtex_of

    paper = msgspec.structs.replace(full_edition().papers[0], title=text, authors=(Author(name=text or "A"),))
    written = bibtex_of(paper)
    (back,) = read_bibtex(
        written + "@misc{next, title={After}, eprint={2407.99999}, archivePrefix={arXiv}}", "x", []
    )[:1]
    assert back.id == paper.id
    body = re.sub(r"\\[{}]", "", written)
    assert body.count("{") == body.count("}")


def test_a_fields_name_becomes_an_address():
    assert field_slug("Vision–language models") == "vision-language-models"
    assert re.fullmatch(r"[0-9a-f]{12}", field_slug("언어"))
