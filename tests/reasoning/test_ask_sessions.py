"""Questions of sessions: chapters are one video, and an answer is replayed as it was asked."""

from __future__ import annotations

from pathlib import Path

from coded_videos import make_video

from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.recheck_answer import replay
from visionllm_interaction.store.sessions.chapters import set_session
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice


def test_a_question_of_a_session_adds_its_chapters(tmp_path: Path) -> None:
    store = tmp_path / "store"
    make_video(store, {"ball": [(15, 20)]}, "a")
    make_video(store, {"ball": [(0, 5)]}, "b")
    set_session(store, "visit", ["a", "b"])
    answer = ask("How long is the ball visible?", store, sessions=SessionChoice("visit"))
    assert answer.claims[0].value == 10.0
    assert {item.video_id for item in answer.evidence} == {"visit"}
    again = Answer.model_validate_json(answer.model_dump_json())
    assert again.sessions == SessionChoice("visit")
    assert replay(again, store).status == "holds"
