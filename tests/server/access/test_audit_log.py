"""The audit log: what is kept, that a removed row shows, and that an erased video leaves a token only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from coded_videos import make_video
from running_service import CLI
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth import audit_log
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.auth.audit_log import AuditLog
from visionllm_interaction.server.auth.roles import LOCAL, Principal
from visionllm_interaction.server.config import ServeConfig

ANNA = Principal("k1", "anna", "analyst")


def filled(folder: Path, rows: int = 5) -> AuditLog:
    log = AuditLog(folder, writer="service")
    for number in range(rows):
        subject = log.subject_of(f"visit-{number}")
        log.record("erase", who=ANNA, route="DELETE /v1/videos/{video_id}", subject=subject, project="dyads")
    return log


def test_rows_are_kept_over_restarts_and_follow_one_another(tmp_path: Path) -> None:
    filled(tmp_path)
    log = filled(tmp_path)
    assert log.verify() == []
    assert [row.seq for row in log.rows()] == list(range(10, 0, -1))
    assert {(row.who, row.action, row.project) for row in log.rows()} == {("anna", "erase", "dyads")}
    assert log.latest() is not None and log.names()[log.rows()[0].subject or ""] == "visit-4"


@pytest.mark.parametrize(
    "change", ["first", "middle", "last", "last two", "altered", "altered and rehashed", "exchanged"]
)
def test_a_row_that_was_changed_or_removed_shows(tmp_path: Path, change: str) -> None:
    log = filled(tmp_path)
    file = tmp_path / "service.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    changed = {
        "first": lines[1:],
        "middle": lines[:2] + lines[3:],
        "last": lines[:-1],
        "last two": lines[:-2],
        "altered": [line.replace("anna", "nobody") if i == 1 else line for i, line in enumerate(lines)],
        "altered and rehashed": [rehashed(line) if i == 1 else line for i, line in enumerate(lines)],
        "exchanged": [lines[1], lines[0], *lines[2:]],
    }[change]
    file.write_text("".join(changed))
    assert log.verify() != [], change


def test_a_row_that_is_added_while_the_log_is_checked_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, read_bytes = filled(tmp_path), Path.read_bytes

    def read_while_somebody_writes(path: Path) -> bytes:
        content = read_bytes(path)
        if path.suffix == ".jsonl":
            log.record("erase", who=ANNA, route="DELETE /v1/videos/{video_id}")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_while_somebody_writes)
    assert log.verify() == []


def test_a_row_that_is_half_written_while_the_log_is_checked_is_no_fault(tmp_path: Path) -> None:
    log = filled(tmp_path)
    with (tmp_path / "service.jsonl").open("a") as stream:
        stream.write('{"seq": 6, "at": "20')
    assert log.verify() == [] and len(log.rows()) == 5


def test_a_video_that_is_erased_while_the_names_are_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, read_text = filled(tmp_path), Path.read_text

    def read_while_somebody_erases(path: Path, *args: Any, **kwargs: Any) -> str:
        if path.name == "visit-3":
            log.forget("visit-3")
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_while_somebody_erases)
    assert sorted(log.names().values()) == ["visit-0", "visit-1", "visit-2", "visit-4"]


def rehashed(line: str) -> str:
    row = audit_log.AuditRow.model_validate_json(line).model_copy(update={"who": "nobody"})
    return row.model_copy(update={"digest": row.expected_digest()}).model_dump_json() + "\n"


def test_a_row_that_a_killed_process_did_not_finish_goes_and_the_log_goes_on(tmp_path: Path) -> None:
    filled(tmp_path)
    file = tmp_path / "service.jsonl"
    file.write_text(file.read_text() + '{"seq": 6, "at": "20')
    log = filled(tmp_path, rows=1)
    assert log.verify() == [] and len(log.rows()) == 6


def test_rows_that_could_not_be_written_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = filled(tmp_path)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("visionllm_interaction.server.auth.audit_log.os.write", full)
        for _ in range(3):
            log.record("erase", who=ANNA, route="DELETE /v1/videos/{video_id}")
    log.record("upload", who=ANNA, route="POST /v1/videos")
    assert log.rows()[0].missed == 3 and log.verify() == []


def test_looking_is_kept_once_in_a_while_and_changing_always(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, writer="service")
    for _ in range(3):
        for action in ("view", "export", "erase"):
            log.record(action, who=ANNA, route="r", subject="video-1")
        log.record("view", who=LOCAL, route="r", subject="video-1")
    actions = [(row.action, row.who) for row in log.rows()]
    assert actions.count(("view", "anna")) == 1 and actions.count(("view", LOCAL.name)) == 1
    assert actions.count(("export", "anna")) == actions.count(("erase", "anna")) == 3


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    return ServeConfig(data_dir=tmp_path / "service", page=False)


def test_what_the_service_keeps(config: ServeConfig, tmp_path: Path) -> None:
    key, boss = (
        create_key(config.keys_path, name="anna", role="analyst"),
        create_key(config.keys_path, name="boss", role="admin"),
    )
    make_video(config.store_dir, {"child": [(0, 5)]}, "Emil-visit")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    headers = {"X-API-Key": key}
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        client.post("/login", data={"key": key})
        client.cookies.clear()
        assert client.get("/v1/videos/Emil-visit/timeline", headers=headers).status_code == 200
        assert client.get("/v1/videos/nobody/timeline", headers=headers).status_code == 404
        question = {"question": "How long is the child visible?", "video_id": "Emil-visit"}
        assert client.post("/v1/ask", json=question, headers=headers).status_code == 200
        assert client.get("/v1/measures/visible_duration/csv", headers=headers).status_code == 200
        before = client.get("/v1/audit", headers={"X-API-Key": boss}).json()
        assert client.delete("/v1/videos/Emil-visit", headers=headers).status_code == 204
        after = client.get("/v1/audit", headers={"X-API-Key": boss}).json()
        page = client.get("/v1/audit?limit=2", headers={"X-API-Key": boss}).json()
        rest = client.get("/v1/audit", params={"cursor": page["next"]}, headers={"X-API-Key": boss}).json()
    did = [(row["action"], row["who"], row["video_id"]) for row in reversed(before["rows"])]
    assert did == [
        ("log in", "anna", None),
        ("view", "anna", "Emil-visit"),
        ("ask", "anna", "Emil-visit"),
        ("export", "anna", None),
    ]
    assert after["faults"] == [] and after["rows"][0]["action"] == "erase"
    assert {row["video_id"] for row in after["rows"]} == {None}
    subjects = {row["subject"] for row in after["rows"]} - {None}
    assert len(subjects) == 1 and next(iter(subjects)).startswith("video-")
    assert page["rows"] + rest["rows"] == after["rows"]
    assert "Emil" not in "".join(path.read_text() + path.name for path in config.audit_dir.rglob("*") if path.is_file())

    command = [*CLI, "audit-log", "-o", f"serve.data_dir={config.data_dir}"]
    shown = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, check=True)
    assert len(json.loads(shown.stdout)["rows"]) == len(after["rows"])
    file = config.audit_dir / "service.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    refused = subprocess.run([*command, "--verify"], cwd=tmp_path, capture_output=True, check=False)
    assert refused.returncode == 3 and b"The audit log was changed" in refused.stderr
