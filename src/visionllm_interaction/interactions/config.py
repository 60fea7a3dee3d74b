"""Settings of relations and events: smoothing, minimum durations, bouts. All times in seconds."""

from __future__ import annotations

from pydantic import Field

from visionllm_interaction.config_loading import Section


class RelationsConfig(Section):
    """When a predicate of ``core.predicates`` begins and ends."""

    smooth_s: float = Field(default=0.3, ge=0.0, le=5.0)
    """Boxes are median-filtered over this time before distances are computed; removes single-frame jitter."""
    rest_tolerance: float = Field(default=0.01, ge=0.0, le=0.2)
    """An edge of a box that stays within this share of a person's height is at rest, despite jitter …"""
    rest_s: float = Field(default=1.0, gt=0.0, le=60.0)
    """… if it does so for at least this time; it is then placed at its median. 0 above switches this off."""
    hysteresis: float = Field(default=0.01, ge=0.0, le=2.0)
    """A running bout ends only when the gap exceeds the limit by this share of it."""
    contact_slack: float = Field(default=0.005, ge=0.0, le=0.2)
    """Further slack on the end of in_contact, in reference heights: the limit itself is too small for a share of it."""
    merge_gap_s: float = Field(default=0.2, ge=0.0, le=10.0)
    """Bouts of one pair no further apart become one."""
    min_duration_s: float = Field(default=0.2, ge=0.0, le=10.0)
    """Shorter bouts are dropped."""
    unseen_s: float = Field(default=0.5, ge=0.0, le=10.0)
    """A bout continues while one of the pair is not visible for up to this time, if it holds before and after."""

    placement: bool = True
    """Whether left_of, right_of, above, below, inside, overlaps and approaching are computed as well."""
    placement_slack: float = Field(default=0.02, ge=0.0, le=1.0)
    """How far a predicate of placement may be exceeded (shares of height or area, heights a second) before it ends."""
    approach_window_s: float = Field(default=0.5, gt=0.0, le=5.0)
    """The speed at which a gap shrinks is taken over this time."""


class HoldingConfig(Section):
    """When contact is holding: the object moves *with* the person."""

    window_s: float = Field(default=0.24, gt=0.0, le=2.0)
    """Displacements are taken over this time."""
    min_move: float = Field(default=0.05, gt=0.0, le=1.0)
    """The object moves if it is displaced by this share of the person's height within the window."""
    merge_gap_s: float = Field(default=0.5, ge=0.0, le=10.0)
    """Bouts of one pair no further apart become one."""
    min_duration_s: float = Field(default=0.4, ge=0.0, le=10.0)
    """Shorter bouts are dropped."""


class EventsConfig(Section):
    """When a change of relations or tracks is an event."""

    edge_s: float = Field(default=0.5, ge=0.0, le=10.0)
    """A track there within this time of the video's begin did not enter; one there at its end did not leave."""
    handover_s: float = Field(default=1.0, ge=0.0, le=10.0)
    """Longest time between one person's holding and the next's for a hand-over."""
    min_absence_s: float = Field(default=3.0, ge=0.0, le=60.0)
    """A person who is not visible for less than this neither left nor entered."""
    in_sight_s: float = Field(default=3.0, ge=1.0, le=60.0)
    """An object is put down (picked up) only if it is seen within this time after (before) it was held."""
    approach_s: float = Field(default=1.0, gt=0.0, le=30.0)
    """Two people must have been apart, both seen, for this long before one approaches (after one withdraws)."""
    joint_s: float = Field(default=0.4, ge=0.0, le=10.0)
    """Least time that one person touches what another holds for them to handle it jointly."""
    border_share: float = Field(default=0.03, ge=0.0, le=0.5)
    """Enters and leaves happen within this share of the image's size from its left, right or lower edge."""


class ScenesConfig(Section):
    """Relations and events computed from tracks."""

    relations: RelationsConfig = RelationsConfig()
    """near and in_contact."""
    holding: HoldingConfig = HoldingConfig()
    """holding."""
    events: EventsConfig = EventsConfig()
    """enters, leaves, picks_up, puts_down, hands_over."""
