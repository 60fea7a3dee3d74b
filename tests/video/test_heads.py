"""Heads: angles from five points, files of them, and real faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video_files import write_video

from visionllm_interaction.core.frame_table import OK, UNCHANGED, FrameTable
from visionllm_interaction.detection.runtimes.centerface import decode_maps, load_centerface
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.video.anonymization.blur import blur_video
from visionllm_interaction.video.head_yaw.csv_file import heads_file, load_heads, look_like_radians
from visionllm_interaction.video.head_yaw.estimation import NOSE_DEPTH, WrittenHeads, write_heads, yaw_deg

FRAMES = FrameTable.from_times(
    np.arange(3), np.arange(3) / 25, processed=np.array([True, False, True]), quality=(OK, UNCHANGED, OK)
)


def points(yaw: float, roll: float, *, size: float = 40.0) -> np.ndarray:
    """Eyes, nose and mouth of a head, turned about its neck and leaning, as a distant camera sees it: (5, 2)."""
    head = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.5, NOSE_DEPTH], [-0.4, 1, 0.2], [0.4, 1, 0.2]]) * size
    turn, lean = np.radians([yaw, roll])
    x = head[:, 0] * np.cos(turn) + head[:, 2] * np.sin(turn)
    seen = np.stack([x, head[:, 1]], axis=1)
    return seen @ np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]]) + 200


@pytest.mark.parametrize("yaw", [-75.0, -30.0, 0.0, 10.0, 60.0])
@pytest.mark.parametrize("roll", [-35.0, 0.0, 35.0])
@pytest.mark.parametrize("size", [8.0, 80.0])
def test_the_angle_of_a_head_is_found_however_it_leans(yaw: float, roll: float, size: float) -> None:
    [upright] = yaw_deg(points(yaw, 0.0, size=size)[None])
    assert upright == pytest.approx(yaw, abs=1e-6)
    [leaning] = yaw_deg(points(yaw, roll, size=size)[None])
    # the nose is below the eyes, so that only its part along their line counts
    assert leaning == pytest.approx(yaw, abs=1e-6)


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("yaw_deg,pitch_deg,frame_index,y,x\n-20,3,2,50,100\n5,1,0,40,90\n7,1,1,40,90\n")
    heads = load_heads(path, FRAMES)
    # by frame, and without the one that was passed over
    assert heads.frame_index.tolist() == [0, 2]
    assert heads.points_xy.tolist() == [[90, 40], [100, 50]]
    assert heads.yaw_deg.tolist() == [5, -20]


def test_heads_of_spreadsheets_are_read(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("Frame_Index; X;Y;Yaw_deg\n0;90;40;5,5\n", encoding="utf-16")
    heads = load_heads(path, FRAMES)
    assert (heads.points_xy.tolist(), heads.yaw_deg.tolist()) == ([[90, 40]], [5.5])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("frame_index,x,y\n0,1,1\n", "no column yaw_deg"),
        ("", "no column frame_index, x, y, yaw_deg"),
        ("frame_index,x,y,yaw_deg\n0,1,1,1\n3,1,1,1\n", "line 3: frame 3"),
        ("frame_index,x,y,yaw_deg\n0,1,1,left\n", "line 2: could not convert"),
        ("frame_index,x,y,yaw_deg\n0,nan,1,1\n", "line 2: nan"),
        ("frame_index,x,y,yaw_deg\n0,1,1,400\n", "line 2: 1.0, 1.0, 400.0"),
        ("frame_index,x,y,yaw_deg\n0,1\n", "line 2"),
    ],
)
def test_bad_files_are_refused_with_the_line(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text)
    with pytest.raises(InputDataError) as caught:
        load_heads(path, FRAMES)
    assert caught.value.exit_code == 3
    assert found in str(caught.value.found)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(("factor", "found"), [(1.0, False), (np.pi / 180, True), (0.001, False)])
def test_angles_that_look_like_radians_are_told(tmp_path: Path, factor: float, found: bool) -> None:
    path, times = tmp_path / "a.csv", np.arange(20) / 25
    frames = FrameTable.from_times(np.arange(20), times, processed=np.ones(20, np.bool_))
    lines = [f"{index},10,20,{factor * (index - 5) * 6}" for index in range(20)]
    path.write_text("\n".join(["frame_index,x,y,yaw_deg", *lines]))
    assert look_like_radians(load_heads(path, frames)) == found


def test_a_folder_has_one_file_for_each_video(tmp_path: Path) -> None:
    (tmp_path / "visit1.heads.csv").touch()
    assert heads_file(tmp_path, Path("films/visit1.mp4")) == tmp_path / "visit1.heads.csv"
    assert heads_file(tmp_path, Path("films/visit2.mp4")) is None
    assert heads_file(tmp_path / "any.csv", Path("films/visit2.mp4")) == tmp_path / "any.csv"


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", times_ms=[0, 40])
    out = tmp_path / "h.csv"
    out.write_text("mine")
    with pytest.raises(UsageError):
        write_heads(video, out, finder=None)  # type: ignore[arg-type]  # not asked
    assert out.read_text() == "mine"


def test_real_heads_are_turned_as_one_sees(shared_data: Path, tmp_path: Path) -> None:
    # Looked at: the woman, on the left, is turned to the image's left all the time; the man leans and looks ahead.
    finder = load_centerface(shared_data.parent / "models" / "centerface.onnx")
    video = shared_data / "videos" / "head-pose-face-detection-female-and-male.gif"
    result = write_heads(video, tmp_path / "h.csv", finder=finder)
    assert result == WrittenHeads(tmp_path / "h.csv", frames=56, heads=112)
    every = FrameTable.from_times(np.arange(56), np.arange(56) / 12, processed=np.ones(56, bool))
    heads = load_heads(tmp_path / "h.csv", every)
    left = heads.points_xy[:, 0] < 240
    assert left.sum() == 56
    assert heads.yaw_deg[left].max() < -10
    assert np.median(heads.yaw_deg[left]) == pytest.approx(-25, abs=8)
    assert np.abs(heads.yaw_deg[~left]).max() < 15


def test_a_frame_without_a_face_has_no_faces_and_is_no_error() -> None:
    empty = (np.zeros((channels, 8, 8), np.float32) for channels in (1, 2, 2, 10))
    boxes, scores, points = decode_maps(*empty, min_confidence=0.5)
    assert boxes.shape == (0, 4) and scores.shape == (0,) and points.shape == (0, 5, 2)
    assert yaw_deg(points).shape == (0,)


def test_twenty_frames_of_nothing_have_no_heads_and_a_copy_without_blur(shared_data: Path, tmp_path: Path) -> None:
    finder = load_centerface(shared_data.parent / "models" / "centerface.onnx")
    video = write_video(tmp_path / "v.mp4", times_ms=[40 * n for n in range(20)])
    assert write_heads(video, tmp_path / "h.csv", finder=finder).heads == 0
    report = blur_video(video, tmp_path / "b.mp4", detector=finder)
    assert (report.frames, report.frames_blurred, report.proof.status) == (20, 0, "PASS")
