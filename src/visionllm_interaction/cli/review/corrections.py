"""The commands `visionllm corrections`: what people have corrected of videos."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, JsonFlag, StoreOption
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.store.corrections.recording import ListedCorrection, VideoCorrections

corrections = typer.Typer(
    help="Boxes, categories, roles, identities, bouts and events as people have corrected them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

VideoArgument = Annotated[str, typer.Argument(help="video_id, or the path of the file.")]
WhoOption = Annotated[str | None, typer.Option("--who", help="Who corrects. Default: the name of your account.")]
RevisionOption = Annotated[
    str | None,
    typer.Option("--if-revision", help="Refuse if somebody has corrected the video since this revision was listed."),
]


@corrections.command("list")
def list_(
    video: Annotated[str | None, typer.Argument(help="video_id, or the path of the file. Default: all.")] = None,
    store: StoreOption = Path("store"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """What was corrected, by whom, when, and whether it holds."""
    from visionllm_interaction.store.corrections.recording import list_corrections
    from visionllm_interaction.store.layout import check_store, list_videos
    from visionllm_interaction.store.video_identity import resolve_video

    check_store(store)
    chosen = list_videos(store) if video is None else [resolve_video(store, video)]
    found = [list_corrections(store, video_id) for video_id in chosen]
    shown = [one for one in found if one.corrections or video is not None]
    lines = [line for one in shown for line in _lines(one)]
    result = {"store": str(store), "videos": [one.to_dict() for one in shown]}
    return CommandResult(result, as_lines(lines) or "no corrections", json_output)


@corrections.command("add")
def add(
    video: VideoArgument,
    change: Annotated[
        str | None,
        typer.Argument(
            metavar="CHANGE",
            help="The correction as JSON, for example "
            '{"kind": "role", "action": "set", "track_id": 3, "role": "child"}; docs/corrections.md lists the kinds.',
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A JSON file with a list of corrections in place of CHANGE.")
    ] = None,
    store: StoreOption = Path("store"),
    who: WhoOption = None,
    if_revision: RevisionOption = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Correct something in a video; the machine's values stay beside it."""
    from visionllm_interaction.store.corrections.recording import add_corrections
    from visionllm_interaction.store.video_identity import resolve_video

    changes = _changes(change, file)
    video_id, person = resolve_video(store, video), person_of(who)
    found = add_corrections(store, video_id, changes, who=person, if_revision=if_revision)
    added = found.corrections[-len(changes) :]
    result = {"store": str(store), **found.to_dict(), "added": [one.correction.correction_id for one in added]}
    return CommandResult(result, as_lines(_line(one) for one in added), json_output)


@corrections.command("undo")
def undo(
    video: VideoArgument,
    correction: Annotated[
        int | None, typer.Argument(help="Which one, as listed. Default: the last that holds.")
    ] = None,
    store: StoreOption = Path("store"),
    who: WhoOption = None,
    if_revision: RevisionOption = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Undo a correction; undoing that line restores it."""
    from visionllm_interaction.store.corrections.recording import undo_correction
    from visionllm_interaction.store.video_identity import resolve_video

    video_id = resolve_video(store, video)
    found = undo_correction(store, video_id, correction, who=person_of(who), if_revision=if_revision)
    last = found.corrections[-1]
    result = {"store": str(store), **found.to_dict(), "undone": last.correction.undoes}
    return CommandResult(result, f"correction {last.correction.undoes} of {video_id} is undone", json_output)


@corrections.command("export")
def export(
    out: Annotated[Path, typer.Option(help="A folder; one file per video.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="coco: frames that people corrected, to train with; or eaf, boris, … as `visionllm export`.",
        ),
    ] = "coco",
    store: StoreOption = Path("store"),
    video: Annotated[str | None, typer.Option(help="Only this video_id.")] = None,
    pictures: Annotated[bool, typer.Option(help="COCO: also write the frames as JPEG.")] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write what people have corrected: COCO for retraining, or files for coding programs."""
    from visionllm_interaction.interop.registry import export_corrected

    result = export_corrected(store, out, format=format_, video_id=video, images=pictures)
    lines = [f"wrote {file.path}" for file in result.files] or ["no video is corrected"]
    return CommandResult(result.to_dict(), as_lines(lines), json_output)


def _changes(text: str | None, file: Path | None) -> list[Any]:
    if (text is None) == (file is None):
        raise UsageError(
            "There is no correction." if text is None else "There are two sources of corrections.",
            expected="CHANGE, or --file",
            found="neither" if text is None else "both",
        )
    try:
        content = json.loads(text) if text is not None else json.loads((file or Path()).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(
            "The correction cannot be read.",
            expected='JSON, for example {"kind": "role", "action": "set", "track_id": 3, "role": "child"}',
            found=str(error)[:200],
            where=str(file) if file else None,
        ) from error
    changes = content if isinstance(content, list) else [content]
    if not changes or not all(isinstance(one, dict) for one in changes):
        raise UsageError(
            "The correction cannot be read.", expected="an object, or a list of them", found=str(content)[:80]
        )
    return changes


def person_of(who: str | None) -> str:
    """Who corrects.

    Args:
        who: as given; None: the name of the account.

    Returns:
        The name.

    Raises:
        UsageError: if the account has no name.
    """
    if who is not None:
        return who
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError(
            "Who corrects has to be said.", expected="--who NAME", found="an account without a name"
        ) from error


def _lines(found: VideoCorrections) -> list[str]:
    lines = [f"{found.video_id}  (revision {found.revision})", *(f"  {_line(one)}" for one in found.corrections)]
    if found.orphaned:
        lines.append(f"  {len(found.orphaned)} of them are about something that the present analysis does not show")
    return lines


def _line(one: ListedCorrection) -> str:
    about = one.to_dict()
    words = " ".join(f"{name} {_shown(value)}" for name, value in {**about["target"], **about["new"]}.items())
    old = ", ".join(f"{name} {_shown(value)}" for name, value in about["old"].items() if name != "boxes")
    was = f" (was {old})" if old else ""
    why = f": {about['reason']}" if about["reason"] else ""
    what = f"{about['kind']} {about['action']}" if about["kind"] != "undo" else "undo"
    return f"{about['id']:>3}  {what} {words}{was}; {about['who']}, {about['made_at'][:16]}; {about['state']}{why}"


def _shown(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return f"({len(value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)
