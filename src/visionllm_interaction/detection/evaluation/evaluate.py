"""How good is a checkpoint, or a results file? The twelve COCO metrics, and an evaluation in depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.evaluation.category_map import CategoryMap, map_categories
from visionllm_interaction.detection.evaluation.coco_metrics import (
    METRICS,
    Results,
    coco_metrics,
    join_results,
    parse_results,
    to_results,
)
from visionllm_interaction.detection.evaluation.id_numbering import Id
from visionllm_interaction.detection.evaluation.image_groups import find_groups
from visionllm_interaction.detection.evaluation.report import Subject, evaluate_in_depth, publish
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.detection.training.data.coco_annotations import TrainingImage, list_images, read_coco
from visionllm_interaction.detection.training.data.dataset import decode_image
from visionllm_interaction.errors import AnnotationError, UsageError
from visionllm_interaction.utils.hashing import sha256_bytes
from visionllm_interaction.utils.notebook_display import html_table
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    import pandas as pd

BATCH = 8
_NO_LABELS = Categories(())
"""For images that are only detected in: their annotations are read by the metrics."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Material:
    """Annotations with detections for them.

    Attributes:
        images: the folder of the images, if known.
        categories: which categories are evaluated, where detector and data may have others.
    """

    truth: dict[str, Any]
    subject: Subject
    images: Path | None
    categories: CategoryMap | None = None


@dataclass(frozen=True)
class Evaluation:
    """How good detections are: the twelve metrics of COCO.

    Attributes:
        metrics: by name, each from 0 to 1; −1 where there is nothing to measure.
        per_category: category → its metrics.
        categories: what was evaluated, and what only the detector or only the data has; ``None`` where every category
            of the data was.
    """

    metrics: Mapping[str, float]
    per_category: Mapping[str, Any]
    categories: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Evaluation:
        """From the JSON of ``visionllm evaluate``."""
        return cls({name: found[name] for name in METRICS}, found["per_category"], found.get("categories"))

    def __getitem__(self, name: str) -> float:
        return self.metrics[name]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm evaluate``."""
        known = {} if self.categories is None else {"categories": dict(self.categories)}
        return {**self.metrics, "per_category": dict(self.per_category), **known}

    def to_pandas(self) -> pd.DataFrame:
        """The metrics of each category, one row each; needs pandas."""
        import pandas as pd

        return pd.DataFrame.from_dict(dict(self.per_category), orient="index")

    def __repr__(self) -> str:
        return f"<evaluation of {len(self.per_category)} categories: AP {self['AP']:.3f}, AP50 {self['AP50']:.3f}>"

    def _repr_html_(self) -> str:
        return html_table(METRICS, [[self.metrics[name] for name in METRICS]], caption=repr(self)[1:-1])


def evaluate(
    *,
    truth: StrPath | None = None,
    detections: StrPath | None = None,
    checkpoint: StrPath | None = None,
    data: StrPath | None = None,
    images: StrPath | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Evaluation:
    """Evaluate a results file, or what a detector finds, with COCO's twelve metrics.

    Args:
        truth: COCO annotations, together with
        detections: COCO results for them; or else
        checkpoint: a checkpoint or another detector, together with
        data: the training manifest of a run (its validation split), or COCO annotations.
        images: folder of the images, if it is not where COCO has it.
        mapping: the detector's category → the data's, where names differ.

    Returns:
        The metrics, overall and for each category.

    Raises:
        UsageError: if neither pair is given, or ``mapping`` names a category that is not there.
        InputDataError: if the data cannot be used, or has no category in common with the detector.
        CheckpointError: if the checkpoint is unusable.
    """
    if checkpoint is not None and data is not None:
        return Evaluation.of(evaluate_checkpoint(checkpoint, data, images=images, mapping=mapping))
    if truth is not None and detections is not None:
        return Evaluation.of(compute_metrics(material_of_files(truth, detections, images=images, mapping=mapping)))
    raise UsageError(
        "Nothing to evaluate.",
        expected="checkpoint and data, or truth and detections",
        found=", ".join(n for n, v in locals().items() if v is not None and n != "mapping") or "nothing",
    )


def evaluate_files(truth: StrPath, detections: StrPath) -> dict[str, Any]:
    """Evaluate a COCO results file against a COCO annotation file.

    Args:
        truth: COCO annotation file.
        detections: COCO results file.

    Returns:
        The twelve metrics by name, and ``per_category``.

    Raises:
        AnnotationError: if one of them cannot be used, or they do not belong together.
    """
    truth = Path(truth)
    detections = Path(detections)
    return compute_metrics(material_of_files(truth, detections))


def evaluate_checkpoint(
    checkpoint: StrPath, data: StrPath, *, images: StrPath | None = None, mapping: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Evaluate a checkpoint on the val split of a training manifest, or on a COCO annotation file.

    Args:
        checkpoint: the checkpoint file.
        data: a training manifest or a COCO annotation file.
        images: folder of the images; by default from the manifest, or ``…/<split>/`` beside
            ``…/annotations/instances_<split>.json``.
        mapping: category name of the detector → of the data, where names differ. Categories without a counterpart are
            left out on both sides.

    Returns:
        The twelve metrics by name, and ``per_category``.

    Raises:
        CheckpointError: if the checkpoint is unusable.
        InputDataError: if it has no category in common with the data, or the data is unusable.
        UsageError: if ``mapping`` names a category that is not there.
    """
    checkpoint = Path(checkpoint)
    data = Path(data)
    images = None if images is None else Path(images)
    return compute_metrics(material_of_checkpoint(checkpoint, data, images=images, mapping=mapping))


def compute_metrics(material: Material) -> dict[str, Any]:
    """Compute the COCO metrics.

    Args:
        material: annotations and detections.

    Returns:
        The twelve metrics, ``per_category``, and ``categories`` where some may be left out.

    Raises:
        AnnotationError: if annotations and detections do not belong together.
    """
    found = coco_metrics(material.truth, material.subject.results)
    return {**found, **_categories_of(material)}


def _categories_of(material: Material) -> dict[str, Any]:
    return {} if material.categories is None else {"categories": material.categories.to_dict()}


def material_of_files(
    truth: StrPath, detections: StrPath, *, images: StrPath | None = None, mapping: Mapping[str, str] | None = None
) -> Material:
    """Read a COCO annotation file and a COCO results file.

    Args:
        truth: COCO annotation file.
        detections: COCO results file.
        images: folder of the images; ``None`` shows none.
        mapping: ``category_id`` of the results file, as text → name in the annotations. Other detections and categories
            are left out.

    Returns:
        Annotations and detections.

    Raises:
        AnnotationError: if one of them cannot be used.
        UsageError: if ``mapping`` names a category that is not there.
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
    coco = read_coco(truth)
    if not mapping:
        return Material(coco, Subject(detections.name, sha256_bytes(content), results), images)
    own: dict[Id, str] = {key: str(key) for key in dict.fromkeys(results.category_ids.tolist())}
    own |= {name: name for name in mapping if name not in own.values()}  # nothing of it was detected
    categories = map_categories(own, coco, mapping, detector=str(detections))
    subject = Subject(detections.name, sha256_bytes(content), results.renamed(categories.ids))
    return Material(categories.restrict(coco), subject, images, categories)


def material_of_checkpoint(
    checkpoint: StrPath, data: StrPath, *, images: StrPath | None = None, mapping: Mapping[str, str] | None = None
) -> Material:
    """What a checkpoint detects in the images of ``data``; arguments and errors as :func:`evaluate_checkpoint`."""
    checkpoint = Path(checkpoint)
    data = Path(data)
    images = None if images is None else Path(images)
    detector = load_detector(checkpoint)
    truth_path, folder = truth_and_images(data, images)
    coco = read_coco(truth_path)
    own = {category.label: category.name for category in detector.categories}
    categories = map_categories(own, coco, mapping or {}, detector=str(checkpoint))
    truth = categories.restrict(coco)
    listed = list_images(truth, folder, categories=_NO_LABELS)
    results = join_results(list(_detect_all(detector, listed, categories)))
    name = f"{detector.name} ({checkpoint.parent.parent.name}/{checkpoint.name})"
    return Material(truth, Subject(name, detector.digest, results), folder, categories)


def report_in_depth(
    material: Material,
    folder: StrPath | None,
    *,
    groups: StrPath | None = None,
    other: Subject | None = None,
    resamples: int = 1000,
    worst_images: int = 12,
) -> dict[str, Any]:
    """Evaluate in depth and write ``evaluation.json`` and ``evaluation.html``.

    Args:
        material: annotations and detections.
        folder: where the report is written; ``None`` writes none.
        groups: CSV of image groups for the bootstrap.
        other: a second detector to compare with.
        resamples: number of bootstrap resamples.
        worst_images: number of worst images in the report.

    Returns:
        The content of ``evaluation.json``; ``report`` holds the paths of the written files.

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
        worst_images=worst_images,
    )
    study.content.update(_categories_of(material))
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


def _detect_all(detector: Detector, images: Sequence[TrainingImage], categories: CategoryMap) -> Iterator[Results]:
    for batch in _batches(images, BATCH):
        arrays = [decode_image(image).permute(1, 2, 0).numpy() for image in batch]
        for image, found in zip(batch, detector.detect(arrays, min_confidence=0.0), strict=True):
            yield to_results(image.image_id, found, category_ids=categories.ids)


def _batches(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
