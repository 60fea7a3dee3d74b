"""The loop: what it leaves behind, that resuming is exact, that a diverging loss is named."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.models import load_checkpoint
from visionllm_interaction.detection.training.callbacks import RampedWeightAveraging, Row
from visionllm_interaction.detection.training.checkpoint_resume import RESUME_NAME
from visionllm_interaction.detection.training.data.datamodule import TrainingData, read_training_data
from visionllm_interaction.detection.training.trainer import FitResult, Length, fit
from visionllm_interaction.errors import AnnotationError, TrainingDiverged


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    return read_training_data(write_manifest(tmp_path), tiny_train())


def go(folder: Path, data: TrainingData, *, recipe: str = "a", on_epoch: Any = None, **changes: Any) -> FitResult:
    folder.mkdir(exist_ok=True)
    return fit(model=tiny(), train=tiny_train(**changes), data=data, folder=folder, recipe=recipe, on_epoch=on_epoch)


def weights(folder: Path, name: str = "fasterrcnn_last.pt") -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / name)[0].state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


class Killed(Exception):
    """Stands for kill -9: nothing in the loop may handle it."""


def die_after(epoch: int) -> Any:
    def on_epoch(row: Row) -> None:
        if row["epoch"] == epoch:
            raise Killed

    return on_epoch


@pytest.mark.parametrize(
    "changes", [{}, {"ema_decay": 0.9}, {"patience": 9}], ids=["plain", "averaged", "with patience"]
)
def test_a_resumed_training_ends_in_the_same_weights(tmp_path: Path, data: TrainingData, changes: Any) -> None:
    whole = go(tmp_path / "whole", data, **changes)
    # dies after the figures of epoch 3 are known but before its resume point is written: epoch 3 is done again
    with pytest.raises(Killed):
        go(tmp_path / "cut", data, on_epoch=die_after(3), **changes)
    resumed = go(tmp_path / "cut", data, **changes)
    assert resumed.resumed and not whole.resumed
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    timeless = [{k: v for k, v in r.items() if k not in ("seconds", "images_per_s")} for r in whole.rows]
    assert timeless == [{k: v for k, v in r.items() if k not in ("seconds", "images_per_s")} for r in resumed.rows]
    assert (whole.best.epoch, whole.best.metrics) == (resumed.best.epoch, resumed.best.metrics)


def test_a_finished_training_is_not_done_again(tmp_path: Path, data: TrainingData) -> None:
    first = go(tmp_path / "a", data)
    before = (tmp_path / "a" / "fasterrcnn_last.pt").read_bytes()
    again = go(tmp_path / "a", data)
    assert again.resumed and again.rows == first.rows and again.best.epoch == first.best.epoch
    assert (tmp_path / "a" / "fasterrcnn_last.pt").read_bytes() == before


def test_another_recipe_starts_clean(tmp_path: Path, data: TrainingData) -> None:
    with pytest.raises(Killed):
        go(tmp_path / "a", data, on_epoch=die_after(2))
    assert (tmp_path / "a" / RESUME_NAME).exists()
    result = go(tmp_path / "a", data, recipe="b", epochs=1)
    assert not result.resumed and [row["epoch"] for row in result.rows] == [1]


def test_a_damaged_resume_point_never_appears_under_its_name(tmp_path: Path, data: TrainingData) -> None:
    go(tmp_path / "a", data, epochs=1)
    state = torch.load(tmp_path / "a" / RESUME_NAME, weights_only=True)
    assert state["epoch"] == 0 and not list((tmp_path / "a").glob("*.partial"))


def test_checkpoints_say_what_they_are(tmp_path: Path, data: TrainingData) -> None:
    result = go(tmp_path / "a", data)
    _, best = load_checkpoint(tmp_path / "a" / "fasterrcnn_best.pt")
    _, last = load_checkpoint(tmp_path / "a" / "fasterrcnn_last.pt")
    assert last.epoch == 3 and best.epoch == result.best.epoch
    assert best.metrics["AP"] == max(row["AP"] for row in result.rows)
    assert best.categories.names == ("red", "blue") and best.model == tiny()
    with (tmp_path / "a" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert float(rows[-1]["AP"]) == result.rows[-1]["AP"]
    assert {"train_loss", "classifier", "box_reg", "objectness", "rpn_box_reg", "lr", "step"} <= rows[0].keys()


def test_averaged_weights_are_what_is_kept(tmp_path: Path, data: TrainingData) -> None:
    go(tmp_path / "plain", data, epochs=1)
    go(tmp_path / "averaged", data, epochs=1, ema_decay=0.9)
    trained = torch.load(tmp_path / "averaged" / RESUME_NAME, weights_only=True)["current_model_state"]
    plain = weights(tmp_path / "plain")
    assert all(torch.equal(value, trained[f"detector.{key}"]) for key, value in plain.items())
    assert not same(plain, weights(tmp_path / "averaged"))


def test_the_average_has_a_decay_that_rises_with_the_steps(
    tmp_path: Path, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "roi_heads.box_predictor.cls_score.weight"
    trained: list[torch.Tensor] = []
    after_batch = RampedWeightAveraging.on_train_batch_end

    def record(self: Any, trainer: Any, pl_module: Any, *event: Any) -> None:
        if trainer.global_step > len(trained):
            trained.append(pl_module.detector.state_dict()[key].clone())
        after_batch(self, trainer, pl_module, *event)

    monkeypatch.setattr(RampedWeightAveraging, "on_train_batch_end", record)
    # two batches to a step: the average moves with the steps, as the setting says, not with the batches
    go(tmp_path / "a", data, epochs=2, batch_size=2, accumulate=2, ema_decay=0.15)
    assert len(trained) == 4
    average = trained[0]
    for n, value in enumerate(trained[1:], start=1):
        decay = min(0.15, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * value
    torch.testing.assert_close(weights(tmp_path / "a")[key], average)


def test_the_last_epoch_is_evaluated_whatever_the_rhythm(tmp_path: Path, data: TrainingData) -> None:
    result = go(tmp_path / "a", data, validate_every_epochs=2)
    assert [("AP" in row) for row in result.rows] == [False, True, True]


def test_training_stops_when_nothing_gets_better_and_stays_stopped(tmp_path: Path, data: TrainingData) -> None:
    # a step so small changes no metric: no epoch is better than the first
    changes: dict[str, Any] = {"epochs": 9, "patience": 2, "lr": 1e-12, "schedule": "constant", "zoom": (1.0, 1.0)}
    first = go(tmp_path / "a", data, **changes)
    assert (len(first.rows), first.best.epoch) == (3, 1)
    assert load_checkpoint(tmp_path / "a" / "fasterrcnn_last.pt")[1].epoch == 3
    before = (tmp_path / "a" / "fasterrcnn_last.pt").read_bytes()
    again = go(tmp_path / "a", data, **changes)
    assert again.resumed and len(again.rows) == 3
    assert (tmp_path / "a" / "fasterrcnn_last.pt").read_bytes() == before


def test_epochs_without_evaluation_do_not_use_up_patience(tmp_path: Path, data: TrainingData) -> None:
    changes: dict[str, Any] = {"lr": 1e-12, "schedule": "constant", "zoom": (1.0, 1.0), "validate_every_epochs": 2}
    result = go(tmp_path / "a", data, epochs=9, patience=1, **changes)
    assert ["AP" in row for row in result.rows] == [False, True, False, True]


def test_the_best_epoch_by_validation_loss(tmp_path: Path, data: TrainingData) -> None:
    plain = go(tmp_path / "plain", data)
    result = go(tmp_path / "a", data, monitor="val_loss")
    losses = {row["epoch"]: row["val_loss"] for row in result.rows}
    assert result.best.epoch == min(losses, key=lambda epoch: losses[epoch])
    assert load_checkpoint(tmp_path / "a" / "fasterrcnn_best.pt")[1].metrics["val_loss"] == min(losses.values())
    # taking the loss changes neither weights nor statistics
    assert [row["AP"] for row in result.rows] == [row["AP"] for row in plain.rows]
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "a"))


def test_a_figure_that_cannot_be_computed_decides_nothing(tmp_path: Path, data: TrainingData) -> None:
    with pytest.raises(AnnotationError, match=r"train\.monitor"):
        go(tmp_path / "a", data, monitor="APl")  # there are no large objects


@pytest.mark.parametrize(
    ("changes", "images", "expected"),
    [
        ({"epochs": 5, "batch_size": 4}, 18, Length(5, 4)),  # the incomplete last batch is left out …
        ({"epochs": 5, "batch_size": 16}, 18, Length(5, 2)),  # … unless it is half of all there is
        ({"epochs": 5, "batch_size": 4, "max_steps": 3}, 18, Length(1, 3)),
        ({"epochs": 5, "batch_size": 4, "max_steps": 6}, 18, Length(2, 3)),
        ({"epochs": 5, "batch_size": 4, "max_steps": 99}, 18, Length(5, 4)),
    ],
)
def test_length(changes: dict[str, int], images: int, expected: Length) -> None:
    assert Length.of(tiny_train(**changes), images) == expected


def test_max_steps_stops_and_still_evaluates(tmp_path: Path, data: TrainingData) -> None:
    result = go(tmp_path / "a", data, max_steps=1)
    assert [(row["step"], "AP" in row) for row in result.rows] == [(1, True)]


def test_a_loss_that_is_no_number_names_epoch_step_and_pictures(tmp_path: Path, data: TrainingData) -> None:
    with pytest.raises(TrainingDiverged, match=r"epoch 1, step \d, image ids \[1\d, ") as caught:
        go(tmp_path / "a", data, lr=1e20, clip_norm=0.0, optimizer="sgd", schedule="constant", epochs=20)
    assert "lower train.lr" in str(caught.value)


def test_training_learns(tmp_path: Path, data: TrainingData) -> None:
    result = go(tmp_path / "a", data, epochs=12, lr=0.002, zoom=(1.0, 1.0), photometric=0.0)
    losses = [row["train_loss"] for row in result.rows]
    assert losses[-1] < 0.6 * losses[0]


def test_nothing_is_said_on_stdout_and_each_epoch_on_stderr(
    tmp_path: Path, data: TrainingData, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path / "a", data, epochs=2)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("AP50" in line and "images/s" in line for line in lines)
