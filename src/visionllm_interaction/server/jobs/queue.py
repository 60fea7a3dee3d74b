"""Durable jobs: one DBOS workflow for each analysis and each export, resumed after a crash of the process.

Guaranteed: an accepted job ends as done or failed, even if the process dies in between, and its video is in the store
once. DBOS keeps the job in a database, the analysis runs in a worker process, and the store publishes a video in one
rename. A worker that finds its video in the store does not analyse it again.

Not guaranteed: that work is done only once. An interrupted analysis starts from the beginning.

The database knows jobs by their random ids only. What a job is about and how it ended lies beside the video, and is
erased with it: a database keeps deleted rows in free pages and logs for a long time.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus

from visionllm_interaction.errors import VideoError, VisionLLMError
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.exports import ExportOptions, is_export
from visionllm_interaction.server.jobs.leases import Leases
from visionllm_interaction.server.jobs.worker import LOG_NAME, AnalysisRequest, ExportRequest, JobOutcome, failed
from visionllm_interaction.server.jobs.worker_pool import Worker, WorkerPool, deadline_in
from visionllm_interaction.server.monitoring.job_runs import JobRun
from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.traces import Traces
from visionllm_interaction.server.training.activation import ServingFile
from visionllm_interaction.utils.file_locks import wait_for_lock_file

_log = logging.getLogger(__name__)

Kind = Literal["analysis", "export"]
WORKFLOWS: dict[Kind, str] = {"analysis": "analyze_video", "export": "export_video"}
QUEUES: dict[Kind, str] = {"analysis": "videos", "export": "exports"}
"""Exports have a queue and a worker of their own: they do not wait for analyses of hours."""
EXPORT_WORKERS = 1
POLL_S = 0.2
"""How often the database is asked for the next job."""
MAX_BACKOFF_S = 30.0
"""Longest pause before another worker is started in place of one that was killed."""
STARTING_NAME = ".jobs.starting.lock"
"""Lock of the data folder that is held while the tables of the jobs are made."""
ROOM_BYTES = 1_000_000
"""Room on the disk that the end of a job needs."""
LOOKS_FOR_FOLDER = 3
"""How often in a row the folder of a job must be found missing: storage that is away for a moment ends no job."""
CANCEL_CHECK_S = 1.0
"""How often a running job asks the database whether another host was told to cancel it."""
JOBS_VERSION = "visionllm-jobs-2"
"""Raised only when the steps or arguments of the workflow change: DBOS resumes only jobs of its own version."""

State = Literal["queued", "running", "done", "failed", "cancelled"]
_STATES: dict[str, State] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
_NAMES = list(WORKFLOWS.values())
_STEPS: dict[Kind, str] = {"analysis": "analyse", "export": "export"}


@dataclass(frozen=True)
class JobRecord:
    """The present state of one job. Times are ISO 8601, UTC; ``attempts`` counts starts.

    ``progress`` (a share) and ``seconds_left`` are known of a job that runs in this process; ``options`` are those of
    an export.
    """

    job_id: str
    kind: Kind
    video_id: str
    state: State
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    attempts: int
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    progress: float | None = None
    seconds_left: float | None = None
    options: ExportOptions | None = None


class JobFiles(Protocol):
    """What lies beside the video of a job."""

    def request_for(self, job_id: str) -> AnalysisRequest | ExportRequest:
        """What the worker of a job is to do; a ``VideoError`` where that is not possible."""

    def video_of(self, job_id: str) -> str | None:
        """The video of a job; None if it was erased."""

    def export_options(self, job_id: str) -> ExportOptions | None:
        """What an export writes; None of another job."""

    def keep_outcome(self, job_id: str, outcome: JobOutcome) -> None:
        """Keep how a job ended."""

    def keep_cancelled(self, job_id: str, outcome: JobOutcome) -> None:
        """Keep when a job was cancelled, unless it has ended by itself and its outcome is kept."""

    def outcome_of(self, job_id: str) -> JobOutcome | None:
        """How a job ended; None if that is not kept."""


class JobQueue:
    """The queues of analyses and exports, run by DBOS. One per process: DBOS is a singleton.

    Args:
        config: the section ``serve``.
        files: what jobs are about, and how they ended.
        monitor: told how long jobs ran, and what the detector saw.
        traces: get a span of each job; None: none are kept.
    """

    def __init__(self, config: ServeConfig, files: JobFiles, monitor: Monitor, traces: Traces | None = None) -> None:
        self._config = config
        self._files = files
        self._monitor = monitor
        self._traces = traces
        self._leases = Leases(config.leases_dir, config.executor_id, pending=self._pending, take_over=self._take_over)
        self._workflows: dict[Kind, Callable[[], dict[str, Any]]] = {}
        self._stopping = threading.Event()
        self._workers: dict[str, Worker] = {}
        threads = config.job_threads or default_threads()
        warm = config.job_workers if config.warm_workers else 0
        self._pools: dict[Kind, WorkerPool] = {
            "analysis": WorkerPool(
                size=warm, threads=threads, detector=ServingFile(config.models_dir, config.detector)
            ),
            "export": WorkerPool(size=0, threads=threads, detector=lambda: None),
        }
        self._active: set[str] = set()
        self._cancelled: set[str] = set()

    @property
    def running(self) -> bool:
        """Whether the queue accepts jobs."""
        return bool(self._workflows) and not self._stopping.is_set()

    def start(self) -> None:
        """Launch DBOS; unfinished jobs of an earlier process are resumed."""
        DBOS(
            config={
                "name": "visionllm-interaction",
                "system_database_url": self._config.jobs_database_url,
                "application_version": JOBS_VERSION,
                "executor_id": self._config.executor_id,
                "serializer": DBOSPortableJSONSerializer(),
                "enable_otlp": False,
                "log_level": "WARNING",
            }
        )
        self._workflows = {kind: self._register(kind) for kind in WORKFLOWS}
        self._pools["analysis"].start()
        if self._config.job_workers == 0:
            DBOS.listen_queues([])
        workers: dict[Kind, int] = {"analysis": max(1, self._config.job_workers), "export": EXPORT_WORKERS}
        # DBOS makes and migrates its tables at its start; two that do so at once on a new database block each other
        with wait_for_lock_file(self._config.data_dir / STARTING_NAME):
            DBOS.launch()
            for kind, number in workers.items():
                DBOS.register_queue(
                    QUEUES[kind],
                    worker_concurrency=number,
                    polling_interval_sec=POLL_S,
                    # the limit is one for all on the database: who does no jobs has none to set
                    on_conflict="always_update" if self._config.job_workers else "never_update",
                )
        self._forget_older_versions()
        self._leases.start()

    def stop(self) -> None:
        """Stop the workers and DBOS. Interrupted jobs stay pending and are resumed at the next start."""
        self._stopping.set()
        self._leases.stop()
        for worker in list(self._workers.values()):
            worker.process.kill()
        for pool in self._pools.values():
            pool.stop()
        DBOS.destroy(destroy_registry=True)
        self._workflows = {}

    def _forget_older_versions(self) -> None:
        """Delete the jobs of a version whose records name videos; those that still have an upload are queued again."""
        found = DBOS.list_workflows(name=_NAMES, load_input=False, load_output=False)
        older = [status.workflow_id for status in found if status.app_version != JOBS_VERSION]
        for job_id in older:
            DBOS.delete_workflow(job_id)
        if older and self._config.jobs_database_url.startswith("sqlite"):
            with sqlite3.connect(self._config.jobs_database_url.removeprefix("sqlite:///"), timeout=30) as database:
                database.execute("VACUUM")  # the names are still in free pages

    def _pending(self) -> set[str]:
        """The hosts that the database knows as running a job."""
        found = DBOS.list_workflows(name=_NAMES, status="PENDING", load_input=False, load_output=False)
        return {status.executor_id for status in found if status.executor_id}

    def _take_over(self, executor_id: str) -> None:
        """Queue the jobs of a host that has died again: what DBOS does at a start, for the jobs of another name."""
        _log.warning("the host %s has died: its jobs are queued again", executor_id)
        DBOS._recover_pending_workflows([executor_id])  # there is no public form

    def submit(self, job_id: str) -> None:
        """Queue the analysis of an upload, or an export; does nothing if the job id exists."""
        kind = kind_of(job_id)
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(QUEUES[kind], self._workflows[kind])

    def get(self, job_ids: Sequence[str]) -> dict[str, JobRecord]:
        """The jobs with these ids, by id; unknown ids are left out."""
        if not job_ids:
            return {}
        found = DBOS.list_workflows(workflow_ids=list(job_ids), name=_NAMES, load_input=False)
        return {status.workflow_id: self._with_progress(self._record(status)) for status in found}

    def _with_progress(self, record: JobRecord) -> JobRecord:
        worker = self._workers.get(record.job_id)
        if worker is None or worker.progress is None or record.state != "running":
            return record
        return replace(record, progress=worker.progress.share, seconds_left=worker.progress.seconds_left)

    def counts(self) -> Counter[str]:
        """Number of jobs in each state."""
        found = DBOS.list_workflows(name=_NAMES, load_input=False)
        return Counter(_outcome_state(status) for status in found)

    def oldest_wait_s(self) -> float:
        """How long the job that has waited longest has been waiting, in seconds; 0 where none waits."""
        waiting = DBOS.list_workflows(
            name=_NAMES, status=["ENQUEUED", "DELAYED"], limit=1, load_input=False, load_output=False
        )
        begins = [status.created_at for status in waiting if status.created_at is not None]
        return max(0.0, time.time() - begins[0] / 1000) if begins else 0.0

    def delete(self, job_id: str) -> None:
        """Cancel a job, stop its worker, and delete its record."""
        if not self.get([job_id]):
            return
        DBOS.cancel_workflow(job_id)
        self.stop_worker(job_id)
        DBOS.delete_workflow(job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job, wherever it runs; its worker is killed within two seconds."""
        DBOS.cancel_workflow(job_id)
        self.stop_worker(job_id)
        self._files.keep_cancelled(job_id, failed(VideoError("The job was cancelled.")))

    def stop_worker(self, job_id: str) -> None:
        """Kill the worker of a job, if it has one; the job does not start another."""
        if job_id in self._active:
            self._cancelled.add(job_id)
        worker = self._workers.get(job_id)
        if worker is not None:
            worker.process.kill()
            worker.process.wait()

    def _register(self, kind: Kind) -> Callable[[], dict[str, Any]]:
        @DBOS.workflow(name=WORKFLOWS[kind], max_recovery_attempts=self._config.max_job_attempts)
        def work() -> dict[str, Any]:
            job_id = DBOS.workflow_id or ""
            run = JobRun(kind)
            with run.reported(self._monitor, self._traces):
                return dict(DBOS.run_step({"name": _STEPS[kind]}, lambda: self._run(job_id, run)))

        return work

    def _run(self, job_id: str, run: JobRun) -> dict[str, str]:
        """Analyse, and keep how it ended; what is returned goes into the database."""
        run.begin()
        try:
            outcome = self._outcome_of(job_id)
        except SystemExit:
            if not self._stopping.is_set():
                run.end("cancelled")
            raise
        run.end(outcome["status"])
        self._wait_for_room()
        self._files.keep_outcome(job_id, outcome)
        return {"status": outcome["status"], "code": (outcome["error"] or {}).get("code", "")}

    def _wait_for_room(self) -> None:
        """Wait while the disk is full: an end that the database cannot take would leave the job running for ever."""
        while shutil.disk_usage(self._config.data_dir).free < ROOM_BYTES and not self._stopping.is_set():
            self._stopping.wait(1.0)

    def _outcome_of(self, job_id: str) -> JobOutcome:
        self._active.add(job_id)
        try:
            request = self._files.request_for(job_id)
            output, code = self._attempts(job_id, request)
            return _outcome(job_id, output, code, log_file=request.folder / LOG_NAME)
        except VisionLLMError as error:
            return failed(error)
        except Exception as error:  # noqa: BLE001 (kept as the outcome, and logged)
            # A full disk, for example. The message of such an error names files: neither log nor database keeps it.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("the job %s ended with %s\n%s", job_id, type(error).__name__, where)
            found = getattr(error, "strerror", None) or type(error).__name__
            return failed(VideoError("The job could not be run.", found=found, fix="free space, then try again"))
        finally:
            self._active.discard(job_id)
            self._cancelled.discard(job_id)

    def _attempts(self, job_id: str, request: AnalysisRequest | ExportRequest) -> tuple[bytes, int]:
        """Run workers until one gives its result, the time is up, or too many were killed: output and exit code."""
        is_over = deadline_in(self._config.job_timeout_s)
        is_cancelled = self._cancel_watch(job_id, request.folder)

        def give_up() -> bool:
            return is_over() or self._stopping.is_set() or is_cancelled()

        for attempt in range(1, self._config.max_job_attempts + 1):
            output, code = self._attempt(job_id, request, give_up=give_up)
            # A killed worker says nothing about the video. If it had published its result, the next one finds it.
            if code >= 0 or is_over() or attempt == self._config.max_job_attempts:
                break
            _log.warning("the worker of %s was killed by signal %s; starting another", job_id, -code)
            self._stopping.wait(min(2.0 ** (attempt - 1), MAX_BACKOFF_S))
        return output, code

    def _cancel_watch(self, job_id: str, folder: Path) -> Callable[[], bool]:
        """Whether the job was cancelled or erased: here, or, asked now and then, on another host."""
        asked, missing = time.monotonic(), 0

        def is_cancelled() -> bool:
            nonlocal asked, missing
            if job_id not in self._cancelled and time.monotonic() - asked > CANCEL_CHECK_S:
                asked = time.monotonic()
                with suppress(Exception):  # a disk or a database that does not answer cancels nothing
                    missing = 0 if folder.is_dir() else missing + 1
                    if missing >= LOOKS_FOR_FOLDER:
                        self._cancelled.add(job_id)
                    known = DBOS.list_workflows(workflow_ids=[job_id], load_input=False, load_output=False)
                    if not known or known[0].status == "CANCELLED":
                        self._cancelled.add(job_id)
            return job_id in self._cancelled

        return is_cancelled

    def _attempt(
        self, job_id: str, request: AnalysisRequest | ExportRequest, *, give_up: Callable[[], bool]
    ) -> tuple[bytes, int]:
        """Give the job to one worker; what it wrote, and 0 or its exit code (negative: the signal that killed it)."""
        self._end_if_interrupted(job_id)
        pool = self._pools[request.kind]
        worker = pool.take()
        self._workers[job_id] = worker
        try:
            output, code = worker.run(request, give_up=give_up, see=partial(self._monitor.saw, by=request.detector))
        finally:
            self._workers.pop(job_id, None)
            pool.give_back(worker)
        self._end_if_interrupted(job_id)
        return output, code

    def _end_if_interrupted(self, job_id: str) -> None:
        if self._stopping.is_set() or job_id in self._cancelled:
            # Not an Exception, so DBOS records no result: a stopped job is resumed at the next start, and a deleted one
            # has no record.
            raise SystemExit("the job was interrupted")

    def _record(self, status: WorkflowStatus) -> JobRecord:
        state = _outcome_state(status)
        outcome = self._files.outcome_of(status.workflow_id) if state in ("done", "failed") else None
        error = outcome["error"] if outcome else None
        if state == "failed" and error is None:
            ended = "without an outcome" if status.status == "SUCCESS" else f"with {status.status}"
            error = {"code": "JOB", "message": f"The job ended {ended}.", "fix": "try it again"}
        return JobRecord(
            job_id=status.workflow_id,
            kind=kind_of(status.workflow_id),
            video_id=self._files.video_of(status.workflow_id) or "",
            state=state,
            created_at=_iso(status.created_at),
            started_at=_iso(status.dequeued_at),
            finished_at=_iso(status.completed_at),
            attempts=status.recovery_attempts or 0,
            result=outcome["result"] if outcome else None,
            error=error,
            options=self._files.export_options(status.workflow_id),
        )


def _outcome(job_id: str, output: bytes, code: int, *, log_file: Path) -> JobOutcome:
    lines = output.decode("utf-8", "replace").splitlines()
    if code == 0 and lines:
        with suppress(ValueError):
            outcome: JobOutcome = json.loads(lines[-1])
            return outcome
    # The last line of the log is the best explanation; the log itself is deleted with the video.
    log = log_file.read_text(encoding="utf-8", errors="replace") if log_file.exists() else ""
    tail = log.strip().splitlines()[-1:]
    _log.error("the worker of %s ended with %s", job_id, code)
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return failed(
        VideoError(
            "The job ended early.",
            found="; ".join([ended, *tail]),
            fix="check memory and time limits (serve.job_timeout_s), then try again",
        )
    )


def _outcome_state(status: WorkflowStatus) -> State:
    state = _STATES[status.status]
    if state == "done" and isinstance(status.output, dict) and status.output.get("status") == "failed":
        return "failed"
    return state


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def kind_of(job_id: str) -> Kind:
    """What kind of job an id is of."""
    return "export" if is_export(job_id) else "analysis"


def default_threads() -> int:
    """All cores but one, so that the service keeps answering while a video is analysed."""
    return max(1, (os.cpu_count() or 2) - 1)
