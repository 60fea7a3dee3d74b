"""A store of made-up videos that have everything: gaps, codes, every predicate and event, several detectors, roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scenes_builders import record

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.store.reader import publish_video, write_codes
from visionllm_interaction.store.video_record import DetectorRecord

CAST: tuple[tuple[str, str | None], ...] = (
    ("child", "child"),
    ("person", "caregiver"),
    ("person", None),
    ("ball", None),
    ("teddy bear", None),
    ("cup", None),
    ("cup", None),
    ("hand", None),
)
"""Category and role of the tracks 1, 2 …"""
SEARCHED = ("child", "person", "ball", "teddy bear", "cup", "hand", "car")
SPEAKERS = ("child", "caregiver", "Child", "grandma")
LABELS = ("ball", "Cup", " teddy bear ", "caregiver", "xyz")


def make_crowded_store(store: Path) -> Path:
    """Four videos: ``full``; ``plain`` without codes, places, cups; ``true`` with a tail not processed; ``coded``."""
    for seed, name in enumerate(("full", "plain", "true")):
        _publish(store, name, np.random.default_rng(seed))
    publish_video(
        store,
        record("coded", fingerprint="c"),
        frames=FrameTable.from_times(np.arange(5), np.arange(5) / 2, processed=np.zeros(5, dtype=bool)),
        detections=_detections(np.arange(0), np.zeros(0), [], np.random.default_rng(0)),
        tracks=[],
        relations=[],
        events=[],
    )
    write_codes(store, "coded", [Code("a", "gaze", "gaze", "caregiver", "ball", 1.0, 2.0, "x")])
    return store


def _publish(store: Path, name: str, rng: np.random.Generator) -> None:
    times = np.cumsum(rng.choice([0.04, 0.1, 0.125], 150))
    processed = rng.random(len(times)) > 0.05
    processed[40:50] = False
    if name == "true":
        processed[100:] = False
    frames = FrameTable.from_times(np.arange(len(times)), times - times[0], processed=processed)
    length = float(times[-1])
    spans = [tuple(sorted(rng.uniform(0, length, 4).tolist())) for _ in CAST]
    numbers = [n for n, (category, _) in enumerate(CAST, start=1) if name != "plain" or category != "cup"]
    detections = _detections(frames.frame_index, frames.timestamp_s, [(n, spans[n - 1]) for n in numbers], rng)
    tracks = [Track(n, CAST[n - 1][0], CAST[n - 1][1], min(spans[n - 1]), max(spans[n - 1]), 9, 0.9) for n in numbers]
    about = record(name).model_copy(
        update={
            "detector": DetectorRecord(
                kind="truth" if name == "true" else "none",
                name="made",
                digest="0",
                categories=tuple(c for c in SEARCHED if name != "plain" or c != "cup"),
            ),
            "roles": {"1": "child"} if name == "full" else {},
            "config": {"scenes": {"relations": {"placement": False}}} if name == "plain" else {},
        }
    )
    publish_video(
        store,
        about,
        frames=frames,
        detections=detections,
        tracks=tracks,
        relations=sorted(_relations(numbers, length, rng, placement=name != "plain"), key=lambda r: r.begin_s),
        events=sorted(_events(numbers, length, rng), key=lambda e: e.begin_s),
    )
    if name != "plain":
        write_codes(store, name, list(_codes(length, rng, kinds=("speech",) if name == "true" else ())))


def _detections(
    index: np.ndarray, times: np.ndarray, spans: list[tuple[int, tuple[float, ...]]], rng: np.random.Generator
) -> DetectionTable:
    rows = sorted(
        (int(frame), number)
        for number, (a, b, c, d) in spans
        for frame, at in zip(index.tolist(), times.tolist(), strict=True)
        if (a <= at < b or c <= at < d) and rng.random() > 0.05
    )
    n = len(rows)
    frame_index = np.array([frame for frame, _ in rows], dtype=np.int64)
    corner = rng.uniform((-40, -40), (560, 420), (n, 2))
    size = rng.uniform(5, 200, (n, 2))
    return DetectionTable(
        frame_index,
        times[frame_index],
        np.array([CAST[number - 1][0] for _, number in rows], dtype=object),
        np.full(n, 0.9, np.float32),
        np.concatenate([corner, corner + size], axis=1).astype(np.float32),
        np.array([number for _, number in rows], dtype=np.int64),
    )


def _relations(numbers: list[int], length: float, rng: np.random.Generator, *, placement: bool) -> Iterator[Relation]:
    people = [n for n in numbers if n <= 3]
    # Predicates that came later would draw other numbers for those behind them, and the scene is pinned.
    directed = [name for name in DIRECTED_PREDICATES if name != "hand_on"] if placement else []
    for predicate in (*PREDICATES, *directed):
        for person in people:
            for other in (n for n in numbers if n > person):
                if predicate == "holding" and other <= 3:
                    continue
                a, b = (other, person) if predicate == "inside" else (person, other)
                edges = np.sort(rng.uniform(0, length, 2 * int(rng.integers(0, 4)))).tolist()
                for begin, end in zip(edges[::2], edges[1::2], strict=True):
                    yield Relation(a, predicate, b, begin, end, 0.9)


def _events(numbers: list[int], length: float, rng: np.random.Generator) -> Iterator[Event]:
    for place in range(60):
        kind = EVENT_KINDS[place % len(EVENT_KINDS)]
        n_actors = {"enters": 1, "leaves": 1, "hands_over": 3, "joint_handling": 3}.get(kind, 2)
        people = rng.permutation([n for n in numbers if n <= 3]).tolist()
        things = rng.permutation([n for n in numbers if n > 3]).tolist()
        actors = (people[0], *((people[1], things[0]) if n_actors == 3 else (things[0],)))[:n_actors]
        if kind in ("approaches", "withdraws"):
            actors = (people[0], people[1])
        begin = float(rng.uniform(0, length - 1))
        yield Event(f"e{place}", kind, actors, begin, begin + (float(rng.exponential(0.6)) if place % 3 else 0.0), 0.9)


def _codes(length: float, rng: np.random.Generator, *, kinds: tuple[str, ...]) -> Iterator[Code]:
    for place in range(80):
        kind = ("speech", "speech", "gaze", "naming", "code")[place % 5]
        if kinds and kind not in kinds:
            continue
        begin = float(rng.uniform(0, length - 1))
        end = begin + (0.0 if place % 17 == 0 else float(rng.exponential(0.5)))
        label = LABELS[int(rng.integers(len(LABELS)))] if kind in ("gaze", "naming") else "da ba"
        who = SPEAKERS[int(rng.integers(len(SPEAKERS) if place % 2 else 2))]
        yield Code(f"c{place}", kind, kind, who, label, begin, end, "made.eaf")
