"""One video → interaction store: decode, detect, track, relate, publish, each video whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog

from visionllm_interaction import __version__
from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.interactions import Relation, Track
from visionllm_interaction.errors import InputDataError, UsageError, VisionLLMError
from visionllm_interaction.interactions.events import find_events
from visionllm_interaction.interactions.head_direction import find_facing
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.store.job_log import Ledger
from visionllm_interaction.store.moved import known_video_id, move_source
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import (
    DetectorRecord,
    RoleGuess,
    SourceFile,
    VideoRecord,
    make_video_id,
    read_record,
)
from visionllm_interaction.utils.hashing import code_version, sha256_file, sha256_value
from visionllm_interaction.video.decoding.containers import open_video

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.base import Detector
    from visionllm_interaction.video.tracking.pipeline import TrackedVideo

log = structlog.get_logger()

View = Literal["room", "ego"]
Progress = Callable[[str, int, int | None], None]
"""Called with the video's name, frames read, and frames in all if known."""
_ROOMS = ("analyze", "core", "scenes", "video")
_HEADER_FIELDS = (
    *("width", "height", "stored_width", "stored_height", "pixel_aspect", "rotation_deg", "mirrored"),
    *("header_fps", "time_base", "container", "codec", "stream"),
)
_PACKAGES = ("av", "numpy", "pyarrow", "trackers")


_ATTEMPTS = 3
"""A video over which so many processes died is given up."""


def silent(_name: str, _done: int, _total: int | None) -> None:
    """A ``Progress`` that shows nothing."""


@dataclass(frozen=True)
class Job:
    """What is to be done with every video of one run; it can be sent to another machine.

    Attributes:
        run: names the run in the store's ledger.
        detections: ``"truth"``, a file, or ``None`` if there is a detector.
        heads: a file of heads, or a folder with one for each video; ``None`` if nobody looked for them.
    """

    run: str
    store: Path
    detections: Path | Literal["truth"] | None
    view: View
    roles: Mapping[str, str]
    config: AnalysisConfig
    heads: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one video: its ``entry`` in the result, and the ``error`` if it failed."""

    entry: dict[str, Any]
    error: VisionLLMError | None = None


def try_one(
    path: Path,
    video_id: str | None,
    job: Job,
    *,
    detector: Detector | None,
    progress: Progress = silent,
) -> Outcome:
    """Analyse one video and note it in the ledger; what is wrong with it becomes part of the outcome."""
    begin = time.perf_counter()
    ledger = Ledger(job.store, run=job.run)
    attempt = ledger.begin(path, video_id)
    try:
        if attempt > _ATTEMPTS:
            raise _deadly(path)
        record, status = _analyze_one(path, video_id, job, detector=detector, progress=progress)
    except (VisionLLMError, OSError) as error:
        known = error if isinstance(error, VisionLLMError) else InputDataError(str(error), where=str(path))
        log.warning("video failed", path=str(path), reason=known.message, found=known.found)
        seconds = round(time.perf_counter() - begin, 3)
        ledger.failed(path, video_id, attempt=attempt, seconds=seconds, reason=reason_of(known))
        return Outcome(_entry(path, video_id, "failed", seconds=seconds, reason=reason_of(known)), known)
    seconds = round(time.perf_counter() - begin, 3)
    ledger.done(path, record.video_id, asked_id=video_id, attempt=attempt, seconds=seconds)
    return Outcome(_entry(path, record.video_id, status, record=record, seconds=seconds))


def _deadly(path: Path) -> InputDataError:
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


def _analyze_one(
    path: Path, video_id: str | None, job: Job, *, detector: Detector | None, progress: Progress
) -> tuple[VideoRecord, str]:
    with open_video(path):
        source = _source_of(path)
    origin, origin_path = _origin(path, job, detector)
    chosen_id = video_id or known_video_id(job.store, source) or make_video_id(path, source.sha256)
    heads = _heads_of(path, job)
    fingerprint = _fingerprint(source, origin, job, heads)
    former = read_record(job.store / "videos" / chosen_id)
    if former is not None and former.fingerprint == fingerprint:
        return move_source(job.store, former, source), "up_to_date"
    followed = _follow(path, origin_path, job, detector=detector, progress=progress)
    found = origin.model_copy(update={"categories": followed.categories})
    record = _publish(followed, chosen_id, source=source, origin=found, fingerprint=fingerprint, heads=heads, job=job)
    return record, "done"


def _source_of(path: Path) -> SourceFile:
    return SourceFile(path=str(path.absolute()), name=path.name, sha256=sha256_file(path), bytes=path.stat().st_size)


def _origin(path: Path, job: Job, detector: Detector | None) -> tuple[DetectorRecord, Path | None]:
    """Where the detections come from, and the file that holds them."""
    if detector is not None:
        name, digest = detector.name, detector.digest
        return DetectorRecord(kind="checkpoint", name=name, digest=digest, categories=()), None
    kind: Literal["truth", "file"] = "truth" if job.detections == "truth" else "file"
    given = path.parent / "truth.json" if job.detections == "truth" else Path(str(job.detections))
    return DetectorRecord(kind=kind, name=given.name, digest=sha256_file(given), categories=()), given


def _heads_of(path: Path, job: Job) -> SourceFile | None:
    """The file of heads of a video, if there is one."""
    if job.heads is None:
        return None
    from visionllm_interaction.video.head_pose import heads_file

    found = heads_file(job.heads, path)
    if found is None:
        log.warning("no heads", video=str(path), folder=str(job.heads))
    return None if found is None else _source_of(found)


def _fingerprint(source: SourceFile, origin: DetectorRecord, job: Job, heads: SourceFile | None) -> str:
    return sha256_value(
        {
            "source": source.sha256,
            "detections": origin.digest,
            "heads": heads.sha256 if heads else None,
            "kind": origin.kind,
            "view": job.view,
            "roles": dict(job.roles),
            "config": job.config.model_dump(mode="json"),
            "code": code_version(*_ROOMS),
        }
    )


def _follow(path: Path, given: Path | None, job: Job, *, detector: Detector | None, progress: Progress) -> TrackedVideo:
    # Imported here: reading settings must not pay for video and tracking libraries.
    from visionllm_interaction.video.tracking.pipeline import follow_from_file, follow_truth, follow_with_detector

    config = job.config.video

    def show(done: int, total: int | None) -> None:
        progress(path.name, done, total)

    if detector is not None:
        return follow_with_detector(path, detector, config=config, moving=job.view == "ego", progress=show)
    if given is None:
        raise UsageError("There are no detections.", expected="a detector or a file", found="neither")
    if job.detections == "truth":
        return follow_truth(path, given, config=config, progress=show)
    return follow_from_file(path, given, config=config, moving=job.view == "ego", progress=show)


def _publish(
    followed: TrackedVideo,
    video_id: str,
    *,
    source: SourceFile,
    origin: DetectorRecord,
    fingerprint: str,
    heads: SourceFile | None,
    job: Job,
) -> VideoRecord:
    from visionllm_interaction.video.tracking.postprocess import summarise_tracks
    from visionllm_interaction.video.tracking.role_inference import guess_roles, with_proxies

    known = summarise_tracks(followed.detections, followed.frames, roles=job.roles)
    size_px = (followed.info.width, followed.info.height)
    proxies = guess_roles(followed.detections, known, size_px=size_px, config=job.config.video.roles)
    tracks = with_proxies(known, proxies)
    scenes = job.config.scenes
    relations = find_relations(followed.detections, followed.frames, tracks, config=scenes)
    relations = sorted([*relations, *_facing(followed, tracks, heads, job)], key=lambda relation: relation.begin_s)
    events = find_events(
        followed.detections,
        followed.frames,
        tracks,
        relations=relations,
        size_px=size_px,
        config=scenes.events,
    )
    guesses = {number: RoleGuess(role=p.role, confidence=p.confidence) for number, p in proxies.items()}
    record = _record(followed, video_id, tracks, source=source, origin=origin, fingerprint=fingerprint, job=job)
    record = record.model_copy(update={"role_proxies": guesses, "heads": heads})
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
        log.warning("about the video", video_id=video_id, note=note)
    log.info("video analysed", video_id=video_id, tracks=len(tracks), relations=len(relations), events=len(events))
    return record


def _facing(followed: TrackedVideo, tracks: Sequence[Track], heads: SourceFile | None, job: Job) -> Sequence[Relation]:
    if heads is None:
        return ()
    from visionllm_interaction.video.head_pose import load_heads

    seen = load_heads(Path(heads.path), followed.frames, scale=followed.info.stored_to_square)
    return find_facing(seen, followed.detections, followed.frames, tracks, config=job.config.scenes)


def _record(
    followed: TrackedVideo,
    video_id: str,
    tracks: Sequence[Track],
    *,
    source: SourceFile,
    origin: DetectorRecord,
    fingerprint: str,
    job: Job,
) -> VideoRecord:
    header = asdict(followed.info)
    shared = {name: header[name] for name in _HEADER_FIELDS}
    return VideoRecord(
        video_id=video_id,
        source=source,
        **shared,
        fps=followed.frames.mean_fps,
        duration_s=followed.frames.length_s,
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
