"""Small studies with known truth: units with an audit, and a store of several children with a detector that errs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scenes_builders import FPS, detection_table, frame_table, record

from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.validity.estimation.audited_units import Units, simple_units


def random_study(
    rng: np.random.Generator,
    *,
    children: int = 8,
    frames: int = 300,
    labels: int = 40,
    shares: np.ndarray | None = None,
    sensitivity: float = 0.7,
    false_alarms: float = 0.2,
    missing: tuple[float, float] = (0.0, 0.0),
    covariates: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
) -> tuple[Units, float]:
    """Units and their true share; ``missing`` is the chance of *no label* for yes and for no."""
    share = rng.beta(2, 5, children) if shares is None else shares
    truth = rng.random((children, frames)) < share[:, None]
    seen = (rng.random(truth.shape) < np.where(truth, sensitivity, false_alarms)).astype(float)
    seen[rng.random(truth.shape) < np.where(truth, *missing)] = np.nan
    human = np.full(truth.shape, np.nan)
    human[:, :labels] = truth[:, :labels]
    child = np.repeat([f"c{n:02d}" for n in range(children)], frames)
    found = covariates(np.repeat(np.arange(children), frames)) if covariates else {}
    return simple_units(child, seen.ravel(), human.ravel(), covariates=found), float(truth.mean())


CHILD_VIDEOS = {"v1": ("C1", 10, "young"), "v2": ("C1", 16, "old"), "v3": ("C2", 11, "young"), "v4": ("C2", 20, "old")}
TRUE_NEAR_S = {"v1": (1.0, 4.0), "v2": (2.0, 9.0), "v3": (0.0, 3.0), "v4": (4.0, 9.5)}
"""When the child is truly near the caregiver."""


def child_store(store: Path) -> Path:
    """Four videos of two children, 10 s at 10 fps; the detector finds *near* 0.5 s late, and a false bout at 9.6 s."""
    for video_id, (child, age, group) in CHILD_VIDEOS.items():
        begin, end = TRUE_NEAR_S[video_id]
        publish_video(
            store,
            record(video_id),
            frames=frame_table(),
            detections=detection_table([(1, "child", 0, 100), (2, "caregiver", 0, 98)]),
            tracks=[
                Track(1, "child", "child", 0.0, 10.0, 100, 0.9),
                Track(2, "caregiver", "caregiver", 0.0, 9.8, 98, 0.9),
            ],
            relations=[Relation(1, "near", 2, begin + 0.5, end, 0.9), Relation(1, "near", 2, 9.6, 9.8, 0.5)],
            events=[],
        )
        write_covariates(store, video_id, {"child": child, "age_months": age, "group": group})
    return store


def is_near(video_id: str, time_s: float) -> bool:
    """The truth at a moment."""
    begin, end = TRUE_NEAR_S[video_id]
    return begin <= time_s + 0.5 / FPS < end


def answer_csv(tasks: Path, done: Path) -> Path:
    """Fill exported tasks of frames with the truth."""
    rows = list(csv.DictReader(io.StringIO(tasks.read_text(encoding="utf-8"))))
    for row in rows:
        row["answer"] = "yes" if is_near(row["unit_id"].split(":")[0], float(row["begin_s"])) else "no"
    with done.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return done
