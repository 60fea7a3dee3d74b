"""Detections of trackers and other programs whose frames, videos or confidences can be mistaken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.video.tracking.detections_file import DetectionFile, read_detections

FRAMES = [0, 1, 2, 10, 24, 25, 26, 60]
HEAD = "frame,time,label,score,x1,y1,x2,y2"
TRACKS = (1, 2)
PERSON = {"category_id": 1, "score": 0.5}


def read(
    path: Path, text: str | None = None, *, fps: float = 25.0, n: int = 100
) -> tuple[DetectionFile, DetectionTable]:
    """A file of a video called ``visit1.mp4`` of 640 × 480 pixels; ``text`` is written to it first."""
    if text is not None:
        path.write_text(text)
    times_s = np.arange(n) / fps
    found = read_detections(path, stored_px=(640, 480), clock=lambda: times_s, video="/data/visit1.mp4")
    return found, found.table(FrameTable.from_times(np.arange(n), times_s, processed=np.ones(n, np.bool_)))


def mot(separator: str, *, sure: str = "0.5", tail: Sequence[str] = ("-1", "-1", "-1"), end: str = "") -> str:
    """Two people in each of ``FRAMES``, the first at x = 100, the second at x = 300."""
    lines = [[str(f + 1), str(t), f"{200 * t - 100}", "50", "80.5", "200", sure, *tail] for f in FRAMES for t in TRACKS]
    return "".join(separator.join(line) + end + "\n" for line in lines)


@pytest.mark.parametrize(
    ("separator", "end"), [(" ", ""), (" ", " "), ("   ", ""), ("\t", ""), (", ", ""), (";", ""), (",", ",")]
)
def test_numbers_of_mot_may_be_separated_by_anything(tmp_path: Path, separator: str, end: str) -> None:
    _, table = read(tmp_path / "track.txt", mot(separator, end=end))
    assert table.frame_index.tolist() == sorted(FRAMES * 2) and set(table.confidence) == {0.5}
    assert table.boxes_xyxy[1].tolist() == [300, 50, 380.5, 250]


def test_semicolons_of_mot_leave_commas_to_the_numbers(tmp_path: Path) -> None:
    _, table = read(tmp_path / "track.txt", mot(";").replace(".", ","))
    assert table.boxes_xyxy[0].tolist() == [100, 50, 180.5, 250] and table.confidence[0] == 0.5


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (mot(",", sure="35.2"), "line 1: 35.2 is a score"),
        (mot(",", sure="-0.3"), "line 1: -0.3 is a score"),
        (mot(",") + mot(",", sure="-1"), "line 17 states no confidence"),
        (mot(",") + "90,1,10,20,30,40\n", "line 17 states no confidence"),
        (mot(" ", sure="0", tail=("0", "-1")), "rounded to whole numbers"),
        (mot(",", tail=("2", "-1")), "class 2; name the classes in labels.txt"),
        (mot(",", sure="-1", tail=("2", "-1")), "class 2; name the classes in labels.txt"),
        ("1.5,1,10,20,30,40,0.5,-1,-1,-1\n", "whole numbers"),
        ("1 0.2 0.4 0.3 0.4 0.5\n", "whole numbers"),
        (mot(",") + "90,1,10,20\n", "line 17 has 4 numbers"),
    ],
)
def test_scores_and_classes_of_mot_are_not_guessed(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputDataError, match=match):
        read(tmp_path / "track.txt", text)


def test_a_list_of_labels_names_the_classes_of_a_tracker(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("person\ncup\n")
    _, table = read(tmp_path / "track.txt", mot(",", tail=("2", "-1")))
    assert set(table.category) == {"cup"}


@pytest.mark.parametrize("fps", [2.0, 5.0, 25.0, 29.97])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("printed", ["{:.0f}", "00:{:02.0f}", "{:.1f}"])
@pytest.mark.parametrize("rounded", [False, True])
def test_printed_times_tell_whether_frames_are_counted_from_one(
    tmp_path: Path, fps: float, first: int, printed: str, rounded: bool
) -> None:
    unit = 0.1 if ".1f" in printed else 1.0
    n = int(10 * fps)
    frames = [f for f in range(n - 3) if f % 7 != 3]
    times = [(np.rint if rounded else np.floor)(round(f / fps / unit, 6)) * unit for f in frames]
    lines = [
        f"{f + first},{printed.format(t)},person,0.5,{x},20,{x + 50},90"
        for f, t in zip(frames, times, strict=True)
        for x in (5, 99)
    ]
    found, table = read(tmp_path / "d.csv", "\n".join([HEAD, *lines]), fps=fps, n=n)
    assert sorted(set(table.frame_index.tolist())) == frames
    assert not fps * unit > 1 or ("column frame counts frames from 1" in found.notes) == bool(first)


def test_frames_between_whole_seconds_are_not_moved_to_them(tmp_path: Path) -> None:
    lines = [f"{f},{f // 25},person,0.5,5,20,50,90" for f in range(12, 100, 25)]
    _, table = read(tmp_path / "d.csv", "\n".join([HEAD, *lines]))
    assert table.frame_index.tolist() == [12, 37, 62, 87]


@pytest.mark.parametrize("fps", [25.0, 29.97])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("begin", [0, 1])
def test_whole_seconds_may_be_exact(tmp_path: Path, fps: float, first: int, begin: int) -> None:
    frames = [round(s * fps) for s in range(begin, 4)]
    lines = [f"{f + first},{s},person,0.5,5,20,50,90" for s, f in enumerate(frames, start=begin)]
    found, table = read(tmp_path / "d.csv", "\n".join([HEAD, *lines]), fps=fps, n=120)
    assert table.frame_index.tolist() == frames
    assert found.notes == (("column frame counts frames from 1",) if first else ())


def test_frames_from_one_beside_times_of_day_are_counted_from_one(tmp_path: Path) -> None:
    lines = [f"{f + 1},{1719830000 + f / 25},person,0.5,5,20,50,90" for f in range(100)]
    found, table = read(tmp_path / "d.csv", "\n".join([HEAD, *lines]))
    assert table.frame_index.tolist() == list(range(100)) and "was not used" in found.notes[0]


def test_one_image_a_second_may_have_two_people(tmp_path: Path) -> None:
    lines = [f"00:00:{s:02d},person,0.5,{x},20,{x + 50},90" for s in range(20) for x in (5, 99)]
    found, table = read(tmp_path / "d.csv", "\n".join([HEAD.removeprefix("frame,"), *lines]), fps=30, n=600)
    assert table.frame_index.tolist() == [30 * s for s in range(20) for _ in TRACKS] and found.is_sampled


@pytest.mark.parametrize("column", ["superseded_gcp_name_feb25", "Video Path", "session", "clip_name"])
def test_columns_that_name_the_video_have_many_names(tmp_path: Path, column: str) -> None:
    lines = [f"visit{v},{f},,person,0.5,{9 * v},20,50,90" for v in (1, 2) for f in FRAMES]
    _, table = read(tmp_path / "d.csv", "\n".join([f"{column},{HEAD.replace('time', 'note')}", *lines]))
    assert len(table) == len(FRAMES) and set(table.boxes_xyxy[:, 0]) == {9.0}


def detection(frame: int, x: float, **more: Any) -> dict[str, Any]:
    return {**PERSON, "image_id": frame, "bbox": [x, 20, 50, 70], **more}


def two_videos(**keys: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Results of two videos, that of the first at x = 10; ``keys`` gives what each says of its own."""
    return [detection(f, 10.0 + 90 * v, **{k: pair[v] for k, pair in keys.items()}) for v in (0, 1) for f in FRAMES]


@pytest.mark.parametrize("key", ["video", "video_name", "video_id", "file_name"])
@pytest.mark.parametrize("form", ["results", "detections"])
def test_detections_that_name_their_video_are_told_apart(tmp_path: Path, key: str, form: str) -> None:
    items: Any = two_videos(**{key: ("a/visit1.mp4", "a/visit2.mp4")})
    if form == "detections":
        items = {"categories": [{"id": 1, "name": "person"}], "detections": items}
    _, table = read(tmp_path / "r.json", json.dumps(items))
    assert table.frame_index.tolist() == FRAMES and set(table.boxes_xyxy[:, 0]) == {10.0}


def test_numbers_of_images_may_go_on_over_two_videos(tmp_path: Path) -> None:
    names = [f"visit{v}/{f:06d}.jpg" for v in (1, 2) for f in FRAMES]
    items = [detection(n, 10.0 + 90 * (n >= len(FRAMES)), file_name=name) for n, name in enumerate(names)]
    _, table = read(tmp_path / "r.json", json.dumps(items))
    assert table.frame_index.tolist() == FRAMES and set(table.boxes_xyxy[:, 0]) == {10.0}


def test_results_of_numbered_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"2 videos \(1, 2\)"):
        read(tmp_path / "r.json", json.dumps(two_videos(video_id=(1, 2))))


@pytest.mark.parametrize("name", ["r.json", "r.csv", "det.txt"])
def test_frames_that_begin_again_are_of_another_video(tmp_path: Path, name: str) -> None:
    rows = [(f, x) for x in (10, 100) for f in range(0, 60, 4)]
    text = {
        "r.json": json.dumps([detection(f, x) for f, x in rows]),
        "r.csv": "\n".join(["frame,label,score,x1,y1,x2,y2", *(f"{f},person,0.5,{x},20,150,90" for f, x in rows)]),
        "det.txt": "\n".join(f"{f + 1},-1,{x},20,50,70,0.5,-1,-1,-1" for f, x in rows),
    }[name]
    with pytest.raises(InputDataError, match="begin again at detection 16"):
        read(tmp_path / name, text)


@pytest.mark.parametrize(
    "rows",
    [
        [(f, x, n, "person") for n, x in enumerate((10, 100)) for f in range(0, 60, 4)],  # by track
        [(f, 10, 0, kind) for kind in ("person", "cup") for f in range(0, 60, 4)],  # by category
        [(f, 10, 0, "person") for f in sorted(range(60), key=str)],  # by the texts of the numbers
    ],
)
def test_rows_may_be_in_any_order(tmp_path: Path, rows: list[tuple[int, int, int, str]]) -> None:
    head = "frame,track_id,label,score,x1,y1,x2,y2" if rows[-1][2] else "frame,note,label,score,x1,y1,x2,y2"
    lines = [f"{f},{track},{kind},0.5,{x},20,150,90" for f, x, track, kind in rows]
    assert len(read(tmp_path / "r.csv", "\n".join([head, *lines]))[1]) == len(rows)


def dataset(*, key: str, own_frames: bool, frame_key: str = "frame_index") -> dict[str, Any]:
    """Two videos of one COCO file, whose images have ids of their own."""
    images = [
        {"id": 100 * v + f, "video_id": v, frame_key: f, "file_name": f"{f:06d}.jpg"} for v in (1, 2) for f in FRAMES
    ]
    items = [
        {**detection(100 * v + f, 10.0 * v), "id": 100 * v + f, **({"frame_index": f} if own_frames else {})}
        for v in (1, 2)
        for f in FRAMES
    ]
    videos = [{"id": v, "name": f"visit{v}"} for v in (1, 2)]
    return {"videos": videos, "images": images, "categories": [{"id": 1, "name": "person"}], key: items}


@pytest.mark.parametrize("key", ["annotations", "detections"])
@pytest.mark.parametrize("own_frames", [False, True])
@pytest.mark.parametrize("frame_key", ["frame_index", "frame_id"])
def test_a_frame_beside_an_image_is_of_the_images_video(
    tmp_path: Path, key: str, own_frames: bool, frame_key: str
) -> None:
    content = dataset(key=key, own_frames=own_frames, frame_key=frame_key)
    found, table = read(tmp_path / "r.json", json.dumps(content))
    assert table.frame_index.tolist() == FRAMES and set(table.boxes_xyxy[:, 0]) == {10.0}
    assert found.processed == frozenset(FRAMES)


@pytest.mark.parametrize(("frame", "match"), [(4, "frame_index 4, and its image 1 has 3"), (3.5, "3.5")])
def test_a_detection_and_its_image_have_one_whole_frame(tmp_path: Path, frame: float, match: str) -> None:
    item = {**detection(1, 10), "frame_index": frame}
    content = {"images": [{"id": 1, "frame_index": 3}], "categories": [{"id": 1, "name": "person"}]}
    with pytest.raises(InputDataError, match=match):
        read(tmp_path / "r.json", json.dumps({**content, "detections": [item]}))


RESULT = {"name": "person", "class": 0, "confidence": 0.5, "box": {"x1": 10.0, "y1": 20.0, "x2": 60.0, "y2": 90.0}}
RESULTS = [[RESULT] if f in FRAMES else [] for f in range(100)]
RECORD = {
    "class_name": "person",
    "confidence": 0.5,
    "x_min": "10",
    "y_min": 20,
    "x_max": 60,
    "y_max": 90.0,
    "class_id": 0,
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RESULTS),
        json.dumps([json.dumps(result) for result in RESULTS]),
        "\n".join(json.dumps(result) for result in RESULTS),
        json.dumps([{**RECORD, "frame_index": f} for f in FRAMES]),
        json.dumps([{**RECORD, "frame_index": f, "video": v} for v in ("visit1.mp4", "b.mp4") for f in FRAMES]),
    ],
)
def test_json_of_results_and_of_tables_is_read(tmp_path: Path, text: str) -> None:
    _, table = read(tmp_path / "r.json", text)
    assert table.frame_index.tolist() == FRAMES and table.boxes_xyxy[0].tolist() == [10, 20, 60, 90]


def test_fewer_results_than_frames_are_of_nobody_knows_which(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="60 results one after another for 1800 frames"):
        read(tmp_path / "r.json", json.dumps([[RESULT]] * 60), n=1800)
    for f in range(60):
        (tmp_path / f"visit1_{f + 1}.txt").write_text("0 0.5 0.5 0.2 0.3 0.9\n" if f % 2 else "")
    (tmp_path / "r.json").unlink()
    with pytest.raises(InputDataError, match="every 30th"):
        read(tmp_path, n=1800)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["3,,person,0.5,10,20,,"], "four numbers, or none"),
        (["3,,,0.5,10,20,30,40"], "no category"),
        (["3,,person,0.5,100,50,200,300", "4,,person,0.5,0.2,0.1,0.3,0.6"], "in shares of the image, and the others"),
    ],
)
def test_half_of_a_detection_is_refused(tmp_path: Path, lines: list[str], match: str) -> None:
    with pytest.raises(InputDataError, match=match):
        read(tmp_path / "d.csv", "\n".join([HEAD.replace("time", "note"), *lines, "9,,person,0.5,10,20,130,140"]))


def test_a_track_of_cvat_is_in_view_between_its_keyframes(tmp_path: Path) -> None:
    box = '<box frame="{}" outside="{}" occluded="0" keyframe="1" xtl="{}" ytl="0" xbr="{}" ybr="50"/>'
    places = ((0, 0, 0, 100), (10, 0, 100, 200), (15, 1, 100, 200), (30, 0, 0, 100))
    track = f'<track id="0" label="person">{"".join(box.format(*place) for place in places)}</track>'
    _, table = read(tmp_path / "a.xml", f"<annotations><version>1.1</version>{track}</annotations>")
    assert table.frame_index.tolist() == [*range(15), 30]
    assert table.boxes_xyxy[:, 0].tolist() == [*range(0, 101, 10), 100, 100, 100, 100, 0]
    shown = "<start_frame>0</start_frame><stop_frame>40</stop_frame><frame_filter>step=5</frame_filter>"
    task = f"<meta><task>{shown}</task></meta>"
    _, table = read(tmp_path / "a.xml", f"<annotations><version>1.1</version>{task}{track}</annotations>")
    assert table.frame_index.tolist() == [0, 5, 10, 30]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"version": 1.3, "people": []}, "OpenPose"),
        ({"VideoMetadata": {}, "Labels": []}, "Rekognition"),
        ({"annotation_results": []}, "Video Intelligence"),
        ({"labels": [0], "scores": [0.5], "bboxes": [[1, 2, 3, 4]]}, "MMDetection"),
        ([{"image_id": "0.jpg", "category_id": 1, "keypoints": [], "score": 2.9, "box": [1, 2, 3, 4]}], "AlphaPose"),
        ([{"frame": 1, "label": "person", "bbox": [1, 2, 3, 4]}], "frame, label, bbox"),
    ],
)
def test_files_that_are_known_and_not_read_are_named(tmp_path: Path, content: Any, match: str) -> None:
    with pytest.raises(InputDataError, match=match):
        read(tmp_path / "r.json", json.dumps(content))
