"""Analyse many videos into one store, one after the other or in parallel on a cluster."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from visionllm_interaction.analysis.analysis_task import AnalysisTask, Progress, View, silent
from visionllm_interaction.analysis.attempts import VideoOutcome, reason_of, try_one
from visionllm_interaction.analysis.bodies import find_models
from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.analysis.object_storage import ledger_at
from visionllm_interaction.analysis.video_outcomes import AnalysisResult
from visionllm_interaction.artifacts.object_storage.bucket import is_url
from visionllm_interaction.errors import InputDataError, ModelMissing, UsageError, VideoError, VisionLLMError
from visionllm_interaction.store.layout import check_video_id
from visionllm_interaction.store.object_storage.working_copy import prepare_store_at
from visionllm_interaction.store.video_status_ledger import Ledger
from visionllm_interaction.store.writer import prepare_store
from visionllm_interaction.utils.extras import require_modules
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.decoding.containers import open_video

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector


@dataclass(frozen=True)
class Pool:
    """Worker processes on a Ray cluster, and the resources of each.

    Attributes:
        workers: number of processes.
        cpus: CPU cores for each.
        gpus: GPUs for each; may be a fraction.
    """

    workers: int = 2
    cpus: float = 1
    gpus: float = 0


def analyze(
    videos: StrPath | Sequence[StrPath],
    store: StrPath,
    *,
    detector: StrPath | Detector | None = None,
    detections: StrPath | Literal["truth"] | None = None,
    view: View = "room",
    roles: StrPath | None = None,
    heads: StrPath | None = None,
    models: Sequence[str] | None = None,
    config: AnalysisConfig = AnalysisConfig(),
    video_ids: Sequence[str] | None = None,
    progress: Progress | None = None,
    pool: Pool | None = None,
) -> AnalysisResult:
    """Analyse videos into an interaction store, which is made if need be.

    A video that is in the store with the same source, detections, settings, versions of the algorithms and of the
    libraries that decide the result is up to date and skipped. A failed video is reported and skipped, whatever
    error was raised. The store's ledger says of each video whether it is done, or why not.

    Args:
        videos: one video file or several.
        store: the store's folder, or the address of one in an object store (``s3://bucket/prefix``).
        detector: a checkpoint, an export or the name of a ready-made model that finds the objects, or a loaded
            detector; or else
        detections: a file of another program's detections, or ``"truth"`` for the ``truth.json`` beside each ToyRoom
            video. Without either the best ready-made model on this machine is used. A ready-made model, named or
            not, processes ``config.ready_made_fps`` frames a second unless ``config`` sets another rate.
        view: ``"ego"`` for a head camera: its motion is taken out before boxes are linked.
        roles: a CSV (``name,role``) that maps categories or track ids to roles.
        heads: a CSV of heads (:mod:`.video.head_yaw.csv_file`), or a folder of them: who faces what.
        models: what to look for, of ``people``, ``hands``, ``faces`` and ``pose``; by default people and, where neither
            a detector nor detections are given, whatever else there are ready-made models for on this machine.
        config: settings of decoding, tracking, relations and events.
        video_ids: ids for the videos; by default the file's name and eight digits of its digest.
        progress: called with the video's name, frames read, and frames in all if known.
        pool: analyse on a Ray cluster; by default one video after the other in this process.

    Returns:
        What became of each video.

    Raises:
        UsageError: if the arguments do not fit together, or Ray is asked for and not installed.
        ModelMissing: if no ready-made model is on this machine; the message is what to type.
        InputDataError: if detector, roles or store cannot be used, or every single video failed.
    """
    paths = [Path(video) for video in ([videos] if isinstance(videos, str | os.PathLike) else videos)]
    given: Path | Literal["truth"] | None = None
    if detections is not None:
        given = "truth" if detections == "truth" else Path(detections)
    url = str(store) if is_url(store) else None
    checkpoint = detector if detector is None or isinstance(detector, str | os.PathLike) else None
    loaded = None if detector is None or isinstance(detector, str | os.PathLike) else detector
    roles = None if roles is None else Path(roles)
    heads = None if heads is None else Path(heads)
    _check_arguments(paths, has_detector=detector is not None, detections=given, video_ids=video_ids)
    if pool is not None and loaded is not None:
        raise UsageError(
            "A loaded detector cannot be sent to other processes.",
            expected="the file of the detector",
            found=type(loaded).__name__,
        )
    require_modules(("av", "supervision", "trackers"), extra="video", command="analyze")
    _check_paths(paths)
    finder = None if given is not None or loaded is not None else _find_detector(checkpoint, paths[0], store)
    config = with_rate_of(config, finder)
    _check_heads(heads, paths)
    alone = detector is None and given is None
    bodies = find_models(models) if models is not None or alone else None
    if url is None:
        prepare_store(store)
    else:
        prepare_store_at(url)
    job = AnalysisTask(
        run=uuid.uuid4().hex,
        store=Path(store),
        url=url,
        detections=given,
        view=view,
        roles=_load_roles(roles),
        config=config,
        heads=heads,
        bodies=bodies,
    )
    ids: Sequence[str | None] = video_ids or [None] * len(paths)
    tasks = list(zip(paths, ids, strict=True))
    if pool is None:
        if finder is not None:
            loaded = _load_detector(finder, compiled=config.video.detect.compile)
        outcomes = list(_one_by_one(tasks, job, loaded, progress or silent))
    else:
        outcomes = _side_by_side(tasks, job, finder, pool, progress or silent)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if len(errors) == len(outcomes):
        raise _all_failed(paths, errors)
    return AnalysisResult(Path(store) if url is None else url, tuple(outcome.result for outcome in outcomes))


def with_rate_of(config: AnalysisConfig, detector: Path | None) -> AnalysisConfig:
    """The settings with the rate at which frames are processed by a detector.

    Args:
        config: the settings.
        detector: its file; None: detections are given, or the detector is loaded.

    Returns:
        The settings; a ready-made model works at ``ready_made_fps`` unless a rate is set.
    """
    # Imported here so that an analysis of given detections reads no list of models.
    from visionllm_interaction.detection.registry.cache import is_ready_made

    return config.for_ready_made_model() if detector is not None and is_ready_made(detector) else config


def _one_by_one(
    tasks: Sequence[tuple[Path, str | None]], job: AnalysisTask, detector: Detector | None, progress: Progress
) -> Iterator[VideoOutcome]:
    for path, video_id in tasks:
        yield try_one(path, video_id, job, load=lambda: detector, progress=progress)


def _side_by_side(
    tasks: Sequence[tuple[Path, str | None]], job: AnalysisTask, detector: Path | None, pool: Pool, progress: Progress
) -> list[VideoOutcome]:
    """Outcomes in the order of ``tasks``."""
    # Imported here because Ray is large, optional, and needed on clusters only.
    from visionllm_interaction.analysis.ray_backend import analyze_on_ray

    outcomes: dict[int, VideoOutcome] = {}
    progress("videos", 0, len(tasks))
    running = analyze_on_ray(tasks, job, detector=detector, workers=pool.workers, cpus=pool.cpus, gpus=pool.gpus)
    try:
        with closing(running):
            for number, outcome in running:
                outcomes[number] = outcome
                progress("videos", len(outcomes), len(tasks))
    except BaseException as error:
        # The workers are gone by now, each with its video half done.
        reason = f"The run was ended by {type(error).__name__}."
        if job.url is None:
            Ledger(job.store, run=job.run).close(reason=reason)
        else:
            with ledger_at(job.url, run=job.run) as ledger:
                ledger.close(reason=reason)
        raise
    return [outcomes[number] for number in range(len(tasks))]


def _check_arguments(
    videos: Sequence[Path],
    *,
    has_detector: bool,
    detections: Path | str | None,
    video_ids: Sequence[str] | None,
) -> None:
    if not videos:
        raise UsageError("There is nothing to analyse.", expected="one video or more", found="none")
    if has_detector and detections is not None:
        raise UsageError(
            "It must be said where the detections come from, once.",
            expected="--detector FILE-OR-NAME, or --detections FILE, or --detections truth",
            found="both",
            fix="leave one of them out",
        )
    if video_ids is not None and len(video_ids) != len(videos):
        raise UsageError("Ids and videos differ in number.", expected=str(len(videos)), found=str(len(video_ids)))
    for video_id in video_ids or ():
        check_video_id(video_id)


def _check_paths(videos: Sequence[Path]) -> None:
    """Say so before models are looked for and loaded, if not one of the paths is a file."""
    if any(path.exists() and not path.is_dir() for path in videos):
        return
    errors: list[VisionLLMError] = []
    for path in videos:
        try:
            with open_video(path):
                return  # it has come meanwhile
        except VideoError as error:
            errors.append(error)
    raise _all_failed(videos, errors)


def _find_detector(given: StrPath | None, video: Path, store: StrPath) -> Path:
    """The detector's file: as given, else the best ready-made one on this machine; a missing one says what to type."""
    # Imported here so that an analysis of given detections reads no list of models.
    from visionllm_interaction.detection.registry.defaults import named_or_path, resolve_kind

    try:
        return named_or_path(given) if given is not None else resolve_kind("people", parts=["detector"])["detector"]
    except ModelMissing as missing:
        command = ["visionllm", "analyze", str(video), "--store", str(store)]
        command += [] if given is None else ["--detector", str(given)]
        raise ModelMissing(
            missing.message,
            expected=f"{missing.expected}, or --detector FILE, or --detections FILE",
            found=missing.found,
            where=missing.where,
            fix=f"{missing.fix} && {shlex.join(command)}",
        ) from missing


def _check_heads(heads: Path | None, videos: Sequence[Path]) -> None:
    if heads is not None and heads.is_file() and len(videos) > 1:
        raise UsageError(
            "One file of heads cannot be of several videos.",
            expected="a folder with STEM.heads.csv for each video",
            found=f"{heads} and {len(videos)} videos",
        )


def _load_detector(path: Path, *, compiled: bool) -> Detector:
    # Imported here so that an analysis of given detections starts without torch.
    from visionllm_interaction.detection.models import load_detector

    return load_detector(path, compiled=compiled)


def _load_roles(path: Path | None) -> Mapping[str, str]:
    from visionllm_interaction.video.tracking.roles import load_roles, resolve_roles

    return resolve_roles(load_roles(path) if path else {})


def _all_failed(videos: Sequence[Path], errors: Sequence[VisionLLMError]) -> VisionLLMError:
    if len(errors) == 1:
        return errors[0]
    lines = [f"{path}: {reason_of(error)}" for path, error in zip(videos, errors, strict=True)]
    more = f"; and {len(lines) - 10} more" if len(lines) > 10 else ""
    return InputDataError(
        f"None of {len(videos)} videos could be analysed.",
        expected="readable videos and detections for them",
        found="; ".join(lines[:10]) + more,
    )
