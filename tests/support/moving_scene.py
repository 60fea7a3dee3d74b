"""A small scene whose relations and events follow from its boxes, in a store; ids of tracks can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.bodies import BodyTables, HandRow, PoseRow
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, QualityRow
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.interactions.postures import find_postures
from visionllm_interaction.interactions.relations_and_events import find_interactions
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import BodiesRecord, ReturnGuess, SourceFile, VideoRecord
from visionllm_interaction.video.tracking.postprocess import summarise_tracks
from visionllm_interaction.video.tracking.roles import CATEGORY_ROLES

FPS = 10.0
N = 200
"""Frames: 20 s."""
SIZE = (640, 480)
CHILD, CAREGIVER, BALL, CUP = 1, 2, 3, 4
CATEGORIES = {CHILD: "child", CAREGIVER: "caregiver", BALL: "ball", CUP: "cup"}
BEGINS_S, ENDS_S = 5.0, 12.0
"""The ball is with the child from one to the other; the cup then is with the caregiver all the time."""


def scene_boxes() -> dict[int, dict[int, tuple[float, float, float, float]]]:
    """Track → frame → box: a child at the left, a caregiver at the right, a ball that comes to the child and goes."""
    found: dict[int, dict[int, tuple[float, float, float, float]]] = {CHILD: {}, CAREGIVER: {}, BALL: {}, CUP: {}}
    for frame in range(N):
        found[CHILD][frame] = (60.0, 200.0, 140.0, 400.0)
        found[CAREGIVER][frame] = (480.0, 100.0, 580.0, 420.0)
        with_child = BEGINS_S * FPS <= frame < ENDS_S * FPS
        x = 150.0 if with_child else 320.0
        found[BALL][frame] = (x, 360.0, x + 30.0, 390.0)
        if 20 <= frame < 180:
            found[CUP][frame] = (440.0, 300.0, 470.0, 330.0)
    return found


def scene_table(ids: Mapping[int, int] | None = None, leave_out: frozenset[int] = frozenset()) -> DetectionTable:
    """The scene's detections; ``ids`` renames tracks, ``leave_out`` drops some."""
    names = ids or {}
    rows = [
        (frame, names.get(track, track), CATEGORIES[track], box)
        for track, boxes in scene_boxes().items()
        if track not in leave_out
        for frame, box in boxes.items()
    ]
    return table_of(rows)


def table_of(rows: list[tuple[int, int, str, tuple[float, float, float, float]]]) -> DetectionTable:
    """Detections of (frame, track, category, box)."""
    rows = sorted(rows, key=lambda row: (row[0], row[1]))
    frames = np.array([row[0] for row in rows], np.int64)
    return DetectionTable(
        frames,
        frames / FPS,
        np.array([row[2] for row in rows], object),
        np.full(len(rows), 0.9, np.float32),
        np.array([row[3] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], np.int64),
    )


LATER = 9
"""The child's track after an absence, in :func:`publish_return`."""


def publish_return(store: Path, video_id: str = "a", *, source: SourceFile | None = None) -> None:
    """The scene with a child that is away from 5 to 8 s and then has another track, which looks alike."""
    rows = []
    for track, boxes in scene_boxes().items():
        for frame, box in boxes.items():
            if track == CHILD and 50 <= frame < 80:
                continue
            rows.append((frame, LATER if track == CHILD and frame >= 80 else track, CATEGORIES[track], box))
    guess = ReturnGuess(track_id=LATER, former_track_id=CHILD, begin_s=8.0, former_end_s=5.0, distance=0.02)
    publish_scene(store, video_id, table=table_of(rows), source=source, returns=(guess,))


def scene_frames() -> FrameTable:
    """All frames, each processed."""
    index = np.arange(N)
    return FrameTable.from_times(index, index / FPS, processed=np.ones(N, bool))


def publish_scene(
    store: Path,
    video_id: str = "a",
    *,
    table: DetectionTable | None = None,
    analysis: str = "first",
    bodies: BodyTables | None = None,
    source: SourceFile | None = None,
    frames: FrameTable | None = None,
    quality: Sequence[QualityRow] | None = None,
    returns: tuple[ReturnGuess, ...] = (),
) -> None:
    """Publish the scene as an analysis would: tracks, relations and events follow from the detections."""
    detections = scene_table() if table is None else table
    frames = scene_frames() if frames is None else frames
    tracks: list[Track] = summarise_tracks(detections, frames, roles=CATEGORY_ROLES)
    hands = None if bodies is None else bodies.hands
    found = find_interactions(detections, frames, tracks, size_px=SIZE, hands=hands)
    publish_video(
        store,
        _record(video_id, analysis, tracks, len(detections), bodies).model_copy(
            update={"returns": returns} | ({} if source is None else {"source": source})
        ),
        frames=frames,
        detections=detections,
        tracks=tracks,
        relations=found.relations,
        events=found.events,
        bodies=bodies,
        quality=quality,
    )


def write_scene_video(path: Path) -> SourceFile:
    """The scene as a film of coloured boxes, H.264 in MP4."""
    import av

    colours = {CHILD: (214, 110, 40), CAREGIVER: (60, 130, 190), BALL: (190, 60, 140), CUP: (60, 150, 90)}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=int(FPS))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        boxes = scene_boxes()
        for frame in range(N):
            picture = np.full((SIZE[1], SIZE[0], 3), 228, np.uint8)
            for track, own in boxes.items():
                if frame in own:
                    x1, y1, x2, y2 = (int(side) for side in own[frame])
                    picture[y1:y2, x1:x2] = colours[track]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return SourceFile(path=str(path), name=path.name, sha256="0" * 64, bytes=path.stat().st_size)


def scene_bodies() -> BodyTables:
    """A right hand of the child on the ball while it is there, and poses of both people: he sits, she stands."""
    hands, poses = [], []
    points = np.zeros((33, 2), np.float32)
    for frame in range(N):
        at = frame, frame / FPS
        poses.append(PoseRow(*at, CHILD, 0.9, "sitting", points, np.ones(33, np.float32)))
        poses.append(PoseRow(*at, CAREGIVER, 0.9, "standing", points, np.ones(33, np.float32)))
        if BEGINS_S * FPS <= frame < ENDS_S * FPS:
            box = np.array([140, 355, 160, 375], np.float32)
            hands.append(HandRow(*at, CHILD, "right", 0.9, box, np.tile(box[:2], (21, 1))))
    return BodyTables(hands=tuple(hands), poses=tuple(poses), postures=tuple(find_postures(poses, scene_frames())))


def _record(video_id: str, analysis: str, tracks: list[Track], n: int, bodies: BodyTables | None) -> VideoRecord:
    return made_record(
        video_id,
        duration_s=N / FPS,
        fps=FPS,
        categories=tuple(CATEGORIES.values()),
        width=SIZE[0],
        height=SIZE[1],
        n_frames=N,
        n_detections=n,
        n_tracks=len(tracks),
        roles=dict(CATEGORY_ROLES),
        bodies=None if bodies is None else BodiesRecord(finds=("hands", "pose"), models={}),
        fingerprint=analysis,
    )
