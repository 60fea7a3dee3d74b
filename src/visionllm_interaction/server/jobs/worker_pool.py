"""Worker processes that wait for work with libraries and detector loaded, so that a job does not wait for them.

Importing the numeric libraries and loading the detector takes seconds, more than the analysis of a short video. A
worker serves one job after another; one that was killed, or has served many, is replaced.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.server.jobs.worker import PROGRESS, SEEN, AnalysisRequest, ExportRequest
from visionllm_interaction.server.monitoring.seen_images import SeenImage
from visionllm_interaction.utils.logs import log

MAX_JOBS = 50
"""A worker that served so many is replaced: decoders and numeric libraries never give all memory back."""
_POLL_S = 0.1
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Progress:
    """How far an analysis is.

    Attributes:
        share: share of the frames that are processed, in [0, 1].
        seconds_left: estimated from the frames so far; None at the begin.
    """

    share: float
    seconds_left: float | None

    @classmethod
    def of(cls, done: int, total: int, *, seconds: float) -> Progress | None:
        """The progress after ``seconds`` of work; None where the number of frames is not known."""
        if total <= 0:
            return None
        share = min(done / total, 1.0)
        return cls(share, seconds * (1 - share) / share if share > 0.02 else None)


@dataclass
class Worker:
    """A worker process.

    Attributes:
        process: the process; its stdin takes requests, its stdout gives one line for each.
        served: number of requests it was given.
        progress: of the request it is at; None where it is not known.
    """

    process: subprocess.Popen[bytes]
    served: int = 0
    progress: Progress | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it runs and may take another request."""
        return self.process.poll() is None and self.served < MAX_JOBS

    def run(
        self,
        request: AnalysisRequest | ExportRequest,
        *,
        give_up: Callable[[], bool],
        see: Callable[[SeenImage], None] = lambda _: None,
    ) -> tuple[bytes, int]:
        """Give the worker a request and wait for its outcome.

        Args:
            request: the video and the settings.
            give_up: asked several times a second; the worker is killed once it says yes.
            see: told what the detector saw in some of the images; where it fails, the request goes on.

        Returns:
            The line it wrote, and 0; or what it wrote, and its exit code if it ended (negative: a signal).
        """
        try:
            return self._run(request, give_up=give_up, see=_never_failing(see))
        except BaseException:
            self.end()  # the answer that it still owes would be taken for that of the next request
            raise

    def _run(
        self, request: AnalysisRequest | ExportRequest, *, give_up: Callable[[], bool], see: Callable[[bytes], None]
    ) -> tuple[bytes, int]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.served += 1
        try:
            self.process.stdin.write(request.model_dump_json().encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return b"", self.process.wait()
        output = bytearray()
        pipe = self.process.stdout.fileno()
        begin, self.progress = time.monotonic(), None
        while not output.endswith(b"\n"):
            if give_up():
                self.process.kill()
            if select.select([pipe], [], [], _POLL_S)[0]:
                piece = os.read(pipe, 65536)
                if not piece:  # it has ended
                    return bytes(output), self.process.wait()
                output += piece
                output = self._without_reports(output, seconds=time.monotonic() - begin, see=see)
        return bytes(output), 0

    def _without_reports(self, output: bytearray, *, seconds: float, see: Callable[[bytes], None]) -> bytearray:
        """What is left of the output once its reports, of progress and of images, are read."""
        while output.startswith((PROGRESS, SEEN)) and b"\n" in output:
            line, _, output = output.partition(b"\n")
            if line.startswith(SEEN):
                see(bytes(line.removeprefix(SEEN)))
                continue
            done, total = map(int, line.removeprefix(PROGRESS).split())
            self.progress = Progress.of(done, total, seconds=seconds)
        return output

    def end(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it was killed before it had read its request
                    pipe.close()


class WorkerPool:
    """The workers that are free.

    Args:
        size: number of workers kept waiting.
        threads: threads of one analysis.
        detector: gives the detector that a new worker loads, as of then; None: none is kept waiting.
    """

    def __init__(self, *, size: int, threads: int, detector: Callable[[], Path | None]) -> None:
        self._most = size
        self._threads = threads
        self._detector = detector
        self._free: list[Worker] = []
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def _size(self) -> int:
        return self._most if self._detector() is not None else 0

    def start(self) -> None:
        """Start the workers that wait; they load while the service answers."""
        with self._lock:
            self._stopped = False
            while len(self._free) < self._size:
                self._free.append(self._new())

    def take(self) -> Worker:
        """A free worker, or a new one."""
        with self._lock:
            while self._free:
                worker = self._free.pop(0)
                if worker.is_usable:
                    return worker
                worker.end()
            return self._new()

    def give_back(self, worker: Worker) -> None:
        """Keep a worker for the next job, or put a new one in its place."""
        with self._lock:
            keep = not self._stopped and len(self._free) < self._size
            if keep and worker.is_usable:
                self._free.append(worker)
                return
            worker.end()
            if keep:
                self._free.append(self._new())

    def stop(self) -> None:
        """End the workers that are free; those at work are their jobs' to end."""
        with self._lock:
            self._stopped = True
            while self._free:
                self._free.pop().end()

    def _new(self) -> Worker:
        detector = self._detector()
        ahead = [str(detector.absolute())] if detector is not None else []
        environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(self._threads))}
        process = subprocess.Popen(
            [sys.executable, "-m", "visionllm_interaction.server.jobs.worker", *ahead],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal stops the service, which then stops its workers
        )
        return Worker(process)


def _never_failing(see: Callable[[SeenImage], None]) -> Callable[[bytes], None]:
    """Tell of an image that a line describes; the first one that cannot be told of is logged."""
    is_logged = False

    def tell(line: bytes) -> None:
        nonlocal is_logged
        try:
            see(SeenImage.from_json(line))
        except Exception as error:  # noqa: BLE001 (figures of the detector are no reason to lose an analysis)
            if not is_logged:
                log.warning("what the detector saw in an image is not counted", error=type(error).__name__)
            is_logged = True

    return tell


def deadline_in(seconds: float) -> Callable[[], bool]:
    """Whether the time is up, counted from now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end
