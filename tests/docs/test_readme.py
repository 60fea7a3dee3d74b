"""The README's commands for own data, run one after the other on a data set and a video of a few seconds."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from page_blocks import REPO
from small_coco import make_coco

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app

TINY = (
    "model.architecture=fasterrcnn_resnet18_fpn",
    "model.weights=none",
    "model.min_size=64",
    "model.max_size=96",
    "model.fpn_channels=16",
    "model.box_head_width=32",
    "train.epochs=1",
    "train.batch_size=4",
    "train.workers=0",
    "validation.workers=1",
    "tracking.kind=none",
)
"""Settings that make training a matter of seconds."""


def _commands() -> list[list[str]]:
    """The lines of the section that call the product, without comments."""
    section = (REPO / "README.md").read_text(encoding="utf-8").split("## Your own data")[1]
    [block] = re.findall(r"```\n(.*?)```", section, re.DOTALL)[:1]
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    return [line[1:] for line in lines if line[0] == "visionllm"]


@pytest.mark.timeout(600)
def test_the_commands_for_own_data_run_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_coco(tmp_path / "coco")
    small = ToyRoomConfig(video_width=160, video_height=120, video_seconds=8.0, fps=5.0)
    [video] = make_toyroom(tmp_path / "room", images=0, videos=1, seed=1, config=small).videos
    shutil.copy(video.path, tmp_path / "visit1.mp4")
    done = []
    for command in _commands():
        if command[0] == "serve":
            continue  # it would not return; tests/server starts it
        found = next(iter((tmp_path / "artifacts").glob("*/model_trainer/fasterrcnn_best.pt")), None)
        words = [
            str(found) if "fasterrcnn_best.pt" in word else word.replace("/data/coco", str(tmp_path / "coco"))
            for word in command
        ]
        tiny = [part for override in TINY for part in ("-o", override)] if command[0] == "run" else []
        # An untrained detector finds nothing to speak of, which is an answer too: 0 is done, 3 would be bad input.
        assert run_app(app, [*words, *tiny]) == 0, (words, capsys.readouterr())
        done.append(command[0])
    assert done == ["init", "run", "analyze", "ask", "lineage"]


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_two_commands_run_as_written_in_a_clean_clone(tmp_path: Path) -> None:
    """`make demo` in full; `make test` up to the tests' start, since this one is among them."""
    section = (REPO / "README.md").read_text(encoding="utf-8").split("## Two commands")[1]
    [block] = re.findall(r"```\n(.*?)```", section, re.DOTALL)[:1]
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(REPO), str(clone)], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "MAKEFLAGS", "PYTEST_CURRENT_TEST")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=clone,
        env=environment | {"PYTEST_ADDOPTS": "--collect-only"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert (clone / "demo" / "report.html").is_file()
    assert re.search(r"\d{4,} .*tests? collected|\d{4,}/\d+ tests collected", done.stdout), done.stdout[-2000:]
