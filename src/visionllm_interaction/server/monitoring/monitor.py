"""Metrics of jobs and of what the detector sees. They hold no names of videos, and nothing of one image."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from visionllm_interaction.core.unit_histogram import BINS
from visionllm_interaction.server.monitoring.drift import SeenWindow, TrainingBaseline
from visionllm_interaction.server.monitoring.lasting_failures import LastingFailure
from visionllm_interaction.server.monitoring.seen_images import SeenImage, brightness_of
from visionllm_interaction.server.monitoring.training_baseline import KnownBaselines

_JOB_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
BRIGHTNESS_EVERY_S = 0.5
"""Of images sent one by one, at most one in so many seconds is measured."""
_TENTHS = tuple(n / 10 for n in range(1, 11))


class Monitor(Collector):
    """Counts what jobs and the detector do, and compares what is seen with what was trained on.

    Args:
        serving: the file of the detector that serves.
        artifacts: the folder of runs; None: there is none.
    """

    def __init__(self, serving: Callable[[], Path | None], artifacts: Path | None) -> None:
        self._serving = serving
        self._baselines = KnownBaselines(artifacts)
        self._window = SeenWindow()
        self._seen_by: Path | None = None
        self._lock = threading.Lock()
        self._next_brightness_s, self._is_measuring = 0.0, False
        fix = "look at the file and the folder of detectors; if nothing is wrong there, report it"
        self._no_brightness = LastingFailure("the brightness of an image is not measured", fix="look at free memory")
        self._not_counted = LastingFailure("what the detector saw is not counted", fix=fix)
        self._not_compared = LastingFailure("what the detector sees is not compared with its training", fix=fix)
        self._jobs = Histogram(
            "visionllm_job_seconds",
            "Seconds that jobs ran, without their time in the queue.",
            ["kind", "ended"],
            buckets=_JOB_SECONDS,
            registry=None,
        )
        self._detections = Counter(
            "visionllm_detections", "Detections in the images that were looked at.", ["category"], registry=None
        )
        self._confidence = Histogram(
            "visionllm_detection_confidence", "Confidence of those.", buckets=_TENTHS, registry=None
        )
        self._brightness = Histogram(
            "visionllm_image_brightness", "Mean luma of images, 0 to 1.", buckets=_TENTHS, registry=None
        )

    def register(self, registry: CollectorRegistry) -> None:
        """Add everything to the metrics of a service."""
        for one in (self._jobs, self._detections, self._confidence, self._brightness, self):
            registry.register(one)

    def ended(self, kind: str, how: str, seconds: float) -> None:
        """Take in that a job that ran here has ended.

        Args:
            kind: of the job.
            how: ``done``, ``failed`` or ``cancelled``.
            seconds: how long it ran.
        """
        self._jobs.labels(kind, how).observe(seconds)

    def saw_image(self, data: bytes, seen: SeenImage, *, by: Path) -> None:
        """Take in what the detector saw in an image that was sent alone.

        Now and then its brightness is measured, by another thread: that decodes it once more, and nobody waits for it.

        Args:
            data: the bytes of the image file.
            seen: what was found, without a brightness.
            by: the file of the detector that found it.
        """
        with self._lock:
            now = time.monotonic()
            measures = now >= self._next_brightness_s and not self._is_measuring
            if measures:
                self._next_brightness_s, self._is_measuring = now + BRIGHTNESS_EVERY_S, True
        if measures:
            try:
                threading.Thread(target=self._measure, args=(data, seen, by), name="brightness", daemon=True).start()
                return
            except Exception as error:  # noqa: BLE001 (no thread, no memory: it is counted without its brightness)
                self._is_measuring = False
                self._no_brightness.failed(error)
        self.saw(seen, by=by)

    def _measure(self, data: bytes, seen: SeenImage, by: Path) -> None:
        try:
            seen = replace(seen, brightness=brightness_of(data))
            self._no_brightness.worked()
        except Exception as error:  # noqa: BLE001 (counted without it)
            self._no_brightness.failed(error)
        finally:
            self._is_measuring = False
        self.saw(seen, by=by)

    def saw(self, seen: SeenImage, *, by: Path | None) -> None:
        """Take in what a detector saw in an image. Never raises: no request and no job fails by what is counted.

        Args:
            seen: what was found.
            by: the file of the detector; what another one than the serving one found is counted, and not compared.
        """
        try:
            self._count(seen)
            serving = self._serving()
            with self._lock:
                window = self._window_of(serving)
                if serving is not None and by is not None and by.absolute() == serving.absolute():
                    window.add(seen)
            self._not_counted.worked()
        except Exception as error:  # noqa: BLE001 (for example a folder that cannot be asked which detector serves)
            self._not_counted.failed(error)

    def _count(self, seen: SeenImage) -> None:
        for category in seen.categories:
            self._detections.labels(category).inc()
        for confidence in seen.confidences:
            self._confidence.observe(confidence)
        if seen.brightness is not None:
            self._brightness.observe(seen.brightness)

    def collect(self) -> Iterable[Metric]:
        """The gauges about drift; those that are not known have no value."""
        distances = GaugeMetricFamily(
            "visionllm_drift", "Distance from training of the last images, 0 to 1.", labels=["kind"]
        )
        shares = GaugeMetricFamily(
            "visionllm_training_class_share", "Share of a category in the training data.", labels=["category"]
        )
        light = GaugeMetricFamily(
            "visionllm_training_brightness", "Quantiles of the mean luma of the training data.", labels=["quantile"]
        )
        baseline, known = TrainingBaseline({}), {}
        try:
            serving = self._serving()
            with self._lock:  # requests wait for it: what takes longer than a copy is done without it
                window = self._window_of(serving).copy()
            baseline = self._baselines.of(serving) or baseline
            known = dict(window.distances(baseline))
            self._not_compared.worked()
        except Exception as error:  # noqa: BLE001 (all other metrics go on)
            self._not_compared.failed(error)
        for kind, distance in known.items():
            distances.add_metric([kind], distance)
        for category, share in baseline.shares().items():
            shares.add_metric([category], share)
        for quantile, value in _quantiles(baseline.brightness):
            light.add_metric([quantile], value)
        return [distances, shares, light]

    def describe(self) -> Iterable[Metric]:
        """No metrics: the registry must not read the runs before the service runs."""
        return []

    def _window_of(self, serving: Path | None) -> SeenWindow:
        """The window of the detector that serves; with the lock held."""
        if serving != self._seen_by:
            self._window.clear()
            self._seen_by = serving
        return self._window


def _quantiles(histogram: tuple[int, ...]) -> Iterable[tuple[str, float]]:
    """The quartiles of a histogram, to the upper end of their bin."""
    total, below, wanted = sum(histogram), 0, [0.25, 0.5, 0.75]
    for n, count in enumerate(histogram):
        below += count
        while wanted and total and below >= wanted[0] * total:
            yield str(wanted.pop(0)), (n + 1) / BINS
