"""Commands for stage 4: train, tune, evaluate, export-model, sync-tracking."""

# Packages are imported inside the commands, so that the other commands start without torch.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from visionllm_interaction.cli.data import run_until
from visionllm_interaction.cli.formatting import (
    as_lines,
    categories_line,
    evaluation_text,
    metrics_line,
    stage_table,
)
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides
from visionllm_interaction.errors import UsageError


def train(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Stage 4: train, after bringing stages 1-3 up to date."""
    result = run_until("train", config, override)
    return CommandResult(result.to_dict(), as_lines([stage_table(result), metrics_line(result.to_dict())]), json_output)


def tune(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Run an Optuna study over the keys in `tune:` and print the best values as overrides."""
    from visionllm_interaction.config import load
    from visionllm_interaction.detection.tuning.runner import run_study
    from visionllm_interaction.pipeline import run_pipeline

    settings = load(config, override)
    prepared = run_pipeline(settings, until="transform")
    result = run_study(
        tune=settings.tune,
        model=settings.model,
        train=settings.train,
        tracking=settings.tracking,
        training_manifest=prepared.stage("transform").manifest,
        out=prepared.run / "tuning",
    ).to_dict()
    return CommandResult(result, _study_text(result), json_output)


def _study_text(result: dict[str, Any]) -> str:
    best = " ".join(f"-o {key}={value}" for key, value in result["best_params"].items())
    found = result["importances"].items()
    importances = ", ".join(f"{key} {value:.2f}" for key, value in found) or f"none, {result['importances_left_out']}"
    plots = ", ".join(result["plots"].values())
    return as_lines(
        [
            f"{len(result['trials'])} trials, best AP {result['best_value']:.3f}",
            best,
            f"importances: {importances}",
            f"plots: {plots}",
        ]
    )


def evaluate(
    checkpoint: Annotated[Path | None, typer.Option(help="A .pt checkpoint, or another detector file.")] = None,
    data: Annotated[Path | None, typer.Option(help="training_manifest.yaml of a run, or COCO annotations.")] = None,
    truth: Annotated[Path | None, typer.Option(help="COCO annotations.")] = None,
    detections: Annotated[Path | None, typer.Option(help="COCO results.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images, if it is not in COCO's layout.")] = None,
    against: Annotated[Path | None, typer.Option(help="A second checkpoint or results file to compare with.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for evaluation.html and evaluation.json.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV (file_name,group): images of one child or session.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="DETECTOR=DATA: a category of the detector that the data calls otherwise."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples for the intervals.")] = 1000,
    pictures: Annotated[int, typer.Option(min=0, help="Number of worst images on the HTML page.")] = 12,
    json_output: JsonFlag = False,
) -> CommandResult:
    """The twelve COCO metrics; with --report also intervals, errors, calibration, slices and an HTML page."""
    from visionllm_interaction.detection.evaluation import evaluate as evaluation
    from visionllm_interaction.detection.evaluation.category_map import parse_map

    mapping = parse_map(map_ or ())
    if checkpoint and data:
        material = evaluation.material_of_checkpoint(checkpoint, data, images=images, mapping=mapping)
        other = evaluation.material_of_checkpoint(against, data, images=images, mapping=mapping) if against else None
    elif truth and detections:
        material = evaluation.material_of_files(truth, detections, images=images, mapping=mapping)
        other = evaluation.material_of_files(truth, against, mapping=mapping) if against else None
    else:
        raise _nothing_to_evaluate()
    if report is None and against is None:
        result = evaluation.compute_metrics(material)
        return CommandResult(result, as_lines([metrics_line(result), categories_line(result)]), json_output)
    result = evaluation.report_in_depth(
        material,
        report,
        groups=groups,
        other=other.subject if other else None,
        resamples=resamples,
        worst_images=pictures,
    )
    return CommandResult(result, as_lines([evaluation_text(result), categories_line(result)]), json_output)


def _nothing_to_evaluate() -> UsageError:
    return UsageError(
        "Nothing to evaluate.",
        expected="--checkpoint F --data MANIFEST, or --truth COCO.json --detections RESULTS.json",
        found="neither pair",
    )


def export_model(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of `visionllm train`.")],
    to: Annotated[Literal["onnx", "openvino", "openvino-int8", "safetensors"], typer.Option(help="The format.")],
    out: Annotated[Path, typer.Option(help="A new file, or a new folder for OpenVINO.")],
    data: Annotated[Path, typer.Option(help="training_manifest.yaml of a run, or COCO annotations.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, if it is not in COCO's layout.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Number of validation images on which both must agree.")] = 16,
    calibration: Annotated[int, typer.Option(min=10, help="Number of training images that calibrate int8.")] = 100,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Export a checkpoint to another format and compare both on real images."""
    from visionllm_interaction.detection.export.export_with_data import export_with_data

    result = export_with_data(
        checkpoint, to, out, data=data, images=images, compared=pictures, calibration=calibration
    ).to_dict()
    parity = result["parity"]
    text = f"{parity['matched']:.1%} of {parity['detections']} detections in common with the original; {result['path']}"
    return CommandResult(result, text, json_output)


def sync_tracking(
    folder: Annotated[Path, typer.Argument(help="A run, or the folder of all runs.")] = Path("artifacts"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Send the records that a tracking server missed while it was unreachable; exits with code 4 if it still is."""
    from visionllm_interaction.detection.experiment_tracking.tracker import sync_tracking as deliver_all

    result = deliver_all(folder).to_dict()
    return CommandResult(
        result, f"{result['delivered']} messages of {result['spools']} trainings delivered", json_output
    )
