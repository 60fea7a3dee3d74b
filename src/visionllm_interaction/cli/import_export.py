"""Commands on stores: export, import, sync, migrate, copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import (
    ByOption,
    CameraOption,
    CommandResult,
    ConfigFiles,
    JsonFlag,
    Overrides,
    SessionOption,
    StoreOption,
    ValuesOption,
    session_choice,
)
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.interop.gaze.import_gaze import GazeResult
    from visionllm_interaction.interop.import_codes import ImportResult
    from visionllm_interaction.interop.motion.import_motion import MotionResult
    from visionllm_interaction.interop.sync.sync_recordings import RecordingSync


def export(
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="eaf, boris, datavyu, textgrid, bids, csv, parquet, coco, json, mp4, rrd or a plug-in's."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder; one file per video.")],
    store: StoreOption = Path("store"),
    video: Annotated[str | None, typer.Option(help="Only this video_id.")] = None,
    by: ByOption = "video",
    session: SessionOption = None,
    camera: CameraOption = None,
    values: ValuesOption = None,
    pictures: Annotated[bool, typer.Option(help="COCO: also write the frames as JPEG.")] = False,
    every_s: Annotated[float, typer.Option(min=0.0, help="COCO: least time between two frames.")] = 0.0,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Export results for ELAN, BORIS, Datavyu, Praat, R, CVAT or Rerun, or as an annotated video."""
    from visionllm_interaction.interop.registry import export as export_store

    result = export_store(
        store,
        out,
        format=format_,
        video_id=video,
        images=pictures,
        every_s=every_s,
        sessions=session_choice(by, session, camera),
        values=values or "corrected",
    )
    lines = [f"wrote {file.path}" for file in result.files]
    return CommandResult(result.to_dict(), as_lines(lines), json_output)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of ELAN, BORIS, Datavyu or Praat, RTTM, LENA's, CHAT's or Whisper's, subtitles, a table, a "
            "plug-in's, the folder of an eye tracker, a GoPro video, or BabyView's imu.csv."
        ),
    ],
    video: Annotated[str | None, typer.Option(help="The video_id that was coded, or the video's path.")] = None,
    session: Annotated[str | None, typer.Option(help="The session that was coded, in place of a video.")] = None,
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
    wearer: Annotated[str, typer.Option(help="Of an eye tracker or a GoPro: who wears it.")] = "child",
    camera: Annotated[
        str | None, typer.Option(help="Of an eye tracker in a session: which camera is its scene camera.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option(help="Import the rest where rows cannot be used, and list those.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Import codes from another program, so that measures can use them."""
    from visionllm_interaction.config import load
    from visionllm_interaction.interop.formats.clock_times import parse_intervals
    from visionllm_interaction.interop.gaze.import_gaze import import_gaze, is_gaze
    from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
    from visionllm_interaction.interop.motion.import_motion import import_motion, is_motion
    from visionllm_interaction.interop.sessions.import_codes_and_gaze import import_session_codes, import_session_gaze
    from visionllm_interaction.store.recordings.clocks import Clock
    from visionllm_interaction.store.video_identity import resolve_video

    _check_one_place(video, session)
    video_id = resolve_video(store, video) if video else ""
    clock = Clock(offset_s or 0.0, drift_ppm)
    if is_motion(file):
        if session:
            raise UsageError(
                "Motion sensors belong to the video of their camera.",
                expected="--video ID: each chapter has its own sensors",
                found=f"--session {session}",
                where=str(file),
                fix="import the file of each chapter for its own video",
            )
        motion = import_motion(file, store, video_id=video_id, wearer=wearer, clock=clock)
        return CommandResult(motion.to_dict(), as_lines(_motion_lines(motion)), json_output)
    if is_gaze(file):
        if session:
            gaze = import_session_gaze(file, store, session=session, camera=camera, wearer=wearer, clock=clock)
        else:
            gaze = import_gaze(file, store, video_id=video_id, wearer=wearer, clock=clock)
        return CommandResult(gaze.to_dict(), as_lines(_gaze_lines(gaze)), json_output)
    options = ImportOptions(
        kinds=_pairs(kind, "--kind"),
        participants=_pairs(participant, "--participant"),
        speakers=_pairs(speaker, "--speaker"),
        observation=observation,
        medium=medium,
        columns=columns,
        skip_bad=skip_bad,
        coded=parse_intervals(coded, "--coded") if coded else None,
        offset_s=offset_s,
        drift_ppm=drift_ppm,
        on=on,
        naming=naming,
    )
    settings = load(config, override).interop
    if session:
        result = import_session_codes(file, store, session=session, options=options, config=settings)
    else:
        result = import_codes(file, store, video_id=video_id, options=options, config=settings)
    return CommandResult(result.to_dict(), as_lines(_import_lines(result)), json_output)


def _check_one_place(video: str | None, session: str | None) -> None:
    if (video is None) == (session is None):
        raise UsageError(
            "Name a video or a session.", expected="--video ID, or --session NAME", found="both" if video else "neither"
        )


def _gaze_lines(result: GazeResult) -> list[str]:
    lines = [f"{label}: {count} looks" for label, count in sorted(result.looks.items())]
    lines += [f"note: {note}" for note in result.notes]
    return [*lines, f"{result.samples} samples of {result.recording.recording}, {result.lost} of them lost"]


def _motion_lines(result: MotionResult) -> list[str]:
    lines = [f"head of {result.wearer}: moving {result.moving_s:.1f} s, still {result.still_s:.1f} s"]
    lines += [f"{result.marks} HiLight marks"] if result.marks else []
    lines += [f"note: {note}" for note in result.notes]
    samples = f"{result.samples} samples of {result.recording.recording}"
    return [*lines, f"{samples}; places and serial numbers were not read"]


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


def sync(
    recording: Annotated[
        str,
        typer.Argument(
            help="A WAV file or a video with sound; with --offset-s also the name of one, or of a coded file."
        ),
    ],
    video: Annotated[
        str | None, typer.Option(help="The video_id on whose clock it is to lie, or the video's path.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="The session on whose clock it is to lie; --video: by the sound of which video.")
    ] = None,
    store: StoreOption = Path("store"),
    by: Annotated[
        Literal["sound", "flash", "clap", "utc"],
        typer.Option(help="What shows it: their sound, a flash of light, a clap, or the dates in both files."),
    ] = "sound",
    video_zone: Annotated[
        str | None, typer.Option(help="With --by utc: the video's date is local time of this zone, such as +02:00.")
    ] = None,
    recording_zone: Annotated[
        str | None, typer.Option(help="With --by utc: the recording's date is local time of this zone.")
    ] = None,
    offset_s: Annotated[
        float | None, typer.Option(help="Say it by hand: second of the video at which the recording's clock shows 0.")
    ] = None,
    drift_ppm: Annotated[float, typer.Option(help="By hand: millionths by which its seconds are too long.")] = 0.0,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Find how a recording lies on a video's clock; what was imported from it moves along."""
    from visionllm_interaction.interop.sync import sync_recordings as ways
    from visionllm_interaction.store.recordings.clocks import Clock
    from visionllm_interaction.store.video_identity import resolve_video

    if session is None:
        _check_one_place(video, session)
    video_id = resolve_video(store, video) if video else None
    if offset_s is None and drift_ppm:
        raise UsageError("A drift needs an offset.", expected="--offset-s beside --drift-ppm", found="no offset")
    _check_way(by, offset_s=offset_s, zones=(video_zone, recording_zone), session=session)
    clock = None if offset_s is None else Clock(offset_s, drift_ppm)
    reference = video if video and Path(video).is_file() else None
    if session is not None:
        result = ways.sync_with_session(
            store, session=session, recording=recording, clock=clock, video_id=video_id, reference=reference
        )
    elif clock is not None:
        result = ways.sync_by_hand(store, video_id=str(video_id), recording=recording, clock=clock)
    elif by == "utc":
        result = ways.sync_by_dates(
            store,
            video_id=str(video_id),
            other=recording,
            reference=reference,
            video_zone=video_zone,
            recording_zone=recording_zone,
        )
    else:
        way = {"sound": ways.sync_by_sound, "flash": ways.sync_by_flash, "clap": ways.sync_by_clap}[by]
        result = way(store, video_id=str(video_id), other=recording, reference=reference)
    return CommandResult(result.to_dict(), _sync_text(result), json_output)


def _check_way(by: str, *, offset_s: float | None, zones: tuple[str | None, ...], session: str | None) -> None:
    if offset_s is not None and by != "sound":
        raise UsageError("The clock is given twice.", expected="--offset-s or --by", found=f"--offset-s and --by {by}")
    if by != "utc" and any(zones):
        raise UsageError("A zone is of dates only.", expected="--by utc beside it", found=f"--by {by}")
    if session is not None and by != "sound":
        raise UsageError(
            "A session's recording is found by its sound.",
            expected="--by sound, or --offset-s",
            found=f"--by {by}",
            fix=f"sync it with one video of the session: --video ID --by {by}",
        )


def _sync_text(result: RecordingSync) -> str:
    found = result.recording
    clock_text = f"offset {found.offset_s:+.3f} s, drift {found.drift_ppm:+.1f} ppm"
    lines = [f"{found.recording}: {clock_text}, by {found.known_by}"]
    if found.residual_s is not None:
        lines.append(f"within {found.residual_s:.3f} s")
    if result.alignment is not None:
        lines[-1] += f"; {result.alignment.agreeing} of {result.alignment.windows} parts of the sound agree"
    lines += result.notes
    lines += [f"outside the video now: {item.code.code_id}: {item.reason}" for item in result.outside]
    return as_lines(lines)


def migrate(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """Migrate a store of an older version to the present one; nothing is analysed again."""
    from visionllm_interaction.store.migrations import migrate_store

    before, after = migrate_store(store)
    text = f"{store} has version {after}" + (f", before {before}" if before != after else " already")
    return CommandResult({"store": str(store), "before": before, "after": after}, text, json_output)


def copy(
    source: Annotated[str, typer.Argument(help="A store, a run's folder or another folder, or s3://BUCKET/PREFIX.")],
    target: Annotated[str, typer.Argument(help="The other of the two; nothing may be there yet.")],
    json_output: JsonFlag = False,
) -> CommandResult:
    """Copy a store or a run's folder to an object store, or back: whole, and checked against its digests."""
    from visionllm_interaction.store.object_storage.copying import copy_folder

    result = copy_folder(source, target)
    return CommandResult(result.to_dict(), str(result), json_output)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Read pairs of a name and what it means.

    Args:
        texts: each ``NAME=MEANING``; the name may hold further equals signs.
        option: the option that has them, for messages.

    Returns:
        Name → meaning.

    Raises:
        UsageError: if one is no pair.
    """
    pairs = [text.rpartition("=") for text in texts or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise UsageError(f"{option} cannot be read.", expected=f"{option} NAME=…", found=f"{name}{sign}{value}")
    return {name: value for name, _, value in pairs}
