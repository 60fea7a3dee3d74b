"""Commands on models: list, get, add ready-made ones; promote one of our own to the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides, progress_console

if TYPE_CHECKING:
    from visionllm_interaction.detection.registry.cache import CachedModel
    from visionllm_interaction.detection.registry.entries import ModelEntry

models = typer.Typer(
    help="Models: ready-made ones listed, fetched, added; a version of your own promoted to the service.",
    no_args_is_help=True,
)


@models.command("list")
def list_(json_output: JsonFlag = False) -> CommandResult:
    """Every ready-made model: what it finds, its size, accuracy and licence, and whether it is on this machine."""
    from visionllm_interaction.detection.registry.acquire import list_models
    from visionllm_interaction.detection.registry.cache import models_folder

    found = list_models()
    width = max(len(entry.name) for entry, _ in found)
    lines = [_line(entry, cached, width) for entry, cached in found]
    lines.append(f"folder: {models_folder()}")
    result = {"folder": str(models_folder()), "models": [_to_dict(entry, cached) for entry, cached in found]}
    return CommandResult(result, as_lines(lines), json_output)


@models.command("get")
def get(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="Names of models; or people, hands, faces, pose, speech.")
    ],
    source: Annotated[
        Path | None, typer.Option("--from", help="A file, package or folder instead of the authors' server.")
    ] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Bring models to this machine. An interrupted download goes on; a wrong file is refused and not kept."""
    from visionllm_interaction.detection.registry.acquire import get_model

    console = progress_console()

    def tell(entry: ModelEntry) -> None:
        console.print(f"{entry.name}: {entry.size}, licence {entry.licence} ({entry.licence_url})", soft_wrap=True)
        console.print(f"from {source or entry.url}", soft_wrap=True)

    brought = [get_model(name, source=source, before=tell) for name in _spelled_out(names)]
    return CommandResult(_result(brought), as_lines(map(_added_line, brought)), json_output)


@models.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(help="Files, packages (.whl, .zip, .tgz) or folders.")],
    name: Annotated[str | None, typer.Option(help="Which model it must be; default: seen by its sha256.")] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Add models from files that are here, recognised by their sha256; nothing is fetched."""
    from visionllm_interaction.detection.registry.acquire import add_model

    added = [model for file in files for model in add_model(file, name=name)]
    return CommandResult(_result(added), as_lines(map(_added_line, added)), json_output)


@models.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="Number of a version in the registry, or latest.")],
    data: Annotated[Path, typer.Option(help="training_manifest.yaml (its validation split), or COCO annotations.")],
    report: Annotated[Path, typer.Option(help="Folder for promotion.json and evaluation.html.")] = Path("promotion"),
    groups: Annotated[Path | None, typer.Option(help="CSV (file_name,group): images of one child or session.")] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Let a version of the registry serve, if it is no worse than the one that does; else exit with code 3."""
    from visionllm_interaction.config import load
    from visionllm_interaction.detection.promotion.promote import promote as promote_version

    settings = load(config, override)
    found = promote_version(
        version,
        data=data,
        report=report,
        tracking=settings.tracking,
        runs_dir=settings.artifacts_dir,
        config=settings.promote,
        groups=groups,
    )
    served = f"{found.candidate.name} version {found.candidate.version} is now {settings.promote.alias}"
    lines = [f"{served}; AP {found.ap:.3f}", *(gate.sentence for gate in found.gates), f"report: {found.report}"]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


def _spelled_out(names: list[str]) -> list[str]:
    """Names of models, for names of models and kinds."""
    from visionllm_interaction.detection.registry.defaults import suggested
    from visionllm_interaction.detection.registry.entries import KINDS

    kinds = {str(kind): kind for kind in KINDS}
    spelled = [[one.name for one in suggested(kinds[name])] if name in kinds else [name] for name in names]
    return [name for group in spelled for name in group]


def _line(entry: ModelEntry, cached: CachedModel | None, width: int) -> str:
    metrics = f"AP {entry.ap['AP']:.3f}" if entry.ap and "AP" in entry.ap else ""
    if not metrics and (value := entry.published.get("AP")):
        metrics = f"(AP {value:.3f})"
    here = "here" if cached else ""
    columns = f"{entry.name:<{width}}  {entry.kind:<6}  {here:<4}  {entry.size:>8}  {metrics:<10}  {entry.licence:<12}"
    return f"{columns}  {entry.finds}"


def _added_line(cached: CachedModel) -> str:
    return f"{cached.entry.name}: {cached.path} ({cached.entry.licence}; finds {cached.entry.finds})"


def _result(found: list[CachedModel]) -> dict[str, Any]:
    return {"models": [_to_dict(cached.entry, cached) for cached in found]}


def _to_dict(entry: ModelEntry, cached: CachedModel | None) -> dict[str, Any]:
    content = entry.model_dump(mode="json")
    if cached is None:
        return {**content, "path": None}
    return {**content, "path": str(cached.path), "path_sha256": cached.file.sha256, "source": cached.source}
