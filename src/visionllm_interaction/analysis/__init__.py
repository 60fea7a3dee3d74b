"""Videos → interaction store, here or on a cluster.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionllm_interaction.analysis.analyze_video import Progress, VideoResult, View
    from visionllm_interaction.analysis.analyze_videos import AnalysisResult, Pool, analyze
    from visionllm_interaction.analysis.config import AnalysisConfig

__all__ = [
    "AnalysisConfig",
    "AnalysisResult",
    "Pool",
    "Progress",
    "VideoResult",
    "View",
    "analyze",
]

_HOME = {
    "AnalysisConfig": "config",
    "Pool": "analyze_videos",
    "Progress": "analyze_video",
    "View": "analyze_video",
    "AnalysisResult": "analyze_videos",
    "VideoResult": "analyze_video",
    "analyze": "analyze_videos",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
