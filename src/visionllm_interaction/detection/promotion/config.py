"""Settings of the gate between the registry and the service."""

from __future__ import annotations

from pydantic import Field

from visionllm_interaction.config_loading import Section


class PromoteConfig(Section):
    """Section ``promote``: what a version must show beside the one that serves."""

    alias: str = Field(default="serving", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    """Alias of the version that serves; it moves only when every gate is passed."""
    min_ap_difference: float = Field(default=-0.01, ge=-1.0, le=1.0)
    """Least lower end of the 95 % interval of AP(version) − AP(serving), both on the same images. 0 asks for a proof
    that it is no worse, which needs many images; a little below 0 allows for their number."""
    max_latency_ratio: float = Field(default=1.2, gt=0)
    """Greatest median of the ratio of both times for one image, measured in turns."""
    max_class_mix_distance: float = Field(default=0.15, ge=0.0, le=1.0)
    """Greatest total variation distance between the shares of the categories in what both detect."""
    max_confidence_distance: float = Field(default=0.25, ge=0.0, le=1.0)
    """Greatest Kolmogorov–Smirnov distance between the confidences of what both detect: thresholds that were chosen
    for the one must suit the other."""
    min_confidence: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Detections below this do not count for the two distances."""
    latency_images: int = Field(default=20, ge=3)
    """How many images are timed."""
    resamples: int = Field(default=1000, ge=100)
    """Bootstrap resamples of the interval."""
