"""One frame as a scene graph, one video as a timeline: JSON with a published schema (``docs/schemas/``).

Scene graphs after Johnson et al. (2015), Image retrieval using scene graphs: nodes are objects, edges predicates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel


class _DocumentModel(DescribedModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(_DocumentModel):
    """A person or object in a frame."""

    track_id: int
    category: str
    role: str | None
    """`child`, `caregiver` or null."""
    box_xyxy: tuple[float, float, float, float]
    """Left, upper, right, lower edge in pixels."""
    confidence: float = Field(ge=0.0, le=1.0)
    interpolated: bool
    """Whether the box was interpolated between two sightings."""


class Edge(_DocumentModel):
    """A predicate that holds in a frame."""

    subject_track_id: int
    predicate: str
    object_track_id: int


class SceneGraph(_DocumentModel):
    """The people and objects of one frame, and the predicates that hold between them."""

    kind: Literal["visionllm scene graph"] = "visionllm scene graph"
    schema_version: Literal[1] = 1
    video_id: str
    frame_index: int = Field(ge=0)
    timestamp_s: float
    processed: bool
    """False: no detector processed the frame, which is not the same as nothing seen."""
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class TimelineTrack(_DocumentModel):
    """A person or object tracked through the video."""

    track_id: int
    category: str
    role: str | None
    begin_s: float
    end_s: float
    n_detections: int
    mean_confidence: float
    seen_s: tuple[tuple[float, float], ...]
    """Intervals [begin, end) of consecutive processed frames in which it is seen."""


class TimelineRelation(Edge):
    """A predicate that holds from `begin_s` until before `end_s`."""

    begin_s: float
    end_s: float
    confidence: float


class TimelineEvent(_DocumentModel):
    """Something that happened."""

    event_id: str
    kind: str
    track_ids: tuple[int, ...]
    """The actor first."""
    begin_s: float
    end_s: float
    confidence: float


class TimelineCode(_DocumentModel):
    """An interval coded by a person."""

    code_id: str
    tier: str
    kind: str
    participant: str
    label: str
    begin_s: float
    end_s: float
    source: str


class TimelineDocument(_DocumentModel):
    """Everything known about one video. Times are seconds of its own time stamps, intervals half-open."""

    kind: Literal["visionllm timeline"] = "visionllm timeline"
    schema_version: Literal[1] = 1
    video_id: str
    name: str
    width: int
    height: int
    duration_s: float
    processed_s: float
    """Processed seconds: the denominator of shares and rates."""
    tracks: tuple[TimelineTrack, ...]
    relations: tuple[TimelineRelation, ...]
    events: tuple[TimelineEvent, ...]
    codes: tuple[TimelineCode, ...]


def scene_graph(store: Store, video_id: str, frame_index: int) -> SceneGraph:
    """Build the scene graph of one frame.

    Args:
        store: the open store.
        video_id: the video.
        frame_index: index of the frame, from 0.

    Returns:
        Tracked people and objects with their boxes (xyxy, pixels), and the predicates that hold.

    Raises:
        UsageError: if the video has no such frame.
        StoreError: if the video is not in the store.
    """
    frames = store.frames(video_id)
    rows = frames.filter(pc.equal(frames["frame_index"], frame_index)).to_pylist()
    if not rows:
        raise UsageError("The video has no such frame.", expected=f"0 to {len(frames) - 1}", found=str(frame_index))
    at_s = rows[0]["timestamp_s"]
    roles = {track.track_id: track.role for track in store.tracks(video_id)}
    found = store.detections(video_id)
    found = found.filter(pc.equal(found["frame_index"], frame_index))
    nodes = tuple(
        Node(
            track_id=row["track_id"],
            category=row["category"],
            role=roles.get(row["track_id"]),
            box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
            confidence=row["confidence"],
            interpolated=row["interpolated"],
        )
        for row in found.to_pylist()
        if row["track_id"] != UNTRACKED
    )
    edges = tuple(
        Edge(subject_track_id=r.subject_track_id, predicate=r.predicate, object_track_id=r.object_track_id)
        for r in store.relations(video_id)
        if r.begin_s - 1e-9 <= at_s < r.end_s - 1e-9
    )
    return SceneGraph(
        video_id=video_id,
        frame_index=frame_index,
        timestamp_s=at_s,
        processed=rows[0]["processed"],
        nodes=nodes,
        edges=edges,
    )


def timeline_document(store: Store, video_id: str) -> TimelineDocument:
    """Build the timeline of one video.

    Args:
        store: the open store.
        video_id: the video.

    Returns:
        Tracks, relations, events and codes; times in seconds.

    Raises:
        StoreError: if the video is not in the store.
    """
    record, frames, seen = store.video(video_id), store.frames(video_id), store.sightings(video_id)
    processed = frames.filter(frames["processed"])
    return TimelineDocument(
        video_id=video_id,
        name=record["source"]["name"],
        width=record["width"],
        height=record["height"],
        duration_s=record["duration_s"],
        processed_s=pc.sum(processed["duration_s"]).as_py() or 0.0,
        tracks=tuple(
            TimelineTrack(**asdict(track), seen_s=tuple(seen.get(track.track_id, ())))
            for track in store.tracks(video_id)
        ),
        relations=tuple(TimelineRelation(**asdict(relation)) for relation in store.relations(video_id)),
        events=tuple(TimelineEvent(**asdict(event)) for event in store.events(video_id)),
        codes=tuple(TimelineCode(**asdict(code)) for code in store.codes(video_id)),
    )


CHARACTERS_PER_TOKEN = 2.5
"""Few enough for any tokenizer on lines of names and numbers (they take 2.5 to 4)."""


def brief(timeline: TimelineDocument, *, max_tokens: int) -> str:
    """Summarise a timeline in short lines of text.

    Video and tracks come first, then events, then bouts of relations and codes, the longest first.

    Args:
        timeline: everything known about a video.
        max_tokens: longest summary in tokens, estimated by :data:`CHARACTERS_PER_TOKEN`.

    Returns:
        The summary. Its last line says how many lines were left out; it is empty if not even the first one fits.
    """
    room = int(max_tokens * CHARACTERS_PER_TOKEN)
    lines = list(_lines(timeline))
    kept: list[str] = []
    used = 0
    for number, line in enumerate(lines):
        rest = len(lines) - number - 1
        last = len(_left_out(rest)) + 1 if rest else 0
        if used + len(line) + 1 + last > room:
            note = _left_out(len(lines) - number)
            return "\n".join([*kept, note]) if used + len(note) <= room else "\n".join(kept)
        kept.append(line)
        used += len(line) + 1
    return "\n".join(kept)


def _left_out(count: int) -> str:
    return f"({count} lines left out)"


def _lines(timeline: TimelineDocument) -> Iterator[str]:
    names = {track.track_id: f"{track.role or track.category}#{track.track_id}" for track in timeline.tracks}
    yield f"video {timeline.video_id}: {timeline.duration_s:.1f} s, looked at {timeline.processed_s:.1f} s"
    for track in timeline.tracks:
        seen_s = sum(end_s - begin_s for begin_s, end_s in track.seen_s)
        yield f"{names[track.track_id]} {track.category} {track.begin_s:.1f}-{track.end_s:.1f} seen {seen_s:.1f} s"
    for event in timeline.events:
        yield f"{event.begin_s:.1f} {event.kind} {' '.join(names[i] for i in event.track_ids)}"
    bouts = [
        (r.begin_s, r.end_s, f"{names[r.subject_track_id]} {r.predicate} {names[r.object_track_id]}")
        for r in timeline.relations
    ]
    bouts += [(c.begin_s, c.end_s, f"{c.participant} {c.kind}: {c.label}") for c in timeline.codes]
    for begin_s, end_s, text in sorted(bouts, key=lambda bout: (bout[0] - bout[1], bout[0], bout[2])):
        yield f"{begin_s:.1f}-{end_s:.1f} {text}"
