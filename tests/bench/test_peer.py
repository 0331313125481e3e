"""A peer in a real environment of its own, made by the real installer from a wheel made here."""

from __future__ import annotations

import os
import signal
import zipfile
from pathlib import Path

import pytest

from presscheck.bench.environments import folder_of, install, installed
from presscheck.bench.peer import Peer
from presscheck.bench.run import Unavailable
from presscheck.errors import BadInput

MODULE = """
import os, sys, time
import msgspec                      # lent: this environment does not have it itself
print("a chatty import")
os.write(1, b"and one from C\\n")

def fine(seed, factor=1):
    print("a chatty trial")
    yield "x", float(seed * factor), "1"

def failing(seed):
    raise ValueError(f"seed {seed} is not to its taste")
    yield

def dying(seed):
    if seed == 1:
        sys.stderr.write("killed for its memory\\n")
        sys.stderr.flush()
        os._exit(9)
    yield "x", 1.0, "1"

def slow(seed):
    time.sleep(60)
    yield "x", 1.0, "1"

def where(seed):
    yield "own", float(sys.prefix != sys.base_prefix), "1"
"""


def wheel(folder: Path) -> Path:
    path = folder / "aspeer-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("aspeer.py", MODULE)
        file.writestr("aspeer-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: aspeer\nVersion: 1.0\n")
        file.writestr(
            "aspeer-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("aspeer-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    before = os.environ.get("PRESSCHECK_HOME")
    os.environ["PRESSCHECK_HOME"] = str(folder)
    install("aspeer", [str(wheel(folder))], lambda step: None)
    yield folder
    if before is None:
        del os.environ["PRESSCHECK_HOME"]
    else:
        os.environ["PRESSCHECK_HOME"] = before


@pytest.fixture
def peer(home, monkeypatch):
    monkeypatch.setenv("PRESSCHECK_HOME", str(home))
    made: list[Peer] = []

    def make(target, settings=None, **extra):
        made.append(Peer("aspeer", f"aspeer:{target}", settings, **extra))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_peer_answers_from_its_own_environment_with_what_is_lent(peer):
    arm = peer("fine", {"factor": 3})
    assert [arm(2), arm(5)] == [[("x", 6.0, "1")], [("x", 15.0, "1")]]
    assert peer("where")(0) == [("own", 1.0, "1")]


def test_a_peer_that_fails_is_unavailable_with_its_words(peer):
    with pytest.raises(Unavailable, match="ValueError: seed 3 is not to its taste"):
        peer("failing")(3)


def test_a_peer_that_dies_in_the_middle_is_unavailable_with_its_last_words(peer):
    arm = peer("dying")
    assert arm(0) == [("x", 1.0, "1")]
    with pytest.raises(Unavailable, match="has ended.*killed for its memory"):
        arm(1)


def test_a_peer_that_is_killed_between_two_trials_is_unavailable(peer):
    arm = peer("fine")
    arm(0)
    os.kill(arm._process.pid, signal.SIGKILL)
    arm._process.wait()
    with pytest.raises(Unavailable, match="has ended"):
        arm(1)


def test_a_peer_that_does_not_answer_is_left(peer):
    arm = peer("slow", patience=1.0)
    with pytest.raises(Unavailable, match="did not answer within 1 s"):
        arm(0)
    assert arm._process is None


def test_a_file_of_the_working_folder_does_not_stand_in_for_a_module(peer, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('taken in')")
    monkeypatch.chdir(tmp_path)
    assert peer("fine")(1) == [("x", 1.0, "1")]


def test_a_peer_that_is_not_installed_says_how_to(monkeypatch, tmp_path):
    monkeypatch.setenv("PRESSCHECK_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="`presscheck peer install aspeer`"):
        Peer("aspeer", "aspeer:fine")(0)


def test_an_installation_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("PRESSCHECK_HOME", str(tmp_path))
    with pytest.raises(BadInput, match="cannot be installed"):
        install("nothing", [str(tmp_path / "no-such-1.0-py3-none-any.whl")], lambda step: None)
    assert installed("nothing") is None and not folder_of("nothing").exists()
