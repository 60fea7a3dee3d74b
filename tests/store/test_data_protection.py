"""Consent for children, sessions and videos, the rules of a store, and what the command line then refuses."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from coded_videos import make_video

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import ConsentMissing, StoreError, UsageError
from visionllm_interaction.interop.registry import export
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.data_protection.consent import check_consent, consent_of
from visionllm_interaction.store.data_protection.register import (
    FILE,
    WHOLE_STORE,
    ProjectRules,
    forget_consent_of_video,
    read_data_protection,
    record_consent,
    set_rules,
)
from visionllm_interaction.store.data_protection.retention import due_videos, is_due
from visionllm_interaction.store.layout import RECORD_FILE, list_videos
from visionllm_interaction.store.reader import erase_video
from visionllm_interaction.store.sessions.chapters import set_session
from visionllm_interaction.store.video_record import SourceFile, read_record
from visionllm_interaction.utils.file_locks import wait_for_lock


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    for video_id in ("a", "b"):
        make_video(store, {"child": [(0, 5)]}, video_id)
    write_covariates(store, "a", {"child": "C01"})
    return store


def states(store: Path, project: str | None = None) -> dict[str, str]:
    return {one.video_id: one.state for one in consent_of(store, ["a", "b"], project=project)}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], {"a": "not recorded", "b": "not recorded"}),
        ([("child", "C01", "given")], {"a": "given", "b": "not recorded"}),
        ([("child", "C01", "given"), ("child", "C01", "withdrawn")], {"a": "withdrawn", "b": "not recorded"}),
        ([("child", "C01", "withdrawn"), ("child", "C01", "given")], {"a": "given", "b": "not recorded"}),
        ([("child", "C01", "withdrawn"), ("video", "a", "given")], {"a": "withdrawn", "b": "not recorded"}),
        ([("session", "visit", "given")], {"a": "not recorded", "b": "given"}),
        ([("session", "visit", "withdrawn"), ("video", "b", "given")], {"a": "not recorded", "b": "withdrawn"}),
        ([("video", "b", "given"), ("video", "b", "not recorded")], {"a": "not recorded", "b": "not recorded"}),
        ([("child", "C02", "withdrawn")], {"a": "not recorded", "b": "not recorded"}),
        ([("child", "c01", "withdrawn")], {"a": "withdrawn", "b": "not recorded"}),
        ([("session", "VISIT", "withdrawn")], {"a": "not recorded", "b": "withdrawn"}),
    ],
)
def test_the_state_of_a_video(store: Path, records: list[tuple[str, str, str]], expected: dict[str, str]) -> None:
    set_session(store, "visit", ["b"])
    for about, name, state in records:
        record_consent(store, about, name, state, who="Kari")  # type: ignore[arg-type]
    assert states(store) == expected


def test_one_child_s_id_in_two_projects_is_two_children(store: Path) -> None:
    record_consent(store, "child", "C01", "withdrawn", who="Kari", project="clinic")
    assert states(store, "dyads")["a"] == "not recorded"
    assert states(store, "clinic")["a"] == "withdrawn"
    assert states(store)["a"] == "withdrawn", "whoever does not know the project counts all of them"


def test_an_export_stops_where_consent_was_withdrawn_or_is_missing(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(store, out, format="csv")
    record_consent(store, "child", "C01", "withdrawn", who="Kari")
    with pytest.raises(ConsentMissing) as refused:
        export(store, tmp_path / "none", format="csv")
    assert "a: withdrawn (child C01)" in str(refused.value) and not (tmp_path / "none").exists()
    export(store, out, format="csv", video_id="b")
    set_rules(store, "dyads", ProjectRules(consent_required=True))
    with pytest.raises(ConsentMissing, match="requires it"):
        export(store, tmp_path / "none", format="eaf", video_id="b")
    check_consent(store, ["b"], project="other")
    record_consent(store, "video", "b", "given", who="Kari", project="dyads", note="form 3")
    export(store, out, format="eaf", video_id="b")


def test_a_damaged_file_stops_exports_and_no_erasure(store: Path, tmp_path: Path) -> None:
    (store / FILE).write_text("{")
    with pytest.raises(StoreError, match="consent cannot be read"):
        export(store, tmp_path / "out", format="csv")
    erase_video(store, "a")
    assert list_videos(store) == ["b"]


def test_erasing_a_video_erases_the_records_about_it_and_not_those_about_its_child(store: Path) -> None:
    record_consent(store, "video", "a", "given", who="Kari")
    record_consent(store, "child", "C01", "withdrawn", who="Kari")
    erase_video(store, "a")
    assert [(one.about, one.name) for one in read_data_protection(store).consents] == [("child", "C01")]


def test_videos_are_due_from_the_day_after(store: Path) -> None:
    assert not is_due(None)
    assert not is_due(date(2027, 6, 30), on=date(2027, 6, 30))
    assert is_due(date(2027, 6, 30), on=date(2027, 7, 1))
    set_rules(store, WHOLE_STORE, ProjectRules(retain_until=date(2999, 1, 1)))
    assert due_videos(store).video_ids == ()
    set_rules(store, WHOLE_STORE, ProjectRules(retain_until=date(2020, 1, 1)))
    assert due_videos(store).video_ids == ("a", "b")
    assert list_videos(store) == ["a", "b"], "what is due is not erased by itself"


def test_a_blank_name_is_refused(store: Path) -> None:
    with pytest.raises(UsageError, match="cannot be recorded"):
        record_consent(store, "child", " ", "given", who="Kari")
    assert not (store / FILE).exists()


def test_a_project_follows_the_store_in_every_rule_that_it_does_not_set(store: Path) -> None:
    set_rules(store, "dyads", ProjectRules(erase_when_due=False))
    set_rules(store, WHOLE_STORE, ProjectRules(consent_required=True, retain_until=date(2027, 6, 30)))
    rules = read_data_protection(store).rules_of("dyads")
    assert (rules.consent_required, rules.retain_until, rules.erase_when_due) == (True, date(2027, 6, 30), False)
    set_rules(store, "dyads", ProjectRules(consent_required=False, retain_until="never"))
    rules = read_data_protection(store).rules_of("dyads")
    assert (rules.consent_required, rules.retain_until) == (False, None)
    set_rules(store, "dyads", ProjectRules(consent_required=None))
    rules = read_data_protection(store).rules_of("dyads")
    assert (rules.consent_required, rules.retain_until) == (True, None), "what is not named stays"


def test_records_of_a_video_are_forgotten_under_the_lock_of_the_store(store: Path) -> None:
    """Without it, a record that somebody else adds at the same time is lost."""
    record_consent(store, "video", "uploaded", "given", who="Kari")
    with wait_for_lock(store), pytest.raises(RuntimeError):
        forget_consent_of_video(store, "uploaded")
    forget_consent_of_video(store, "uploaded")
    assert read_data_protection(store).consents == ()
    forget_consent_of_video(store / "no store", "uploaded")


def run(store: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = run_app(app, [*arguments, "--store", str(store), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_commands(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(store, capsys, "consent", "set", "withdrawn", "--child", "C01", "--who", "Kari")[0] == 0
    code, refused = run(store, capsys, "export", "--format", "csv", "--out", str(tmp_path / "out"))
    assert (code, refused["error"]["code"]) == (3, "CONSENT")  # type: ignore[index]
    assert "visionllm consent set given" in refused["error"]["fix"]  # type: ignore[index]
    code, listed = run(store, capsys, "consent", "list")
    assert [(one["video_id"], one["state"], one["may_be_exported"]) for one in listed["videos"]] == [  # type: ignore[attr-defined]
        ("a", "withdrawn", False),
        ("b", "not recorded", True),
    ]
    assert run(store, capsys, "consent", "set", "given", "--child", "C01", "--video", "b")[0] == 2
    assert run(store, capsys, "consent", "set", "given", "--child", "C01")[0] == 0
    assert run(store, capsys, "consent", "require")[1]["consent_required"] is True
    assert run(store, capsys, "export", "--format", "csv", "--out", str(tmp_path / "out"))[0] == 3
    assert run(store, capsys, "export", "--format", "csv", "--video", "a", "--out", str(tmp_path / "out"))[0] == 0
    assert run(store, capsys, "consent", "require", "--no")[1]["consent_required"] is False
    assert run(store, capsys, "export", "--format", "csv", "--out", str(tmp_path / "out"))[0] == 0


def test_retention_by_the_commands(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(store, capsys, "retention", "set", "soon")[0] == 2
    assert run(store, capsys, "retention", "erase")[1]["erased"] == []
    assert run(store, capsys, "retention", "set", "2020-01-01")[1]["retain_until"] == "2020-01-01"
    assert run(store, capsys, "retention", "due")[1]["due"] == ["a", "b"]
    code, refused = run(store, capsys, "retention", "erase")
    assert (code, list_videos(store)) == (2, ["a", "b"]), refused
    assert run(store, capsys, "retention", "erase", "--yes")[1]["erased"] == ["a", "b"]
    assert list_videos(store) == []
    assert run(store, capsys, "retention", "set", "never")[1]["retain_until"] is None


def test_a_store_with_rules_of_projects_is_left_to_the_service(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(store, capsys, "retention", "set", "2020-01-01")
    run(store, capsys, "retention", "set", "2999-01-01", "--project", "dyads")
    for command in (["due"], ["erase", "--yes"]):
        code, refused = run(store, capsys, "retention", *command)
        assert (code, list_videos(store)) == (2, ["a", "b"])
        assert "POST /v1/projects/dyads/erase-due" in refused["error"]["fix"]  # type: ignore[index]


def test_recording_says_how_many_videos_it_is_about(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_session(store, "visit", ["b"])
    for about, name, expected in (("child", "c01", ["a"]), ("session", "visit", ["b"]), ("child", "C1", [])):
        code, found = run(store, capsys, "consent", "set", "withdrawn", f"--{about}", name)
        assert (code, found["videos"]) == (0, expected)
    assert run_app(app, ["consent", "set", "withdrawn", "--child", "C1", "--store", str(store)]) == 0
    assert "warning: no video of the store is of this child" in capsys.readouterr().out


def test_a_blurred_copy_asks_for_consent(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    record = read_record(store / "videos" / "a")
    assert record is not None
    source = SourceFile.model_validate({**record.source.model_dump(), "path": str(tmp_path / "film.mp4")})
    path = store / "videos" / "a" / RECORD_FILE
    path.write_text(record.model_copy(update={"source": source}).model_dump_json())
    asked = ["blur", str(tmp_path / "film.mp4"), "--out", str(tmp_path / "copy.mp4"), "--blackout", "0-1"]
    assert run(store, capsys, *asked)[1]["error"]["code"] == "VIDEO"  # type: ignore[index]
    record_consent(store, "child", "C01", "withdrawn", who="Kari")
    code, refused = run(store, capsys, *asked)
    assert (code, refused["error"]["code"]) == (3, "CONSENT")  # type: ignore[index]
