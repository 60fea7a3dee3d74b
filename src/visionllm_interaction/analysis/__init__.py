"""Videos → interaction store, here or on a cluster.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.analysis.analysis_task import Progress, View
    from visionllm_interaction.analysis.analyze_videos import Pool, analyze
    from visionllm_interaction.analysis.config import AnalysisConfig
    from visionllm_interaction.analysis.video_outcomes import AnalysisResult, VideoResult

__all__ = [
    "AnalysisConfig",
    "AnalysisResult",
    "Pool",
    "Progress",
    "VideoResult",
    "View",
    "analyze",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "AnalysisConfig": "config",
        "AnalysisResult": "video_outcomes",
        "Pool": "analyze_videos",
        "Progress": "analysis_task",
        "VideoResult": "video_outcomes",
        "View": "analysis_task",
        "analyze": "analyze_videos",
    },
)
