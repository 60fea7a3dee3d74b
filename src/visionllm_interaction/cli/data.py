"""Commands for stages 1-3 and the whole pipeline: init, run, ingest, validate, faults, transform, lineage, verify."""

# Packages are imported inside the commands, so that `visionllm --help` and an up-to-date run start without torch.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines, metrics_line, stage_table
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides

if TYPE_CHECKING:
    from visionllm_interaction.pipeline import PipelineResult


def init(
    folder: Annotated[Path, typer.Argument(help="The parent folder of config/.")] = Path(),
    data: Annotated[
        Path | None, typer.Option(help="A data set (folder, archive or annotation file) whose settings to write.")
    ] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write config/*.yaml to edit, with every key explained; --data adds settings for a data set."""
    from visionllm_interaction.config_init import write_config_files

    files = write_config_files(folder, data=data)
    lines = [f"wrote {path}" for path in files.written] + [f"kept  {path} (exists)" for path in files.kept]
    if files.proposal:
        settings = [f"  {'.'.join(s.key)}: {s.value}  ({s.why})" for s in files.proposal.settings]
        lines += [files.proposal.found, *settings, "next: visionllm run"]
    return CommandResult(files.to_dict(), as_lines(lines), json_output)


def run_until(until: str | None, config: list[Path] | None, overrides: list[str] | None) -> PipelineResult:
    """Run the pipeline up to one stage. The worker processes of a distributed training only join its stage 4.

    Args:
        until: the last stage to build; ``None``: all stages.
        config: the files named with ``-c``.
        overrides: the texts given with ``-o``.

    Returns:
        The run and its stages.

    Raises:
        typer.Exit: in a worker process, when the training is over.
    """
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


def run(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Stages 1-4: ingest, validate, transform, train. Skips what is up to date; a killed run continues."""
    result = run_until(None, config, override)
    return CommandResult(result.to_dict(), as_lines([stage_table(result), metrics_line(result.to_dict())]), json_output)


def ingest(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Stage 1: ingest a COCO-style source into data_manifest.yaml. The raw data is only read."""
    result = run_until("ingest", config, override)
    return CommandResult(result.to_dict(), stage_table(result), json_output)


def validate(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Stages 1-2: check the data against the policy in config/schema.yaml, and write a report on PASS and FAIL."""
    from visionllm_interaction.config import load
    from visionllm_interaction.pipeline import run_validation

    result = run_validation(load(config, override))
    issues = [f"  {code}: {count}" for code, count in result.issues.items()] or ["  no issues"]
    size = f"{result.images} images, {result.annotations} annotations"
    text = as_lines([f"{result.status}  {size}", *issues, f"report: {result.report}"])
    return CommandResult(result.to_dict(), text, json_output, 0 if result.passed else 3)


def transform(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Stages 1-3: write cleaned annotations and the training manifest."""
    result = run_until("transform", config, override)
    return CommandResult(result.to_dict(), stage_table(result), json_output)


def faults(
    code: Annotated[str | None, typer.Argument(help="An issue code, for example BOX-OUT-OF-BOUNDS.")] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """The catalogue of issues: meaning, example, harm, remedy and default policy of one code, or a list of all."""
    from visionllm_interaction.datasets.validation import catalogue_text as explain
    from visionllm_interaction.datasets.validation.catalogue import CATALOGUE

    if code is None:
        return CommandResult({"faults": [explain.entry(name) for name in CATALOGUE]}, explain.list_text(), json_output)
    return CommandResult(explain.entry(code), explain.entry_text(code), json_output)


def lineage(
    file: Annotated[Path, typer.Argument(help="Any artifact of a run, for example …/fasterrcnn_best.pt.")],
    json_output: JsonFlag = False,
) -> CommandResult:
    """Trace an artifact back to the raw data and check every digest; a broken link exits with code 3."""
    from visionllm_interaction.artifacts.lineage import trace

    chain = trace(file)
    return CommandResult(chain.to_dict(), chain.to_text(), json_output)


def cards(
    path: Annotated[Path, typer.Argument(help="A run folder or any file in it.")],
    out: Annotated[Path, typer.Option(help="Folder for data_card.md and model_card.md.")] = Path("cards"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write a data card and a model card of a run, from its manifests."""
    from visionllm_interaction.artifacts.cards import make_cards

    written = [str(file) for file in make_cards(path).write(out)]
    return CommandResult({"cards": written}, as_lines(written), json_output)


def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A run folder or any file in it. Default: the newest run.")
    ] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Hash every raw file again and compare it with the index of stage 1; any difference exits with code 3."""
    from visionllm_interaction.config import load
    from visionllm_interaction.datasets.ingestion.layout.raw_data_verification import find_manifest
    from visionllm_interaction.datasets.ingestion.layout.raw_data_verification import verify as verify_raw

    artifacts_dir = load(config, override).artifacts_dir
    found = verify_raw(find_manifest(path, artifacts_dir))
    head = f"{'unchanged' if found.same else 'CHANGED'}  {found.files} files, {found.bytes} bytes in {found.root}"
    changes = [f"  {change.kind}: {change.path}" for change in found.changes[:20]]
    rest = [f"  and {len(found.changes) - 20} more"] if len(found.changes) > 20 else []
    return CommandResult(found.to_dict(), as_lines([head, *changes, *rest]), json_output, 0 if found.same else 3)
