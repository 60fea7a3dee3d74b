"""The commands that this package adds to ``visionllm``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from visionllm_bench.commands import register
from visionllm_bench.demo.config import DemoSettings, load_demo
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.config import Settings
from visionllm_interaction.config_loading import load_settings, shipped_config_dir
from visionllm_interaction.errors import ConfigError


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    return made


def test_three_commands_are_added(app: typer.Typer) -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert names == {"toyroom", "demo", "eval-reasoning"}


def test_toyroom_prints_what_it_made(app: typer.Typer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "room"
    assert run_app(app, ["toyroom", str(out), "--images", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {"images": {"train": 1, "val": 1}, "videos": [], "root": str(out)}


def test_one_wording_is_enough(app: typer.Typer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["eval-reasoning", "--wording", "canonical", "--questions-file", str(tmp_path / "q.yaml"), "--json"]
    assert run_app(app, command) == 2
    assert "--questions-file" in json.loads(capsys.readouterr().out)["error"]["expected"]


def test_the_shipped_demo_file_is_the_demos_and_goes_below_its_folder(tmp_path: Path) -> None:
    settings = load_demo(tmp_path, overrides=["demo.images=40"])
    assert settings.demo.images == 40
    assert len(settings.demo.questions) == 5
    assert settings.artifacts_dir == tmp_path / "artifacts"
    assert load_settings(DemoSettings, [shipped_config_dir() / "demo.yaml"]).demo.images == 500


def test_the_product_knows_no_section_demo() -> None:
    with pytest.raises(ConfigError, match="demo: unknown key"):
        load_settings(Settings, [shipped_config_dir() / "demo.yaml"])
