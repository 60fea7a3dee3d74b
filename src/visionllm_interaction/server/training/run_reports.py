"""Runs of stages 1–4, read from their manifests: validation, splits, training, trials, evaluation, cards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.cards import make_cards
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.artifacts.stage_manifests import (
    BEST_NAME,
    DataManifest,
    TrainingManifest,
    TrainingReport,
    ValidationReport,
)
from visionllm_interaction.datasets.validation.advice import advice
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.server.training.schemas import (
    EvaluationView,
    IssueGroup,
    Leakage,
    RunReport,
    RunSummary,
    SharedBySplits,
    SplitSize,
    StudyView,
    TrainingView,
    WorstImage,
)

STUDY = "tuning/study.json"
EVALUATION = "evaluation.json"
_SHOWN_SETTINGS = ("architecture", "weights", "min_size", "max_size", "epochs", "batch_size", "lr", "optimizer", "seed")


@dataclass(frozen=True)
class RunManifests:
    """The manifests of one run; None: the stage is not done.

    Attributes:
        folder: the run.
        data: of stage 1.
        validation: of stage 2.
        transformation: of stage 3.
        training: of stage 4.
    """

    folder: Path
    data: DataManifest | None
    validation: ValidationReport | None
    transformation: TrainingManifest | None
    training: TrainingReport | None

    @classmethod
    def read(cls, folder: Path) -> RunManifests:
        """Read the manifests that are there.

        Args:
            folder: the run.

        Returns:
            The manifests.

        Raises:
            ManifestError: if one of them is damaged.
        """

        def manifest(stage: str, kind: type[Manifest]) -> Any:
            path = folder / STAGE_MANIFESTS[stage]
            return kind.load(path) if path.is_file() else None

        return cls(
            folder,
            data=manifest("ingest", DataManifest),
            validation=manifest("validate", ValidationReport),
            transformation=manifest("transform", TrainingManifest),
            training=manifest("train", TrainingReport),
        )

    @property
    def checkpoint(self) -> Path | None:
        """The best checkpoint; None: nothing was trained, or it is gone."""
        path = self.folder / "model_trainer" / BEST_NAME
        return path if self.training is not None and path.is_file() else None

    @property
    def checkpoint_sha256(self) -> str | None:
        """The digest of the best checkpoint, as the training noted it."""
        outputs = self.training.outputs if self.training else ()
        return next((one.sha256 for one in outputs if one.path.endswith(BEST_NAME)), None)

    def images_of(self, split: str) -> Path | None:
        """The folder of the raw images of a split, if it is here."""
        found = getattr(self.data.paths, f"{split}_images", None) if self.data else None
        return Path(found) if found and Path(found).is_dir() else None


def find_run(artifacts: Path, name: str) -> Path | None:
    """The folder of a run; None if there is none of that name."""
    return next((run for run in list_runs(artifacts) if run.name == name), None)


def summarise(folder: Path) -> RunSummary:
    """What the list of runs says of one; of a damaged run, what is wrong with it."""
    try:
        found = RunManifests.read(folder)
    except ManifestError as error:
        return RunSummary(run=folder.name, damaged=f"{error.message} Found: {error.found}")
    return _summary(found)


def _summary(found: RunManifests) -> RunSummary:
    last = found.training or found.transformation or found.validation or found.data
    counts = found.validation.counts.values() if found.validation else ()
    return RunSummary(
        run=found.folder.name,
        dataset=found.data.dataset_name if found.data else "",
        created_at=last.created_at if last else None,
        status=found.validation.status if found.validation else None,
        images=sum(one.images for one in counts),
        annotations=sum(one.annotations for one in counts),
        issues=sum(found.validation.faults.values()) if found.validation else 0,
        trained=found.training is not None,
        AP=found.training.AP if found.training else None,
    )


def report(folder: Path) -> RunReport:
    """Everything about one run.

    Args:
        folder: the run.

    Returns:
        What its manifests say.

    Raises:
        ManifestError: if one of them is damaged.
    """
    found = RunManifests.read(folder)
    cards = make_cards(folder) if found.transformation else None
    reasons = list(found.validation.reasons) if found.validation else []
    return RunReport(
        summary=_summary(found),
        reasons=reasons,
        advice=advice(reasons) if reasons else "",
        splits=list(_splits(found)),
        categories=[one.name for one in found.transformation.categories] if found.transformation else [],
        issues=list(_issues(found)),
        leakage=_leakage(found.transformation),
        training=_training(found),
        study=_study(folder / STUDY),
        evaluation=_evaluation(found),
        evaluate_command=_evaluate_command(found),
        data_card=cards.data if cards else None,
        model_card=cards.model if cards else None,
    )


def _splits(found: RunManifests) -> Iterator[SplitSize]:
    trained = found.transformation.counts if found.transformation else {}
    for split, size in (found.validation.counts if found.validation else {}).items():
        yield SplitSize(
            split=split,
            images=size.images,
            annotations=size.annotations,
            trained_annotations=trained[split].annotations if split in trained else None,
        )


def _issues(found: RunManifests) -> Iterator[IssueGroup]:
    for one in found.validation.findings if found.validation else ():
        known = CATALOGUE.get(one.code)
        of_images = known is not None and known.entity in ("image", "annotation")
        yield IssueGroup(
            code=one.code,
            split=one.split,
            action=one.action,
            count=one.count,
            meaning=one.meaning,
            harm=known.harm if known else "",
            remedy=known.remedy if known else "",
            note=one.note,
            has_images=of_images and one.split is not None and found.images_of(one.split) is not None,
        )


def _leakage(manifest: TrainingManifest | None) -> Leakage | None:
    audit: Mapping[str, Any] = manifest.leakage if manifest else {}
    if not audit:
        return None
    shared = [SharedBySplits(what="the same file", count=audit["same_file"]["shared"])]
    shared += [SharedBySplits(what=f"the same {name}", count=one["shared"]) for name, one in audit["groups"].items()]
    before = audit["found_by_stage_2"].items()
    shared += [SharedBySplits(what=f"{code}, before the data was divided", count=count) for code, count in before]
    return Leakage(splits=str(audit["splits"]), shared=shared, disjoint_by=list(audit["disjoint_by"]))


def _training(found: RunManifests) -> TrainingView | None:
    if found.training is None:
        return None
    settings = {**found.training.config.get("model", {}), **found.training.config.get("train", {})}
    shown = {name: str(settings[name]) for name in _SHOWN_SETTINGS if name in settings}
    if shown.get("weights") not in (None, "default", "backbone", "none"):
        shown["weights"] = "a file of ours"  # a path of the server
    per_category = (found.training.model_extra or {}).get("per_category", {})
    return TrainingView(
        AP=found.training.AP,
        best_epoch=found.training.best_epoch,
        duration_s=found.training.duration_s,
        metrics={name: value for name, value in found.training.metrics.items() if value >= 0},
        per_category={name: one["AP"] if one["AP"] >= 0 else None for name, one in per_category.items()},
        epochs=[
            {name: value if isinstance(value, int | float) else None for name, value in row.items()}
            for row in found.training.curves.get("epochs", [])
        ],
        settings=shown,
        sha256=found.checkpoint_sha256,
    )


def _study(path: Path) -> StudyView | None:
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return StudyView(
        study=content["study"],
        best_value=content["best_value"],
        best_params=content["best_params"],
        trials=content["trials"],
        importances=content["importances"],
        importances_left_out=content.get("importances_left_out"),
    )


def evaluation_of(found: RunManifests) -> dict[str, Any] | None:
    """The content of the newest ``evaluation.json`` in a run that is about its best checkpoint."""
    paths = sorted(found.folder.glob(f"*/{EVALUATION}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["subject"]["sha256"] == found.checkpoint_sha256:
            return content
    return None


def _evaluation(found: RunManifests) -> EvaluationView | None:
    content = evaluation_of(found)
    if content is None:
        return None
    about = content["resampling"]
    worst = [
        WorstImage(place=n, file_name=one["file_name"], **{key: one[key] for key in ("found", "wrong", "missed")})
        for n, one in enumerate(content["worst_images"])
        if "file_name" in one
    ]
    return EvaluationView(
        AP=content["AP"],
        interval=content["intervals"].get("AP"),
        resampled=about["note"] or f"{about['groups']} groups ({about['source']})",
        errors={name: one["AP50_lost"] for name, one in content["errors"].items()},
        worst_images=worst,
    )


def _evaluate_command(found: RunManifests) -> str | None:
    if found.training is None:
        return None
    run = f"artifacts/{found.folder.name}"
    parts = ["visionllm", "evaluate", "--checkpoint", f"{run}/model_trainer/{BEST_NAME}"]
    return shlex.join([*parts, "--data", f"{run}/{STAGE_MANIFESTS['transform']}", "--report", f"{run}/evaluation"])
