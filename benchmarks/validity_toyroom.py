"""Studies of ToyRoom children with a trained detector's own errors, from plan to corrected number as a user goes.

Each study takes 12 of the children of ``validity_films.json`` with both their visits. The store holds what the detector
found in the rendered frames; ``audit plan`` draws, ``audit export`` writes the tasks, ``truth.json`` answers them,
``audit import`` reads the answers, ``correct`` corrects. Rendered, detected and true are real here; which children take
part, and which frames and clips are drawn, differs from study to study.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.interactions import Relation, Track
from visionllm_interaction.core.run_lengths import true_runs
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.layout import STORE_FILE
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile, VideoRecord
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.measure_correction import correct
from visionllm_interaction.validity.audit.plan import plan_audit
from visionllm_interaction.validity.audit.population import clip_values
from visionllm_interaction.validity.audit.states import bouts
from visionllm_interaction.validity.audit.tasks import export_tasks

FILMS = Path(__file__).parent / "validity_films.json"
FPS = 5.0
CHILDREN = 12
CLIP_S = 8.0
TRACKS = {1: "child", 2: "caregiver", 3: "ball", 4: "block"}
"""Tracks of a study's store; the last one stands for every object that is no ball."""
Columns = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Film:
    """One visit of one child.

    Attributes:
        video_id: in stores.
        child: which child.
        age_months: 10 or 16.
        camera: width × height in pixels.
        truth: state → (T,) whether it holds by ``truth.json``.
        detected: name or state → (T,) whether it is seen, or holds, as detected.
    """

    video_id: str
    child: str
    age_months: int
    camera: str
    truth: Columns
    detected: Columns


def load_films() -> tuple[Film, ...]:
    """The films as they were measured."""
    content = json.loads(FILMS.read_text(encoding="utf-8"))
    return tuple(
        Film(
            row["video_id"],
            row["child"],
            row["age_months"],
            row["camera"],
            {name: _series(runs) for name, runs in row["truth"].items()},
            {name: _series(runs) for name, runs in row["detected"].items()},
        )
        for row in content["films"]
    )


def _series(runs: list[int]) -> NDArray[np.bool_]:
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


@dataclass(frozen=True)
class Question:
    """One measure that studies correct.

    Attributes:
        measure: its name.
        state: its column in the films' truth.
        options: of ``audit plan``.
        bouts: whether bouts are counted, in clips.
    """

    measure: str
    state: str
    options: Mapping[str, object]
    bouts: bool = False


_NEAR = {"subject": "child", "object": "caregiver"}
QUESTIONS = (
    Question("near_duration", "near", {**_NEAR, "labels": 300}),
    Question("bout_count", "near", {**_NEAR, "predicate": "near", "clip_s": CLIP_S, "labels": 60}, bouts=True),
    Question("holding_duration", "holding", {"subject": "child", "object": "thing", "labels": 300}),
    Question("visible_share", "ball", {"subject": "ball", "labels": 300}),
)


def studies(question: Question, seed: int, count: int) -> dict[str, float]:
    """How often the intervals of ``count`` studies hold the truth.

    Args:
        question: what is measured.
        seed: of children and audits.
        count: number of studies.

    Returns:
        Studies with the truth in the corrected and in the naive interval, and sums of widths.
    """
    films, rng = load_films(), np.random.default_rng(seed)
    of_child = {child: [film for film in films if film.child == child] for child in sorted({f.child for f in films})}
    found = dict.fromkeys(("corrected", "as detected", "audit only", "width", "audit width"), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder) / "pool"
        for film in films:
            publish_film(pool, film)
        for number in range(count):
            chosen = rng.choice(sorted(of_child), CHILDREN, replace=False)
            taken = [film for child in sorted(chosen) for film in of_child[child]]
            place = Path(folder) / f"study{number}"
            _store_of(place / "store", pool, taken)
            one = _study(question, place, taken, int(rng.integers(2**31)))
            for name, value in one.items():
                found[name] += value
    return found


def _study(question: Question, place: Path, films: Sequence[Film], seed: int) -> dict[str, float]:
    plan_audit(question.measure, place / "store", place / "audit", seed=seed, **question.options)  # type: ignore[arg-type]
    tasks = export_tasks(place / "audit", place / "tasks", format="csv").files[0]
    truths = {film.video_id: film.truth[question.state] for film in films}
    import_labels(place / "audit", answer(tasks, truths, clips=question.bouts), coder="truth")
    [row] = correct(question.measure, place / "audit").estimates
    truth = true_value(question, films)
    estimates = {estimate.kind: estimate for estimate in (row.naive, row.audit_only, row.corrected)}
    found = {kind: float(_covers(estimate.interval, truth)) for kind, estimate in estimates.items()}
    widths = {"width": row.corrected.interval, "audit width": row.audit_only.interval}
    return found | {name: (i.high or 0.0) - (i.low or 0.0) for name, i in widths.items()}


def true_value(question: Question, films: Iterable[Film]) -> float:
    """The truth of a study, in the unit of its result: bouts, a share, or seconds."""
    series = [film.truth[question.state] for film in films]
    if question.bouts:
        return float(sum(len(bouts(true_runs(one) / FPS)) for one in series))
    frames = np.concatenate(series)
    return float(frames.mean()) if question.measure == "visible_share" else float(frames.sum() / FPS)


def _covers(interval: object, truth: float) -> bool:
    low, high = interval.low, interval.high  # type: ignore[attr-defined]
    return low is not None and low <= truth <= high


def answer(tasks: Path, truths: Mapping[str, NDArray[np.bool_]], *, clips: bool = False) -> Path:
    """Fill exported tasks with the truth.

    Args:
        tasks: the exported CSV.
        truths: video → (T,) whether the state holds in each frame.
        clips: whether the tasks are clips.

    Returns:
        The filled file.
    """
    rows = list(csv.DictReader(io.StringIO(tasks.read_text(encoding="utf-8"))))
    for row in rows:
        series = truths[row["unit_id"].split(":")[0]]
        if clips:
            seconds, count = clip_values(
                true_runs(series) / FPS, begin_s=float(row["begin_s"]), end_s=float(row["end_s"])
            )
            row["seconds"], row["bouts"] = f"{seconds:.3f}", str(count)
        else:
            row["answer"] = "yes" if series[int(row["unit_id"].split(":f")[1])] else "no"
    done = tasks.with_name("done.csv")
    with done.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return done


def _store_of(store: Path, pool: Path, films: Iterable[Film]) -> None:
    """A store of some videos of the pool."""
    (store / "videos").mkdir(parents=True)
    (store / STORE_FILE).write_bytes((pool / STORE_FILE).read_bytes())
    for film in films:
        (store / "videos" / film.video_id).symlink_to(pool / "videos" / film.video_id)


def publish_film(store: Path, film: Film) -> None:
    """Write what the detector found in a film into a store, a track for each name."""
    seen = {number: film.detected["other" if name == "block" else name] for number, name in TRACKS.items()}
    count = len(seen[1])
    index = np.arange(count)
    at = np.concatenate([index[of] for of in seen.values()])
    who = np.concatenate([np.full(int(of.sum()), number) for number, of in seen.items()])
    order = np.lexsort((who, at))
    at, who = at[order], who[order]
    names = np.array([TRACKS[number] for number in who.tolist()], object)
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (len(at), 1))
    relations = [
        Relation(1, predicate, other, float(begin), float(end), 0.9)
        for name, predicate, other in (
            ("near", "near", 2),
            ("holding_ball", "holding", 3),
            ("holding_other", "holding", 4),
        )
        for begin, end in true_runs(film.detected[name]) / FPS
    ]
    publish_video(
        store,
        _record(film, count, len(at)),
        frames=FrameTable.from_times(index, index / FPS, processed=np.ones(count, np.bool_)),
        detections=DetectionTable(at, at / FPS, names, np.full(len(at), 0.9, np.float32), boxes, who),
        tracks=[
            Track(number, TRACKS[number], TRACKS[number], float(at_[0]) / FPS, float(at_[-1] + 1) / FPS, len(at_), 0.9)
            for number, of in seen.items()
            if len(at_ := np.flatnonzero(of))
        ],
        relations=sorted(relations, key=lambda r: (r.begin_s, r.object_track_id)),
        events=[],
    )
    covariates = {"child": film.child, "age_months": film.age_months, "camera": film.camera}
    write_covariates(store, film.video_id, {**covariates, "group": f"{film.age_months} months"})


def _record(film: Film, frames: int, detections: int) -> VideoRecord:
    width, height = (int(side) for side in film.camera.split(" × "))
    detector = DetectorRecord(
        kind="checkpoint", name="fasterrcnn_best.pt", digest="toyroom", categories=tuple(TRACKS.values())
    )
    return VideoRecord(
        video_id=film.video_id,
        source=SourceFile(path=f"/videos/{film.video_id}.mp4", name=f"{film.video_id}.mp4", sha256="0" * 64, bytes=1),
        width=width,
        height=height,
        rotation_deg=0,
        duration_s=frames / FPS,
        fps=FPS,
        time_base="1/5",
        container="mov,mp4",
        codec="h264",
        n_frames=frames,
        n_processed=frames,
        n_detections=detections,
        n_tracks=len(TRACKS),
        view="room",
        detector=detector,
        roles={},
        config={},
        versions={},
        fingerprint=film.video_id,
        created_at="2026-01-01T00:00:00+00:00",
    )
