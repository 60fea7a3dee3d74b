"""Videos → interaction store, here or on a cluster.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOME = {
    "AnalysisConfig": "config",
    "Pool": "analyze_videos",
    "Progress": "analyze_video",
    "View": "analyze_video",
    "analyze_videos": "analyze_videos",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
