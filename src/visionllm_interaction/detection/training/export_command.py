"""Export a checkpoint with the images of a data set: some to compare on, others to calibrate int8 with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.detection.evaluation.evaluate import truth_and_images
from visionllm_interaction.detection.export.exporter import Target, export_checkpoint
from visionllm_interaction.detection.training.data.coco_annotations import (
    Picture,
    categories_of,
    list_pictures,
    read_coco,
)
from visionllm_interaction.detection.training.data.dataset import decode_picture
from visionllm_interaction.errors import AnnotationError
from visionllm_interaction.utils.paths import StrPath


def export_with_data(
    checkpoint: StrPath,
    target: Target,
    out: StrPath,
    *,
    data: StrPath,
    images: StrPath | None,
    pictures: int,
    calibration: int,
) -> dict[str, Any]:
    """Export, compare on the first ``pictures`` of the validation split, calibrate on training images.

    A COCO annotation file has one split only: then the images that follow are calibrated with.

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
    shown = _pictures(annotations, folder)
    others = shown[pictures:] if data.suffix.lower() == ".json" else _training_pictures(data)
    if not shown:
        raise AnnotationError("There are no images to compare on.", where=str(annotations))
    return export_checkpoint(
        checkpoint,
        target,
        out,
        pictures=_decoded(shown[:pictures]),
        calibration=_decoded(_spread(others, calibration)) if target == "openvino-int8" else (),
    )


def _training_pictures(data: Path) -> list[Picture]:
    manifest = TrainingManifest.load(data)
    run = run_of(data) or data.parent.parent
    return _pictures(run / manifest.annotations["train"], run / manifest.images["train"])


def _pictures(annotations: Path, folder: Path) -> list[Picture]:
    coco = read_coco(annotations)
    return list_pictures(coco, folder, categories=categories_of(coco))


def _spread(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """``count`` images from all over the list: neighbours are often frames of one video."""
    places = np.unique(np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int))
    return [pictures[place] for place in places]


def _decoded(pictures: Sequence[Picture]) -> list[NDArray[np.uint8]]:
    return [decode_picture(picture).permute(1, 2, 0).numpy() for picture in pictures]
