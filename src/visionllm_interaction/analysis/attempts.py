"""One video tried: what became of it goes into the ledger, and an error into the outcome."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from visionllm_interaction.analysis.analysis_task import AnalysisTask, Progress, silent
from visionllm_interaction.analysis.analyze_video import AnalysedVideo, analyze_video
from visionllm_interaction.analysis.failures import as_known, release_memory
from visionllm_interaction.analysis.object_storage import copy_for_video, ledger_at, ledger_of
from visionllm_interaction.analysis.video_outcomes import VideoResult
from visionllm_interaction.errors import InputDataError, VisionLLMError
from visionllm_interaction.store.video_status_ledger import Ledger
from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector
    from visionllm_interaction.store.object_storage.working_copy import WorkingCopy

_ATTEMPTS = 3
"""A video over which so many processes died is given up."""


@dataclass(frozen=True)
class VideoOutcome:
    """The result of one video, and the ``error`` if it failed."""

    result: VideoResult
    error: VisionLLMError | None = None


Load = Callable[[], "Detector | None"]
"""Gives the detector, loading it if that is not done yet; ``None`` if there is none."""


def try_one(
    path: Path, video_id: str | None, job: AnalysisTask, *, load: Load, progress: Progress = silent
) -> VideoOutcome:
    """Analyse one video and record it in the ledger; errors become part of the outcome.

    Only ``KeyboardInterrupt``, ``SystemExit`` and the like are raised again, after a note in the ledger.
    """
    if job.url is None:
        return _try_in_folder(path, video_id, job, load=load, progress=progress)
    try:
        with copy_for_video(job.url, path, video_id) as copy:
            job = replace(job, store=copy.folder, url=None)
            return _try_in_folder(path, video_id, job, load=load, progress=progress, copy=copy)
    except (VisionLLMError, OSError) as error:  # the object store: there is no ledger to write to
        known = as_known(error, path)
        log.warning("video failed", path=str(path), reason=known.message, found=known.found)
        return VideoOutcome(VideoResult(video_id, path, "failed", reason=reason_of(known)), known)


def _try_in_folder(
    path: Path,
    video_id: str | None,
    job: AnalysisTask,
    *,
    load: Load,
    progress: Progress,
    copy: WorkingCopy | None = None,
) -> VideoOutcome:
    begin = time.perf_counter()
    ledger = Ledger(job.store, run=job.run) if copy is None else ledger_of(copy, run=job.run)
    attempt = ledger.begin(path, video_id)

    def seconds() -> float:
        return round(time.perf_counter() - begin, 3)

    try:
        if attempt > _ATTEMPTS:
            raise _crashed_repeatedly(path)
        analysed = analyze_video(path, video_id, job, detector=load(), progress=progress)
        if copy is not None:
            copy.publish()
    except Exception as error:  # noqa: BLE001  (one bad video never stops the others)
        return _fail(error, path, video_id, ledger, attempt=attempt, seconds=seconds())
    except BaseException as error:
        reason = f"The analysis was stopped by {type(error).__name__}."
        ledger.interrupted(path, video_id, attempt=attempt, seconds=seconds(), reason=reason)
        raise
    ledger.done(path, analysed.record.video_id, asked_id=video_id, attempt=attempt, seconds=seconds())
    return VideoOutcome(_result_of(path, analysed, seconds=seconds()))


def fail_one(error: BaseException, path: Path, video_id: str | None, job: AnalysisTask) -> VideoOutcome:
    """The outcome of a video over which something was raised that :func:`try_one` lets through; noted as failed."""
    if job.url is None:
        return _fail(error, path, video_id, Ledger(job.store, run=job.run), attempt=1, seconds=0.0)
    with ledger_at(job.url, run=job.run) as ledger:
        return _fail(error, path, video_id, ledger, attempt=1, seconds=0.0)


def _fail(
    error: BaseException, path: Path, video_id: str | None, ledger: Ledger, *, attempt: int, seconds: float
) -> VideoOutcome:
    expected = isinstance(error, (VisionLLMError, OSError))
    # The traceback is formatted before as_known takes the frames away.
    trace = {} if expected else {"exception": "".join(traceback.format_exception(error))}
    known = as_known(error, path)
    log.warning("video failed", path=str(path), reason=known.message, found=known.found, **trace)
    if not isinstance(error, VisionLLMError):
        error.__traceback__ = error.__cause__ = error.__context__ = None
        release_memory()
    reason = reason_of(known)
    ledger.failed(path, video_id, attempt=attempt, seconds=seconds, reason=reason)
    return VideoOutcome(VideoResult(video_id, path, "failed", seconds=seconds, reason=reason), known)


def _crashed_repeatedly(path: Path) -> InputDataError:
    return InputDataError(
        "The process that analysed the video died, again and again.",
        expected=f"at most {_ATTEMPTS - 1} deaths, which machines and people cause",
        found=f"{_ATTEMPTS}",
        where=str(path),
        fix="see whether memory runs out: fewer workers for a machine, a smaller batch_size, or analyse it by itself",
    )


def reason_of(error: VisionLLMError) -> str:
    """What went wrong, in one line."""
    parts = [error.message, error.found and f"Found: {error.found}.", error.where and f"Where: {error.where}"]
    return " ".join(part for part in parts if part)


def _result_of(path: Path, analysed: AnalysedVideo, *, seconds: float) -> VideoResult:
    record = analysed.record
    return VideoResult(
        record.video_id,
        path,
        analysed.status,
        frames=record.n_frames,
        processed=record.n_processed,
        detections=record.n_detections,
        tracks=record.n_tracks,
        untracked=record.n_untracked or 0,
        seconds=seconds,
        changed="; ".join(analysed.changed) or None,
        notes=tuple(record.notes),
    )
