"""A simulated head camera: boxes that move, a wearer who looks from one to the next, and trackers that record it."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.store.reader import publish_video

WIDTH, HEIGHT, FPS, GAZE_HZ = 1600, 1200, 30, 200
DEGREE_PX = WIDTH / 103
CANARIES = ("Anna Canaryname", "SN-CANARY-77", "59.9139", "wearer-canary", "canary-head-set")


@dataclass(frozen=True, eq=False)
class Scene:
    """Truth: what is looked at when (track id or −1), and gaze in pixels at 200 Hz with noise and losses."""

    seconds: float
    looks: tuple[tuple[int, float, float], ...]
    t: npt.NDArray[np.float64]
    xy: npt.NDArray[np.float64]
    valid: npt.NDArray[np.bool_]


def _box(track: int, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Boxes (n, 4) of a track that moves slowly on a path of its own."""
    cx = 300 + 480 * (track - 1) + 60 * np.sin(0.7 * t + track)
    cy = 600 + 200 * np.cos(0.5 * t + 2 * track)
    half = 60 + 15 * track
    return np.stack([cx - half, cy - half, cx + half, cy + half], axis=1)


def make_scene(seconds: float, seed: int, *, noise_deg: float = 1.0, loss: float = 0.2) -> Scene:
    """Looks of 0.4 to 3 s at three objects or away; losses are blinks of 0.05 to 0.2 s that add up to ``loss``."""
    rng = np.random.default_rng(seed)
    looks, at, last = [], 0.0, 0
    while at < seconds:
        target = int(rng.choice([track for track in (1, 2, 3, -1) if track != last]))
        end = min(at + float(rng.uniform(0.4, 3.0)), seconds)
        looks.append((target, at, end))
        at, last = end, target
    t = np.arange(int(seconds * GAZE_HZ)) / GAZE_HZ
    xy = np.tile([800.0, 80.0], (len(t), 1))
    for target, begin, end in looks:
        now = (t >= begin) & (t < end)
        if target > 0:
            # Somewhere on the object, not always in its middle.
            box = _box(target, t[now])
            place = rng.uniform(0.25, 0.75, 2)
            xy[now] = box[:, :2] + place * (box[:, 2:] - box[:, :2])
    noise = rng.normal(0, noise_deg * DEGREE_PX / np.sqrt(2), xy.shape)
    valid = np.ones(len(t), np.bool_)
    while valid.mean() > 1 - loss:
        begin = int(rng.integers(0, len(t)))
        valid[begin : begin + int(rng.uniform(0.05, 0.2) * GAZE_HZ)] = False
    return Scene(seconds, tuple(looks), t, xy + noise, valid)


def make_gaze_store(path: Path, scene: Scene) -> Path:
    """A store with the video ``head`` of the scene camera."""
    n = int(scene.seconds * FPS)
    times = np.arange(n) / FPS
    boxes = np.stack([_box(track, times) for track in (1, 2, 3)], axis=1).reshape(-1, 4)
    names = ("cup", "ball", "caregiver")
    record = made_record(
        "head",
        duration_s=scene.seconds,
        fps=float(FPS),
        categories=("child", *names),
        width=WIDTH,
        height=HEIGHT,
        time_base="1/30",
        n_frames=n,
        n_detections=3 * n,
        n_tracks=3,
        view="ego",
    )
    publish_video(
        path,
        record,
        frames=FrameTable.from_times(np.arange(n), times, processed=np.ones(n, np.bool_)),
        detections=DetectionTable(
            np.repeat(np.arange(n), 3),
            np.repeat(times, 3),
            np.array(names * n, dtype=object),
            np.full(3 * n, 0.9, np.float32),
            boxes.astype(np.float32),
            np.tile([1, 2, 3], n),
        ),
        tracks=[Track(k, name, None, 0.0, scene.seconds, n, 0.9) for k, name in enumerate(names, start=1)],
        relations=[],
        events=[],
    )
    return path


def write_neon(folder: Path, scene: Scene, *, parts: int = 2) -> Path:
    """A native recording of Pupil Neon in several parts, one position too many in the last."""
    folder.mkdir()
    zero = 1_700_000_000_000_000_000
    (folder / "info.json").write_text(json.dumps({"start_time": zero, "module_serial_number": CANARIES[1]}))
    (folder / "wearer.json").write_text(json.dumps({"name": CANARIES[0], "uuid": CANARIES[3]}))
    (folder / "Neon Scene Camera v1 ps1.time").write_bytes(np.array([zero, zero + 33_000_000], "<i8").tobytes())
    bounds = np.linspace(0, len(scene.t), parts + 1).astype(int)
    for part in range(parts):
        rows = slice(bounds[part], bounds[part + 1])
        stamps = zero + np.round(scene.t[rows] * 1e9).astype("<i8")
        xy = scene.xy[rows].astype("<f4")
        if part == parts - 1:
            xy = np.concatenate([xy, xy[-1:]])
        name = f"ps{part + 1}"
        (folder / f"gaze {name}.time").write_bytes(stamps.tobytes())
        (folder / f"gaze {name}.raw").write_bytes(xy.tobytes())
        (folder / f"worn {name}.raw").write_bytes(np.where(scene.valid[rows], 255, 0).astype("u1").tobytes())
    return folder


def write_cloud(folder: Path, scene: Scene) -> Path:
    """An export of Pupil Cloud; lost samples have no position."""
    folder.mkdir()
    zero = 1_700_000_000_000_000_000
    with (folder / "world_timestamps.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["section id", "recording id", "timestamp [ns]"], ["s", CANARIES[3], zero]])
    with (folder / "gaze.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["section id", "recording id", "timestamp [ns]", "gaze x [px]", "gaze y [px]"])
        for t, (x, y), valid in zip(scene.t, scene.xy, scene.valid, strict=True):
            position = [repr(float(x)), repr(float(y))] if valid else ["", ""]
            writer.writerow(["s", CANARIES[3], zero + round(t * 1e9), *position])
    return folder


def write_core(folder: Path, scene: Scene) -> Path:
    """A recording of Pupil Core: its own epoch, the origin at the bottom, little confidence where lost."""
    folder.mkdir()
    np.save(folder / "world_timestamps.npy", np.array([4321.5, 4321.533]))
    (folder / "info.player.json").write_text(json.dumps({"recording_name": CANARIES[0]}))
    entries = b""
    for t, (x, y), valid in zip(scene.t, scene.xy, scene.valid, strict=True):
        datum = {
            "topic": "gaze.2d.0.",
            "norm_pos": [float(x / WIDTH), float(1 - y / HEIGHT)],
            "confidence": 0.9 if valid else 0.3,
            "timestamp": float(4321.5 + t),
            "base_data": [],
        }
        content = msgspec.msgpack.encode(datum)
        topic = b"gaze.2d.0."
        entries += bytes([0x92, 0xA0 | len(topic)]) + topic + b"\xc5" + len(content).to_bytes(2, "big") + content
    (folder / "gaze.pldata").write_bytes(entries)
    return folder


def write_core_export(folder: Path, scene: Scene) -> Path:
    """What Pupil Player exports, below the recording."""
    write_core(folder, scene)
    (folder / "gaze.pldata").unlink()
    export = folder / "exports" / "000"
    export.mkdir(parents=True)
    with (export / "gaze_positions.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["gaze_timestamp", "world_index", "confidence", "norm_pos_x", "norm_pos_y", "base_data"])
        for t, (x, y), valid in zip(scene.t, scene.xy, scene.valid, strict=True):
            row = [4321.5 + t, 0, 0.9 if valid else 0.3, x / WIDTH, 1 - y / HEIGHT, ""]
            writer.writerow([repr(float(v)) if isinstance(v, float) else v for v in row])
    return export


def write_tobii(folder: Path, scene: Scene) -> Path:
    """A recording of Tobii Pro Glasses 3; lines without data where the eyes are lost, and lines of other types."""
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "participant").write_text(json.dumps({"name": CANARIES[0]}))
    (folder / "recording.g3").write_text(json.dumps({"name": CANARIES[4], "gps": CANARIES[2]}))
    lines = [{"type": "event", "timestamp": 0.0, "data": {"tag": CANARIES[0]}}]
    for t, (x, y), valid in zip(scene.t, scene.xy, scene.valid, strict=True):
        data = {"gaze2d": [x / WIDTH, y / HEIGHT], "gaze3d": [0, 0, 0]} if valid else {}
        lines.append({"type": "gaze", "timestamp": float(t), "data": data})
    (folder / "gazedata.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return folder


def write_glassestools(folder: Path, scene: Scene) -> Path:
    """The common table of glassesTools."""
    folder.mkdir()
    (folder / "recording_info.json").write_text(json.dumps({"participant": CANARIES[0]}))
    (folder / "frameTimestamps.tsv").write_text("frame_idx\ttimestamp\n0\t40.0\n1\t73.3\n")
    rows = ["timestamp\tframe_idx\tgaze_pos_vid_x\tgaze_pos_vid_y"]
    for t, (x, y), valid in zip(scene.t, scene.xy, scene.valid, strict=True):
        position = f"{x!r}\t{y!r}" if valid else "nan\tnan"
        rows.append(f"{40.0 + 1000 * t!r}\t0\t{position}")
    (folder / "gazeData.tsv").write_text("\n".join(rows).replace("np.float64(", "").replace(")", "") + "\n")
    return folder
