"""The detector of a running service: loaded beside the start, used by one request at a time."""

from __future__ import annotations

import io
import logging
import threading
import time
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core import Detections
from visionllm_interaction.core.images import read_rgb
from visionllm_interaction.detection.runtimes.base import Detector
from visionllm_interaction.errors import ServiceError, VisionLLMError
from visionllm_interaction.server.problem_details import refusal

_log = logging.getLogger(__name__)

DetectorState = Literal["none", "loading", "ready", "failed"]
DETECTOR_STATES: tuple[DetectorState, ...] = ("none", "loading", "ready", "failed")


class DetectorSlot:
    """Holds the detector. ``state`` is ``"none"`` (not configured), ``"loading"``, ``"ready"`` or ``"failed"``.

    ``error`` says why it failed, whatever was raised; it stays failed until the service is started anew.
    """

    def __init__(self, checkpoint: Path | None, *, device: str | None, max_waiting: int) -> None:
        self.checkpoint = checkpoint
        self.state: DetectorState = "none" if checkpoint is None else "loading"
        self.error: VisionLLMError | None = None
        self._device = device
        self._detector: Detector | None = None
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(max_waiting)

    def start(self) -> None:
        """Load in the background, so that the service answers meanwhile."""
        if self.checkpoint is not None:
            threading.Thread(target=self._load, name="load-detector", daemon=True).start()

    def _load(self) -> None:
        assert self.checkpoint is not None
        try:
            # Imported here: torch takes seconds to load, and the service answers meanwhile.
            from visionllm_interaction.detection.models import load_detector

            self._detector = load_detector(self.checkpoint, device=self._device)
            self.state = "ready"
        except VisionLLMError as error:
            self._fail(error)
            _log.error("the detector cannot be loaded: %s", error)
        except Exception as error:  # noqa: BLE001 (kept as the reason, and logged)
            # A runtime that is not installed, a graph it does not know, no memory: a thread that ended without a
            # word would leave the service "loading" for ever.
            self._fail(_as_ours(error, self.checkpoint))
            _log.exception("the detector cannot be loaded")

    def _fail(self, error: VisionLLMError) -> None:
        self.error, self.state = error, "failed"

    @property
    def reason(self) -> str | None:
        """Why the detector could not be loaded, without paths of the server; ``None`` if it did not fail."""
        if self.error is None:
            return None
        return f"{self.error.message} Found: {self.error.found}" if self.error.found else self.error.message

    def check_usable(self) -> None:
        """Make sure that there is a detector, or will be when it has loaded.

        Raises:
            ServiceError: if there is none, or its checkpoint could not be loaded.
        """
        if self.error is not None:
            raise ServiceError(
                "The service's detector could not be loaded.",
                found=self.reason,
                fix=self.error.fix or "correct serve.detector or serve.device and start the service anew",
            ) from self.error
        if self.checkpoint is None:
            raise ServiceError(
                "The service has no detector.",
                expected="a checkpoint made by `visionllm train`",
                found="serve.detector is not set",
                fix="start the service with -o serve.detector=…/model_trainer/fasterrcnn_best.pt",
            )

    def require(self) -> Detector:
        """The detector.

        Raises:
            ServiceError: if there is none, or not yet.
        """
        self.check_usable()
        if self._detector is None:
            raise ServiceError("The detector is still loading.", fix="wait until /v1/readyz says ready")
        return self._detector

    def detect(
        self, data: bytes, *, min_confidence: float, max_megapixels: float
    ) -> tuple[NDArray[np.uint8], Detections, float]:
        """Decode an image and detect; returns the image (H, W, 3), its detections and the seconds they took.

        Raises:
            ImageError: if the image cannot be used.
            ServiceError: if there is no detector.
            HTTPException: 503 if too many requests wait already.
        """
        detector = self.require()
        if not self._places.acquire(blocking=False):
            raise refusal(503, "Too many images are waiting.", code="BUSY", headers={"Retry-After": "2"})
        try:
            with self._turn:  # decoding inside as well: only one image at a time is held as pixels
                image = read_rgb(io.BytesIO(data), max_megapixels=max_megapixels)
                begin = time.perf_counter()
                [found] = detector.detect([image], min_confidence=min_confidence)
                return image, found, time.perf_counter() - begin
        finally:
            self._places.release()


def _as_ours(error: Exception, checkpoint: Path) -> VisionLLMError:
    first_line = next(iter(str(error).splitlines()), "").replace(f"{checkpoint.parent}/", "")
    return VisionLLMError("The detector cannot be loaded.", found=f"{type(error).__name__}: {first_line}"[:300])
