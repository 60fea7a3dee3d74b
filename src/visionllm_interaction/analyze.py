"""Videos → interaction store: decode, detect, track, relate, publish; one video at a time, each published whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.digests import code_version, sha256_file, sha256_value
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.symbols import Track
from visionllm_interaction.errors import InputDataError, UsageError, VisionLLMError
from visionllm_interaction.scenes.config import ScenesConfig
from visionllm_interaction.scenes.events import find_events
from visionllm_interaction.scenes.publish import prepare_store
from visionllm_interaction.scenes.record import (
    DetectorRecord,
    SourceFile,
    VideoRecord,
    check_video_id,
    make_video_id,
    read_record,
)
from visionllm_interaction.scenes.relations import find_relations
from visionllm_interaction.scenes.store import publish_video
from visionllm_interaction.settings import Section
from visionllm_interaction.video.config import VideoConfig
from visionllm_interaction.video.container import open_video

if TYPE_CHECKING:
    from visionllm_interaction.models.detector import Detector
    from visionllm_interaction.video.pipeline import TrackedVideo

log = structlog.get_logger()

View = Literal["room", "ego"]
Progress = Callable[[str, int, int | None], None]
"""Called with the video's name, frames read, and frames in all if known."""
_ROOMS = ("analyze", "core", "scenes", "video")
_PACKAGES = ("av", "numpy", "pyarrow", "trackers")


class AnalysisConfig(Section):
    """Video → store: `visionllm analyze`."""

    video: VideoConfig = VideoConfig()
    """Decoding, detection, tracking."""
    scenes: ScenesConfig = ScenesConfig()
    """Relations and events."""


@dataclass(frozen=True)
class _Job:
    """Everything one video needs besides itself; ``detections`` is ``"truth"``, a file, or ``None`` with a detector."""

    store: Path
    detector: Detector | None
    detections: Path | Literal["truth"] | None
    view: View
    roles: Mapping[str, str]
    config: AnalysisConfig
    progress: Progress


def analyze_videos(
    videos: Sequence[Path],
    store: Path,
    *,
    detector: Path | None = None,
    detections: Path | Literal["truth"] | None = None,
    view: View = "room",
    roles: Path | None = None,
    config: AnalysisConfig = AnalysisConfig(),
    video_ids: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Analyse ``videos`` into the store at ``store`` (made if need be).

    Detections come from a checkpoint (``detector``), from a file (``detections``), or with ``detections="truth"`` from
    the ``truth.json`` beside each ToyRoom video. ``roles`` is a CSV (``name,role``). A video that is in the store with
    the same source, detections, settings and code is up to date and skipped; a bad one is reported and passed over.

    Returns:
        ``{"store", "videos": [{"video_id", "path", "status", "frames", "processed", "detections", "tracks",
        "seconds", "reason"?}]}``; ``status`` is ``done``, ``up_to_date`` or ``failed``.

    Raises:
        UsageError: if the arguments do not fit together.
        InputDataError: if detector, roles or store cannot be used, or every single video failed.
    """
    _check_arguments(videos, detector, detections, video_ids)
    prepare_store(store)
    job = _Job(
        store,
        _load_detector(detector),
        detections,
        view,
        _load_roles(roles),
        config,
        progress or _silent,
    )
    ids: Sequence[str | None] = video_ids or [None] * len(videos)
    outcomes = [_try_one(path, video_id, job) for path, video_id in zip(videos, ids, strict=True)]
    errors = [error for _, error in outcomes if error is not None]
    if len(errors) == len(outcomes):
        raise _all_failed(videos, errors)
    return {"store": str(store), "videos": [entry for entry, _ in outcomes]}


def _silent(_name: str, _done: int, _total: int | None) -> None:
    return


def _check_arguments(
    videos: Sequence[Path],
    detector: Path | None,
    detections: Path | str | None,
    video_ids: Sequence[str] | None,
) -> None:
    if not videos:
        raise UsageError("There is nothing to analyse.", expected="one video or more", found="none")
    if (detector is None) == (detections is None):
        raise UsageError(
            "It must be said where the detections come from, once.",
            expected="--detector CHECKPOINT, or --detections FILE, or --detections truth",
            found="both" if detector else "neither",
            fix="train a detector with `visionllm run`; for ToyRoom videos `--detections truth` needs none",
        )
    if video_ids is not None and len(video_ids) != len(videos):
        raise UsageError("Ids and videos differ in number.", expected=str(len(videos)), found=str(len(video_ids)))
    for video_id in video_ids or ():
        check_video_id(video_id)


def _load_detector(path: Path | None) -> Detector | None:
    if path is None:
        return None
    # Imported here so that an analysis of given detections starts without torch.
    from visionllm_interaction.models import load_detector

    return load_detector(path)


def _load_roles(path: Path | None) -> Mapping[str, str]:
    from visionllm_interaction.video.roles import load_roles, resolve_roles

    return resolve_roles(load_roles(path) if path else {})


def _try_one(path: Path, video_id: str | None, job: _Job) -> tuple[dict[str, Any], VisionLLMError | None]:
    begin = time.perf_counter()
    try:
        record, status = _analyze_one(path, video_id, job)
    except (VisionLLMError, OSError) as error:
        known = error if isinstance(error, VisionLLMError) else InputDataError(str(error), where=str(path))
        log.warning("video failed", path=str(path), reason=known.message, found=known.found)
        seconds = round(time.perf_counter() - begin, 3)
        return _entry(path, video_id, "failed", seconds=seconds, reason=_reason(known)), known
    return _entry(path, record.video_id, status, record=record, seconds=round(time.perf_counter() - begin, 3)), None


def _reason(error: VisionLLMError) -> str:
    parts = [error.message, error.found and f"Found: {error.found}.", error.where and f"Where: {error.where}"]
    return " ".join(part for part in parts if part)


def _entry(
    path: Path,
    video_id: str | None,
    status: str,
    *,
    seconds: float,
    record: VideoRecord | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "video_id": video_id,
        "path": str(path),
        "status": status,
        "frames": record.n_frames if record else 0,
        "processed": record.n_processed if record else 0,
        "detections": record.n_detections if record else 0,
        "tracks": record.n_tracks if record else 0,
        "seconds": seconds,
    }
    return {**entry, "reason": reason} if reason else entry


def _all_failed(videos: Sequence[Path], errors: Sequence[VisionLLMError]) -> VisionLLMError:
    if len(errors) == 1:
        return errors[0]
    lines = [f"{path}: {_reason(error)}" for path, error in zip(videos, errors, strict=True)]
    more = f"; and {len(lines) - 10} more" if len(lines) > 10 else ""
    return InputDataError(
        f"None of {len(videos)} videos could be analysed.",
        expected="readable videos and detections for them",
        found="; ".join(lines[:10]) + more,
    )


def _analyze_one(path: Path, video_id: str | None, job: _Job) -> tuple[VideoRecord, str]:
    with open_video(path):
        source = _source_of(path)
    origin, origin_path = _origin(path, job)
    chosen_id = video_id or make_video_id(path, source.sha256)
    fingerprint = _fingerprint(source, origin, job)
    former = read_record(job.store / "videos" / chosen_id)
    if former is not None and former.fingerprint == fingerprint:
        return former, "up_to_date"
    followed = _follow(path, origin_path, job)
    found = origin.model_copy(update={"categories": followed.categories})
    return _publish(followed, chosen_id, source=source, origin=found, fingerprint=fingerprint, job=job), "done"


def _source_of(path: Path) -> SourceFile:
    return SourceFile(path=str(path), name=path.name, sha256=sha256_file(path), bytes=path.stat().st_size)


def _origin(path: Path, job: _Job) -> tuple[DetectorRecord, Path | None]:
    """Where the detections come from, and the file that holds them."""
    if job.detector is not None:
        name, digest = job.detector.name, job.detector.digest
        return DetectorRecord(kind="checkpoint", name=name, digest=digest, categories=()), None
    kind: Literal["truth", "file"] = "truth" if job.detections == "truth" else "file"
    given = path.parent / "truth.json" if job.detections == "truth" else Path(str(job.detections))
    return DetectorRecord(kind=kind, name=given.name, digest=sha256_file(given), categories=()), given


def _fingerprint(source: SourceFile, origin: DetectorRecord, job: _Job) -> str:
    return sha256_value(
        {
            "source": source.sha256,
            "detections": origin.digest,
            "kind": origin.kind,
            "view": job.view,
            "roles": dict(job.roles),
            "config": job.config.model_dump(mode="json"),
            "code": code_version(*_ROOMS),
        }
    )


def _follow(path: Path, given: Path | None, job: _Job) -> TrackedVideo:
    # Imported here: reading settings must not pay for video and tracking libraries.
    from visionllm_interaction.video.pipeline import follow_from_file, follow_truth, follow_with_detector

    config = job.config.video

    def progress(done: int, total: int | None) -> None:
        job.progress(path.name, done, total)

    if job.detector is not None:
        return follow_with_detector(path, job.detector, config=config, moving=job.view == "ego", progress=progress)
    if given is None:
        raise UsageError("There are no detections.", expected="a detector or a file", found="neither")
    if job.detections == "truth":
        return follow_truth(path, given, config=config, progress=progress)
    return follow_from_file(path, given, config=config, moving=job.view == "ego", progress=progress)


def _publish(
    followed: TrackedVideo,
    video_id: str,
    *,
    source: SourceFile,
    origin: DetectorRecord,
    fingerprint: str,
    job: _Job,
) -> VideoRecord:
    from visionllm_interaction.video.track import summarise_tracks

    tracks = summarise_tracks(followed.detections, followed.frames, roles=job.roles)
    scenes = job.config.scenes
    relations = find_relations(followed.detections, followed.frames, tracks, config=scenes)
    events = find_events(
        followed.detections,
        followed.frames,
        tracks,
        relations=relations,
        size_px=(followed.info.width, followed.info.height),
        config=scenes.events,
    )
    record = _record(followed, video_id, tracks, source=source, origin=origin, fingerprint=fingerprint, job=job)
    publish_video(
        job.store,
        record,
        frames=followed.frames,
        detections=followed.detections,
        tracks=tracks,
        relations=relations,
        events=events,
    )
    for note in record.notes:
        log.warning("damaged video", video_id=video_id, note=note)
    log.info("video analysed", video_id=video_id, tracks=len(tracks), relations=len(relations), events=len(events))
    return record


def _record(
    followed: TrackedVideo,
    video_id: str,
    tracks: Sequence[Track],
    *,
    source: SourceFile,
    origin: DetectorRecord,
    fingerprint: str,
    job: _Job,
) -> VideoRecord:
    header = asdict(followed.info)
    shared = {
        name: header[name] for name in ("width", "height", "rotation_deg", "fps", "time_base", "container", "codec")
    }
    return VideoRecord(
        video_id=video_id,
        source=source,
        **shared,
        duration_s=float(followed.frames.duration_s.sum()),
        n_frames=len(followed.frames),
        n_processed=int(followed.frames.processed.sum()),
        n_detections=int((~followed.detections.interpolated).sum()),
        n_tracks=len(tracks),
        view=job.view,
        detector=origin,
        roles=dict(job.roles),
        notes=followed.notes(),
        config=job.config.model_dump(mode="json"),
        versions={"visionllm-interaction": __version__, **{name: metadata.version(name) for name in _PACKAGES}},
        fingerprint=fingerprint,
        created_at=utc_now(),
    )


__all__ = ["AnalysisConfig", "Progress", "View", "analyze_videos"]
