"""Commands on stores: export, import, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import JsonFlag, Outcome
from visionllm_interaction.errors import UsageError

StoreOption = Annotated[Path, typer.Option("--store", help="The interaction store's folder.")]


def export(
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="eaf, boris, datavyu, textgrid, csv, parquet, coco, json, mp4, rrd or a plug-in's."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder; one file per video.")],
    store: StoreOption = Path("store"),
    video: Annotated[str | None, typer.Option(help="Only this video_id.")] = None,
    pictures: Annotated[bool, typer.Option(help="COCO: write the frames as JPEG as well.")] = False,
    every_s: Annotated[float, typer.Option(min=0.0, help="COCO: least time between two frames.")] = 0.0,
    json_output: JsonFlag = False,
) -> Outcome:
    """Write what is known of each video for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated film."""
    from visionllm_interaction.interop.registry import export as export_store

    result = export_store(store, out, format=format_, video_id=video, images=pictures, every_s=every_s)
    lines = [f"wrote {file.path}" for file in result.files]
    return Outcome(result.to_dict(), as_lines(lines), json_output)


def import_(
    file: Annotated[
        Path, typer.Argument(help="An .eaf, .boris, .opf, .TextGrid, .csv or .parquet file, or a plug-in's.")
    ],
    video: Annotated[str, typer.Option(help="The video_id that was coded.")],
    store: StoreOption = Path("store"),
    kind: Annotated[
        list[str] | None, typer.Option(metavar="TIER=KIND", help="KIND: speech, gaze, naming or code.")
    ] = None,
    participant: Annotated[
        list[str] | None, typer.Option(metavar="TIER=WHO", help="WHO: a role or category, for example child.")
    ] = None,
    observation: Annotated[str | None, typer.Option(help="Which one, if the file holds several (BORIS).")] = None,
    json_output: JsonFlag = False,
) -> Outcome:
    """Add what people coded in another program to a video, so that measures can use it."""
    from visionllm_interaction.interop.import_codes import import_codes

    result = import_codes(
        file,
        store,
        video_id=video,
        kinds=_pairs(kind, "--kind"),
        participants=_pairs(participant, "--participant"),
        observation=observation,
    )
    lines = [
        f"{name}: {tier.codes} of kind {tier.kind}" + (f", {tier.participant}" if tier.participant else "")
        for name, tier in result.tiers.items()
    ]
    return Outcome(result.to_dict(), as_lines([*lines, f"{result.codes} imported"]), json_output)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in texts or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise UsageError(f"{option} is not understood.", expected=f"{option} TIER=…", found=f"{name}{sign}{value}")
    return {name: value for name, _, value in pairs}


def migrate(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> Outcome:
    """Bring a store of an older version up to this one; nothing is analysed again."""
    from visionllm_interaction.store.migrations import migrate_store

    before, after = migrate_store(store)
    text = f"{store} is of version {after}" + (f", was {before}" if before != after else " already")
    return Outcome({"store": str(store), "before": before, "after": after}, text, json_output)
