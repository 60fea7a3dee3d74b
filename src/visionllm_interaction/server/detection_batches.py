"""Images of several requests, detected together.

What waits when the detector becomes free is taken at once, so that a request that comes alone never waits for others
unless the service is told to. Only images of one size and threshold are put together: padding to a common size would
change boxes with who asks beside. What is left is the rounding of torch, whose matrix products depend on the number of
images: hundredths of a pixel, and confidences by 0.0001.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.analysis.failures import is_out_of_memory, release_memory
from visionllm_interaction.core import Detections
from visionllm_interaction.detection.runtimes.detector_interface import Detector


@dataclass(eq=False)
class _Asked:
    detector: Detector
    image_rgb: NDArray[np.uint8]
    min_confidence: float
    answer: Future[tuple[Detections, float]] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[int, tuple[int, ...], float]:
        """Equal for what may be detected together. Images of another size would be padded to a common one."""
        return id(self.detector), self.image_rgb.shape, self.min_confidence


class DetectionBatches:
    """Runs detectors on one thread, on all images of a kind that wait for it.

    Args:
        max_images: most images of one run.
        wait_s: how long a run waits for further images in seconds, unless it is full.

    Attributes:
        runs: how many runs there were, by their number of images.
    """

    def __init__(self, *, max_images: int, wait_s: float = 0.0) -> None:
        self.runs: Counter[int] = Counter()
        self._max_images = max_images
        self._wait_s = wait_s
        self._waiting: list[_Asked] = []
        self._changed = threading.Condition()
        self._runner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="detect")

    def detect(
        self, detector: Detector, image_rgb: NDArray[np.uint8], *, min_confidence: float
    ) -> tuple[Detections, float]:
        """Detect objects in an image, together with those of other threads.

        Args:
            detector: what finds them.
            image_rgb: (H, W, 3) uint8.
            min_confidence: detections below this are left out.

        Returns:
            The detections, boxes xyxy in pixels, and how long the run that found them took in seconds.

        Raises:
            Exception: whatever the detector raises for this image.
        """
        asked = _Asked(detector, image_rgb, min_confidence)
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify()
        self._runner.submit(self._run_next)
        try:
            return asked.answer.result()
        finally:
            del asked  # an error that is raised here would hold itself and its images through it

    def stop(self, refusal: Callable[[], Exception]) -> None:
        """Wait for the run that goes on, and refuse what waits for the next.

        Args:
            refusal: makes what is raised where an image waits.
        """
        with self._changed:
            waiting, self._waiting = self._waiting, []
        for asked in waiting:
            asked.answer.set_exception(refusal())
        self._runner.submit(lambda: None).result()

    def _run_next(self) -> None:
        batch = self._take()
        if not batch:  # an earlier run took it along
            return
        self.runs[len(batch)] += 1
        _answer(batch)

    def _take(self) -> list[_Asked]:
        with self._changed:
            if self._wait_s and self._waiting:
                self._changed.wait_for(lambda: len(self._alike()) >= self._max_images, self._wait_s)
            batch = self._alike()
            self._waiting = [asked for asked in self._waiting if asked not in batch]
            return batch

    def _alike(self) -> list[_Asked]:
        """Those of the kind of the first one, in the order they came."""
        return [asked for asked in self._waiting if asked.kind == self._waiting[0].kind][: self._max_images]


def _answer(batch: list[_Asked]) -> None:
    """Answer each; where a run fails its halves are tried, so that one image costs the others nothing."""
    error = _run(batch)
    if error is None:
        return
    traceback.clear_frames(error.__traceback__)  # they hold images and tensors, for which there may be no room
    if len(batch) == 1:
        batch[0].answer.set_exception(error)
        return
    if is_out_of_memory(error):
        error = None
        release_memory()
    half = len(batch) // 2
    _answer(batch[:half])
    _answer(batch[half:])


def _run(batch: list[_Asked]) -> Exception | None:
    """Answer all, or none and return what went wrong."""
    begin = time.perf_counter()
    try:
        found = batch[0].detector.detect([asked.image_rgb for asked in batch], min_confidence=batch[0].min_confidence)
        pairs = list(zip(batch, found, strict=True))
    except Exception as error:  # noqa: BLE001 (raised in the thread that asked)
        return error
    seconds = time.perf_counter() - begin
    for asked, detections in pairs:
        asked.answer.set_result((detections, seconds))
    return None


class PixelBudget:
    """How many pixels may be decoded at a time: many small images, or a single large one.

    Args:
        max_pixels: of all images that are held.
    """

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._free = max_pixels
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def holding(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for an image, first come first served, and keep it.

        Args:
            pixels: of the image; one that is larger than the budget takes all of it.
        """
        wanted = min(pixels, self._max_pixels)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
