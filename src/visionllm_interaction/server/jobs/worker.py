"""Analyse one video in a separate process: ``python -m visionllm_interaction.server.jobs.worker``.

The first line of stdin is the request (JSON). Stdin then stays open: when it closes, the service is gone and the worker
stops at once. The last line of stdout is the result (JSON). A lock on the folder of the video keeps two workers from
analysing the same video at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.utils.file_locks import wait_for_lock_file

LOCK_NAME = ".analysis.lock"
ORPHANED = 75
NICENESS = 5


class AnalysisRequest(BaseModel):
    """The video to analyse, and the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video: Path
    video_id: str
    sha256: str
    store: Path
    detector: Path
    view: Literal["room", "ego"]
    threads: int
    analysis: dict[str, Any]


class JobOutcome(TypedDict):
    """How a job ended: ``result`` is the video's entry of ``visionllm analyze --json``."""

    status: Literal["done", "failed"]
    result: dict[str, Any] | None
    error: dict[str, Any] | None


def failed(error: VisionLLMError) -> JobOutcome:
    """The outcome of a job that ended with ``error``."""
    return {"status": "failed", "result": None, "error": error.to_dict()}


def analyse(request: AnalysisRequest) -> JobOutcome:
    """Analyse the video into the store, unless an earlier worker has published it there."""
    with wait_for_lock_file(request.video.parent / LOCK_NAME):
        try:
            return {"status": "done", "result": _analyse(request), "error": None}
        except VisionLLMError as error:
            return failed(error)


def _analyse(request: AnalysisRequest) -> dict[str, Any]:
    # Imported here: the numeric libraries read their number of threads when they load.
    from visionllm_interaction.analysis import AnalysisConfig, analyze

    config = AnalysisConfig.model_validate(request.analysis)
    result = analyze(
        [request.video],
        request.store,
        detector=request.detector,
        view=request.view,
        config=config,
        video_ids=[request.video_id],
    )
    [video] = result.videos
    if video.status == "failed":
        raise VisionLLMError("The video could not be analysed.", found=str(video.reason))
    return video.to_dict()


def _exit_when_stdin_closes() -> None:
    while os.read(0, 4096):
        pass
    os._exit(ORPHANED)


def _read_request() -> AnalysisRequest:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            os._exit(ORPHANED)
        line += piece
    return AnalysisRequest.model_validate_json(line)


def main() -> int:
    """Read one request, analyse the video and print the result."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries goes to the log, not into the result
    request = _read_request()
    threading.Thread(target=_exit_when_stdin_closes, daemon=True).start()
    os.nice(NICENESS)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(request.threads)
    answer.write(json.dumps(analyse(request)) + "\n")
    answer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
