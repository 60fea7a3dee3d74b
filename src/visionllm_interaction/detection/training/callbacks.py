"""What happened in each epoch; which one was best; how training resumes after a kill. All as Lightning callbacks."""

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
from torch import Tensor

from visionllm_interaction.detection.evaluation.coco_metrics import ABSENT, FIGURES
from visionllm_interaction.detection.models.checkpoints import CheckpointInfo, save_checkpoint
from visionllm_interaction.detection.training.distributed import gather
from visionllm_interaction.detection.training.signals import writing
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.atomic_files import write_file

BEST_NAME = "fasterrcnn_best.pt"
LAST_NAME = "fasterrcnn_last.pt"
METRICS_NAME = "metrics.csv"
VAL_LOSS = "val_loss"

Row = dict[str, Any]
Describe = Callable[[int, Mapping[str, float]], CheckpointInfo]
"""(epochs completed, figures) → what the checkpoint says about itself."""


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
    """One row per epoch: losses, figures, learning rate, speed; kept in ``metrics.csv`` and in the resume point."""

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
        """Go on with the clock where a resumed epoch stopped."""
        self._started = time.monotonic() - self._epoch.seconds
        self._see_to_last_epoch(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock (not called for an epoch that is resumed in its middle)."""
        self._started, self._epoch = time.monotonic(), _EpochSums()
        self._see_to_last_epoch(trainer)

    def _see_to_last_epoch(self, trainer: Trainer) -> None:
        # the last epoch is evaluated whatever the rhythm is
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *event: Any) -> None:
        """Add up losses and images."""
        self._epoch.add(pl_module.losses, len(event[1][0]))

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """The training part of the epoch is over; validation is timed apart."""
        self._train_seconds = time.monotonic() - self._started

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Add the row, rewrite the file and tell who wants to know."""
        self._epoch = _EpochSums.joined(gather(self._epoch.to_dict()))
        seconds = time.monotonic() - self._started
        validated = pl_module.figures_epoch == trainer.current_epoch
        figures = plain_figures(pl_module.figures) if validated else {}
        training = self._train_seconds if validated else seconds
        row: Row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **self._epoch.means(),
            **figures,
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
        """For the resume point: the rows, and the sums of an epoch that is not over."""
        self._epoch.seconds = time.monotonic() - self._started
        return {"rows": self._rows, "epoch": self._epoch.to_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the resume point."""
        self._rows = dict(state_dict["rows"])
        self._epoch = _EpochSums(**state_dict["epoch"])


def rows_to_csv(rows: Sequence[Row]) -> str:
    """A table with one line per row; a key that a row lacks is left empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plain_figures(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are numbers: the twelve of COCO, and ``val_loss`` where it was taken."""
    return {name: figures[name] for name in (*FIGURES, VAL_LOSS) if name in figures}


@dataclass(frozen=True)
class Best:
    """The best epoch so far (from 1) and its COCO figures, ``per_category`` included."""

    epoch: int
    figures: dict[str, Any]


class KeepCheckpoints(Callback):
    """Writes the checkpoint of the best epoch so far by ``monitor``, and that of the last.

    After ``patience`` evaluations without a better one it ends the training.
    """

    def __init__(self, folder: Path, *, describe: Describe, monitor: str = "AP", patience: int | None = None) -> None:
        self._folder = folder
        self._describe = describe
        self._monitor = monitor
        self._patience = patience
        self._without_better = 0
        self.best: Best | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """A training that had ended itself stays ended."""
        trainer.should_stop = self._exhausted()

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Keep the weights that were just evaluated."""
        epoch, figures = trainer.current_epoch + 1, pl_module.figures
        info = self._describe(epoch, plain_figures(figures))
        state = pl_module.detector.state_dict()
        self._without_better += 1
        if self.best is None or self._score(figures) > self._score(self.best.figures):
            self._without_better = 0
            self.best = Best(epoch, figures)
            self._save(trainer, BEST_NAME, state, info)
        if epoch == trainer.max_epochs or self._exhausted():
            self._save(trainer, LAST_NAME, state, info)
        trainer.should_stop = self._exhausted()

    def _score(self, figures: Mapping[str, Any]) -> float:
        value: float = figures[self._monitor]
        if self._monitor == VAL_LOSS:
            return -value
        if value == ABSENT and self._monitor != "AP":
            raise AnnotationError(
                "The figure that decides which epoch is best cannot be computed.",
                expected=f"validation objects that {self._monitor} is computed from",
                found="none",
                where="train.monitor",
                fix="monitor AP, or add such objects to the validation split",
            )
        return value

    def _exhausted(self) -> bool:
        return self._patience is not None and self._without_better >= self._patience

    def _save(self, trainer: Trainer, name: str, state: Mapping[str, Tensor], info: CheckpointInfo) -> None:
        if not trainer.is_global_zero:
            return
        with writing(self._folder / name):
            save_checkpoint(self._folder / name, state, info=info)

    def state_dict(self) -> dict[str, Any]:
        """For the resume point."""
        best = (self.best.epoch, self.best.figures) if self.best else None
        return {"best": best, "without_better": self._without_better}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the resume point."""
        self.best = Best(*state_dict["best"]) if state_dict["best"] else None
        self._without_better = state_dict["without_better"]


class WeightAverage(Callback):
    """An exponential running average of the weights, swapped in while the model is evaluated.

    The decay rises with the number of steps, so that the random initial weights are soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._average: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Begin with the weights as they are, unless restored."""
        state = pl_module.detector.state_dict()
        self._average = {k: self._average.get(k, v).detach().to(v.device, copy=True) for k, v in state.items()}

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *event: Any) -> None:
        """Move the average towards the weights."""
        decay = min(self._decay, (1 + trainer.global_step) / (10 + trainer.global_step))
        for key, value in pl_module.detector.state_dict().items():
            floats = value.is_floating_point()
            self._average[key].lerp_(value, 1 - decay) if floats else self._average[key].copy_(value)

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Average in."""
        self._swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Average out."""
        self._swap(pl_module)

    @torch.no_grad()
    def _swap(self, pl_module: Any) -> None:
        for key, value in pl_module.detector.state_dict().items():
            kept = value.clone()
            value.copy_(self._average[key])
            self._average[key].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """For the resume point."""
        return {"average": self._average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the resume point."""
        self._average = dict(state_dict["average"])
