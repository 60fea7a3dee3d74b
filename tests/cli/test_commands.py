"""The command line as a user meets it: a subprocess, its stdout, its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from visionllm_bench.demo.config import DemoSettings
from visionllm_interaction import __version__
from visionllm_interaction.cli import app
from visionllm_interaction.cli.command_table import COMMANDS
from visionllm_interaction.config import Settings
from visionllm_interaction.config_file_order import BASE_FILES
from visionllm_interaction.config_loading import load_settings, shipped_config_dir

REPO = Path(__file__).resolve().parents[2]


def visionllm(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from visionllm_interaction.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


def _leaf_commands() -> dict[str, object]:
    root = typer.main.get_command(app)
    found: dict[str, object] = {}
    for name, command in root.commands.items():
        children = getattr(command, "commands", None)
        found |= {f"{name} {child}": c for child, c in children.items()} if children else {name: command}
    return found


@pytest.mark.parametrize("name", sorted(_leaf_commands()))
def test_every_command_takes_json_and_is_documented(name: str) -> None:
    options = {option for parameter in _leaf_commands()[name].params for option in parameter.opts}
    assert "--json" in options
    documented = (REPO / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"visionllm {name}" in documented or f"`{name}" in documented


def test_three_mistakes_one_message_exit_2_and_nothing_written(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("train: {epoch: 3, epochs: many}\nmodel: {min_size: -5}\n", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = visionllm("run", "-c", str(config), "--json", cwd=tmp_path)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "CONFIG"
    assert len(error["problems"]) == 3
    for part in ("train.epoch: unknown key, did you mean 'epochs'?", "train.epochs", "model.min_size"):
        assert part in error["message"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ask",), 2),  # an argument is missing
        (("run", "--nonsense"), 2),  # no such option
        (("evaluate",), 2),  # nothing to evaluate
        (("ask", "How many balls are there?", "--store", "none"), 3),  # no such store
        (("lineage", "none.pt"), 3),  # no such file
        (("evaluate", "--truth", "none.json", "--detections", "none.json"), 3),  # no such file
        (("analyze", "none.mp4", "--detections", "truth"), 3),  # no such video
        (("run", "-o", "data.root=none"), 3),  # no such folder
    ],
)
def test_failures_say_so_as_json_with_their_exit_code(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = visionllm(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"]
    assert error["message"]


def test_init_writes_config_that_loads_and_keeps_what_exists(tmp_path: Path) -> None:
    first = json.loads(visionllm("init", "--json", cwd=tmp_path).stdout)
    assert {Path(p).name for p in first["written"]} >= {f"{name}.yaml" for name in BASE_FILES}
    (tmp_path / "config" / "model.yaml").write_text("train: {epochs: 2}\n", encoding="utf-8")
    second = json.loads(visionllm("init", "--json", cwd=tmp_path).stdout)
    assert second["written"] == []
    assert (tmp_path / "config" / "model.yaml").read_text(encoding="utf-8") == "train: {epochs: 2}\n"


def test_shipped_base_files_equal_the_documented_defaults() -> None:
    files = [shipped_config_dir() / f"{name}.yaml" for name in BASE_FILES]
    assert load_settings(Settings, files) == Settings()


@pytest.mark.parametrize("path", sorted(shipped_config_dir().glob("*.yaml")), ids=lambda path: path.name)
def test_each_config_file_names_the_command_that_uses_it_and_loads(path: Path) -> None:
    header = [line for line in path.read_text(encoding="utf-8").splitlines()[:10] if line.startswith("#")]
    named = [line.split("visionllm ", 1)[1].split()[0] for line in header if "visionllm " in line]
    assert named
    assert set(named) <= {name.split()[0] for name in _leaf_commands()}
    load_settings(DemoSettings if path.name == "demo.yaml" else Settings, [path])


def test_help_starts_without_torch(tmp_path: Path) -> None:
    code = "import sys; from visionllm_interaction.cli import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


def test_questions_and_stores_start_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys, visionllm_interaction.config, visionllm_interaction.analysis, visionllm_interaction.reasoning,"
        "visionllm_interaction.pipeline, visionllm_bench.toyroom; sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_line_of_help_is_the_first_line_of_the_command_s_own_help(name: str) -> None:
    command = typer.main.get_command(app).commands[name]
    assert COMMANDS[name].summary == command.help.splitlines()[0]


def test_help_lists_every_command_and_imports_none(tmp_path: Path) -> None:
    code = (
        "import sys; from visionllm_interaction.cli import app; from visionllm_interaction.cli.output import run_app;"
        "run_app(app, ['--help']); modules = ('questions', 'data', 'training', 'analysis', 'stores', 'service');"
        "sys.exit(any(f'visionllm_interaction.cli.{name}' in sys.modules for name in modules)"
        " or any(name in sys.modules for name in ('pydantic', 'structlog', 'yaml', 'numpy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.startswith("  ")}
    assert set(COMMANDS) <= listed


def test_a_question_does_not_import_what_it_does_not_need(tmp_path: Path) -> None:
    code = (
        "import sys; from visionllm_interaction.cli.questions import load_question_settings; load_question_settings();"
        "import visionllm_interaction.reasoning.pipeline;"
        "sys.exit(', '.join(n for n in ('pyarrow', 'duckdb', 'structlog', 'rich', 'PIL') if n in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(tmp_path: Path) -> None:
    assert visionllm("--version", cwd=tmp_path).stdout == f"{__version__}\n"


def test_a_misspelt_command_names_the_nearest(tmp_path: Path) -> None:
    done = visionllm("analyse", cwd=tmp_path)
    assert done.returncode == 2
    assert "analyze" in done.stderr
