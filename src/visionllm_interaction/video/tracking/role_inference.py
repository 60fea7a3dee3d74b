"""Infer the roles child and caregiver of tracks of the category ``person`` from relative size.

Two people in the same frames are compared. One is smaller if its box is clearly smaller and it is no farther away
(its feet are no higher in the image). The person who is smaller in most frames is labelled as the child. A child who
stands beside a sitting adult is labelled wrongly, so the result is a *proxy*, kept separate from given roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import usual_steps
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.video.config import RolesConfig

CHILD_PROXY, CAREGIVER_PROXY = "child-proxy", "caregiver-proxy"
_PERSON = "person"
_EDGE = 0.01
"""Boxes this near to an edge (share of the image) are cut by it: their heights say nothing."""
_FARTHER = 0.1
"""Feet that are higher by this share of the taller one's height: the smaller person may just be farther away."""
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class RoleProxy:
    """An inferred role; ``confidence`` is the share of the shared time that supports it."""

    role: str
    confidence: float


def guess_roles(
    detections: DetectionTable, tracks: Sequence[Track], *, size_px: tuple[int, int], config: RolesConfig
) -> dict[int, RoleProxy]:
    """Infer proxy roles, by track id, for people without a role; ``size_px`` is (width, height) of the images."""
    unknown = [track.track_id for track in tracks if track.category == _PERSON and track.role is None]
    if not config.proxy or len(unknown) < 2:
        return {}
    whole = detections.select(np.isin(detections.track_id, unknown) & _is_whole(detections, size_px))
    votes = {track_id: _Votes() for track_id in unknown}
    for number, one in enumerate(unknown):
        for other in unknown[number + 1 :]:
            _compare(whole, one, other, votes=votes, config=config)
    guessed = {track_id: own.decide(config) for track_id, own in votes.items()}
    return {track_id: proxy for track_id, proxy in guessed.items() if proxy is not None}


def with_proxies(tracks: Sequence[Track], proxies: dict[int, RoleProxy]) -> list[Track]:
    """``tracks`` with inferred roles where none was given."""
    return [replace(t, role=proxies[t.track_id].role) if t.track_id in proxies else t for t in tracks]


class _Votes:
    """Time in seconds in which a person was smaller, larger, or neither."""

    def __init__(self) -> None:
        self.smaller = self.larger = self.neither = 0.0

    def decide(self, config: RolesConfig) -> RoleProxy | None:
        together = self.smaller + self.larger + self.neither
        if together < config.min_together_s:
            return None
        role, most = (CHILD_PROXY, self.smaller) if self.smaller > self.larger else (CAREGIVER_PROXY, self.larger)
        return RoleProxy(role, round(most / together, 4)) if most >= config.min_share * together else None


def _is_whole(rows: DetectionTable, size_px: tuple[int, int]) -> Booleans:
    top, bottom = rows.boxes_xyxy[:, 1], rows.boxes_xyxy[:, 3]
    inside = (top > _EDGE * size_px[1]) & (bottom < (1 - _EDGE) * size_px[1])
    return np.asarray(inside, dtype=np.bool_)


def _compare(rows: DetectionTable, one: int, other: int, *, votes: dict[int, _Votes], config: RolesConfig) -> None:
    a, b = (rows.select(rows.track_id == track_id) for track_id in (one, other))
    _, in_a, in_b = np.intersect1d(a.frame_index, b.frame_index, return_indices=True)
    if len(in_a) < 2:
        return
    first, second = a.boxes_xyxy[in_a], b.boxes_xyxy[in_b]
    steps_s = usual_steps(a.timestamp_s[in_a])
    one_smaller = float(steps_s[_is_smaller(first, second, config)].sum())
    other_smaller = float(steps_s[_is_smaller(second, first, config)].sum())
    neither = float(steps_s.sum()) - one_smaller - other_smaller
    votes[one].smaller += one_smaller
    votes[one].larger += other_smaller
    votes[other].smaller += other_smaller
    votes[other].larger += one_smaller
    votes[one].neither += neither
    votes[other].neither += neither


def _is_smaller(boxes: NDArray[np.float32], others: NDArray[np.float32], config: RolesConfig) -> Booleans:
    """(n,) the frames in which ``boxes`` (n, 4) are clearly smaller than ``others`` and stand no farther away."""
    height, other = boxes[:, 3] - boxes[:, 1], others[:, 3] - others[:, 1]
    near = boxes[:, 3] >= others[:, 3] - _FARTHER * other
    return np.asarray((height <= config.size_ratio * other) & near, dtype=np.bool_)
