"""Videos → interaction store, here or on a cluster."""

from visionllm_interaction.analysis.analyze_video import Progress, View
from visionllm_interaction.analysis.analyze_videos import Pool, analyze_videos
from visionllm_interaction.analysis.config import AnalysisConfig

__all__ = ["AnalysisConfig", "Pool", "Progress", "View", "analyze_videos"]
