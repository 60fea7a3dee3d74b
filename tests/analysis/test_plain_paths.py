"""Every public function that takes a path takes a plain string, and a path that only knows ``__fspath__``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from visionllm_interaction.analysis import analyze
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning.answers import Answer
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
    [video] = analyze(str(shared_clip), str(store), detections="truth").to_dict()["videos"]
    assert video["status"] == "done"
    return store


def _function(name: str) -> Callable[..., Any]:
    module, _, rest = name.partition(":")
    found: Any = import_module(module)
    for part in rest.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("kind", [str, Place])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [  # STORE, CLIP and NEW stand for paths that are there, or may be made
        ("visionllm_interaction.store.reader:Store", ["STORE", {"limits": StoreLimits()}]),
        ("visionllm_interaction.store.layout:check_store", ["STORE"]),
        ("visionllm_interaction.store.layout:list_videos", ["STORE"]),
        ("visionllm_interaction.store.video_status_ledger:read_ledger", ["STORE"]),
        ("visionllm_interaction.store.migrations:migrate_store", ["STORE"]),
        ("visionllm_interaction.measures.table:write_measures", ["STORE", "NEW.csv"]),
        ("visionllm_interaction.interop.registry:export", ["STORE", "NEW", {"format": "csv"}]),
        ("visionllm_interaction.reasoning.pipeline:ask", ["How many children are there?", "STORE"]),
        ("visionllm_interaction.reasoning.question_templates:fill_template", ["daily-summary", "STORE"]),
        ("visionllm_interaction.reasoning.describing.api:describe", ["STORE"]),
        ("visionllm_interaction.reasoning.grounding.api:ground_phrase", ["the child", "STORE", {"at_s": 1.0}]),
        ("visionllm_interaction.reasoning.recheck_answer:replay", ["ANSWER", "STORE"]),
        ("visionllm_interaction.video.decoding.reader:VideoReader", ["CLIP"]),
        ("visionllm_interaction.video.decoding.reader:read_frame_at", ["CLIP", 3]),
        ("visionllm_interaction.server.auth.api_keys:list_keys", ["NEW.yaml"]),
        ("visionllm_interaction.server.auth.api_keys:create_key", ["NEW.yaml", {"name": "lab", "role": "viewer"}]),
        ("visionllm_interaction.utils.hashing:sha256_file", ["CLIP"]),
        ("visionllm_interaction.artifacts.runs:list_runs", ["NEW"]),
        ("visionllm_interaction.artifacts.runs:latest_run", ["NEW"]),
        ("visionllm_bench.toyroom:make_toyroom", ["NEW", {"images": 1, "videos": 0, "seed": 1}]),
        ("visionllm_bench.demo.config:load_demo", ["NEW"]),
        ("visionllm_interaction.config_init:write_config_files", ["NEW"]),
    ],
)
def test_works_with(
    name: str, arguments: list[Any], kind: type, analysed: Path, shared_clip: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(analysed, store)
    answer = Answer.model_validate(
        _function("visionllm_interaction.reasoning.pipeline:ask")("How many children are there?", store).model_dump()
    )
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
    ("visionllm_interaction.detection.runtimes.factory:load_detector", 1, {}),
    ("visionllm_interaction.detection.runtimes.openvino_detector:load_openvino", 1, {}),
    ("visionllm_interaction.detection.runtimes.yolox:load_yolox", 1, {}),
    ("visionllm_interaction.detection.runtimes.centerface:load_centerface", 1, {}),
    ("visionllm_interaction.detection.runtimes.torch_detector:load_torch_detector", 1, {}),
    ("visionllm_interaction.detection.models.checkpoints:load_checkpoint", 1, {}),
    ("visionllm_interaction.detection.evaluation.evaluate:evaluate_files", 2, {}),
    ("visionllm_interaction.detection.evaluation.evaluate:evaluate_checkpoint", 2, {}),
    ("visionllm_interaction.detection.evaluation.evaluate:material_of_files", 2, {}),
    ("visionllm_interaction.detection.evaluation.evaluate:material_of_checkpoint", 2, {}),
    ("visionllm_interaction.detection.training.data.coco_annotations:read_coco", 1, {}),
    ("visionllm_interaction.artifacts.lineage:trace", 1, {}),
    ("visionllm_interaction.artifacts.manifest:Manifest.load", 1, {}),
    ("visionllm_interaction.artifacts.raw_file_index:read_index", 1, {}),
    ("visionllm_interaction.datasets.ingestion.layout.raw_data_verification:verify", 1, {}),
    ("visionllm_interaction.datasets.ingestion.layout.raw_data_verification:find_manifest", 2, {}),
    ("visionllm_interaction.interop.registry:read_timelines", 1, {}),
    ("visionllm_interaction.interop.formats.elan:read_eaf", 1, {}),
    ("visionllm_interaction.interop.formats.boris:read_boris", 1, {}),
    ("visionllm_interaction.interop.formats.datavyu:read_opf", 1, {}),
    ("visionllm_interaction.interop.formats.praat:read_textgrid", 1, {}),
    ("visionllm_interaction.interop.formats.tabular:read_csv", 1, {}),
    ("visionllm_interaction.interop.formats.tabular:read_parquet", 1, {}),
    ("visionllm_interaction.interop.import_codes:import_codes", 2, {"video_id": "a"}),
    ("visionllm_interaction.store.reader:erase_video", 1, {"video_id": "a"}),
    ("visionllm_interaction.store.reader:Store", 1, {"limits": StoreLimits()}),
    ("visionllm_interaction.reasoning.recheck_answer:load_answer", 1, {}),
    ("visionllm_interaction.reasoning.question_templates:load_template", 1, {}),
    ("visionllm_interaction.video.tracking.roles:load_roles", 1, {}),
    ("visionllm_interaction.video.tracking.detections_file:read_detections", 1, {}),
    ("visionllm_interaction.analysis:analyze", 2, {"detections": "truth"}),
    ("visionllm_interaction.config:load", 0, {"files": "LIST"}),
    (
        "visionllm_interaction.datasets.validation.stage:run",
        0,
        {"config": ValidateConfig(), "data_manifest": "PATH", "out": "PATH"},
    ),
    (
        "visionllm_interaction.datasets.transformation.stage:run",
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
    result = analyze(os.fspath(shared_clip), os.fspath(tmp_path / "store"), detections="truth").to_dict()
    assert [video["path"] for video in result["videos"]] == [str(shared_clip)]
