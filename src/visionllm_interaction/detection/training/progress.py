"""Progress on stderr: a live bar in a terminal, plain lines in a log file. Nothing goes to stdout."""

# ruff: noqa: ARG002  (Lightning fixes the signatures of its hooks)

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich.console import Console

from visionllm_interaction.detection.training.callbacks import History, Row

LINE_EVERY_S = 20.0
SHOWN = {"train_loss": "loss", "AP": "AP", "AP50": "AP50"}


def progress_callbacks(history: History) -> list[Callback]:
    """What shows the progress here."""
    if sys.stderr.isatty():
        return [RichProgressBar(leave=True, refresh_rate=1, console_kwargs={"stderr": True})]
    return [ProgressLines(history)]


class ProgressLines(Callback):
    """One line per epoch, and one now and then within a long epoch."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._last = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *event: Any) -> None:
        """A line if the last one was long ago."""
        if time.monotonic() - self._last < LINE_EVERY_S:
            return
        loss, number = float(event[0]["loss"]), event[2] + 1
        self._say(f"{_place(trainer)}  step {number}/{trainer.num_training_batches}  loss {loss:.3f}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """The epoch's line."""
        row = self._history.rows[-1]
        self._say(f"{_place(trainer)}  {row_to_text(row)}")

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        self._console.print(text)


def row_to_text(row: Mapping[str, Any] | Row) -> str:
    """``loss 0.512  AP 0.412  AP50 0.700  12.3 images/s  40 s``."""
    metrics = [f"{name} {row[key]:.3f}" for key, name in SHOWN.items() if key in row]
    return "  ".join([*metrics, f"{row['images_per_s']:.1f} images/s", f"{row['seconds']:.0f} s"])


def _place(trainer: Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
