"""The detector of a running service: loaded and tried in the background, used by several requests at a time."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from visionllm_interaction.core import Detections
from visionllm_interaction.core.image_decoding import count_pixels, read_rgb
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.errors import ServiceError, VisionLLMError
from visionllm_interaction.server.detection_batches import DetectionBatches, PixelBudget
from visionllm_interaction.server.problem_details import http_problem

_log = logging.getLogger(__name__)

DetectorState = Literal["none", "loading", "ready", "failed"]
TRIED_SHAPE = (96, 128, 3)
"""Of the image that shows that a detector works, before it is called ready."""
DETECTOR_STATES: tuple[DetectorState, ...] = ("none", "loading", "ready", "failed")


@dataclass(frozen=True)
class ImageDetections:
    """The detections of one image.

    Attributes:
        width: width of the upright image in pixels.
        height: height of the upright image in pixels.
        detections: boxes in pixels of the upright image.
        duration_s: time of the run of the detector in seconds, in which further images may have been detected.
        detector: what found them; another one may serve by now.
        checkpoint: its file.
    """

    width: int
    height: int
    detections: Detections
    duration_s: float
    detector: Detector
    checkpoint: Path


class DetectorSlot:
    """Holds the detector of the service.

    ``state`` is ``"none"`` (not configured), ``"loading"``, ``"ready"`` or ``"failed"``. ``error`` is the reason of a
    failure, which lasts until the service is restarted or another detector serves.

    Args:
        checkpoint: the detector's file; ``None`` for a service without one. Or what says which file serves now, which
            another process may change; it is asked before each use, and must be fast.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        max_waiting: number of requests that may wait for the detector.
        max_batch: most images that it detects at a time.
        batch_wait_s: how long images wait for further ones in seconds.
        max_megapixels: of all images that are decoded at a time, in millions of pixels.
    """

    def __init__(
        self,
        checkpoint: Path | Callable[[], Path | None] | None,
        *,
        device: str | None,
        max_waiting: int,
        max_batch: int = 8,
        batch_wait_s: float = 0.0,
        max_megapixels: float = 50.0,
    ) -> None:
        self._serving = checkpoint if callable(checkpoint) else lambda: checkpoint
        self._asked = self.checkpoint
        """The file that was loaded last, or is being loaded at the start."""
        self.state: DetectorState = "none" if self._asked is None else "loading"
        self.error: VisionLLMError | None = None
        self._device = device
        self._loaded: tuple[Path, Detector] | None = None
        self.batches = DetectionBatches(max_images=max_batch, wait_s=batch_wait_s)
        self._max_megapixels = max_megapixels
        self._decoded = PixelBudget(int(max_megapixels * 1e6))
        self._changing = threading.Lock()
        self._following = threading.Lock()
        self._changes = 0
        self._stopped = False
        self._waiting_slots = threading.BoundedSemaphore(max_waiting)

    @property
    def checkpoint(self) -> Path | None:
        """The file of the detector that serves, whichever process had it serve."""
        return self._serving()

    def start(self) -> None:
        """Start loading in the background; the service answers meanwhile.

        The process ends when loading has: a thread that Python cuts off within C++ aborts the whole process.
        """
        self._stopped = False
        self._asked = self.checkpoint
        if self._asked is not None:
            self.state = "loading"
            arguments = (self._asked, self._changes)
            threading.Thread(target=self._load, args=arguments, name="load-detector").start()

    def stop(self) -> None:
        """Wait for the image that is being detected, and detect no other one: the process is about to end."""
        self._stopped = True
        self.batches.stop(_is_stopping)

    def _load(self, checkpoint: Path, change: int) -> None:
        """Load a detector; what comes of it counts only if no other change was made since."""
        detector: Detector | None = None
        failure: VisionLLMError | None = None
        try:
            detector = self._loaded_and_tried(checkpoint)
        except VisionLLMError as error:
            failure = error
            _log.error("the detector cannot be loaded: %s", error)
        except Exception as error:  # noqa: BLE001 (kept as the reason, and logged)
            # For example a missing runtime, an unknown graph, too little memory: if the thread just ended, the service
            # would stay "loading" forever.
            failure = _as_package_error(error, checkpoint)
            _log.exception("the detector cannot be loaded")
        with self._changing:
            if self._changes == change:
                self._hold(checkpoint, detector, failure)

    def _loaded_and_tried(self, checkpoint: Path) -> Detector:
        """Load a detector and have it look at an empty image: what loads need not run on this machine."""
        # Imported here: torch takes seconds to load, and the service answers meanwhile.
        from visionllm_interaction.detection.models import load_detector

        detector = load_detector(checkpoint, device=self._device)
        detector.detect([np.full(TRIED_SHAPE, 128, np.uint8)], min_confidence=0.5)
        return detector

    def _hold(self, checkpoint: Path, detector: Detector | None, failure: VisionLLMError | None) -> None:
        self._changes += 1
        self._asked, self.error = checkpoint, failure
        self._loaded = (checkpoint, detector) if detector is not None else None
        self.state = "ready" if failure is None else "failed"

    def change(self, checkpoint: Path, *, record: Callable[[], object] = lambda: None) -> None:
        """Load another detector and have it serve; the one before serves until then.

        Images that are being detected, or wait for it, keep the detector they came to.

        Args:
            checkpoint: the detector's file.
            record: notes for all processes that it serves; called once it is loaded.

        Raises:
            VisionLLMError: if it cannot be loaded or does not run; nothing has changed.
        """
        try:
            detector = self._loaded_and_tried(checkpoint)
        except VisionLLMError:
            raise
        except Exception as error:
            raise _as_package_error(error, checkpoint) from error
        with self._changing:
            record()
            self._hold(checkpoint, detector, None)

    def follow(self) -> None:
        """Load the detector that serves now, if another process has changed it; returns once it is loaded."""
        if not self._is_behind():
            return
        with self._following:  # whoever comes meanwhile waits for the same
            with self._changing:
                wanted, change = self.checkpoint, self._changes
                if not self._is_behind() or wanted is None:
                    return
            self._load(wanted, change)

    def follow_in_background(self) -> None:
        """As :meth:`follow`, without waiting for it."""
        if self._is_behind() and not self._following.locked():
            threading.Thread(target=self.follow, name="load-detector").start()

    def _is_behind(self) -> bool:
        """Whether another detector serves than the one that was loaded here."""
        serving = self.checkpoint
        return serving is not None and serving != self._asked

    @property
    def reason(self) -> str | None:
        """Why loading failed, without paths of the server; ``None`` if it did not fail."""
        if self.error is None:
            return None
        return f"{self.error.message} Found: {self.error.found}" if self.error.found else self.error.message

    def check_usable(self) -> None:
        """Check that a detector is loaded or is being loaded.

        Raises:
            ServiceError: if there is none, or its checkpoint could not be loaded.
        """
        if self.error is not None and not self._is_behind():
            raise ServiceError(
                "The service's detector could not be loaded.",
                found=self.reason,
                fix=self.error.fix or "correct serve.detector or serve.device and restart the service",
            ) from self.error
        if self.checkpoint is None:
            raise ServiceError(
                "The service has no detector.",
                expected="a ready-made model on this machine, or a checkpoint made by `visionllm train`",
                found="no ready-made model, and serve.detector is not set",
                fix="`visionllm models get yolox_s`, or set -o serve.detector=…/model_trainer/fasterrcnn_best.pt, and "
                "start the service again",
            )

    def require(self) -> Detector:
        """Get the loaded detector.

        Returns:
            The detector.

        Raises:
            ServiceError: if there is none, or it is still loading.
        """
        return self._require_loaded()[1]

    def _require_loaded(self) -> tuple[Path, Detector]:
        self.check_usable()
        loaded = self._loaded
        if loaded is None:
            raise ServiceError("The detector is still loading.", fix="wait until /v1/readyz says ready")
        return loaded

    def detect(self, data: bytes, *, min_confidence: float) -> ImageDetections:
        """Decode an image and run the detector on it, together with others that wait.

        Args:
            data: the bytes of the image file.
            min_confidence: detections below this are left out.

        Returns:
            The size of the image, its detections and the time of the detector.

        Raises:
            ImageError: if the image cannot be used.
            ServiceError: if there is no detector, or the service is stopping.
            HTTPException: 503 if too many requests wait already.
        """
        self.follow()
        checkpoint, detector = self._require_loaded()
        if self._stopped:
            raise _is_stopping()
        if not self._waiting_slots.acquire(blocking=False):
            raise http_problem(503, "Too many images are waiting.", code="BUSY", headers={"Retry-After": "2"})
        try:
            limit = self._max_megapixels
            with self._decoded.holding(count_pixels(io.BytesIO(data), max_megapixels=limit)):
                image = read_rgb(io.BytesIO(data), max_megapixels=limit)
                found, seconds = self.batches.detect(detector, image, min_confidence=min_confidence)
                return ImageDetections(image.shape[1], image.shape[0], found, seconds, detector, checkpoint)
        finally:
            self._waiting_slots.release()


def _is_stopping() -> ServiceError:
    return ServiceError("The service is stopping.", fix="ask again in a moment")


def _as_package_error(error: Exception, checkpoint: Path) -> VisionLLMError:
    first_line = next(iter(str(error).splitlines()), "").replace(f"{checkpoint.parent}/", "")
    return VisionLLMError("The detector cannot be loaded.", found=f"{type(error).__name__}: {first_line}"[:300])
