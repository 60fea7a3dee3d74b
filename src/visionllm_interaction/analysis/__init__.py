"""Videos → interaction store, here or on a cluster.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.analysis.analyze_video import Progress, View
    from visionllm_interaction.analysis.analyze_videos import Pool, analyze_videos
    from visionllm_interaction.analysis.config import AnalysisConfig

__all__ = [
    "AnalysisConfig",
    "Pool",
    "Progress",
    "View",
    "analyze_videos",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "AnalysisConfig": "config",
        "Pool": "analyze_videos",
        "Progress": "analyze_video",
        "View": "analyze_video",
        "analyze_videos": "analyze_videos",
    },
)
