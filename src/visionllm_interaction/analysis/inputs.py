"""What the analysis of one video depends on: its file, the detections, the heads, settings, versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.provenance import ALGORITHM_VERSION, ANALYSIS, Provenance, parts_of
from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.store.video_record import DetectorRecord, SourceFile
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.logs import log
from visionllm_interaction.video.decoding.containers import open_video
from visionllm_interaction.video.detection_files.formats import FILES_VERSION

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector, Runtime


@dataclass(frozen=True)
class AnalysisInputs:
    """The inputs of the analysis of one video, and their provenance.

    Attributes:
        source: the video file.
        origin: where the detections come from.
        origin_path: the file or folder that holds them; None: a detector finds them.
        heads: the file of heads; None without one.
        provenance: all of it as digests, settings and versions.
    """

    source: SourceFile
    origin: DetectorRecord
    origin_path: Path | None
    heads: SourceFile | None
    provenance: Provenance


def find_inputs(path: Path, job: AnalysisTask, detector: Detector | None) -> AnalysisInputs:
    """Find what the analysis of a video depends on.

    Args:
        path: the video file; it is opened, so that what is no video is refused first.
        job: the settings of the analysis.
        detector: finds the objects; None: the detections are in a file.

    Returns:
        Its inputs.

    Raises:
        VideoError: if the file is not a video.
        OSError: if a file cannot be read.
    """
    with open_video(path):
        source = _source_of(path)
    origin, origin_path = _origin(path, job, detector)
    heads = _heads_of(path, job)
    return AnalysisInputs(source, origin, origin_path, heads, _provenance(source, origin, heads, job, detector))


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
    if job.detections not in (None, "truth"):
        versions["detections file"] = FILES_VERSION
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
