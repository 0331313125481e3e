"""`doctor`: a line for everything, a hint where something is missing, the exit status, and the workflow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from presscheck.cli import COMMANDS, main
from tests.site.send.services import DISCORD_OK, Answer, service


def run(*given: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *given])


def rows(*given: str) -> dict[tuple[str, str], dict[str, str]]:
    found = [json.loads(line) for line in run("--json", *given).stdout.splitlines()]
    return {(row["area"], row["name"]): row for row in found}


def test_a_fresh_machine_is_not_broken_and_says_what_to_do_first(own_home: Path):
    result = run("--offline")
    found = rows("--offline")
    assert found["library", "folder"]["state"] == "ok"
    assert found["library", "room"]["said"].endswith("free")
    assert "`presscheck edition`" in found["library", "editions"]["hint"]
    assert found["parts", "encoder"]["state"] == "ok"
    assert found["writers", "extractive"]["state"] == "ok"
    assert found["send", "slack"]["state"] == "off"
    assert ("network", "arXiv") not in found
    assert "not set up" in result.stdout
    broken = [row for row in found.values() if row["state"] == "broken"]
    assert result.exit_code == (1 if broken else 0)
    assert {row["name"] for row in broken} <= {"bubblewrap"}, "a container may forbid sandboxes"


def test_a_service_that_does_not_answer_is_broken(own_home: Path):
    found = rows()
    assert found["network", "daily papers"]["state"] == "broken"
    assert "refused" in found["network", "daily papers"]["said"]
    assert run().exit_code == 1


def test_what_is_broken_is_named_and_costs_the_exit_status(own_home: Path):
    (own_home / "presscheck.toml").write_text("langauges = []")
    (own_home / "reading.json").write_text("{")
    day = own_home / "editions" / "2024-07-31"
    day.mkdir(parents=True)
    (day / "edition.json").write_text("{")
    result = run("--offline")
    assert result.exit_code == 1
    for words in ("unknown setting", "did you mean `languages`?", "reading.json", "edition.json"):
        assert words in result.stdout


def test_writers_and_targets_that_are_set_up_are_looked_at(own_home: Path, monkeypatch: pytest.MonkeyPatch):
    (own_home / "presscheck.toml").write_text(
        '[writers.gone]\nmodel = "gguf:/nowhere/model.gguf"\n[send.email]\nhost = "127.0.0.1"\nport = 9\n'
        'sender = "a@example.org"\nto = ["b@example.org"]\n'
    )
    with service(DISCORD_OK) as running:
        running.queue = [Answer(200, b'{"type":1,"id":"1"}')]
        monkeypatch.setenv("PRESSCHECK_DISCORD_WEBHOOK", f"{running.url}/api/webhooks/1/SECRET")
        monkeypatch.setenv("PRESSCHECK_SLACK_WEBHOOK", "https://hooks.slack.com/services/SECRET")
        result = run("--json")
    found = {(row["area"], row["name"]): row for row in map(json.loads, result.stdout.splitlines())}
    assert found["writers", "gone"]["state"] == "broken"
    assert found["send", "discord"]["state"] == "ok"
    assert running.paths == ["/api/webhooks/1/SECRET"]
    assert not running.bodies, "nothing is posted"
    assert found["send", "slack"]["state"] == "ok"
    assert found["send", "email"]["state"] == "broken"
    assert "SECRET" not in result.output


def test_the_state_of_the_archive_and_its_indexes_is_told(own_home: Path):
    from presscheck.archive.store import Archive
    from presscheck.papers.library import Library
    from presscheck.papers.paper import make_paper

    assert rows("--offline")["library", "archive"]["state"] == "off"
    archive = Archive(Library())
    archive.add([make_paper(id="2401.00001", title="Dace", abstract="", authors=["A"])])
    found = rows("--offline")["library", "archive"]
    assert (found["state"], found["said"]) == ("ok", "1 papers, index of words not made yet")
    broken = archive.folder / "vectors" / "usem3"
    broken.mkdir(parents=True)
    (broken / "000001-x.vectors").write_bytes(b"no vectors")
    found = rows("--offline")["library", "archive"]
    assert found["state"] == "broken"
    assert "archive rebuild" in found["hint"]


def test_a_library_that_cannot_be_written_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PRESSCHECK_HOME", str(tmp_path / "file" / "library"))
    found = rows("--offline")
    assert found["library", "folder"]["state"] == "broken"
    assert "PRESSCHECK_HOME" in found["library", "folder"]["hint"]


def workflow() -> str:
    result = run("--workflow")
    assert result.exit_code == 0
    return result.stdout


def test_the_workflow_is_yaml_with_everything_that_a_daily_job_needs():
    yaml = pytest.importorskip("yaml")
    table = yaml.safe_load(workflow())
    triggers = table[True]  # YAML 1.1 reads `on` as true; GitHub does not
    assert re.fullmatch(r"\d+ \d+ \* \* 2-6", triggers["schedule"][0]["cron"])
    assert "workflow_dispatch" in triggers
    assert table["permissions"] == {
        "contents": "write", "pages": "write", "id-token": "write", "actions": "write",
    }  # fmt: skip
    steps = table["jobs"]["daily"]["steps"]
    used = [step["uses"].split("@")[0] for step in steps if "uses" in step]
    assert used.index("actions/upload-pages-artifact") < used.index("actions/deploy-pages")
    assert all(("run" in step) != ("uses" in step) for step in steps)
    assert any("gh workflow enable daily.yml" in step.get("run", "") for step in steps)
    sends = [step for step in steps if "presscheck send" in step.get("run", "")]
    assert len(sends) == 4
    job = table["jobs"]["daily"]["env"]
    for step in sends:
        # `if` may look at the job's environment but not at secrets.
        (asked,) = re.findall(r"env\.(\w+) != ''", step["if"])
        assert asked in job


def test_no_secret_is_spelt_into_a_command():
    """An expression inside `run` is pasted into the shell before it runs."""
    for block in re.findall(r"run: \|?\n?((?:.*\n)(?: {10,}.*\n)*)", workflow()):
        assert "${{" not in block


def test_every_command_of_the_workflow_exists_with_its_options():
    lines = re.findall(r"^\s*(?:run: )?presscheck (\S+)(.*)$", workflow(), re.MULTILINE)
    assert {verb for verb, _ in lines} == {"edition", "site", "send"}
    for verb, rest in lines:
        assert verb in COMMANDS
        try:
            command = main.get_command(None, verb)  # type: ignore[arg-type]
        except ImportError:
            continue  # a verb of a room that is not merged yet
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}  # type: ignore[union-attr]
        assert set(re.findall(r"(--[a-z-]+)", rest)) <= known


def test_every_variable_of_the_workflow_is_one_that_send_reads():
    from presscheck.site.send.targets import VARIABLES

    named = set(re.findall(r"PRESSCHECK_[A-Z_]+", workflow()))
    assert named - {"PRESSCHECK_HOME", "PRESSCHECK_OUT"} <= set(VARIABLES)
