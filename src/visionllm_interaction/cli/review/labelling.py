"""Commands on images to annotate: label suggest, merge, gain."""

# Packages are imported inside the commands, so that other commands start without them.

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides

label = typer.Typer(
    help="Which images to annotate next, their way to CVAT or Label Studio and back, and what it brought.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_SHOWN = 5

ManifestOption = Annotated[
    Path, typer.Option("--data", help="training_manifest.yaml (or data_manifest.yaml) of a run: its data set.")
]


@label.command()
def suggest(
    source: Annotated[
        Path,
        typer.Argument(help="A folder of images or videos, a store, or the manifest itself: images not annotated yet."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the images, the list with reasons, and the tasks.")],
    detector: Annotated[Path, typer.Option(help="The detector that is to become better: a file or a model's name.")],
    data: Annotated[
        Path | None, typer.Option(help="training_manifest.yaml of its run: what is annotated, what is held out.")
    ] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Number of images; default: label.images.")] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Choose the images to annotate next: unsure, unlike one another, of many groups, never held out."""
    from visionllm_interaction.config import load
    from visionllm_interaction.datasets.ingestion.layout.image_group_labels import group_lookup
    from visionllm_interaction.labelling.suggest import suggest_images

    overrides = [*(override or []), *([] if images is None else [f"label.images={images}"])]
    settings = load(config, overrides)
    found = suggest_images(
        source,
        out,
        detector=detector,
        data=data,
        config=settings.label,
        groups_of=group_lookup(settings.data.groups),
    )
    left_out = f"{found.left_out.annotated} annotated and {found.left_out.held_out} held-out ones left out"
    if found.left_out.videos_without_consent:
        left_out += f", and {found.left_out.videos_without_consent} videos without consent"
    lines = [
        f"{len(found.suggestions)} of {found.pool} images in {found.folder}; {left_out}",
        *(f"  {one.image}: {one.reason}" for one in found.suggestions[:_SHOWN]),
        *(
            [f"  and {len(found.suggestions) - _SHOWN} more in suggestions.csv"]
            if len(found.suggestions) > _SHOWN
            else []
        ),
        *([f"note: {found.note}"] if found.note else []),
        f"CVAT: {found.folder}/cvat, Label Studio: {found.folder}/labelstudio, images: {found.folder}/images",
        f"then: visionllm label merge {found.folder} EXPORT --data MANIFEST --out FOLDER",
    ]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


@label.command()
def merge(
    suggestions: Annotated[Path, typer.Argument(help="The folder of `visionllm label suggest`.")],
    files: Annotated[list[Path], typer.Argument(help="Exports: CVAT's XML, Label Studio's JSON, or COCO's JSON.")],
    data: ManifestOption,
    out: Annotated[Path, typer.Option(help="A new folder for the data set, in COCO's layout.")],
    mode: Annotated[
        Literal["register", "hardlink", "copy"],
        typer.Option(help="How images of the data set get there; register: symbolic links."),
    ] = "register",
    add_categories: Annotated[
        bool, typer.Option("--add-categories", help="Take categories that the data does not have as new ones.")
    ] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Read corrected annotations back: the images join those to train on, and the split is kept."""
    from visionllm_interaction.labelling.merge import merge_labels

    found = merge_labels(suggestions, *files, data=data, out=out, mode=mode, add_categories=add_categories)
    categories = ", ".join(f"{name} {count}" for name, count in found.per_category.items()) or "none"
    lines = [
        f"{found.images} images with {found.objects} objects added to train ({categories})",
        *([f"{len(found.not_annotated)} suggested images are not annotated yet"] if found.not_annotated else []),
        *([f"{found.left_out} entries of the files are no boxes and were left out"] if found.left_out else []),
        f"next: {found.next_command}",
    ]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


@label.command()
def gain(
    before: Annotated[Path, typer.Option(help="The checkpoint before the round.")],
    after: Annotated[Path, typer.Option(help="The checkpoint after it.")],
    data: Annotated[Path, typer.Option(help="training_manifest.yaml of a run: its held-out images; or COCO's JSON.")],
    images: Annotated[Path | None, typer.Option(help="Folder of the images, if it is not in COCO's layout.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV (file_name,group): images of one child or session.")] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples for the interval.")] = 1000,
    json_output: JsonFlag = False,
) -> CommandResult:
    """AP before and after a round on the same held-out images, with the paired bootstrap interval of the gain."""
    from visionllm_interaction.labelling.gain import measure_gain

    found = measure_gain(before, after, data=data, images=images, groups=groups, resamples=resamples)
    lines = [
        found.AP.line("AP"),
        found.AP50.line("AP50"),
        *(one.line(f"  {name}") for name, one in found.per_category.items()),
        f"{found.images} held-out images, {found.groups} groups resampled",
        *([f"note: {found.note}"] if found.note else []),
    ]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)
