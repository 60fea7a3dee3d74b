"""Events from tracks and relations; see docs/measures.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.interactions.config import EventsConfig
from visionllm_interaction.interactions.dyadic_events import find_approaches, find_joint_handling
from visionllm_interaction.interactions.fine_grid import refine_grid
from visionllm_interaction.interactions.spans import runs
from visionllm_interaction.interactions.track_grid import SceneGrid, Smoothing, TrackGrid, build_grid

_STAYS_S = 0.5
"""Sightings of an object so soon after it was held, or before it is, do not count: it may be going out of sight."""
_CUT_BY_EDGE = 0.8
"""A person whose box is lower than this share of its usual height is cut by the image's lower edge."""
_CUT_S = 0.1
"""Holding that reaches so close to the video's begin or end was cut off by it."""

Found = tuple[float, str, tuple[int, ...], float]
"""time_s, kind, track ids, confidence."""


def find_events(
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    relations: Sequence[Relation],
    size_px: tuple[int, int],
    config: EventsConfig = EventsConfig(),
) -> list[Event]:
    """Find all events; each is momentary, except joint_handling, which lasts.

    Args:
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        relations: bouts of all predicates.
        size_px: width and height of the images.
        config: times and distances.

    Returns:
        Events by begin. The actor's track id comes first: giver, receiver, object for hands_over; holder, other person,
        object for joint_handling.
    """
    grid = refine_grid(build_grid(detections, frames, tracks, smoothing=Smoothing(0.0)))
    if not len(grid.begins_s):
        return []
    found = [f for t in grid.tracks if t.is_person for f in _comings_and_goings(t, grid, size_px, config)]
    found += _handling([r for r in relations if r.predicate == "holding"], grid, config)
    moments = [(time_s, kind, ids, time_s, confidence) for time_s, kind, ids, confidence in found]
    moments += [
        (time_s, kind, ids, time_s, sure) for time_s, kind, ids, sure in find_approaches(relations, grid, config)
    ]
    moments += find_joint_handling(relations, config)
    return [
        Event(f"e{number}", kind, ids, begin_s, end_s, confidence)
        for number, (begin_s, kind, ids, end_s, confidence) in enumerate(sorted(moments), start=1)
    ]


def _comings_and_goings(
    person: TrackGrid, grid: SceneGrid, size_px: tuple[int, int], config: EventsConfig
) -> Iterator[Found]:
    ids, sure = (person.track.track_id,), person.track.mean_confidence
    begin_s, end_s = float(grid.begins_s[0]), float(grid.ends_s[-1])
    for first, after in _presences(person, grid, config):
        came, went = float(grid.begins_s[first + person.first]), float(grid.ends_s[after - 1 + person.first])
        seen = person.boxes_xyxy[first:after]
        if came - begin_s > config.edge_s and _at_border(seen, seen[0], size_px, config.border_share):
            yield came, "enters", ids, sure
        if end_s - went > config.edge_s and _at_border(seen, seen[-1], size_px, config.border_share):
            yield went, "leaves", ids, sure


def _presences(person: TrackGrid, grid: SceneGrid, config: EventsConfig) -> list[tuple[int, int]]:
    """Runs of visible frames ``[first, after)`` within the track, across absences shorter than ``min_absence_s``."""
    joined: list[tuple[int, int]] = []
    for first, after in runs(person.seen):
        if joined:
            absence_s = grid.begins_s[first + person.first] - grid.ends_s[joined[-1][1] - 1 + person.first]
            if absence_s < config.min_absence_s:
                joined[-1] = (joined[-1][0], after)
                continue
        joined.append((first, after))
    return joined


def _at_border(
    boxes_xyxy: NDArray[np.float64], box_xyxy: NDArray[np.float64], size_px: tuple[int, int], share: float
) -> bool:
    """Whether a box is at the left, right or lower edge of the image; nobody enters from above.

    People in front stand at the lower edge for long. They come or go there only if the edge cuts them: if the box
    touches it, or is near it and lower than the person's other ``boxes_xyxy``.
    """
    width, height = size_px
    x1, y1, x2, y2 = box_xyxy.tolist()
    if x1 <= share * width or x2 >= (1 - share) * width or y2 >= height - 1:
        return True
    whole = float(np.nanmedian(boxes_xyxy[:, 3] - boxes_xyxy[:, 1]))
    return bool(y2 >= (1 - share) * height and y2 - y1 <= _CUT_BY_EDGE * whole)


def _handling(holding: Sequence[Relation], grid: SceneGrid, config: EventsConfig) -> Iterator[Found]:
    by_object = sorted(holding, key=lambda r: (r.object_track_id, r.begin_s))
    for _, group in groupby(by_object, key=lambda r: r.object_track_id):
        bouts = list(group)
        for former, bout, later in zip([None, *bouts], bouts, [*bouts[1:], None], strict=False):
            yield from _ends_of(bout, former, later, grid, config)


def _ends_of(
    bout: Relation, former: Relation | None, later: Relation | None, grid: SceneGrid, config: EventsConfig
) -> Iterator[Found]:
    person, item = bout.subject_track_id, bout.object_track_id
    taken = former is not None and _is_handover(former, bout, config)
    if former is not None and taken:
        yield bout.begin_s, "hands_over", (former.subject_track_id, person, item), bout.confidence
    elif bout.begin_s - grid.begins_s[0] > _CUT_S and _was_there(bout, grid, config.in_sight_s):
        yield bout.begin_s, "picks_up", (person, item), bout.confidence
    given = later is not None and _is_handover(bout, later, config)
    if not given and grid.ends_s[-1] - bout.end_s > _CUT_S and _stays(bout, grid, config.in_sight_s):
        yield bout.end_s, "puts_down", (person, item), bout.confidence


def _is_handover(giver: Relation, receiver: Relation, config: EventsConfig) -> bool:
    apart_s = receiver.begin_s - giver.end_s
    return giver.subject_track_id != receiver.subject_track_id and apart_s <= config.handover_s


def _stays(bout: Relation, grid: SceneGrid, in_sight_s: float) -> bool:
    """Whether the object is in sight after the bout; one that is carried out of sight is not put down.

    Somebody who leaves with it may be lost a moment before it, so it has to be seen later than that, before
    ``in_sight_s``.
    """
    begin_s = bout.end_s if grid.ends_s[-1] - bout.end_s <= _STAYS_S else bout.end_s + _STAYS_S
    return _is_seen(bout.object_track_id, grid, begin_s, bout.end_s + in_sight_s)


def _was_there(bout: Relation, grid: SceneGrid, in_sight_s: float) -> bool:
    """Whether the object was in sight before the bout; one that is brought along is not picked up."""
    end_s = bout.begin_s if bout.begin_s - grid.begins_s[0] <= _STAYS_S else bout.begin_s - _STAYS_S
    return _is_seen(bout.object_track_id, grid, bout.begin_s - in_sight_s, end_s)


def _is_seen(track_id: int, grid: SceneGrid, begin_s: float, end_s: float) -> bool:
    """Whether a track is seen in a frame that begins from ``begin_s`` on and before ``end_s``."""
    item = next(t for t in grid.tracks if t.track.track_id == track_id)
    first, after = np.searchsorted(grid.begins_s, [begin_s - 1e-9, end_s - 1e-9])
    return bool(item.seen[max(int(first) - item.first, 0) : max(int(after) - item.first, 0)].any())
