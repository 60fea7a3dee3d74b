"""Two detectors on the same held-out images: accuracy, time, and what they detect."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.evaluation.category_map import CategoryMap
from visionllm_interaction.detection.evaluation.evaluate import (
    Material,
    material_of_checkpoint,
    report_in_depth,
    truth_and_images,
)
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.promotion.distances import class_mix_distance, confidence_distance
from visionllm_interaction.detection.promotion.gates import Comparison
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.detection.training.data.coco_annotations import list_images, read_coco
from visionllm_interaction.detection.training.data.dataset import decode_image
from visionllm_interaction.errors import AnnotationError

WARM_UP = 2
"""Images before the first that counts: libraries choose their kernels on them."""


def compare_detectors(
    candidate: Path,
    serving: Path,
    data: Path,
    *,
    config: PromoteConfig,
    report: Path | None = None,
    groups: Path | None = None,
) -> tuple[Comparison, dict[str, Any]]:
    """Compare a detector with the one that serves.

    Categories that either of them has are evaluated: one that the candidate has lost counts as 0.

    Args:
        candidate: file of the detector that is to serve.
        serving: file of the detector that serves.
        data: the training manifest of a run (its validation split), or COCO annotations.
        config: limits, numbers of images and resamples.
        report: folder for ``evaluation.json`` and ``evaluation.html``; ``None`` writes none.
        groups: CSV of image groups (``file_name,group``) for the bootstrap.

    Returns:
        The comparison, and the content of ``evaluation.json``.

    Raises:
        CheckpointError: if one of them cannot be loaded.
        InputDataError: if the data cannot be used, or shares no category with one of them.
    """
    mine, theirs = (material_of_checkpoint(path, data) for path in (candidate, serving))
    both = _on_the_same_categories(theirs, mine, data)
    found = report_in_depth(both, report, groups=groups, other=mine.subject, resamples=config.resamples)
    difference = found["comparison"]["AP"]
    kept = [m.subject.results[m.subject.results.scores >= config.min_confidence] for m in (mine, theirs)]
    return Comparison(
        ap=found["comparison"]["figures"]["AP"],
        serving_ap=found["AP"],
        ap_interval=difference["interval"],
        latency_ratio=latency_ratio(candidate, serving, data, images=config.latency_images),
        class_mix_distance=class_mix_distance(*(_categories_of(part.category_ids) for part in kept)),
        confidence_distance=confidence_distance(*(part.scores for part in kept)),
    ), found


def _categories_of(ids: Any) -> NDArray[np.object_]:
    return np.array(ids.tolist(), dtype=object)


def _on_the_same_categories(serving: Material, candidate: Material, data: Path) -> Material:
    """The serving detector's material, with the truth of every category that either detector has."""
    assert serving.categories is not None and candidate.categories is not None
    ids = {*serving.categories.ids.values(), *candidate.categories.ids.values()}
    coco = read_coco(truth_and_images(data, None)[0])
    names = tuple(str(category["name"]) for category in coco["categories"] if category["id"] in ids)
    left_out = tuple(str(category["name"]) for category in coco["categories"] if category["id"] not in ids)
    every = CategoryMap({key: key for key in ids}, names, serving.categories.detector_only, left_out)
    return replace(serving, truth=every.restrict(coco), categories=every)


def latency_ratio(candidate: Path, serving: Path, data: Path, *, images: int) -> float:
    """How much longer the candidate takes for one image.

    Both take turns on each image, and which goes first alternates: what else the machine does slows both.

    Args:
        candidate: file of the detector that is to serve.
        serving: file of the detector that serves.
        data: training manifest or COCO annotations.
        images: how many are timed.

    Returns:
        Median over images of time(candidate) / time(serving).

    Raises:
        AnnotationError: if there is no image.
    """
    truth_path, folder = truth_and_images(data, None)
    listed = list_images(read_coco(truth_path), folder, categories=Categories(()))[:images]
    if not listed:
        raise AnnotationError("There is no image to time a detector on.", where=str(truth_path))
    arrays = [decode_image(image).permute(1, 2, 0).numpy() for image in listed]
    pair = [load_detector(path) for path in (candidate, serving)]
    for detector in pair:
        for array in arrays[:WARM_UP]:
            _seconds(detector, array)
    return float(np.median([_ratio(pair, array, swap=n % 2 == 1) for n, array in enumerate(arrays)]))


def _ratio(pair: Sequence[Detector], array: NDArray[np.uint8], *, swap: bool) -> float:
    order = (1, 0) if swap else (0, 1)
    seconds = {place: _seconds(pair[place], array) for place in order}
    return seconds[0] / max(seconds[1], 1e-9)


def _seconds(detector: Detector, array: NDArray[np.uint8]) -> float:
    begin = time.perf_counter()
    detector.detect([array], min_confidence=0.05)
    return time.perf_counter() - begin
