"""How good is a checkpoint, or a results file? The twelve COCO figures, and an evaluation in depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.evaluation.coco_metrics import (
    Results,
    coco_figures,
    join_results,
    parse_results,
    to_results,
)
from visionllm_interaction.detection.evaluation.image_groups import find_groups
from visionllm_interaction.detection.evaluation.report import Subject, evaluate_in_depth, publish
from visionllm_interaction.detection.runtimes.base import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.detection.training.data.coco_annotations import (
    Picture,
    categories_of,
    list_pictures,
    read_coco,
)
from visionllm_interaction.detection.training.data.dataset import decode_picture
from visionllm_interaction.errors import AnnotationError, CheckpointError
from visionllm_interaction.utils.hashing import sha256_bytes
from visionllm_interaction.utils.paths import StrPath

BATCH = 8
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Material:
    """Annotations with detections for them; ``images`` is the folder of the images, if known."""

    truth: dict[str, Any]
    subject: Subject
    images: Path | None


def evaluate_files(truth: StrPath, detections: StrPath) -> dict[str, Any]:
    """Figures of a COCO results file against a COCO annotation file.

    Raises:
        AnnotationError: if one of them cannot be used, or they do not belong together.
    """
    truth = Path(truth)
    detections = Path(detections)
    return figures(material_of_files(truth, detections))


def evaluate_checkpoint(checkpoint: StrPath, data: StrPath, *, images: StrPath | None = None) -> dict[str, Any]:
    """Figures of a checkpoint on the validation split of a training manifest, or on a COCO annotation file.

    ``images`` is the folder of the images; by default what the manifest says, or COCO's layout
    (``…/annotations/instances_<split>.json`` beside ``…/<split>/``).

    Raises:
        CheckpointError: if the checkpoint is unusable, or has a category the data lacks.
        ManifestError, AnnotationError, ImageError: if the data is unusable.
    """
    checkpoint = Path(checkpoint)
    data = Path(data)
    images = None if images is None else Path(images)
    return figures(material_of_checkpoint(checkpoint, data, images=images))


def figures(material: Material) -> dict[str, Any]:
    """The twelve figures and ``per_category``.

    Raises:
        AnnotationError: if annotations and detections do not belong together.
    """
    return coco_figures(material.truth, material.subject.results)


def material_of_files(truth: StrPath, detections: StrPath, *, images: StrPath | None = None) -> Material:
    """A COCO annotation file and a COCO results file, read.

    Raises:
        AnnotationError: if one of them cannot be used.
    """
    truth = Path(truth)
    detections = Path(detections)
    images = None if images is None else Path(images)
    try:
        content = detections.read_bytes()
    except OSError as error:
        raise AnnotationError(
            "A results file cannot be read.", found=error.strerror or str(error), where=str(detections)
        ) from error
    results = parse_results(content, where=str(detections))
    return Material(read_coco(truth), Subject(detections.name, sha256_bytes(content), results), images)


def material_of_checkpoint(checkpoint: StrPath, data: StrPath, *, images: StrPath | None = None) -> Material:
    """What a checkpoint detects in the images of ``data``; arguments and errors as :func:`evaluate_checkpoint`."""
    checkpoint = Path(checkpoint)
    data = Path(data)
    images = None if images is None else Path(images)
    detector = load_detector(checkpoint)
    truth_path, folder = truth_and_images(data, images)
    truth = read_coco(truth_path)
    categories = categories_of(truth)
    _require_same_names(detector, categories, checkpoint)
    pictures = list_pictures(truth, folder, categories=categories)
    results = join_results(list(_detect_all(detector, pictures, categories)))
    name = f"{detector.name} ({checkpoint.parent.parent.name}/{checkpoint.name})"
    return Material(truth, Subject(name, detector.digest, results), folder)


def report_in_depth(
    material: Material,
    folder: StrPath | None,
    *,
    groups: StrPath | None = None,
    other: Subject | None = None,
    resamples: int = 1000,
    pictures: int = 12,
) -> dict[str, Any]:
    """Evaluate in depth and write ``evaluation.json`` and ``evaluation.html`` to ``folder``, if there is one.

    Returns the content of ``evaluation.json``, and the two paths as ``report``.

    Raises:
        AnnotationError: if detections, groups and annotations do not belong together.
        ImageError: if an image that is to be shown cannot be decoded.
    """
    folder = None if folder is None else Path(folder)
    groups = None if groups is None else Path(groups)
    study = evaluate_in_depth(
        material.truth,
        material.subject,
        groups=find_groups(material.truth, groups),
        other=other,
        resamples=resamples,
        pictures=pictures,
    )
    if folder is None:
        return study.content
    paths = publish(study, material.truth, images=material.images, folder=folder)
    return {**study.content, "report": {name: str(path) for name, path in paths.items()}}


def truth_and_images(data: Path, images: Path | None) -> tuple[Path, Path]:
    """The annotations ``data`` means (a manifest's validation split, or itself), and the folder of images."""
    if data.suffix.lower() == ".json":
        split = data.stem.removeprefix("instances_").removesuffix(".cleaned")
        return data, images or data.parent.parent / split
    manifest = TrainingManifest.load(data)
    run = run_of(data) or data.parent.parent
    return run / manifest.annotations["val"], images or run / manifest.images["val"]


def _require_same_names(detector: Detector, categories: Categories, checkpoint: Path) -> None:
    strange = sorted(set(detector.categories.names) - set(categories.names))
    if strange:
        raise CheckpointError(
            "The checkpoint and the data do not have the same categories.",
            expected=f"categories among {', '.join(categories.names[:8])}{' …' if len(categories) > 8 else ''}",
            found=f"{len(strange)} others: {', '.join(strange[:8])}",
            where=str(checkpoint),
            fix="evaluate on data of the categories the checkpoint was trained for",
        )


def _detect_all(detector: Detector, pictures: Sequence[Picture], categories: Categories) -> Iterator[Results]:
    own = detector.categories
    ids = Categories(tuple(_renumbered(own, categories)))
    for batch in _batches(pictures, BATCH):
        arrays = [decode_picture(picture).permute(1, 2, 0).numpy() for picture in batch]
        for picture, found in zip(batch, detector.detect(arrays, min_confidence=0.0), strict=True):
            yield to_results(picture.image_id, found, categories=ids)


def _renumbered(own: Categories, data: Categories) -> Iterator[Any]:
    """The detector's labels with the data's ``category_id`` s, matched by name."""
    for category in own:
        yield type(category)(data.by_name[category.name].category_id, category.name, category.label)


def _batches(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
