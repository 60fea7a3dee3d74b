"""Commands on stores: export, import, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides, StoreOption
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.interop.import_codes import ImportResult


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
    pictures: Annotated[bool, typer.Option(help="COCO: also write the frames as JPEG.")] = False,
    every_s: Annotated[float, typer.Option(min=0.0, help="COCO: least time between two frames.")] = 0.0,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Export results for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated video."""
    from visionllm_interaction.interop.registry import export as export_store

    result = export_store(store, out, format=format_, video_id=video, images=pictures, every_s=every_s)
    lines = [f"wrote {file.path}" for file in result.files]
    return CommandResult(result.to_dict(), as_lines(lines), json_output)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of ELAN, BORIS, Datavyu or Praat, RTTM, LENA's, CHAT's or Whisper's, subtitles, a table, or "
            "a plug-in's."
        ),
    ],
    video: Annotated[str, typer.Option(help="The video_id that was coded, or the video's path.")],
    store: StoreOption = Path("store"),
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIER=KIND", help="KIND: speech, gaze, naming, word, code, or coded: time that was coded."
        ),
    ] = None,
    participant: Annotated[
        list[str] | None, typer.Option(metavar="TIER=WHO", help="WHO: a role or category, for example child.")
    ] = None,
    speaker: Annotated[
        list[str] | None, typer.Option(metavar="NAME=WHO", help="Who is meant by a name in the file.")
    ] = None,
    observation: Annotated[
        str | None, typer.Option(help="Name of the observation, if the file has several (BORIS, RTTM).")
    ] = None,
    medium: Annotated[
        str | None, typer.Option(help="Which of the recordings that the file names is the video.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Of a table: begin=onset:ms,end=offset,label=category,participant=who, or a preset of interop.columns."
        ),
    ] = None,
    coded: Annotated[
        list[str] | None, typer.Option(metavar="BEGIN-END", help="Time that was coded, in seconds or hh:mm:ss.")
    ] = None,
    offset_s: Annotated[
        float | None, typer.Option(help="Second of the video (or of --on) at which the file's clock shows 0.")
    ] = None,
    drift_ppm: Annotated[float, typer.Option(help="By how many millionths the file's seconds are too long.")] = 0.0,
    on: Annotated[
        str | None, typer.Option(help="The recording that was coded, if not the video; see `visionllm sync`.")
    ] = None,
    naming: Annotated[
        bool | None,
        typer.Option("--naming/--no-naming", help="Words that name a category become naming; default: of transcripts."),
    ] = None,
    skip_bad: Annotated[bool, typer.Option(help="Import the rest where rows cannot be used, and list those.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Import codes from another program, so that measures can use them."""
    from visionllm_interaction.config import load
    from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
    from visionllm_interaction.store.moved import resolve_video

    options = ImportOptions(
        kinds=_pairs(kind, "--kind"),
        participants=_pairs(participant, "--participant"),
        speakers=_pairs(speaker, "--speaker"),
        observation=observation,
        medium=medium,
        columns=columns,
        skip_bad=skip_bad,
        coded=_intervals(coded) if coded else None,
        offset_s=offset_s,
        drift_ppm=drift_ppm,
        on=on,
        naming=naming,
    )
    settings = load(config, override).interop
    result = import_codes(file, store, video_id=resolve_video(store, video), options=options, config=settings)
    return CommandResult(result.to_dict(), as_lines(_import_lines(result)), json_output)


def _import_lines(result: ImportResult) -> list[str]:
    lines = [
        f"{name}: {tier.codes} of kind {tier.kind}" + (f", {tier.participant}" if tier.participant else "")
        for name, tier in result.tiers.items()
    ]
    clock = result.recording
    if clock.offset_s or clock.drift_ppm or clock.follows:
        drift = f", {clock.drift_ppm:g} ppm" if clock.drift_ppm else ""
        lines.append(f"clock: offset {clock.offset_s:+.3f} s{drift} (by {clock.known_by})")
    lines += [f"note: {note}" for note in result.notes]
    lines += [
        f"warning: nobody in the store is called {name!r} ({count} codes); say who it is with --speaker {name!r}=WHO"
        for name, count in result.unmatched.items()
    ]
    lines += [
        f"warning: tier {tier!r} says nobody, so that it is not measured; use --participant {tier!r}=WHO"
        for tier in result.without_participant
    ]
    lines += [f"left out: {row.where}: {row.reason}" for row in result.refused]
    return [*lines, f"{result.codes} imported" + (f", {len(result.refused)} left out" if result.refused else "")]


def _intervals(texts: list[str]) -> list[tuple[float, float]]:
    from visionllm_interaction.interop.formats.clock_times import parse_seconds

    found = []
    for text in texts:
        begin, sign, end = text.partition("-")
        try:
            span = parse_seconds(begin), parse_seconds(end)
        except ValueError as error:
            raise UsageError("--coded cannot be read.", expected="BEGIN-END", found=f"{text}: {error}") from error
        if not sign or span[1] <= span[0]:
            raise UsageError("--coded cannot be read.", expected="an end after its begin", found=text)
        found.append(span)
    return found


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in texts or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise UsageError(f"{option} cannot be read.", expected=f"{option} NAME=…", found=f"{name}{sign}{value}")
    return {name: value for name, _, value in pairs}


def migrate(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """Migrate a store of an older version to the present one; nothing is analysed again."""
    from visionllm_interaction.store.migrations import migrate_store

    before, after = migrate_store(store)
    text = f"{store} has version {after}" + (f", before {before}" if before != after else " already")
    return CommandResult({"store": str(store), "before": before, "after": after}, text, json_output)
