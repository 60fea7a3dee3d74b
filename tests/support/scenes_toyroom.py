"""A ToyRoom video's truth, and what is found from boxes held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scenes_scoring import Bout, Moment, Score, match_bouts, match_moments

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation
from visionllm_interaction.interactions.events import find_events
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.video.tracking.detections_file import load_truth
from visionllm_interaction.video.tracking.postprocess import summarise_tracks
from visionllm_interaction.video.tracking.roles import resolve_roles

PREDICATES = ("near", "in_contact", "holding")
EVENTS = ("enters", "leaves", "picks_up", "puts_down", "hands_over")
"""The kinds that the script tells of; approaches, withdraws and joint handling follow from relations."""


def new_scores() -> dict[str, Score]:
    """One score per predicate, and one for all events."""
    return {name: Score() for name in (*PREDICATES, "events")}


def load_room(path: Path) -> tuple[dict[str, Any], FrameTable, DetectionTable]:
    """The truth beside the video at ``path``: all of it, its frames, its boxes."""
    truth_path = path.parent / "truth.json"
    truth = json.loads(truth_path.read_text())
    times = np.array([f["timestamp_s"] for f in truth["frames"]])
    frames = FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), bool))
    return truth, frames, load_truth(truth_path, frames, min_visible=0.0)


def symbols_of(
    boxes: DetectionTable, frames: FrameTable, size_px: tuple[int, int]
) -> tuple[list[Relation], list[Event]]:
    """Relations and events with the default settings."""
    tracks = summarise_tracks(boxes, frames, roles=resolve_roles({}))
    relations = find_relations(boxes, frames, tracks)
    return relations, find_events(boxes, frames, tracks, relations=relations, size_px=size_px)


def score_room(
    truth: Mapping[str, Any],
    frames: FrameTable,
    boxes: DetectionTable,
    scores: Mapping[str, Score],
    *,
    ids: Mapping[int, int],
) -> list[tuple[Bout, Bout]]:
    """Add what ``boxes`` give to ``scores``; ``ids``: found track id → true one. Returns the bouts that match."""
    relations, events = symbols_of(boxes, frames, (truth["width"], truth["height"]))
    pairs = []
    for predicate in PREDICATES:
        found = [
            bout_of(ids.get(r.subject_track_id, -9), predicate, ids.get(r.object_track_id, -9), r.begin_s, r.end_s)
            for r in relations
            if r.predicate == predicate
        ]
        true = true_bouts(truth, predicate)
        matched = match_bouts(found, true)
        scores[predicate].add(len(matched), len(found), len(true))
        pairs += matched
    moments: list[Moment] = [
        (e.kind, tuple(ids.get(i, -9) for i in e.track_ids), e.begin_s) for e in events if e.kind in EVENTS
    ]
    real: list[Moment] = [(e["kind"], tuple(e["track_ids"]), e["begin_s"]) for e in truth["events"]]
    scores["events"].add(len(match_moments(moments, real)), len(moments), len(real))
    return pairs


def true_bouts(truth: Mapping[str, Any], predicate: str) -> list[Bout]:
    """The scripted bouts of one predicate."""
    return [
        bout_of(r["subject_track_id"], predicate, r["object_track_id"], r["begin_s"], r["end_s"])
        for r in truth["relations"]
        if r["predicate"] == predicate
    ]


def bout_of(one: int, predicate: str, other: int, begin_s: float, end_s: float) -> Bout:
    """A bout, lower id first: found ids come in another order than true ones, so who is the subject may differ."""
    return (min(one, other), predicate, max(one, other), begin_s, end_s)
