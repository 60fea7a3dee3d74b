"""`visionllm submit`: the job that is shown, and what is refused before Slurm is asked."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.slurm_jobs import recipes_folder


def test_a_dry_run_shows_the_call_and_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--gpus", "1", "--cpus", "8", "--memory", "32G", "--time", "2-00:00:00", "--array", "0-3%2")
    assert run_app(app, ["submit", "tune", "--dry-run", "--json", *options, "--", "-o", "tune.trials=4"]) == 0
    job = json.loads(capsys.readouterr().out)
    assert job["job_id"] is None
    assert job["command"][:2] == ["sbatch", "--parsable"]
    resources = ["--gpus=1", "--cpus-per-task=8", "--mem=32G", "--time=2-00:00:00", "--array=0-3%2"]
    assert job["command"][3:] == [*resources, str(recipes_folder() / "tune.sbatch"), "-o", "tune.trials=4"]
    assert job["command"][2].endswith(f"VISIONLLM_VENV={sys.prefix}")
    assert job["script"].startswith("#!/usr/bin/env bash") and "visionllm tune" in job["script"]


def test_gpus_are_those_of_each_node_where_nodes_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["submit", "train", "--dry-run", "--json", "--nodes", "2", "--gpus", "4"]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    assert {"--nodes=2", "--gpus-per-node=4"} <= set(command) and "--gpus=4" not in command
    assert run_app(app, ["submit", "tune", "--dry-run", "--nodes", "2"]) == 2
    assert "Only a training runs on several nodes together" in capsys.readouterr().err


def test_what_a_single_job_says_goes_to_a_file_with_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of an array the recipe's own name for it would end in 4294967294."""
    assert run_app(app, ["submit", "tune", "--dry-run", "--json"]) == 0
    assert "--output=%x-%j.out" in json.loads(capsys.readouterr().out)["command"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--array", "all"), "--array cannot be read"),
        (("train", "--time", "a day"), "--time cannot be read"),
        (("train", "--memory", "32 GB"), "--memory cannot be read"),
        (("analyze",), "A list of videos is needed first"),
        (("analyze", "--", "not-there.txt"), "A list of videos is needed first"),
        (("train", "--", "-o", "train.epoch=1"), "did you mean 'epochs'?"),
        (("train", "--", "-c", "not-there.yaml"), "not-there.yaml: cannot be read"),
        (("tune", "--", "-o", "artifacts_dir=s3://lab/runs"), "artifacts_dir: Input should be a path of this machine"),
    ],
)
def test_what_slurm_or_the_job_would_not_read_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run_app(app, ["submit", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_machine_without_slurm_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_app(app, ["submit", "train"]) == 2
    assert "--dry-run shows the job" in capsys.readouterr().err


def test_slurms_refusal_is_passed_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a program in sbatch's place, so that the test needs no cluster; test_slurm.py has one."""
    program = tmp_path / "sbatch"
    program.write_text("#!/bin/sh\necho 'invalid partition specified: moon' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run_app(app, ["submit", "train", "--partition", "moon"]) == 4
    assert "invalid partition specified: moon" in capsys.readouterr().err
    program.write_text("#!/bin/sh\necho '4711;cluster'\n")
    assert run_app(app, ["submit", "train", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["job_id"] == "4711"
