"""`presscheck site` and `presscheck serve` as a user meets them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from presscheck.cli import main


def run(*args: str):
    return CliRunner().invoke(main, ["site", *args])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("site") / "public"
    with pytest.MonkeyPatch.context() as patch:
        # This is set up before the fixture that gives each test a library of its own.
        patch.setenv("PRESSCHECK_HOME", str(tmp_path_factory.mktemp("home")))
        return out, run("--out", str(out))


def test_a_newcomer_gets_a_site_of_the_shipped_editions(built):
    out, result = built
    assert result.exit_code == 0, result.output
    assert result.output.startswith("5 editions, 49 papers")
    assert f"open {(out / 'index.html').as_uri()}" in result.output
    assert (out / "papers" / "2407.21018.html").is_file()


def test_the_second_build_makes_nothing(built):
    out, _ = built
    told = json.loads(run("--out", str(out), "--json").output)
    assert told["editions"] == 5 and told["written"] == 0


@pytest.mark.parametrize(
    "url",
    [
        "papers.example.org",
        "ftp://x.example/",
        "javascript:alert(1)",
        "https://",
        "https://x/?q",
        'https://x/"',
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_written(tmp_path, url):
    result = run("--out", str(tmp_path / "out"), "--url", url)
    assert result.exit_code == 2 and "need the site's address" in result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_of_someone_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    result = run("--out", str(tmp_path))
    assert result.exit_code == 2 and "thesis.tex" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("--out", str(tmp_path / "file" / "site"))
    assert result.exit_code == 2 and "cannot write" in result.output


def test_days_of_the_archive_become_editions_of_the_site(tmp_path):
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library
    from presscheck.types import Author, Paper

    text = "We present Harbor, a cache for long prompts. It halves memory on six tasks."
    paper = Paper(
        id="2503.00001", title="Harbor: A Cache", abstract=text, abstract_original=text,
        authors=(Author(name="A B"),), date="2025-03-04",
    )  # fmt: skip
    Archive(Library()).add([paper], date="2025-03-04")
    result = run("--out", str(tmp_path / "out"), "--archive")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("6 editions, 50 papers")
    assert "Harbor: A Cache" in (tmp_path / "out" / "2025-03-04" / "index.html").read_text()


def test_serve_answers_on_this_machine_alone_and_ends_with_ctrl_c(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "presscheck", "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PRESSCHECK_HOME": str(tmp_path)},
    )  # fmt: skip
    try:
        line = child.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        with urllib.request.urlopen(address + "api/search?q=quantization") as answer:
            assert json.load(answer)["papers"][0]["title"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        with urllib.request.urlopen(address) as answer:
            assert "presscheck" in answer.read().decode()
    finally:
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == 0 and not errors


def test_a_port_that_is_taken_is_said(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert result.exit_code == 2 and "--port 0" in result.output


def test_help_of_the_verbs_needs_nothing_heavy():
    for verb in ("site", "serve"):
        code = (
            "import sys; from presscheck.cli import main\n"
            f"try: main(['{verb}', '--help'])\nexcept SystemExit: pass\n"
            "heavy = ('jinja2', 'starlette', 'uvicorn', 'numpy', 'msgspec')\n"
            "print([name for name in heavy if name in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip().endswith("[]"), out


def test_nothing_half_written_is_left(built):
    out, _ = built
    assert not list(Path(out).rglob(".presscheck-*"))
