"""What the serving detector was trained on, from the manifests of its run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from visionllm_interaction.artifacts.runs import list_runs, run_of
from visionllm_interaction.core.unit_histogram import BINS
from visionllm_interaction.errors import InputDataError, ManifestError
from visionllm_interaction.server.monitoring.drift import TrainingBaseline
from visionllm_interaction.server.monitoring.lasting_failures import LastingFailure
from visionllm_interaction.server.training.run_reports import RunManifests
from visionllm_interaction.utils.hashing import sha256_file


def read_baseline(checkpoint: Path, artifacts: Path | None) -> TrainingBaseline | None:
    """What a checkpoint was trained on.

    Args:
        checkpoint: the file of the detector.
        artifacts: the folder of runs; None: only the run that the checkpoint lies in is looked at.

    Returns:
        What its run says; None of a ready-made model, an exported one, and one whose run is not here.

    Raises:
        OSError: if the folder of runs cannot be read.
        InputDataError: if the checkpoint cannot be read.
    """
    own = run_of(checkpoint)
    runs = [*([own] if own else []), *(reversed(list_runs(artifacts)) if artifacts else [])]
    manifests = [one for run in runs if (one := _manifests(run)) and one.checkpoint_sha256]
    if not manifests or not checkpoint.is_file():
        return None
    digest = sha256_file(checkpoint)
    return next((_baseline_of(one) for one in manifests if one.checkpoint_sha256 == digest), None)


def _manifests(run: Path) -> RunManifests | None:
    try:
        return RunManifests.read(run)
    except ManifestError:
        return None


def _baseline_of(run: RunManifests) -> TrainingBaseline:
    per_category = run.transformation.annotations_per_category if run.transformation else {}
    brightness = list(run.validation.brightness.values()) if run.validation else []
    confidences = run.training.validation_confidences if run.training else ()
    return TrainingBaseline(
        per_category.get("train", {}),
        confidences if _has_our_bins(confidences) else (),
        tuple(map(sum, zip(*brightness, strict=True))) if all(map(_has_our_bins, brightness)) else (),
    )


def _has_our_bins(histogram: Sequence[int]) -> bool:
    """Whether a histogram can be compared: a manifest made by another version, or by hand, may have other bins."""
    return len(histogram) == BINS


class KnownBaselines:
    """The baseline of the detector that serves; runs are read when another one does, not each time.

    Args:
        artifacts: the folder of runs; None: there is none.
    """

    def __init__(self, artifacts: Path | None) -> None:
        self._artifacts = artifacts
        self._known: tuple[tuple[Path, int, int] | None, TrainingBaseline | None] = (None, None)
        self._lock = threading.Lock()
        self._unread = LastingFailure(
            "what the detector was trained on cannot be read",
            fix="make the file of the detector and the folder of runs readable",
        )

    def of(self, checkpoint: Path | None) -> TrainingBaseline | None:
        """The baseline of a detector; None: it is not known, cannot be read now, or there is no detector."""
        if checkpoint is None:
            return None
        with self._lock:
            try:
                stat = checkpoint.stat()
                key = (checkpoint, stat.st_mtime_ns, stat.st_size)
                if self._known[0] != key:
                    self._known = (key, read_baseline(checkpoint, self._artifacts))
            except (OSError, InputDataError) as error:
                self._unread.failed(error)
                return None
            self._unread.worked()
            return self._known[1]
