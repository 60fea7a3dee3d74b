"""Collect what the report shows: stages, images with truth and detections, curves, timelines, evidence frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.demo.asked_question import AskedQuestion
from visionllm_bench.demo.config import DemoSettings
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest, TrainingReport
from visionllm_interaction.core import Detections
from visionllm_interaction.core.boxes import xywh_to_xyxy
from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.detection.models import Detector, load_detector
from visionllm_interaction.reports.report_data import (
    EvidenceFrame,
    ImagePair,
    LabelledBoxes,
    QuestionView,
    ReportData,
    ReportedVideo,
    StageRow,
)
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.video.decoding.reader import read_frame_at

SHOWN_IMAGES = 6
SHOWN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Gathered:
    """The report's data and the category names in the order that fixes their colours."""

    report: ReportData
    category_names: tuple[str, ...]


def gather_report(
    settings: DemoSettings,
    *,
    pipeline: Mapping[str, Any],
    analysis: Mapping[str, Any],
    asked: Sequence[AskedQuestion],
    checkpoint: Path,
    out: Path,
) -> Gathered:
    """Read everything back from the artifacts and the store: the report shows what is on disk."""
    run = Path(pipeline["run"])
    manifest = TrainingManifest.load(run / STAGE_MANIFESTS["transform"])
    training = TrainingReport.load(run / STAGE_MANIFESTS["train"])
    detector = load_detector(checkpoint)
    with open_store(out / "store") as store:
        videos = tuple(ReportedVideo(v["video_id"], store.timeline(v["video_id"])) for v in analysis["videos"])
        paths = {v["video_id"]: Path(v["path"]) for v in analysis["videos"]}
        questions = tuple(_question_view(item, store, paths) for item in asked)
    report = ReportData(
        title="From images to proven answers: a simulated play room",
        intro=(
            f"A detector trained on {manifest.counts['train'].images} images analysed {len(videos)} videos of "
            f"{settings.demo.video_duration_s:g} s. Every number below was computed from its detections, and every "
            "answer names the frames that prove it."
        ),
        metrics=_headline(training, asked),
        stages=tuple(_stage_row(name, run, pipeline["stages"][name]["status"]) for name in STAGE_MANIFESTS),
        images=tuple(_image_pairs(manifest, run, detector)),
        epochs=_epochs(training),
        videos=videos,
        questions=questions,
        next_steps=_next_steps(out, checkpoint),
    )
    return Gathered(report, tuple(category.name for category in manifest.categories))


def _headline(training: TrainingReport, asked: Sequence[AskedQuestion]) -> dict[str, str]:
    right = sum(item.agrees for item in asked)
    return {
        "validation AP": f"{training.AP:.3f}",
        "validation AP50": f"{training.AP50:.3f}",
        "answers that agree with the truth": f"{right} of {len(asked)}",
        "training, minutes": f"{training.duration_s / 60:.1f}",
    }


def _epochs(training: TrainingReport) -> tuple[dict[str, float], ...]:
    return tuple(training.curves["epochs"])


def _stage_row(name: str, run: Path, status: str) -> StageRow:
    path = run / STAGE_MANIFESTS[name]
    manifest = Manifest.load(path)
    own = (path.relative_to(run).as_posix(), path.stat().st_size, "")
    files = tuple((f.path, f.bytes, f.sha256) for f in manifest.outputs)
    return StageRow(name, status, manifest.duration_s, (own, *files))


def _image_pairs(manifest: TrainingManifest, run: Path, detector: Detector) -> list[ImagePair]:
    coco = json.loads((run / manifest.annotations["val"]).read_text(encoding="utf-8"))
    folder = run / manifest.images["val"]
    return [
        _image_pair(record, coco, folder=folder, detector=detector, manifest=manifest)
        for record in coco["images"][:SHOWN_IMAGES]
    ]


def _image_pair(
    record: Mapping[str, Any], coco: Mapping[str, Any], *, folder: Path, detector: Detector, manifest: TrainingManifest
) -> ImagePair:
    image = read_rgb(folder / record["file_name"], size=(record["width"], record["height"]))
    names = {c.category_id: c.name for c in manifest.categories}
    own = [a for a in coco["annotations"] if a["image_id"] == record["id"]]
    boxes = xywh_to_xyxy(np.array([a["bbox"] for a in own]).reshape(-1, 4))
    captions = tuple(names[a["category_id"]] for a in own)
    truth = LabelledBoxes(boxes, captions, captions)
    found = detector.detect([image], min_confidence=SHOWN_CONFIDENCE)[0]
    return ImagePair(record["file_name"], image, truth, _as_boxes(found, detector))


def _as_boxes(found: Detections, detector: Detector) -> LabelledBoxes:
    names = tuple(detector.categories.by_label[int(label)].name for label in found.labels)
    captions = tuple(f"{n} {c:.2f}" for n, c in zip(names, found.confidences, strict=True))
    return LabelledBoxes(found.boxes_xyxy, captions, names)


def _question_view(item: AskedQuestion, store: Store, paths: Mapping[str, Path]) -> QuestionView:
    frames = [f for evidence in item.answer["evidence"] for f in _evidence_frames(evidence, store, paths)]
    return QuestionView(item.question.text, item.answer, tuple(frames[:4]), f"{item.truth:.2f}", item.agrees)


def _evidence_frames(evidence: Mapping[str, Any], store: Store, paths: Mapping[str, Path]) -> list[EvidenceFrame]:
    if not evidence["frames"] or evidence["video_id"] not in paths:
        return []
    detections = store.detections(evidence["video_id"]).to_pylist()
    wanted = [d for d in detections if d["track_id"] in evidence["track_ids"]]
    first, last = evidence["frames"]
    chosen = sorted({d["frame_index"] for d in wanted if first <= d["frame_index"] <= last})
    if not chosen:
        return []
    shown = sorted({chosen[0], chosen[len(chosen) // 2], chosen[-1]})
    return [_evidence_frame(index, wanted, paths[evidence["video_id"]], evidence["id"]) for index in shown]


def _evidence_frame(index: int, wanted: Sequence[Mapping[str, Any]], path: Path, evidence_id: str) -> EvidenceFrame:
    here = [d for d in wanted if d["frame_index"] == index]
    frame = read_frame_at(path, index)
    boxes: NDArray[Any] = np.array([[d[k] for k in ("x1", "y1", "x2", "y2")] for d in here])
    captions = tuple(f"{d['category']} #{d['track_id']}" for d in here)
    names = tuple(d["category"] for d in here)
    title = f"[{evidence_id}] frame {index}, {frame.timestamp_s:.2f} s"
    return EvidenceFrame(title, frame.image_rgb, LabelledBoxes(boxes, captions, names))


def _next_steps(out: Path, checkpoint: Path) -> tuple[tuple[str, str], ...]:
    store = out / "store"
    return (
        (f'visionllm ask "How long was the ball visible?" --store {store}', "Ask something yourself."),
        (f"visionllm lineage {checkpoint}", "Follow the checkpoint back to the raw images, every digest checked."),
        (f"visionllm measures --store {store} --out measures.csv", "Every measure as one table for R or pandas."),
        (f"visionllm analyze my.mp4 --store my-store --detector {checkpoint}", "Analyse a video of your own."),
        ("visionllm init && visionllm run -o data.root=/path/to/coco", "Train on your own labelled images."),
    )
