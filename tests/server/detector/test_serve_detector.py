"""A detector that cannot be loaded: said everywhere, with the reason; never "still loading" for ever."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.core import Categories, Detections
from visionllm_interaction.detection import models
from visionllm_interaction.errors import CheckpointError, ServiceError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.detector_slot import DetectorSlot
from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.seen_images import SeenImage
from visionllm_interaction.server.readiness import part_reasons, part_states
from visionllm_interaction.server.service import Service


class NothingFound:
    """A detector that works."""

    def detect(self, images: Sequence[object], *, min_confidence: float) -> list[Detections]:
        return [Detections.empty() for _ in images]


MISSING = "loads only with openvino, which is not installed"


def raising(error: Exception) -> Callable[..., object]:
    def load(*_: object, **__: object) -> object:
        raise error

    return load


@contextmanager
def service_of(folder: Path) -> Iterator[TestClient]:
    config = ServeConfig(data_dir=folder, detector=folder / "detector.onnx", insecure=True, page=False)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    with TestClient(app, base_url="http://localhost") as client:
        deadline = time.monotonic() + 60
        while client.get("/v1/readyz").json()["parts"]["detector"] == "loading" and time.monotonic() < deadline:
            time.sleep(0.02)
        yield client


def wait(slot: DetectorSlot) -> None:
    slot.start()
    deadline = time.monotonic() + 60
    while slot.state == "loading" and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA out of memory\nand a stack"), "RuntimeError: CUDA out of memory"),
        (ImportError(MISSING), f"ImportError: {MISSING}"),
        (MemoryError(), "MemoryError"),
        (CheckpointError("The checkpoint is damaged.", found="3 bytes"), "The checkpoint is damaged. Found: 3 bytes"),
    ],
)
def test_whatever_is_raised_the_detector_failed_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setattr(models, "load_detector", raising(error))
    slot = DetectorSlot(tmp_path / "detector.onnx", device=None, max_waiting=1)
    wait(slot)
    assert slot.state == "failed"
    for ask in (slot.require, slot.check_usable):
        with pytest.raises(ServiceError, match="could not be loaded") as raised:
            ask()
        assert told in (raised.value.found or "")


def test_reasons_hold_no_paths_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "detector.onnx"
    monkeypatch.setattr(models, "load_detector", raising(OSError(f"cannot map {path}")))
    slot = DetectorSlot(path, device=None, max_waiting=1)
    wait(slot)
    assert slot.reason == "The detector cannot be loaded. Found: OSError: cannot map detector.onnx"


def test_a_device_this_machine_lacks_fails_with_its_name(tmp_path: Path, tiny_checkpoint: Path) -> None:
    slot = DetectorSlot(tiny_checkpoint, device="cuda:99", max_waiting=1)
    wait(slot)
    assert slot.state == "failed"
    assert slot.reason is not None and "cuda:99" in slot.reason and "does not have the device" in slot.reason


def test_a_failed_detector_is_told_by_health_figures_and_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load_detector", raising(RuntimeError("CUDA out of memory")))
    with service_of(tmp_path) as client:
        ready = client.get("/v1/readyz")
        detect = client.post("/v1/detect", content=b"never read")
        upload = client.post("/v1/videos", content=b"never read")
        figures = client.get("/metrics").text
    assert ready.status_code == 503 and ready.json()["parts"]["detector"] == "failed"
    assert "CUDA out of memory" in ready.json()["reasons"]["detector"]
    for answer in (detect, upload):
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "could not be loaded" in answer.json()["detail"] and "CUDA out of memory" in answer.json()["found"]
        assert "loading" not in answer.text
    assert 'visionllm_detector{state="failed"} 1.0' in figures
    assert 'visionllm_detector{state="loading"} 0.0' in figures


def test_readiness_tells_the_page_what_is_wrong_with_the_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load_detector", raising(RuntimeError("no kernel")))
    config = ServeConfig(data_dir=tmp_path, detector=tmp_path / "detector.onnx")
    service = Service(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    assert part_states(service)["detector"] == "loading"
    wait(service.detector)
    assert part_states(service)["detector"] == "failed" and "no kernel" in part_reasons(service)["detector"]
    bare = Service(ServeConfig(data_dir=tmp_path), analysis=AnalysisConfig(), reason=ReasonConfig())
    assert part_states(bare)["detector"] == "not configured" and part_reasons(bare) == {}


def test_a_load_that_fails_late_does_not_break_the_detector_that_serves_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, new = tmp_path / "late.onnx", NothingFound()
    go_on = threading.Event()

    def load(path: Path, **_: object) -> object:
        if path == late:
            go_on.wait(60)
            raise RuntimeError("CUDA out of memory")
        return new

    monkeypatch.setattr(models, "load_detector", load)
    serving = [late]
    slot = DetectorSlot(lambda: serving[0], device=None, max_waiting=1)
    slot.start()
    slot.change(tmp_path / "new.onnx", record=lambda: serving.insert(0, tmp_path / "new.onnx"))
    [thread] = [one for one in threading.enumerate() if one.name == "load-detector"]
    go_on.set()
    thread.join(60)
    assert (slot.state, slot.error) == ("ready", None) and slot.require() is new


def test_a_detector_that_failed_here_is_left_for_the_one_that_another_process_activated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, new = tmp_path / "broken.onnx", NothingFound()

    def load(path: Path, **_: object) -> object:
        if path == broken:
            raise RuntimeError("CUDA out of memory")
        return new

    monkeypatch.setattr(models, "load_detector", load)
    serving = [broken]
    slot = DetectorSlot(lambda: serving[0], device=None, max_waiting=1)
    wait(slot)
    assert slot.state == "failed"
    serving[0] = tmp_path / "new.onnx"
    slot.check_usable()  # an upload is taken: the worker analyses it with the new one
    slot.follow()
    assert slot.state == "ready" and slot.require() is new


def test_a_process_ends_after_the_detector_is_loaded(tmp_path: Path) -> None:
    """A start that fails meanwhile: a thread that is cut off within C++ aborts the process."""
    code = f"""
import time
from pathlib import Path
from visionllm_interaction.detection import models
from visionllm_interaction.server.detector_slot import DetectorSlot

def load(*_, **__):
    time.sleep(1.0)
    Path({str(tmp_path / "loaded")!r}).touch()

models.load_detector = load
DetectorSlot(Path("detector.onnx"), device="cpu", max_waiting=1).start()
raise SystemExit(3)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 3
    assert (tmp_path / "loaded").exists()


def test_stopping_waits_for_the_image_and_takes_no_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, seen = threading.Event(), threading.Event(), []

    class Slow:
        def detect(self, images: Sequence[np.ndarray], *, min_confidence: float) -> list[str]:
            if images[0].shape != (8, 8, 3):
                return ["tried"]
            begun.set()
            go_on.wait(60)
            seen.append(min_confidence)
            return ["found"] * len(images)

    monkeypatch.setattr(models, "load_detector", lambda *_, **__: Slow())
    slot = DetectorSlot(Path("detector.onnx"), device="cpu", max_waiting=2)
    wait(slot)
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "png")

    def detect() -> object:
        return slot.detect(png.getvalue(), min_confidence=0.5)

    with ThreadPoolExecutor(3) as pool:
        detecting = pool.submit(detect)
        assert begun.wait(60)
        waiting = pool.submit(detect)
        deadline = time.monotonic() + 60
        while not slot.batches._waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        stopping = pool.submit(slot.stop)
        with pytest.raises(TimeoutError):
            stopping.result(0.5)
        go_on.set()
        detecting.result(60)
        stopping.result(60)
        with pytest.raises(ServiceError, match="stopping"):
            waiting.result(60)
    assert seen == [0.5]
    with pytest.raises(ServiceError, match="stopping"):
        detect()


def test_what_is_found_names_the_file_of_its_detector_when_another_one_serves_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def detect(self, images: Sequence[np.ndarray], *, min_confidence: float) -> list[Detections]:
            if images[0].shape == (8, 8, 3):
                begun.set()
                go_on.wait(60)
            return NothingFound().detect(images, min_confidence=min_confidence)

    monkeypatch.setattr(models, "load_detector", lambda path, **_: Slow() if path.stem == "old" else NothingFound())
    serving = [tmp_path / "old.onnx"]
    slot = DetectorSlot(lambda: serving[0], device=None, max_waiting=2)
    wait(slot)
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "png")
    with ThreadPoolExecutor(1) as pool:
        detecting = pool.submit(slot.detect, png.getvalue(), min_confidence=0.5)
        assert begun.wait(60)
        slot.change(tmp_path / "new.onnx", record=lambda: serving.insert(0, tmp_path / "new.onnx"))
        go_on.set()
        assert detecting.result(60).checkpoint == tmp_path / "old.onnx"
    assert slot.detect(png.getvalue(), min_confidence=0.5).checkpoint == tmp_path / "new.onnx"


def test_what_was_seen_is_counted_outside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known(NothingFound):
        categories, name, digest = Categories.from_pairs([(1, "child")]), "known", "0" * 64

    counted = []

    def saw_image(_: Monitor, data: bytes, seen: SeenImage, *, by: Path) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        counted.append((len(data), seen, by))

    monkeypatch.setattr(models, "load_detector", lambda *_, **__: Known())
    monkeypatch.setattr(Monitor, "saw_image", saw_image)
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "png")
    with service_of(tmp_path) as client:
        answer = client.post("/v1/detect", content=png.getvalue(), headers={"content-type": "image/png"})
    assert answer.status_code == 200 and answer.json()["detections"] == []
    assert counted == [(len(png.getvalue()), SeenImage((), (), 0.5, None), tmp_path / "detector.onnx")]
