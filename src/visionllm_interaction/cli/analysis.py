"""Commands on videos and stores: analyze, ledger, measures, erase, blur, heads."""

# Packages are imported inside the commands, so that a store is read without torch.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal, Self

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
    progress_console,
    session_choice,
)
from visionllm_interaction.config_file_order import layers
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    from rich.progress import TaskID

    from visionllm_interaction.measures.config import MeasuresConfig
    from visionllm_interaction.video.anonymization.blur import BlurReport

StreamOption = Annotated[
    int | None,
    typer.Option(min=0, help="Index of the video stream, as in ffprobe; default: the one that players show."),
]


def analyze(
    videos: Annotated[list[Path], typer.Argument(help="Video files.")],
    store: Annotated[
        str, typer.Option("--store", metavar="DIR", help="The interaction store: a folder, or s3://BUCKET/PREFIX.")
    ] = "store",
    detector: Annotated[
        Path | None,
        typer.Option(
            help="A file (ONNX, export, checkpoint), or a name of `models list`; default: the best on this machine."
        ),
    ] = None,
    detections: Annotated[
        str | None, typer.Option(help="A detections file (JSON, CSV, MOT, CVAT, YOLO), or `truth` of ToyRoom videos.")
    ] = None,
    view: Annotated[Literal["room", "ego"], typer.Option(help="Room camera or head camera.")] = "room",
    roles: Annotated[Path | None, typer.Option(help="CSV that maps tracks or categories to roles.")] = None,
    heads: Annotated[Path | None, typer.Option(help="CSV of heads, or a folder of such files, for `facing`.")] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Of people,hands,faces,pose. Default: people; without --detector and --detections whatever there are "
            "models for.",
        ),
    ] = None,
    stream: StreamOption = None,
    cluster: Annotated[
        Literal["none", "ray"],
        typer.Option(help="ray: several videos at once, on the cluster at RAY_ADDRESS or on this machine."),
    ] = "none",
    workers: Annotated[int, typer.Option(min=1, help="With a cluster: number of videos at once.")] = 2,
    cpus: Annotated[float, typer.Option(min=0.5, help="With a cluster: CPU cores per worker.")] = 1,
    gpus: Annotated[
        float, typer.Option(min=0, help="With a cluster: GPUs per worker; 0.5: two workers share one.")
    ] = 0,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Analyse videos into tracks, relations and events in the store. A bad file never stops the others."""
    from visionllm_interaction.analysis import Pool
    from visionllm_interaction.analysis import analyze as analyze_videos
    from visionllm_interaction.analysis.bodies import parse_kinds
    from visionllm_interaction.cli.sessions import proposal_lines
    from visionllm_interaction.config import load
    from visionllm_interaction.store.sessions.proposals import propose_sessions

    source: Path | Literal["truth"] | None = Path(detections) if detections else None
    if detections == "truth":
        source = "truth"
    with VideoProgress() as progress:
        result = analyze_videos(
            videos,
            store,
            detector=detector,
            detections=source,
            view=view,
            roles=roles,
            heads=heads,
            models=None if models is None else parse_kinds(models),
            config=load(config, _with_stream(override, stream)).analysis,
            progress=progress,
            pool=Pool(workers=workers, cpus=cpus, gpus=gpus) if cluster == "ray" else None,
        )
    lines = [
        f"{video}"
        + (f" (again: {video.changed})" if video.changed else "")
        + "".join(f"; note: {note}" for note in video.notes)
        for video in result.videos
    ]
    with _names_of(result.store) as folder:
        lines += [line for one in propose_sessions(folder) if one.follows for line in proposal_lines(one)]
    return CommandResult(result.to_dict(), as_lines([*lines, f"store: {result.store}"]), json_output)


@contextmanager
def _names_of(store: Path | str) -> Iterator[Path]:
    """A folder with what sessions are proposed by: the store's own, or a copy of that much of it."""
    if isinstance(store, Path):
        yield store
        return
    from visionllm_interaction.store.layout import RECORD_FILE, STORE_FILE
    from visionllm_interaction.store.object_storage.working_copy import working_copy

    needed = (RECORD_FILE, "recordings.parquet")
    with working_copy(store, others=lambda key: key == STORE_FILE, files=lambda name: name in needed) as copy:
        yield copy.folder


def measures(
    store: StoreOption = Path("store"),
    out: Annotated[Path | None, typer.Option(help=".csv or .parquet; default: only the row count is shown.")] = None,
    bin_s: Annotated[float | None, typer.Option(help="Compute every measure per bin of this many seconds.")] = None,
    by: ByOption = "video",
    session: SessionOption = None,
    camera: CameraOption = None,
    values: ValuesOption = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Compute every measure for every video (or session), subject and object, as one tidy table."""
    from visionllm_interaction.measures.config import with_values
    from visionllm_interaction.measures.table import write_measures

    settings = with_values(load_measures_settings(config, override), values)
    result = write_measures(store, out, bin_s=bin_s, sessions=session_choice(by, session, camera), config=settings)
    text = f"{result.rows} rows" + (f" in {out}" if out else "")
    corrected = ", with what people have corrected" if result.values == "corrected" else ""
    return CommandResult(result.to_dict(), text + corrected, json_output)


def ledger(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """The state of every video to be analysed: done, failed, interrupted or running, with the reason."""
    from visionllm_interaction.store.layout import check_store
    from visionllm_interaction.store.video_status_ledger import read_ledger

    check_store(store)
    entries = read_ledger(store)
    counts = {
        status: sum(e.status == status for e in entries) for status in ("done", "failed", "interrupted", "running")
    }
    lines = [f"{e.status:<11} {e.path}" + (f": {e.reason}" if e.reason else "") for e in entries]
    total = ", ".join(f"{count} {status}" for status, count in counts.items())
    result = {"store": str(store), **counts, "videos": [entry.model_dump() for entry in entries]}
    return CommandResult(result, as_lines([*lines, total]), json_output)


def erase(
    video: Annotated[
        str, typer.Option(help="video_id, as `visionllm analyze --json` names it, or the path of the file.")
    ],
    store: StoreOption = Path("store"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Delete one video and all its results from the store."""
    from visionllm_interaction.store.reader import erase_video
    from visionllm_interaction.store.video_identity import resolve_video

    video_id = resolve_video(store, video)
    erase_video(store, video_id)
    return CommandResult({"store": str(store), "erased": video_id}, f"erased {video_id}", json_output)


def blur(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    out: Annotated[
        Path,
        typer.Option(help="The copy: a new .mp4 file; FILE.json, FILE.proof.json and FILE.regions.csv lie beside it."),
    ],
    detector: Annotated[
        Path | None,
        typer.Option(help="A file or a name of `models list`; default: the best for --what that is on this machine."),
    ] = None,
    detections: Annotated[Path | None, typer.Option(help="A detections file instead.")] = None,
    what: Annotated[Literal["faces", "people"], typer.Option(help="What to blur.")] = "faces",
    blackout: Annotated[
        list[str] | None,
        typer.Option(metavar="BEGIN-END", help="Black and silent from BEGIN to END, in seconds or hh:mm:ss."),
    ] = None,
    blackout_tier: Annotated[
        list[str] | None, typer.Option(metavar="TIER", help="The same for every interval of a coded tier of --store.")
    ] = None,
    mute: Annotated[list[str] | None, typer.Option(metavar="BEGIN-END", help="Silent from BEGIN to END.")] = None,
    mute_tier: Annotated[
        list[str] | None, typer.Option(metavar="TIER", help="Silent in every interval of a coded tier of --store.")
    ] = None,
    widen_s: Annotated[
        float, typer.Option(min=0.0, help="Hide so many seconds more before and after each listed interval.")
    ] = 0.0,
    keep_sound_in_blackout: Annotated[
        bool, typer.Option("--keep-sound-in-blackout", help="Black out the images only.")
    ] = False,
    keep_audio: Annotated[
        bool | None,
        typer.Option(
            "--keep-audio/--no-audio",
            help="Sound of the copy; voices can identify people. Default: none where faces or people are blurred, "
            "unless --mute or --keep-sound-in-blackout speak of it.",
        ),
    ] = None,
    store: StoreOption = Path("store"),
    stream: StreamOption = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Copy a video with faces or people blurred and listed intervals black or silent; prove that it hides them."""
    from visionllm_interaction.config import load
    from visionllm_interaction.detection.models import load_detector
    from visionllm_interaction.detection.registry.defaults import resolve_kind
    from visionllm_interaction.interop.formats.clock_times import parse_intervals
    from visionllm_interaction.store.data_protection.consent import check_consent_of_file
    from visionllm_interaction.video.anonymization.blur import blur_video
    from visionllm_interaction.video.anonymization.listed_intervals import ListedIntervals

    check_consent_of_file(store, video)
    settings = load(config, _with_stream(override, stream)).analysis.video
    listed = ListedIntervals(
        (*parse_intervals(blackout, "--blackout"), *_tier_intervals(store, video, blackout_tier)),
        (*parse_intervals(mute, "--mute"), *_tier_intervals(store, video, mute_tier)),
        keep_sound_in_blackout,
    )
    if detector is None and detections is None and not listed:
        detector = resolve_kind(what, parts=["detector"])["detector"]
    with VideoProgress() as progress:
        result = blur_video(
            video,
            out,
            detector=load_detector(detector) if detector else None,
            detections=detections,
            what=what,
            listed=listed.widened(widen_s),
            keep_audio=keep_audio,
            config=settings.blur,
            decode=settings.decode,
            progress=lambda done, total: progress(video.name, done, total),
        )
    return CommandResult(result.to_dict(), as_lines(_blur_lines(result)), json_output)


def _tier_intervals(store: Path, video: Path, tiers: list[str] | None) -> list[tuple[float, float]]:
    if not tiers:
        return []
    from visionllm_interaction.store.recordings.tier_intervals import read_tier_intervals
    from visionllm_interaction.store.video_identity import resolve_video

    video_id = resolve_video(store, str(video.absolute()))
    return [span for tier in tiers for span in read_tier_intervals(store, video_id, tier)]


def _blur_lines(result: BlurReport) -> list[str]:
    lines = [f"{result.out}: {result.frames} frames, {result.frames_blurred} with blur, {result.tracks} tracks"]
    if result.what is not None:
        lines.append(f"blurred whole: {_spans(result.whole)}")
    if result.listed.blackout:
        lines.append(f"black: {result.frames_black} frames, {_spans(result.listed.blackout)}")
    silent = _spans(result.listed.silent)
    lines.append(f"sound: kept, muted: {silent}" if result.audio else "sound: none")
    lines.append(f"removed: {', '.join(result.removed) or 'nothing: there was no metadata'}")
    proof = result.proof
    hidden = f"{proof.blackout.frames} frames black, {proof.blur.regions} regions blurred"
    if result.audio and result.listed.silent:
        hidden += f", muted sound at most {proof.silence.loudest_dbfs:.0f} dBFS"
    lines.append(f"proof: {proof.status}, {hidden}")
    if result.what is not None:
        lines.append("Watch the copy before you share it: a detector can miss a face in every frame.")
    return lines


def _spans(spans: Sequence[tuple[float, float]]) -> str:
    return "; ".join(f"{begin:.2f}-{end:.2f} s" for begin, end in spans) or "none"


def heads(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    out: Annotated[Path, typer.Option(help="A new .csv file; VIDEO_NAME.heads.csv in a folder for many videos.")],
    detector: Annotated[
        Path | None, typer.Option(help="CenterFace: its file or `centerface`; default: that of `visionllm models`.")
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0.0, max=1.0, help="Ignore faces below this confidence.")] = 0.5,
    stream: StreamOption = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write heads and their directions, for `visionllm analyze --heads`."""
    from visionllm_interaction.config import load
    from visionllm_interaction.detection.registry.defaults import named_or_path
    from visionllm_interaction.detection.runtimes.centerface import load_centerface
    from visionllm_interaction.video.head_yaw.estimation import write_heads

    with VideoProgress() as progress:
        result = write_heads(
            video,
            out,
            finder=load_centerface(named_or_path(detector or "centerface")),
            min_confidence=min_confidence,
            decode=load(config, _with_stream(override, stream)).analysis.video.decode,
            progress=lambda done, total: progress(video.name, done, total),
        )
    text = f"{result.out}: {result.heads} heads in {result.frames} frames"
    return CommandResult(result.to_dict(), text, json_output)


def _with_stream(override: list[str] | None, stream: int | None) -> list[str] | None:
    return override if stream is None else [*(override or ()), f"analysis.video.decode.stream={stream}"]


class VideoProgress:
    """Progress bars on stderr, one for each video."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=progress_console())
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Show the progress of one video.

        Args:
            name: name of the video.
            done: frames processed so far.
            total: frames of the video; ``None`` if unknown.
        """
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)


def load_measures_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> MeasuresConfig | None:
    """The section ``measures`` of :func:`visionllm_interaction.config.load`.

    If only this section is set, the other sections are not imported, which saves a short command half a second.
    Otherwise the whole configuration is checked, so that no mistake goes unnoticed.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        The section; None where nothing is set.

    Raises:
        ConfigError: with all problems at once.
    """
    read = layers(files or ())
    if not read and not overrides:
        return None
    from visionllm_interaction.config_loading import load_if_only
    from visionllm_interaction.measures.config import MeasuresSettings

    alone = load_if_only(MeasuresSettings, read, overrides or ())
    if alone is not None:
        return alone.measures
    from visionllm_interaction.config import load

    return load(files, overrides).measures
