"""What reference managers export: RIS, CSL JSON and Zotero's CSV name the same papers as BibTeX would."""

from __future__ import annotations

import json

import pytest

from presscheck.errors import BadInput
from presscheck.papers.exports import Item, read_export
from presscheck.types import Problem

RIS = """TY  - JOUR
TI  - Dace Counts the Rings of
 Fish Scales
AU  - Kim, Mina
AU  - River Group
AB  - We count rings.
DO  - 10.48550/arXiv.2401.00001
UR  - https://arxiv.org/abs/2401.00001v2
DA  - 2024/01/05
ER  - 

TY  - CONF
T1  - A Paper of a Journal
A1  - Lee, Ann
DO  - https://doi.org/10.1000/ABC.5
JO  - Journal of Fish
ER  - 
"""

CSV = (
    '\ufeff"Key","Item Type","Title","Author","Url","DOI","Abstract Note","Date Added","Extra",'
    '"Publication Title"\n'
    '"AAAA","preprint","Dace Counts the Rings of Fish Scales","Kim, Mina; River Group",'
    '"http://arxiv.org/abs/2401.00001","","We count rings.","2024-01-05 10:11:12","","" \n'
    '"BBBB","journalArticle","A Paper of a Journal","Lee, Ann","","10.1000/ABC.5","",'
    '"2024-02-05 10:11:12","",'
    '"Journal of Fish"\n'
    '"CCCC","report","Named in Extra, ""quoted""","","https://example.org/2402.00002","","","",'
    '"arXiv:2402.00002 [cs]",""\n'
)

CSL = [
    {
        "id": "dace", "type": "article", "title": "Dace Counts the Rings of Fish Scales",
        "author": [{"family": "Kim", "given": "Mina"}, {"literal": "River Group"}],
        "number": "arXiv:2401.00001", "abstract": "We count rings.", "issued": {"date-parts": [[2024]]},
    },
    {"id": "j", "type": "article-journal", "title": "A Paper of a Journal", "DOI": "10.1000/ABC.5",
     "author": [{"family": "Lee", "given": "Ann"}], "container-title": "Journal of Fish"},
]  # fmt: skip


def items(text: str) -> list[Item]:
    problems: list[Problem] = []
    found = read_export(text, "library", problems)
    assert found is not None
    assert not problems
    return found


@pytest.mark.parametrize("text", [RIS, CSV, json.dumps(CSL), json.dumps({"items": CSL})])
def test_every_kind_names_the_papers_by_arxiv_id_and_doi(text: str):
    first, second, *_ = items(text)
    assert first.paper.id == "2401.00001"
    assert first.paper.title == "Dace Counts the Rings of Fish Scales"
    assert [author.name for author in first.paper.authors] == ["Mina Kim", "River Group"]
    assert first.paper.abstract == "We count rings."
    assert (second.paper.id, second.paper.journal) == ("doi:10.1000/abc.5", "Journal of Fish")
    assert [author.name for author in second.paper.authors] == ["Ann Lee"]


def test_when_an_item_was_added_is_kept_where_it_is_said():
    assert [item.added for item in items(CSV)] == ["2024-01-05T10:11:12Z", "2024-02-05T10:11:12Z", ""]
    assert items(RIS)[0].added == "2024-01-05T00:00:00Z"


def test_an_arxiv_id_is_read_from_a_note_and_never_from_another_address():
    """A number in somebody's URL may look like an id; only what says arXiv is one."""
    third = items(CSV)[2].paper
    assert (third.id, third.title) == ("2402.00002", 'Named in Extra, "quoted"')
    other = items("TY  - RPRT\nTI  - Another Title\nUR  - https://example.org/2402.00002\nER  - \n")[0].paper
    assert other.id == "key:another-title"


def test_one_bad_item_does_not_cost_the_others():
    problems: list[Problem] = []
    found = read_export(RIS.replace("T1  - A Paper of a Journal\n", ""), "library", problems)
    assert found is not None
    assert len(found) == 1
    assert "item 2 has no title" in problems[0].what


@pytest.mark.parametrize(
    "text", ["TY  - JOUR\nER  - \n", '"Item Type","Title"\n"a",""\n', '[{"family": "x", "issued": 1}]']
)
def test_a_file_without_any_paper_says_so(text: str):
    with pytest.raises(BadInput, match="no title|no item"):
        read_export(text, "library", [])


@pytest.mark.parametrize(
    "text",
    ["", "2401.00001\n2401.00002", "@article{a, title={x}}", '[{"paper": {"id": "2401.00001"}}]', "{}"],
)
def test_other_files_are_left_to_other_readers(text: str):
    assert read_export(text, "library", []) is None


def test_hostile_files_end_quickly_and_in_an_error_or_in_text():
    long = "TY  - JOUR\nTI  - " + "x" * 500_000 + "\n" + "AB  - y\n" * 20_000 + "ER  - \n"
    assert items(long)[0].paper.title.startswith("xxx")
    with pytest.raises(BadInput):
        read_export('"Item Type","Title"\n' + '"' + "z" * 2_000_000, "library", [])
    with pytest.raises(BadInput):
        read_export('[{"family": ' + "[" * 100_000, "library", [])
