"""Images of several requests, detected together: each gets its own answer, and the one it would get alone."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from running_service import wait_for
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.core import Detections
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detection_batches import DetectionBatches, PixelBudget
from visionllm_interaction.server.detector_slot import DetectorSlot

Images = Sequence[NDArray[np.uint8]]
POISON = 255


class SlowDetector:
    """Finds one box as wide as the first pixel is bright, once it may go on; notes what it was given."""

    def __init__(self, *, answers: Callable[[Images], Images] = lambda images: images) -> None:
        self.may_go_on = threading.Event()
        self.begun = threading.Event()
        self.given: list[tuple[list[int], float]] = []
        self._answers = answers

    def detect(self, images: Images, *, min_confidence: float) -> list[Detections]:
        values = [int(image[0, 0, 0]) for image in images]
        self.given.append((values, min_confidence))
        self.begun.set()
        assert self.may_go_on.wait(20)
        if POISON in values:
            raise RuntimeError("no such image")
        return [
            Detections(np.array([[0, 0, image[0, 0, 0], 1]], np.float32), np.ones(1, np.float32), np.ones(1, np.int64))
            for image in self._answers(images)
        ]


def image(value: int, size: tuple[int, int] = (4, 4)) -> NDArray[np.uint8]:
    return np.full((*size, 3), value, np.uint8)


Ask = Callable[..., "Future[tuple[Detections, float]]"]


@contextmanager
def occupied(batches: DetectionBatches, detector: SlowDetector) -> Iterator[Ask]:
    """A detector that is busy with image 0; what is asked in the block waits for it until the block ends."""
    with ThreadPoolExecutor(32) as pool:

        def ask(
            pixels: NDArray[np.uint8], by: SlowDetector = detector, at: float = 0.5
        ) -> Future[tuple[Detections, float]]:
            waiting = len(batches._waiting)
            future = pool.submit(batches.detect, by, pixels, min_confidence=at)
            if detector.begun.is_set():
                wait_for(lambda: len(batches._waiting) > waiting, seconds=10)
            return future

        first = ask(image(0))
        assert detector.begun.wait(10)
        yield ask
        detector.may_go_on.set()
        assert first.result(10)


def width(future: Future[tuple[Detections, float]]) -> int:
    return int(future.result(10)[0].boxes_xyxy[0, 2])


def test_what_waits_is_detected_at_once_and_each_gets_its_own() -> None:
    batches, detector = DetectionBatches(max_images=4), SlowDetector()
    with occupied(batches, detector) as ask:
        asked = [ask(image(value)) for value in range(1, 7)]
    assert [width(one) for one in asked] == [1, 2, 3, 4, 5, 6]
    assert [values for values, _ in detector.given] == [[0], [1, 2, 3, 4], [5, 6]]
    assert batches.runs == {1: 1, 4: 1, 2: 1}


def test_only_images_of_one_size_threshold_and_detector_go_together() -> None:
    batches, detector, other = DetectionBatches(max_images=8), SlowDetector(), SlowDetector()
    other.may_go_on.set()
    with occupied(batches, detector) as ask:
        asked = [ask(image(1)), ask(image(2, (4, 6))), ask(image(3), at=0.9), ask(image(4), by=other), ask(image(5))]
    assert [width(one) for one in asked] == [1, 2, 3, 4, 5]
    assert detector.given == [([0], 0.5), ([1, 5], 0.5), ([2], 0.5), ([3], 0.9)]
    assert other.given == [([4], 0.5)]


def test_an_image_that_cannot_be_detected_costs_the_others_nothing() -> None:
    batches, detector = DetectionBatches(max_images=8), SlowDetector()
    with occupied(batches, detector) as ask:
        good, poisoned, also_good = ask(image(1)), ask(image(POISON)), ask(image(2))
    assert (width(good), width(also_good)) == (1, 2)
    with pytest.raises(RuntimeError, match="no such image"):
        poisoned.result(10)


def test_a_run_that_answers_for_too_few_images_is_made_again_in_halves_and_holds_up_nobody() -> None:
    batches = DetectionBatches(max_images=8)
    detector = SlowDetector(answers=lambda images: images[1:] if len(images) != 1 else images)
    with occupied(batches, detector) as ask:
        asked = [ask(image(value)) for value in (1, 2, 3)]
    assert [width(one) for one in asked] == [1, 2, 3]
    detector = SlowDetector(answers=lambda images: images[1:])
    detector.may_go_on.set()
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            batches.detect(detector, image(1), min_confidence=0.5)


def test_nothing_of_a_failed_run_is_held_when_its_images_are_tried_again() -> None:
    """On an accelerator, what the first attempt held would be missing in the second."""
    held: list[weakref.ref[NDArray[np.uint8]]] = []
    alive: list[int] = []

    class Hungry:
        def detect(self, images: Images, *, min_confidence: float) -> list[Detections]:
            alive.append(sum(one() is not None for one in held))
            activations = np.zeros(1000, np.uint8)
            held.append(weakref.ref(activations))
            raise MemoryError(f"{len(images)} images")

    batches = DetectionBatches(max_images=8)
    gc.disable()
    try:
        slow = SlowDetector()
        with occupied(batches, slow) as ask:
            asked = [ask(image(value), by=Hungry()) for value in (1,)]
            hungry = Hungry()
            asked += [ask(image(value), by=hungry) for value in (2, 3, 4)]
        for one in asked:
            with pytest.raises(MemoryError):
                one.result(10)
        assert len(held) == 1 + 5 and alive == [0] * 6  # three, one, two, one, one
        del asked, one
        assert [one() for one in held] == [None] * 6
    finally:
        gc.enable()


def test_images_wait_for_others_only_as_long_as_they_are_told_to() -> None:
    detector = SlowDetector()
    detector.may_go_on.set()
    batches = DetectionBatches(max_images=2, wait_s=5.0)
    with ThreadPoolExecutor(2) as pool:
        begin = time.monotonic()
        list(pool.map(lambda value: batches.detect(detector, image(value), min_confidence=0.5), (1, 2)))
    assert batches.runs == {2: 1} and time.monotonic() - begin < 4.0
    alone = DetectionBatches(max_images=2, wait_s=0.2)
    begin = time.monotonic()
    alone.detect(detector, image(1), min_confidence=0.5)
    assert alone.runs == {1: 1} and time.monotonic() - begin >= 0.2


def test_many_small_images_or_one_large_one_are_held_and_the_first_comes_first() -> None:
    budget, held, leave = PixelBudget(100), list[int](), threading.Event()

    def hold(pixels: int) -> None:
        with budget.holding(pixels):
            held.append(pixels)
            assert leave.wait(20)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(hold, 40), pool.submit(hold, 41)]
        wait_for(lambda: len(held) == 2, seconds=10)
        futures.append(pool.submit(hold, 1000))  # larger than all: gets it alone, and before whoever comes later
        wait_for(budget._turn.locked, seconds=10)
        futures.append(pool.submit(hold, 5))
        time.sleep(0.1)
        assert sorted(held) == [40, 41]
        leave.set()
        for future in futures:
            future.result(10)
    assert held[2:] == [1000, 5]


@pytest.mark.parametrize("kind", ["tiny_checkpoint", "yolox"])
def test_boxes_do_not_depend_on_who_asks_beside(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The same to the last bit with YOLOX; with torch as far as its matrix products agree."""
    if kind == "yolox":
        from constant_yolox import write_graph

        path = write_graph(tmp_path / "constant.onnx", outputs=85)
    else:
        path = request.getfixturevalue("tiny_checkpoint")
    detector = load_detector(path, device="cpu")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (120, 160, 3), np.uint8) for _ in range(4)]
    alone = [detector.detect([one], min_confidence=0.0)[0] for one in images]
    together = detector.detect(images, min_confidence=0.0)
    for one, other in zip(alone, together, strict=True):
        assert len(one.labels)
        if kind == "yolox":
            assert np.array_equal(one.boxes_xyxy, other.boxes_xyxy)
            assert np.array_equal(one.confidences, other.confidences)
        assert one.labels.tolist() == other.labels.tolist()
        np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=0.01)
        np.testing.assert_allclose(one.confidences, other.confidences, atol=1e-4)


def jpeg(value: int) -> bytes:
    rng = np.random.default_rng(value)
    written = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (120, 160, 3), np.uint8)).save(written, "JPEG")
    return written.getvalue()


def test_requests_at_the_same_time_are_answered_as_alone_and_counted(tmp_path: Path, tiny_checkpoint: Path) -> None:
    config = ServeConfig(
        data_dir=tmp_path,
        detector=tiny_checkpoint,
        device="cpu",
        insecure=True,
        page=False,
        detection_batch_wait_ms=300,
    )
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    with TestClient(app, base_url="http://localhost") as client:
        wait_for(lambda: client.get("/v1/readyz").status_code == 200, seconds=60)

        def boxes(value: int) -> list[list[float]]:
            answer = client.post("/v1/detect?min_confidence=0", content=jpeg(value))
            assert answer.status_code == 200
            found = sorted(answer.json()["detections"], key=lambda one: one["box_xyxy"])
            return [[*one["box_xyxy"], 100 * one["confidence"], one["category_id"]] for one in found]

        alone = [boxes(value) for value in range(8)]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(boxes, range(8)))
        figures = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=0.03)
    assert not any(np.allclose(alone[0][:5], other[:5], atol=1) for other in alone[1:])  # so none is taken for another
    samples = figures["visionllm_detect_batch_images"].samples
    counted = {sample.name.removeprefix("visionllm_detect_batch_images"): sample.value for sample in samples}
    assert counted["_sum"] == 16 and 8 < counted["_count"] < 16


@pytest.mark.parametrize("change", [False, True])
def test_a_detector_is_ready_only_once_it_has_looked_at_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bool
) -> None:
    class Broken:
        def detect(self, *_: object, **__: object) -> list[Detections]:
            raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr("visionllm_interaction.detection.models.load_detector", lambda *_, **__: Broken())
    slot = DetectorSlot(tmp_path / "detector.onnx", device=None, max_waiting=1)
    if change:
        with pytest.raises(VisionLLMError, match="cannot be loaded") as raised:
            slot.change(tmp_path / "other.onnx")
        assert "no kernel image" in (raised.value.found or "")
    else:
        slot.start()
        wait_for(lambda: slot.state != "loading", seconds=10)
        assert slot.state == "failed" and "no kernel image" in (slot.reason or "")


def test_damaged_images_are_refused_as_before(tmp_path: Path, tiny_checkpoint: Path) -> None:
    slot = DetectorSlot(tiny_checkpoint, device="cpu", max_waiting=1, max_megapixels=0.01)
    slot.start()
    wait_for(lambda: slot.state == "ready", seconds=60)
    for content, told in (
        (b"", "cannot be decoded"),
        (jpeg(3)[:300], "cannot be decoded"),
        (jpeg(3), "too many pixels"),
    ):
        with pytest.raises(VisionLLMError, match=told):
            slot.detect(content, min_confidence=0.5)
