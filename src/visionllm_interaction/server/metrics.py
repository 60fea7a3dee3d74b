"""Metrics for Prometheus. They contain no names of videos, keys or questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from visionllm_interaction import __version__
from visionllm_interaction.server.detector_slot import DETECTOR_STATES
from visionllm_interaction.server.readiness import is_ready, part_states
from visionllm_interaction.server.service import Service

STATES = ("queued", "running", "done", "failed", "cancelled")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_ServiceCollector(service))
        self.requests = Counter(
            "visionllm_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "visionllm_http_request_seconds",
            "Seconds from request to the end of the answer.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.detect = Histogram(
            "visionllm_detect_seconds",
            "Seconds of the detector's run that found one image's objects.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.questions = Counter(
            "visionllm_questions", "Questions, by how they ended.", ["status", "planner"], registry=self.registry
        )
        self.upload_bytes = Counter("visionllm_upload_bytes", "Bytes of accepted uploads.", registry=self.registry)
        service.monitor.register(self.registry)
        info = Gauge("visionllm_info", "Always 1; the label is the version.", ["version"], registry=self.registry)
        info.labels(__version__).set(1)


class _ServiceCollector(Collector):
    """Reads the state of the service when Prometheus scrapes it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """The gauges, read from the service."""
        service = self._service
        ready = GaugeMetricFamily("visionllm_ready", "1 if all parts work.")
        ready.add_metric([], float(is_ready(part_states(service))))
        detector = GaugeMetricFamily("visionllm_detector", "1 for the detector's present state.", labels=["state"])
        for name in DETECTOR_STATES:
            detector.add_metric([name], float(service.detector.state == name))
        jobs = GaugeMetricFamily("visionllm_jobs", "Jobs, by state.", labels=["state"])
        counts = service.jobs.counts() if service.jobs.running else {}
        for state in STATES:
            jobs.add_metric([state], counts.get(state, 0))
        waiting = GaugeMetricFamily(
            "visionllm_queue_age_seconds",
            "Seconds that the video at the head of the queue has waited.",
            value=service.jobs.oldest_wait_s() if service.jobs.running else 0.0,
        )
        videos = GaugeMetricFamily(
            "visionllm_store_videos", "Videos in the store.", value=len(service.lists.stored_ids())
        )
        free = GaugeMetricFamily(
            "visionllm_data_free_bytes", "Free bytes on the disk of the data folder.", value=service.room.free_bytes()
        )
        return [ready, detector, jobs, waiting, videos, free, _batch_sizes(service.detector.batches.runs)]

    def describe(self) -> Iterable[Metric]:
        """No metrics: the registry must not read the service before it runs."""
        return []


def _batch_sizes(runs: Mapping[int, int]) -> Metric:
    """How many images the detector's runs had, from the number of runs by their number of images."""
    counted = dict(runs)  # the detector goes on
    below = [(str(float(size)), sum(runs for images, runs in counted.items() if images <= size)) for size in _BATCHES]
    return HistogramMetricFamily(
        "visionllm_detect_batch_images",
        "Images that the detector took at a time.",
        buckets=[*below, ("+Inf", sum(counted.values()))],
        sum_value=sum(images * runs for images, runs in counted.items()),
    )
