"""Defaults, then ./config/, then -c in order, then -o; shown with origins, described by a schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from visionllm_bench.demo.config import load_demo
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.cli.questions import load_question_settings
from visionllm_interaction.config import (
    Settings,
    describe,
    load,
    settings_schema,
)
from visionllm_interaction.config_file_order import layers
from visionllm_interaction.config_init import SCHEMA_FILE, write_config_files
from visionllm_interaction.config_loading import shipped_config_dir
from visionllm_interaction.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return tmp_path


def _write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_each_layer_wins_over_those_below() -> None:
    _write("config/model.yaml", "train: {epochs: 2, batch_size: 3, workers: 1, lr: 0.5}\n")
    first, second = (
        _write("first.yaml", "train: {batch_size: 4, lr: 0.6}\n"),
        _write("second.yaml", "train: {lr: 0.7}\n"),
    )
    train = load([first, second], ["train.workers=0"]).train
    assert (train.epochs, train.batch_size, train.lr, train.workers) == (2, 4, 0.7, 0)
    assert train.weight_decay == Settings().train.weight_decay


def test_a_policy_in_config_counts_although_other_files_are_named() -> None:
    _write("config/data.yaml", "data: {root: here}\n")
    _write("config/schema.yaml", "validation: {max_invalid_bbox_allowed: 3}\n")
    settings = load(["config/data.yaml"])
    assert settings.validation.max_invalid_bbox_allowed == 3
    assert settings.data.root == Path("here")


def test_a_base_file_that_is_named_is_read_once_where_it_is_named() -> None:
    _write("config/data.yaml", "train: {epochs: 1}\n")
    _write("config/model.yaml", "train: {epochs: 2}\n")
    assert load().train.epochs == 2
    assert load(["config/model.yaml", Path("config/data.yaml").resolve()]).train.epochs == 1
    assert [path.name for path in layers(["config/data.yaml"])] == ["model.yaml", "data.yaml"]
    _write("config/model.yaml", "train: {epoch: 2}\n")
    with pytest.raises(ConfigError) as caught:
        load(["config/model.yaml", "config/model.yaml"])
    assert len(caught.value.problems) == 1


def test_files_for_one_purpose_are_read_only_when_named() -> None:
    _write("config/coco-mini.yaml", "train: {epochs: 7}\n")
    assert load() == Settings()
    assert load(["config/coco-mini.yaml"]).train.epochs == 7
    assert describe().not_read == (Path("config/coco-mini.yaml"),)


def test_the_demo_is_the_same_wherever_it_starts() -> None:
    without = load_demo("demo")
    _write("config/model.yaml", "train: {epochs: 2}\nmodel: {min_size: 100}\n")
    assert load_demo("demo") == without


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    _write("config/model.yaml", "train:\n  epochs: 2\nmodel: {}\ntrain:\n  lr: 0.1\n")
    with pytest.raises(ConfigError, match=r"train: the key occurs twice, in lines 1 and 4 \[config/model.yaml\]"):
        load()
    with pytest.raises(ConfigError, match=r"train\.lr"):
        load(["config/none.yaml"], ["train={lr: 1, lr: 2}"])


def test_questions_see_every_mistake_though_they_read_one_section() -> None:
    assert load_question_settings(overrides=["reason.max_listed_videos=2"]).reason.max_listed_videos == 2
    _write("config/reason.yaml", "reason: {max_listed_videos: 3}\n")
    assert load_question_settings().reason.max_listed_videos == 3 == load().reason.max_listed_videos
    _write("config/model.yaml", "train: {epochz: 3}\n")
    with pytest.raises(ConfigError, match=r"train\.epochz: unknown key, did you mean 'epochs'"):
        load_question_settings()
    with pytest.raises(ConfigError, match=r"reason\.wordin: unknown key, did you mean 'wording'"):
        load_question_settings(overrides=["reason.wordin=code"])


def test_show_gives_each_value_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    _write("config/model.yaml", "# comment\ntrain:\n  epochs: 2\n  lr: 0.5\n")
    extra = _write("extra.yaml", "train: {lr: 0.6}\nserve: {database_url: 'postgresql://me:secret@host/db'}\n")
    assert run_app(app, ["config", "show", "-c", extra, "-o", "train.workers=0", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"] == ["config/model.yaml", "extra.yaml"]
    assert shown["values"]["train.epochs"] == {"value": 2, "origin": "config/model.yaml:3"}
    assert shown["values"]["train.lr"] == {"value": 0.6, "origin": "extra.yaml:1"}
    assert shown["values"]["train.workers"] == {"value": 0, "origin": "-o train.workers=0"}
    assert shown["values"]["train.weight_decay"]["origin"] == "default"
    assert shown["values"]["serve.database_url"]["value"] == "postgresql://me:***@host/db"
    again = {key: entry["value"] for key, entry in shown["values"].items() if key != "serve.database_url"}
    settings = load([extra], ["train.workers=0"])
    assert load(None, [f"{key}={json.dumps(value)}" for key, value in again.items()]).train == settings.train
    assert run_app(app, ["config", "show", "train", "--changed"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "# read: config/model.yaml",
        "train.epochs: 2  # config/model.yaml:3",
        "train.lr: 0.5    # config/model.yaml:4",
    ]


def test_the_schema_takes_the_shipped_files_and_no_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["config", "schema", "--json"]) == 0
    schema = json.loads(capsys.readouterr().out)
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in shipped_config_dir().glob("*.yaml"):
        if path.name == "demo.yaml":
            continue  # its section `demo` belongs to the bench
        assert list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))) == [], path
    for wrong in ({"train": {"epoch": 3}}, {"train": {"epochs": 0}}, {"trian": {}}, {"reason": {"planner": "magic"}}):
        assert list(validator.iter_errors(wrong)), wrong


def test_every_key_is_described_in_the_schema() -> None:
    schema = settings_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    silent = []
    for section in (schema, *definitions.values()):
        for key, value in section.get("properties", {}).items():
            target = definitions.get(str(value.get("$ref", "")).rpartition("/")[2], {})
            if not (value.get("description") or target.get("description")):
                silent.append(f"{section['title']}.{key}")
    assert silent == []


def test_the_schema_of_a_section_or_what_sections_there_are() -> None:
    validator = jsonschema.Draft202012Validator(settings_schema("train"))
    assert not list(validator.iter_errors({"epochs": 3}))
    assert list(validator.iter_errors({"epoch": 3}))
    with pytest.raises(UsageError, match="did you mean train"):
        settings_schema("trian")
    with pytest.raises(UsageError, match="one of data"):
        describe(section="nothing")


def test_init_writes_the_schema_that_editors_find(here: Path) -> None:
    written = write_config_files(here).written
    schema = here / "config" / SCHEMA_FILE
    assert schema in written
    assert json.loads(schema.read_text(encoding="utf-8")) == settings_schema()
    model = here / "config" / "model.yaml"
    assert model.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    assert load() == Settings()
    schema.write_text("{}", encoding="utf-8")  # of an older version of the program
    assert write_config_files(here).written == (schema,)
