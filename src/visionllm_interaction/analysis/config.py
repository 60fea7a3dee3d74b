"""Settings of `visionllm analyze`."""

from __future__ import annotations

from visionllm_interaction.config_loading import Section
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.video.config import VideoConfig


class AnalysisConfig(Section):
    """Video → store: `visionllm analyze`."""

    video: VideoConfig = VideoConfig()
    """Decoding, detection, tracking."""
    scenes: ScenesConfig = ScenesConfig()
    """Relations and events."""
