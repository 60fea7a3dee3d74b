"""Value types and geometry every room speaks: numpy only, frozen, checked when made.

Names load on first use, so that a command imports only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.core.categories import Categories, Category
    from visionllm_interaction.core.detection_table import DetectionTable
    from visionllm_interaction.core.detections import Detections
    from visionllm_interaction.core.evidence import Evidence
    from visionllm_interaction.core.frame_table import Frame, FrameTable
    from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track

__all__ = [
    "Categories",
    "Category",
    "DetectionTable",
    "Detections",
    "Event",
    "Evidence",
    "Frame",
    "FrameTable",
    "Relation",
    "Track",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "Categories": "categories",
        "Category": "categories",
        "DetectionTable": "detection_table",
        "Detections": "detections",
        "Event": "tracks_relations_events",
        "Evidence": "evidence",
        "Frame": "frame_table",
        "FrameTable": "frame_table",
        "Relation": "tracks_relations_events",
        "Track": "tracks_relations_events",
    },
)
