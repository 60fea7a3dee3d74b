"""Settings of ``visionllm label`` (section ``label``)."""

from __future__ import annotations

from pydantic import Field

from visionllm_interaction.config_loading import Section


class ScoreWeights(Section):
    """How much each sign counts. Signs are ranked over the pool first, so that their scales do not matter."""

    uncertainty: float = Field(default=1.0, ge=0.0)
    """Entropy of what the detector takes each object for."""
    disagreement: float = Field(default=0.5, ge=0.0)
    """How much the detections change when the image is mirrored; 0 saves half of the time."""
    missed: float = Field(default=1.0, ge=0.0)
    """Boxes that the tracker expects and the detector lacks; only frames of a store have them."""


class LabelConfig(Section):
    """Which images are suggested."""

    images: int = Field(default=50, ge=1)
    """Number of images to suggest."""
    every_s: float = Field(default=1.0, gt=0.0)
    """Of videos: least time in seconds between two frames that are looked at."""
    max_group_share: float = Field(default=0.25, gt=0.0, le=1.0)
    """Largest share of the suggestions from one group: household, child, session or video; 1: no limit."""
    diversity: float = Field(default=0.3, ge=0.0, le=1.0)
    """0: the highest scores only; 1: only what looks least like the images annotated or chosen before."""
    weights: ScoreWeights = ScoreWeights()
    """How much each sign counts."""
    rarity: float = Field(default=0.5, ge=0.0, le=1.0)
    """How much more objects of rarely annotated categories count: the weight is (mean count / count) to this power."""
    min_confidence: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Detections below it are not counted as signs of an object."""
    drawn_confidence: float = Field(default=0.3, ge=0.0, le=1.0)
    """Boxes of at least this confidence are drawn for people to correct."""
