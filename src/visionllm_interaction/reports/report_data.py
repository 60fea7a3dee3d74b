"""What a report shows, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StageRow:
    """One stage of the pipeline and the files it published, paths relative to the run folder."""

    name: str
    status: str
    duration_s: float
    files: tuple[tuple[str, int, str], ...]
    """(path, bytes, sha256) of each output."""


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """Boxes to draw: ``boxes_xyxy`` (n, 4) pixels, one caption and one colour key each."""

    boxes_xyxy: NDArray[Any]
    captions: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def empty(cls) -> LabelledBoxes:
        """Nothing to draw."""
        return cls(np.zeros((0, 4)), (), ())


@dataclass(frozen=True, eq=False)
class ImagePair:
    """An image (H, W, 3) uint8 with its true and its detected boxes."""

    title: str
    image_rgb: NDArray[np.uint8]
    truth: LabelledBoxes
    detected: LabelledBoxes


@dataclass(frozen=True, eq=False)
class EvidenceFrame:
    """A frame (H, W, 3) uint8 that proves a value, with the boxes of the tracks concerned."""

    title: str
    image_rgb: NDArray[np.uint8]
    boxes: LabelledBoxes


@dataclass(frozen=True)
class QuestionView:
    """A question, its answer as `visionllm ask --json` gives it, frames that prove it, and the truth if known."""

    question: str
    answer: Mapping[str, Any]
    frames: tuple[EvidenceFrame, ...] = ()
    truth: str | None = None
    agrees: bool | None = None


@dataclass(frozen=True)
class ReportedVideo:
    """A video's timeline as the store gives it."""

    video_id: str
    timeline: Mapping[str, Any]


@dataclass(frozen=True)
class ReportData:
    """Everything a report shows."""

    title: str
    intro: str
    metrics: Mapping[str, str]
    """Shown at the top: name, value as text."""
    stages: tuple[StageRow, ...]
    images: tuple[ImagePair, ...]
    epochs: tuple[Mapping[str, float], ...]
    videos: tuple[ReportedVideo, ...]
    questions: tuple[QuestionView, ...]
    next_steps: tuple[tuple[str, str], ...] = field(default=())
    """(command, what it does)."""
