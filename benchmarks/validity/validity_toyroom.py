"""Studies of ToyRoom children with a trained detector's own errors, from plan to corrected number as a user goes.

    python benchmarks/validity/validity_toyroom.py compose

Each study takes 12 of the children of ``validity_films.json`` with both their visits. The store holds what the detector
found in rendered frames; ``audit plan`` draws, ``audit export`` writes the tasks, the truth answers them,
``audit import`` reads the answers, ``correct`` corrects. Which children take part, and which frames and clips are
drawn, differs from study to study.

The visits of ``validity_films.json`` are whole videos where ``validity_films.py`` rendered them; its ``made`` says so.
``compose`` puts them together from pieces of 6 to 12 s of the five videos in ``validity_toyroom_errors.json`` instead:
truth and detections of a piece stay together, each child has its own mixture of the videos.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.run_lengths import find_runs, true_runs
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.layout import STORE_FILE
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import DetectorRecord, VideoRecord
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.measure_correction import correct
from visionllm_interaction.validity.audit.plan import plan_audit
from visionllm_interaction.validity.audit.population import clip_values
from visionllm_interaction.validity.audit.states import bouts
from visionllm_interaction.validity.audit.tasks import export_tasks

HERE = Path(__file__).parent
FILMS = HERE / "validity_films.json"
ERRORS = HERE / "validity_toyroom_errors.json"
FPS = 6.25
"""Frames a second of the films."""
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


def write_films(rows: Sequence[Mapping[str, object]], made: str) -> None:
    """Write the table of films, a line for each.

    Args:
        rows: ``video_id``, ``child``, ``age_months``, ``camera``, and lengths of runs of ``truth`` and ``detected``.
        made: how.
    """
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
    head = json.dumps({"made": made, "fps": FPS}, ensure_ascii=False)[1:-1]
    FILMS.write_text(f'{{{head}, "films": [\n{lines}\n]}}\n', encoding="utf-8")


def compose(children: int = 14, seconds: float = 40.0, seed: int = 900) -> None:
    """Put the visits of children together from pieces of five videos."""
    states = json.loads(ERRORS.read_text(encoding="utf-8"))["states"]
    near, holding, ball = (states[name] for name in ("child near caregiver", "child holding thing", "ball visible"))
    videos = [_columns_of(*three) for three in zip(near, holding, ball, strict=True)]
    rng, rows = np.random.default_rng(seed), []
    for child in range(children):
        mixture = rng.dirichlet(np.full(len(videos), 0.6))
        for age in (10, 16):
            columns = _pieces(videos, mixture, round(seconds * FPS), rng)
            named = {name: runs_of(column) for name, column in columns.items()}
            rows.append(
                {
                    "video_id": f"c{child + 1:02d}_{age}m",
                    "child": f"C{child + 1:02d}",
                    "age_months": age,
                    "camera": "640 × 480",
                    "truth": {name[6:]: runs for name, runs in named.items() if name.startswith("truth ")},
                    "detected": {name: runs for name, runs in named.items() if not name.startswith("truth ")},
                }
            )
    write_films(rows, "composed of pieces of five rendered videos (detector: AP 0.57)")


def _columns_of(
    near: Mapping[str, list[int]], holding: Mapping[str, list[int]], ball: Mapping[str, list[int]]
) -> Columns:
    """The columns of one video; every second frame of 12.5 a second."""
    long = {
        "truth near": near["truth"],
        "truth holding": holding["truth"],
        "truth ball": ball["truth"],
        "caregiver": near["known"],
        "ball": ball["detected"],
        "other": holding["known"],
        "near": near["detected"],
        "holding_other": holding["detected"],
    }
    columns = {name: _series(runs)[::2] for name, runs in long.items()}
    always = np.ones_like(columns["near"])
    return {**columns, "child": always, "holding_ball": ~always}


def _pieces(videos: Sequence[Columns], mixture: NDArray[np.float64], frames: int, rng: np.random.Generator) -> Columns:
    parts: list[Columns] = []
    while sum(len(part["near"]) for part in parts) < frames:
        video = videos[rng.choice(len(videos), p=mixture)]
        size = int(rng.uniform(6, 12) * FPS)
        begin = int(rng.integers(0, max(len(video["near"]) - size, 1)))
        parts.append({name: column[begin : begin + size] for name, column in video.items()})
    return {name: np.concatenate([part[name] for part in parts])[:frames] for name in parts[0]}


def runs_of(series: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs; the first is of False, and may be 0."""
    found = find_runs(series).lengths.tolist()
    return ([0] if series[0] else []) + found


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
    return made_record(
        film.video_id,
        duration_s=frames / FPS,
        fps=FPS,
        width=width,
        height=height,
        time_base="4/25",
        n_frames=frames,
        n_detections=detections,
        n_tracks=len(TRACKS),
        detector=detector,
        fingerprint=film.video_id,
    )


if __name__ == "__main__" and sys.argv[1:] == ["compose"]:
    compose()
