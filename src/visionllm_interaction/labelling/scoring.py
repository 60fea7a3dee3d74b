"""Run a detector over images that nobody has annotated, and note what makes each worth annotating."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.labelling.image_features import detect_and_describe
from visionllm_interaction.labelling.uncertainty import disagreement, objects_of, rarity_weights, uncertainty

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """What a detector makes of one image.

    Attributes:
        detections: as found, boxes in xyxy pixels.
        size: width and height in pixels.
        uncertainty: see :func:`~visionllm_interaction.labelling.uncertainty.uncertainty`.
        disagreement: between the image and its mirror image; 0 if the weight of it is 0.
        least_certain: label and confidence of the object the detector is least sure of; ``None`` without detections.
        features: (d,) description of the image.
    """

    detections: Detections
    size: tuple[int, int]
    uncertainty: float
    disagreement: float
    least_certain: tuple[int, float] | None
    features: NDArray[np.float32]


def score_image(detector: Detector, image_rgb: Rgb, config: LabelConfig, weights: Mapping[int, float]) -> ScoredImage:
    """Score one image.

    Args:
        detector: the detector that is to become better.
        image_rgb: (H, W, 3) uint8.
        config: section ``label``.
        weights: label → how much its objects count, see :func:`label_weights`.

    Returns:
        The signs and the features.
    """
    mirror = config.weights.disagreement > 0
    views = [image_rgb, np.ascontiguousarray(image_rgb[:, ::-1])] if mirror else [image_rgb]
    found, features = detect_and_describe(detector, views, min_confidence=config.min_confidence)
    objects = objects_of(found[0])
    doubted = max(objects, key=lambda one: one.entropy_bits * one.mean_weight(weights), default=None)
    height, width = image_rgb.shape[:2]
    return ScoredImage(
        found[0],
        (width, height),
        uncertainty(objects, weights),
        disagreement(found[0], found[1], width=width) if mirror else 0.0,
        None if doubted is None else _best(found[0], doubted.best),
        features[0],
    )


def _best(found: Detections, row: int) -> tuple[int, float]:
    return int(found.labels[row]), float(found.confidences[row])


def label_weights(detector: Detector, annotated: Mapping[str, int], config: LabelConfig) -> dict[int, float]:
    """How much objects of each label count, by how many are annotated.

    Args:
        detector: the detector, whose labels are weighted.
        annotated: category name → number of annotated objects; empty if nothing is annotated.
        config: section ``label``.

    Returns:
        Label → weight; empty if nothing is annotated. Categories that the data does not have count 0.
    """
    if not annotated:
        return {}
    counts = {one.label: annotated[one.name] for one in detector.categories if one.name in annotated}
    weights = rarity_weights(counts, power=config.rarity)
    return {one.label: weights.get(one.label, 0.0) for one in detector.categories}


def describe_images(detector: Detector, images_rgb: Iterable[Rgb], config: LabelConfig) -> NDArray[np.float32]:
    """Describe annotated images, for the distance to them.

    Args:
        detector: the detector.
        images_rgb: (H, W, 3) uint8 each.
        config: section ``label``.

    Returns:
        (n, d) features; (0, 0) without images.
    """
    found = [detect_and_describe(detector, [i], min_confidence=config.min_confidence)[1][0] for i in images_rgb]
    return np.stack(found) if found else np.zeros((0, 0), np.float32)
