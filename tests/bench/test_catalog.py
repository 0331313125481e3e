from __future__ import annotations

import pytest

from presscheck import catalog
from presscheck.errors import BadInput
from tests.bench.toys import CLAIMS, toy


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('holds_if = "<= 0.6"', 'holds_iff = "<= 0.6"', "unknown field `holds_iff` - at `$.claims[0]`"),
        ('holds_if = "<= 0.6"', 'holds_if = "< 0.6"', "holds_if is `< 0.6`"),
        ('holds_if = "<= 0.6"', 'holds_if = "<= nan"', "holds_if is `<= nan`"),
        ('against = "plain"', "", "need `against`"),
        ('beyond_our_scale = "Everything large."', "", "beyond_our_scale"),
        ('id = "bytes"', 'id = "Bytes!"', "id is `Bytes!`"),
        ('arxiv = "2407.21018"', 'arxiv = "24.1"', "arxiv is `24.1`"),
        ("schema = 1", "schema = 2", "schema is 2"),
        ("[paper]", "[paper", "claims.toml"),
    ],
)
def test_a_wrong_claims_file_is_named_with_field_and_place(tmp_path, old, new, said):
    home = toy(tmp_path)
    text = (home / "claims.toml").read_text()
    assert old in text
    (home / "claims.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput) as error:
        catalog.find(str(home)).manifest()
    assert said in error.value.message and str(home / "claims.toml") in error.value.message


def test_two_claims_of_one_name_are_refused(tmp_path):
    again = CLAIMS.split("[[claims]]")[1].format(claims="", slug="", system="")
    home = toy(tmp_path, claims="[[claims]]" + again)
    with pytest.raises(BadInput, match="two claims are called `bytes`"):
        catalog.find(str(home)).manifest()


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(BadInput) as error:
        catalog.find("thnk")
    assert "did you mean `think`?" in error.value.hint


def test_a_folder_without_claims_is_no_system(tmp_path):
    with pytest.raises(BadInput, match="no claims.toml"):
        catalog.find(str(tmp_path))


def test_every_paper_of_the_editions_is_planned_once():
    papers = catalog.planned()
    assert (
        len(papers) == len({paper.slug for paper in papers}) == len({paper.arxiv for paper in papers}) == 49
    )


def test_the_planned_papers_are_those_of_the_shipped_editions():
    from presscheck.edition.shipped import load_shipped, shipped_dates

    shipped = {
        paper.id: (edition.date, paper.system)
        for edition in map(load_shipped, shipped_dates())
        for paper in edition.papers
    }
    assert {paper.arxiv: (paper.edition, paper.slug) for paper in catalog.planned()} == shipped


def test_each_system_of_ours_is_of_its_paper():
    papers = {paper.slug: paper for paper in catalog.planned()}
    for slug, system in catalog.systems().items():
        if system.origin == "presscheck":
            manifest = system.manifest()
            assert manifest.paper.arxiv == papers[slug].arxiv
            # A later version may have another title behind the system's name.
            assert manifest.paper.title.split(":")[0] == papers[slug].title.split(":")[0]
