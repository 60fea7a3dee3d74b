"""What has to be chosen in a coded file: the observation, and which of its media is the video."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.tiers import Medium, Timeline


def check_known(what: str, name: str, known: Sequence[str]) -> None:
    """Check that a name is one of those known.

    Args:
        what: what is named, for the message.
        name: the name.
        known: all names.

    Raises:
        UsageError: if it is not, with similar names.
    """
    if name in known:
        return
    names = list(dict.fromkeys(known))
    near = nearest_names(name, names)
    raise UsageError(
        f"The {what} {name!r} is not known here.",
        expected=f"one of: {', '.join(names)}",
        found=name,
        fix=f"did you mean {' or '.join(map(repr, near))}?" if near else None,
    )


def select_timeline(timelines: Mapping[str, Timeline], observation: str | None, *, video: str) -> Timeline:
    """The observation that is meant.

    Args:
        timelines: name of the observation → timeline.
        observation: which one; None: the only one, or the one called like the video.
        video: name of the video's file.

    Returns:
        Its timeline.

    Raises:
        UsageError: if there is no such observation, or several and no choice.
    """
    if observation is not None:
        check_known("observation", observation, list(timelines))
        return timelines[observation]
    if len(timelines) == 1:
        return next(iter(timelines.values()))
    alike = [name for name in timelines if _stem(name) == _stem(video) or name.casefold() == _stem(video)]
    if len(alike) == 1:
        return timelines[alike[0]]
    raise UsageError(
        "The file holds several observations.",
        expected=f"one of: {', '.join(timelines)}",
        found=f"{len(timelines)} and no choice",
        fix="say which one with --observation",
    )


def select_medium(timeline: Timeline, medium: str | None, *, video: str) -> Medium:
    """The recording of a coded file that is the video.

    Args:
        timeline: the coded file.
        medium: its name as the file has it; None: the one called like the video, or the only one.
        video: name of the video's file.

    Returns:
        The medium, with its place on the file's clock; one without name and offset where the file names none.

    Raises:
        UsageError: if there is no such medium, several that lie differently and none is called like the video, or
            it is not known where it lies.
    """
    chosen = _select_medium(timeline, medium, video=video)
    if math.isnan(chosen.offset_s):
        raise UsageError(
            "Where the video lies among the file's recordings is not known.",
            expected="the lengths of those before it",
            found=f"none for the one before {_name(chosen.name)}",
            fix="open the observation in BORIS with its media there, and save the project",
        )
    return chosen


def medium_of_video(timeline: Timeline, video: str) -> Medium | None:
    """The medium that is called like a video.

    Args:
        timeline: the coded file.
        video: name of the video's file.

    Returns:
        The first medium of that name, or of sound that was taken from the video; None if there is none.
    """
    linked = timeline.linked
    same_name = [one for one in linked if _name(one.name) == video.casefold()]
    # Sound that was taken from the video is called like it.
    alike = same_name or [one for one in linked if _stem(one.name) == _stem(video)]
    return alike[0] if alike else None


def _select_medium(timeline: Timeline, medium: str | None, *, video: str) -> Medium:
    linked = timeline.linked
    if medium is not None:
        matching = [one for one in linked if medium in (one.name, _name(one.name))]
        if len(matching) != 1:
            check_known("medium", medium, [] if matching else [_name(one.name) for one in linked])
        return matching[0]
    alike = medium_of_video(timeline, video)
    if alike is not None:
        return alike
    places = {(one.offset_s, one.begin_s, one.end_s) for one in linked}
    if not linked:
        return Medium("")
    if len(places) == 1 or (len({one.offset_s for one in linked}) == 1 and all(not one.offset_s for one in linked)):
        return linked[0]
    raise UsageError(
        "Which of the file's recordings is the video has to be said.",
        expected=f"one of: {', '.join(_name(one.name) for one in linked)}",
        found=f"{len(linked)} that lie differently on the file's clock, none of them called {video}",
        fix="say which one with --medium",
    )


def _name(path: str) -> str:
    """The file's name in small letters, of a path of any system."""
    return PureWindowsPath(PurePosixPath(path).name).name.casefold()


def _stem(path: str) -> str:
    return PurePosixPath(_name(path)).stem
