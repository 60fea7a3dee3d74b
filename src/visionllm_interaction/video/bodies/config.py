"""Settings of faces, hands and poses."""

from __future__ import annotations

from pydantic import Field

from visionllm_interaction.config_loading import Section


class BodiesConfig(Section):
    """How sure faces, hands and poses have to be; see docs/bodies.md for how well that works."""

    per_s: float = Field(default=5.0, gt=0.0, le=240.0)
    """At most so many of the processed frames a second are looked at."""
    min_pose: float = Field(default=0.5, ge=0.0, le=1.0)
    """Poses below this are left out."""
    min_palm: float = Field(default=0.15, gt=0.0, le=1.0)
    """Palms below this are not looked at again; low, because the key points of the hand decide."""
    min_hand: float = Field(default=0.5, ge=0.0, le=1.0)
    """Hands below this are left out."""
    palms_every_s: float = Field(default=0.8, ge=0.0, le=60.0)
    """Palms are searched in frames so far apart; hands are followed through those between them. 0: searched in each."""
    min_face: float = Field(default=0.4, gt=0.0, le=1.0)
    """Faces below this are left out."""
    batch_size: int = Field(default=8, ge=1, le=256)
    """Frames per step."""
