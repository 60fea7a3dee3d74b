"""What the worker of an export does: the files of ``visionllm export`` and ``visionllm blur``, in the job's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visionllm_interaction.errors import VideoError
from visionllm_interaction.server.jobs.exports import ExportOptions
from visionllm_interaction.server.jobs.worker import ExportRequest
from visionllm_interaction.utils.hashing import sha256_file

Progress = Callable[[int, int | None], None]


def write_export(request: ExportRequest, *, progress: Progress) -> dict[str, Any]:
    """Write the files of an export; those of a worker that was killed are removed first.

    Args:
        request: the video, the format and the place.
        progress: called with the frames done and the frames expected, where the export is made from images.

    Returns:
        The format, the values that were used, and name, size and SHA-256 of each file.

    Raises:
        VisionLLMError: if it cannot be written, for example because the file of the video is gone.
    """
    options = ExportOptions.model_validate(request.options)
    shutil.rmtree(request.files, ignore_errors=True)
    request.files.mkdir()  # not its parents: the export may have been erased meanwhile
    if options.format == "blurred":
        values = _blur(request, options, progress)
    elif options.format == "mp4":
        values = _film(request, options, progress)
    else:
        values = _timeline(request, options)
    files = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(request.files.iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    return {"format": options.format, "values": values, "files": files}


def _timeline(request: ExportRequest, options: ExportOptions) -> str:
    from visionllm_interaction.interop.registry import export

    written = export(
        request.store,
        request.files,
        format=options.format,
        video_id=request.video_id,
        values=options.values,
        media="names",
        project=request.project,
    )
    return written.values


def _film(request: ExportRequest, options: ExportOptions, progress: Progress) -> str:
    from visionllm_interaction.interop.rendering.annotated_video import write_annotated_video
    from visionllm_interaction.store.reader import open_store

    with open_store(request.store, values=options.values) as store:
        write_annotated_video(store, request.video_id, request.files / f"{request.video_id}.mp4", progress=progress)
        return store.values_of([request.video_id])


def _blur(request: ExportRequest, options: ExportOptions, progress: Progress) -> str:
    from visionllm_interaction.detection.models import load_detector
    from visionllm_interaction.video.anonymization.blur import blur_video
    from visionllm_interaction.video.anonymization.listed_intervals import ListedIntervals
    from visionllm_interaction.video.anonymization.report_files import report_path
    from visionllm_interaction.video.config import VideoConfig

    settings, copy = VideoConfig.model_validate(request.settings), request.files / f"{request.video_id}.blurred.mp4"
    blur_video(
        _file_of(request),
        copy,
        detector=load_detector(request.detector) if request.detector is not None else None,
        what=options.blurs or "faces",
        listed=ListedIntervals(options.blackout, options.mute),
        config=settings.blur,
        decode=settings.decode,
        progress=progress,
    )
    report_path(copy).unlink()  # it names folders of this machine; what it says of the copy is in its proof
    return "detected"


def _file_of(request: ExportRequest) -> Path:
    if request.video is None:
        raise VideoError("The file of the video is not here.", fix="upload it, then export again")
    return request.video
