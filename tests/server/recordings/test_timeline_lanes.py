"""What the timeline of a video shows beside its tracks: codes by lane, unknown time, recordings and the session."""

from __future__ import annotations

from pathlib import Path

from coded_videos import code, make_video

from visionllm_interaction.server.results.timelines.code_lanes import code_lanes
from visionllm_interaction.server.results.video_results import timeline_json
from visionllm_interaction.server.schemas.timelines import VideoTimeline
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import write_recording
from visionllm_interaction.store.sessions.chapters import set_session


def test_looks_come_before_speech_by_speaker_and_time_that_was_not_coded_is_unknown() -> None:
    codes = [
        code("speech", "caregiver", "yes", 4, 5, "t.cha"),
        code("speech", "child", "ball", 1, 2, "t.cha"),
        code("gaze", "child", "ball", 3, 4, "tracker"),
        code("coded", "child", "", 2, 8, "tracker"),
        code("coded", "child", "", 0, 0, "tracker"),  # a marker of nothing
    ]
    lanes = code_lanes(codes, duration_s=10.0)
    assert [(lane.kind, lane.participant) for lane in lanes] == [
        ("gaze", "child"),
        ("speech", "caregiver"),
        ("speech", "child"),
    ]
    assert [lane.uncoded for lane in lanes] == [[(0.0, 2.0), (8.0, 10.0)], [], []]
    assert [(item.begin_s, item.end_s, item.label) for item in lanes[0].intervals] == [(3.0, 4.0, "ball")]


def test_a_video_of_which_nothing_was_coded_is_unknown_throughout() -> None:
    codes = [code("code", "", "play", 1, 2), code("coded", "", "", 0, 0)]
    assert code_lanes(codes, duration_s=10.0)[0].uncoded == [(0.0, 10.0)]


def test_the_timeline_has_the_session_and_the_recordings_at_their_offsets(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for video_id in ("a", "b"):
        make_video(store, {"ball": [(1, 2)]}, video_id)
    set_session(store, "S", ["a", "b"], camera="head")
    write_recording(store, "b", Recording("sound.wav", "audio", 25.0, follows="S"))
    with open_store(store) as opened:
        timeline = VideoTimeline.model_validate_json(timeline_json(opened, "b"), strict=True)
    assert [(one.name, one.kind, one.offset_s) for one in timeline.recordings] == [("sound.wav", "audio", 5.0)]
    assert timeline.session is not None
    places = [(one.video_id, one.name, one.camera, one.begin_s, one.end_s) for one in timeline.session.videos]
    assert timeline.session.offset_s == 20.0
    assert places == [("a", "a.mp4", "head", 0.0, 20.0), ("b", "b.mp4", "head", 20.0, 40.0)]
