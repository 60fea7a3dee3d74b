"""A video and nothing else: the ready-made model that is used, or what to type to get one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from constant_yolox import write_graph

from visionllm_interaction.analysis import AnalysisConfig, analyze
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.registry import acquire, defaults
from visionllm_interaction.detection.registry.acquire import add_model
from visionllm_interaction.detection.registry.entries import ModelEntry, Registry, read_registry
from visionllm_interaction.errors import ModelMissing
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.utils.hashing import sha256_file


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small detector, which the list of models calls yolox_nano; it is not on this machine yet."""
    monkeypatch.setenv("VISIONLLM_MODELS", str(tmp_path / "models"))
    path = write_graph(tmp_path / "small.onnx", outputs=85)
    content = read_registry().entry("yolox_nano").model_dump()
    content |= {"sha256": sha256_file(path), "bytes": path.stat().st_size, "variants": ()}
    small = ModelEntry.model_validate(content)
    registry = read_registry().model_copy(update={"models": {**read_registry().models, "yolox_nano": small}})
    for module in (acquire, defaults):
        monkeypatch.setattr(module, "read_registry", lambda: registry)
    assert isinstance(registry, Registry)
    return path


def test_without_a_model_the_message_is_a_line_to_paste(clip: Path, tmp_path: Path, model: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        analyze([clip], tmp_path / "a store")
    error = caught.value
    assert error.exit_code == 2 and not (tmp_path / "a store").exists()
    get, then = (error.fix or "").split(" && ")
    assert get == "visionllm models get yolox_s"
    assert shlex.split(then) == ["visionllm", "analyze", str(clip), "--store", str(tmp_path / "a store")]
    assert "35.9 MB" in str(error) and "Apache-2.0" in str(error) and "visionllm models add" in str(error)
    with pytest.raises(ModelMissing, match=r"yolox_nano: .* MB, Apache-2\.0"):
        analyze([clip], tmp_path / "store", detector="yolox-nano")


def test_the_model_on_this_machine_is_used(clip: Path, tmp_path: Path, model: Path) -> None:
    add_model(model)
    [video] = analyze([clip], tmp_path / "store").to_dict()["videos"]
    assert video["status"] == "done"
    with open_store(tmp_path / "store") as store:
        assert store.video(video["video_id"])["detector"]["digest"] == sha256_file(model)
    [again] = analyze([clip], tmp_path / "store", detector="yolox_nano").to_dict()["videos"]
    assert again["status"] == "up_to_date", "its name means the same file"


@pytest.mark.parametrize(
    ("settings", "own", "processed_fps"),
    [
        ({}, False, 5.0),
        ({"ready_made_fps": 10.0}, False, 10.0),
        ({"ready_made_fps": None}, False, None),
        ({"video": {"decode": {"sample_fps": 2.0}}}, False, 2.0),
        ({"video": {"decode": {"adaptive": True}}}, False, None),
        ({}, True, None),  # a detector of one's own: every frame
    ],
)
def test_a_ready_made_model_works_at_five_frames_a_second(
    clip: Path, tmp_path: Path, model: Path, settings: dict[str, Any], own: bool, processed_fps: float | None
) -> None:
    add_model(model)
    config = AnalysisConfig.model_validate(settings)
    [video] = analyze([clip], tmp_path / "store", detector=model if own else None, config=config).videos
    with open_store(tmp_path / "store") as store:
        assert store.video(video.video_id)["config"]["video"]["decode"]["sample_fps"] == processed_fps
        rows = store.frames(video.video_id).to_pylist()
    seen = sum(row["processed"] for row in rows)
    if config.video.decode.adaptive:
        return
    length_s = rows[-1]["timestamp_s"] - rows[0]["timestamp_s"]
    assert seen == (len(rows) if processed_fps is None else pytest.approx(length_s * processed_fps, abs=1.5))


def test_a_file_in_the_folder_comes_before_a_name(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelMissing):
        load_detector("yolox_nano")
    add_model(model)
    assert load_detector("yolox_nano").digest == sha256_file(model)
    (tmp_path / "yolox_nano").mkdir()
    assert defaults.named_or_path("yolox_nano") == Path("yolox_nano")


def test_blur_and_heads_say_which_model_they_miss(
    clip: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(app, ["blur", str(clip), "--out", str(tmp_path / "b.mp4")]) == 2
    assert "visionllm models get centerface" in capsys.readouterr().err
    assert run_app(app, ["heads", str(clip), "--out", str(tmp_path / "h.csv")]) == 2
    assert "visionllm models get centerface" in capsys.readouterr().err
