"""Read COCO's JSON: results (a list), or annotations or detections with categories; of one video or several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from visionllm_interaction.core.categories import COCO_NAMES
from visionllm_interaction.video.detection_files.file_content import (
    Clock,
    FileContent,
    chosen_video,
    corners_of,
    counted_from_one,
    is_image,
    is_of_video,
    make_row,
    refuse_second_pass,
    whole_number,
    without_ending,
)

_NUMBER_AT_END = re.compile(r"(.*?)(\d+)")
_VIDEO_KEYS = ("video", "video_name", "video_file", "file_name", "filename", "video_id")
"""Where an image or a detection says of which video it is, or how its image is called."""

Item = Mapping[str, Any]


def read_coco(content: Mapping[str, Any], video: str | None) -> FileContent:
    """Read categories, images that state their frames, and annotations or detections.

    Args:
        content: the file.
        video: name of the video's file, where a file has several.

    Returns:
        The content.

    Raises:
        KeyError: if something is missing.
        ValueError: if a frame is not known, or it has several videos and none of this name.
    """
    names = {int(c["id"]): str(c["name"]).strip() for c in content["categories"]}
    items = content["detections"] if "detections" in content else content["annotations"]
    if "detections" in content and any("score" not in item for item in items):
        raise KeyError("score")
    titles = {v["id"]: str(v.get("name") or v.get("file_name") or v["id"]) for v in content.get("videos") or ()}
    images = list(content.get("images") or ())
    frame_of = _frames_of_images(images, titles, video)
    own = [_title(item, titles) for item in items]
    chosen = chosen_video(own, video)
    rows = [
        make_row(frame, names[int(item["category_id"])], item.get("score", 1.0), corners_of(item["bbox"]))
        for item, title in zip(items, own, strict=True)
        if is_of_video(title, chosen) and (frame := _frame(item, frame_of)) is not None
    ]
    if not any("track_id" in item for item in items):
        refuse_second_pass(rows)
    given = content.get("processed_frames")
    seen = frozenset(frame for frame in frame_of.values() if frame is not None)
    processed = frozenset(map(int, given)) if given is not None else seen or None
    return FileContent(rows, tuple(dict.fromkeys(names.values())), processed)


def read_coco_results(content: Sequence[Item], clock: Clock | None, video: str | None) -> FileContent:
    """Read a list of COCO's results, whose ``image_id`` is the frame or an image's name that ends in it.

    Args:
        content: the results.
        clock: gives the times of the video's frames.
        video: name of the video's file, where a list has results of several.

    Returns:
        The content, with a note of what was assumed.

    Raises:
        KeyError: if something is missing.
        ValueError: if a category is none of COCO's, or the list has several videos and none of this name.
    """
    if not content:
        raise ValueError("an empty list: of what categories?")
    unknown = {int(item["category_id"]) for item in content} - COCO_NAMES.keys()
    if unknown:
        raise ValueError(f"category_id {min(unknown)} is none of COCO's and the file names no categories")
    titles = [_title(item, {}) or _image_of(item) for item in content]
    chosen = chosen_video(titles, video)
    content = [item for item, title in zip(content, titles, strict=True) if is_of_video(title, chosen)]
    frames = [_number(item) for item in content]
    first = int(counted_from_one(frames, clock))
    rows = [
        make_row(frame - first, COCO_NAMES[int(item["category_id"])], item["score"], corners_of(item["bbox"]))
        for frame, item in zip(frames, content, strict=True)
    ]
    if not any("track_id" in item for item in content):
        refuse_second_pass(rows)
    notes = (f"the file names no categories: ids were read as COCO's, image_id as the frame, counted from {first}",)
    return FileContent(rows, tuple(COCO_NAMES.values()), notes=notes)


def _title(item: Item, titles: Mapping[Any, str]) -> str:
    """How a video or image is called of which an image or detection is; empty if it does not say."""
    key = next((key for key in _VIDEO_KEYS if item.get(key) is not None and key != "video_id"), None)
    if "video_id" in item and (item["video_id"] in titles or key is None):
        return titles.get(item["video_id"], str(item["video_id"]))
    return str(item[key]) if key else ""


def _image_of(item: Item) -> str:
    """The name of a result's image, where ``image_id`` is one."""
    name = item.get("image_id")
    return f"{without_ending(name)}.jpg" if isinstance(name, str) else ""


def _frames_of_images(images: Sequence[Item], titles: Mapping[Any, str], video: str | None) -> dict[Any, int | None]:
    """Image id → frame, of images that state it; ``None``: of another video."""
    if any("frame_index" not in image and "frame_id" not in image for image in images):
        raise ValueError("images[] without frame_index: which frame of the video is each image?")
    of = {image["id"]: _title(image, titles) for image in images}
    chosen = chosen_video(of.values(), video)
    return {i["id"]: _stated_frame(i) if is_of_video(of[i["id"]], chosen) else None for i in images}


def _stated_frame(image: Item) -> int:
    """``frame_index``, or ``frame_id`` of video datasets in COCO's form; both count from 0."""
    return whole_number(image["frame_index"] if "frame_index" in image else image["frame_id"])


def _frame(item: Item, frame_of: Mapping[Any, int | None]) -> int | None:
    """The frame of a detection; ``None``: its image is of another video."""
    stated = whole_number(item["frame_index"]) if "frame_index" in item else None
    if not frame_of:
        return whole_number(item["image_id"]) if stated is None else stated
    if stated is not None and "image_id" not in item and None not in frame_of.values():
        return stated
    frame = frame_of[item["image_id"]]
    if None not in (stated, frame) and stated != frame:
        raise ValueError(f"a detection has frame_index {stated}, and its image {item['image_id']} has {frame}")
    return frame


def _number(item: Item) -> int:
    """The frame of a result: stated, or the number at the end of its image's name, or ``image_id``."""
    if "frame_index" in item:
        return whole_number(item["frame_index"])
    named = next((str(item[key]) for key in ("file_name", "filename") if is_image(str(item.get(key) or ""))), None)
    name = named or item["image_id"]
    if not isinstance(name, str):
        return whole_number(name)
    name = PurePosixPath(without_ending(name)).name
    found = _NUMBER_AT_END.fullmatch(name)
    return int(found.group(2) if found else name)
