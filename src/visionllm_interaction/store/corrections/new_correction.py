"""What a new correction is about: whether it is there, what it was before, and where its tracks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.corrections.anchors import Anchors, Sample, sample_track
from visionllm_interaction.store.corrections.changes import (
    CHANGES,
    FIRST_ADDED_TRACK,
    AddBout,
    AddEvent,
    Change,
    DeleteBox,
    ExchangeTracks,
    MergeTracks,
    MoveBout,
    MoveEvent,
    RemoveBout,
    RemoveEvent,
    SetBox,
    SetCategory,
    SetRole,
    SplitTrack,
    made_track,
    times_of,
    tracks_of,
)
from visionllm_interaction.store.corrections.corrected_tables import CorrectedTables
from visionllm_interaction.store.corrections.log import LoggedCorrection
from visionllm_interaction.video.tracking.roles import ROLES

_AROUND_S = 2.0
"""Samples before and after a moment are taken this near to it, where there are enough."""
_ROUNDING_S = 1e-6


def checked_change(change: Change | Mapping[str, Any]) -> Change:
    """A correction, checked by itself.

    Args:
        change: the correction, or its JSON.

    Returns:
        The correction.

    Raises:
        UsageError: if it is malformed.
    """
    try:
        found = CHANGES.validate_python(dict(change) if isinstance(change, Mapping) else change)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
        raise UsageError(
            "A correction cannot be read.",
            expected="a correction as in docs/corrections.md",
            found="; ".join(problems),
        ) from error
    if isinstance(found, SetBox) and found.track_id is not None and found.category is not None:
        raise UsageError(
            "A box has a track or a category, not both.",
            expected="track_id, or category for something that is not tracked yet",
            found="both",
            fix="correct the category of a track by itself: kind category",
        )
    if isinstance(found, SplitTrack) and found.new_track_id is not None:
        found = found.model_copy(update={"new_track_id": None})
    return found


def with_new_track(change: Change, log: Sequence[LoggedCorrection]) -> Change:
    """A correction that makes a track, with an id that none has made yet, undone or not.

    Args:
        change: the correction.
        log: the earlier ones.

    Returns:
        The correction; unchanged if it makes no track.
    """
    used = [made for row in log if row.change is not None and (made := made_track(row.change)) is not None]
    new = max([*used, FIRST_ADDED_TRACK - 1]) + 1
    if isinstance(change, SplitTrack):
        return change.model_copy(update={"new_track_id": new})
    if isinstance(change, SetBox) and change.category is not None:
        return change.model_copy(update={"track_id": new})
    return change


def check_target(change: Change, now: CorrectedTables) -> None:
    """Refuse a correction of something that the video does not have.

    Args:
        change: the correction.
        now: the video as it is corrected so far.

    Raises:
        UsageError: if a track, role, place or bout is not there.
    """
    tracks = {track.track_id: track for track in now.tracks}
    strange = [track for track in tracks_of(change) if track not in tracks]
    if strange:
        some = ", ".join(str(track) for track in sorted(tracks)[:12])
        raise UsageError(
            "There is no such track.",
            expected=f"one of {some}{' …' if len(tracks) > 12 else ''}" if tracks else "a track; the video has none",
            found=str(strange[0]),
        )
    if isinstance(change, SetRole) and change.role is not None:
        known = sorted({*ROLES, *(track.role for track in now.tracks if track.role and "-proxy" not in track.role)})
        if change.role not in known:
            raise UsageError("The role is not known.", expected=f"one of {', '.join(known)}", found=change.role)
    _check_place(change, now)
    _check_bout(change, now)


def _check_place(change: Change, now: CorrectedTables) -> None:
    """Boxes lie in the image, at least in part."""
    if not isinstance(change, SetBox):
        return
    width, height = now.size_px
    for key in change.boxes:
        x1, y1, x2, y2 = key.box_xyxy
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise UsageError(
                "A box is outside the image.",
                expected=f"within 0, 0, {width}, {height} pixels",
                found=", ".join(f"{side:g}" for side in key.box_xyxy),
            )


def _check_bout(change: Change, now: CorrectedTables) -> None:
    """A bout that is moved or removed is there."""
    if isinstance(change, MoveBout | RemoveBout) and _bout(change, now) is None:
        raise UsageError(
            "There is no such bout.",
            expected=f"a bout of {change.predicate} between tracks {change.subject_track_id} and "
            f"{change.object_track_id} that shares time with {change.begin_s:g} to {change.end_s:g} s",
            found="none",
        )


def _bout(change: MoveBout | RemoveBout | AddBout, now: CorrectedTables) -> Relation | None:
    pair = now.layers.pair_of(change.predicate, change.subject_track_id, change.object_track_id)
    return now.layers.bout_at(change.predicate, pair, change.begin_s, change.end_s)


def old_value(change: Change, now: CorrectedTables) -> dict[str, Any]:
    """What a new value takes the place of, as plain JSON.

    Args:
        change: the correction.
        now: the video as it is corrected so far.

    Returns:
        The values before; empty where something is added.
    """
    tracks: dict[int, Track] = {track.track_id: track for track in now.tracks}
    if isinstance(change, SetCategory):
        return {"category": tracks[change.track_id].category}
    if isinstance(change, SetRole):
        return {"role": tracks[change.track_id].role}
    if isinstance(change, SetBox | DeleteBox):
        return {"boxes": _old_boxes(change, now)} if change.track_id in tracks else {}
    if isinstance(change, SplitTrack | MergeTracks | ExchangeTracks):
        return {"tracks": [[one, tracks[one].begin_s, tracks[one].end_s] for one in tracks_of(change)]}
    if isinstance(change, MoveBout | RemoveBout | AddBout):
        bout = _bout(change, now)
        return {} if bout is None else {"begin_s": bout.begin_s, "end_s": bout.end_s, "confidence": bout.confidence}
    assert isinstance(change, AddEvent | RemoveEvent | MoveEvent)
    event = (
        None if isinstance(change, AddEvent) else now.layers.event_at(change.event, change.track_ids, change.begin_s)
    )
    return {} if event is None else {"begin_s": event.begin_s, "end_s": event.end_s, "confidence": event.confidence}


def _old_boxes(change: SetBox | DeleteBox, now: CorrectedTables) -> list[list[float]]:
    """Samples of the boxes that are changed or deleted: time, x1, y1, x2, y2."""
    assert change.track_id is not None
    begin_s, end_s = times_of(change)
    found = sample_track(now.edited.detections, change.track_id, begin_s, end_s)
    low, high = begin_s if begin_s is not None else 0.0, end_s if end_s is not None else float("inf")
    return [list(one) for one in found if low - 1e-6 <= one[0] <= high + 1e-6]


def anchors_of(change: Change, now: CorrectedTables) -> Anchors:
    """Where the tracks of a correction are, around the time that it is about.

    Args:
        change: the correction.
        now: the video as it is corrected so far.

    Returns:
        Track, and for corrections of a moment also the track before and after it → samples of its boxes.
    """
    table = now.edited.detections
    begin_s, end_s = times_of(change)
    found: dict[str, tuple[Sample, ...]] = {}
    for track in tracks_of(change):
        found[str(track)] = sample_track(table, track, begin_s, end_s)
        if isinstance(change, SplitTrack | ExchangeTracks):
            at_s = change.at_s
            before = sample_track(table, track, at_s - _AROUND_S, at_s - 2 * _ROUNDING_S)
            after = sample_track(table, track, at_s, at_s + _AROUND_S)
            sides = {
                f"{track}/before": tuple(one for one in before if one[0] < at_s - _ROUNDING_S),
                f"{track}/after": tuple(one for one in after if one[0] >= at_s - _ROUNDING_S),
            }
            found |= {name: samples for name, samples in sides.items() if samples}
    return found
