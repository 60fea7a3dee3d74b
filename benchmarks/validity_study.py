"""A whole study of 12 ToyRoom children at two ages: store, audit, two coders, agreement, report.

    python benchmarks/validity_study.py OUT

Every child has two videos of two minutes, put together from ToyRoom videos and what a trained detector found in them
(``validity_toyroom.py``). Labels are the truth; the second coder errs in 4 % of them.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
from validity_toyroom import FPS, child_recording, load

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.core.interactions import Relation, Track
from visionllm_interaction.core.run_lengths import true_runs
from visionllm_interaction.interop.formats.elan import eaf_bytes
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile, VideoRecord
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.plan import plan_audit
from visionllm_interaction.validity.audit.tasks import export_tasks
from visionllm_interaction.validity.report.write import write_study_report

FRAMES = 1500
STATE = "child near caregiver"


def main(out: Path) -> None:
    rng, videos = np.random.default_rng(0), load()[STATE]
    store, truths = out / "store", {}
    for child in range(12):
        for age in (10, 16):
            name = f"c{child + 1:02d}_{age}m"
            truth, seen, known = (column[:FRAMES] for column in child_recording(videos, rng))
            truths[name] = truth
            publish(store, name, seen, known | seen)
            light = "daylight" if rng.random() < 0.6 else "lamp"
            covariates = {"child": f"C{child + 1:02d}", "age_months": age, "group": f"{age} months", "light": light}
            write_covariates(store, name, covariates)
    plan_audit("near_duration", store, out / "audit", subject="child", object="caregiver", half_width=0.03)
    for coder, errors, twice in (("ann", 0.0, False), ("bo", 0.04, True)):
        tasks = export_tasks(out / "audit", out / coder, format="csv", twice_only=twice).files[0]
        import_labels(out / "audit", answered(tasks, truths, errors, rng), coder=coder)
    for coder, shift in (("coder1", 0.0), ("coder2", 0.2)):
        code(out / coder, truths, shift)
    (out / "study.yaml").write_text(
        "title: Nearness of 12 children at two ages (ToyRoom)\nstore: store\nmeasures:\n"
        "  - {measure: near_duration, audit: audit, by: [group, age_months], target: children}\nagreement:\n"
        "  - {codings: [coder1, coder2], tolerance_s: 0.5}\n"
        f"  - {{codings: [coder1, store], tiers: {{near: {STATE}}}}}\n"
    )
    print(write_study_report(out / "study.yaml", out / "report").html)


def publish(store: Path, name: str, seen: np.ndarray, known: np.ndarray) -> None:
    index = np.arange(FRAMES)
    who = np.concatenate([np.ones(FRAMES, np.int64), np.full(int(known.sum()), 2)])
    at = np.concatenate([index, index[known]])
    order = np.lexsort((who, at))
    who, at = who[order], at[order]
    names = np.where(who == 1, "child", "caregiver").astype(object)
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (len(at), 1))
    end = FRAMES / FPS
    publish_video(
        store,
        record(name),
        frames=FrameTable.from_times(index, index / FPS, processed=np.ones(FRAMES, np.bool_)),
        detections=DetectionTable(at, at / FPS, names, np.full(len(at), 0.9, np.float32), boxes, who),
        tracks=[
            Track(1, "child", "child", 0.0, end, FRAMES, 0.9),
            Track(2, "caregiver", "caregiver", 0.0, end, int(known.sum()), 0.9),
        ],
        relations=[Relation(1, "near", 2, float(b), float(e), 0.9) for b, e in true_runs(seen) / FPS],
        events=[],
    )


def record(name: str) -> VideoRecord:
    return VideoRecord(
        video_id=name,
        source=SourceFile(path=f"/videos/{name}.mp4", name=f"{name}.mp4", sha256="0" * 64, bytes=1),
        width=640,
        height=480,
        rotation_deg=0,
        duration_s=FRAMES / FPS,
        fps=FPS,
        time_base="1/25",
        container="mov,mp4",
        codec="h264",
        n_frames=FRAMES,
        n_processed=FRAMES,
        n_detections=0,
        n_tracks=2,
        view="room",
        detector=DetectorRecord(
            kind="checkpoint", name="fasterrcnn_best.pt", digest="toyroom", categories=("child", "caregiver")
        ),
        roles={},
        config={},
        versions={},
        fingerprint=name,
        created_at="2026-01-01T00:00:00+00:00",
    )


def answered(tasks: Path, truths: dict[str, np.ndarray], errors: float, rng: np.random.Generator) -> Path:
    rows = list(csv.DictReader(io.StringIO(tasks.read_text(encoding="utf-8"))))
    for row in rows:
        video, frame = row["unit_id"].split(":f")
        row["answer"] = "yes" if truths[video][int(frame)] != (rng.random() < errors) else "no"
    done = tasks.parent / "done.csv"
    with done.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return done


def code(folder: Path, truths: dict[str, np.ndarray], shift_s: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, truth in truths.items():
        spans = [Interval(float(b) + shift_s, float(e) + shift_s, "near") for b, e in true_runs(truth) / FPS]
        timeline = Timeline((Tier("near", tuple(spans)),), f"{name}.mp4", FRAMES / FPS)
        (folder / f"{name}.eaf").write_bytes(eaf_bytes(timeline))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
