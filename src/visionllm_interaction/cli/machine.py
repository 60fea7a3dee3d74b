"""Commands on this machine and others: doctor, submit, bundle make, bundle verify."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides

if TYPE_CHECKING:
    from visionllm_interaction.offline_bundle import Bundle


def doctor(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Check this machine: versions, GPU, codecs, endpoints, disk, plug-ins."""
    from visionllm_interaction.config import load
    from visionllm_interaction.machine_checks import run_diagnostics

    checks = run_diagnostics(load(config, override))
    lines = [f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}" for check in checks]
    fixes = [f"{'     ' if check.ok else 'TODO '}{check.name}: {check.fix}" for check in checks if check.fix]
    passed = all(check.ok for check in checks)
    result = {"ok": passed, "checks": [check.to_dict() for check in checks]}
    return CommandResult(result, as_lines([*lines, *fixes]), json_output, 0 if passed else 1)


def submit(
    recipe: Annotated[Literal["train", "tune", "analyze"], typer.Argument(help="Stages 1-4, a study, or videos.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="After --: options of `visionllm run` or `tune`; or a list of videos and `analyze`'s."),
    ] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="With --nodes: of each node.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Nodes that train together.")] = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="Cores.")] = None,
    memory: Annotated[str | None, typer.Option(help="For example 32G.")] = None,
    time: Annotated[str | None, typer.Option(help="Limit, for example 24:00:00; then it queues itself again.")] = None,
    array: Annotated[str | None, typer.Option(help="Several jobs that share the work, for example 0-15.")] = None,
    partition: Annotated[str | None, typer.Option(help="Part of the cluster.")] = None,
    account: Annotated[str | None, typer.Option(help="Who pays.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the job, and submit nothing.")] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Train, tune or analyse as a job of a Slurm cluster; --dry-run shows the job."""
    from visionllm_interaction.slurm_jobs import SlurmResources, prepare_job, submit_job

    resources = SlurmResources(gpus, nodes, cpus, memory, time, array, partition, account)
    job = prepare_job(recipe, arguments or (), resources)
    if not dry_run:
        job = submit_job(job)
        return CommandResult(job.to_dict(), f"job {job.job_id}; see it with: squeue -j {job.job_id}", json_output)
    return CommandResult(job.to_dict(), as_lines([f"$ {shlex.join(job.command)}", "", job.script]), json_output)


bundle = typer.Typer(
    help="A folder that installs this program on a machine without a network.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@bundle.command()
def make(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    extra: Annotated[list[str] | None, typer.Option(help="An extra to install, for example serve. Repeatable.")] = None,
    model: Annotated[list[Path] | None, typer.Option(help="A detector or other model to take along.")] = None,
    wheel: Annotated[Path | None, typer.Option(help="The wheel of this program; default: as it is installed.")] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Gather wheels (with pip), models and settings, with a digest of each file and a script that installs them."""
    from visionllm_interaction.offline_bundle import make_bundle

    made = make_bundle(folder, extras=extra or (), models=model or (), wheel=wheel)
    steps = ["Copy the folder, then:  sh install.sh ENVIRONMENT", f"digest of SHA256SUMS, to compare: {made.digest}"]
    return CommandResult(_as_json(made), as_lines([_described(made), *steps]), json_output)


@bundle.command()
def verify(folder: Annotated[Path, typer.Argument(help="A bundle.")], json_output: JsonFlag = False) -> CommandResult:
    """Compare every file of a bundle with its digest; a difference exits with code 3."""
    from visionllm_interaction.offline_bundle import verify_bundle

    found = verify_bundle(folder)
    return CommandResult(_as_json(found), f"{_described(found)}, all as made; digest {found.digest}", json_output)


def _described(made: Bundle) -> str:
    return f"{made.folder}: {made.files} files, {made.bytes / 1e6:.0f} MB"


def _as_json(made: Bundle) -> dict[str, object]:
    return {**asdict(made), "folder": str(made.folder), "extras": list(made.extras)}
