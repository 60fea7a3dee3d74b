"""What an author of plug-ins imports: a Protocol for each kind, and the values that plug-ins take and give.

A plug-in is an object in another distribution that an entry point names. docs/extending.md shows one of each kind:

==============================  ==================================  ============================================
group of entry points           Protocol                            used by
==============================  ==================================  ============================================
``visionllm.measures``          :class:`MeasurePlugin`              ``visionllm measures``, ``run_query``
``visionllm.coding_formats``    :class:`CodingFormatPlugin`         ``visionllm import`` and ``export``
``visionllm.annotation_formats``  :class:`AnnotationFormatPlugin`   ``visionllm ingest``
``visionllm.detectors``         :class:`DetectorPlugin`             ``visionllm analyze``, ``load_detector``
==============================  ==================================  ============================================

Names load on first use, so that a plug-in imports only what it needs; nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.core.categories import Categories
    from visionllm_interaction.core.detections import Detections
    from visionllm_interaction.core.tracks_relations_events import Track
    from visionllm_interaction.datasets.ingestion.formats.common import (
        AnnotatedShape,
        ConvertedDataset,
        ConvertedImage,
        DetectedDataset,
        LeftOut,
    )
    from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
    from visionllm_interaction.datasets.ingestion.formats.plugins import AnnotationFormatPlugin
    from visionllm_interaction.detection.runtimes.detector_interface import Detector, Runtime
    from visionllm_interaction.detection.runtimes.plugins import DetectorPlugin
    from visionllm_interaction.errors import InputDataError, PluginError, VisionLLMError
    from visionllm_interaction.interop.plugins import CodingFormatPlugin, WritableCodingFormatPlugin
    from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
    from visionllm_interaction.measures.plugins import MeasuredValue, MeasurePlugin, MissingValue
    from visionllm_interaction.store.video_view import VideoView
    from visionllm_interaction.utils.plugins import PluginGroup

__all__ = [
    "AnnotatedShape",
    "AnnotationFormatPlugin",
    "Categories",
    "CodingFormatPlugin",
    "ConvertedDataset",
    "ConvertedImage",
    "DetectedDataset",
    "Detections",
    "Detector",
    "DetectorPlugin",
    "ImageFiles",
    "InputDataError",
    "Interval",
    "LeftOut",
    "MeasurePlugin",
    "MeasuredValue",
    "MissingValue",
    "PluginError",
    "Runtime",
    "Tier",
    "Timeline",
    "Track",
    "VideoView",
    "VisionLLMError",
    "WritableCodingFormatPlugin",
    "plugin_groups",
]

_FORMATS = "datasets.ingestion.formats"
__getattr__ = lazy_attributes(
    "visionllm_interaction",
    {
        "AnnotatedShape": f"{_FORMATS}.common",
        "AnnotationFormatPlugin": f"{_FORMATS}.plugins",
        "Categories": "core.categories",
        "CodingFormatPlugin": "interop.plugins",
        "ConvertedDataset": f"{_FORMATS}.common",
        "ConvertedImage": f"{_FORMATS}.common",
        "DetectedDataset": f"{_FORMATS}.common",
        "Detections": "core.detections",
        "Detector": "detection.runtimes.detector_interface",
        "DetectorPlugin": "detection.runtimes.plugins",
        "ImageFiles": f"{_FORMATS}.image_files",
        "InputDataError": "errors",
        "Interval": "interop.tiers",
        "LeftOut": f"{_FORMATS}.common",
        "MeasurePlugin": "measures.plugins",
        "MeasuredValue": "measures.plugins",
        "MissingValue": "measures.plugins",
        "PluginError": "errors",
        "Runtime": "detection.runtimes.detector_interface",
        "Tier": "interop.tiers",
        "Timeline": "interop.tiers",
        "Track": "core.tracks_relations_events",
        "VideoView": "store.video_view",
        "VisionLLMError": "errors",
        "WritableCodingFormatPlugin": "interop.plugins",
    },
)


def plugin_groups() -> tuple[PluginGroup[Any], ...]:
    """Every kind of plug-in; ``group.entries()`` are those that are installed."""
    from visionllm_interaction.datasets.ingestion.formats.plugins import ANNOTATION_FORMATS
    from visionllm_interaction.detection.runtimes.plugins import DETECTORS
    from visionllm_interaction.interop.registry import CODING_FORMATS
    from visionllm_interaction.measures.plugins import MEASURE_PLUGINS

    return (MEASURE_PLUGINS, CODING_FORMATS, ANNOTATION_FORMATS, DETECTORS)


def __dir__() -> list[str]:
    return sorted(__all__)
