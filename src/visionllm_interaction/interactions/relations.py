"""near, in_contact and placement from tracks, by the definitions of ``core.predicates``; see docs/measures.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.predicates import CONTACT_GAP, NEAR_GAP, reference_height_px, relative_gap
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.interactions.config import RelationsConfig, ScenesConfig
from visionllm_interaction.interactions.fine_grid import refine_grid
from visionllm_interaction.interactions.holder_assignment import Contact
from visionllm_interaction.interactions.holding import find_holding
from visionllm_interaction.interactions.pair_geometry import approach_deficit, containment, directions
from visionllm_interaction.interactions.spans import Span, bridge, clean_spans, hysteresis, mask_to_spans
from visionllm_interaction.interactions.track_grid import Floats, SceneGrid, Smoothing, TrackGrid, build_grid


@dataclass(frozen=True, eq=False)
class Pair:
    """A person and another track over the frames ``[first, after)`` in which both exist."""

    subject: TrackGrid
    other: TrackGrid
    first: int
    after: int

    def boxes(self) -> tuple[Floats, Floats]:
        """(after - first, 4) boxes of both, xyxy in pixels; NaN where not visible."""
        one, other = (t.boxes_xyxy[self.first - t.first : self.after - t.first] for t in (self.subject, self.other))
        return one, other

    def gap(self) -> Floats:
        """(after - first,) gap in reference heights; NaN where one of them is not visible."""
        a, b = self.boxes()
        gap = np.full(len(a), np.nan)
        both = np.isfinite(a[:, 0]) & np.isfinite(b[:, 0])
        gap[both] = relative_gap(a[both], b[both], object_is_person=self.other.is_person)
        return gap

    def confidence(self, mask: NDArray[np.bool_]) -> float:
        """Mean over the masked frames of the lower confidence of both."""
        both = [t.confidence[self.first - t.first : self.after - t.first] for t in (self.subject, self.other)]
        sure = np.fmin(*both)[mask]
        return float(np.nanmean(sure)) if len(sure) else 0.0


def find_relations(
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    config: ScenesConfig = ScenesConfig(),
) -> list[Relation]:
    """Find the bouts of near, in_contact, holding, and of the spatial relations if ``config`` asks for them.

    The subject is a person; of two people, the one with the lower track id. For *inside* it is the inner one.

    Args:
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        config: smoothing, hysteresis and durations.

    Returns:
        Bouts by begin, with half-open times ``[begin_s, end_s)`` of frames.
    """
    grid = refine_grid(build_grid(detections, frames, tracks, smoothing=smoothing_of(config.relations)))
    found: list[Relation] = []
    contacts: list[Contact] = []
    for pair in pairs_of(grid):
        gap = pair.gap()
        near = bouts_of(gap, grid, pair, limit=NEAR_GAP, slack=0.0, config=config.relations)
        touching = bouts_of(
            gap, grid, pair, limit=CONTACT_GAP, slack=config.relations.contact_slack, config=config.relations
        )
        found += [relation_of("near", pair, span, grid) for span in near]
        found += [relation_of("in_contact", pair, span, grid) for span in touching]
        if config.relations.placement:
            found += _placements(pair, gap, grid, config.relations)
        if not pair.other.is_person:
            contacts += [Contact(pair.subject, pair.other, span) for span in touching]
    found += find_holding(contacts, grid, config=config.holding)
    return sorted(found, key=lambda r: (r.begin_s, r.predicate, r.subject_track_id, r.object_track_id))


def smoothing_of(config: RelationsConfig) -> Smoothing:
    """How boxes are smoothed before distances are taken."""
    return Smoothing(config.smooth_s, rest_tolerance=config.rest_tolerance, rest_s=config.rest_s)


def pairs_of(grid: SceneGrid) -> Iterator[Pair]:
    """Pairs of a person and another track, over the frames in which both exist."""
    ordered = sorted(grid.tracks, key=lambda t: (not t.is_person, t.track.track_id))
    begins, ends = np.array([t.first for t in ordered]), np.array([t.after for t in ordered])
    for place, subject in enumerate(ordered):
        if not subject.is_person:
            return
        # At one frame a second there may be thousands of tracks, few of them at the same time.
        at_once = (begins[place + 1 :] < subject.after) & (ends[place + 1 :] > subject.first)
        for other in (ordered[place + 1 + n] for n in np.flatnonzero(at_once).tolist()):
            yield Pair(subject, other, max(subject.first, other.first), min(subject.after, other.after))


def _placements(pair: Pair, gap: Floats, grid: SceneGrid, config: RelationsConfig) -> Iterator[Relation]:
    one, other = pair.boxes()
    heights = np.maximum(reference_height_px(one, other, object_is_person=pair.other.is_person), 1.0)
    inside, holds, overlap = containment(one, other)
    times_s = grid.begins_s[pair.first : pair.after]
    values = [
        *directions(one, other, heights_px=heights),
        ("inside", inside),
        ("overlaps", overlap),
        ("approaching", approach_deficit(gap, times_s, window_s=config.approach_window_s)),
    ]
    for predicate, value in values:
        for span in bouts_of(value, grid, pair, limit=0.0, slack=config.placement_slack, config=config):
            yield relation_of(predicate, pair, span, grid)
    for span in bouts_of(holds, grid, pair, limit=0.0, slack=config.placement_slack, config=config):
        found = relation_of("inside", pair, span, grid)
        yield replace(found, subject_track_id=found.object_track_id, object_track_id=found.subject_track_id)


def bouts_of(
    gap: Floats, grid: SceneGrid, pair: Pair, *, limit: float, slack: float, config: RelationsConfig
) -> list[Span]:
    """Bouts in which a value is within a limit, with hysteresis; short gaps are merged and short bouts dropped.

    A bout ends at a gap in the time stamps longer than ``unseen_s``.

    Args:
        gap: (n,) values over the frames of ``pair``; NaN where unknown.
        grid: the tracks over the processed frames.
        pair: the two tracks.
        limit: a bout begins where ``gap`` is at most this.
        slack: absolute slack on the end of a bout, beside the relative ``hysteresis``.
        config: hysteresis and durations.

    Returns:
        Half-open intervals in seconds.
    """
    found: list[Span] = []
    for first, after in grid.parts(pair.first, pair.after, longest_s=config.unseen_s):
        begins_s, ends_s = grid.begins_s[first:after], grid.ends_s[first:after]
        # Half a frame more, because times are rounded to frames.
        longest_s = config.unseen_s + grid.steps_s[first:after] / 2
        known = bridge(gap[first - pair.first : after - pair.first], begins_s, ends_s, longest_s=longest_s)
        mask = hysteresis(known, enter=limit, leave=limit * (1 + config.hysteresis) + slack)
        found += mask_to_spans(mask, begins_s, ends_s)
    return clean_spans(found, merge_gap_s=config.merge_gap_s, min_duration_s=config.min_duration_s)


def relation_of(predicate: str, pair: Pair, span: Span, grid: SceneGrid) -> Relation:
    """A bout as a relation of the pair."""
    begins_s = grid.begins_s[pair.first : pair.after]
    mask = (begins_s >= span.begin_s - 1e-9) & (begins_s < span.end_s - 1e-9)
    ids = pair.subject.track.track_id, pair.other.track.track_id
    return Relation(ids[0], predicate, ids[1], span.begin_s, span.end_s, pair.confidence(mask))
