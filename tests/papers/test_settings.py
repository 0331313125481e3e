"""Settings: where they come from, which wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from presscheck.errors import BadInput
from presscheck.papers.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_URL", "ARXIV_URL", "ARXIV_INTERVAL", "LANGUAGES", "STYLES", "OUT", "THUMBNAILS"):
        monkeypatch.delenv(f"PRESSCHECK_{name}", raising=False)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == load_settings(None) == Settings()


def test_flags_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presscheck.toml").write_text(
        'languages = ["ko"]\nstyles = ["easy"]\nout = "from file"\narxiv_interval = 5\n'
    )
    monkeypatch.setenv("PRESSCHECK_STYLES", "detailed, easy")
    monkeypatch.setenv("PRESSCHECK_OUT", "from environment")
    settings = load_settings(tmp_path, out="from flag", languages=None)
    assert settings.languages == ("ko",)
    assert settings.styles == ("detailed", "easy")
    assert settings.out == "from flag"
    assert settings.arxiv_interval == 5.0


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("langauges = []", "unknown setting `langauges`", "did you mean `languages`?"),
        ('zzz = "x"', "unknown setting `zzz`", "settings are languages"),
        ('languages = ["fr"]', "languages: Invalid enum value 'fr'", "languages are en, ko"),
        ('languages = "en"', "languages: Expected `array`", "languages are en, ko"),
        ("languages = []", "languages is empty or names one twice", ""),
        ('styles = ["easy", "easy"]', "names one twice", "styles are detailed, easy"),
        ("thumbnails = 1", "thumbnails: Expected `bool`", ""),
        ("arxiv_interval = -1", "arxiv_interval is -1", ""),
        ("arxiv_interval = inf", "arxiv_interval is inf", ""),
        ('hf_url = "ftp://x"', "hf_url is `ftp://x`", ""),
        ('hf_url = "huggingface.co"', "hf_url is `huggingface.co`", ""),
        ('hf_url = "http://x:99999"', "hf_url", ""),
        ("= 3", "is not TOML", ""),
    ],
)
def test_what_cannot_be_a_setting_is_named(tmp_path: Path, text: str, words: str, hint: str) -> None:
    (tmp_path / "presscheck.toml").write_text(text)
    with pytest.raises(BadInput) as error:
        load_settings(tmp_path)
    assert words in error.value.message
    assert "presscheck.toml" in error.value.message
    assert hint in error.value.hint


def test_a_settings_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "presscheck.toml").write_bytes(b'out = "\xff"')
    with pytest.raises(BadInput, match="not UTF-8"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("ARXIV_INTERVAL", "fast"), ("THUMBNAILS", "maybe"), ("LANGUAGES", "en,xx"), ("HF_URL", "x y")],
)
def test_the_variable_is_named_that_cannot_be_used(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PRESSCHECK_{variable}", text)
    with pytest.raises(BadInput, match=f"PRESSCHECK_{variable}"):
        load_settings(None)
