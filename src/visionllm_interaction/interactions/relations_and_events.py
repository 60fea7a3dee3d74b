"""All relations and events of a video from its tracks: one function for analyses and for corrected tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visionllm_interaction.core.bodies import HandRow
from visionllm_interaction.core.detection_table import DetectionTable, HeadTable
from visionllm_interaction.core.frame_table import FrameTable, processed_step_s
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.interactions.events import find_events
from visionllm_interaction.interactions.hand_contact import find_hand_contacts
from visionllm_interaction.interactions.head_direction import find_facing
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.interactions.sampling_error import unknown_at


@dataclass(frozen=True)
class Interactions:
    """What follows from the tracks of one video.

    Attributes:
        relations: bouts of every predicate, by begin.
        events: by begin.
    """

    relations: tuple[Relation, ...]
    events: tuple[Event, ...]


def find_interactions(
    detections: DetectionTable,
    frames: FrameTable,
    tracks: Sequence[Track],
    *,
    size_px: tuple[int, int],
    config: ScenesConfig = ScenesConfig(),
    heads: HeadTable | None = None,
    hands: Sequence[HandRow] | None = None,
    given: Sequence[Relation] = (),
) -> Interactions:
    """Find the bouts of all predicates, and the events that follow from them.

    What the rate of the processed frames does not let one know is left out (:func:`.sampling_error.unknown_at`).

    Args:
        detections: tracked detections, boxes xyxy in pixels.
        frames: all frames of the video.
        tracks: the tracks of ``detections``.
        size_px: width and height of the images.
        config: smoothing, hysteresis, durations and distances.
        heads: heads of people, for *facing*; None: not known.
        hands: hands of people, for *hand_on*; None: they were not looked for.
        given: bouts that are known already, of predicates that are not computed here.

    Returns:
        Relations and events.
    """
    unknown = unknown_at(processed_step_s(frames))
    found = [*find_relations(detections, frames, tracks, config=config), *given]
    if heads is not None:
        found += find_facing(heads, detections, frames, tracks, config=config)
    if hands is not None:
        found += find_hand_contacts(hands, detections, frames, tracks, config=config)
    relations = sorted((r for r in found if r.predicate not in unknown), key=lambda relation: relation.begin_s)
    events = find_events(detections, frames, tracks, relations=relations, size_px=size_px, config=config.events)
    return Interactions(tuple(relations), tuple(event for event in events if event.kind not in unknown))
