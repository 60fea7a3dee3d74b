"""Whatever a detector raises: one video fails, the others are analysed, and the ledger says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from faulty_detectors import BallDetector, Images

from visionllm_interaction.analysis import AnalysisConfig, analyze
from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.failures import is_out_of_memory
from visionllm_interaction.analysis.ray_backend import _Worker
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.errors import CheckpointError, VisionLLMError
from visionllm_interaction.store.video_status_ledger import Ledger, read_ledger
from visionllm_interaction.store.writer import prepare_store

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def once(error: BaseException) -> Callable[[Images], None]:
    """Raises ``error`` the first time it is called."""
    errors = [error]

    def before(_: Images) -> None:
        if errors:
            raise errors.pop()

    return before


def when_more_than(images: int, error: BaseException) -> Callable[[Images], None]:
    def before(given: Images) -> None:
        if len(given) > images:
            raise error

    return before


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[BallDetector], None]:
    def put(detector: BallDetector) -> None:
        monkeypatch.setattr(
            "visionllm_interaction.detection.models.load_detector", lambda *_, **__: detector, raising=False
        )

    return put


@pytest.fixture
def two(clip: Path) -> list[Path]:
    other = clip.with_name("other.mp4")
    shutil.copy(clip, other)
    return [clip, other]


def analyse(videos: list[Path], **more: Any) -> list[dict[str, Any]]:
    ids = [path.stem for path in videos]
    store = videos[0].parent / "store"
    return analyze(videos, store, detector=Path("ball.pt"), video_ids=ids, **more).to_dict()["videos"]


def ledger_of(videos: list[Path]) -> dict[str, str]:
    return {str(entry.video_id): entry.status for entry in read_ledger(videos[0].parent / "store")}


ERRORS = {
    "a damaged export": RuntimeError("Exception from src/inference: shape mismatch"),
    "a bug": AttributeError("'NoneType' object has no attribute 'boxes'"),
    "a failed assertion": AssertionError(),
    "an error of ours": CheckpointError("A detector broke.", found="a hole"),
    "no error of anybody's": type("Strange", (Exception,), {})("what"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_detector_that_raises_fails_one_video_only(
    two: list[Path], use: Callable[[BallDetector], None], name: str
) -> None:
    use(BallDetector(once(ERRORS[name])))
    first, second = analyse(two)
    assert (first["status"], second["status"]) == ("failed", "done")
    assert str(ERRORS[name]) in first["reason"] or "A detector broke. Found: a hole" in first["reason"]
    assert ledger_of(two) == {"clip": "failed", "other": "done"}


def test_a_detector_that_answers_too_little_fails_the_video(
    two: list[Path], use: Callable[[BallDetector], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = BallDetector()
    whole = detector.detect
    monkeypatch.setattr(detector, "detect", lambda images, **given: whole(images, **given)[1:])
    use(detector)
    with pytest.raises(VisionLLMError, match="None of 2"):
        analyse(two)
    assert set(ledger_of(two).values()) == {"failed"}


MEMORY = {
    "CUDA": NO_MEMORY,
    "CUDA by message": RuntimeError("CUDA error: out of memory"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    "torch on the CPU": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    "Python": MemoryError(),
    "OpenVINO": RuntimeError("std::bad_alloc"),
}


@pytest.mark.parametrize("name", MEMORY)
def test_out_of_memory_is_tried_again_with_half_the_batch(
    two: list[Path], use: Callable[[BallDetector], None], name: str
) -> None:
    detector = BallDetector(when_more_than(2, MEMORY[name]))
    use(detector)
    [entry] = analyse(two[:1])
    assert entry["status"] == "done" and entry["processed"] == 50 == entry["detections"]
    [note] = entry["notes"]
    assert "4 images" in note and "with 2" in note
    assert detector.batches == [4] + [2] * 25
    [again] = analyse(two[:1])
    assert (again["status"], again["notes"]) == ("up_to_date", [note])


def test_out_of_memory_twice_fails_the_video(two: list[Path], use: Callable[[BallDetector], None]) -> None:
    detector = BallDetector(when_more_than(1, NO_MEMORY))
    use(detector)
    with pytest.raises(VisionLLMError, match="Memory ran out") as caught:
        analyse(two[:1])
    assert detector.batches == [4, 2] and "batch_size" in str(caught.value.fix)
    assert ledger_of(two) == {"clip": "failed"}


def test_a_batch_of_one_is_not_halved(two: list[Path], use: Callable[[BallDetector], None]) -> None:
    detector = BallDetector(when_more_than(0, NO_MEMORY))
    use(detector)
    with pytest.raises(VisionLLMError, match="Memory ran out"):
        analyse(two[:1], config=AnalysisConfig.model_validate({"video": {"detect": {"batch_size": 1}}}))
    assert detector.batches == [1]


def test_only_memory_is_out_of_memory() -> None:
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))
    assert not is_out_of_memory(VisionLLMError("out of memory"))


def test_what_was_raised_does_not_keep_images_alive(two: list[Path], use: Callable[[BallDetector], None]) -> None:
    use(BallDetector(when_more_than(1, NO_MEMORY)))
    with pytest.raises(VisionLLMError) as caught:
        analyse(two[:1])
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)])
def test_who_stops_the_program_stops_it_and_the_ledger_says_interrupted(
    two: list[Path], use: Callable[[BallDetector], None], stop: BaseException
) -> None:
    use(BallDetector(once(stop)))
    with pytest.raises(type(stop)):
        analyse(two)
    assert ledger_of(two) == {"clip": "interrupted"}
    assert [entry["status"] for entry in analyse(two)] == ["done", "done"]
    assert set(ledger_of(two).values()) == {"done"}


STRANGE_DETECTIONS = {
    "a frame number without end": '{"categories": [], "detections": [{"frame_index": Infinity}]}',
    "a frame number beyond int64": '{"categories": [{"id": 1, "name": "a"}], "detections": [{"frame_index": 1'
    + "0" * 30
    + ', "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]}',
    "a list of lists of lists": "[" * 100_000,
    "no objects": '{"categories": [1], "detections": [[]]}',
}


@pytest.mark.parametrize("name", STRANGE_DETECTIONS)
def test_a_strange_file_of_detections_is_refused_by_name(clip: Path, tmp_path: Path, name: str) -> None:
    given = tmp_path / "found.json"
    given.write_text(STRANGE_DETECTIONS[name])
    with pytest.raises(VisionLLMError) as caught:
        analyze([clip], tmp_path / "store", detections=given)
    assert caught.value.exit_code == 3 and "found.json" in str(caught.value)


def test_a_ledger_that_cannot_be_written_stops_nothing(
    two: list[Path], use: Callable[[BallDetector], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    use(BallDetector())
    monkeypatch.setattr("visionllm_interaction.store.video_status_ledger.write_file", full)
    assert [entry["status"] for entry in analyse(two)] == ["done", "done"]


def test_a_run_that_ends_leaves_nothing_running(tmp_path: Path) -> None:
    ours, others = Ledger(tmp_path, run="ours"), Ledger(tmp_path, run="others")
    for ledger, name in ((ours, "a"), (ours, "b"), (others, "c")):
        ledger.begin(tmp_path / name, name)
    ours.done(tmp_path / "a", "a", asked_id="a", attempt=1, seconds=1)
    ours.close(reason="stopped")
    found = [(entry.video_id, entry.status, entry.reason) for entry in read_ledger(tmp_path)]
    assert found == [("a", "done", None), ("b", "interrupted", "stopped"), ("c", "running", None)]


def test_an_export_that_cannot_be_loaded_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Check 'false' failed at\n src/core/...")

    monkeypatch.setattr("visionllm_interaction.detection.runtimes.torch_detector.load_torch_detector", broken)
    (tmp_path / "m.pt").write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(CheckpointError, match="cannot be loaded") as caught:
        load_detector(tmp_path / "m.pt")
    assert "Check 'false' failed at src/core" in str(caught.value.found)


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1), VisionLLMError("no")])
@pytest.mark.parametrize("when", ["loading", "detecting"])
def test_a_worker_of_a_cluster_survives_what_is_raised(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, when: str
) -> None:
    before = once(error)

    def load(*_: object, **__: object) -> BallDetector:
        if when == "loading":
            before([])
        return BallDetector(before)

    monkeypatch.setattr("visionllm_interaction.detection.models.load_detector", load, raising=False)
    store = tmp_path / "store"
    prepare_store(store)
    job = AnalysisTask("run", store, detections=None, view="room", roles={}, config=AnalysisConfig())
    worker = _Worker(job, Path("ball.pt"))
    answers = [worker({"number": n, "path": str(clip), "id": f"v{n}"})["outcome"] for n in range(2)]
    assert [('"failed"' in text, '"done"' in text) for text in answers] == [(True, False), (False, True)]
    assert [entry.status for entry in read_ledger(store)] == ["failed", "done"]
