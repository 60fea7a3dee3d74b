"""Detections of a video as COCO annotations, for correction in CVAT or Label Studio and for training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from visionllm_interaction.core.boxes import xyxy_to_xywh
from visionllm_interaction.store.reader import Store


def sampled_frames(store: Store, video_id: str, *, every_s: float) -> dict[int, float]:
    """Frame index → time in seconds, of processed frames that are at least ``every_s`` seconds apart."""
    frames = store.frames(video_id)
    processed = frames.filter(frames["processed"])
    chosen: dict[int, float] = {}
    last_s = -math.inf
    for index, time_s in zip(*(processed[c].to_pylist() for c in ("frame_index", "timestamp_s")), strict=True):
        if time_s - last_s >= every_s - 1e-9:
            chosen[index] = last_s = time_s
    return chosen


def coco_bytes(store: Store, video_id: str, *, every_s: float = 0.0) -> bytes:
    """Convert the detections of one video to COCO.

    Images are the :func:`sampled_frames`, named ``VIDEO_ID/frame_000123.jpg``; category ids are 1, 2, … by name.

    Args:
        store: the open store.
        video_id: the video.
        every_s: least time between two frames in seconds.

    Returns:
        The JSON file. Each detection is an annotation: ``bbox`` is x, y, width, height in pixels, clipped to the image;
        ``attributes`` hold ``track_id`` (−1: none) and ``confidence``. Interpolated boxes are left out.
    """
    known = sampled_frames(store, video_id, every_s=every_s)
    rows = [row for row in store.detections(video_id).to_pylist() if not row["interpolated"]]
    return _coco(store, video_id, known, rows, f"{video_id}: detections to be corrected")


def corrected_frames(detected: Store, corrected: Store, video_id: str) -> dict[int, float]:
    """Frame index → time in seconds, of the frames in which people have corrected boxes or what they are of.

    Args:
        detected: the store, opened as detected.
        corrected: the same, as corrected.
        video_id: the video.

    Returns:
        The frames, in order.
    """
    machine, people = _boxes(detected, video_id), _boxes(corrected, video_id)
    changed = {key[0] for key in machine.keys() ^ people.keys()}
    frames = corrected.frames(video_id)
    times = zip(frames["frame_index"].to_pylist(), frames["timestamp_s"].to_pylist(), strict=True)
    return {index: time_s for index, time_s in times if index in changed}


def corrected_coco_bytes(detected: Store, corrected: Store, video_id: str) -> bytes:
    """Convert the frames that people have corrected to COCO, to train a detector with them.

    Args:
        detected: the store, opened as detected.
        corrected: the same, as corrected.
        video_id: the video.

    Returns:
        The JSON file, as of :func:`coco_bytes`, with all boxes of these frames. The attribute ``source`` is
        ``corrected`` for boxes that people drew, moved or named, and ``detected`` for the others.
    """
    machine = _boxes(detected, video_id)
    own = {row["detection_id"] for key, row in _boxes(corrected, video_id).items() if key not in machine}
    rows = [
        {**row, "source": "corrected" if row["detection_id"] in own else "detected"}
        for row in corrected.detections(video_id).to_pylist()
        if row["detection_id"] in own or not row["interpolated"]
    ]
    known = corrected_frames(detected, corrected, video_id)
    return _coco(corrected, video_id, known, rows, f"{video_id}: frames that people have corrected")


def _boxes(store: Store, video_id: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a detector could learn from: boxes by frame, category and place."""
    names = ("frame_index", "category", "x1", "y1", "x2", "y2")
    return {tuple(row[name] for name in names): row for row in store.detections(video_id).to_pylist()}


def _coco(
    store: Store, video_id: str, known: Mapping[int, float], rows: Sequence[Mapping[str, Any]], description: str
) -> bytes:
    """The file: frames, and those of the boxes that are in them."""
    record = store.video(video_id)
    size = (float(record["width"]), float(record["height"]))
    names = sorted({*(row["category"] for row in rows), *record["detector"]["categories"]})
    ids = {name: number for number, name in enumerate(names, start=1)}
    images = [
        {
            "id": index + 1,
            "file_name": f"{video_id}/{frame_image_name(index)}",
            "width": record["width"],
            "height": record["height"],
            "timestamp_s": timestamp_s,
        }
        for index, timestamp_s in known.items()
    ]
    annotations = []
    for row in rows:
        if row["frame_index"] not in known:
            continue
        corners = [min(max(row[side], 0.0), size[n % 2]) for n, side in enumerate(("x1", "y1", "x2", "y2"))]
        box = [round(value, 3) for value in xyxy_to_xywh(np.array(corners)).tolist()]
        source = {"source": row["source"]} if "source" in row else {}
        annotations.append(
            {
                "id": row["detection_id"] + 1,
                "image_id": row["frame_index"] + 1,
                "category_id": ids[row["category"]],
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
                "attributes": {"track_id": row["track_id"], "confidence": round(row["confidence"], 4), **source},
            }
        )
    content = {
        "info": {"description": description},
        "licenses": [],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()],
        "images": images,
        "annotations": annotations,
    }
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def frame_image_name(frame_index: int) -> str:
    """File name of a frame's image."""
    return f"frame_{frame_index:06d}.jpg"
