"""A store of a child and a caregiver whose gaze, speech, naming and handling can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenes_builders import detection_table, frame_table, record

from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.store.writer import publish_video, write_codes

GAZE = [
    ("child", "ball", 1, 4),
    ("child", "ball", 10, 12),
    ("child", "cup", 20, 23),
    ("child", "caregiver", 30, 31),
    ("caregiver", "ball", 2, 5),
    ("caregiver", "ball", 9.5, 11),
    ("caregiver", "cup", 20, 22),
    ("caregiver", "child", 29, 30.5),
]
SPEECH = [
    ("child", "", 1, 2),
    ("child", "", 5, 6),
    ("child", "", 20, 21),
    ("caregiver", "", 2.5, 4),
    ("caregiver", "", 5.5, 7),
    ("caregiver", "", 40, 41),
]
NAMING = [
    ("caregiver", "ball", 2.5, 4),
    ("caregiver", "ball", 5.5, 7),
    ("caregiver", "ball", 55, 56),  # the ball is not in view
    ("caregiver", "cup", 40, 41),
]
SPANS = [(1, "child", 0, 600), (2, "caregiver", 100, 400), (3, "ball", 0, 500), (4, "cup", 0, 600)]
RELATIONS = [
    Relation(1, "holding", 3, 2.0, 6.0, 0.9),
    Relation(1, "holding", 4, 19.0, 21.0, 0.9),
    Relation(2, "holding", 3, 10.5, 11.5, 0.9),
    Relation(1, "in_contact", 2, 15.0, 20.0, 0.9),
]
EVENTS = [
    Event("e1", "approaches", (1, 2), 15.0, 15.1, 0.9),
    *(Event(f"p{n}", "picks_up", (1, 3), t, t + 0.1, 0.9) for n, t in enumerate((2.0, 3.0, 4.0, 8.0))),
]


def dyad_store(
    path: Path,
    *,
    videos: Sequence[str] = ("v",),
    gaze: Sequence[tuple[str, str, float, float]] = GAZE,
    speech: Sequence[tuple[str, str, float, float]] = SPEECH,
    naming: Sequence[tuple[str, str, float, float]] = NAMING,
) -> Path:
    """A store of equal videos of 60 s with codes of each kind."""
    kinds = {"gaze": gaze, "speech": speech, "naming": naming}
    codes = [
        Code(f"{kind}{n}", kind, kind, who, label, begin_s, end_s, "codes.eaf")
        for kind, rows in kinds.items()
        for n, (who, label, begin_s, end_s) in enumerate(rows)
    ]
    for video_id in videos:
        publish_video(
            path,
            record(video_id).model_copy(update={"n_frames": 600, "n_processed": 600, "duration_s": 60.0}),
            frames=frame_table(n=600),
            detections=detection_table(SPANS),
            tracks=[
                Track(
                    track,
                    name,
                    name if name in ("child", "caregiver") else None,
                    begin / 10,
                    end / 10,
                    end - begin,
                    0.9,
                )
                for track, name, begin, end in SPANS
            ],
            relations=RELATIONS,
            events=EVENTS,
        )
        if codes:
            write_codes(path, video_id, codes)
    return path
