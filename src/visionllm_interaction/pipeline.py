"""Stages 1–4 in order: skip what is up to date, continue what was interrupted, never overwrite.

A run folder is only ever added to. A stage that is up to date is skipped; one that is missing is built in the run
that goes furthest; one that is stale is built in a new run, which takes over the stages before it by hard links.
While a run is built it is locked; a second process that finds it locked makes a new run of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, STAGES, Manifest
from visionllm_interaction.artifacts.raw_file_index import read_index
from visionllm_interaction.artifacts.resumable_run import ResumableRun, assess, choose_run, prepare_build
from visionllm_interaction.artifacts.runs import LockedRun, create_locked_run, discard_if_empty
from visionllm_interaction.artifacts.stage_manifests import DataManifest, TrainingReport, ValidationReport
from visionllm_interaction.artifacts.staleness import DigestCache, Recipe
from visionllm_interaction.config_loading import Section
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.datasets import ingestion as ingest
from visionllm_interaction.datasets import transformation as transform
from visionllm_interaction.datasets import validation as validate
from visionllm_interaction.datasets.ingestion import stage as ingest_stage
from visionllm_interaction.datasets.transformation import stage as transform_stage
from visionllm_interaction.datasets.validation import stage as validate_stage
from visionllm_interaction.datasets.validation.stage import ValidationSummary
from visionllm_interaction.detection import training as train
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.pipeline_settings import PipelineSettings
from visionllm_interaction.utils.extras import require_modules
from visionllm_interaction.utils.file_locks import try_lock
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.release_memory import release_unused_memory


@dataclass(frozen=True)
class Stage:
    """One stage: what decides its result, and how to build it in a run folder."""

    recipe: Recipe
    build: Callable[[Path], Manifest]

    @property
    def name(self) -> str:
        """A key of ``STAGE_MANIFESTS``."""
        return self.recipe.stage


def stages_of(settings: PipelineSettings) -> tuple[Stage, ...]:
    """The one ordered list of stages."""
    return (_ingest(settings), _validate(settings), _transform(settings), _train(settings))


def _ingest(settings: PipelineSettings) -> Stage:
    config = ingest_stage.resolve(settings.data)

    def sources_changed(run: Path, digests: DigestCache) -> str | None:
        manifest = DataManifest.load(run / STAGE_MANIFESTS["ingest"])
        index = read_index(run / manifest.index)
        reason = ingest_stage.sources_changed(manifest, index)
        if reason is None:
            digests.trust({file.path: file.sha256 for file in index})
        return reason

    # How the data was obtained does not matter; the folder of the copies does, because they are used.
    indifferent = {"download", "limits"} | ({"work_dir"} if config.mode == "register" else set())
    recipe = replace(
        _recipe("ingest", ingest, config, ingest.LIBRARIES, indifferent=indifferent), sources_changed=sources_changed
    )
    return Stage(recipe, lambda run: ingest_stage.run(config, out=_folder(run, "ingest")))


def _validate(settings: PipelineSettings) -> Stage:
    def build(run: Path) -> Manifest:
        data_manifest = run / STAGE_MANIFESTS["ingest"]
        return validate_stage.run(settings.validation, data_manifest=data_manifest, out=_folder(run, "validate"))

    # The number of processes does not change the result; a validation that opens no image needs no Pillow.
    libraries = validate.LIBRARIES if settings.validation.images.enabled else ()
    return Stage(_recipe("validate", validate, settings.validation, libraries, indifferent={"workers"}), build)


def _transform(settings: PipelineSettings) -> Stage:
    def build(run: Path) -> Manifest:
        return transform_stage.run(
            settings.transform,
            data_manifest=run / STAGE_MANIFESTS["ingest"],
            validation_report=run / STAGE_MANIFESTS["validate"],
            out=_folder(run, "transform"),
        )

    libraries = transform.LIBRARIES if settings.transform.splits else ()
    return Stage(_recipe("transform", transform, settings.transform, libraries), build)


def _train(settings: PipelineSettings) -> Stage:
    def build(run: Path) -> Manifest:
        # Imported here and not above: torch and Lightning take seconds to load, and a call that finds
        # everything up to date does not need them.
        from visionllm_interaction.detection.training.stage import run as train_run

        return train_run(
            model=settings.model,
            train=settings.train,
            tracking=settings.tracking,
            training_manifest=run / STAGE_MANIFESTS["transform"],
            out=_folder(run, "train"),
        )

    config = _TrainingConfig(model=settings.model, train=settings.train)
    # Where curves are recorded does not change the detector.
    recipe = _recipe("train", train, config, train.LIBRARIES, indifferent={"tracking"})
    return Stage(replace(recipe, keeps_workspace=True), build)


class _TrainingConfig(Section):
    """The sections that determine the result of training."""

    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()


def _recipe(
    stage: str,
    package: Any,
    config: Section,
    libraries: tuple[str, ...],
    *,
    indifferent: AbstractSet[str] = frozenset(),
) -> Recipe:
    """The recipe of ``stage``, whose ``package`` names the version of its algorithm."""
    return Recipe(
        stage,
        config.model_dump(mode="json"),
        package.ALGORITHM_VERSION,
        library_versions(libraries),
        defaults=type(config)().model_dump(mode="json"),
        indifferent=frozenset(indifferent),
    )


def _folder(run: Path, stage: str) -> Path:
    return (run / STAGE_MANIFESTS[stage]).parent


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.

    Attributes:
        name: ``"ingest"``, ``"validate"``, ``"transform"`` or ``"train"``.
        status: ``"up_to_date"`` if it was skipped, ``"done"`` if it was built.
        manifest: the manifest it published.
    """

    name: str
    status: Literal["done", "up_to_date"]
    manifest: Path


@dataclass(frozen=True)
class PipelineResult:
    """The results of stages 1 to 4.

    Attributes:
        run: the run's folder.
        stages: those that were asked for, in order.
        AP: average precision on the validation images, IoU 0.50 to 0.95; ``None`` while nothing is trained.
        AP50: the same at IoU 0.50.
        checkpoint: the best checkpoint; ``None`` while nothing is trained.
    """

    run: Path
    stages: tuple[StageResult, ...]
    AP: float | None = None
    AP50: float | None = None
    checkpoint: Path | None = None

    def stage(self, name: str) -> StageResult:
        """Look up the result of one stage.

        Args:
            name: ``"ingest"``, ``"validate"``, ``"transform"`` or ``"train"``.

        Returns:
            The result of that stage.

        Raises:
            KeyError: if the stage was not requested.
        """
        return {stage.name: stage for stage in self.stages}[name]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm run``."""
        stages = {stage.name: {"status": stage.status, "manifest": str(stage.manifest)} for stage in self.stages}
        result = {"run": str(self.run), "stages": stages, "AP": self.AP, "AP50": self.AP50}
        return result if self.checkpoint is None else {**result, "checkpoint": str(self.checkpoint)}


def run_pipeline(settings: PipelineSettings, *, until: str | None = None) -> PipelineResult:
    """Bring all stages (or those up to and including ``until``) up to date.

    Args:
        settings: the sections that stages 1 to 4 read.
        until: the last stage to build; by default ``"train"``.

    Returns:
        The run, the result of each stage, and the metrics of the checkpoint.

    Raises:
        UsageError: if ``until`` is no stage, or if there is something to train and what trains is not installed.
        ConfigError: if no data is named.
        InputDataError: if the data cannot be read; ``ValidationFailed`` if its validation report says FAIL.
    """
    stages = _wanted(settings, until)
    run, fresh = _bring_up_to_date(settings.artifacts_dir, stages)
    return _result(run, stages, fresh)


def run_validation(settings: PipelineSettings) -> ValidationSummary:
    """Ingest and validate the data (stages 1 and 2).

    Args:
        settings: the sections that stages 1 and 2 read.

    Returns:
        The verdict, whether the data passes or fails.

    Raises:
        ConfigError: if no data is named.
        InputDataError: if the data cannot be read. A FAIL is returned, not raised.
    """
    stages = _wanted(settings, "validate")
    run, _ = _bring_up_to_date(settings.artifacts_dir, stages, stop_on_fail=False)
    path = run / STAGE_MANIFESTS["validate"]
    return validate_stage.summarise(ValidationReport.load(path), path)


def _wanted(settings: PipelineSettings, until: str | None) -> tuple[Stage, ...]:
    if until is not None and until not in STAGES:
        near = nearest_names(until, STAGES)
        raise UsageError(
            f"There is no stage {until!r}.",
            expected=", ".join(STAGES),
            found=until,
            fix=f"did you mean {near[0]}?" if near else None,
        )
    stages = stages_of(settings)
    return stages if until is None else stages[: STAGES.index(until) + 1]


def _bring_up_to_date(artifacts_dir: Path, stages: Sequence[Stage], *, stop_on_fail: bool = True) -> tuple[Path, int]:
    """Build the missing stages; return the run and the number of stages that were already up to date."""
    recipes = [stage.recipe for stage in stages]
    while True:
        best = choose_run(artifacts_dir, recipes)
        if best:
            _log_skipped(best, stages)
            if stop_on_fail:
                _stop_if_failed(best.run, stages[: best.fresh])
        if best and best.fresh == len(stages):
            return best.run, best.fresh
        if stages[-1].name == "train":
            require_modules(("torch", "torchvision", "lightning"), extra="train", command="train")
        locked = _open_run(artifacts_dir, best, stages)
        with locked.lock:
            now = assess(locked.path, recipes, DigestCache())
            if best and locked.path == best.run and now != best:
                continue  # another process built more of it before we held the lock
            try:
                _build(locked.path, stages, now.fresh, stop_on_fail=stop_on_fail)
            finally:
                discard_if_empty(locked.path)
            return locked.path, now.fresh


def _open_run(artifacts_dir: Path, best: ResumableRun | None, stages: Sequence[Stage]) -> LockedRun:
    """The run to build in, locked: ``best`` itself if it can go on, else a new one with its fresh stages."""
    if best is None:
        return create_locked_run(artifacts_dir)
    if best.resumable:
        lock = try_lock(best.run)
        if lock:
            return LockedRun(best.run, lock)
        log.info("another process is building this run, starting a new one", run=str(best.run))
    elif best.reason:
        log.info("stale, starting a new run", reason=best.reason)
    return create_locked_run(artifacts_dir, stages_of=best.run, stages=[stage.name for stage in stages[: best.fresh]])


def _build(run: Path, stages: Sequence[Stage], start: int, *, stop_on_fail: bool) -> None:
    recipes = [stage.recipe for stage in stages]
    for count, stage in enumerate(stages[start:], start=start):
        prepare_build(run, recipes, count)
        log.info("stage started", stage=stage.name, run=str(run))
        manifest = stage.build(run)
        release_unused_memory()
        log.info("stage done", stage=stage.name, status=manifest.status, seconds=manifest.duration_s)
        if stop_on_fail:
            _stop_if_failed(run, [stage])


def _log_skipped(best: ResumableRun, stages: Sequence[Stage]) -> None:
    for stage in stages[: best.fresh]:
        log.info("stage up to date, skipped", stage=stage.name, run=str(best.run))


def _stop_if_failed(run: Path, stages: Sequence[Stage]) -> None:
    if any(stage.name == "validate" for stage in stages):
        path = run / STAGE_MANIFESTS["validate"]
        validate_stage.require_pass(ValidationReport.load(path), path)


def _result(run: Path, stages: Sequence[Stage], fresh: int) -> PipelineResult:
    outcomes = tuple(
        StageResult(stage.name, "up_to_date" if count < fresh else "done", run / STAGE_MANIFESTS[stage.name])
        for count, stage in enumerate(stages)
    )
    if stages[-1].name != "train":
        return PipelineResult(run, outcomes)
    report = TrainingReport.load(run / STAGE_MANIFESTS["train"])
    return PipelineResult(run, outcomes, report.AP, report.AP50, _folder(run, "train") / "fasterrcnn_best.pt")


__all__ = ["PipelineResult", "PipelineSettings", "Stage", "StageResult", "run_pipeline", "run_validation", "stages_of"]
