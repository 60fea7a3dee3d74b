"""Drift: what the detector sees now beside what it was trained on."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from prometheus_client import CollectorRegistry, generate_latest
from toyroom_run import make_run

from visionllm_interaction.artifacts.manifest import Manifest
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest, TrainingReport, ValidationReport
from visionllm_interaction.core import Categories, Detections
from visionllm_interaction.core.unit_histogram import unit_histogram
from visionllm_interaction.server.jobs.queue import JobQueue
from visionllm_interaction.server.jobs.worker import PROGRESS, SEEN, AnalysisRequest
from visionllm_interaction.server.jobs.worker_pool import Worker
from visionllm_interaction.server.monitoring import lasting_failures, training_baseline
from visionllm_interaction.server.monitoring.drift import LEAST, WINDOW, SeenWindow, TrainingBaseline
from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.seen_images import EVERY, SeenImage, WatchedDetector, brightness_of
from visionllm_interaction.server.monitoring.training_baseline import KnownBaselines, read_baseline
from visionllm_interaction.server.training import activation
from visionllm_interaction.utils.hashing import sha256_file

CATEGORIES = Categories.from_pairs([(1, "child"), (7, "ball")])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"), images=12, epochs=1)


def seen(*categories: str, confidence: float = 0.9, asked: float = 0.05, brightness: float | None = 0.5) -> SeenImage:
    return SeenImage(categories, (confidence,) * len(categories), asked, brightness)


def window_of(image: SeenImage, images: int) -> SeenWindow:
    window = SeenWindow()
    for _ in range(images):
        window.add(image)
    return window


KINDS: dict[str, type[Manifest]] = {
    "data_validation": ValidationReport,
    "data_transformation": TrainingManifest,
    "model_trainer": TrainingReport,
}
KNOWN = TrainingBaseline(
    {"child": 30, "ball": 10}, unit_histogram([0.9] * 5 + [0.1] * 50), unit_histogram([0.5] * 4 + [0.9])
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        # three children for a ball, as confident and as bright as in training
        (seen("child", "child", "child", "ball"), {"class_mix": 0.0, "confidence": 0.0, "brightness": 0.2}),
        (seen("ball", "ball"), {"class_mix": 0.75, "confidence": 0.0, "brightness": 0.2}),
        # a category that training did not know
        (seen("dog", "dog"), {"class_mix": 1.0, "confidence": 0.0, "brightness": 0.2}),
        (seen("child", "child", confidence=0.55), {"class_mix": 0.25, "confidence": 1.0, "brightness": 0.2}),
        (seen("child", "child", brightness=0.1), {"class_mix": 0.25, "confidence": 0.0, "brightness": 1.0}),
        # of an empty room nothing is known but its light; and of one that is asked for sure things only
        (seen(), {"brightness": 0.2}),
        (seen("child", "child", asked=0.8), {"brightness": 0.2}),
        (seen("child", "child", confidence=0.3, brightness=None), {}),
    ],
)
def test_each_distance_says_its_own(image: SeenImage, expected: dict[str, float]) -> None:
    assert dict(window_of(image, LEAST).distances(KNOWN)) == pytest.approx(expected)


def test_too_few_images_and_unknown_training_give_no_distance() -> None:
    assert dict(window_of(seen("child", "child"), LEAST - 1).distances(KNOWN)) == {}
    assert dict(window_of(seen("child", "child"), LEAST).distances(TrainingBaseline({}))) == {}


def test_only_the_last_images_count() -> None:
    window = window_of(seen("dog", "dog"), 5000)
    for _ in range(1000):
        window.add(seen("child", "child", "child", "ball"))
    assert dict(window.distances(KNOWN))["class_mix"] == pytest.approx(0.0)


class Scripted:
    """A detector that finds a child in every image."""

    categories, digest, name, runtime = CATEGORIES, "0" * 64, "scripted", None

    def detect(self, images: list[np.ndarray], *, min_confidence: float = 0.05) -> list[Detections]:
        one = Detections(np.array([[0, 0, 4, 4]], np.float32), np.array([0.75], np.float32), np.array([1]))
        return [one for _ in images]


def test_one_frame_in_ten_is_reported() -> None:
    reports: list[SeenImage] = []
    detector = WatchedDetector(Scripted(), reports.append)  # type: ignore[arg-type]
    grey = np.full((40, 60, 3), 51, np.uint8)
    for batch in (3, 8, 1, 18):
        assert len(detector.detect([grey] * batch, min_confidence=0.2)) == batch
    assert reports == [SeenImage(("child",), (0.75,), 0.2, 0.2)] * 3 and EVERY == 10
    assert SeenImage.from_json(reports[0].to_json()) == reports[0] and b"\n" not in reports[0].to_json()


def test_reports_of_a_worker_reach_the_service_wherever_the_pipe_cuts_them() -> None:
    line = seen("child", "é\n").to_json()
    lines = b"%s1 10\n%s%s\n%s5 10\n%s%s\n{}\n" % (PROGRESS, SEEN, line, PROGRESS, SEEN, line)
    script = (
        "import os, sys, time; sys.stdin.readline(); data = bytes.fromhex(sys.argv[1])\n"
        "for n in range(0, len(data), 37): os.write(1, data[n:n + 37]); time.sleep(0.002)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, lines.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    reports: list[SeenImage] = []

    class Request:
        def model_dump_json(self) -> str:
            return "{}"

    worker = Worker(process)
    output, code = worker.run(Request(), give_up=lambda: False, see=reports.append)  # type: ignore[arg-type]
    worker.end()
    assert (output, code) == (b"{}\n", 0) and reports == [seen("child", "é\n")] * 2
    assert worker.progress is not None and worker.progress.share == 0.5


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "L"), ("PNG", "I;16")])
def test_brightness_of_a_file_is_that_of_its_pixels(form: str, mode: str) -> None:
    stream = io.BytesIO()
    if mode == "I;16":
        pixels = np.full((300, 400), 13107, np.uint16)
        pixels[0, 0] = 65535  # so that the range is 16 bits
        image = Image.fromarray(pixels)
    else:
        image = Image.new(mode, (400, 300), (51, 51, 51) if mode == "RGB" else 51)
    image.save(stream, form)
    assert brightness_of(stream.getvalue()) == pytest.approx(0.2, abs=0.01)


def test_a_run_keeps_what_its_detector_was_trained_on(run: Path) -> None:
    trained = TrainingReport.load(run / "model_trainer" / "training_report.yaml")
    cleaned = TrainingManifest.load(run / "data_transformation" / "training_manifest.yaml")
    report = ValidationReport.load(run / "data_validation" / "data_validation_report.yaml")
    for split, counts in cleaned.counts.items():
        assert sum(cleaned.annotations_per_category[split].values()) == counts.annotations
    images = sum(sum(histogram) for histogram in report.brightness.values())
    assert 0 < images <= sum(one.images for one in report.counts.values())
    baseline = read_baseline(run / "model_trainer" / "fasterrcnn_best.pt", None)
    assert baseline is not None
    assert baseline.annotations == cleaned.annotations_per_category["train"]
    assert baseline.confidences == trained.validation_confidences and sum(baseline.confidences) > 0
    assert sum(baseline.brightness) == images


def test_the_run_is_found_by_digest_and_a_detector_without_one_has_no_baseline(run: Path, tmp_path: Path) -> None:
    best = run / "model_trainer" / "fasterrcnn_best.pt"
    copy = tmp_path / "activated.pt"
    copy.write_bytes(best.read_bytes())
    assert read_baseline(copy, None) is None
    assert read_baseline(copy, run.parent) == read_baseline(best, None)
    copy.write_bytes(b"another detector")
    assert read_baseline(copy, run.parent) is None


def test_a_run_of_an_older_version_has_no_value_and_is_no_error(run: Path, tmp_path: Path) -> None:
    older = tmp_path / run.name
    new = {"annotations_per_category", "validation_confidences", "brightness"}
    for folder, name in (
        ("data_validation", "data_validation_report.yaml"),
        ("data_transformation", "training_manifest.yaml"),
        ("model_trainer", "training_report.yaml"),
    ):
        kind = {"data_validation": ValidationReport, "data_transformation": TrainingManifest}.get(
            folder, TrainingReport
        )
        (older / folder).mkdir(parents=True)
        content = kind.load(run / folder / name)
        fields = {key: value for key, value in content.model_dump().items() if key not in new}
        kind.model_validate(fields).save(older / folder / name)
    best = older / "model_trainer" / "fasterrcnn_best.pt"
    best.write_bytes((run / "model_trainer" / "fasterrcnn_best.pt").read_bytes())
    baseline = read_baseline(best, None)
    assert baseline is not None and not baseline.annotations and not any(baseline.confidences)
    assert dict(window_of(seen("child", "child"), LEAST).distances(baseline)) == {}


def test_metrics_hold_drift_of_the_serving_detector_and_forget_it_with_it(run: Path, tmp_path: Path) -> None:
    serving = run / "model_trainer" / "fasterrcnn_best.pt"
    registry = CollectorRegistry()
    monitor = Monitor(lambda: serving, None)
    monitor.register(registry)

    def text() -> str:
        return generate_latest(registry).decode()

    for _ in range(LEAST):
        monitor.saw(seen("dog", "dog", brightness=0.02), by=serving)
    assert registry.get_sample_value("visionllm_drift", {"kind": "class_mix"}) == pytest.approx(1.0)
    assert registry.get_sample_value("visionllm_drift", {"kind": "brightness"}) == pytest.approx(1.0)
    assert "visionllm_training_class_share{category=" in text()
    assert 'visionllm_training_brightness{quantile="0.5"}' in text()
    assert f'visionllm_detections_total{{category="dog"}} {2 * LEAST}.0' in text()
    serving = tmp_path / "ready_made.onnx"
    serving.write_bytes(b"onnx")
    assert "visionllm_drift{" not in text() and "visionllm_training_class_share{" not in text()
    serving = run / "model_trainer" / "fasterrcnn_best.pt"
    assert "visionllm_drift{" not in text(), "what another detector saw is not this one's"


def test_what_an_earlier_detector_still_sees_is_counted_and_not_compared(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    serving, earlier = Path("model_trainer") / "fasterrcnn_best.pt", tmp_path / "earlier.pt"
    registry = CollectorRegistry()
    monitor = Monitor(lambda: serving, None)
    monitor.register(registry)
    monitor._next_brightness_s = float("inf")

    def drift() -> float | None:
        return registry.get_sample_value("visionllm_drift", {"kind": "class_mix"})

    for _ in range(WINDOW):
        monitor.saw(seen("dog"), by=earlier)
        monitor.saw_image(b"", seen("dog"), by=earlier)
    assert drift() is None
    assert registry.get_sample_value("visionllm_detections_total", {"category": "dog"}) == 2 * WINDOW
    for _ in range(LEAST):
        monitor.saw(seen("dog"), by=serving.absolute())
    assert drift() == pytest.approx(1.0), "jobs name files by their absolute paths"


def test_a_job_tells_which_detector_saw(tmp_path: Path) -> None:
    told: list[tuple[SeenImage, Path | None]] = []
    request = AnalysisRequest(
        folder=tmp_path,
        video=tmp_path / "v.mp4",
        video_id="v",
        sha256="0",
        store=tmp_path,
        detector=tmp_path / "earlier.pt",
        view="room",
        analysis={},
    )

    class Queue:
        _pools = MappingProxyType({"analysis": SimpleNamespace(take=lambda: TellingWorker(), give_back=lambda _: None)})
        _workers: ClassVar[dict[str, object]] = {}
        _monitor = SimpleNamespace(saw=lambda image, *, by: told.append((image, by)))

        def _end_if_interrupted(self, _: str) -> None:
            """Nothing interrupts it."""

    class TellingWorker:
        def run(self, *_: object, see: Callable[[SeenImage], None], **__: object) -> tuple[bytes, int]:
            see(seen("child"))
            return b"{}\n", 0

    assert JobQueue._attempt(Queue(), "job", request, give_up=lambda: False) == (b"{}\n", 0)  # type: ignore[arg-type]
    assert told == [(seen("child"), tmp_path / "earlier.pt")]


@pytest.mark.parametrize("broken", ["list_runs", "sha256_file"])
def test_what_cannot_be_read_is_no_baseline_until_it_can(
    run: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    serving = run / "model_trainer" / "fasterrcnn_best.pt"
    registry = CollectorRegistry()
    Monitor(lambda: serving, run.parent).register(registry)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(training_baseline, broken, refused)
        assert b"visionllm_training_class_share{" not in generate_latest(registry)
    assert b"visionllm_training_class_share{" in generate_latest(registry)


def test_a_detector_that_is_gone_or_replaced_has_another_baseline(run: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.pt"
    baselines = KnownBaselines(run.parent)
    assert baselines.of(checkpoint) is None
    checkpoint.write_bytes((run / "model_trainer" / "fasterrcnn_best.pt").read_bytes())
    assert baselines.of(checkpoint) is not None
    checkpoint.write_bytes(b"another detector")
    assert baselines.of(checkpoint) is None


def test_runs_are_read_once_for_a_detector(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baselines, hashed = KnownBaselines(None), []
    monkeypatch.setattr(training_baseline, "sha256_file", lambda path: hashed.append(path) or sha256_file(path))
    for _ in range(3):
        assert baselines.of(run / "model_trainer" / "fasterrcnn_best.pt") is not None
    assert len(hashed) == 1


def counted(monitor: Monitor) -> float:
    return sum(one.value for one in next(iter(monitor._detections.collect())).samples if one.name.endswith("_total"))


def test_an_image_counts_where_no_thread_can_measure_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monitor = Monitor(lambda: None, None)

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        monitor.saw_image(b"", seen("child", brightness=None), by=tmp_path)
    assert counted(monitor) == 1 and not monitor._is_measuring, "the next one may be measured"


def test_an_image_counts_whose_brightness_cannot_be_measured(tmp_path: Path) -> None:
    monitor = Monitor(lambda: None, None)
    monitor.saw_image(b"no image", seen("child", brightness=None), by=tmp_path)
    deadline = time.monotonic() + 60
    while not counted(monitor) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert counted(monitor) == 1 and not monitor._is_measuring


def test_no_request_or_job_fails_by_what_is_counted(tmp_path: Path) -> None:
    def unasked() -> Path:
        raise PermissionError(13, "Permission denied")

    monitor = Monitor(unasked, None)
    monitor._next_brightness_s = float("inf")
    monitor.saw(seen("child"), by=tmp_path)
    monitor.saw_image(b"", seen("child", brightness=None), by=tmp_path)
    assert counted(monitor) == 2


def test_no_request_waits_for_distances_or_runs(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = run / "model_trainer" / "fasterrcnn_best.pt"
    registry = CollectorRegistry()
    monitor = Monitor(lambda: serving, None)
    monitor.register(registry)
    for _ in range(LEAST):
        monitor.saw(seen("dog"), by=serving)
    distances, held = SeenWindow.distances, []

    def watched(window: SeenWindow, baseline: TrainingBaseline) -> Iterator[tuple[str, float]]:
        held.append(monitor._lock.locked())
        monitor.saw(seen("child"), by=serving)
        return distances(window, baseline)

    monkeypatch.setattr(SeenWindow, "distances", watched)
    assert registry.get_sample_value("visionllm_drift", {"kind": "class_mix"}) == pytest.approx(1.0)
    assert held == [False]


def _noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    levels: list[str] = []
    for level in ("debug", "info", "warning"):
        monkeypatch.setattr(lasting_failures.log, level, lambda *_, said=level, **__: levels.append(said))
    return levels


@pytest.mark.parametrize(
    ("confidences", "brightness"),
    [((1, 2, 3), {"train": (0,) * 49 + (5,)}), ((), {"train": (1,) * 50, "val": (1,) * 10}), ((1,) * 60, {})],
)
def test_histograms_with_other_bins_are_not_compared(
    confidences: tuple[int, ...], brightness: dict[str, tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = SimpleNamespace(
        transformation=SimpleNamespace(annotations_per_category={"train": {"child": 3}}),
        validation=SimpleNamespace(brightness=brightness),
        training=SimpleNamespace(validation_confidences=confidences),
    )
    baseline = training_baseline._baseline_of(manifests)  # type: ignore[arg-type]
    known = dict(window_of(seen("child", "child"), LEAST).distances(baseline))
    same_bins = bool(brightness) and all(len(counts) == 50 for counts in brightness.values())
    assert set(known) == ({"class_mix", "brightness"} if same_bins else {"class_mix"})


def test_what_cannot_be_compared_is_said_once_and_the_other_metrics_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels, faults = _noted(monkeypatch), [PermissionError(13, "denied", "detector.pt")]

    def serving() -> Path | None:
        if faults:
            raise faults[0]
        return None

    monitor = Monitor(serving, tmp_path)
    registry = CollectorRegistry()
    monitor.register(registry)
    for _ in range(3):
        assert b"visionllm_drift" in generate_latest(registry)
    assert levels == ["warning", "debug", "debug"]
    faults.clear()
    for _ in range(3):
        generate_latest(registry)
    assert levels[3:] == ["info"]


def test_a_detector_file_that_cannot_be_read_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels, known = _noted(monkeypatch), KnownBaselines(tmp_path)
    for _ in range(3):
        assert known.of(tmp_path / "gone.pt") is None
    (tmp_path / "gone.pt").touch()
    for _ in range(2):
        known.of(tmp_path / "gone.pt")
    assert levels == ["warning", "debug", "debug", "info"]


@pytest.mark.parametrize("damaged", ["record", "file"])
def test_an_activated_detector_that_cannot_be_read_leaves_that_of_the_configuration(
    damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[dict[str, str]] = []
    monkeypatch.setattr(activation.log, "warning", lambda _, **said: warned.append(said))
    unreadable = tmp_path / "folder.pt"
    unreadable.mkdir()  # reading it is an OSError, for root as well
    record = activation.ActivatedDetector(path=unreadable, sha256="0" * 64, in_place_of="own.pt").model_dump_json()
    (tmp_path / activation.RECORD).write_text(record if damaged == "file" else record[:20])
    serving = activation.ServingFile(tmp_path, Path("own.pt"))
    assert [serving() for _ in range(3)] == [Path("own.pt")] * 3
    assert [said["path"] for said in warned] == [str(unreadable if damaged == "file" else tmp_path / activation.RECORD)]
    assert "activate" in warned[0]["fix"]
