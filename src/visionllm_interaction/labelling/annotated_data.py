"""What is annotated already and what is held out: the data set of a run, as the choice of images sees it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.artifacts.raw_file_index import IndexedFile, read_index
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import SPLITS, DataManifest, TrainingManifest
from visionllm_interaction.detection.training.data.coco_annotations import image_name, read_coco
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath

TOGETHER: tuple[str, ...] = ("household", "child", "session")
"""Groups whose images must stay in one split, the widest first."""


@dataclass(frozen=True, eq=False)
class AnnotatedData:
    """The data set of a run.

    Attributes:
        manifest: of stage 1.
        folders: split → folder of the raw images.
        annotations: split → raw annotation file.
        counts: category → number of annotated objects in train, crowds left out. These are the categories trained.
        train: the annotated images of train.
        unannotated: images in the folder of train that its annotation file does not list.
        split_of_digest: sha256 of every image that is annotated or held out → its split.
        split_of_name: the same by file name, without folders.
        held_out: household, child and session of the held-out images, as (column, value).
    """

    manifest: DataManifest
    folders: Mapping[str, Path]
    annotations: Mapping[str, Path]
    counts: dict[str, int]
    train: tuple[IndexedFile, ...]
    unannotated: tuple[IndexedFile, ...]
    split_of_digest: dict[str, str]
    split_of_name: dict[str, str]
    held_out: frozenset[tuple[str, str]]


def read_annotated_data(manifest: StrPath) -> AnnotatedData:
    """Read the data set of a run.

    Args:
        manifest: the run's ``data_manifest.yaml`` or ``training_manifest.yaml``.

    Returns:
        The data set. Categories and counts are those that are trained (stage 3), else those of the raw annotations.

    Raises:
        ManifestError: if a manifest cannot be read.
        InputDataError: if the file lies in no run, or the data lacks a split.
    """
    path = Path(manifest)
    run = run_of(path)
    if run is None or not path.is_file():
        raise InputDataError(
            "The data set is given by a manifest of its run.",
            expected="artifacts/RUN/data_transformation/training_manifest.yaml, or data_manifest.yaml of stage 1",
            found="a file outside a run" if path.is_file() else "no such file",
            where=str(path),
            fix="visionllm transform -o data.root=FOLDER makes both",
        )
    data = DataManifest.load(run / STAGE_MANIFESTS["ingest"])
    folders = {"train": data.paths.train_images, "val": data.paths.val_images}
    files = {"train": data.annotations.train, "val": data.annotations.val}
    lacking = [split for split in SPLITS if not folders[split] or not files[split]]
    if lacking:
        raise InputDataError(
            "Images can be suggested only where some are held out.",
            expected="a data set with train and val",
            found=f"no {' and no '.join(lacking)}",
            where=str(path),
            fix="add -o data.val_share=0.2 to the command that made the manifest",
        )
    image_folders: dict[str, Path] = {split: Path(str(folders[split])) for split in SPLITS}
    annotation_files: dict[str, Path] = {split: Path(str(files[split])) for split in SPLITS}
    index = read_index(run / data.index)
    listed = _listed(annotation_files["train"], image_folders["train"])
    train = tuple(file for file in index if file.split == "train" and file.path in listed)
    held_out = [file for file in index if file.split == "val"]
    seen = [*train, *held_out]  # held-out images last: a copy of one in train is held out
    return AnnotatedData(
        data,
        image_folders,
        annotation_files,
        _counts(run, annotation_files["train"]),
        train,
        tuple(file for file in index if file.split == "train" and file.path not in listed),
        {file.sha256: str(file.split) for file in seen},
        {Path(file.path).name: str(file.split) for file in seen},
        frozenset(pair for file in held_out for pair in group_pairs(file)),
    )


def group_pairs(file: IndexedFile) -> list[tuple[str, str]]:
    """The household, child and session of an image, as far as they are known."""
    return [(column, value) for column in TOGETHER if (value := getattr(file, column)) is not None]


def group_values(file: IndexedFile) -> dict[str, str]:
    """Everything known about the groups of an image, by column."""
    return {column: value for column in GROUP_COLUMNS if (value := getattr(file, column)) is not None}


def _listed(annotations: Path, folder: Path) -> frozenset[str]:
    """Paths of the images that an annotation file lists."""
    names = [image_name(image) for image in read_coco(annotations)["images"]]
    return frozenset(os.path.normpath(folder / name) for name in names if name)


def _counts(run: Path, annotations: Path) -> dict[str, int]:
    trained = run / STAGE_MANIFESTS["transform"]
    coco = read_coco(run / TrainingManifest.load(trained).annotations["train"] if trained.is_file() else annotations)
    found = Counter(a["category_id"] for a in coco["annotations"] if not a.get("iscrowd", 0))
    return {str(c.get("name", c["id"])): found[c["id"]] for c in coco["categories"]}
