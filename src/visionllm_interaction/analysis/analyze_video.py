"""One video → interaction store: decode, detect, track, relate, publish, each video whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionllm_interaction.analysis.analysis_task import AnalysisTask, Progress, with_batch_size
from visionllm_interaction.analysis.bodies import AnalysedBodies, BodyTask, analyse_bodies
from visionllm_interaction.analysis.failures import is_out_of_memory, release_memory
from visionllm_interaction.analysis.inputs import find_inputs
from visionllm_interaction.analysis.publication import publish_analysis
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.video_identity import known_video_id, move_source
from visionllm_interaction.store.video_record import VideoRecord, make_video_id, read_record
from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector
    from visionllm_interaction.video.tracking.pipeline import TrackedVideo


@dataclass(frozen=True)
class AnalysedVideo:
    """An analysed video; ``changed`` lists what changed since the store's former record was made."""

    record: VideoRecord
    status: Literal["done", "up_to_date"]
    changed: Sequence[str] = ()


def analyze_video(
    path: Path, video_id: str | None, job: AnalysisTask, *, detector: Detector | None, progress: Progress
) -> AnalysedVideo:
    """Analyse one video into the store of ``job``, unless its record says that nothing would change.

    Args:
        path: the video file.
        video_id: its id in the store; None: the one it has there, or one made of its name and contents.
        job: the settings of the analysis.
        detector: finds the objects; None: the detections are in a file.
        progress: called as frames are read.

    Returns:
        The record in the store, and whether it is new.

    Raises:
        VisionLLMError: if a file cannot be used.
        OSError: if one cannot be read, or the store cannot be written.
    """
    inputs = find_inputs(path, job, detector)
    source = inputs.source
    chosen_id = video_id or known_video_id(job.store, source) or make_video_id(path, source.sha256)
    former = read_record(job.store / "videos" / chosen_id)
    changed = inputs.provenance.changes_since(former) if former else []
    if former is not None and not changed:
        return AnalysedVideo(move_source(job.store, former, source), "up_to_date")
    if changed:
        log.info("analysed again", video_id=chosen_id, changed="; ".join(changed))
    tracked, notes = _track(path, inputs.origin_path, job, detector=detector, progress=progress)
    bodies = None if job.bodies is None else _bodies(path, tracked, job, job.bodies, progress)
    return AnalysedVideo(
        publish_analysis(tracked, chosen_id, inputs, notes=notes, job=job, bodies=bodies), "done", changed
    )


def _bodies(path: Path, tracked: TrackedVideo, job: AnalysisTask, task: BodyTask, progress: Progress) -> AnalysedBodies:
    def show(done: int, total: int | None) -> None:
        progress(f"{path.name}: {', '.join(task.models.finds)}", done, total)

    return analyse_bodies(path, tracked, task, job.config, progress=show)


def _track(
    path: Path, given: Path | None, job: AnalysisTask, *, detector: Detector | None, progress: Progress
) -> tuple[TrackedVideo, tuple[str, ...]]:
    """The tracked video, and notes; when memory runs out the detector gets a second chance with half the batch."""
    batch_size = job.config.video.detect.batch_size
    try:
        return _track_once(path, given, job, detector=detector, progress=progress), ()
    except Exception as error:
        if detector is None or batch_size == 1 or not is_out_of_memory(error):
            raise
        found = type(error).__name__
    # Out of the handler: while the exception is alive, its frames hold the images and tensors there is no room for.
    release_memory()
    half = batch_size // 2
    log.warning("out of memory, trying again", path=str(path), batch_size=half, found=found)
    tracked = _track_once(path, given, with_batch_size(job, half), detector=detector, progress=progress)
    return tracked, (f"memory ran out with {batch_size} images at a time ({found}); analysed with {half}",)


def _track_once(
    path: Path, given: Path | None, job: AnalysisTask, *, detector: Detector | None, progress: Progress
) -> TrackedVideo:
    # Imported here: reading settings must not pay for video and tracking libraries.
    from visionllm_interaction.video.tracking.pipeline import load_true_tracks, track_from_file, track_with_detector

    config = job.config.video

    def show(done: int, total: int | None) -> None:
        progress(path.name, done, total)

    if detector is not None:
        return track_with_detector(path, detector, config=config, moving=job.view == "ego", progress=show)
    if given is None:
        raise UsageError("There are no detections.", expected="a detector or a file", found="neither")
    if job.detections == "truth":
        return load_true_tracks(path, given, config=config, progress=show)
    return track_from_file(path, given, config=config, moving=job.view == "ego", progress=show)
