"""One training in a folder: build, resume if there is a resume point, train, return the result."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning import Callback, Trainer
from lightning.fabric.utilities.warnings import PossibleUserWarning

from visionllm_interaction.detection.experiment_tracking.spool import CURSOR_NAME, SPOOL_NAME
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.precision import choose_device, choose_precision
from visionllm_interaction.detection.training.callbacks import (
    Best,
    BestAndLastCheckpoint,
    History,
    RampedWeightAveraging,
    ResumableEarlyStopping,
    Row,
)
from visionllm_interaction.detection.training.checkpoint_resume import RESUME_NAME, ResumePoint, read_position
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.datamodule import DetectionDataModule, TrainingData
from visionllm_interaction.detection.training.data.samplers import EpochPlan
from visionllm_interaction.detection.training.distributed import (
    broadcast_task,
    is_worker_rank,
    per_process_batch_size,
    process_count,
)
from visionllm_interaction.detection.training.lightning_module import DetectorModule
from visionllm_interaction.detection.training.progress import progress_callbacks
from visionllm_interaction.utils.hashing import sha256_value

RECIPE_NAME = "recipe.sha256"


@dataclass(frozen=True)
class FitResult:
    """What one training came to.

    Attributes:
        rows: one per epoch, see :class:`~visionllm_interaction.detection.training.callbacks.History`.
        best: the epoch whose checkpoint was kept as the best.
        seconds: duration of this call; of the whole training only if it was not resumed.
        resumed: whether it went on from a resume point.
    """

    rows: list[Row]
    best: Best
    seconds: float
    device: str
    precision: str
    resumed: bool


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    epochs: int
    steps_per_epoch: int

    @classmethod
    def of(cls, config: TrainConfig, images: int) -> Length:
        """Epochs and steps for ``images`` images; ``max_steps`` is spread over as few epochs as it needs."""
        steps = (
            images // config.batch_size if images >= 2 * config.batch_size else math.ceil(images / config.batch_size)
        )
        if config.max_steps is None or config.max_steps >= steps * config.epochs:
            return cls(config.epochs, steps)
        epochs = math.ceil(config.max_steps / steps)
        return cls(epochs, config.max_steps // epochs)


def fit(
    *,
    model: ModelConfig,
    train: TrainConfig,
    data: TrainingData,
    folder: Path,
    recipe: str,
    manifest_sha256: str | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> FitResult:
    """Train in ``folder``, leaving the two checkpoints and ``metrics.csv`` there.

    If the folder holds a resume point of the same recipe, training continues from its last complete step, to the same
    weights as without the interruption; else the folder is emptied.

    Args:
        model: section ``model``.
        train: section ``train``.
        data: images and annotations of both splits.
        folder: of the training; must exist.
        recipe: names everything that decides the result.
        manifest_sha256: of the training manifest, noted in the checkpoints.
        on_epoch: called with the row of each epoch.

    Returns:
        What the training came to.

    Raises:
        TrainingDiverged: if the loss is not finite.
        ImageError: if an image cannot be decoded.
        InputDataError: if ``model.num_classes`` contradicts the data, or the resume point cannot be read.
        OutputError: if the disk is full.
        Interrupted: if a signal asked to stop.
    """
    resume = _resume_point(folder, recipe)
    per_process_batch_size(train.batch_size)
    task = _FitTask(model, train, data, folder, manifest_sha256, resume)
    return _fit(broadcast_task(task), on_epoch)


def fit_as_worker_rank() -> bool:
    """Train together with rank 0, which has called :func:`fit`.

    Returns:
        Whether there was anything to train.

    Raises:
        As :func:`fit`.
    """
    task = broadcast_task(None)
    if task is None:
        return False
    _fit(task, None)
    return True


@dataclass(frozen=True, eq=False)
class _FitTask:
    """A training as rank 0 sends it to all."""

    model: ModelConfig
    train: TrainConfig
    data: TrainingData
    folder: Path
    manifest_sha256: str | None
    resume: Path | None


def _fit(task: _FitTask, on_epoch: Callable[[Row], None] | None) -> FitResult:
    started = time.monotonic()
    train, data, folder, resume = task.train, task.data, task.folder, task.resume
    device = choose_device(train.device)
    length = Length.of(train, EpochPlan.of(data.train, train).length)

    def describe(epoch: int, metrics: Mapping[str, float]) -> CheckpointInfo:
        return CheckpointInfo(task.model, data.categories, task.manifest_sha256, epoch, metrics)

    history = History(folder, on_epoch)
    point = ResumePoint(folder, every_s=train.resume_every_s)
    checkpoints = BestAndLastCheckpoint(folder, describe=describe, monitor=train.monitor)
    # order matters: whether an epoch is the last is known before it is saved, it is saved while the averaged weights
    # are swapped in, and the resume point comes last
    callbacks: list[Callback] = [checkpoints]
    if train.patience is not None:
        callbacks.insert(0, ResumableEarlyStopping(monitor=train.monitor, patience=train.patience))
    if train.ema_decay:
        callbacks.append(RampedWeightAveraging(train.ema_decay, device))
    callbacks += [history, *([] if is_worker_rank() else progress_callbacks(history)), point]
    with _quiet():
        module = DetectorModule(task.model, train, categories=data.categories, truth=data.truth)
        trainer = _trainer(train, length, folder=folder, callbacks=callbacks)
        loaders = DetectionDataModule(data, train, start=read_position(resume))
        try:
            trainer.fit(module, datamodule=loaders, ckpt_path=resume, weights_only=True)
        finally:
            point.stop.restore()
    if checkpoints.best is None:
        raise RuntimeError("training ended without an evaluation")
    return FitResult(
        rows=history.rows,
        best=checkpoints.best,
        seconds=round(time.monotonic() - started, 2),
        device=str(device),
        precision=choose_precision(train.precision, device),
        resumed=resume is not None,
    )


def _resume_point(folder: Path, recipe: str) -> Path | None:
    """The resume point in ``folder`` if it is of this recipe; otherwise the folder is emptied and marked."""
    mark, point = folder / RECIPE_NAME, folder / RESUME_NAME
    digest = sha256_value(recipe)
    if mark.is_file() and mark.read_text() == digest and point.is_file():
        return point
    for path in folder.iterdir():
        if path.name not in (SPOOL_NAME, CURSOR_NAME):  # the tracker has decided on these already
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    mark.write_text(digest)
    return None


def remove_resume_files(folder: Path) -> None:
    """Delete what only resuming needs."""
    for name in (RESUME_NAME, f"{RESUME_NAME}.partial", RECIPE_NAME):
        (folder / name).unlink(missing_ok=True)


def _trainer(config: TrainConfig, length: Length, *, folder: Path, callbacks: list[Callback]) -> Trainer:
    cuda = choose_device(config.device).type == "cuda"
    return Trainer(
        accelerator="cuda" if cuda else "cpu",
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=process_count() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        strategy="ddp" if process_count() > 1 else "auto",
        sync_batchnorm=cuda and process_count() > 1,
        use_distributed_sampler=False,
        max_epochs=length.epochs,
        accumulate_grad_batches=config.accumulate,
        limit_train_batches=length.steps_per_epoch,
        check_val_every_n_epoch=config.validate_every_epochs,
        gradient_clip_val=config.clip_norm or None,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=any(type(c).__name__ == "RichProgressBar" for c in callbacks),
        num_sanity_val_steps=0,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Lightning's banners, tips and hints about worker counts."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of an older torch
            yield
    finally:
        logger.setLevel(level)
