"""Videos of the play room: H.264 files with true time stamps, and their truth.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.categories import category_records
from visionllm_bench.toyroom.coco_images import generator
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.drawing.backdrop import draw_backdrop
from visionllm_bench.toyroom.drawing.camera_effects import random_optics
from visionllm_bench.toyroom.ground_truth import Sighting, events, holdings, relations
from visionllm_bench.toyroom.render.camera import Camera, RoomCamera
from visionllm_bench.toyroom.render.frames import Film, Shot, shoot
from visionllm_bench.toyroom.render.head_camera import EgoCamera, random_ego_camera
from visionllm_bench.toyroom.render.sprites import Room
from visionllm_bench.toyroom.sensors.recordings import (
    RoomSound,
    Soundtrack,
    make_sound,
    write_gaze,
    write_head_imu,
    write_sound,
)
from visionllm_bench.toyroom.story.ambiguous_time import unclear_s
from visionllm_bench.toyroom.story.random_script import random_script
from visionllm_bench.toyroom.story.script import Script

_VIDEOS = 2
STORIES = 6
"""Stories made up for each video, of which the clearest is filmed."""
TICKS_PER_S = 90_000
"""Time stamps in the file are whole multiples of 1 / ``TICKS_PER_S`` seconds."""

ViewName = Literal["room", "ego"]


@dataclass(frozen=True, slots=True)
class VideoFiles:
    """A video, its truth.json, and by name what its sensors recorded."""

    path: Path
    truth: Path
    sensors: Mapping[str, Path] = field(default_factory=dict)


def write_video(folder: Path, *, index: int, seed: int, view: ViewName, config: ToyRoomConfig) -> VideoFiles:
    """Write ``<name>/<name>.mp4`` and ``<name>/truth.json`` below ``folder``, and what sensors record beside them."""
    name = f"{view}_s{seed}_{index:03d}"
    place = folder / name
    place.mkdir(parents=True)
    rng = generator(seed, _VIDEOS, index)
    ticks = frame_ticks(rng, config)
    film = make_film(rng, view=view, config=config)
    path = place / f"{name}.mp4"
    edges_s = ticks / TICKS_PER_S
    duration_s = float(edges_s[-1])
    sound = make_sound(film, name=name, seed=seed, index=index, duration_s=duration_s) if config.sound else None
    seen = _encode(path, film, ticks, rng=rng, config=config, sound=sound)
    truth = {**_truth(film.script, seen, ticks, view=view, config=config), **_camera_truth(film.camera, ticks)}
    truth_path = place / "truth.json"
    truth_path.write_text(json.dumps(truth, separators=(",", ":")), encoding="utf-8")
    sensors = dict(write_sound(place, sound)) if sound else {}
    if config.gaze:
        sensors |= write_gaze(place, film, seen, edges_s, seed=seed, index=index, config=config)
    if config.imu:
        sensors |= write_head_imu(place, film, duration_s=duration_s)
    return VideoFiles(path, truth_path, sensors)


def make_film(rng: np.random.Generator, *, view: ViewName, config: ToyRoomConfig) -> Film:
    """A room, its people, a story and a camera; of several stories the one whose relations are clearest."""
    size = (config.video_width, config.video_height)
    room = _room(rng, view=view, size=size)
    children, caregivers = _people(rng, view=view)
    stories = [
        random_script(child, room, duration_s=config.video_seconds, children=children, caregivers=caregivers)
        for child in rng.spawn(STORIES)
    ]
    script = min(stories, key=lambda story: unclear_s(story) / (1 + len(story.actions)))
    backdrop = draw_backdrop(rng, (room.width, room.height), horizon=room.horizon, unit=room.unit)
    camera: Camera = RoomCamera(size) if view == "room" else random_ego_camera(rng, script, size)
    return Film(script, backdrop, camera, random_optics(rng, gentle=True))


def _room(rng: np.random.Generator, *, view: ViewName, size: tuple[int, int]) -> Room:
    """The canvas: just the frame, or for the head camera a larger room seen from closer."""
    width, height = size
    if view == "room":
        return Room(width, height, height * float(rng.uniform(0.4, 0.45)), height * float(rng.uniform(0.76, 0.82)))
    tall = height * 1.35
    return Room(round(width * 1.75), round(tall), tall * float(rng.uniform(0.42, 0.46)), height * 1.12)


def _people(rng: np.random.Generator, *, view: ViewName) -> tuple[int, int]:
    """Children and caregivers to be seen; the child who wears the head camera is not."""
    chance = float(rng.random())
    if view == "ego":
        return (1 if chance < 0.7 else 0, 1)
    return (2 if chance < 0.25 else 1, 1)


def frame_ticks(rng: np.random.Generator, config: ToyRoomConfig) -> NDArray[np.int64]:
    """(n + 1,) time stamps of n frames and the end of the last one, in ticks."""
    count = round(config.video_seconds * config.fps)
    steps = np.full(count, TICKS_PER_S / config.fps)
    if config.frame_rate == "variable":
        steps *= rng.uniform(0.6, 1.4, count)
        steps[rng.random(count) < 0.03] *= 2.5
        steps *= config.video_seconds * TICKS_PER_S / steps.sum()
    return np.concatenate([[0], np.rint(np.cumsum(steps))]).astype(np.int64)


def _encode(
    path: Path,
    film: Film,
    ticks: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    config: ToyRoomConfig,
    sound: RoomSound | None,
) -> list[tuple[Sighting, ...]]:
    seen: list[tuple[Sighting, ...]] = []
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(config.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = config.video_width, config.video_height, "yuv420p"
        stream.options = {"preset": "superfast", "crf": "23", "bf": "0", "threads": "1"}
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        soundtrack = Soundtrack(container, sound.first) if sound else None
        for pts, shot in zip(ticks[:-1].tolist(), shoot(film, ticks[:-1] / TICKS_PER_S, rng=rng), strict=True):
            container.mux(stream.encode(_frame(shot, pts)))
            seen.append(shot.sightings)
            if soundtrack:
                soundtrack.write_to(pts / TICKS_PER_S)
        container.mux(stream.encode(None))
        if soundtrack:
            soundtrack.finish()
    return seen


def _frame(shot: Shot, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.asarray(shot.image), format="rgb24")
    frame.pts, frame.time_base = pts, Fraction(1, TICKS_PER_S)
    return frame


def _truth(
    script: Script,
    frames: Sequence[tuple[Sighting, ...]],
    ticks: NDArray[np.int64],
    *,
    view: ViewName,
    config: ToyRoomConfig,
) -> dict[str, Any]:
    edges_s = ticks / TICKS_PER_S
    found = [*relations(script.members, frames, edges_s), *holdings(script, edges_s)]
    return {
        "schema_version": 1,
        "fps": config.fps,
        "frame_rate": config.frame_rate,
        "view": view,
        "width": config.video_width,
        "height": config.video_height,
        "duration_s": float(edges_s[-1]),
        "categories": category_records(),
        "tracks": [{"track_id": m.number, "category": m.category} for m in script.members],
        "frames": [_frame_truth(n, float(edges_s[n]), frame) for n, frame in enumerate(frames)],
        "relations": sorted(
            found, key=lambda r: (r["begin_s"], r["predicate"], r["subject_track_id"], r["object_track_id"])
        ),
        "events": events(script, frames, edges_s),
    }


def _frame_truth(index: int, timestamp_s: float, frame: Sequence[Sighting]) -> dict[str, Any]:
    objects = [
        {"track_id": s.track_id, "category": s.category, "box_xyxy": list(s.box_xyxy), "visible": s.visible}
        for s in frame
    ]
    return {"index": index, "timestamp_s": timestamp_s, "objects": objects}


def _camera_truth(camera: Camera, ticks: NDArray[np.int64]) -> dict[str, Any]:
    """The path of a head camera: per frame left, top, zoom of its window on the canvas; and its jerks."""
    if not isinstance(camera, EgoCamera):
        return {}
    views = [camera.at(t) for t in (ticks[:-1] / TICKS_PER_S).tolist()]
    path = [[round(v.left, 3), round(v.top, 3), round(v.zoom, 5)] for v in views]
    jerks = [{"begin_s": round(j.time_s, 3), "shift_px": [round(v, 1) for v in j.shift_px]} for j in camera.jerks]
    return {"camera": path, "jerks": jerks}
