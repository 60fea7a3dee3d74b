"""Stopped, killed or out of room at any step: the same command ends in the same bytes."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models import CheckpointInfo, build_model, load_checkpoint, save_checkpoint
from visionllm_interaction.detection.training import checkpoint_resume as resume
from visionllm_interaction.detection.training.checkpoint_resume import RESUME_NAME, Position, read_position
from visionllm_interaction.detection.training.data.datamodule import read_training_data
from visionllm_interaction.detection.training.lightning_module import DetectorModule
from visionllm_interaction.detection.training.trainer import FitResult, fit
from visionllm_interaction.errors import Interrupted, OutputError

EPOCHS, STEPS = 3, 4
NAMES = ("fasterrcnn_last.pt", "fasterrcnn_best.pt")


def go(folder: Path, manifest: Path, seed: int, **changes: Any) -> FitResult:
    folder.mkdir(exist_ok=True)
    settings = tiny_train(**{"epochs": EPOCHS, "batch_size": 2, "seed": seed, "ema_decay": 0.9, **changes})
    data = read_training_data(manifest, settings)
    return fit(model=tiny(), train=settings, data=data, folder=folder, recipe=str(seed))


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES}


def timeless(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["train_loss"] = f"{float(row['train_loss']):.9f}"
    return [{k: v for k, v in row.items() if k in ("epoch", "step", "AP", "AP50", "lr", "train_loss")} for row in rows]


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Any) -> None:
    """``act`` once, in the middle of the step with this number (from 0)."""
    original = DetectorModule.training_step

    def training_step(self: DetectorModule, batch: Any, batch_index: int) -> Any:
        if self.global_step == step:
            act()
        return original(self, batch, batch_index)

    monkeypatch.setattr(DetectorModule, "training_step", training_step)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_signal_ends_the_step_and_the_same_command_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    manifest = write_manifest(tmp_path)
    go(tmp_path / "whole", manifest, seed)
    step = random.Random(seed).choice([n for n in range(EPOCHS * STEPS) if n % STEPS != STEPS - 1])
    number = signal.SIGTERM if seed % 2 else signal.SIGUSR1
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)]
    with monkeypatch.context() as patch:
        at_step(patch, step, lambda: os.kill(os.getpid(), number))
        with pytest.raises(Interrupted, match=number.name) as caught:
            go(tmp_path / "cut", manifest, seed)
    assert caught.value.exit_code == 75
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)] == handlers
    assert read_position(tmp_path / "cut" / RESUME_NAME) == Position(step // STEPS, step % STEPS + 1)
    assert go(tmp_path / "cut", manifest, seed).resumed
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "whole")


def test_a_signal_in_the_last_step_of_an_epoch_stops_after_its_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_manifest(tmp_path)
    at_step(monkeypatch, STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match="after its end"):
        go(tmp_path / "cut", manifest, 0)
    assert read_position(tmp_path / "cut" / RESUME_NAME) == Position(1, 0)
    assert len(timeless(tmp_path / "cut")) == 1


def test_points_within_an_epoch_do_not_change_the_result(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    go(tmp_path / "seldom", manifest, 0, epochs=2)
    go(tmp_path / "often", manifest, 0, epochs=2, resume_every_s=1e-6)
    assert digests(tmp_path / "often") == digests(tmp_path / "seldom")


def test_accumulated_batches_make_fewer_steps(tmp_path: Path) -> None:
    result = go(tmp_path / "a", write_manifest(tmp_path), 0, accumulate=2, epochs=2)
    assert [row["step"] for row in result.rows] == [STEPS // 2, STEPS]


def test_a_full_disk_is_said_loudly_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_manifest(tmp_path)
    go(tmp_path / "whole", manifest, 0)
    real = resume.replace_file

    def full(partial: Path, final: Path) -> None:
        if final.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(partial, final)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "replace_file", full)
        with pytest.raises(OutputError, match="disk is full") as caught:
            go(tmp_path / "cut", manifest, 0)
    assert caught.value.exit_code == 1
    assert not list((tmp_path / "cut").glob("*.partial"))
    load_checkpoint(tmp_path / "cut" / "fasterrcnn_best.pt")
    go(tmp_path / "cut", manifest, 0)
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_train_resume as t
step = int(sys.argv[4])
original = t.DetectorModule.training_step
def training_step(self, batch, batch_index):
    if self.global_step == step:
        os.kill(os.getpid(), getattr(signal, sys.argv[5]))
    return original(self, batch, batch_index)
t.DetectorModule.training_step = training_step
t.go(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[6]), resume_every_s=1e-6)
"""


@pytest.mark.crash
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["SIGKILL", "SIGTERM"])
def test_processes_killed_in_the_middle_of_an_epoch(tmp_path: Path, seed: int, kind: str) -> None:
    manifest = write_manifest(tmp_path)
    go(tmp_path / "whole", manifest, seed)
    step = random.Random(seed + 10).choice([n for n in range(1, EPOCHS * STEPS) if n % STEPS not in (0, STEPS - 1)])
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", KILLED, here, str(tmp_path / "cut"), str(manifest), str(step), kind, str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert ended.returncode == (-signal.SIGKILL if kind == "SIGKILL" else 1), ended.stderr[-2000:]
    expected = Position(step // STEPS, step % STEPS + (kind == "SIGTERM"))
    assert read_position(tmp_path / "cut" / RESUME_NAME) == expected
    assert go(tmp_path / "cut", manifest, seed).resumed
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert timeless(tmp_path / "cut") == timeless(tmp_path / "whole")


KILLED_WRITING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_train_resume as t
t.kill_writers(Path(sys.argv[2]))
"""


@pytest.mark.crash
def test_two_hundred_kills_while_checkpoints_are_written(tmp_path: Path) -> None:
    """In a process of its own: the child of one that has computed with threads waits for threads it does not have."""
    command = [sys.executable, "-c", KILLED_WRITING, str(Path(__file__).parent), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr[-2000:]


def kill_writers(folder: Path) -> None:
    """A forked child writes checkpoint after checkpoint until it is killed; what is there then must load."""
    torch.set_num_threads(1)
    model = build_model(tiny(), num_classes=3)
    categories = Categories.from_pairs([(3, "red"), (8, "blue")])
    path = folder / "fasterrcnn_best.pt"
    save_checkpoint(path, model.state_dict(), info=CheckpointInfo(tiny(), categories, epoch=0))
    rng, seen = random.Random(0), set()
    for _ in range(200):
        child = os.fork()
        if child == 0:
            for epoch in range(1, 10_000):
                save_checkpoint(path, model.state_dict(), info=CheckpointInfo(tiny(), categories, epoch=epoch))
        threading_free_wait(rng.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen.add(load_checkpoint(path)[1].epoch)
    assert len(seen) > 2  # the kills came at different moments


def threading_free_wait(seconds: float) -> None:
    signal.sigtimedwait([], seconds)


@pytest.mark.crash
def test_a_small_disk(tmp_path: Path) -> None:
    """A real file system of 96 MB: the first resume point fits, later ones do not."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    manifest = write_manifest(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    go(tmp_path / "whole", manifest, 0)
    size = sum(file.stat().st_size for file in (tmp_path / "whole").iterdir())
    point = (tmp_path / "whole" / RESUME_NAME).stat().st_size
    limit = size + point // 2  # all of it, but no second resume point beside the first
    mount = ["mount", "-t", "tmpfs", "-o", f"size={limit}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        with pytest.raises(OutputError, match="disk is full"):
            go(disk, manifest, 0)
        assert read_position(disk / RESUME_NAME).epoch >= 1
        load_checkpoint(disk / "fasterrcnn_best.pt")
        subprocess.run(["mount", "-o", f"remount,size={limit * 3}", str(disk)], check=True)
        go(disk, manifest, 0)
        assert digests(disk) == digests(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
