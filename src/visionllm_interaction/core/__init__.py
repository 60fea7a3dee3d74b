"""Value types and geometry every room speaks: numpy only, frozen, checked when made."""

from visionllm_interaction.core.categories import Categories, Category
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.frames import Frame, FrameTable
from visionllm_interaction.core.interactions import Event, Evidence, Relation, Track

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
