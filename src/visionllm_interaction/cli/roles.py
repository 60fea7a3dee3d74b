"""The command `visionllm roles review`: who was taken for a child, and corrections of it."""

# Packages are imported inside the command, so that other commands start without them.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, JsonFlag, StoreOption
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.analysis.role_review import Person

roles = typer.Typer(
    help="Roles of people: who is a child and who a caregiver, and corrections by somebody who looks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@roles.command()
def review(
    video: Annotated[
        str | None, typer.Argument(help="video_id, or the path of the file; needed if there are several.")
    ] = None,
    store: StoreOption = Path("store"),
    out: Annotated[
        Path | None, typer.Option(help="Write a sheet with crops of everybody, and a table to fill in, to this folder.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Take the roles from the table that was filled in.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TRACK=ROLE",
            help="ROLE: child, caregiver, other, unknown, or estimated: as analysed. TRACK: an id, or rest.",
        ),
    ] = None,
    same: Annotated[
        list[str] | None,
        typer.Option(
            "--same",
            metavar="TRACK=EARLIER",
            help="Both tracks are one person, who left and came back. It is a correction, and can be undone.",
        ),
    ] = None,
    who: Annotated[
        str | None, typer.Option("--who", help="Who says --same. Default: the name of your account.")
    ] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Show who was taken for a child, and correct it; corrections stay when the video is analysed again."""
    from visionllm_interaction.analysis.role_review import (
        people_of,
        plan_joins,
        read_role_table,
        write_review_sheet,
    )
    from visionllm_interaction.cli.review.corrections import person_of
    from visionllm_interaction.store.corrections.recording import add_corrections
    from visionllm_interaction.store.roles.reviewed import set_roles
    from visionllm_interaction.store.video_identity import resolve_video

    video_id = _only_video(store) if video is None else resolve_video(store, video)
    chosen = (read_role_table(table) if table else {}) | _roles_of_tracks(set_ or [])
    joined = _tracks_that_are_one(same or [])
    joins = plan_joins(store, video_id, joined) if joined else []
    if chosen:
        set_roles(store, video_id, chosen)
    if joins:
        add_corrections(store, video_id, joins, who=person_of(who))
    people = people_of(store, video_id)
    lines = [_person_line(person) for person in people] or ["nobody was tracked"]
    written = [] if out is None else write_review_sheet(store, video_id, out)
    lines += [f"wrote {path}" for path in written]
    result = {
        "store": str(store),
        "video_id": video_id,
        "set": {str(track): role for track, role in chosen.items()},
        "same": {str(one.other_track_id): one.track_id for one in joins},
        "people": [person.to_dict() for person in people],
        "files": [str(path) for path in written],
    }
    return CommandResult(result, as_lines(lines), json_output)


def _person_line(person: Person) -> str:
    chance = "" if person.child_probability is None else f", child with probability {person.child_probability:.2f}"
    evidence = f" by {', '.join(person.evidence)}" if person.evidence else ""
    known = "reviewed" if person.reviewed else f"as analysed{chance}{evidence}"
    line = (
        f"track {person.track_id}: {person.role or 'unknown'} ({known}), {person.begin_s:.1f} to {person.end_s:.1f} s"
    )
    if person.may_be_track_id is None:
        return line
    return (
        f"{line}; looks like track {person.may_be_track_id}, {person.away_s:.1f} s before: "
        f"if it is the same person, --same {person.track_id}={person.may_be_track_id}"
    )


def _only_video(store: Path) -> str:
    from visionllm_interaction.store.layout import check_store, list_videos

    check_store(store)
    videos = list_videos(store)
    if len(videos) == 1:
        return videos[0]
    raise UsageError(
        "Which video is meant has to be said.",
        expected="VIDEO: its id, or the path of the file",
        found=f"none, and {len(videos)} videos in the store",
        where=str(store),
        fix=f"visionllm roles review {videos[0]}" if videos else "visionllm analyze VIDEO first",
    )


def _roles_of_tracks(given: list[str]) -> dict[int | str, str]:
    from visionllm_interaction.analysis.role_review import parse_track

    found: dict[int | str, str] = {}
    for text in given:
        track, separator, role = text.partition("=")
        if not separator:
            raise UsageError("A role is given as TRACK=ROLE.", expected="for example --set 3=child", found=text)
        found[parse_track(track)] = role.strip().casefold()
    return found


def _tracks_that_are_one(given: list[str]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for text in given:
        track, _, former = (part.strip() for part in text.partition("="))
        if not (track.isdigit() and former.isdigit()) or int(track) == int(former):
            raise UsageError(
                "Two tracks of one person are given as TRACK=EARLIER.", expected="for example --same 4=2", found=text
            )
        found.append((int(track), int(former)))
    return found
