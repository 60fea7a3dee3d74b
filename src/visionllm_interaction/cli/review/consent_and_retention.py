"""The commands `visionllm consent` and `visionllm retention`: who consented, and how long videos are kept."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, JsonFlag, StoreOption
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from visionllm_interaction.store.data_protection.consent import VideoConsent
    from visionllm_interaction.store.data_protection.register import AppliedRules, ConsentSubject

consent = typer.Typer(
    help="Consent for children, sessions and videos: exports stop where it was withdrawn, or is required and missing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
retention = typer.Typer(
    help="How long the videos of a store are kept, and erasing those that are due.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_PROJECT = "*"
ProjectOption = Annotated[
    str | None, typer.Option(help="Only in this project of the service. Default: in the whole store.")
]


@consent.command("list")
def list_(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """The consent for each video, and whether it may be exported."""
    from visionllm_interaction.store.data_protection.consent import consent_of
    from visionllm_interaction.store.data_protection.register import read_data_protection
    from visionllm_interaction.store.layout import check_store, list_videos

    check_store(store)
    known = read_data_protection(store)
    found = consent_of(store, list_videos(store), known=known)
    records = [one.model_dump(mode="json") for one in known.consents]
    result = {"store": str(store), "videos": [one.to_dict() for one in found], "records": records}
    return CommandResult(result, as_lines(map(_line, found)) or "no videos", json_output)


@consent.command("set")
def set_(
    state: Annotated[
        Literal["given", "withdrawn", "not-recorded"],
        typer.Argument(help="not-recorded takes back what was recorded by mistake."),
    ],
    child: Annotated[str | None, typer.Option(help="All videos of this child (`visionllm videos set`).")] = None,
    session: Annotated[str | None, typer.Option(help="The videos of this session.")] = None,
    video: Annotated[str | None, typer.Option(help="One video: its video_id, or the path of its file.")] = None,
    store: StoreOption = Path("store"),
    project: ProjectOption = None,
    note: Annotated[str, typer.Option(help="For example where the signed form is kept.")] = "",
    who: Annotated[str | None, typer.Option(help="Who records it. Default: the name of your account.")] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Record consent for a child, a session or a video, or that it was withdrawn."""
    from visionllm_interaction.store.data_protection.consent import consent_of, videos_concerned
    from visionllm_interaction.store.data_protection.register import DataProtection, record_consent
    from visionllm_interaction.store.layout import list_videos

    about, name = _subject(store, child=child, session=session, video=video)
    record = record_consent(
        store,
        about,
        name,
        "not recorded" if state == "not-recorded" else state,
        who=who or getpass.getuser(),
        project=project,
        note=note,
    )
    asked = DataProtection(consents=(record,))  # so that sessions are looked up, if it is about one
    found = videos_concerned(consent_of(store, list_videos(store), known=asked), record.about, record.name)
    text = f"consent for {record.about} {record.name}: {record.state}, {len(found)} videos"
    if not found:
        text += f"\nwarning: no video of the store is of this {record.about}; see `visionllm consent list` for typos"
    result = {"store": str(store), **record.model_dump(mode="json"), "videos": found}
    return CommandResult(result, text, json_output)


@consent.command("require")
def require(
    required: Annotated[bool, typer.Option("--yes/--no", help="--no: export also where nothing is recorded.")] = True,
    store: StoreOption = Path("store"),
    project: ProjectOption = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Refuse exports of videos without a recorded consent, or, with --no, only where it was withdrawn."""
    return _changed(store, project, {"consent_required": required}, json_output)


@retention.command("set")
def set_retention(
    until: Annotated[str, typer.Argument(metavar="DAY", help="The last day, as 2027-06-30; or `never`.")],
    store: StoreOption = Path("store"),
    project: ProjectOption = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Set the last day on which videos may be kept. Nothing is erased by that."""
    return _changed(store, project, {"retain_until": "never" if until == "never" else _day(until)}, json_output)


@retention.command("due")
def due(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """The videos that should have been erased, by the day of the whole store."""
    from visionllm_interaction.store.data_protection.retention import due_videos

    found = due_videos(store)
    result = {"store": str(store), "retain_until": found.retain_until, "due": list(found.video_ids)}
    until = f"until {found.retain_until}" if found.retain_until else "without a last day"
    return CommandResult(result, as_lines([f"kept {until}: {len(found.video_ids)} due", *found.video_ids]), json_output)


@retention.command("erase")
def erase(
    yes: Annotated[bool, typer.Option("--yes", help="Erase them. They cannot be brought back.")] = False,
    store: StoreOption = Path("store"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Erase the videos that are due from the store. The video files in your own folders stay."""
    from visionllm_interaction.store.data_protection.retention import due_videos
    from visionllm_interaction.store.reader import erase_video

    found = due_videos(store).video_ids
    if found and not yes:
        raise UsageError(
            "Erasing cannot be undone.",
            expected="--yes",
            found=f"{len(found)} videos that are due: {', '.join(found[:5])}{' …' if len(found) > 5 else ''}",
            fix="look at `visionllm retention due`, then give --yes",
        )
    for video_id in found:
        erase_video(store, video_id)
    return CommandResult({"store": str(store), "erased": list(found)}, f"erased {len(found)} videos", json_output)


def _subject(store: Path, *, child: str | None, session: str | None, video: str | None) -> tuple[ConsentSubject, str]:
    given: dict[ConsentSubject, str] = {}
    if child is not None:
        given["child"] = child
    if session is not None:
        given["session"] = session
    if video is not None:
        from visionllm_interaction.store.video_identity import resolve_video

        given["video"] = resolve_video(store, video)
    if len(given) != 1:
        raise UsageError(
            "Say what the consent is for.",
            expected="one of --child, --session and --video",
            found=", ".join(f"--{one}" for one in given) or "none of them",
        )
    return next(iter(given.items()))


def _changed(store: Path, project: str | None, changes: dict[str, Any], json_output: bool) -> CommandResult:
    from visionllm_interaction.store.data_protection.register import ProjectRules, read_data_protection, set_rules

    name = project or _PROJECT
    set_rules(store, name, ProjectRules.model_validate(changes))
    rules = read_data_protection(store).rules_of(name)
    result = {"store": str(store), "project": project, **asdict(rules)}
    return CommandResult(result, _rules_line(project, rules), json_output)


def _rules_line(project: str | None, rules: AppliedRules) -> str:
    where = f"project {project}" if project else "whole store"
    needs = "consent required" if rules.consent_required else "consent not required"
    return f"{where}: {needs}, kept {f'until {rules.retain_until}' if rules.retain_until else 'without a last day'}"


def _line(one: VideoConsent) -> str:
    child = f"  child {one.child}" if one.child else ""
    return f"{one.video_id}  {one.state}{child}{'' if one.may_be_exported else '  not to be exported'}"


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise UsageError("The day cannot be read.", expected="2027-06-30, or never", found=text) from error
