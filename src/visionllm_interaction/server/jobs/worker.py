"""Analyse and export videos in a process of their own: ``python -m …server.jobs.worker [DETECTOR]``.

The process loads what an analysis needs and then waits: each line of stdin is a request (JSON), each line of stdout its
result (JSON). When stdin closes, the service is gone and the worker stops at once, at whatever it is. A lock in the
folder of the job keeps two workers from doing the same at once.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from visionllm_interaction.errors import VideoError, VisionLLMError
from visionllm_interaction.server.monitoring.seen_images import SeenImage, WatchedDetector
from visionllm_interaction.utils.file_locks import try_lock_file, wait_for_lock_file
from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector

LOCK_NAME = ".analysis.lock"
"""Lock in the folder of a job, held while a worker is at it, on whichever host."""
WORKER_END_S = 10.0
"""Longest time to wait for the worker of a job that is erased; another host looks every second whether it is."""
PROGRESS = b"progress "
"""Begins a line of stdout that says how many frames are read, and how many there are."""
SEEN = b"seen "
"""Begins a line of stdout that says what the detector saw in an image."""
PROGRESS_EVERY_S = 0.5
LOG_NAME = "job.log"
"""The output of libraries, in the folder of the job."""
ORPHANED = 75
NICENESS = 5


class AnalysisRequest(BaseModel):
    """The video to analyse, and the settings; ``folder`` is the job's: its log and its lock lie there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["analysis"] = "analysis"
    folder: Path
    video: Path
    video_id: str
    sha256: str
    store: Path
    detector: Path
    view: Literal["room", "ego"]
    analysis: dict[str, Any]


class ExportRequest(BaseModel):
    """The video to export, and how; its files are written to ``files`` in the job's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["export"] = "export"
    folder: Path
    files: Path
    video: Path | None
    video_id: str
    project: str | None = None
    store: Path
    options: dict[str, Any]
    detector: Path | None
    settings: dict[str, Any]


WorkRequest = Annotated[AnalysisRequest | ExportRequest, Field(discriminator="kind")]
_REQUESTS: TypeAdapter[AnalysisRequest | ExportRequest] = TypeAdapter(WorkRequest)


class JobOutcome(TypedDict):
    """How a job ended: ``result`` is the video's entry of ``visionllm analyze --json``, or what an export wrote."""

    status: Literal["done", "failed"]
    result: dict[str, Any] | None
    error: dict[str, Any] | None


def failed(error: VisionLLMError) -> JobOutcome:
    """The outcome of a job that ended with ``error``."""
    return {"status": "failed", "result": None, "error": error.to_dict()}


def wait_for_worker(folder: Path) -> None:
    """Wait until no worker is at the job of a folder that was moved away: whoever runs one stops it within seconds.

    What is erased after that stays erased: no worker publishes anything any more.

    Args:
        folder: where the folder of the job is now.
    """
    lock = try_lock_file(folder / LOCK_NAME, wait_s=WORKER_END_S)
    if lock is None:
        log.warning("a worker is still at a job that is erased: it may bring back what it was at")
    else:
        lock.release()


class Analyst:
    """Analyses one video after another, with the detector of the last one kept.

    Args:
        detector: the detector to have ready; None: none.
        report: told how many frames are read, and how many there are.
        see: told what the detector saw in some of the frames; called in another thread.
    """

    def __init__(
        self,
        detector: Path | None = None,
        *,
        report: Callable[[int, int], None] | None = None,
        see: Callable[[SeenImage], None] = lambda _: None,
    ) -> None:
        self._loaded: tuple[tuple[Path, int, bool], Detector] | None = None
        self._ahead = detector
        self._report = report
        self._see = see
        self._reported = 0.0

    def prepare(self) -> None:
        """Load the detector before it is asked for; what is wrong with it is told to the first job."""
        if self._ahead is not None:
            with suppress(VisionLLMError, OSError):
                self._detector(self._ahead, compiled=False)
            import visionllm_interaction.analysis  # noqa: F401

    def do(self, request: AnalysisRequest | ExportRequest) -> JobOutcome:
        """Analyse a video into the store, unless an earlier worker has published it there; or export one.

        Args:
            request: the video and the settings.

        Returns:
            How it ended.
        """
        try:
            lock = wait_for_lock_file(request.folder / LOCK_NAME)
        except FileNotFoundError:
            return failed(_erased())
        with lock:
            if not request.folder.is_dir():  # while the lock was waited for
                return failed(_erased())
            try:
                result = self._analyse(request) if isinstance(request, AnalysisRequest) else self._export(request)
                return {"status": "done", "result": result, "error": None}
            except VisionLLMError as error:
                return failed(error)

    def _export(self, request: ExportRequest) -> dict[str, Any]:
        # Imported here: an analysis does not need it.
        from visionllm_interaction.server.jobs.export_work import write_export

        def show(done: int, total: int | None) -> None:
            self._progress(request.video_id, done, total)

        return write_export(request, progress=show)

    def _analyse(self, request: AnalysisRequest) -> dict[str, Any]:
        # Imported here: the module that starts workers needs the request, not torch, and an export needs less of it.
        from visionllm_interaction import analysis

        config = analysis.AnalysisConfig.model_validate(request.analysis)
        result = analysis.analyze(
            [request.video],
            request.store,
            detector=WatchedDetector(self._detector(request.detector, compiled=config.video.detect.compile), self._see),
            view=request.view,
            config=config,
            video_ids=[request.video_id],
            progress=self._progress,
        )
        [video] = result.videos
        if video.status == "failed":
            raise VisionLLMError("The video could not be analysed.", found=str(video.reason))
        return video.to_dict()

    def _progress(self, _name: str, done: int, total: int | None) -> None:
        if self._report is not None and total and time.monotonic() - self._reported > PROGRESS_EVERY_S:
            self._reported = time.monotonic()
            self._report(done, total)

    def _detector(self, path: Path, *, compiled: bool) -> Detector:
        from visionllm_interaction.detection.models import load_detector

        kind = (path, path.stat().st_mtime_ns if path.exists() else 0, compiled)
        if self._loaded is None or self._loaded[0] != kind:
            self._loaded = None  # two at once may be too many for the memory
            self._loaded = (kind, load_detector(path, compiled=compiled))
        return self._loaded[1]


def _read_requests(requests: queue.Queue[AnalysisRequest | ExportRequest]) -> None:
    """Put each request of stdin into the queue; end the process when the service is gone."""
    with os.fdopen(os.dup(0), "rb", buffering=0) as stream:
        line = bytearray()
        while piece := stream.read(65536):
            line += piece
            while b"\n" in line:
                text, _, line = line.partition(b"\n")
                requests.put(_REQUESTS.validate_json(bytes(text)))
    os._exit(ORPHANED)


def _erased() -> VideoError:
    return VideoError("The video was erased before its job had begun.")


def _log_to(path: Path) -> None:
    """Send the output of libraries to the log of the job; nowhere if it was erased, or the disk is full."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def main(arguments: list[str]) -> int:
    """Load what analyses need, then serve requests until the service is gone."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.Queue[AnalysisRequest | ExportRequest] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    os.nice(NICENESS)

    writing = threading.Lock()  # frames are detected in another thread than the one that reports progress

    def tell(line: str) -> None:
        with writing:
            answer.write(line + "\n")
            answer.flush()

    analyst = Analyst(
        Path(arguments[0]) if arguments else None,
        report=lambda done, total: tell(f"{PROGRESS.decode()}{done} {total}"),
        see=lambda seen: tell(SEEN.decode() + seen.to_json().decode()),
    )
    analyst.prepare()
    while True:
        request = requests.get()
        _log_to(request.folder / LOG_NAME)
        tell(json.dumps(analyst.do(request)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
