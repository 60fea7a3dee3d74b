"""Stage 4: training manifest → ``fasterrcnn_best.pt``, ``fasterrcnn_last.pt``, ``training_report.yaml``."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
import torchvision

from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import file_refs, published_ref, utc_now
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import (
    BEST_NAME,
    SPLITS,
    TrainingManifest,
    TrainingReport,
)
from visionllm_interaction.detection.evaluation.coco_metrics import METRICS
from visionllm_interaction.detection.experiment_tracking.dataset_info import dataset_entry
from visionllm_interaction.detection.experiment_tracking.tracker import open_tracker
from visionllm_interaction.detection.models.checkpoint_info import sidecar_of
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training import ALGORITHM_VERSION, LIBRARIES
from visionllm_interaction.detection.training.callbacks import CONFIDENCES, LAST_NAME, METRICS_NAME, Row
from visionllm_interaction.detection.training.config import TrackingConfig, TrainConfig
from visionllm_interaction.detection.training.data.datamodule import read_training_data
from visionllm_interaction.detection.training.plots import CURVES_NAME, curves_png
from visionllm_interaction.detection.training.trainer import FitResult, fit, remove_resume_files
from visionllm_interaction.utils.atomic_files import publish_folder, write_file
from visionllm_interaction.utils.hashing import code_version, sha256_file
from visionllm_interaction.utils.path_type import StrPath

REPORT_NAME = "training_report.yaml"


def run(
    *,
    model: ModelConfig,
    train: TrainConfig,
    tracking: TrackingConfig,
    training_manifest: StrPath,
    out: StrPath,
    study: Mapping[str, Any] | None = None,
) -> TrainingReport:
    """Train and publish the stage folder ``out``; a killed call is continued by the next one like it.

    Args:
        model: section ``model``.
        train: section ``train``.
        tracking: section ``tracking``.
        training_manifest: of stage 3.
        out: the stage folder.
        study: the study in which the settings were found; noted in the report.

    Returns:
        The report that was published.

    Raises:
        ManifestError, AnnotationError, ImageError: if the data cannot be used.
        CheckpointError, ServiceError: if the initial weights are not available.
        TrackingUnreachable: if the tracking server is required and unreachable.
        TrainingDiverged: if the loss is not finite.
    """
    training_manifest = Path(training_manifest)
    out = Path(out)
    started = time.monotonic()
    config = {
        "model": model.model_dump(mode="json"),
        "train": train.model_dump(mode="json"),
        "tracking": tracking.model_dump(mode="json"),
    }
    with publish_folder(out, workspace=out.name) as folder:
        result = _train(config, model, train, tracking, training_manifest, folder=folder, out=out)
        extra = {"study": dict(study)} if study else {}
        report = _report(config, result, training_manifest, folder=folder, out=out, started=started, extra=extra)
        report.save(folder / REPORT_NAME)
        remove_resume_files(folder)
    return report


def _train(
    config: dict[str, Any],
    model: ModelConfig,
    train: TrainConfig,
    tracking: TrackingConfig,
    training_manifest: Path,
    *,
    folder: Path,
    out: Path,
) -> FitResult:
    data = read_training_data(training_manifest, train)
    digest = sha256_file(training_manifest)
    parameters = {"model": config["model"], "train": config["train"]}
    tags = {"training_manifest_sha256": digest, **version_tags()}
    run = run_of(training_manifest) or out.parent
    dataset = dataset_entry(training_manifest, digest) if tracking.kind != "none" else None
    with open_tracker(
        tracking, folder=folder, runs_dir=run.parent, name=run.name, parameters=parameters, tags=tags, dataset=dataset
    ) as tracker:

        def on_epoch(row: Row) -> None:
            tracker.metrics({k: v for k, v in row.items() if k != "epoch"}, step=row["epoch"])

        result = fit(
            model=model,
            train=train,
            data=data,
            folder=folder,
            recipe=f"{parameters} {digest} {ALGORITHM_VERSION} {library_versions(LIBRARIES)}",
            manifest_sha256=digest,
            on_epoch=on_epoch,
        )
        write_file(folder / CURVES_NAME, curves_png(result.rows, best_epoch=result.best.epoch))
        kept = [folder / METRICS_NAME, folder / CURVES_NAME, sidecar_of(folder / BEST_NAME)]
        tracker.finish("FINISHED", artifacts=kept, model=folder / BEST_NAME if tracking.log_model else None)
    return result


def version_tags() -> dict[str, str]:
    """What a tracking server is told about the version of the training."""
    return {"algorithm_version": str(ALGORITHM_VERSION), "code_version": code_version()}


def _report(
    config: dict[str, Any],
    result: FitResult,
    training_manifest: Path,
    *,
    folder: Path,
    out: Path,
    started: float,
    extra: Mapping[str, Any],
) -> TrainingReport:
    metrics = {name: result.best.metrics[name] for name in METRICS}
    names = [BEST_NAME, LAST_NAME, f"{BEST_NAME}.json", f"{LAST_NAME}.json", METRICS_NAME, CURVES_NAME]
    extra = {
        **extra,
        "per_category": result.best.metrics["per_category"],
        "epochs": len(result.rows),
        "resumed": result.resumed,
        "images_per_s": _median([row["images_per_s"] for row in result.rows]),
        "seconds_training": round(sum(row["seconds"] for row in result.rows), 2),
        "environment": environment(result),
    }
    return TrainingReport(
        stage="train",
        created_at=utc_now(),
        duration_s=round(time.monotonic() - started, 3),
        code_version=code_version(),
        algorithm_version=ALGORITHM_VERSION,
        libraries=library_versions(LIBRARIES),
        config=config,
        inputs=file_refs(_inputs(training_manifest), run=out.parent),
        outputs=tuple(published_ref(folder / name, partial=folder, final=out) for name in names),
        AP=metrics["AP"],
        AP50=metrics["AP50"],
        best_epoch=result.best.epoch,
        metrics=metrics,
        curves={"epochs": result.rows},
        validation_confidences=result.best.metrics.get(CONFIDENCES, ()),  # none where an older version began
        **extra,
    )


def _inputs(training_manifest: Path) -> list[Path]:
    run = run_of(training_manifest) or training_manifest.parent.parent
    annotations = TrainingManifest.load(training_manifest).annotations
    return [training_manifest, *(run / annotations[split] for split in SPLITS)]


def environment(result: FitResult) -> dict[str, Any]:
    """Versions and hardware, as far as they can change the result or its duration."""
    return {
        "device": result.device,
        "device_name": torch.cuda.get_device_name() if result.device.startswith("cuda") else platform.machine(),
        "precision": result.precision,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
        "lightning": str(lightning.__version__),
    }


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
