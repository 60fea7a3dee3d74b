"""The commands that this package adds to ``visionllm``."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from visionllm_bench.command_table import COMMANDS
from visionllm_bench.demo.config import DemoSettings, load_demo
from visionllm_interaction.cli import app, command_table
from visionllm_interaction.cli.command_table import added_commands
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.config import Settings
from visionllm_interaction.config_loading import load_settings, shipped_config_dir
from visionllm_interaction.errors import ConfigError


def test_three_commands_are_added_by_the_entry_point() -> None:
    assert set(COMMANDS) == {"toyroom", "demo", "eval-reasoning"}
    assert added_commands() == COMMANDS


def test_toyroom_prints_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "room"
    assert run_app(app, ["toyroom", str(out), "--images", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {"images": {"train": 1, "val": 1}, "videos": [], "root": str(out)}


def test_one_wording_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_commands_are_declared_as_the_standard_library_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entry points are read from the files themselves, for speed: the same ones, those of the first on the path."""
    for place, module in (("first", "lab.commands"), ("second", "old.commands")):
        about = tmp_path / place / "Lab_Tools-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: Lab-Tools\nVersion: 1.0\n")
        groups = f"[visionllm.commands]\n# ours\nlab = {module}:Tables.ALL [video]\n\n[other]\na = b:c\n"
        (about / "entry_points.txt").write_text(f"[console_scripts]\nlab = lab:main\n\n{groups}")
    for place in ("second", "first"):
        monkeypatch.syspath_prepend(tmp_path / place)
    ours = {(point.module, point.attribute) for point in command_table._entry_points()}
    theirs = {(point.module, point.attr) for point in entry_points(group="visionllm.commands")}
    assert ours == theirs and ("lab.commands", "Tables.ALL") in ours
