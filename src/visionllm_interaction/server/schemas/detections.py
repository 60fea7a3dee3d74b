"""Detections: of an image, and of a time window of a video."""

from __future__ import annotations

from pydantic import ConfigDict

from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class DetectedObject(FrozenModel):
    """One detection."""

    category: str
    """Name of the category."""
    category_id: int
    """The category's id in the annotations the detector was trained with (COCO's, sparse)."""
    confidence: float
    """In [0, 1]."""
    box_xyxy: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the image, x to the right, y down."""


class DetectResult(FrozenModel):
    """Detections of one image, highest confidence first."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "width": 640,
                "height": 480,
                "detections": [
                    {
                        "category": "child",
                        "category_id": 1,
                        "confidence": 0.98,
                        "box_xyxy": [102.4, 80.0, 250.1, 430.7],
                    }
                ],
                "model": {"name": "fasterrcnn_best.pt", "sha256": "9f2c…"},
                "seconds": 0.21,
            }
        },
    )

    width: int
    """In pixels, after rotating the image upright by its EXIF orientation."""
    height: int
    detections: list[DetectedObject]
    model: dict[str, str]
    """Name and SHA-256 of the checkpoint."""
    seconds: float
    """Time of the detector in seconds."""


class DetectionColumns(FrozenModel):
    """Detections of a time window as columns of equal length, ordered by frame."""

    video_id: str
    frame_index: list[int]
    timestamp_s: list[float]
    track_id: list[int]
    """-1 where a detection belongs to no track."""
    category: list[str]
    confidence: list[float]
    x1: list[float]
    y1: list[float]
    x2: list[float]
    y2: list[float]
    interpolated: list[bool]
    """Whether the box was interpolated between two detections."""
    processed_s: list[float]
    """Time stamps of all processed frames, including those without detections."""
