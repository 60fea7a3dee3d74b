"""Detections as other programs write them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.video.tracking.detections_file import DetectionFile, read_detections

TIMES_S = np.arange(100) / 25
FRAMES = FrameTable.from_times(np.arange(100), TIMES_S, processed=np.ones(100, np.bool_))

CVAT = """<annotations><version>1.1</version>
<track id="0" label="child">
 <box frame="3" outside="0" occluded="0" xtl="10" ytl="20" xbr="40" ybr="60"/>
 <box frame="4" outside="1" occluded="0" xtl="10" ytl="20" xbr="40" ybr="60"/></track></annotations>"""
COCO_BOX = {"bbox": [10, 20, 30, 40], "score": 0.5}
BOX = {"x1": 10.0, "y1": 20.0, "x2": 40.0, "y2": 60.0}
FILES = {
    "coco.json": json.dumps([{"image_id": 3, "category_id": 1, **COCO_BOX}]),
    "dataset.json": json.dumps(
        {
            "categories": [{"id": 1, "name": "person"}],
            "images": [{"id": 17, "frame_index": 3}],
            "annotations": [{"image_id": 17, "category_id": 1, **COCO_BOX}],
        }
    ),
    "results.json": json.dumps([[], [], [], [{"name": "person", "class": 0, "confidence": 0.5, "box": BOX}]]),
    "det.txt": "4,-1,10,20,30,40,0.5,-1,-1,-1\n",
    "gt.txt": "4,2,10,20,30,40,0.5,1,1.0\n5,2,10,20,30,40,0,1,1.0\n",
    "frames.csv": "frame,class_name,score,xmin,ymin,xmax,ymax\n3,person,0.5,10,20,40,60\n",
    "times.csv": "time_s,label,confidence,x,y,width,height\n0.12,person,0.5,10,20,30,40\n",
    "ms.csv": "time_ms;category;conf;x1;y1;x2;y2\n119;person;0.5;10;20;40;60\n",
    "beyond.csv": "frame,label,x1,y1,x2,y2,score\n3,person,0.1,0.2,0.4,0.6,0.5\n",
    "padded.csv": " Frame ; Class Name ; X1 ; Y1 ; X2 ; Y2 ; Conf \n3; person ;10;20;40;60;0.5\n",
    "numbered.csv": "frame,class,name,box.x1,box.y1,box.x2,box.y2,confidence\n3,0,person,10,20,40,60,0.5\n",
    "clock.csv": "frame_id,time_in_extended_iso,label,x1,y1,x2,y2,score\n0,00:00:00.12,person,10,20,40,60,0.5\n",
    "videos.csv": "video,frame,label,x1,y1,x2,y2,score\nb/visit1.mp4,3,person,10,20,40,60,.5\nvisit2,3,cup,1,2,3,4,1\n",
    "shares.json": json.dumps(
        {
            "categories": [{"id": 1, "name": " person\n"}],
            "detections": [{"frame_index": 3, "category_id": 1, "bbox": [0.1, 0.2, 0.3, 0.4], "score": 0.5}],
        }
    ),
    "shares.csv": "frame_index,class,confidence,x1,y1,x2,y2\n3,person,0.5,0.1,0.2,0.4,0.6\n",
}


def read(path: Path) -> DetectionFile:
    return read_detections(path, stored_px=(100, 100), clock=lambda: TIMES_S, video="visit1.mp4")


@pytest.mark.parametrize("name", FILES)
def test_detections_of_other_programs_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(FILES[name])
    found = read(path)
    table = found.table(FRAMES)
    assert table.frame_index.tolist() == [3] and table.category.tolist() == ["person"] and "person" in found.names
    assert table.boxes_xyxy[0].tolist() == pytest.approx([10, 20, 40, 60], abs=1e-4)
    assert table.confidence.tolist() == [0.5]


def test_coco_results_say_that_their_names_were_assumed(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text(FILES["coco.json"])
    assert "COCO" in read(tmp_path / "coco.json").notes[0]


def test_tracks_of_cvat_are_read_while_they_are_in_view(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(CVAT)
    found = read(tmp_path / "a.xml")
    assert found.names == ("child",) and found.table(FRAMES).frame_index.tolist() == [3]


def test_a_folder_of_yolo_text_counts_frames_from_one(tmp_path: Path) -> None:
    (tmp_path / "v_4.txt").write_text("1 0.25 0.4 0.3 0.4 0.5\n")
    (tmp_path / "classes.txt").write_text("child\ncup\n")
    found = read(tmp_path)
    table = found.table(FRAMES)
    assert (table.frame_index.tolist(), table.category.tolist(), found.names) == ([3], ["cup"], ("child", "cup"))
    assert table.boxes_xyxy[0].tolist() == pytest.approx([10, 20, 40, 60], abs=1e-4)


def test_lines_without_a_box_are_frames_in_which_nothing_was_found(tmp_path: Path) -> None:
    lines = [f"{n / 25},{'person,0.9,1,2,30,40' if n == 50 else ',,,,,'}" for n in range(0, 100, 25)]
    (tmp_path / "d.csv").write_text("\n".join(["time,name,score,x1,y1,x2,y2", *lines]))
    found = read(tmp_path / "d.csv")
    assert found.processed == frozenset({0, 25, 50, 75}) and found.is_sampled
    assert found.frame_table(FRAMES).duration_s[50] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.json", json.dumps([{"image_id": 3, "category_id": 12, **COCO_BOX}]), "names no categories"),
        ("b.json", json.dumps({"categories": [], "images": [{"id": 1}], "annotations": []}), "frame_index"),
        ("c.csv", "frame,score,x1,y1,x2,y2\n3,0.5,1,2,3,4\n", "none of categories"),
        ("d.csv", "time,label,score,x1,y1,x2,y2\n9.5,cup,0.5,10,20,30,40\n", "from the nearest frame"),
        ("e.csv", "frame,label,score,x1,y1,x2,y2\n1,cup,155,10,20,30,40\n", "within 0 and 1"),
        ("f.xml", "<annotations><image/></annotations>", "CVAT for video"),
        ("g.txt", "0,-1,10,20,30,40,0.5,-1,-1,-1\n", "line 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str, text: str, found: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputDataError) as caught:
        read(tmp_path / name)
    assert found in str(caught.value.found) and caught.value.where == str(tmp_path / name)


def test_boxes_that_reach_a_little_beyond_the_image_are_shares_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("frame,label,x1,y1,x2,y2,score\n3,cup,0.5,0.2,1.003,0.6,0.5\n")
    assert read(tmp_path / "d.csv").table(FRAMES).boxes_xyxy[0].tolist() == pytest.approx([50, 20, 100.3, 60], abs=1e-3)


def test_frames_that_count_sampled_images_yield_to_the_times(tmp_path: Path) -> None:
    lines = [f"{n},{n},cup,0.9,1,2,30,40" for n in range(4)]
    (tmp_path / "d.csv").write_text("\n".join(["frame,time,name,score,x1,y1,x2,y2", *lines]))
    found = read(tmp_path / "d.csv")
    assert found.table(FRAMES).frame_index.tolist() == [0, 25, 50, 75] and "time was used" in found.notes[0]


def test_times_that_are_none_of_the_video_yield_to_the_frames(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("frame,time,name,score,x1,y1,x2,y2\n3,1719830000,cup,0.9,1,2,30,40\n")
    found = read(tmp_path / "d.csv")
    assert found.table(FRAMES).frame_index.tolist() == [3] and "time was not used" in found.notes[0]


@pytest.mark.parametrize("name", ["d.csv", "d.json"])
def test_frames_up_to_one_past_the_last_are_counted_from_one(tmp_path: Path, name: str) -> None:
    lines = [f"{n},person,0.9,1,2,30,40" for n in range(1, 101)]
    results = [{"image_id": n, "category_id": 1, **COCO_BOX} for n in range(1, 101)]
    text = "\n".join(["frame,name,score,x1,y1,x2,y2", *lines]) if name == "d.csv" else json.dumps(results)
    (tmp_path / name).write_text(text)
    found = read(tmp_path / name)
    assert found.table(FRAMES).frame_index.tolist() == list(range(100)) and "from 1" in found.notes[0]


def test_of_several_videos_only_the_one_that_is_analysed_is_read(tmp_path: Path) -> None:
    for name in ("visit1_4", "visit2_4", "visit2_5"):
        (tmp_path / f"{name}.txt").write_text("0 0.25 0.4 0.3 0.4 0.5\n")
    assert read(tmp_path).table(FRAMES).frame_index.tolist() == [3]
    with pytest.raises(InputDataError, match="none called visit3"):
        read_detections(tmp_path, stored_px=(100, 100), video="visit3.mp4")


def test_tasks_of_a_cvat_project_are_told_apart(tmp_path: Path) -> None:
    task = "<task><id>{0}</id><source>visit{0}.mp4</source></task>"
    track = (
        '<track id="0" label="{1}" task_id="{0}">'
        '<box frame="3" outside="0" occluded="0" xtl="10" ytl="20" xbr="40" ybr="60"/></track>'
    )
    tasks, tracks = task.format(1) + task.format(2), track.format(1, "child") + track.format(2, "cup")
    project = f"<project><tasks>{tasks}</tasks></project>"
    (tmp_path / "a.xml").write_text(f"<annotations><meta>{project}</meta>{tracks}</annotations>")
    assert read(tmp_path / "a.xml").names == ("child",)


def test_frames_outside_a_cvat_job_are_not_processed(tmp_path: Path) -> None:
    job = "<start_frame>2</start_frame><stop_frame>10</stop_frame><frame_filter>step=4</frame_filter>"
    meta = f"<meta><task>{job}</task></meta>"
    (tmp_path / "a.xml").write_text(CVAT.replace("</version>", f"</version>{meta}").replace('frame="3"', 'frame="6"'))
    assert read(tmp_path / "a.xml").processed == frozenset({2, 6, 10})


def test_a_folder_of_yolo_text_with_a_frame_0_counts_from_0(tmp_path: Path) -> None:
    for n in range(0, 100, 25):
        (tmp_path / f"frame_{n:06d}.txt").write_text("0 0.25 0.4 0.3 0.4 0.5\n" if n < 50 else "")
    found = read(tmp_path)
    assert found.table(FRAMES).frame_index.tolist() == [0, 25] and found.processed == frozenset({0, 25, 50, 75})


def test_images_of_another_video_of_a_coco_file_are_left_out(tmp_path: Path) -> None:
    images = [{"id": n, "frame_index": 3, "video_id": n} for n in (1, 2)]
    content = {
        "categories": [{"id": 1, "name": "person"}],
        "videos": [{"id": 1, "name": "visit1"}, {"id": 2, "name": "visit2"}],
        "images": images,
        "annotations": [{"image_id": n, "category_id": 1, **COCO_BOX} for n in (1, 2, 2)],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert len(read(tmp_path / "a.json").table(FRAMES)) == 1


HEADER = "frame,label,x1,y1,x2,y2,score\n"


def test_times_that_several_frames_share_yield_to_the_frames(tmp_path: Path) -> None:
    lines = [f"{i},00:00:{i // 25:02d},child,10,20,40,60,0.9" for i in range(100)]
    (tmp_path / "d.csv").write_text("\n".join(["frame,time,label,x1,y1,x2,y2,score", *lines]))
    found = read(tmp_path / "d.csv")
    assert found.table(FRAMES).frame_index.tolist() == list(range(100))
    assert found.notes == ("several frames have the same time: column frame was used",)


@pytest.mark.parametrize("columns", ["time,", "frame,time,"])
def test_times_that_several_images_share_are_refused_without_frames(tmp_path: Path, columns: str) -> None:
    lines = [f"{f'{i},' if 'frame' in columns else ''}{i // 10},child,10,20,40,60,0.9" for i in range(40)]
    lines = [line.replace("40,60", f"40.{n},60") for n, line in enumerate(lines)]
    (tmp_path / "d.csv").write_text("\n".join([columns + "label,x1,y1,x2,y2,score", *lines]))
    with pytest.raises(InputDataError, match="share"):
        read(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("rows", "video"),
    [
        (["p1/visit1.mp4,3,cup", "p2/visit1.mp4,3,ball"], "/data/p1/visit1.mp4"),
        (["visit1/frame_003.jpg,3,cup", "visit2/frame_003.jpg,3,ball"], "/data/visit1.mp4"),
        (
            ["visit1_3.jpg,3,cup", "visit2_3.jpg,3,ball", "visit1_4.jpg,4,cup", "visit2_4.jpg,4,ball"],
            "/data/visit1.mp4",
        ),
    ],
)
def test_videos_of_one_name_and_images_of_several_videos_are_told_apart(
    tmp_path: Path, rows: list[str], video: str
) -> None:
    lines = [f"{row},10,20,40,60,0.9" for row in rows]
    (tmp_path / "d.csv").write_text("\n".join(["file_name,frame,label,x1,y1,x2,y2,score", *lines]))
    found = read_detections(tmp_path / "d.csv", stored_px=(100, 100), clock=lambda: TIMES_S, video=video)
    assert set(found.table(FRAMES).category) == {"cup"}
    with pytest.raises(InputDataError, match="2 videos"):
        read_detections(tmp_path / "d.csv", stored_px=(100, 100), clock=lambda: TIMES_S, video="/data/other.mp4")


def test_one_video_may_be_named_with_and_without_its_folder(tmp_path: Path) -> None:
    lines = [f"{'/data/' if i % 2 else ''}visit1.mp4,{i},cup,10,20,40,60,0.9" for i in range(4)]
    (tmp_path / "d.csv").write_text("\n".join(["video,frame,label,x1,y1,x2,y2,score", *lines]))
    assert len(read(tmp_path / "d.csv").table(FRAMES)) == 4


def test_frames_of_one_second_may_have_one_time(tmp_path: Path) -> None:
    lines = [f"{i},0,cup,10,20,40,60,0.9" for i in range(20)]
    (tmp_path / "d.csv").write_text("\n".join(["frame,time,label,x1,y1,x2,y2,score", *lines]))
    assert read(tmp_path / "d.csv").table(FRAMES).frame_index.tolist() == list(range(20))


def test_images_of_one_video_may_lie_in_several_folders(tmp_path: Path) -> None:
    lines = [f"part{i // 2}/frame_{i}.jpg,{i},cup,10,20,40,60,0.9" for i in range(4)]
    (tmp_path / "d.csv").write_text("\n".join(["file_name,frame,label,x1,y1,x2,y2,score", *lines]))
    assert read(tmp_path / "d.csv").table(FRAMES).frame_index.tolist() == [0, 1, 2, 3]


def test_a_file_about_a_video_of_another_name_says_so(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("video," + HEADER + "holiday.mp4,3,cup,10,20,40,60,0.9\n")
    assert "holiday" in read(tmp_path / "d.csv").notes[0]


def test_tracks_at_the_end_of_yolo_text_are_no_confidences(tmp_path: Path) -> None:
    (tmp_path / "v_4.txt").write_text("0 0.25 0.4 0.3 0.4 1\n0 0.75 0.4 0.3 0.4 2\n")
    assert read(tmp_path).table(FRAMES).confidence.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("line", ["0 0.1 0.2 0.3 0.2 0.3 0.8 0.1 0.8", "0 0.2 0.5 0.2 0.6" + " 0.2 0.3 0.9" * 17])
def test_outlines_and_key_points_of_yolo_are_not_taken_for_boxes(tmp_path: Path, line: str) -> None:
    (tmp_path / "v_4.txt").write_text(line)
    with pytest.raises(InputDataError, match="outline or key points"):
        read(tmp_path)


def test_turned_boxes_of_ultralytics_have_all_their_corners(tmp_path: Path) -> None:
    box = {"x1": 10, "y1": 20, "x2": 40, "y2": 20, "x3": 40, "y3": 60, "x4": 10, "y4": 60}
    (tmp_path / "r.json").write_text(json.dumps([[{"name": "cup", "class": 0, "confidence": 0.5, "box": box}]]))
    assert read(tmp_path / "r.json").table(FRAMES).boxes_xyxy.tolist() == [[10, 20, 40, 60]]


def test_what_is_in_a_file_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(HEADER + "3,cup,10,20,40,60,0.9\n" * 2)
    found = read(tmp_path / "d.csv")
    assert len(found.table(FRAMES)) == 1
    assert "more than once" in found.notes[0]


def test_boxes_of_a_larger_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(HEADER + "3,cup,210,20,240,60,0.9\n")
    with pytest.raises(InputDataError, match="outside of the image of 100 x 100 pixels"):
        read(tmp_path / "d.csv")


def test_people_have_one_name_whatever_its_case(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(HEADER + "3,Child,10,20,40,60,0.9\n4,CUP,10,20,40,60,0.9\n")
    found = read(tmp_path / "d.csv")
    assert set(found.names) == {"child", "CUP"}
    assert found.table(FRAMES).category.tolist() == ["child", "CUP"]


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "3,cup,10,20,40,60,50\n",
        HEADER + "3,cup,10,20,40,60,50%\n",
        HEADER + "3,cup,10,20,40,60,0.5\n4,NA,NA,NA,NA,NA,NA\n",
        HEADER + "3,cup,10,20,40,60,0.5\n4,,nan,nan,nan,nan,nan\n",
        HEADER.replace(",", ";") + "3;cup;10,0;20,0;40,0;60,0;0,5\n",
        "frame,label,x_center,y_center,width,height,score\n3,cup,25,40,30,40,0.5\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_of_spreadsheets_and_of_r_are_read(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "d.csv").write_text(text, encoding=encoding)
    table = read(tmp_path / "d.csv").table(FRAMES)
    assert (table.frame_index.tolist(), table.confidence.tolist()) == ([3], [0.5])
    assert table.boxes_xyxy.tolist() == [[10, 20, 40, 60]]


def test_results_of_trackers_without_confidences_are_sure(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("4,1,10,20,30,40,-1,-1,-1,-1\n")
    assert read(tmp_path / "out.txt").table(FRAMES).confidence.tolist() == [1.0]


def test_names_of_images_in_coco_results_end_in_the_frame(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": "frame_000003", "category_id": 1, **COCO_BOX}]))
    assert read(tmp_path / "r.json").table(FRAMES).frame_index.tolist() == [3]


def _csv(folder: Path, header: str, lines: list[str]) -> Path:
    file = folder / "d.csv"
    file.write_text("\n".join([header, *lines]))
    return file


@pytest.mark.parametrize("step", [25, 2])
def test_times_that_images_of_two_people_share_are_refused(tmp_path: Path, step: int) -> None:
    lines = [f"{i // step * step / 25},person,{x + i % 7}.5,20,{x + 30},60,0.9" for i in range(100) for x in (5, 60)]
    with pytest.raises(InputDataError, match="rounded"):
        read(_csv(tmp_path, "time_s,label,x1,y1,x2,y2,score", lines))


def test_times_of_each_frame_may_have_boxes_upon_each_other(tmp_path: Path) -> None:
    lines = [f"{i / 25},person,{x},20,40,60,0.9" for i in range(100) for x in (10, 11)]
    assert len(read(_csv(tmp_path, "time_s,label,x1,y1,x2,y2,score", lines)).table(FRAMES)) == 200


@pytest.mark.parametrize(
    "lines",
    [["3\tcup\t10\t20\t40\t60", "1,000\tcup\t10\t20\t40\t60"], ["3\tcup\t10\t20\t40\t60", "4\tcup\t10\t20\t1,250\t60"]],
)
def test_commas_that_may_be_those_of_thousands_are_refused(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(InputDataError, match="thousands"):
        read(_csv(tmp_path, "frame\tlabel\tx1\ty1\tx2\ty2", lines))


def test_a_number_of_a_frame_is_whole(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="no number of a frame"):
        read(_csv(tmp_path, "frame,label,x1,y1,x2,y2", ["12.7,cup,10,20,40,60"]))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("Confidence (%)", ("35", "0.9"), (0.35, 0.009)),
        ("confidence_pct", ("35", "90"), (0.35, 0.9)),
        ("det_conf", ("0.35", "0.9"), (0.35, 0.9)),
        ("score", ("0.9", "80%"), (0.9, 0.8)),
        ("score", ("0.9", "95"), None),
    ],
)
def test_confidences_are_shares_or_percentages(
    tmp_path: Path, name: str, given: tuple[str, str], expected: tuple[float, float] | None
) -> None:
    file = _csv(
        tmp_path, f"frame,label,x1,y1,x2,y2,{name}", [f"{n},cup,10,20,40,60,{one}" for n, one in enumerate(given)]
    )
    if expected is None:
        with pytest.raises(InputDataError, match="not within 0 and 1"):
            read(file)
    else:
        assert read(file).table(FRAMES).confidence.tolist() == pytest.approx(expected)


def test_a_column_that_may_be_of_confidences_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    found = read(_csv(tmp_path, "frame,label,x1,y1,x2,y2,my_score_a", ["3,cup,10,20,40,60,0.2"]))
    assert found.notes == ("column my_score_a was not read: all confidences are 1",)


def test_blank_lines_of_a_spreadsheet_say_nothing(tmp_path: Path) -> None:
    found = read(_csv(tmp_path, "frame,label,x1,y1,x2,y2,score", ["3,cup,10,20,40,60,0.9", ",,,,,,"]))
    assert found.table(FRAMES).frame_index.tolist() == [3]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["anna_0.jpg", "ben_1.jpg", "anna_2.jpg", "ben_3.jpg"], "2 videos"),
        (["S01.pre", "S01.post", "S01.pre", "S01.post"], "2 videos"),
        (["visit1", "a/visit1", "b/visit1", "visit1"], "several videos"),
    ],
)
def test_videos_are_not_mixed_up(tmp_path: Path, names: list[str], match: str) -> None:
    file = _csv(
        tmp_path, "file_name,frame,label,x1,y1,x2,y2", [f"{one},{n},cup,10,20,40,60" for n, one in enumerate(names)]
    )
    video = "/x/a/visit1.mp4" if "visit1" in names else "/d/clip.mp4"
    with pytest.raises(InputDataError, match=match):
        read_detections(file, stored_px=(100, 100), clock=lambda: TIMES_S, video=video)


def test_a_dot_in_a_name_is_no_ending(tmp_path: Path) -> None:
    file = _csv(
        tmp_path, "video,frame,label,x1,y1,x2,y2", ["S01.pre,3,cup,10,20,40,60", "S01.post.mp4,4,cup,10,20,40,60"]
    )
    found = read_detections(file, stored_px=(100, 100), clock=lambda: TIMES_S, video="/d/S01.pre.mp4")
    assert found.table(FRAMES).frame_index.tolist() == [3]


def test_thousands_of_names_take_no_time(tmp_path: Path) -> None:
    names = [f"films/family{n}/visit1.mp4" for n in range(20_000)]
    file = _csv(tmp_path, "video,frame,label,x1,y1,x2,y2", [f"{one},3,cup,10,20,40,60" for one in names])
    begin = time.process_time()
    found = read_detections(file, stored_px=(100, 100), clock=lambda: TIMES_S, video=f"/d/{names[7]}")
    assert len(found.table(FRAMES)) == 1 and time.process_time() - begin < 20


def test_objects_that_a_mot_ground_truth_leaves_out_may_be_of_any_class(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("4,2,10,20,30,40,1,1,1.0\n5,60,10,20,30,40,0,11,1\n")
    assert read(tmp_path / "gt.txt").table(FRAMES).frame_index.tolist() == [3]


def test_the_first_class_has_no_mark_of_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "classes.txt").write_text("child\nadult", encoding="utf-8-sig")
    (folder / "v_4.txt").write_text("0 0.5 0.5 0.2 0.2 0.9\n")
    assert set(read(folder).table(FRAMES).category) == {"child"}
