"""One video → interaction store: decode, detect, track, relate, publish, each video whole or not at all."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionllm_interaction import __version__
from visionllm_interaction.analysis.bodies import (
    AnalysedBodies,
    BodyTask,
    analyse_bodies,
    hands_of,
    role_estimates,
    role_notes,
    with_estimates,
    with_holding_evidence,
)
from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.analysis.failures import as_known, is_out_of_memory, release_memory
from visionllm_interaction.analysis.object_storage import copy_for_video, ledger_at, ledger_of
from visionllm_interaction.analysis.provenance import (
    ALGORITHM_VERSION,
    ANALYSIS,
    Provenance,
    parts_of,
)
from visionllm_interaction.analysis.sampling_record import sampling_record, tracking_notes, weak_sightings
from visionllm_interaction.analysis.video_outcomes import VideoResult
from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.bodies import BodyTables
from visionllm_interaction.core.detection_table import UNTRACKED, HeadTable
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.errors import InputDataError, UsageError, VisionLLMError
from visionllm_interaction.interactions.relations_and_events import find_interactions
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.sightings import seconds_in_view
from visionllm_interaction.store.video_identity import known_video_id, move_source
from visionllm_interaction.store.video_record import (
    DetectorRecord,
    ReturnGuess,
    RoleGuess,
    SourceFile,
    VideoRecord,
    make_video_id,
    read_record,
)
from visionllm_interaction.store.video_status_ledger import Ledger
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.logs import log
from visionllm_interaction.video.decoding.containers import open_video

if TYPE_CHECKING:
    from visionllm_interaction.core.bodies import RoleEstimate
    from visionllm_interaction.detection.runtimes.detector_interface import Detector, Runtime
    from visionllm_interaction.store.object_storage.working_copy import WorkingCopy
    from visionllm_interaction.video.tracking.pipeline import TrackedVideo


View = Literal["room", "ego"]
Progress = Callable[[str, int, int | None], None]
"""Called with the video's name, frames read, and frames in all if known."""
_NOTED = ("av", "numpy", "pyarrow", "trackers")
"""Libraries whose versions a record names in any case; those that decide the result are added."""
_HEADER_FIELDS = (
    *("width", "height", "stored_width", "stored_height", "pixel_aspect", "rotation_deg", "mirrored"),
    *("header_fps", "time_base", "container", "codec", "stream"),
)

_ATTEMPTS = 3
"""A video over which so many processes died is given up."""


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
        analysed = _analyze_one(path, video_id, job, detector=load(), progress=progress)
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


def _result_of(path: Path, analysed: _Analysed, *, seconds: float) -> VideoResult:
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


@dataclass(frozen=True)
class _Analysed:
    """An analysed video; ``changed`` lists what changed since the store's former record was made."""

    record: VideoRecord
    status: Literal["done", "up_to_date"]
    changed: Sequence[str] = ()


@dataclass(frozen=True)
class _Inputs:
    """The inputs of the analysis of one video, and their provenance."""

    source: SourceFile
    origin: DetectorRecord
    heads: SourceFile | None
    provenance: Provenance


def _analyze_one(
    path: Path, video_id: str | None, job: AnalysisTask, *, detector: Detector | None, progress: Progress
) -> _Analysed:
    with open_video(path):
        source = _source_of(path)
    origin, origin_path = _origin(path, job, detector)
    chosen_id = video_id or known_video_id(job.store, source) or make_video_id(path, source.sha256)
    heads = _heads_of(path, job)
    inputs = _Inputs(source, origin, heads, _provenance(source, origin, heads, job, detector))
    former = read_record(job.store / "videos" / chosen_id)
    changed = inputs.provenance.changes_since(former) if former else []
    if former is not None and not changed:
        return _Analysed(move_source(job.store, former, source), "up_to_date")
    if changed:
        log.info("analysed again", video_id=chosen_id, changed="; ".join(changed))
    tracked, notes = _track(path, origin_path, job, detector=detector, progress=progress)
    bodies = None if job.bodies is None else _bodies(path, tracked, job, job.bodies, progress)
    return _Analysed(_publish(tracked, chosen_id, inputs, notes=notes, job=job, bodies=bodies), "done", changed)


def _bodies(path: Path, tracked: TrackedVideo, job: AnalysisTask, task: BodyTask, progress: Progress) -> AnalysedBodies:
    def show(done: int, total: int | None) -> None:
        progress(f"{path.name}: {', '.join(task.models.finds)}", done, total)

    return analyse_bodies(path, tracked, task, job.config, progress=show)


def _source_of(path: Path) -> SourceFile:
    return SourceFile(path=str(path.absolute()), name=path.name, sha256=sha256_file(path), bytes=path.stat().st_size)


def _origin(path: Path, job: AnalysisTask, detector: Detector | None) -> tuple[DetectorRecord, Path | None]:
    """Where the detections come from, and the file that holds them."""
    if detector is not None:
        name, digest = detector.name, detector.digest
        return DetectorRecord(kind="checkpoint", name=name, digest=digest, categories=()), None
    kind: Literal["truth", "file"] = "truth" if job.detections == "truth" else "file"
    given = path.parent / "truth.json" if job.detections == "truth" else Path(str(job.detections))
    return DetectorRecord(kind=kind, name=given.name, digest=_digest(given), categories=()), given


def _digest(given: Path) -> str:
    """Digest of a file, or of the text files in a folder."""
    if not given.is_dir():
        return sha256_file(given)
    return sha256_value([[path.name, sha256_file(path)] for path in sorted(given.glob("*.txt"))])


def _heads_of(path: Path, job: AnalysisTask) -> SourceFile | None:
    """The file of heads of a video, if there is one."""
    if job.heads is None:
        return None
    from visionllm_interaction.video.head_yaw.csv_file import heads_file

    found = heads_file(job.heads, path)
    if found is None:
        log.warning("no heads", video=str(path), folder=str(job.heads))
    return None if found is None else _source_of(found)


def _provenance(
    source: SourceFile, origin: DetectorRecord, heads: SourceFile | None, job: AnalysisTask, detector: Detector | None
) -> Provenance:
    runtime = detector.runtime if detector else None
    return Provenance(
        parts=parts_of(
            video=source.sha256,
            detections=origin.digest,
            kind=origin.kind,
            heads=heads.sha256 if heads else None,
            view=job.view,
            roles=job.roles,
            bodies=job.bodies.digests if job.bodies else None,
        ),
        config=job.config.model_dump(mode="json"),
        algorithms={ANALYSIS: ALGORITHM_VERSION, **_versions(job, runtime)},
        libraries=library_versions((*_libraries(job), *(runtime.libraries if runtime else ()))),
    )


def _versions(job: AnalysisTask, runtime: Runtime | None) -> dict[str, int]:
    versions = {runtime.name: runtime.algorithm_version} if runtime else {}
    if job.bodies is not None:
        from visionllm_interaction.video.bodies.find_bodies import ALGORITHM_VERSION as BODIES_VERSION

        versions["bodies"] = BODIES_VERSION
    return versions


def _libraries(job: AnalysisTask) -> tuple[str, ...]:
    """Libraries that decide what the analysis itself makes of detections; true tracks need no tracker and no images."""
    if job.bodies is not None:
        return ("av", "trackers", "opencv", "openvino")
    if job.detections == "truth":
        return ("av",)
    sees = job.view == "ego" or job.config.video.track.appearance
    return ("av", "trackers", "opencv") if sees else ("av", "trackers")


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


def with_batch_size(job: AnalysisTask, batch_size: int) -> AnalysisTask:
    """``job`` with so many images given to the detector at a time."""
    video = job.config.video
    detect = video.detect.model_copy(update={"batch_size": batch_size})
    config = job.config.model_copy(update={"video": video.model_copy(update={"detect": detect})})
    return replace(job, config=config)


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


def _publish(
    tracked: TrackedVideo,
    video_id: str,
    inputs: _Inputs,
    *,
    notes: tuple[str, ...],
    job: AnalysisTask,
    bodies: AnalysedBodies | None = None,
) -> VideoRecord:
    from visionllm_interaction.video.quality.stretches import moving_camera_notes, quality_rows
    from visionllm_interaction.video.tracking.postprocess import summarise_tracks
    from visionllm_interaction.video.tracking.role_inference import guess_roles, with_proxies

    known = summarise_tracks(tracked.detections, tracked.frames, roles=job.roles)
    size_px = (tracked.info.width, tracked.info.height)
    proxies = guess_roles(tracked.detections, known, size_px=size_px, config=job.config.video.roles)
    estimates: tuple[RoleEstimate, ...] = ()
    if bodies is not None and job.bodies is not None:
        estimates = role_estimates(bodies, tracked, known, proxies, job.bodies, job.config)
    tracks = with_estimates(known, estimates) if estimates else with_proxies(known, proxies)
    found = find_interactions(
        tracked.detections,
        tracked.frames,
        tracks,
        size_px=size_px,
        config=job.config.scenes,
        heads=_heads(tracked, inputs.heads, bodies),
        hands=None if bodies is None or job.bodies is None else hands_of(bodies, job.bodies),
    )
    relations, events = found.relations, found.events
    guesses = {number: RoleGuess(role=p.role, confidence=p.confidence) for number, p in proxies.items()}
    record = _record(tracked, video_id, tracks, inputs, job=job)
    notes = (*record.notes, *notes)
    about = job.bodies.record(job.config) if job.bodies else None
    quality = quality_rows(
        tracked.frames, tracked.image_quality, tracked.detections, image_px=size_px, config=job.config.video.quality
    )
    in_view_s = seconds_in_view(tracked.detections, tracked.frames)
    notes = (
        *notes,
        *role_notes(tracks, estimates, in_view_s),
        *moving_camera_notes(quality, compensated=job.view == "ego"),
    )
    update: dict[str, object] = {
        "role_proxies": {} if estimates else guesses,
        "heads": inputs.heads,
        "notes": notes,
        "bodies": about,
    }
    update["roles_estimated"] = bool(estimates)
    record = record.model_copy(update=update)
    publish_video(
        job.store,
        record,
        frames=tracked.frames,
        detections=tracked.detections,
        tracks=tracks,
        relations=relations,
        events=events,
        bodies=None if bodies is None else _body_tables(bodies, relations, tracked, tracks, estimates, job),
        quality=quality,
    )
    for note in record.notes:
        log.warning("about the video", video_id=video_id, note=note)
    log.info("video analysed", video_id=video_id, tracks=len(tracks), relations=len(relations), events=len(events))
    return record


def _body_tables(
    bodies: AnalysedBodies,
    relations: Sequence[Relation],
    tracked: TrackedVideo,
    tracks: Sequence[Track],
    estimates: tuple[RoleEstimate, ...],
    job: AnalysisTask,
) -> BodyTables:
    return replace(with_holding_evidence(bodies, relations, tracked, tracks, job.config), roles=estimates)


def _heads(tracked: TrackedVideo, given: SourceFile | None, bodies: AnalysedBodies | None) -> HeadTable | None:
    """Heads from a file, which is preferred, or from the faces that were found."""
    if given is None:
        return None if bodies is None else bodies.heads
    from visionllm_interaction.video.head_yaw.csv_file import load_heads

    return load_heads(Path(given.path), tracked.frames, scale=tracked.info.stored_to_square)


def _record(
    tracked: TrackedVideo, video_id: str, tracks: Sequence[Track], inputs: _Inputs, *, job: AnalysisTask
) -> VideoRecord:
    header = asdict(tracked.info)
    shared = {name: header[name] for name in _HEADER_FIELDS}
    return VideoRecord(
        video_id=video_id,
        source=inputs.source,
        **shared,
        fps=tracked.frames.mean_fps,
        duration_s=tracked.frames.length_s,
        n_frames=len(tracked.frames),
        n_processed=int(tracked.frames.processed.sum()),
        n_detections=int((~tracked.detections.interpolated).sum()),
        n_tracks=len(tracks),
        n_untracked=int((tracked.detections.track_id == UNTRACKED).sum()),
        sampling=sampling_record(tracked.frames),
        weak=weak_sightings(tracked.detections, tracked.frames),
        returns=tuple(ReturnGuess(**asdict(one)) for one in tracked.returns),
        view=job.view,
        detector=inputs.origin.model_copy(update={"categories": tracked.categories}),
        roles=dict(job.roles),
        notes=(*tracked.notes(), *tracking_notes(tracked.detections, tracked.frames, job.config.video.track)),
        config=job.config.model_dump(mode="json"),
        algorithms=dict(inputs.provenance.algorithms),
        versions={
            "visionllm-interaction": __version__,
            **library_versions(_NOTED),
            **inputs.provenance.libraries,
        },
        fingerprint=inputs.provenance.fingerprint(),
        created_at=utc_now(),
    )
