"""What the detector saw in an image, without the image: found categories, confidences, brightness."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.image_decoding import FORMATS, to_rgb

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector, Runtime

EVERY = 10
"""Of a video's frames that the detector gets, one in so many is reported."""
_SMALL_PX = 256


@dataclass(frozen=True)
class SeenImage:
    """What was found in one image.

    Attributes:
        categories: names of the categories found, one for each detection.
        confidences: of the same detections.
        min_confidence: detections below it were left out.
        brightness: mean luma from 0 to 1; None where it was not measured.
    """

    categories: tuple[str, ...]
    confidences: tuple[float, ...]
    min_confidence: float
    brightness: float | None

    @classmethod
    def of(
        cls, found: Detections, categories: Categories, *, min_confidence: float, brightness: float | None
    ) -> SeenImage:
        """What was found, without the boxes."""
        return cls(
            tuple(categories.by_label[label].name for label in found.labels.tolist()),
            tuple(round(value, 4) for value in found.confidences.tolist()),
            min_confidence,
            brightness,
        )

    def to_json(self) -> bytes:
        """The record as a line of JSON."""
        return _ADAPTER.dump_json(self)

    @classmethod
    def from_json(cls, text: bytes) -> SeenImage:
        """The record of a line of :meth:`to_json`."""
        return _ADAPTER.validate_json(text)


_ADAPTER = TypeAdapter(SeenImage)


def brightness_of(data: bytes) -> float:
    """The mean luma of an image file that the detector has read, at little cost.

    Args:
        data: the bytes of the file. A JPEG is decoded small, and to luma only.

    Returns:
        From 0 to 1.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        image.draft("L", (_SMALL_PX, _SMALL_PX))
        grey = image if image.mode == "L" else to_rgb(image).convert("L")
        return float(np.asarray(grey, np.uint8).mean()) / 255


class WatchedDetector:
    """A detector that tells what it saw in one of :data:`EVERY` images.

    Args:
        detector: what detects.
        see: told what was found; called in the thread that detects.
    """

    def __init__(self, detector: Detector, see: Callable[[SeenImage], None]) -> None:
        self._detector = detector
        self._see = see
        self._count = 0

    @property
    def categories(self) -> Categories:
        """The categories it can find."""
        return self._detector.categories

    @property
    def digest(self) -> str:
        """The sha256 of its file."""
        return self._detector.digest

    @property
    def name(self) -> str:
        """Its architecture."""
        return self._detector.name

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return self._detector.runtime

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """Detect objects, and tell of some images.

        Args:
            images_rgb: (H, W, 3) uint8 each, of any sizes.
            min_confidence: detections below it are left out.

        Returns:
            Detections per image; boxes are xyxy pixels of that image.
        """
        # Imported here: the service, which reads the records, measures no frames.
        from visionllm_interaction.video.quality.image_quality import mean_luma

        found = self._detector.detect(images_rgb, min_confidence=min_confidence)
        for image, detections in zip(images_rgb, found, strict=True):
            if self._count % EVERY == 0:
                brightness = round(mean_luma(image) / 255, 4)
                self._see(
                    SeenImage.of(detections, self.categories, min_confidence=min_confidence, brightness=brightness)
                )
            self._count += 1
        return found
