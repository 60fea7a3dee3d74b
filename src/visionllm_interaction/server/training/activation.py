"""Change to another detector while the service runs: through the gates of ``visionllm models promote``.

Images that are being detected, or wait for it, keep the detector they came to; the next ones get the new one. What was
activated is kept in the data folder: there the other processes of the service find it before their next job or image,
and it serves after a restart, until ``serve.detector`` is set to another one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.errors import InputDataError, VisionLLMError
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.training.detectors import KnownDetector
from visionllm_interaction.server.training.gate_process import GateRequest, GateVerdict
from visionllm_interaction.server.training.schemas import Activation
from visionllm_interaction.utils.atomic_files import publish_file, write_file
from visionllm_interaction.utils.file_locks import HeldLock, try_lock_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.logs import log

RECORD = "activated_detector.json"
LAST = "last_activation.json"
LOCK = ".activation.lock"
"""Held by the process that changes the detector: where nobody holds it, no change goes on."""
LOOKED_AT_S = 0.5
"""Whoever asks how a change goes holds the lock for a moment: for so long a new change waits for it."""
REPORT = "last_comparison"
GOES_ON = ("comparing", "loading")


class ActivatedDetector(BaseModel):
    """The record of an activation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    sha256: str | None
    in_place_of: str
    """The detector of the configuration at that time; with another one there the record counts no more."""


def activated(models_dir: Path, configured: Path | None) -> Path | None:
    """The detector that was activated last.

    Args:
        models_dir: the service's folder of detectors.
        configured: the detector of the configuration.

    Returns:
        Its file; None if none was activated, the configuration has changed since, or the file is not what it was.
    """
    try:
        record = ActivatedDetector.model_validate_json((models_dir / RECORD).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning(
            "the record of the activated detector cannot be read; that of the configuration serves",
            path=str(models_dir / RECORD),
            error=type(error).__name__,
            fix="make it readable and restart the service, or activate the detector again",
        )
        return None
    if record.in_place_of != str(configured):
        return None
    try:
        record.path.stat()
        known = record.sha256  # of some detectors, such as a folder, there is none
        fault = "another content" if known is not None and sha256_file(record.path) != known else None
    except (OSError, InputDataError) as error:
        fault = type(error).__name__
    if fault is not None:
        log.warning(
            "the activated detector is gone, unreadable or damaged; that of the configuration serves",
            path=str(record.path),
            found=fault,
            fix="restore the file and restart the service, or activate a detector again",
        )
        return None
    return record.path


class ServingFile:
    """The file of the detector that serves: the activated one, else that of the configuration.

    Processes of one service share the record of the last activation. Whether it has changed is asked of the file
    system each time; it is read only then.

    Args:
        models_dir: the service's folder of detectors.
        configured: the detector of the configuration.
    """

    def __init__(self, models_dir: Path, configured: Path | None) -> None:
        self._models_dir = models_dir
        self._configured = configured
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = ()
        self._activated: Path | None = None

    def __call__(self) -> Path | None:
        """The file as of now; None: no detector serves."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._activated = activated(self._models_dir, self._configured)
                self._seen = stamp
            return self._activated or self._configured

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            found = (self._models_dir / RECORD).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class Activations:
    """Changes of the serving detector, one at a time, whichever process of the service makes them.

    Args:
        models_dir: the service's folder of detectors.
        configured: the detector of the configuration.
        promote: the limits of the gates.
        use: loads a detector and has it serve; called with its file, and with what records that for all processes,
            to be called once it is loaded.
    """

    def __init__(
        self,
        models_dir: Path,
        configured: Path | None,
        *,
        promote: PromoteConfig,
        use: Callable[[Path, Callable[[], object]], None],
    ) -> None:
        self._models_dir = models_dir
        self._configured = configured
        self._promote = promote
        self._use = use
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._latest = Activation(state="none")
        self._looking = threading.Lock()

    @property
    def last(self) -> Activation:
        """The last change, of whichever process, or the one that goes on."""
        try:
            found = Activation.model_validate_json((self._models_dir / LAST).read_bytes())
        except (OSError, ValidationError):
            return Activation(state="none")
        if found.state not in GOES_ON:
            return found
        with self._looking:  # two who look at once would each take the other for a change that goes on
            unheld = try_lock_file(self._models_dir / LOCK)
            if unheld is None:
                return found
            unheld.release()
        return found.model_copy(update={"state": "failed", "message": "The service was stopped meanwhile."})

    def start(self, candidate: KnownDetector, serving: KnownDetector | None, *, data: Path, run: str) -> Activation:
        """Begin to compare a detector with the one that serves.

        Args:
            candidate: the detector that is to serve.
            serving: the detector that serves; None: none does.
            data: the training manifest of a run.
            run: name of that run.

        Returns:
            The activation, which goes on.

        Raises:
            HTTPException: 409 if one goes on already, or the candidate serves already.
        """
        if candidate.view.serving:
            raise http_problem(409, "This detector serves already.", code="SERVES", found=candidate.view.model)
        self._models_dir.mkdir(parents=True, exist_ok=True)
        held = try_lock_file(self._models_dir / LOCK, wait_s=LOOKED_AT_S)
        if held is None:
            raise http_problem(409, "Another detector is being compared.", code="BUSY", found=str(self.last.model))
        begun = Activation(
            state="comparing",
            model=candidate.view.model,
            against=serving.view.model if serving else None,
            run=run,
            at=utc_now(),
        )
        request = GateRequest(
            candidate=candidate.path.absolute(),
            serving=serving.path.absolute() if serving else None,
            data=data.absolute(),
            report=(self._models_dir / REPORT).absolute(),
            config=self._promote,
        )
        try:
            self._keep(begun)
        except BaseException:
            held.release()
            raise
        threading.Thread(target=self._run, args=(candidate, request, held), name="activate").start()
        return begun

    def prepare(self) -> None:
        """Take changes, when the service starts, also after a stop."""
        self._stopped = False

    def stop(self) -> None:
        """End a comparison that goes on; the process ends when a detector that is being loaded is."""
        self._stopped = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _run(self, candidate: KnownDetector, request: GateRequest, held: HeldLock) -> None:
        with held:
            self._change(candidate, request)

    def _change(self, candidate: KnownDetector, request: GateRequest) -> None:
        try:
            verdict = self._compare(request)
            figures = {"AP": verdict.AP, "serving_AP": verdict.serving_AP, "gates": verdict.gates}
            if verdict.error is not None:
                self._told(state="failed", message=verdict.error)
                return
            if not verdict.passed:
                closed = sum(not one.passed for one in verdict.gates)
                message = f"{closed} of {len(verdict.gates)} gates are closed. The detector has not changed."
                self._told(state="refused", message=message, **figures)
                return
            self._told(state="loading", message=verdict.note, **figures)
            path = self._kept(candidate)
            record = ActivatedDetector(path=path, sha256=candidate.sha256, in_place_of=str(self._configured))
            content = record.model_dump_json().encode()
            self._use(path, lambda: write_file(self._models_dir / RECORD, content))
            self._told(state="active")
        except Exception as error:  # noqa: BLE001 (told and logged; the change must not stay "loading" for ever)
            reason = error.message if isinstance(error, VisionLLMError) else type(error).__name__
            self._told(state="failed", message=reason)
            log.error("a detector could not be activated", error=type(error).__name__)

    def _compare(self, request: GateRequest) -> GateVerdict:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "visionllm_interaction.server.training.gate_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._stopped:
            self._process.kill()
        answer, _ = self._process.communicate(request.model_dump_json() + "\n")
        try:
            return GateVerdict.model_validate_json(answer)
        except ValidationError:
            return GateVerdict(error=f"the comparison ended with the exit code {self._process.returncode}")

    def _kept(self, candidate: KnownDetector) -> Path:
        """The file from which the detector serves: of a run a copy, since runs are deleted; others stay in place."""
        if candidate.view.kind != "trained" or candidate.sha256 is None:
            return candidate.path.absolute()
        kept = self._models_dir.absolute() / f"{candidate.sha256}{candidate.path.suffix}"
        if not kept.is_file():
            with publish_file(kept) as partial:
                shutil.copyfile(candidate.path, partial)
        return kept

    def _told(self, **changes: object) -> None:
        self._keep(self._latest.model_copy(update=changes))

    def _keep(self, activation: Activation) -> None:
        """Keep the state of a change where all processes of the service find it."""
        self._latest = activation
        write_file(self._models_dir / LAST, activation.model_dump_json().encode())
