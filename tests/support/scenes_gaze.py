"""Gaze in ToyRoom videos: a store of the true boxes, trackers that record, and scores against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_bench.toyroom.ground_truth import Sighting
from visionllm_bench.toyroom.sensors.gaze import TrueGaze, random_gaze, track, write_tracker
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.interop.gaze.import_gaze import import_gaze
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.reader import open_store, publish_video
from visionllm_interaction.store.video_record import SourceFile

Bout = tuple[str, float, float]
VIDEO = "room"
ONSET_S = 0.1
JOINT_MIN_S, JOINT_GAP_S = 0.5, 1.0


@dataclass(frozen=True, eq=False)
class FilmTruth:
    """What is seen in each frame of a film."""

    size: tuple[int, int]
    edges_s: np.ndarray[Any, np.dtype[np.float64]]
    frames: Sequence[Sequence[Sighting]]

    @property
    def categories(self) -> dict[int, str]:
        """Track → category."""
        return {seen.track_id: seen.category for frame in self.frames for seen in frame}


def film_truth(truth: Mapping[str, Any]) -> FilmTruth:
    """From the contents of a ``truth.json``."""
    frames = [
        [Sighting(o["track_id"], o["category"], tuple(o["box_xyxy"]), o["visible"]) for o in frame["objects"]]
        for frame in truth["frames"]
    ]
    edges = np.array([*(frame["timestamp_s"] for frame in truth["frames"]), truth["duration_s"]])
    return FilmTruth((truth["width"], truth["height"]), edges, frames)


def publish_film(store: Path, film: FilmTruth) -> None:
    """The true boxes as the video :data:`VIDEO` of a store."""
    n, starts = len(film.frames), film.edges_s[:-1]
    rows = [(index, seen) for index, frame in enumerate(film.frames) for seen in frame]
    index = np.array([row[0] for row in rows])
    ids = np.array([seen.track_id for _, seen in rows])
    tracks = []
    for track_id, category in sorted(film.categories.items()):
        own = index[ids == track_id]
        role = category if category in ("child", "caregiver") else None
        begin_s, end_s = float(starts[own[0]]), float(film.edges_s[own[-1] + 1])
        tracks.append(Track(track_id, category, role, begin_s, end_s, len(own), 0.9))
    record = made_record(
        VIDEO,
        duration_s=float(film.edges_s[-1]),
        fps=n / float(film.edges_s[-1]),
        categories=tuple(set(film.categories.values())),
        source=SourceFile(path="/videos/room.mp4", name="room.mp4", sha256="0" * 64, bytes=1),
        width=film.size[0],
        height=film.size[1],
        time_base="1/90000",
        n_frames=n,
        n_detections=len(rows),
        n_tracks=len(tracks),
    )
    publish_video(
        store,
        record,
        frames=FrameTable.from_times(np.arange(n), starts, processed=np.ones(n, np.bool_)),
        detections=DetectionTable(
            index,
            starts[index],
            np.array([seen.category for _, seen in rows], dtype=object),
            np.full(len(rows), 0.9, np.float32),
            np.array([seen.box_xyxy for _, seen in rows], np.float32),
            ids,
        ),
        tracks=tracks,
        relations=[],
        events=[],
    )


def record_gaze(
    store: Path, film: FilmTruth, *, seed: int, noise_deg: float = 1.0, loss: float = 0.2
) -> list[TrueGaze]:
    """Import what the trackers of child and caregiver record; their truth."""
    rng = np.random.default_rng(seed)
    people = [(who, min(k for k, v in film.categories.items() if v == who)) for who in ("child", "caregiver")]
    gazes = list(random_gaze(rng, people, film.frames, film.edges_s, size=film.size))
    for gaze in gazes:
        folder = store.parent / f"tracker {seed} {gaze.who} {loss}"
        tracked = track(rng, gaze, film.edges_s, noise_deg=noise_deg, loss=loss, size=film.size)
        write_tracker(folder, tracked, film.edges_s)
        import_gaze(folder, store, video_id=VIDEO, wearer=gaze.who)
    return gazes


def true_bouts(gaze: TrueGaze, film: FilmTruth) -> list[Bout]:
    """The true looks at objects and people, by category."""
    names = film.categories
    return [(names[k.track_id], k.begin_s, k.end_s) for k in gaze.looks if k.track_id is not None]


def found_bouts(store: Path, who: str) -> list[Bout]:
    """The looks that the product derived."""
    with open_store(store) as opened:
        codes = opened.codes(VIDEO)
    return [(c.label, c.begin_s, c.end_s) for c in codes if c.kind == "gaze" and c.participant == who]


def hits(found: Sequence[Bout], truth: Sequence[Bout]) -> int:
    """Bouts that match one to one: of one target, with begins at most :data:`ONSET_S` apart."""
    left = list(found)
    count = 0
    for name, begin, _ in truth:
        match = next((one for one in left if one[0] == name and abs(one[1] - begin) <= ONSET_S + 1e-9), None)
        if match is not None:
            left.remove(match)
            count += 1
    return count


def true_joint(first: Sequence[Bout], second: Sequence[Bout]) -> list[tuple[float, float]]:
    """Bouts of joint attention as they are defined: pauses of up to 1 s are none, then at least 0.5 s."""
    bouts: list[tuple[float, float]] = []
    for name in {one[0] for one in first}:
        parts = sorted((max(a[1], b[1]), min(a[2], b[2])) for a in first for b in second if a[0] == b[0] == name)
        parts = [part for part in parts if part[1] > part[0]]
        merged = parts[:1]
        for (_, end), (begin, last) in pairwise(parts):
            if begin - end <= JOINT_GAP_S:
                merged[-1] = (merged[-1][0], last)
            else:
                merged.append((begin, last))
        bouts += [part for part in merged if part[1] - part[0] >= JOINT_MIN_S]
    return sorted(bouts)


def found_joint(store: Path) -> list[tuple[float, float]]:
    """Bouts of joint attention by the product's language."""
    rows = query("joint_attention(child, caregiver)", store).rows
    spans = [(item.begin_s, item.end_s) for row in rows for item in row.evidence]
    return sorted((begin, end) for begin, end in spans if begin is not None and end is not None)


def largest_difference_s(found: Sequence[tuple[float, float]], truth: Sequence[tuple[float, float]]) -> float:
    """The largest difference of a begin or an end; infinite if there are more or fewer bouts."""
    if len(found) != len(truth):
        return float("inf")
    return max((abs(a - b) for one, two in zip(found, truth, strict=True) for a, b in zip(one, two)), default=0.0)  # noqa: B905
