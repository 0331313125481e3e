"""arXiv ids in every form that people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presscheck.errors import BadInput
from presscheck.papers.ids import ArxivId, parse_arxiv
from presscheck.types import ARXIV_ID


@pytest.mark.parametrize(
    ("written", "id", "version"),
    [
        ("2407.21018", "2407.21018", ""),
        ("  2407.21018v3\n", "2407.21018", "v3"),
        ("arXiv:2407.21018v1 [cs.CL]", "2407.21018", "v1"),
        ("ARXIV: 0704.0001", "0704.0001", ""),
        ("https://arxiv.org/abs/2407.21018", "2407.21018", ""),
        ("http://export.arxiv.org/abs/2407.21018v2", "2407.21018", "v2"),
        ("https://arxiv.org/pdf/2407.21018v12.pdf", "2407.21018", "v12"),
        ("arxiv.org/html/2407.21018v1#S3", "2407.21018", "v1"),
        ("https://arxiv.org/e-print/2407.21018", "2407.21018", ""),
        ("https://huggingface.co/papers/2407.21018?from=mail", "2407.21018", ""),
        ("https://www.alphaxiv.org/abs/2407.21018", "2407.21018", ""),
        ("10.48550/arXiv.2407.21018", "2407.21018", ""),
        ("https://doi.org/10.48550/ARXIV.2407.21018", "2407.21018", ""),
        ("doi:10.48550/arXiv.cs/0112017", "cs/0112017", ""),
        ("https://doi.org/10.48550%2FarXiv.2407.21018", "2407.21018", ""),
        ("cs/0112017v2", "cs/0112017", "v2"),
        ("math.gt/0309136", "math.GT/0309136", ""),
        ("https://arxiv.org/abs/hep-th/9901001", "hep-th/9901001", ""),
        ("oai:arXiv.org:2407.21018", "2407.21018", ""),
    ],
)
def test_every_written_form_gives_id_and_version(written: str, id: str, version: str) -> None:
    assert parse_arxiv(written) == ArxivId(id, version)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "2407.2101",  # four digits ended in 2014
        "1403.12345",  # five began in 2015
        "2413.00001",  # no month
        "0703.0001",  # the new style began in April 2007
        "2407.21018v0",
        "2407.210181",
        "12407.21018",
        "cs/0113017",
        "cs/2407017",
        "https://example.org/abs/2407.21018",
        "10.1145/3292500.3330701",
        "２４０７.21018",  # full-width digits
        "2407.21018 and more",
    ],
)
def test_what_is_no_id_is_refused_with_a_hint(written: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_arxiv(written)
    assert "not an arXiv id" in error.value.message
    assert "2407.21018" in error.value.hint


@given(st.text(alphabet="arXiv:/.0123456789vhtps[]cs%?#-", max_size=60))
def test_whatever_is_read_is_an_id_as_papers_have_it(text: str) -> None:
    try:
        found = parse_arxiv(text)
    except BadInput:
        return
    assert ARXIV_ID.fullmatch(found.id)
    assert parse_arxiv(found.id + found.version) == found
