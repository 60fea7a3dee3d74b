"""The settings that all videos of one analysis share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionllm_interaction.analysis.config import AnalysisConfig

if TYPE_CHECKING:
    from visionllm_interaction.analysis.bodies import BodyTask

View = Literal["room", "ego"]
Progress = Callable[[str, int, int | None], None]
"""Called with the video's name, frames read, and frames in all if known."""


def silent(_name: str, _done: int, _total: int | None) -> None:
    """A ``Progress`` that shows nothing."""


@dataclass(frozen=True)
class AnalysisTask:
    """The settings shared by all videos of one run; can be sent to another machine.

    Attributes:
        run: names the run in the store's ledger.
        detections: ``"truth"``, a file, or ``None`` if there is a detector.
        heads: a file of heads, or a folder with one for each video; ``None`` without heads.
        bodies: models for faces, hands and poses; ``None``: they are not looked for.
        url: the address of a store in an object store; then each video has a working copy in the place of ``store``.
    """

    run: str
    store: Path
    detections: Path | Literal["truth"] | None
    view: View
    roles: Mapping[str, str]
    config: AnalysisConfig
    heads: Path | None = None
    bodies: BodyTask | None = None
    url: str | None = None


def with_batch_size(job: AnalysisTask, batch_size: int) -> AnalysisTask:
    """``job`` with so many images given to the detector at a time."""
    video = job.config.video
    detect = video.detect.model_copy(update={"batch_size": batch_size})
    config = job.config.model_copy(update={"video": video.model_copy(update={"detect": detect})})
    return replace(job, config=config)
