"""Commands on sessions: set, list, propose, remove."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, JsonFlag, StoreOption

if TYPE_CHECKING:
    from visionllm_interaction.store.sessions.chapters import Session
    from visionllm_interaction.store.sessions.proposals import SessionProposal

session = typer.Typer(help="Sessions: recordings of one visit on one clock, such as chapters.", no_args_is_help=True)


@session.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="Name of the session.")],
    videos: Annotated[list[str], typer.Argument(help="video_ids or paths of one camera's videos, in their order.")],
    store: StoreOption = Path("store"),
    camera: Annotated[str | None, typer.Option(help="Which camera they are of, for example head or room.")] = None,
    offset_s: Annotated[
        float | None, typer.Option(help="Second of the session at which the first one's clock shows 0; default: 0.")
    ] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Put videos of one camera into a session: each begins where the last frame of the one before it ends."""
    from visionllm_interaction.interop.gaze.import_gaze import rederive_looks
    from visionllm_interaction.store.sessions.chapters import set_session

    found, misplaced = set_session(store, name, videos, camera=camera, offset_s=offset_s)
    for chapter in found.chapters:
        rederive_looks(store, chapter.video_id, name)
    lines = [*_session_lines(found), *(f"outside its video now: {one.code.code_id}: {one.reason}" for one in misplaced)]
    outside = [{"code_id": one.code.code_id, "reason": one.reason} for one in misplaced]
    return CommandResult({**found.to_dict(), "outside": outside}, as_lines(lines), json_output)


@session.command("list")
def list_(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """The sessions of a store, and where each video lies on the session's clock."""
    from visionllm_interaction.store.sessions.chapters import read_sessions

    found = list(read_sessions(store).values())
    lines = [line for one in found for line in _session_lines(one)] or ["no sessions"]
    result = {"store": str(store), "sessions": [one.to_dict() for one in found]}
    return CommandResult(result, as_lines(lines), json_output)


@session.command("propose")
def propose(
    store: StoreOption = Path("store"),
    accept: Annotated[
        bool, typer.Option("--accept", help="Set those of which it is known that each video follows the one before.")
    ] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Propose sessions from the files' names, such as GoPro's chapters; nothing is set without --accept."""
    from visionllm_interaction.store.sessions.chapters import set_session
    from visionllm_interaction.store.sessions.proposals import propose_sessions

    proposals = propose_sessions(store)
    chosen = [one for one in proposals if accept and one.follows]
    for one in chosen:
        set_session(store, one.name, one.videos)
    result: dict[str, Any] = {
        "store": str(store),
        "proposals": [{**one.to_dict(), "set": one in chosen} for one in proposals],
    }
    lines = [line for one in proposals for line in proposal_lines(one, was_set=one in chosen)]
    return CommandResult(result, as_lines(lines or ["nothing to propose"]), json_output)


@session.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name of the session.")],
    videos: Annotated[list[str] | None, typer.Argument(help="Only these videos of it.")] = None,
    store: StoreOption = Path("store"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Take videos out of a session, with what was imported for the session; their own results stay."""
    from visionllm_interaction.store.sessions.chapters import remove_from_session

    removed = remove_from_session(store, name, videos or ())
    result = {"store": str(store), "session": name, "removed": removed}
    return CommandResult(result, as_lines(f"took {one} out of {name}" for one in removed), json_output)


def proposal_lines(proposal: SessionProposal, *, was_set: bool = False) -> Iterable[str]:
    """What is said of a proposal.

    Args:
        proposal: the proposal.
        was_set: whether it was set.

    Yields:
        The proposal with its reason, and the command that sets it.
    """
    yield f"{'set' if was_set else 'proposal'} {proposal.name}: {', '.join(proposal.files)} ({proposal.reason})"
    if not was_set:
        hint = "" if proposal.follows else "  if so: "
        yield f"{hint or '  '}visionllm session set {proposal.name} {' '.join(proposal.videos)}"


def _session_lines(session_: Session) -> Iterable[str]:
    yield f"{session_.name}: {session_.end_s:.3f} s"
    for one in session_.chapters:
        camera = f", {one.camera} camera" if one.camera else ""
        known = {"own": "its begin", "container": "by the frames before it", "hand": "by hand"}.get(one.known_by, "")
        yield f"  {one.video_id}: {one.begin_s:.3f} to {one.end_s:.3f} s{camera} ({known or one.known_by})"
