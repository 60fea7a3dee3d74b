"""What the API says of patterns over time. Times are seconds of a video; intervals are half-open."""

from __future__ import annotations

from visionllm_interaction.server.schemas.frozen_model import FrozenModel

Span = tuple[float, float]


class LookTransitions(FrozenModel):
    """Which target of looks follows which."""

    participants: list[str]
    """Whose looks are in the store."""
    participant: str | None
    """Whose these are; null: no looks were imported."""
    videos: int
    """Number of videos with looks of them."""
    targets: list[str]
    counts: list[list[int]]
    """Transitions from each row's target to each column's."""
    probabilities: list[list[float | None]]
    """The counts over their row's sum; null in the row of a target that nothing follows."""
    transition_entropy: float | None
    """Mean entropy of where a look goes next, in bits (Krejtz et al., 2015)."""
    stationary_entropy: float | None
    """Entropy of where looks are, in bits."""
    missing: str | None
    """Why there are no entropies."""
    command: str | None
    """The command that computes the transition entropy anew."""


class VideoBouts(FrozenModel):
    """The bouts of one video."""

    video_id: str
    name: str
    child: str | None
    age_months: float | None
    duration_s: float
    bouts: list[Span]
    """By begin; moments have no length."""
    unknown: list[Span] | None
    """Time in which it is not known whether it holds; null: that cannot be told of time without bouts, because the
    expression gives moments, or is about several names."""
    seconds: float
    """Length of the bouts in all; bouts that overlap count once."""


class BoutRaster(FrozenModel):
    """When something holds, in all videos."""

    expression: str
    """As it was understood."""
    videos: list[VideoBouts]
    left_out: int
    """Number of further videos."""
    command: str
    """The command that computes the bouts anew."""


class Coding(FrozenModel):
    """Something that people coded."""

    tier: str
    participant: str
    label: str
    """One label of the tier; empty: any."""


class Comparison(FrozenModel):
    """A coding beside what the model found."""

    coding: Coding
    state: str
    """What of the model, for example `child holding ball`."""
    coded: list[Span]
    model: list[Span]
    only_coded: list[Span]
    """Coded, but not found by the model; as all below within the time that both know."""
    only_model: list[Span]
    known_s: float
    """Seconds that were both coded and processed."""
    both_s: float
    only_coded_s: float
    only_model_s: float
    kappa: float | None
    """Cohen's kappa over the seconds that both know."""
    overlap: float | None
    """Seconds of both over seconds of either."""
    missing: str | None
    """Why there is no kappa."""


class VideoComparisons(FrozenModel):
    """Codings of a video beside what the model found."""

    video_id: str
    comparisons: list[Comparison]
    left_out: int
    """Number of further pairs whose names say the same."""
    codings: list[Coding]
    """What can be compared …"""
    states: list[str]
    """… with what."""
