"""Commands for stage 4: train, tune, evaluate."""

# Rooms are imported inside the commands, so that the other commands start without torch.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from visionllm_interaction.cli.output import ConfigFiles, JsonFlag, Outcome, Overrides
from visionllm_interaction.cli.text import as_lines, error_rate_line, stage_table
from visionllm_interaction.errors import UsageError


def train(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Stage 4, with the stages before it brought up to date first."""
    from visionllm_interaction.configuration import load
    from visionllm_interaction.pipeline import run_pipeline

    result = run_pipeline(load(config, override), until="train")
    return Outcome(result, as_lines([stage_table(result), error_rate_line(result)]), json_output)


def tune(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """An Optuna study over the keys in `tune:`; the best values are printed as overrides."""
    from visionllm_interaction.configuration import load
    from visionllm_interaction.pipeline import run_pipeline
    from visionllm_interaction.train.tune import run_study

    settings = load(config, override)
    prepared = run_pipeline(settings, until="transform")
    result = run_study(
        tune=settings.tune,
        model=settings.model,
        train=settings.train,
        tracking=settings.tracking,
        training_manifest=Path(prepared["stages"]["transform"]["manifest"]),
        out=Path(prepared["run"]) / "tuning",
    )
    return Outcome(result, _study_text(result), json_output)


def _study_text(result: dict[str, Any]) -> str:
    best = " ".join(f"-o {key}={value}" for key, value in result["best_params"].items())
    return as_lines([f"{len(result['trials'])} trials, best AP {result['best_value']:.3f}", best])


def evaluate(
    checkpoint: Annotated[Path | None, typer.Option(help="A .pt checkpoint.")] = None,
    data: Annotated[Path | None, typer.Option(help="training_manifest.yaml of a run.")] = None,
    truth: Annotated[Path | None, typer.Option(help="COCO annotations.")] = None,
    detections: Annotated[Path | None, typer.Option(help="COCO results.")] = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """The twelve COCO figures: of a checkpoint on data, or of a results file against truth."""
    from visionllm_interaction.train.evaluate import evaluate_checkpoint, evaluate_files

    if checkpoint and data:
        result = evaluate_checkpoint(checkpoint, data)
    elif truth and detections:
        result = evaluate_files(truth, detections)
    else:
        raise UsageError(
            "Nothing to evaluate.",
            expected="--checkpoint F --data MANIFEST, or --truth COCO.json --detections RESULTS.json",
            found="neither pair",
        )
    return Outcome(result, error_rate_line(result), json_output)


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    for command in (train, tune, evaluate):
        app.command()(command)
