"""WCAG 2.2 AA contrast, computed from the tokens of the style sheet in both colour schemes."""

from __future__ import annotations

import re
from importlib import resources

import pytest

TEMPLATES = resources.files("presscheck.edition").joinpath("templates")
CSS = "".join(TEMPLATES.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "against.css"))
TOKENS = {
    name: values
    for name, *values in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
}
TEXT_ON = [
    ("ink", "paper"), ("ink", "lifted"), ("ink", "cyan-wash"), ("faint", "paper"), ("cyan", "paper"),
    ("cyan", "cyan-wash"), ("magenta", "paper"), ("yellow", "paper"), ("yellow", "cyan-wash"),
]  # fmt: skip


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_at_least_4_5(text, ground, scheme):
    assert contrast(TOKENS[text][scheme], TOKENS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_focus_rings_and_bars_have_a_contrast_of_at_least_3(scheme):
    for ground in ("paper", "lifted", "cyan-wash"):
        assert contrast(TOKENS["cyan"][scheme], TOKENS[ground][scheme]) >= 3


def test_every_colour_is_a_token_and_every_token_that_text_uses_is_tested():
    outside = re.sub(r":root \{.*?\n\}", "", CSS, count=1, flags=re.S)
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?=[;\s)])", outside)
    used = set(re.findall(r"[{; ]color: var\(--([\w-]+)\)", outside))
    inks = set(re.findall(r"--mark: var\(--([\w-]+)\)", outside))  # a mark's ink is one of the tokens
    assert used - {"mark"} | inks <= {text for text, _ in TEXT_ON}
    grounds = set(re.findall(r"background: var\(--([\w-]+)\)", outside))
    assert grounds - {"cyan"} <= {ground for _, ground in TEXT_ON}  # cyan: a bar that bears no text
