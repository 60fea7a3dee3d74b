"""The same question twice is the same answer; an old one is recomputed, and told if it no longer holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hand_made_store import FIRST_RELATIONS, FIRST_SPANS, SECOND_SPANS, publish

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.reasoning import ask
from visionllm_interaction.store.reader import erase_video

QUESTIONS = (
    "How long was the ball visible?",
    "Which toys did the child hold?",
    "How long was the child near the caregiver while the ball was visible?",
    "In what order were the toys first seen?",
    "How long did the child hold the cup, and who held the cup?",
    "Was the dog visible?",
)


def _replayed(
    answer: dict[str, Any], store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, Any]:
    file = tmp_path / "ANSWER.json"
    file.write_text(json.dumps(answer), encoding="utf-8")
    code = run_app(app, ["replay", str(file), "--store", str(store), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_question_same_answer_and_it_replays(
    two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], question: str
) -> None:
    first, second = (ask(question, two_videos, planner="rules").to_json() for _ in range(2))
    assert first == second
    code, report = _replayed(first, two_videos, tmp_path, capsys)
    assert (code, report["status"]) == (0, "holds")
    assert len(report["claims"]) == len(first["claims"])


def test_replay_sees_what_the_store_gives_otherwise_now(
    two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask("How long was the ball visible?", two_videos, planner="rules").to_json()
    changed = tmp_path / "changed"
    publish(changed, "room_s7_000", duration_s=20.0, spans=FIRST_SPANS, relations=FIRST_RELATIONS)
    publish(changed, "room_s7_001", duration_s=10.0, spans=[(1, "ball", 0.0, 9.0), SECOND_SPANS[0]])
    code, report = _replayed(answer, changed, tmp_path, capsys)
    assert (code, report["status"]) == (3, "changed")
    holds = {claim["text"]: claim["holds"] for claim in report["claims"]}
    assert holds == {
        "In 2 videos together, the ball was visible for 12 s.": False,
        "In room_s7_000, the ball was visible for 10 s.": True,
        "In room_s7_001, the ball was visible for 2 s.": False,
    }
    assert report["evidence_changed"] == ["e2"]


def test_replay_after_a_video_was_erased(two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask("How long was the ball visible in room_s7_001?", two_videos, planner="rules").to_json()
    store = tmp_path / "copy"
    shutil.copytree(two_videos, store)
    erase_video(store, "room_s7_001")
    code, report = _replayed(answer, store, tmp_path, capsys)
    assert (code, report["status"], report["claims"][0]["holds"]) == (3, "changed", False)


@pytest.mark.parametrize("field", ["value", "text", "unit", "evidence"])
def test_a_tampered_answer_does_not_hold(
    one_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    answer = ask("How long was the ball visible?", one_video, planner="rules").to_json()
    tampered = {"value": 11.0, "text": "The ball was visible for 11 s.", "unit": "min", "evidence": ["e2"]}
    answer["claims"][0][field] = tampered[field]
    code, report = _replayed(answer, one_video, tmp_path, capsys)
    assert (code, report["claims"][0]["holds"]) == (3, False)
    assert report["claims"][0]["reason"]


def test_what_is_no_answer_is_said(one_video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.json"
    for text in ("{}", "not JSON"):
        file.write_text(text, encoding="utf-8")
        assert run_app(app, ["replay", str(file), "--store", str(one_video), "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "USAGE"
