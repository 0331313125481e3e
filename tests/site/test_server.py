"""The server: whom it answers, what it never gives, and that its search is that of the site."""

from __future__ import annotations

import json
import time

import pytest
from starlette.testclient import TestClient

from presscheck.papers.library import Library
from presscheck.site import systems
from presscheck.site.guard import HEADERS, is_ours
from presscheck.site.server import LOCAL, Served, make_app

OWN = {"x-presscheck": "1", "origin": "http://localhost:8765", "content-type": "application/json"}


@pytest.fixture
def served(small, tmp_path):
    return Served(small.order, Library(tmp_path / "home"), may_run=True)


@pytest.fixture
def client(served):
    with TestClient(make_app(served), base_url="http://localhost:8765") as client:
        yield client


def test_every_answer_has_the_headers_and_is_to_a_name_of_ours(client):
    for path in (
        "/",
        "/papers/2407.00001.html",
        "/api/editions",
        "/nothing",
        "/search.html",
        "/systems/larch.html",
    ):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        refused = client.get(path, headers={"host": "evil.example"})
        assert refused.status_code == 421 and refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost:8765", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("192.168.1.7:8765", True),
        ("evil.example:8765", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[::1", True),
    ],
)
def test_a_name_that_was_made_to_point_here_is_no_name_of_ours(host, ours):
    assert is_ours(host, LOCAL) == ours


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/papers/..%2f..%2f..%2fsecret.txt",
        "/papers/%2fetc%2fpasswd",
        "/site-manifest.json",
        "/.hidden",
        "/papers/.hidden",
        "/systems/..%2fsecret.txt",
        "/link.txt",
        "/%00",
        "/papers/%00",
        "/api/papers/..%2f..%2fsecret",
    ],
)
def test_no_path_leads_out_of_the_site(client, served, path):
    (served.folder.parent / "secret.txt").write_text("secret")
    (served.folder / ".hidden").write_text("secret")
    (served.folder / "papers" / ".hidden").write_text("secret")
    (served.folder / "link.txt").symlink_to(served.folder.parent / "secret.txt")
    answer = client.get(path)
    assert answer.status_code in (404, 400) and "secret" not in answer.text.replace("secret.txt", "")


def test_the_json_interface_says_what_the_pages_show(client):
    days = client.get("/api/editions").json()["editions"]
    assert [day["date"] for day in days] == ["2024-07-31", "2024-07-30"]
    paper = client.get("/api/papers/2407.00001").json()
    assert paper["paper"]["title"].startswith("Larch") and len(paper["entries"]) == 4
    assert client.get("/api/papers/2999.99999").status_code == 404
    found = client.get("/api/search", params={"q": "attention heads"}).json()
    assert found["papers"][0]["id"] == "2407.00001"
    assert client.get("/api/search", params={"q": "어텐션 헤드"}).json()["papers"][0]["id"] == "2407.00001"
    (system,) = client.get("/api/systems").json()["systems"]
    assert system["claims"] == {
        "memory": "holds", "speed": "fails", "accuracy": "undecided", "peer": "not measured",
    }  # fmt: skip
    whole = client.get("/api/systems/larch").json()
    assert whole["claims"][0]["estimate"] == pytest.approx(0.691, abs=1e-3)
    assert client.get("/api/systems/none").status_code == 404


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"limit": "９"}, {"limit": "1e3"}, {"since": "yesterday"}]
)
def test_a_question_that_makes_no_sense_is_told_so(client, query):
    answer = client.get("/api/search", params={"q": "x", **query})
    assert answer.status_code == 400 and "need" in answer.json()["error"]


@pytest.mark.parametrize("query", ["", "\0", '"', "NEAR(a b)", "a" * 10_000, "%", "한" * 5000, "<script>"])
def test_any_query_has_an_answer(client, query):
    assert client.get("/api/search", params={"q": query}).status_code == 200


def test_a_run_is_started_by_our_own_page_alone(client):
    body = json.dumps({"system": "larch"})
    for wrong in (
        {},
        {"x-presscheck": "1", "origin": "http://evil.example"},
        {"x-presscheck": "1", "sec-fetch-site": "cross-site"},
        {"origin": "http://localhost:8765"},
    ):
        assert client.post("/api/runs", content=body, headers=wrong).status_code == 403
    assert client.post("/api/runs", content=json.dumps({"system": "../evil"}), headers=OWN).status_code == 404
    assert (
        client.post("/api/runs", content=json.dumps({"system": "larch; rm"}), headers=OWN).status_code == 404
    )
    assert client.post("/api/runs", content="[", headers=OWN).status_code == 400
    assert client.post("/api/runs", content="x" * 9000, headers=OWN).status_code == 413
    huge = json.dumps({"system": "larch", "size": "huge"})
    assert client.post("/api/runs", content=huge, headers=OWN).status_code == 400
    assert client.get("/api/runs").json()["running"] is False


def test_a_server_for_others_starts_no_run(small, tmp_path):
    served = Served(small.order, Library(tmp_path / "home"), may_run=False)
    with TestClient(make_app(served), base_url="http://localhost:8765") as client:
        assert client.post("/api/runs", content='{"system": "larch"}', headers=OWN).status_code == 403
        assert "data-run" not in client.get("/systems/larch.html").text


def events(client) -> list[dict]:
    with client.stream("GET", "/api/runs/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return [told for line in lines if (told := json.loads(line[6:]))]


def test_a_run_is_followed_from_its_start_to_its_verdicts(client, tmp_path, monkeypatch):
    """A stand-in for the command: the real one needs a system whose packages are here."""
    stand_in(tmp_path, monkeypatch)
    assert client.post("/api/runs", content='{"system": "larch"}', headers=OWN).status_code == 202
    told = events(client)
    assert told[0]["started"] == "larch" and told[0]["size"] == "quick"
    assert [line["done"] for line in told if "done" in line] == [1, 2, 3]
    assert any(line.get("said") == "a <note>" for line in told)
    assert told[-1]["ended"] == 0 and told[-1]["verdicts"] == [{"claim": "memory", "answer": "holds"}]
    assert events(client)[-1]["ended"] == 0  # who comes late sees it too
    assert client.get("/api/runs").json() == {"running": False, "system": "larch", "done": 3, "of": 3}


def test_a_second_run_waits_and_the_first_can_be_stopped(client, tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, sleep=30)
    assert client.post("/api/runs", content='{"system": "larch"}', headers=OWN).status_code == 202
    assert client.post("/api/runs", content='{"system": "larch"}', headers=OWN).status_code == 409
    while client.get("/api/runs").json()["done"] < 3:
        time.sleep(0.02)
    start = time.monotonic()
    assert client.delete("/api/runs", headers=OWN).json()["running"] is False
    assert time.monotonic() - start < 9
    assert events(client)[-1]["ended"] != 0


def stand_in(folder, monkeypatch, sleep: float = 0) -> None:
    """A Python that, whatever it is asked, reports three steps and a verdict."""
    import sys

    program = folder / "python"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys, time\n"
        "assert sys.argv[1:] == ['-P', '-m', 'presscheck', 'run', 'larch', '--size', 'quick', '--json']\n"
        "print('a <note>', file=sys.stderr)\n"
        "for n in (1, 2, 3):\n"
        "    line = json.dumps({'system': 'larch', 'arm': 'full', 'done': n, 'of': 3})\n"
        "    print(line, file=sys.stderr, flush=True)\n"
        f"time.sleep({sleep})\n"
        "print(json.dumps({'verdicts': [{'claim': 'memory', 'answer': 'holds'}]}))\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("presscheck.site.runs.sys.executable", str(program))


def test_a_new_record_shows_without_a_restart(client, served, tmp_path, monkeypatch):
    from claimed import larch_system

    standing = larch_system(tmp_path / "other", recorded=False)
    monkeypatch.setattr(systems, "standings", lambda: {"larch": standing})
    assert "holds here" in client.get("/systems/larch.html").text
    served.refresh()
    assert "holds here" not in client.get("/systems/larch.html").text


def test_the_archives_vectors_find_what_no_word_says(small, tmp_path):
    """A Korean question, an English abstract that shares no word with it, a paper of no edition."""
    from presscheck.archive.store import Archive
    from presscheck.types import Paper

    library = Library(tmp_path / "home")
    said = {
        "2501.00001": ("Harbor: Forecasting Rain", "We predict tomorrow's rain from satellite pictures."),
        "2501.00002": ("Sorrel: Cooking Robots", "A robot arm learns to cook soup from videos."),
        "2501.00003": ("Tern: Protein Folding", "We fold proteins with a smaller network."),
    }
    papers = [
        Paper(id=id_, title=title, abstract=text, abstract_original=text, date="2025-01-02")
        for id_, (title, text) in said.items()
    ]
    Archive(library).add(papers, date="2025-01-02")
    served = Served(small.order, library, may_run=True)
    assert served.meaning is not None
    with TestClient(make_app(served), base_url="http://localhost:8765") as client:
        assert served.meaning.ready.wait(60) and not served.meaning.broken
        found = client.get("/api/search", params={"q": "위성 사진으로 비를 예보하기"}).json()
        assert found["by"] == "words and meaning"
        first = found["papers"][0]
        assert first["id"] == "2501.00001" and first["url"] == "https://arxiv.org/abs/2501.00001"
        assert not first["slug"] and "rain" in first["snippet"]
        near = client.get("/api/similar/2501.00002").json()["papers"]
        assert {row["id"] for row in near} == {"2501.00001", "2501.00003"}
        assert client.get("/api/similar/2999.00001").status_code == 404
        for hostile in ("", "\0", '"', "NEAR(a b)", "a" * 10_000, "*"):
            assert client.get("/api/search", params={"q": hostile}).status_code == 200
        of_field = client.get("/api/search", params={"q": "cache", "field": "language-models"}).json()
        assert [row["id"] for row in of_field["papers"]] == ["2407.00001"]


def test_without_an_archive_words_are_searched(client):
    assert client.get("/api/search", params={"q": "heads"}).json()["by"] == "words"
    assert client.get("/api/similar/2407.00001").status_code == 503
