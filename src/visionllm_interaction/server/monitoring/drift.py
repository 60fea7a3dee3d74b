"""How far what a detector sees now is from what it was trained on. Pure logic."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from visionllm_interaction.core.unit_histogram import BINS, unit_histogram
from visionllm_interaction.detection.promotion.distances import histogram_distance, share_distance
from visionllm_interaction.server.monitoring.seen_images import SeenImage

WINDOW = 1000
"""Number of the last images that are compared."""
LEAST = 100
"""With fewer images, or fewer detections in them, a distance is not known."""
MIN_CONFIDENCE = 0.5
"""Detections from here on are compared; images of which more was left out are not."""


@dataclass(frozen=True)
class TrainingBaseline:
    """What a detector was trained on, as far as its run says it; an empty part is not known.

    Attributes:
        annotations: category → number of annotations in the training split.
        confidences: what it found in the validation split, by confidence, as
            :func:`~visionllm_interaction.core.unit_histogram.unit_histogram` counts.
        brightness: the images by mean luma, counted likewise.
    """

    annotations: Mapping[str, int]
    confidences: tuple[int, ...] = ()
    brightness: tuple[int, ...] = ()

    def shares(self) -> dict[str, float]:
        """Category → its share of the annotations."""
        total = sum(self.annotations.values())
        return {name: count / total for name, count in self.annotations.items()} if total else {}


class SeenWindow:
    """The last images that the detector saw.

    Args:
        size: number of images.
    """

    def __init__(self, size: int = WINDOW) -> None:
        self._found: deque[tuple[tuple[str, ...], tuple[float, ...]]] = deque(maxlen=size)
        self._brightness: deque[float] = deque(maxlen=size)

    def add(self, seen: SeenImage) -> None:
        """Take an image in; the oldest one goes."""
        if seen.brightness is not None:
            self._brightness.append(seen.brightness)
        if seen.min_confidence <= MIN_CONFIDENCE:
            found = zip(seen.categories, seen.confidences, strict=True)
            kept = [(name, confidence) for name, confidence in found if confidence >= MIN_CONFIDENCE]
            self._found.append((tuple(name for name, _ in kept), tuple(confidence for _, confidence in kept)))

    def clear(self) -> None:
        """Forget all images: another detector serves."""
        self._found.clear()
        self._brightness.clear()

    def copy(self) -> SeenWindow:
        """The same images, as of now."""
        copied = SeenWindow()
        copied._found, copied._brightness = self._found.copy(), self._brightness.copy()
        return copied

    def distances(self, baseline: TrainingBaseline) -> Iterator[tuple[str, float]]:
        """The distances that are known.

        Args:
            baseline: what the detector was trained on.

        Yields:
            ``class_mix`` (total variation), ``confidence`` and ``brightness`` (Kolmogorov–Smirnov), each from 0 to 1.
        """
        found = list(self._found) if len(self._found) >= LEAST else []
        names = Counter(name for categories, _ in found for name in categories)
        if names.total() >= LEAST and baseline.annotations:
            yield "class_mix", share_distance(names, baseline.annotations)
        confident = _confident(baseline.confidences)
        if names.total() >= LEAST and any(confident):
            values = [value for _, confidences in found for value in confidences]
            yield "confidence", histogram_distance(_confident(unit_histogram(values)), confident)
        if len(self._brightness) >= LEAST and any(baseline.brightness):
            yield "brightness", histogram_distance(unit_histogram(list(self._brightness)), baseline.brightness)


def _confident(histogram: tuple[int, ...]) -> tuple[int, ...]:
    """The bins of the confidences that are compared."""
    return histogram[round(MIN_CONFIDENCE * BINS) :]
