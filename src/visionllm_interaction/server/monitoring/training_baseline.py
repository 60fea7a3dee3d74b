"""What the serving detector was trained on, from the manifests of its run."""

from __future__ import annotations

import threading
from pathlib import Path

from visionllm_interaction.artifacts.runs import list_runs, run_of
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.server.monitoring.drift import TrainingBaseline
from visionllm_interaction.server.training.run_reports import RunManifests
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.logs import log


def read_baseline(checkpoint: Path, artifacts: Path | None) -> TrainingBaseline | None:
    """What a checkpoint was trained on.

    Args:
        checkpoint: the file of the detector.
        artifacts: the folder of runs; None: only the run that the checkpoint lies in is looked at.

    Returns:
        What its run says; None of a ready-made model, an exported one, and one whose run is not here.

    Raises:
        OSError: if the checkpoint or the folder of runs cannot be read.
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
    brightness = run.validation.brightness.values() if run.validation else ()
    return TrainingBaseline(
        per_category.get("train", {}),
        run.training.validation_confidences if run.training else (),
        tuple(sum(counts) for counts in zip(*brightness, strict=True)),
    )


class KnownBaselines:
    """The baseline of the detector that serves; runs are read when another one does, not each time.

    Args:
        artifacts: the folder of runs; None: there is none.
    """

    def __init__(self, artifacts: Path | None) -> None:
        self._artifacts = artifacts
        self._known: tuple[tuple[Path, int, int] | None, TrainingBaseline | None] = (None, None)
        self._lock = threading.Lock()

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
            except OSError as error:
                log.debug("what the detector was trained on cannot be read", error=type(error).__name__)
                return None
            return self._known[1]
