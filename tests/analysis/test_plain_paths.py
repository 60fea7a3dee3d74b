"""Every public function that takes a path takes a plain string, and a path that only knows ``__fspath__``."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from visionllm_interaction.analysis import analyze
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning import ask
from visionllm_interaction.server.auth.api_keys import list_keys
from visionllm_interaction.store.columns import SCHEMA_VERSION
from visionllm_interaction.store.layout import list_videos
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
    return cast("Callable[..., Any]", found)


_RUNS = ["20260101T000000_000000Z", "20260102T000000_000000Z"]


class _Made(NamedTuple):
    """What a call gave, and where.

    Attributes:
        result: what the function returned.
        new: the path that was named NEW, with its ending.
        clip: the video that was analysed.
        video_id: its id in the store.
    """

    result: Any
    new: Path
    clip: Path
    video_id: str


def _frames(made: _Made) -> bool:
    return [frame.frame_index for frame in made.result.frames()] == list(range(50))


def _measures(made: _Made) -> bool:
    return bool(made.new.read_text(encoding="utf-8").count("\n") == made.result.rows + 1 > 1)


def _exported(made: _Made) -> bool:
    return [(file.path.parent, file.path.is_file()) for file in made.result.files] == [(made.new, True)]


def _key(made: _Made) -> bool:
    return [(key.name, key.role) for key in list_keys(made.new)] == [("lab", "viewer")] and len(made.result) > 32


def _digest(made: _Made) -> bool:
    return bool(made.result == hashlib.sha256(made.clip.read_bytes()).hexdigest())


# STORE, CLIP and RUNS stand for paths that are there, NEW for one that may be made; the last is what has to come out.
_WORKS: list[tuple[str, list[Any], Callable[[_Made], object]]] = [
    (
        "visionllm_interaction.store.reader:Store",
        ["STORE", {"limits": StoreLimits()}],
        lambda made: list(made.result.video_ids()) == [made.video_id],
    ),
    # Gives nothing; below it refuses a folder that is no store.
    ("visionllm_interaction.store.layout:check_store", ["STORE"], lambda made: made.result is None),
    ("visionllm_interaction.store.layout:list_videos", ["STORE"], lambda made: made.result == [made.video_id]),
    (
        "visionllm_interaction.store.video_status_ledger:read_ledger",
        ["STORE"],
        lambda made: [(e.video_id, e.status) for e in made.result] == [(made.video_id, "done")],
    ),
    (
        "visionllm_interaction.store.migrations:migrate_store",
        ["STORE"],
        lambda made: made.result == (SCHEMA_VERSION, SCHEMA_VERSION),
    ),
    ("visionllm_interaction.measures.table:write_measures", ["STORE", "NEW.csv"], _measures),
    (
        "visionllm_interaction.interop.registry:export",
        ["STORE", "NEW", {"format": "csv"}],
        _exported,
    ),
    (
        "visionllm_interaction.reasoning.pipeline:ask",
        ["How many children are there?", "STORE"],
        lambda made: (made.result.status, made.result.claims[0].value) == ("answered", 1),
    ),
    (
        "visionllm_interaction.reasoning.question_templates:fill_template",
        ["daily-summary", "STORE"],
        lambda made: [row.video_id for row in made.result.rows] == [made.video_id],
    ),
    (
        "visionllm_interaction.reasoning.describing.api:describe",
        ["STORE"],
        lambda made: "the child" in made.result.answer and all(claim.evidence for claim in made.result.claims),
    ),
    (
        "visionllm_interaction.reasoning.grounding.api:ground_phrase",
        ["the child", "STORE", {"at_s": 1.0}],
        lambda made: made.result.video_id == made.video_id,
    ),
    (
        "visionllm_interaction.reasoning.recheck_answer:replay",
        ["ANSWER", "STORE"],
        lambda made: made.result.claims and all(claim.holds for claim in made.result.claims),
    ),
    ("visionllm_interaction.video.decoding.reader:VideoReader", ["CLIP"], _frames),
    (
        "visionllm_interaction.video.decoding.reader:read_frame_at",
        ["CLIP", 3],
        lambda made: made.result.frame_index == 3 and made.result.image_rgb.shape == (120, 160, 3),
    ),
    ("visionllm_interaction.server.auth.api_keys:list_keys", ["NEW.yaml"], lambda made: made.result == []),
    ("visionllm_interaction.server.auth.api_keys:create_key", ["NEW.yaml", {"name": "lab", "role": "viewer"}], _key),
    ("visionllm_interaction.utils.hashing:sha256_file", ["CLIP"], _digest),
    (
        "visionllm_interaction.artifacts.runs:list_runs",
        ["RUNS"],
        lambda made: [r.name for r in made.result] == _RUNS,
    ),
    ("visionllm_interaction.artifacts.runs:latest_run", ["RUNS"], lambda made: made.result.name == _RUNS[-1]),
    (
        "visionllm_bench.toyroom:make_toyroom",
        ["NEW", {"images": 1, "videos": 0, "seed": 1}],
        lambda made: len(list(made.new.rglob("*.jpg"))) == 1,
    ),
    (
        "visionllm_bench.demo.config:load_demo",
        ["NEW"],
        lambda made: Path(made.result.artifacts_dir) == made.new / "artifacts",
    ),
    (
        "visionllm_interaction.config_init:write_config_files",
        ["NEW"],
        lambda made: made.result.written and {path.parent for path in made.result.written} == {made.new / "config"},
    ),
]


@pytest.mark.parametrize("kind", [str, Place])
@pytest.mark.parametrize(("name", "arguments", "is_right"), _WORKS, ids=[name for name, _, _ in _WORKS])
def test_works_with(
    name: str,
    arguments: list[Any],
    is_right: Callable[[_Made], object],
    kind: type,
    analysed: Path,
    shared_clip: Path,
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    shutil.copytree(analysed, store)
    answer = ask("How many children are there?", store)
    for run in (*_RUNS, "mlruns"):
        (tmp_path / "runs" / run).mkdir(parents=True)
    places: dict[str, Any] = {"STORE": kind(str(store)), "CLIP": kind(str(shared_clip)), "ANSWER": answer}
    places["RUNS"] = kind(str(tmp_path / "runs"))
    new = next((tmp_path / text.lower() for text in arguments if str(text).startswith("NEW")), tmp_path)
    called = [
        kind(str(new)) if str(text).startswith("NEW") else places.get(text, text)
        for text in arguments
        if not isinstance(text, dict)
    ]
    named = next((item for item in arguments if isinstance(item, dict)), {})
    result = _function(name)(*called, **named)
    [video_id] = list_videos(analysed)
    assert is_right(_Made(result, new, shared_clip, video_id))


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
    ("visionllm_interaction.store.layout:check_store", 1, {}),
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
