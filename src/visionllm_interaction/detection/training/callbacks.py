"""Lightning callbacks: metrics of each epoch, best and last checkpoint, early stopping, averaged weights."""

# ruff: noqa: ARG002  (Lightning fixes the signatures of its hooks)

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, WeightAveraging
from torch import Tensor

from visionllm_interaction.artifacts.stage_manifests import BEST_NAME
from visionllm_interaction.detection.evaluation.coco_metrics import ABSENT, METRICS
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.checkpoints import save_checkpoint
from visionllm_interaction.detection.training.distributed import all_gather
from visionllm_interaction.detection.training.stop_signals import explain_disk_errors
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.atomic_files import write_file

LAST_NAME = "fasterrcnn_last.pt"
METRICS_NAME = "metrics.csv"
VAL_LOSS = "val_loss"
CONFIDENCES = "confidences"

Row = dict[str, Any]
Describe = Callable[[int, Mapping[str, float]], CheckpointInfo]
"""(epochs completed, metrics) → what the checkpoint says about itself."""


@dataclass
class _EpochSums:
    """Losses of the running epoch, each weighted by images; ``seconds`` is only up to date when saved."""

    sums: dict[str, Any] = field(default_factory=dict)
    images: int = 0
    seconds: float = 0.0

    def add(self, losses: Mapping[str, Tensor], images: int) -> None:
        # kept as tensors: a number would make a GPU wait at each step
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.double() * images
        self.images += images

    def means(self) -> dict[str, float]:
        return {name: float(value) / max(self.images, 1) for name, value in self.sums.items()}

    def to_dict(self) -> dict[str, Any]:
        sums = {name: float(value) for name, value in self.sums.items()}
        return {"sums": sums, "images": self.images, "seconds": self.seconds}

    @classmethod
    def joined(cls, parts: Sequence[Mapping[str, Any]]) -> _EpochSums:
        """The sums of all processes together."""
        names = parts[0]["sums"]
        sums = {name: sum(part["sums"][name] for part in parts) for name in names}
        return cls(sums, sum(part["images"] for part in parts), parts[0]["seconds"])


class History(Callback):
    """One row per epoch: losses, metrics, learning rate, speed; kept in ``metrics.csv`` and in the resume point.

    Args:
        folder: where ``metrics.csv`` goes.
        on_epoch: called with each new row, in the first process.
    """

    def __init__(self, folder: Path, on_epoch: Callable[[Row], None] | None = None) -> None:
        self._folder = folder
        self._on_epoch = on_epoch
        self._rows: dict[int, Row] = {}
        self._epoch = _EpochSums()
        self._started = 0.0
        self._train_seconds = 0.0

    @property
    def rows(self) -> list[Row]:
        """Rows in order of epochs."""
        return [self._rows[epoch] for epoch in sorted(self._rows)]

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Continue the clock where an interrupted epoch stopped."""
        self._started = time.monotonic() - self._epoch.seconds
        self._evaluate_last_epoch(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock (not called for an epoch that is resumed)."""
        self._started, self._epoch = time.monotonic(), _EpochSums()
        self._evaluate_last_epoch(trainer)

    def _evaluate_last_epoch(self, trainer: Trainer) -> None:
        # the last epoch is evaluated whatever train.validate_every_epochs says
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *event: Any) -> None:
        """Add losses and images to the sums of the epoch."""
        self._epoch.add(pl_module.losses, len(event[1][0]))

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Note the duration of the training part; validation is not part of the speed."""
        self._train_seconds = time.monotonic() - self._started

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Add the row, rewrite the file and call ``on_epoch``."""
        self._epoch = _EpochSums.joined(all_gather(self._epoch.to_dict()))
        seconds = time.monotonic() - self._started
        validated = pl_module.metrics_epoch == trainer.current_epoch
        metrics = scalar_metrics(pl_module.metrics) if validated else {}
        training = self._train_seconds if validated else seconds
        row: Row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **self._epoch.means(),
            **metrics,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(seconds, 2),
            "images_per_s": round(self._epoch.images / max(training, 1e-9), 2),
        }
        self._rows[row["epoch"]] = row
        if not trainer.is_global_zero:
            return
        write_file(self._folder / METRICS_NAME, rows_to_csv(self.rows).encode())
        if self._on_epoch:
            self._on_epoch(row)

    def state_dict(self) -> dict[str, Any]:
        """State for the resume point: the rows, and the sums of an unfinished epoch."""
        self._epoch.seconds = time.monotonic() - self._started
        return {"rows": self._rows, "epoch": self._epoch.to_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the resume point."""
        self._rows = dict(state_dict["rows"])
        self._epoch = _EpochSums(**state_dict["epoch"])


def rows_to_csv(rows: Sequence[Row]) -> str:
    """CSV with one line per row; a key that a row lacks is left empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def scalar_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers: the twelve of COCO, and ``val_loss`` where it was computed."""
    return {name: metrics[name] for name in (*METRICS, VAL_LOSS) if name in metrics}


@dataclass(frozen=True)
class Best:
    """The best epoch so far (from 1) and its COCO metrics, ``per_category`` included."""

    epoch: int
    metrics: dict[str, Any]


class BestAndLastCheckpoint(Callback):
    """Writes the checkpoint of the best epoch so far by ``monitor``, and that of the last.

    Lightning's ``ModelCheckpoint`` writes the state of a training; a checkpoint of this package is a detector: weights,
    categories, settings and a sidecar. What Lightning needs to resume is in the resume point.

    Args:
        folder: where the two files go.
        describe: what a checkpoint says about itself.
        monitor: name of the metric that decides which epoch is best.
    """

    def __init__(self, folder: Path, *, describe: Describe, monitor: str = "AP") -> None:
        self._folder = folder
        self._describe = describe
        self._monitor = monitor
        self.best: Best | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Keep the weights that were just evaluated; early stopping has decided already whether they are the last."""
        epoch, metrics = trainer.current_epoch + 1, pl_module.metrics
        info = self._describe(epoch, scalar_metrics(metrics))
        state = pl_module.detector.state_dict()
        if self.best is None or self._score(metrics) > self._score(self.best.metrics):
            self.best = Best(epoch, metrics)
            self._save(trainer, BEST_NAME, state, info)
        if epoch == trainer.max_epochs or trainer.should_stop:
            self._save(trainer, LAST_NAME, state, info)

    def _score(self, metrics: Mapping[str, Any]) -> float:
        value: float = metrics[self._monitor]
        if self._monitor == VAL_LOSS:
            return -value
        if value == ABSENT and self._monitor != "AP":
            raise AnnotationError(
                "The metric that decides which epoch is best cannot be computed.",
                expected=f"validation objects that {self._monitor} is computed from",
                found="none",
                where="train.monitor",
                fix="monitor AP, or add such objects to the validation split",
            )
        return value

    def _save(self, trainer: Trainer, name: str, state: Mapping[str, Tensor], info: CheckpointInfo) -> None:
        if not trainer.is_global_zero:
            return
        with explain_disk_errors(self._folder / name):
            save_checkpoint(self._folder / name, state, info=info)

    def state_dict(self) -> dict[str, Any]:
        """State for the resume point."""
        return {"best": (self.best.epoch, self.best.metrics) if self.best else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the resume point."""
        self.best = Best(*state_dict["best"]) if state_dict["best"] else None


class ResumableEarlyStopping(EarlyStopping):
    """Lightning's early stopping, for a training that may be resumed after it has stopped.

    Lightning restores how many evaluations were without a better one, but not that the training had ended: it would
    train another epoch.

    Args:
        monitor: name of the metric.
        patience: evaluations without a better one after which the training ends.
    """

    def __init__(self, *, monitor: str, patience: int) -> None:
        super().__init__(
            monitor=monitor,
            patience=patience,
            mode="min" if monitor == VAL_LOSS else "max",
            check_finite=False,
            check_on_train_epoch_end=False,  # epochs that are not evaluated do not count
        )

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """A training that had ended itself stays ended."""
        trainer.should_stop = self.wait_count >= self.patience


class RampedWeightAveraging(WeightAveraging):
    """Lightning's exponential moving average of the weights, with a decay that rises with the number of steps.

    After n steps it is min(``decay``, (1 + n) / (10 + n)), so that the random initial weights are soon forgotten.
    Lightning's own ``EMAWeightAveraging`` has a constant decay, and takes the averaged weights out again before
    ``on_validation_end``, where the evaluated weights are saved.

    Args:
        decay: per step, in (0, 1).
        device: where the average is kept. Lightning would take the device that the module is on before it is moved.

    Source of the ramp: ``ExponentialMovingAverage`` of TensorFlow, argument ``num_updates``.
    """

    def __init__(self, decay: float, device: torch.device) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
            if not averaged.is_floating_point():
                return current
            # all on the device: a number would make a GPU wait at each tensor
            n = torch.as_tensor(updates, device=averaged.device)
            ramped = torch.clamp((1 + n) / (10 + n), max=decay)
            return averaged.lerp(current, (1 - ramped).to(averaged.dtype))

        super().__init__(device=device, avg_fn=average)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Swapped in before, in :meth:`on_validation_start`."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Swapped out after, in :meth:`on_validation_end`."""

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Swap the averaged weights in."""
        super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Swap the averaged weights out, after the callbacks before this one have saved them."""
        super().on_validation_epoch_end(trainer, pl_module)
