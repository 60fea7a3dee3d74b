"""Commands for stages 1-3 and the whole pipeline: init, toyroom, run, ingest, validate, faults, transform, lineage."""

# Rooms are imported inside the commands, so that `visionllm --help` and an up-to-date run start without torch.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm_interaction.cli.formatting import as_lines, error_rate_line, stage_table
from visionllm_interaction.cli.output import ConfigFiles, JsonFlag, Outcome, Overrides

if TYPE_CHECKING:
    from visionllm_interaction.pipeline import PipelineResult


def init(
    folder: Annotated[Path, typer.Argument(help="Where to put config/.")] = Path(),
    data: Annotated[
        Path | None, typer.Option(help="Own data (folder, archive or annotation file): write the settings it needs.")
    ] = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """Write config/*.yaml to edit, every key explained; with --data, settings that work for that data."""
    from visionllm_interaction.config_init import write_config_files

    files = write_config_files(folder, data=data)
    lines = [f"wrote {path}" for path in files.written] + [f"kept  {path} (exists)" for path in files.kept]
    result: dict[str, Any] = {"written": list(map(str, files.written)), "kept": list(map(str, files.kept))}
    if files.proposal:
        chosen = {".".join(setting.key): (setting.value, setting.why) for setting in files.proposal.settings}
        result["data"] = {"found": files.proposal.found, "settings": {k: v for k, (v, _) in chosen.items()}}
        lines += [files.proposal.found, *(f"  {key}: {value}  ({why})" for key, (value, why) in chosen.items())]
        lines.append("next: visionllm run")
    return Outcome(result, as_lines(lines), json_output)


def run_until(until: str | None, config: list[Path] | None, overrides: list[str] | None) -> PipelineResult:
    """Bring the stages up to ``until`` up to date; of a helper process of distributed training, join in and exit."""
    from visionllm_interaction.config import load
    from visionllm_interaction.detection.training.distributed import is_worker_rank, release_worker_ranks
    from visionllm_interaction.pipeline import run_pipeline

    if is_worker_rank():
        from visionllm_interaction.detection.training.trainer import fit_as_worker_rank

        fit_as_worker_rank()
        raise typer.Exit
    result = run_pipeline(load(config, overrides), until=until)
    if any(stage.name == "train" and stage.status == "up_to_date" for stage in result.stages):
        release_worker_ranks()
    return result


def run(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Stages 1-4: ingest, validate, transform, train. What is up to date is skipped; a killed run continues."""
    result = run_until(None, config, override).to_dict()
    return Outcome(result, as_lines([stage_table(result), error_rate_line(result)]), json_output)


def ingest(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Stage 1: a COCO-style source → data_manifest.yaml. The raw data is only read."""
    result = run_until("ingest", config, override).to_dict()
    return Outcome(result, stage_table(result), json_output)


def validate(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Stages 1-2: check everything against the policy in config/schema.yaml; report written on PASS and FAIL."""
    from visionllm_interaction.config import load
    from visionllm_interaction.pipeline import run_validation

    result = run_validation(load(config, override))
    faults = [f"  {code}: {count}" for code, count in result["faults"].items()] or ["  no faults"]
    text = as_lines([f"{result['status']}  {result['images']} images, {result['annotations']} annotations", *faults])
    return Outcome(
        result, as_lines([text, f"report: {result['report']}"]), json_output, 0 if result["status"] == "PASS" else 3
    )


def transform(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> Outcome:
    """Stages 1-3: cleaned annotations and the training manifest."""
    result = run_until("transform", config, override).to_dict()
    return Outcome(result, stage_table(result), json_output)


def faults(
    code: Annotated[str | None, typer.Argument(help="A fault code, for example BOX-OUT-OF-BOUNDS.")] = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """The catalogue of faults: meaning, example, harm, remedy and shipped policy; of one code, or the list of all."""
    from visionllm_interaction.datasets.validation import catalogue_text as explain
    from visionllm_interaction.datasets.validation.catalogue import CATALOGUE

    if code is None:
        return Outcome({"faults": [explain.entry(name) for name in CATALOGUE]}, explain.list_text(), json_output)
    return Outcome(explain.entry(code), explain.entry_text(code), json_output)


def lineage(
    file: Annotated[Path, typer.Argument(help="Any artifact of a run, for example …/fasterrcnn_best.pt.")],
    json_output: JsonFlag = False,
) -> Outcome:
    """The chain from an artifact back to the raw data, every digest checked; a broken link ends with exit 3."""
    from visionllm_interaction.artifacts.lineage import trace

    chain = trace(file)
    return Outcome(chain.to_dict(), chain.to_text(), json_output)


def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A run folder or any file in it. Default: the newest run.")
    ] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """Hash every raw file again and compare with what stage 1 wrote down; any difference ends with exit 3."""
    from visionllm_interaction.config import load
    from visionllm_interaction.datasets.ingestion.layout.verification import find_manifest
    from visionllm_interaction.datasets.ingestion.layout.verification import verify as verify_raw

    artifacts_dir = load(config, override).artifacts_dir
    found = verify_raw(find_manifest(path, artifacts_dir))
    head = f"{'unchanged' if found.same else 'CHANGED'}  {found.files} files, {found.bytes} bytes in {found.root}"
    changes = [f"  {change.kind}: {change.path}" for change in found.changes[:20]]
    rest = [f"  and {len(found.changes) - 20} more"] if len(found.changes) > 20 else []
    return Outcome(found.to_dict(), as_lines([head, *changes, *rest]), json_output, 0 if found.same else 3)
