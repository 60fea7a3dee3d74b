"""Every public function that takes a path takes a plain string, and a path that only knows ``__fspath__``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from visionllm_interaction.analysis import analyze_videos
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning.models import Answer
from visionllm_interaction.store.reader import StoreLimits


class Place:
    """A path that is neither a str nor a pathlib.Path."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __fspath__(self) -> str:
        return self._text


@pytest.fixture(scope="module")
def analysed(shared_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one clip, made with plain strings only."""
    store = tmp_path_factory.mktemp("store") / "store"
    [video] = analyze_videos(str(shared_clip), str(store), detections="truth")["videos"]
    assert video["status"] == "done"
    return store


def _function(name: str) -> Callable[..., Any]:
    module, _, rest = f"visionllm_interaction.{name}".partition(":")
    found: Any = import_module(module)
    for part in rest.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("kind", [str, Place])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [  # STORE, CLIP and NEW stand for paths that are there, or may be made
        ("scenes.store:Store", ["STORE", {"limits": StoreLimits()}]),
        ("scenes.folder:check_store", ["STORE"]),
        ("scenes.folder:list_videos", ["STORE"]),
        ("scenes.ledger:read_ledger", ["STORE"]),
        ("scenes.migrate:migrate_store", ["STORE"]),
        ("scenes.measures:write_measures", ["STORE", "NEW.csv"]),
        ("exchange.formats:export_store", ["STORE", "NEW", {"format_": "csv"}]),
        ("reason.asking:ask", ["How many children are there?", "STORE"]),
        ("reason.templates:fill_template", ["daily-summary", "STORE"]),
        ("reason.seeing:ground_phrase", ["the child", "STORE", {"at_s": 1.0}]),
        ("reason.replay:replay", ["ANSWER", "STORE"]),
        ("video.decode:VideoReader", ["CLIP"]),
        ("video.decode:read_frame_at", ["CLIP", 3]),
        ("serve.keys:list_keys", ["NEW.yaml"]),
        ("serve.keys:create_key", ["NEW.yaml", {"name": "lab"}]),
        ("artifacts.digests:sha256_file", ["CLIP"]),
        ("artifacts.runs:list_runs", ["NEW"]),
        ("artifacts.runs:latest_run", ["NEW"]),
        ("toyroom:make_toyroom", ["NEW", {"images": 1, "videos": 0, "seed": 1}]),
        ("configuration:load_demo", ["NEW"]),
        ("configuration:write_config_files", ["NEW"]),
    ],
)
def test_works_with(
    name: str, arguments: list[Any], kind: type, analysed: Path, shared_clip: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(analysed, store)
    answer = Answer.model_validate(_function("reason.asking:ask")("How many children are there?", store).model_dump())
    places: dict[str, Any] = {
        "STORE": kind(str(store)),
        "CLIP": kind(str(shared_clip)),
        "ANSWER": answer,
    }
    called = [
        kind(str(tmp_path / text.lower())) if str(text).startswith("NEW") else places.get(text, text)
        for text in arguments
        if not isinstance(text, dict)
    ]
    named = next((item for item in arguments if isinstance(item, dict)), {})
    _function(name)(*called, **named)


_NOT_THERE = [
    ("models.load:load_detector", 1, {}),
    ("models.openvino_runtime:load_openvino", 1, {}),
    ("models.yolox:load_yolox", 1, {}),
    ("models.centerface:load_centerface", 1, {}),
    ("models.torch_runtime:load_torch_detector", 1, {}),
    ("models.checkpoints:load_checkpoint", 1, {}),
    ("train.evaluate:evaluate_files", 2, {}),
    ("train.evaluate:evaluate_checkpoint", 2, {}),
    ("train.evaluate:material_of_files", 2, {}),
    ("train.evaluate:material_of_checkpoint", 2, {}),
    ("train.annotations:read_coco", 1, {}),
    ("artifacts.lineage:trace", 1, {}),
    ("artifacts.manifest:Manifest.load", 1, {}),
    ("artifacts.file_index:read_index", 1, {}),
    ("ingest.verify:verify", 1, {}),
    ("ingest.verify:find_manifest", 2, {}),
    ("exchange.formats:read_timelines", 1, {}),
    ("exchange.eaf:read_eaf", 1, {}),
    ("exchange.boris:read_boris", 1, {}),
    ("exchange.datavyu:read_opf", 1, {}),
    ("exchange.textgrid:read_textgrid", 1, {}),
    ("exchange.table:read_csv", 1, {}),
    ("exchange.table:read_parquet", 1, {}),
    ("exchange.to_store:import_file", 2, {"video_id": "a"}),
    ("scenes.store:erase_video", 1, {"video_id": "a"}),
    ("scenes.store:Store", 1, {"limits": StoreLimits()}),
    ("reason.replay:load_answer", 1, {}),
    ("reason.templates:load_template", 1, {}),
    ("video.roles:load_roles", 1, {}),
    ("video.given:read_detections", 1, {}),
    ("analyze:analyze_videos", 2, {"detections": "truth"}),
    ("configuration:load", 0, {"files": "LIST"}),
    ("validate.stage:run", 0, {"config": ValidateConfig(), "data_manifest": "PATH", "out": "PATH"}),
    (
        "transform.stage:run",
        0,
        {"config": TransformConfig(), "data_manifest": "PATH", "validation_report": "PATH", "out": "PATH"},
    ),
]


@pytest.mark.parametrize("kind", [str, Place])
@pytest.mark.parametrize(
    ("name", "count", "named"), _NOT_THERE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_refuses_in_its_own_words_what_is_not_there(
    name: str, count: int, named: dict[str, Any], kind: type, tmp_path: Path
) -> None:
    missing = kind(str(tmp_path / "nothing.here"))
    filled = {
        key: {"PATH": missing, "LIST": [missing]}.get(value, value) if isinstance(value, str) else value
        for key, value in named.items()
    }
    with pytest.raises(VisionLLMError):
        _function(name)(*[missing] * count, **filled)


def test_one_video_as_a_string_is_not_read_letter_by_letter(shared_clip: Path, tmp_path: Path) -> None:
    result = analyze_videos(os.fspath(shared_clip), os.fspath(tmp_path / "store"), detections="truth")
    assert [video["path"] for video in result["videos"]] == [str(shared_clip)]
