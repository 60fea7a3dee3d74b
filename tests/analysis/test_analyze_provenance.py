"""What makes a video be analysed again, what does not, and that the reason is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from faulty_detectors import BallDetector

from visionllm_interaction.analysis import AnalysisConfig, analyze, provenance
from visionllm_interaction.artifacts import algorithm_versions

Entry = Mapping[str, Any]


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> BallDetector:
    made = BallDetector()
    monkeypatch.setattr("visionllm_interaction.detection.models.load_detector", lambda *_, **__: made, raising=False)
    return made


def analyse(clip: Path, *, config: AnalysisConfig = AnalysisConfig()) -> Entry:
    store = clip.parents[2] / "store"
    [entry] = analyze([clip], store, detector=Path("ball.pt"), config=config, video_ids=["v"]).to_dict()["videos"]
    return entry


def record_file(clip: Path) -> Path:
    return clip.parents[2] / "store" / "videos" / "v" / "video.json"


def pretend(monkeypatch: pytest.MonkeyPatch, **installed: str) -> None:
    real = algorithm_versions._version_of
    monkeypatch.setattr(algorithm_versions, "_version_of", lambda name: installed.get(name) or real(name))


def make_older(clip: Path, detector: BallDetector) -> None:
    """Rewrite the record as it was before algorithms had versions: no ``algorithms``, no torch among the versions."""
    file = record_file(clip)
    record = json.loads(file.read_text())
    del record["algorithms"]
    record["versions"] = {k: v for k, v in record["versions"].items() if k not in ("torch", "opencv")}
    file.write_text(json.dumps({**record, "fingerprint": "digest of sources that are gone"}))


def test_a_new_library_under_the_detector_is_a_new_analysis(
    clip: Path, detector: BallDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, torch="2.14.0")
    assert analyse(clip)["status"] == "done" and analyse(clip)["status"] == "up_to_date"
    pretend(monkeypatch, torch="2.15.0")
    again = analyse(clip)
    assert (again["status"], again["changed"]) == ("done", "torch 2.14.0 → 2.15.0")
    assert analyse(clip)["status"] == "up_to_date"
    assert json.loads(record_file(clip).read_text())["versions"]["torch"] == "2.15.0"


def test_libraries_that_do_not_decide_make_nothing_stale(
    clip: Path, detector: BallDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyse(clip)
    pretend(monkeypatch, openvino="9.9", pyarrow="99.0", numpy="9.0")  # the detector does not run on OpenVINO
    assert analyse(clip)["status"] == "up_to_date"


@pytest.mark.parametrize("of", ["runtime", "analysis"])
def test_a_raised_algorithm_version_is_a_new_analysis(
    clip: Path, detector: BallDetector, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    analyse(clip)
    if of == "runtime":
        detector.raise_algorithm_version()
    else:
        monkeypatch.setattr("visionllm_interaction.analysis.inputs.ALGORITHM_VERSION", provenance.ALGORITHM_VERSION + 1)
    again = analyse(clip)
    before = 1 if of == "runtime" else provenance.ALGORITHM_VERSION
    assert again["status"] == "done" and f"version {before} → {before + 1}" in again["changed"]
    assert analyse(clip)["status"] == "up_to_date"


def test_a_record_from_before_there_were_versions_is_of_the_first_ones(clip: Path, detector: BallDetector) -> None:
    analyse(clip)
    make_older(clip, detector)
    again = analyse(clip)
    assert again["status"] == "done"
    assert again["changed"] == f"algorithm of analysis: version 1 → {provenance.ALGORITHM_VERSION}"
    assert analyse(clip)["status"] == "up_to_date"


def test_a_setting_introduced_later_counts_as_its_default(clip: Path, detector: BallDetector) -> None:
    analyse(clip)
    record = json.loads(record_file(clip).read_text())
    del record["config"]["video"]["track"]["min_hits"]
    record_file(clip).write_text(json.dumps(record))
    assert analyse(clip)["status"] == "up_to_date"
    other = AnalysisConfig.model_validate({"video": {"track": {"min_hits": 3}}})
    assert analyse(clip, config=other)["changed"] == "setting video.track.min_hits"


def test_how_fast_it_goes_makes_nothing_stale(clip: Path, detector: BallDetector) -> None:
    analyse(clip)
    other = AnalysisConfig.model_validate(
        {"video": {"detect": {"batch_size": 2}, "decode": {"threads": 1, "ahead": 3}}}
    )
    assert analyse(clip, config=other)["status"] == "up_to_date"
    detector.digest = "e" * 64
    assert analyse(clip, config=other)["changed"] == "another detector or file of detections"


def test_every_runtime_says_what_decides_its_detections() -> None:
    from visionllm_interaction.detection.runtimes import centerface, yolox
    from visionllm_interaction.detection.runtimes import onnx_detector as onnx_runtime
    from visionllm_interaction.detection.runtimes import openvino_detector as openvino_runtime
    from visionllm_interaction.detection.runtimes import torch_detector as torch_runtime

    runtimes = [module.RUNTIME for module in (torch_runtime, openvino_runtime, onnx_runtime, yolox, centerface)]
    assert len({runtime.name for runtime in runtimes}) == 5
    assert torch_runtime.RUNTIME.libraries == ("torch", "torchvision")
    assert all("openvino" in runtime.libraries for runtime in runtimes[1:])
    installed = algorithm_versions.library_versions(name for runtime in runtimes for name in runtime.libraries)
    assert installed.keys() == {"torch", "torchvision", "openvino", "opencv"}
