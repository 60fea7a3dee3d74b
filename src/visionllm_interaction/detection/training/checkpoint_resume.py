"""The resume point of a training after a kill, a signal or a power cut: weights, optimiser, position, random state."""

# ruff: noqa: ARG002  (Lightning fixes the signatures of its hooks)

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer

from visionllm_interaction.detection.models.safe_loading import load_tensors
from visionllm_interaction.detection.training.stop_signals import StopRequest, explain_disk_errors
from visionllm_interaction.errors import Interrupted
from visionllm_interaction.utils.atomic_files import replace_file

RESUME_NAME = "resume.ckpt"


@dataclass(frozen=True)
class Position:
    """How far the data was read: ``batches`` of ``epoch`` (from 0)."""

    epoch: int = 0
    batches: int = 0


class ResumePoint(Callback):
    """Writes a resume point after each epoch, within an epoch when the last is ``every_s`` old, and on a signal.

    A signal ends the training after the running step, or, where it comes during validation, after the epoch.
    """

    def __init__(self, folder: Path, *, every_s: float) -> None:
        self._folder = folder
        self._every_s = every_s
        self._written = time.monotonic()
        self._position = Position()
        self._random: dict[str, Any] | None = None
        self.stop = StopRequest()

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Listen for signals; after Lightning, whose own handlers would end the run without a resume point."""
        self.stop.listen()

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Restore the random state once, just before the first step after resuming."""
        if self._random is not None:
            _set_random_state(self._random)
            self._random = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *event: Any) -> None:
        """Write if it is due, then stop if a signal came."""
        done: int = event[2] + 1
        # after the last batch of an epoch validation follows; gradients that are being added up are not in the point
        if done >= trainer.num_training_batches or done % trainer.accumulate_grad_batches:
            return
        stop = self._stop_requested(trainer)
        if stop or self._due(trainer):
            self._write(trainer, Position(trainer.current_epoch, done))
        if stop:
            raise self._interrupted(trainer, f"step {done} of {trainer.num_training_batches}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Write, then stop if a signal came and epochs are left."""
        self._write(trainer, Position(trainer.current_epoch + 1, 0))
        over = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if self._stop_requested(trainer) and not over:
            raise self._interrupted(trainer, "its end")

    def _due(self, trainer: Trainer) -> bool:
        return _any_process(trainer, time.monotonic() - self._written >= self._every_s)

    def _stop_requested(self, trainer: Trainer) -> bool:
        return _any_process(trainer, self.stop.name is not None)

    def _write(self, trainer: Trainer, position: Position) -> None:
        """Beside the old one, synced, then in its place: there is always one complete point."""
        self._position = position
        final = self._folder / RESUME_NAME
        partial = self._folder / f"{RESUME_NAME}.partial"
        with explain_disk_errors(final):
            try:
                trainer.save_checkpoint(partial)
                if trainer.is_global_zero:
                    replace_file(partial, final)
            finally:
                if trainer.is_global_zero:
                    partial.unlink(missing_ok=True)
        self._written = time.monotonic()

    def _interrupted(self, trainer: Trainer, place: str) -> Interrupted:
        return Interrupted(
            "Training was stopped by a signal.",
            found=self.stop.name or "a signal to another process",
            where=f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, after {place}",
            fix="give the same command again: it continues from here, to the same weights",
        )

    def state_dict(self) -> dict[str, Any]:
        """State for the resume point."""
        return {"epoch": self._position.epoch, "batches": self._position.batches, "random": _random_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the resume point."""
        self._random = state_dict["random"]


def _any_process(trainer: Trainer, value: bool) -> bool:
    """Whether it is so in any process: all must write, or none."""
    return value if trainer.world_size == 1 else bool(trainer.strategy.reduce_boolean_decision(value, all=False))


def read_position(point: Path | None) -> Position:
    """Read how far a resume point has come.

    Args:
        point: the file; ``None`` if there is none.

    Returns:
        Its position; the beginning without a file.

    Raises:
        CheckpointError: if it cannot be read.
    """
    if point is None:
        return Position()
    state = load_tensors(point)["callbacks"]["ResumePoint"]
    return Position(state["epoch"], state["batches"])


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([value.cpu() for value in state["cuda"]])
