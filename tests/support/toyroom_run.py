"""A whole run of stages 1-4 on ToyRoom images with a few faults, with a study and an evaluation; half a minute."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_run import TINY

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.detection.evaluation.evaluate import material_of_checkpoint, report_in_depth
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline

FAULTS = {"BOX-NON-POSITIVE", "BOX-NEGATIVE-ORIGIN", "BOX-DUPLICATE"}
"""Codes that :func:`spoil` makes sure of."""


def make_run(folder: Path, *, images: int = 24, epochs: int = 3, seed: int = 5, until: str | None = None) -> Path:
    """Make a data set and run all stages on it, or those up to one.

    Returns:
        The run, in ``folder/artifacts``.
    """
    room = folder / "room"
    if not room.exists():
        make_toyroom(room, images=images, videos=0, seed=seed, config=ToyRoomConfig())
        spoil(room / "annotations" / "instances_train2017.json")
    overrides = [f"data.root={room}", f"artifacts_dir={folder / 'artifacts'}", *TINY, f"train.epochs={epochs}"]
    overrides += ["validation.actions.BOX-DUPLICATE={action: drop}", f"train.seed={seed}"]
    return run_pipeline(load_settings(PipelineSettings, [], overrides), until=until).run


def spoil(annotations: Path) -> None:
    """Boxes without width, beyond the edge, and twice."""
    content = json.loads(annotations.read_text())
    first, second, third, *_ = content["annotations"]
    first["bbox"][2] = -1.0
    second["bbox"][0], second["bbox"][2] = -3.0, second["bbox"][2] + 3.0
    content["annotations"].append({**third, "id": 10_000})
    annotations.write_text(json.dumps(content))


def evaluate_run(run: Path) -> None:
    """Write the evaluation in depth of the best checkpoint into the run."""
    data = run / "data_transformation" / "training_manifest.yaml"
    material = material_of_checkpoint(run / "model_trainer" / "fasterrcnn_best.pt", data)
    report_in_depth(material, run / "evaluation", resamples=200)


def write_study(run: Path) -> None:
    """A study of eight trials of a formula in place of trainings, kept as ``visionllm tune`` keeps one."""
    import optuna

    from visionllm_interaction.detection.tuning.results import RESULT_NAME, study_result

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1), study_name="detector"
    )

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("train.lr", 1e-5, 1e-2, log=True)
        batch = trial.suggest_categorical("train.batch_size", [2, 4, 8])
        return 0.4 - 40 * abs(lr - 2e-3) - 0.01 * batch

    study.optimize(objective, n_trials=8)
    target = run / "tuning" / RESULT_NAME
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(study_result(study, place="journal.log").to_dict()))
