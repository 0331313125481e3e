"""What an edition's own page shows of its papers' systems, and when it is made anew for it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import html5lib
import msgspec
import pytest
from claimed import larch_system
from editions import full_edition

from presscheck.bench.standing import Standing
from presscheck.catalog import slugs_by_paper
from presscheck.edition.assemble import assemble
from presscheck.edition.build import Order, build_day, build_edition
from presscheck.edition.measured import LARGEST, made_from, measured
from presscheck.edition.page import render_edition
from presscheck.types import LANGUAGES, STYLES, Day, Edition, Paper


@pytest.fixture
def larch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """The paper's system on this machine, and a record of it among the user's own."""
    one = larch_system(tmp_path)
    monkeypatch.setenv("PRESSCHECK_HOME", str(tmp_path))
    monkeypatch.setattr("presscheck.catalog.systems", lambda: {"larch": one.system})
    return one


def edition(system: str = "larch") -> Edition:
    whole = full_edition()
    papers = [msgspec.structs.replace(p, system=p.system and system) for p in whole.papers]
    return msgspec.structs.replace(whole, papers=tuple(papers), inputs="0123456789abcdef")


def test_the_entry_shows_what_was_said_and_measured_with_the_figure_within_the_page(larch):
    page = render_edition(edition())
    html5lib.HTMLParser(strict=True).parse(page)
    assert page.count('<li class="claim"') == 4
    for word in ("holds here", "fails here", "undecided", "not measured"):
        assert word in page
    assert "On a processor the time goes into the weights, not into the cache." in page
    assert "One task &lt;b&gt;instead&lt;/b&gt; of eight." in page
    (held,) = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert base64.b64decode(held) == larch.figure.read_bytes()
    assert "img-src data:;" in page


def test_a_page_without_systems_is_as_light_and_as_closed_as_before(larch):
    page = render_edition(edition(system=""))
    assert "img-src" not in page and ".claim" not in page and 'class="claim' not in page


def test_a_figure_that_is_too_large_or_gone_is_left_out(larch):
    larch.figure.write_bytes(b"<svg/>" + b" " * LARGEST)
    assert measured(edition().papers)["larch"].figure == ""
    larch.figure.unlink()
    page = render_edition(edition())
    assert "img-src" not in page and page.count('<li class="claim"') == 4


def test_a_system_that_is_not_here_or_broken_shows_nothing(larch):
    assert measured(edition("unknown").papers) == {}
    (larch.system.folder / "claims.toml").write_text("schema = 'x'")
    assert measured(edition().papers) == {}


def test_a_new_record_makes_the_page_anew_and_nothing_else_does(larch, tmp_path):
    order = Order(out=tmp_path / "out", languages=LANGUAGES, styles=STYLES)
    assert not build_edition(edition(), order).again
    assert build_edition(edition(), order).again
    newer = larch.path.with_name("20240901T100000Z-quick-abcdef.json")
    newer.write_bytes(larch.path.read_bytes().replace(b"2024-08-01", b"2024-09-01"))
    assert not build_edition(edition(), order).again
    assert "2024-09-01" in (tmp_path / "out" / edition().date / "index.html").read_text()
    assert build_edition(edition(), order).again


def test_an_edition_without_systems_is_made_from_its_inputs_alone(larch):
    assert made_from("abc", edition("").papers) == "abc"
    assert made_from("abc", edition().papers) not in ("abc", made_from("abd", edition().papers))
    assert made_from("", edition().papers) == ""


def test_a_day_from_elsewhere_shows_the_claims_of_its_papers(larch, tmp_path):
    arxiv = larch.manifest.paper.arxiv
    papers = (
        Paper(id=arxiv, title="Larch", abstract="We present Larch. It is small."),
        Paper(id="2401.00001", title="Other", abstract="We present another one."),
    )
    day = Day(date="2024-05-02", taken="2024-05-03T00:00:00Z", papers=papers)
    order = Order(out=tmp_path / "out", languages=("en",), styles=("detailed",))
    slugs_by_paper.cache_clear()
    try:
        assert [p.system for p in assemble(day, ("en",), ("detailed",)).papers] == ["larch", ""]
        assert not build_day(day, order).again and build_day(day, order).again
    finally:
        slugs_by_paper.cache_clear()
    page = (tmp_path / "out" / day.date / "index.html").read_text()
    assert page.count('<li class="claim"') == 4
