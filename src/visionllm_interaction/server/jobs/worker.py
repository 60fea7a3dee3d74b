"""Analyse one video in a process of its own: ``python -m visionllm_interaction.server.jobs.worker``.

The first line of stdin is the order (JSON); stdin then stays open as a lifeline: when it closes, whoever
started this process is gone, and the work stops within a moment. The last line of stdout is the result (JSON).
A lock on the video's folder makes sure that two workers never analyse the same video at once.
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


class Order(BaseModel):
    """What to analyse, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video: Path
    video_id: str
    sha256: str
    store: Path
    detector: Path
    view: Literal["room", "ego"]
    threads: int
    analysis: dict[str, Any]


class Outcome(TypedDict):
    """How a job ended: ``result`` is the video's entry of ``visionllm analyze --json``."""

    status: Literal["done", "failed"]
    result: dict[str, Any] | None
    error: dict[str, Any] | None


def failed(error: VisionLLMError) -> Outcome:
    """The outcome of a job that ended with ``error``."""
    return {"status": "failed", "result": None, "error": error.to_dict()}


def analyse(order: Order) -> Outcome:
    """Analyse the video into the store, unless the store has it already (a worker died after publishing it)."""
    with wait_for_lock_file(order.video.parent / LOCK_NAME):
        try:
            return {"status": "done", "result": _analyse(order), "error": None}
        except VisionLLMError as error:
            return failed(error)


def _analyse(order: Order) -> dict[str, Any]:
    # Imported here: the threads of the numeric libraries are set before they load.
    from visionllm_interaction.analysis import AnalysisConfig, analyze

    config = AnalysisConfig.model_validate(order.analysis)
    result = analyze(
        [order.video],
        order.store,
        detector=order.detector,
        view=order.view,
        config=config,
        video_ids=[order.video_id],
    )
    [video] = result.videos
    if video.status == "failed":
        raise VisionLLMError("The video could not be analysed.", found=str(video.reason))
    return video.to_dict()


def _watch_lifeline() -> None:
    while os.read(0, 4096):
        pass
    os._exit(ORPHANED)


def _read_order() -> Order:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            os._exit(ORPHANED)
        line += piece
    return Order.model_validate_json(line)


def main() -> int:
    """Take one order, work, answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log, not into the answer
    order = _read_order()
    threading.Thread(target=_watch_lifeline, daemon=True).start()
    os.nice(NICENESS)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(order.threads)
    answer.write(json.dumps(analyse(order)) + "\n")
    answer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
