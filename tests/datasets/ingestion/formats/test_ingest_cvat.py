"""CVAT's exports: which image a frame of which task is, sizes from the images, masks, and what a bad record costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exported_data import annotations, image, left_out, linked, names, objects, splits, take_in, write

from visionllm_interaction.errors import AnnotationError

LABELS = "<labels><label><name>child</name></label><label><name>ball</name></label></labels>"


def task(number: int, name: str, count: int, *, video: bool = True, subset: str = "train", step: int = 1) -> str:
    """A task as CVAT describes it; the frames of a video start at 0 and are ``step`` apart."""
    original = "<original_size><width>200</width><height>100</height></original_size>" if video else ""
    source = f"<source>{name}.mp4</source>" if video else ""
    return (
        f"<task><id>{number}</id><name>{name}</name><size>{count}</size><mode>interpolation</mode>"
        f"<start_frame>0</start_frame><stop_frame>{(count - 1) * step}</stop_frame>"
        f"<frame_filter>{f'step={step}' if step > 1 else ''}</frame_filter><subset>{subset}</subset>"
        f"{source}{original}{LABELS}</task>"
    )


def track(number: int, label: str, frames: list[int], *, of: int | None = None) -> str:
    """A track whose box starts 10 px further right for each frame."""
    boxes = "".join(
        f'<box frame="{f}" outside="{int(f not in frames)}" keyframe="1" xtl="{10 * f}" ytl="20" xbr="{10 * f + 30}"'
        ' ybr="60"/>'
        for f in sorted({*frames, *(f + 1 for f in frames[:-1])})
    )
    return f'<track id="{number}" label="{label}"' + (f' task_id="{of}"' if of else "") + f">{boxes}</track>"


def export(root: Path, meta: str, content: str) -> Path:
    write(root / "annotations.xml", f"<annotations><version>1.1</version><meta>{meta}</meta>{content}</annotations>")
    return root


SERIES = {
    "CVAT's own names": ("frame_{:06d}.PNG", 0, True),
    "frames extracted by another tool, from 1": ("frame_{:04d}.jpg", 1, True),
    "the same with CVAT's name": ("frame_{:06d}.jpg", 1, True),
    "a task of images that are numbered from 1": ("{:04d}.jpg", 1, False),
    "a task of images numbered by a camera": ("DSC{:04d}.jpg", 4711, False),
}


@pytest.mark.parametrize(("pattern", "first", "video"), SERIES.values(), ids=SERIES)
def test_frame_n_is_the_nth_image(tmp_path: Path, pattern: str, first: int, *, video: bool) -> None:
    for n in range(8):
        image(tmp_path / "d/images" / pattern.format(first + n))
    manifest = take_in(export(tmp_path / "d", task(7, "visit", 8, video=video), track(0, "child", [2, 3, 7])))
    expected = [(pattern.format(first + f), "child", (10.0 * f, 20.0, 30.0, 40.0)) for f in (2, 3, 7)]
    assert objects(manifest) == sorted(expected)
    assert {(i["width"], i["height"]) for i in splits(manifest)["train"]["images"]} == {(200, 100)}


def shape(frame: int, coordinates: str, *, kind: str = "box", outside: int = 0) -> str:
    return f'<{kind} frame="{frame}" outside="{outside}" keyframe="1" {coordinates}/>'


def test_between_keyframes_the_object_is_in_view(tmp_path: Path) -> None:
    for f in range(8):
        image(tmp_path / f"d/frame_{f:06d}.PNG")
    boxes = (
        shape(0, 'xtl="0" ytl="20" xbr="30" ybr="60"')
        + shape(4, 'xtl="40" ytl="20" xbr="90" ybr="40"')
        + shape(5, 'xtl="40" ytl="20" xbr="90" ybr="40"', outside=1)
        + shape(7, 'xtl="0" ytl="0" xbr="9" ybr="9"')
    )
    ellipse = shape(2, 'cx="50" cy="50" rx="10" ry="10"', kind="ellipse")
    ellipse += shape(4, 'cx="70" cy="50" rx="10" ry="20"', kind="ellipse")
    tracks = f'<track id="0" label="child">{boxes}</track><track id="1" label="ball">{ellipse}</track>'
    manifest = take_in(export(tmp_path / "d", task(7, "visit", 8), tracks))
    assert [(name[10:12], category, box) for name, category, box in objects(manifest)] == [
        ("00", "child", (0.0, 20.0, 30.0, 40.0)),
        ("01", "child", (10.0, 20.0, 35.0, 35.0)),
        ("02", "ball", (40.0, 40.0, 20.0, 20.0)),
        ("02", "child", (20.0, 20.0, 40.0, 30.0)),
        ("03", "ball", (50.0, 35.0, 20.0, 30.0)),
        ("03", "child", (30.0, 20.0, 45.0, 25.0)),
        ("04", "ball", (60.0, 30.0, 20.0, 40.0)),
        ("04", "child", (40.0, 20.0, 50.0, 20.0)),
        ("07", "child", (0.0, 0.0, 9.0, 9.0)),
    ]


def test_a_turning_box_between_keyframes_turns_the_shorter_way(tmp_path: Path) -> None:
    for f in range(3):
        image(tmp_path / f"d/frame_{f:06d}.PNG")
    corners = 'xtl="80" ytl="40" xbr="120" ybr="60"'
    boxes = shape(0, f'{corners} rotation="350"') + shape(2, f'{corners} rotation="10"')
    manifest = take_in(export(tmp_path / "d", task(7, "visit", 3), f'<track id="0" label="child">{boxes}</track>'))
    assert objects(manifest)[1] == ("frame_000001.PNG", "child", (80.0, 40.0, 40.0, 20.0))


def test_outlines_between_keyframes_are_listed(tmp_path: Path) -> None:
    for f in range(4):
        image(tmp_path / f"d/frame_{f:06d}.PNG")
    outlines = "".join(shape(f, 'points="10,10;30,10;30,40"', kind="polygon") for f in (0, 3))
    tracks = f'<track id="0" label="child">{outlines}</track>' + track(1, "ball", [0, 1, 2, 3])
    reason = "polygon between keyframes: only CVAT knows its form there: export it from CVAT, which writes every frame"
    assert left_out(take_in(export(tmp_path / "d", task(7, "visit", 4), tracks))) == {reason: 2}


def test_frames_of_a_video_taken_in_steps(tmp_path: Path) -> None:
    for f in (0, 5, 10):
        image(tmp_path / f"d/frame_{f:06d}.PNG")
    manifest = take_in(export(tmp_path / "d", task(7, "visit", 3, step=5), track(0, "child", [5])))
    assert objects(manifest)[0][0] == "frame_000005.PNG"


UNCLEAR = {
    "one image is missing": [f"{n:04d}.jpg" for n in range(1, 8)],
    "sorting changes the order": [f"img{n}.jpg" for n in range(8, 16)],
    "frames from 1, the last one missing": [f"frame_{n:06d}.jpg" for n in range(1, 8)],
}


@pytest.mark.parametrize("files", UNCLEAR.values(), ids=UNCLEAR)
def test_where_the_frame_of_an_image_is_unclear_it_is_refused(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        image(tmp_path / "d" / name)
    video = files[0].startswith("frame")
    with pytest.raises(AnnotationError, match="which image a frame is") as caught:
        take_in(export(tmp_path / "d", task(7, "visit", 8, video=video), track(0, "child", [2])))
    assert caught.value.fix and "CVAT for images" in caught.value.fix


def project(*tasks: str) -> str:
    return f"<project><id>1</id><tasks>{''.join(tasks)}</tasks>{LABELS}</project>"


PLACES = {
    "folders named by the tasks": ("home1/frame_{:06d}.PNG", "home2/frame_{:06d}.PNG"),
    "CVAT's own renaming": ("images/train/frame_{:06d}.PNG", "images/train/frame_{:06d}_1.PNG"),
}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
def test_each_task_of_a_project_counts_for_itself(tmp_path: Path, places: tuple[str, str]) -> None:
    for place in places:
        for f in range(3):
            image(tmp_path / "d" / place.format(f))
    meta = project(task(11, "home1", 3), task(12, "home2", 3))
    manifest = take_in(export(tmp_path / "d", meta, track(0, "child", [1], of=11) + track(1, "ball", [1, 2], of=12)))
    sources = {name.removeprefix("train/"): path for name, path in linked(manifest).items()}
    found = {(sources[name].relative_to(tmp_path / "d").as_posix(), label) for name, label, _ in objects(manifest)}
    assert found == {
        (places[0].format(1), "child"),
        (places[1].format(1), "ball"),
        (places[1].format(2), "ball"),
    }
    assert len(sources) == 6


def test_tasks_whose_images_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    for f in range(3):
        image(tmp_path / f"d/frame_{f:06d}.PNG")
    meta = project(task(11, "home1", 3), task(12, "home2", 3))
    with pytest.raises(AnnotationError, match="which task") as caught:
        take_in(export(tmp_path / "d", meta, track(0, "child", [1], of=11) + track(1, "ball", [1], of=12)))
    assert caught.value.fix and "folder of the task's name" in caught.value.fix


@pytest.mark.parametrize("ending", [".PNG", ".png", ".jpg"])
def test_names_without_an_ending(tmp_path: Path, ending: str) -> None:
    image(tmp_path / f"d/images/frame_000001{ending}")
    box = '<box label="child" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    content = f'<image id="1" name="frame_000001" width="200" height="100">{box}</image>'
    manifest = take_in(export(tmp_path / "d", task(1, "visit", 1), content))
    assert names(manifest) == {"train": [f"frame_000001{ending}"]} and len(linked(manifest)) == 1


def test_a_size_that_is_not_said_is_the_upright_image_s(tmp_path: Path) -> None:
    image(tmp_path / "d/a.jpg", 200, 100, orientation=6)
    box = '<box label="child" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    content = f'<image id="0" name="a.jpg">{box}</image><image id="1" name="gone.jpg">{box}</image>'
    manifest = take_in(export(tmp_path / "d", task(1, "visit", 1, video=False), content))
    (entry,) = splits(manifest)["train"]["images"]
    assert (entry["width"], entry["height"]) == (100, 200)
    assert left_out(manifest) == {"image: neither the export nor a file says how large it is": 1}


def one_image(root: Path, shapes: str) -> Path:
    image(root / "a.jpg", 8, 6)
    return export(
        root, task(1, "t", 1, video=False), f'<image id="0" name="a.jpg" width="8" height="6">{shapes}</image>'
    )


def test_a_mask_that_reaches_out_of_the_image_is_cut_at_its_edge(tmp_path: Path) -> None:
    mask = '<mask label="child" rle="0, 12" left="6" top="4" width="4" height="3"/>'
    (found,) = annotations(take_in(one_image(tmp_path / "d", mask)))
    runs = found["segmentation"]["counts"]
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(8, 6).T
    assert np.argwhere(pixels).tolist() == [[y, x] for y in (4, 5) for x in (6, 7)]
    assert found["bbox"] == [6, 4, 2, 2] and found["area"] == 4


def test_a_bad_shape_costs_that_shape(tmp_path: Path) -> None:
    shapes = (
        '<box label="child" xtl="1" ytl="1" xbr="3" ybr="3"/><box label="child" xtl="1" ytl="1" xbr="x" ybr="3"/>'
        '<skeleton label="child"><points label="nose" points="1,2"/></skeleton>'
    )
    manifest = take_in(one_image(tmp_path / "d", shapes))
    assert objects(manifest) == [("a.jpg", "child", (1, 1, 2, 2))]
    assert sum(left_out(manifest).values()) == 2 and any("skeleton" in text for text in left_out(manifest))


def test_nothing_but_shapes_that_coco_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="Nothing of the annotations") as caught:
        take_in(one_image(tmp_path / "d", '<polyline label="child" points="1,2;3,4"/>'))
    assert caught.value.found and "1 × polyline" in caught.value.found
