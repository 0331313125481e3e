"""The verbs archive, search and similar, as a user calls them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from presscheck.archive import encoders
from presscheck.cli import main

ROWS = [
    {"id": "2501.00001", "title": "Pruning the cache", "summary": "We prune the key cache.", "upvotes": 3},
    {"id": "2501.00002", "title": "Robots that fold", "summary": "A robot arm folds cloth.", "upvotes": 5},
]


@pytest.fixture
def run(monkeypatch, tmp_path):
    def encode(self, texts, *, query):
        out = np.full((len(texts), self.width), 0.01, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                out[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.width] += 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    monkeypatch.setattr(encoders.Encoder, "_encode", encode)
    file = tmp_path / "papers.jsonl"
    lines = [json.dumps({"date": "2025-01-02", "authors": ["Ann Lee"], **row}) for row in ROWS]
    file.write_text("\n".join(lines) + "\n")
    return lambda *words: CliRunner().invoke(main, [str(file) if w == "FILE" else w for w in words])


def test_added_papers_are_counted_found_and_told_of(run):
    added = run("archive", "add", "FILE")
    assert added.exit_code == 0, added.output
    assert "2 new, 0 changed, 0 unchanged; the archive holds 2 papers" in added.output
    assert "0 new, 0 changed, 2 unchanged" in run("archive", "add", "FILE").output
    found = run("search", "robot", "cloth", "--json")
    assert json.loads(found.output.splitlines()[0])["id"] == "2501.00002"
    near = run("similar", "https://arxiv.org/abs/2501.00001", "--json")
    assert [json.loads(line)["id"] for line in near.output.splitlines()] == ["2501.00002"]
    state = run("archive", "status").output
    assert "2 papers on 1 days" in state and "up to date" in state and "usem3: 2 of 2 papers" in state
    assert json.loads(run("archive", "votes", "2501.00002", "--json").output) == [{"at": "", "votes": 5}]
    assert "2 papers are ready" in run("archive", "rebuild").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("archive", "add"), "nothing was named"),
        (("archive", "add", "--to", "2025-01-02"), "--to needs --from"),
        (("archive", "add", "--from", "2025-01-05", "--to", "2025-01-02"), "is before"),
        (("archive", "add", "--from", "2999-01-01"), "in the future"),
        (("archive", "add", "nowhere.jsonl"), "nowhere.jsonl"),
        (("archive", "votes", "2501.99999"), "no paper"),
        (("search", "robot"), "the archive is empty"),
        (("similar", "2501.00001"), "the archive is empty"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(run, words, said):
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output and "Traceback" not in result.output


def test_a_service_that_does_not_answer_is_said(run):
    result = run("archive", "add", "--from", "2025-01-02", "--to", "2025-01-02")
    assert result.exit_code == 2 and "Error:" in result.output


def test_a_title_cannot_steer_the_terminal(run, tmp_path):
    file = tmp_path / "hostile.jsonl"
    row = {
        "id": "2501.00009",
        "title": "Red \u001b[31m robot",
        "summary": "A robot \u0007 rings.",
        "authors": ["A B"],
    }
    file.write_text(json.dumps(row) + "\n")
    run("archive", "add", str(file))
    found = run("search", "robot").output
    assert "robot" in found and "\u001b" not in found and "\u0007" not in found
