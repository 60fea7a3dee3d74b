"""Settings of `visionllm analyze`."""

from __future__ import annotations

from pydantic import Field

from visionllm_interaction.config_loading import Section
from visionllm_interaction.interactions.config import ScenesConfig
from visionllm_interaction.video.config import VideoConfig


class AnalysisConfig(Section):
    """Video → store: `visionllm analyze`."""

    video: VideoConfig = VideoConfig()
    """Decoding, detection, tracking."""
    scenes: ScenesConfig = ScenesConfig()
    """Relations and events."""
    ready_made_fps: float | None = Field(default=5.0, gt=0.0, le=240.0)
    """Frames per second processed where a ready-made model finds the people and `video.decode.sample_fps` is null;
    null = every frame, there too."""

    def for_ready_made_model(self) -> AnalysisConfig:
        """These settings for an analysis with a ready-made model: at ``ready_made_fps``, unless a rate is set.

        Returns:
            The settings, with the rate at which frames are processed.
        """
        decode = self.video.decode
        if decode.sample_fps is not None or decode.adaptive:
            return self
        video = self.video.model_copy(update={"decode": decode.model_copy(update={"sample_fps": self.ready_made_fps})})
        return self.model_copy(update={"video": video})
