"""Analysis of many videos on a Ray cluster; a video whose worker died is analysed again by another worker.

``RAY_ADDRESS`` names the cluster. Without it, a cluster is started on this machine's loopback address for this run.
Every node needs this package and the same paths to the videos, the detector and the store; a store in an object store
needs no path, but each node the credentials for it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.attempts import VideoOutcome, fail_one, try_one
from visionllm_interaction.analysis.video_outcomes import VideoResult
from visionllm_interaction.errors import ServiceError, UsageError, VisionLLMError
from visionllm_interaction.utils.logs import log

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Its processes write to stderr between the lines of a command; their log files stay.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 100 << 20
"""Only paths and a few lines about each video travel through it."""
_STARTS = 3
"""Tries of a node on this machine. Ray waits 30 s for it, and it 15 s for its agents; neither has a setting. What was
too slow the first time, when Ray's files came from the disk, is not so again."""


def analyze_on_ray(
    tasks: Sequence[tuple[Path, str | None]],
    job: AnalysisTask,
    *,
    detector: Path | None,
    workers: int,
    cpus: float,
    gpus: float,
) -> Generator[tuple[int, VideoOutcome]]:
    """Analyse videos on a Ray cluster.

    Args:
        tasks: (video file, requested id or ``None``) for each video.
        job: the settings shared by all videos.
        detector: the checkpoint or export that each worker loads; ``None`` if the detections come from a file.
        workers: number of worker processes; at most one per video is started.
        cpus: CPU cores for each worker.
        gpus: GPUs for each worker; may be a fraction.

    Yields:
        (position in ``tasks``, outcome) of each video, in order of completion.

    Raises:
        UsageError: if Ray is not installed.
        ServiceError: if the cluster does not answer or breaks down.
    """
    workers = min(workers, len(tasks))
    everywhere = replace(job, store=job.store.absolute(), detections=_absolute(job.detections))
    rows = [{"number": n, "path": str(path.absolute()), "id": id_ or ""} for n, (path, id_) in enumerate(tasks)]
    # Ray prints on stdout that a worker died, whatever its settings say; stdout is for the result of a command.
    with redirect_stdout(sys.stderr), _cluster(cpus=workers * cpus, gpus=workers * gpus) as ray:
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Worker,
            fn_constructor_args=(everywhere, detector.absolute() if detector else None),
            # One at a time: what waits behind a long video could have gone to another worker.
            compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
            num_cpus=cpus,
            num_gpus=gpus,
        )
        for row in _rows_of(ray, found):
            number = int(row["number"])
            yield number, _read_outcome(row["outcome"], path=tasks[number][0])


class _Worker:
    """A process that analyses one video after another; Ray replaces it if it dies."""

    def __init__(self, job: AnalysisTask, detector: Path | None) -> None:
        self._job, self._path = job, detector
        self._detector: Detector | None = None

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        path, video_id = Path(row["path"]), row["id"] or None
        try:
            outcome = try_one(path, video_id, self._job, load=self._load)
        except SystemExit as error:  # a library that ends the process would end it for all videos to come
            outcome = fail_one(error, path, video_id, self._job)
        return {"number": row["number"], "outcome": _write_outcome(outcome)}

    def _load(self) -> Detector | None:
        if self._detector is None and self._path is not None:
            from visionllm_interaction.detection.models import load_detector

            self._detector = load_detector(self._path, compiled=self._job.config.video.detect.compile)
        return self._detector


def _absolute(detections: Any) -> Any:
    return detections.absolute() if isinstance(detections, Path) else detections


def _write_outcome(outcome: VideoOutcome) -> str:
    return json.dumps({"result": outcome.result.to_dict(), "error": outcome.error.to_dict() if outcome.error else None})


def _read_outcome(text: str, *, path: Path) -> VideoOutcome:
    """The outcome, with the path as the user gave it."""
    message = json.loads(text)
    error = message["error"]
    result = {**message["result"], "path": path, "notes": tuple(message["result"].get("notes", ()))}
    return VideoOutcome(VideoResult(**result), _rebuild(error) if error else None)


def _rebuild(content: Mapping[str, Any]) -> VisionLLMError:
    kinds = {kind.code: kind for kind in _kinds(VisionLLMError)}
    context = {name: content[name] for name in ("expected", "found", "where", "fix")}
    return kinds[content["code"]](content["message"], **context)


def _kinds(base: type[VisionLLMError]) -> Iterator[type[VisionLLMError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


def _rows_of(ray: Any, data: Any) -> Iterator[dict[str, Any]]:
    try:
        yield from data.iter_rows()
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ServiceError(
            "The Ray cluster broke down.",
            expected="a cluster that lives as long as the run",
            found=(str(error).strip() or type(error).__name__).splitlines()[-1],
            fix="run the same command again: what is finished is not done again",
        ) from error


@contextmanager
def _cluster(*, cpus: float, gpus: float) -> Iterator[Any]:
    """The module ``ray``, connected."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    ray = _import_ray()
    logging.getLogger("ray").setLevel(logging.ERROR)
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            _start_here(ray, cpus=cpus, gpus=gpus)
    except Exception as error:  # Ray raises plain ones too, for a node that does not start in time
        raise ServiceError(
            "The Ray cluster cannot be reached.",
            expected="a cluster at RAY_ADDRESS" if address else "room for one on this machine",
            found=_first_line(error),
            where=address or _LOOPBACK,
            fix="start it, or correct RAY_ADDRESS"
            if address
            else f"run it again when the machine is less busy (tried {_STARTS} times; Ray waits 30 s for its node), "
            "or without --cluster ray",
        ) from error
    try:
        _be_quiet(ray)
        yield ray
    finally:
        ray.shutdown()


def _start_here(ray: Any, *, cpus: float, gpus: float) -> None:
    """Start a cluster of one node on this machine's loopback address."""
    for attempt in range(1, _STARTS + 1):
        try:
            ray.init(
                address="local",
                num_cpus=max(1, round(cpus)),
                num_gpus=round(gpus) or None,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=_LOOPBACK,
            )
            return
        except Exception as error:
            if attempt == _STARTS:
                raise
            log.warning("Ray did not start, trying again", attempt=attempt, of=_STARTS, reason=_first_line(error))
            ray.shutdown()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _be_quiet(ray: Any) -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(
            "A run on a cluster needs Ray.",
            expected="the package ray",
            found=str(error),
            fix="pip install 'visionllm-interaction[cluster]'",
        ) from error
    return ray
