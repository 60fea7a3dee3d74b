"""The pipeline skips, resumes and forks as promised (stages 1-3; training has its own file)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_coco import change, make_coco

from visionllm_interaction.artifacts import algorithm_versions
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.errors import ConfigError, InputDataError, UsageError, ValidationFailed
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline, run_validation
from visionllm_interaction.utils.file_locks import try_lock
from visionllm_interaction.utils.hashing import sha256_tree

DONE, SKIPPED = "done", "up_to_date"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_coco(tmp_path / "data")


def settings(data: Path, *overrides: str) -> PipelineSettings:
    base = [f"data.root={data}", f"artifacts_dir={data.parent / 'artifacts'}"]
    return load_settings(PipelineSettings, [], [*base, *overrides])


def go(data: Path, *overrides: str, until: str = "transform") -> dict[str, Any]:
    return run_pipeline(settings(data, *overrides), until=until).to_dict()


def statuses(result: dict[str, Any]) -> list[str]:
    return [stage["status"] for stage in result["stages"].values()]


def test_second_call_skips_everything_in_the_same_run(data: Path) -> None:
    first, second = go(data), go(data)
    assert statuses(first) == [DONE] * 3 and statuses(second) == [SKIPPED] * 3
    assert first["run"] == second["run"] and first["AP"] is None
    assert list(first["stages"]) == ["ingest", "validate", "transform"]
    for stage in first["stages"].values():
        assert Path(stage["manifest"]).is_file()


def test_continues_where_it_stopped(data: Path) -> None:
    first, second = go(data, until="ingest"), go(data)
    assert first["run"] == second["run"] and statuses(second) == [SKIPPED, DONE, DONE]


def test_relative_and_absolute_root_are_the_same_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = go(data)
    monkeypatch.chdir(data.parent)
    second = go(data, "data.root=data")
    assert second["run"] == first["run"] and statuses(second) == [SKIPPED] * 3


STALE_FROM = {
    "a name": (("data.name=other",), 0),
    "a policy": (("validation.max_invalid_bbox_allowed=5",), 1),
}


@pytest.mark.parametrize("name", STALE_FROM)
def test_changed_settings_make_a_new_run_that_shares_what_stays(data: Path, name: str) -> None:
    overrides, stale = STALE_FROM[name]
    first, second = go(data), go(data, *overrides)
    assert statuses(second) == [SKIPPED] * stale + [DONE] * (3 - stale) and second["run"] != first["run"]
    links = (Path(second["run"]) / "data_ingestion/files.parquet").stat().st_nlink
    assert links == (2 if stale else 1)
    # Both runs stay complete, so going back costs nothing.
    assert go(data)["run"] == first["run"] and go(data, *overrides)["run"] == second["run"]


def test_a_changed_picture_starts_fresh_and_the_old_run_is_not_touched(data: Path) -> None:
    first = go(data)
    before = sha256_tree(Path(first["run"]))
    picture = data / "train2017/train_0000.jpg"
    picture.write_bytes(picture.read_bytes() + b"\0")
    second = go(data)
    assert statuses(second) == [DONE] * 3 and second["run"] != first["run"]
    assert sha256_tree(Path(first["run"])) == before


DAMAGE = {
    "an output with a byte changed": ("data_transformation/annotations/instances_val2017.cleaned.json", b" ", 2),
    "an edited manifest": ("data_validation/data_validation_report.yaml", b"x: 1\n", 1),
    "a manifest that is no YAML": ("data_validation/data_validation_report.yaml", b"\n[", 1),
    "a damaged index": ("data_ingestion/files.parquet", b"x", 0),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_in_a_run_is_noticed_and_built_anew_elsewhere(data: Path, name: str) -> None:
    file, extra, stale = DAMAGE[name]
    first = go(data)
    path = Path(first["run"]) / file
    path.write_bytes(path.read_bytes() + extra)
    second = go(data)
    assert statuses(second) == [SKIPPED] * stale + [DONE] * (3 - stale) and second["run"] != first["run"]
    assert statuses(go(data)) == [SKIPPED] * 3


def test_a_raised_algorithm_version_makes_a_stage_stale(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = go(data)
    for module in ("transformation", "transformation.stage"):
        monkeypatch.setattr(f"visionllm_interaction.datasets.{module}.ALGORITHM_VERSION", 2)
    assert statuses(go(data)) == [SKIPPED, SKIPPED, DONE]
    monkeypatch.undo()
    assert go(data)["run"] == first["run"]


def test_other_source_text_makes_nothing_stale(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(data)
    for stage in ("ingestion", "validation", "transformation"):
        monkeypatch.setattr(f"visionllm_interaction.datasets.{stage}.stage.code_version", lambda: "a corrected comment")
    assert statuses(go(data)) == [SKIPPED] * 3


def test_a_feature_release_of_a_library_that_decides_makes_a_stage_stale(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = algorithm_versions._version_of

    def pillow(version: str) -> None:
        monkeypatch.setattr(algorithm_versions, "_version_of", lambda name: version if name == "pillow" else real(name))

    pillow("12.3.0")
    go(data)
    pillow("12.3.7")
    assert statuses(go(data)) == [SKIPPED] * 3
    pillow("12.4.0")
    assert statuses(go(data)) == [SKIPPED, DONE, DONE]
    unseen = ("validation.images.enabled=false",)  # no image is opened, so whatever opens them decides nothing
    assert statuses(go(data, *unseen)) == [SKIPPED, DONE, DONE]
    pillow("12.5.0")
    assert statuses(go(data, *unseen)) == [SKIPPED] * 3


def test_failed_validation_is_published_and_raised_each_time(data: Path) -> None:
    change(data, "train", lambda c: c["annotations"][0].update(image_id=1))
    for _ in range(2):
        with pytest.raises(ValidationFailed, match="ANN-DANGLING-IMAGE") as caught:
            go(data)
        report = yaml.safe_load(Path(str(caught.value.where)).read_text())
        assert report["status"] == "FAIL" and report["findings"][0]["ids"] == [1000]
        assert caught.value.exit_code == 3
    (run,) = list_runs(data.parent / "artifacts")
    assert not (run / "data_transformation").exists()
    change(data, "train", lambda c: c["annotations"][0].update(image_id=100))
    assert statuses(go(data)) == [DONE] * 3


def test_run_validation_returns_the_verdict(data: Path) -> None:
    assert run_validation(settings(data)).passed
    change(data, "train", lambda c: c["annotations"][0].update(image_id=1, bbox=[1]))
    result = run_validation(settings(data))
    assert result.status == "FAIL" and result.issues == {"ANN-DANGLING-IMAGE": 1, "BOX-MALFORMED": 1}
    assert (result.images, result.annotations) == (10, 30) and result.report.is_file()
    assert run_validation(settings(data)) == result


def test_a_locked_run_is_left_alone(data: Path) -> None:
    first = go(data, until="ingest")
    lock = try_lock(Path(first["run"]))
    assert lock is not None
    with lock:
        second = go(data)
        assert second["run"] != first["run"] and statuses(second) == [SKIPPED, DONE, DONE]
        assert statuses(go(data, until="ingest")) == [SKIPPED], "reading needs no lock"


def test_mistakes_leave_nothing_behind(data: Path) -> None:
    with pytest.raises(UsageError, match="no stage 'transfrom'") as caught:
        go(data, until="transfrom")
    assert caught.value.fix == "did you mean transform?"
    with pytest.raises(ConfigError):
        run_pipeline(PipelineSettings(artifacts_dir=data.parent / "artifacts"), until="ingest")
    with pytest.raises(InputDataError):
        go(data, "data.root=/nowhere/at/all")
    assert list_runs(data.parent / "artifacts") == []


CALL = """
import json, sys
from pathlib import Path
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline
from visionllm_interaction.config_loading import load_settings
print(json.dumps(run_pipeline(load_settings(PipelineSettings, [], sys.argv[2:]), until=sys.argv[1]).to_dict()))
print(json.dumps(sorted({"torch", "lightning", "mlflow", "optuna"} & set(sys.modules))))
"""


def test_an_up_to_date_call_loads_no_torch(data: Path) -> None:
    go(data)
    arguments = ["transform", f"data.root={data}", f"artifacts_dir={data.parent / 'artifacts'}"]
    output = subprocess.run([sys.executable, "-c", CALL, *arguments], capture_output=True, text=True, check=True)
    result, loaded = (json.loads(line) for line in output.stdout.splitlines())
    assert statuses(result) == [SKIPPED] * 3 and loaded == []


def test_processes_started_together_do_not_collide(data: Path) -> None:
    arguments = ["transform", f"data.root={data}", f"artifacts_dir={data.parent / 'artifacts'}"]
    command = [sys.executable, "-c", CALL, *arguments]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in "abc"]
    results = [json.loads(process.communicate()[0].splitlines()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    for result in results:
        assert all(Path(stage["manifest"]).is_file() for stage in result["stages"].values())
    assert statuses(go(data)) == [SKIPPED] * 3
    assert not list((data.parent / "artifacts").rglob(".partial-*"))
