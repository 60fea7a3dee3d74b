"""Where people look: bouts at objects or away, the point in each image, and what an eye tracker makes of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.ground_truth import Sighting

FIELD_OF_VIEW_DEG = 103.0
"""The width of an image, as seen by the scene camera of an eye tracker."""
TRACKER_HZ = 200.0
_LOOK_S = (0.6, 3.0)
_AWAY_SHARE = 0.15
_PLACES = 5
"""Places on an object that may be looked at: so many across and down."""
_MIDDLE = 0.3
"""They lie in the middle of the box, at least this share of its sides from its edges."""
_CLEAR_DEG = 2.5
"""A look is clear if nothing else lies within this of its point."""
_TRIES = 60
_JOINT_UNCLEAR_S = ((0.001, 0.7), (0.7, 1.3))
"""Joint looks, and pauses between two at one object, that could be counted either way are avoided."""
_BLINK_S = (0.05, 0.15)
_BLINKS_APART_S = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrueLook:
    """A bout of looking at one object, or away from all.

    Attributes:
        track_id: the object; None: away.
        begin_s: seconds of the video, the begin of a frame.
        end_s: the begin of another one, or the end of the video.
    """

    track_id: int | None
    begin_s: float
    end_s: float


@dataclass(frozen=True, eq=False, slots=True)
class TrueGaze:
    """Where one person looks.

    Attributes:
        who: the person's category.
        track_id: the person's track; None for the child who wears the head camera.
        looks: the bouts, without gaps.
        points_px: (n, 2) x, y in the image of each frame.
    """

    who: str
    track_id: int | None
    looks: tuple[TrueLook, ...]
    points_px: Floats


@dataclass(frozen=True, eq=False)
class _Scene:
    """Boxes of each track by frame: (tracks, frames, 4), NaN where it is not seen."""

    ids: tuple[int, ...]
    categories: tuple[str, ...]
    boxes: Floats
    edges_s: Floats
    size: tuple[int, int]

    @property
    def px_per_deg(self) -> float:
        return self.size[0] / FIELD_OF_VIEW_DEG


@dataclass(frozen=True, eq=False, slots=True)
class _Candidate:
    track_id: int | None
    points_px: Floats


def random_gaze(
    rng: np.random.Generator,
    people: Sequence[tuple[str, int | None]],
    frames: Sequence[Sequence[Sighting]],
    edges_s: Floats,
    *,
    size: tuple[int, int],
) -> tuple[TrueGaze, ...]:
    """Looks of some people at what is seen in a video.

    Everybody looks at objects and people of another category that can be told from all others there, or away from
    everything. Joint looks of the first two last clearly longer than the published definition asks for.

    Args:
        rng: random numbers.
        people: category and track of each; no track for who wears the camera.
        frames: what is seen in each frame.
        edges_s: (n + 1,) begins of the frames, and the end of the last one.
        size: width and height of the images in pixels.

    Returns:
        The gaze of each.
    """
    scene = _scene(frames, edges_s, size)
    found: list[TrueGaze] = []
    for who, track_id in people:
        found.append(_gaze_of(rng, scene, who, track_id, beside=found[0].looks if len(found) == 1 else ()))
    return tuple(found)


def _scene(frames: Sequence[Sequence[Sighting]], edges_s: Floats, size: tuple[int, int]) -> _Scene:
    categories = {sighting.track_id: sighting.category for frame in frames for sighting in frame}
    ids = tuple(sorted(categories))
    boxes = np.full((len(ids), len(frames), 4), np.nan)
    place = {track_id: n for n, track_id in enumerate(ids)}
    for n, frame in enumerate(frames):
        for sighting in frame:
            boxes[place[sighting.track_id], n] = sighting.box_xyxy
    return _Scene(ids, tuple(categories[track_id] for track_id in ids), boxes, edges_s, size)


def _gaze_of(
    rng: np.random.Generator, scene: _Scene, who: str, track_id: int | None, *, beside: Sequence[TrueLook]
) -> TrueGaze:
    looks: list[TrueLook] = []
    points = np.empty((scene.boxes.shape[1], 2))
    at = 0
    while at < len(points):
        after = _end_of_look(rng, scene, at)
        chosen = _choose(rng, scene, who, (at, after), looks, beside)
        points[at:after] = chosen.points_px
        span = float(scene.edges_s[at]), float(scene.edges_s[after])
        if looks and looks[-1].track_id == chosen.track_id:
            looks[-1] = TrueLook(chosen.track_id, looks[-1].begin_s, span[1])
        else:
            looks.append(TrueLook(chosen.track_id, *span))
        at = after
    return TrueGaze(who, track_id, tuple(looks), points)


def _end_of_look(rng: np.random.Generator, scene: _Scene, at: int) -> int:
    """The frame after a look that begins in a frame; a rest that is too short for a look belongs to this one."""
    starts, last_s = scene.edges_s, float(scene.edges_s[-1])
    end_s = float(starts[at]) + float(rng.uniform(*_LOOK_S))
    if last_s - end_s < _LOOK_S[0]:
        return len(starts) - 1
    return max(int(np.searchsorted(starts, end_s)), at + 1)


def _choose(
    rng: np.random.Generator,
    scene: _Scene,
    who: str,
    frames: tuple[int, int],
    looks: Sequence[TrueLook],
    beside: Sequence[TrueLook],
) -> _Candidate:
    """A target that is clear during a look; away if none is."""
    span = float(scene.edges_s[frames[0]]), float(scene.edges_s[frames[1]])
    last = looks[-1].track_id if looks else None
    wanted = [n for n, category in enumerate(scene.categories) if category != who and scene.ids[n] != last]
    rng.shuffle(wanted)
    if rng.random() >= _AWAY_SHARE or last is None:
        for n in wanted:
            candidate = _at_object(rng, scene, n, frames)
            if candidate is None:
                continue
            own = [*looks, TrueLook(candidate.track_id, *span)]
            if not beside or _is_clear(own, beside, candidate.track_id):
                return candidate
    return _away(rng, scene, frames)


def _at_object(rng: np.random.Generator, scene: _Scene, n: int, frames: tuple[int, int]) -> _Candidate | None:
    """A place on an object that is seen all the time and that nothing else is near to."""
    part = scene.boxes[:, frames[0] : frames[1]]
    own = part[n]
    if np.isnan(own).any():
        return None
    shares = np.linspace(_MIDDLE, 1 - _MIDDLE, _PLACES)
    places = rng.permutation(np.stack(np.meshgrid(shares, shares), axis=-1).reshape(-1, 2))
    others = np.delete(part, n, axis=0)
    smaller = _area(others) <= _area(own)[None] * 1.05
    others = np.where(smaller[..., None], others, np.nan)
    for place in places:
        points = own[:, :2] + place * (own[:, 2:] - own[:, :2])
        if _distance(others, points).min(initial=np.inf) > _CLEAR_DEG * scene.px_per_deg and _is_large(
            own, points, others=part, n=n, margin_px=scene.px_per_deg
        ):
            return _Candidate(scene.ids[n], points)
    return None


def _is_large(own: Floats, points: Floats, *, others: Floats, n: int, margin_px: float) -> bool:
    """Whether a point lies well inside of its box, or nothing larger lies behind it that a tracker might hit."""
    inside = np.minimum(points - own[:, :2], own[:, 2:] - points).min()
    if inside >= 1.5 * margin_px:
        return True
    behind = np.delete(others, n, axis=0)
    return bool(_distance(behind, points).min(initial=np.inf) > _CLEAR_DEG * margin_px)


def _area(boxes: Floats) -> Floats:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def _distance(boxes: Floats, points: Floats) -> Floats:
    """Distances in pixels of points (frames, 2) from boxes (tracks, frames, 4); infinite where there is no box."""
    x, y = points[:, 0], points[:, 1]
    dx = np.maximum(np.maximum(boxes[..., 0] - x, x - boxes[..., 2]), 0.0)
    dy = np.maximum(np.maximum(boxes[..., 1] - y, y - boxes[..., 3]), 0.0)
    return np.nan_to_num(np.hypot(dx, dy), nan=np.inf)


def _away(rng: np.random.Generator, scene: _Scene, frames: tuple[int, int]) -> _Candidate:
    """The point of the image that is farthest from all boxes, of a few."""
    part = scene.boxes[:, frames[0] : frames[1]]
    width, height = scene.size
    options = rng.uniform(0.04, 0.96, (_TRIES, 2)) * (width, height)
    count = frames[1] - frames[0]
    clearance = [_distance(part, np.tile(point, (count, 1))).min(initial=np.inf) for point in options]
    return _Candidate(None, np.tile(options[int(np.argmax(clearance))], (count, 1)))


def _is_clear(own: Sequence[TrueLook], other: Sequence[TrueLook], track_id: int | None) -> bool:
    """Whether joint looks at an object, and the pauses between them, could be counted only one way."""
    parts = sorted(
        (max(a.begin_s, b.begin_s), min(a.end_s, b.end_s))
        for a in own
        for b in other
        if a.track_id == b.track_id == track_id and min(a.end_s, b.end_s) > max(a.begin_s, b.begin_s)
    )
    lengths = [end - begin for begin, end in parts]
    pauses = [b[0] - a[1] for a, b in pairwise(parts)]
    bad, unclear = _JOINT_UNCLEAR_S
    return not any(bad[0] < length < bad[1] for length in lengths) and not any(
        unclear[0] < pause < unclear[1] for pause in pauses
    )


def gaze_truth(gazes: Sequence[TrueGaze], edges_s: Floats, *, size: tuple[int, int]) -> dict[str, Any]:
    """The contents of ``gaze.json``.

    Args:
        gazes: where people look.
        edges_s: (n + 1,) begins of the frames, and the end of the last one.
        size: width and height of the images in pixels.

    Returns:
        Bouts, and per frame the point and the object.
    """
    return {
        "schema_version": 1,
        "px_per_deg": round(size[0] / FIELD_OF_VIEW_DEG, 4),
        "people": [
            {
                "who": gaze.who,
                "track_id": gaze.track_id,
                "looks": [{"track_id": k.track_id, "begin_s": k.begin_s, "end_s": k.end_s} for k in gaze.looks],
                "frames": [
                    [round(float(x), 2), round(float(y), 2), target]
                    for (x, y), target in zip(gaze.points_px, targets_at(gaze, edges_s[:-1]), strict=True)
                ],
            }
            for gaze in gazes
        ],
    }


def targets_at(gaze: TrueGaze, times_s: Floats) -> list[int | None]:
    """What somebody looks at at some times.

    Args:
        gaze: where the person looks.
        times_s: (n,) seconds of the video, from its begin to before its end.

    Returns:
        Track ids; None: away.
    """
    begins = np.array([look.begin_s for look in gaze.looks])
    return [gaze.looks[n].track_id for n in (np.searchsorted(begins, times_s + 1e-9, side="right") - 1).tolist()]


@dataclass(frozen=True, eq=False, slots=True)
class TrackedGaze:
    """What an eye tracker records.

    Attributes:
        t: (n,) seconds of the video.
        points_px: (n, 2) in pixels of its images.
        valid: (n,) False where the eyes were lost.
    """

    t: Floats
    points_px: Floats
    valid: NDArray[np.bool_]


def track(
    rng: np.random.Generator, gaze: TrueGaze, edges_s: Floats, *, noise_deg: float, loss: float, size: tuple[int, int]
) -> TrackedGaze:
    """What an eye tracker makes of gaze: samples with noise, and blinks.

    Args:
        rng: random numbers.
        gaze: where somebody looks.
        edges_s: (n + 1,) begins of the frames, and the end of the last one.
        noise_deg: standard deviation of the direction, over both axes together.
        loss: share of the samples in which the eyes are lost; blinks of 0.05 to 0.15 s.
        size: width and height of the images in pixels.

    Returns:
        Samples at :data:`TRACKER_HZ`.
    """
    t = np.arange(int(float(edges_s[-1]) * TRACKER_HZ)) / TRACKER_HZ
    frame = np.clip(np.searchsorted(edges_s, t + 1e-9, side="right") - 1, 0, len(gaze.points_px) - 1)
    noise_px = noise_deg * size[0] / FIELD_OF_VIEW_DEG / np.sqrt(2)
    points = gaze.points_px[frame] + rng.normal(0.0, noise_px, (len(t), 2))
    return TrackedGaze(t, points, _blinks(rng, len(t), loss))


def _blinks(rng: np.random.Generator, count: int, loss: float) -> NDArray[np.bool_]:
    """False in blinks that are apart from each other and from both ends, and make up a share of the samples."""
    valid = np.ones(count, np.bool_)
    if not loss:
        return valid
    mean_s = sum(_BLINK_S) / 2
    pause_s = mean_s * (1 - loss) / loss
    at = 0.0
    while True:
        at += _BLINKS_APART_S + float(rng.exponential(max(pause_s - _BLINKS_APART_S, 0.01)))
        end = at + float(rng.uniform(*_BLINK_S))
        if (end + _BLINKS_APART_S) * TRACKER_HZ >= count:
            return valid
        valid[int(at * TRACKER_HZ) : int(end * TRACKER_HZ)] = False
        at = end


def write_tracker(folder: Path, tracked: TrackedGaze, edges_s: Floats) -> None:
    """Write a recording as glassesTools converts those of many trackers: ``gazeData.tsv`` and what belongs to it.

    Args:
        folder: a new folder.
        tracked: the samples.
        edges_s: (n + 1,) begins of the frames, and the end of the last one.
    """
    folder.mkdir()
    (folder / "recording_info.json").write_text(json.dumps({"eye_tracker": "ToyRoom"}), encoding="utf-8")
    with (folder / "frameTimestamps.tsv").open("w", newline="", encoding="utf-8") as stream:
        rows = ((n, round(1000 * time, 3)) for n, time in enumerate(edges_s[:-1].tolist()))
        csv.writer(stream, delimiter="\t").writerows([("frame_idx", "timestamp"), *rows])
    frame = np.searchsorted(edges_s, tracked.t + 1e-9, side="right") - 1
    with (folder / "gazeData.tsv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(("timestamp", "frame_idx", "gaze_pos_vid_x", "gaze_pos_vid_y"))
        for t, n, (x, y), valid in zip(tracked.t, frame, tracked.points_px, tracked.valid, strict=True):
            position = (f"{x:.2f}", f"{y:.2f}") if valid else ("nan", "nan")
            writer.writerow((f"{1000 * t:.1f}", int(n), *position))
