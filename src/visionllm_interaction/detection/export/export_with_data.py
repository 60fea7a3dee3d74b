"""Export a checkpoint with the images of a data set: some to compare on, others to calibrate int8 with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.detection.evaluation.evaluate import truth_and_images
from visionllm_interaction.detection.export.exporter import DetectorExport, Target, export_checkpoint
from visionllm_interaction.detection.training.data.coco_annotations import (
    TrainingImage,
    categories_of,
    list_images,
    read_coco,
)
from visionllm_interaction.detection.training.data.dataset import decode_image
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.path_type import StrPath


def export_with_data(
    checkpoint: StrPath,
    target: Target,
    out: StrPath,
    *,
    data: StrPath,
    images: StrPath | None,
    compared: int,
    calibration: int,
) -> DetectorExport:
    """Export a checkpoint with the images of a data set: some to compare on, others to calibrate int8 with.

    Args:
        checkpoint: ``.pt`` or ``.safetensors``.
        target: the format.
        out: a new file, or a new folder for OpenVINO.
        data: training manifest, or a COCO annotation file.
        images: folder of the images of a COCO file, if they are not where COCO has them.
        compared: validation images on which both must agree.
        calibration: training images that set the value ranges of int8. A COCO file has one split only: there the images
            after the compared ones are used.

    Returns:
        What was written, and the comparison.

    Raises:
        CheckpointError, ManifestError, AnnotationError, ImageError: if checkpoint or data are unusable.
        UsageError: if a library is not installed or ``out`` exists.
        VisionLLMError: if a float32 export detects something else than the original.
    """
    checkpoint = Path(checkpoint)
    out = Path(out)
    data = Path(data)
    images = None if images is None else Path(images)
    annotations, folder = truth_and_images(data, images)
    validation = _images(annotations, folder)
    training = validation[compared:] if data.suffix.lower() == ".json" else _training_images(data)
    if not validation:
        raise AnnotationError("There are no images to compare on.", where=str(annotations))
    return export_checkpoint(
        checkpoint,
        target,
        out,
        images=_decoded(validation[:compared]),
        calibration=_decoded(_spread(training, calibration)) if target == "openvino-int8" else (),
    )


def _training_images(data: Path) -> list[TrainingImage]:
    manifest = TrainingManifest.load(data)
    run = run_of(data) or data.parent.parent
    return _images(run / manifest.annotations["train"], run / manifest.images["train"])


def _images(annotations: Path, folder: Path) -> list[TrainingImage]:
    coco = read_coco(annotations)
    return list_images(coco, folder, categories=categories_of(coco))


def _spread(images: Sequence[TrainingImage], count: int) -> list[TrainingImage]:
    """``count`` images from all over the list: neighbours are often frames of one video."""
    places = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return [images[place] for place in places]


def _decoded(images: Sequence[TrainingImage]) -> list[NDArray[np.uint8]]:
    return [decode_image(image).permute(1, 2, 0).numpy() for image in images]
