"""Videos → interaction store, here or on a cluster."""

from visionllm_interaction.analyze.config import AnalysisConfig
from visionllm_interaction.analyze.one import Progress, View
from visionllm_interaction.analyze.run import Pool, analyze_videos

__all__ = ["AnalysisConfig", "Pool", "Progress", "View", "analyze_videos"]
