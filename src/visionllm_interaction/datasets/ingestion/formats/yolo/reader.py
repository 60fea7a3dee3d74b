"""YOLO: a text file per image, a line per object: class, then numbers that are shares of the image's width and height.

The numbers are a centre and a size, an outline, four corners, or a box and its key points (:mod:`.rows`). Names and
splits stand in ``data.yaml``, ``obj.data`` and other files beside (:mod:`.names_and_splits`). Shares refer to the
image as people see it, turned as its EXIF tag says: this is how the programs that train on such labels load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    broken,
    read_text,
)
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.formats.yolo.label_files import LabelFiles
from visionllm_interaction.datasets.ingestion.formats.yolo.names_and_splits import (
    YoloDataset,
    read_dataset,
    split_word,
)
from visionllm_interaction.datasets.ingestion.formats.yolo.rows import (
    RowFormat,
    YoloRow,
    looks_like_rows,
    parse_row,
    recognise,
    to_shape,
)
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import AnnotationError, InputDataError

_FOLDERS_OF_KIND = frozenset({"images", "labels", "jpegimages", "img", "imgs"})


@dataclass
class _Labels:
    """The rows of every label file that belongs to an image."""

    rows: dict[str, list[YoloRow]] = field(default_factory=dict)
    """Image name → rows."""
    file_of: dict[str, Path] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def read_yolo(data: DetectedDataset) -> ConvertedDataset:
    """Read a folder of YOLO labels; images without a label file are images without objects.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if the names or the labels cannot be read rightly.
        InputDataError: if an image is in two splits, or a label file fits several images.
    """
    files = ImageFiles(data.root)
    dataset = read_dataset(data.files[0], files)
    label_files = LabelFiles(data.root, exclude=dataset.own_files)
    labels = _read_labels(files, label_files, data.root)
    every = [row for rows in labels.rows.values() for row in rows]
    _refuse_unknown_classes(every, dataset.names, data.files[0])
    form = recognise(every, dataset.key_points)
    _refuse_pixels(every, form)
    left_out = [*dataset.left_out, *labels.left_out, *_unused_labels(label_files, labels, data.root)]
    subsets = _subsets(files, dataset, labels, data.root)
    images = []
    for name in files.names:
        if name not in subsets:
            left_out.append(LeftOut("image", "no split of the data set names it", name, None))
            continue
        if image := _converted_image(name, files, subsets[name], labels.rows.get(name, []), dataset, form, left_out):
            images.append(image)
    used = {name for name in subsets if name in labels.file_of}
    notes = [*dataset.notes, *form.notes]
    if unlabelled := len(subsets) - len(used):
        notes.append(f"{unlabelled} of {len(subsets)} images have no label file: they count as images without objects")
    names = tuple(dataset.names[number] for number in sorted(dataset.names))
    return ConvertedDataset(names, tuple(images), tuple(left_out), tuple(notes))


def _read_labels(files: ImageFiles, label_files: LabelFiles, root: Path) -> _Labels:
    labels = _Labels(file_of=label_files.of_all(files.names))
    for name, path in labels.file_of.items():
        where = path.relative_to(root).as_posix()
        try:
            lines = read_text(path).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise broken(path, error, expected="text in UTF-8, a line per object") from error
        rows = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            row = parse_row(line, where=f"{where}, line {number}")
            if isinstance(row, YoloRow):
                rows.append(row)
            else:
                labels.left_out.append(row)
        labels.rows[name] = rows
    return labels


def _refuse_unknown_classes(rows: list[YoloRow], names: Mapping[int, str], names_file: Path) -> None:
    """One number without a name means that the list of names is another data set's: every name may then be wrong."""
    unknown = [row for row in rows if not names.get(row.number)]
    if unknown:
        numbers = sorted({row.number for row in unknown})
        raise AnnotationError(
            "The labels have class numbers without a name.",
            expected=f"class numbers from {min(names, default=0)} to {max(names, default=0)}, "
            f"for which {names_file.name} has names",
            found=f"class {', '.join(map(str, numbers[:5]))} in {len(unknown)} rows, first in {unknown[0].where}",
            where=str(names_file),
            fix=f"write the missing names into {names_file.name}, in order of their numbers, the first being class 0; "
            "if the labels count from 1, put any name before the others",
        )


def _refuse_pixels(rows: list[YoloRow], form: RowFormat) -> None:
    large = [row for row in rows if any(abs(value) > 1.5 for value in form.coordinates(row))]
    if len(large) > len(rows) / 2:
        raise AnnotationError(
            "The labels are not shares of the image.",
            expected="numbers from 0 to 1: shares of the image's width and height",
            found=f"{len(large)} of {len(rows)} rows with larger numbers, first {large[0].text!r}",
            where=large[0].where,
            fix="divide x and width by the image's width, y and height by its height, or export the labels again",
        )


def _unused_labels(label_files: LabelFiles, labels: _Labels, root: Path) -> list[LeftOut]:
    result = []
    for path in sorted(label_files.paths - set(labels.file_of.values())):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if looks_like_rows(lines) or "labels" in path.relative_to(root).parts[:-1]:
            result.append(LeftOut("label file", "it has no image", path.relative_to(root).as_posix(), lines))
    return result


def _subsets(files: ImageFiles, dataset: YoloDataset, labels: _Labels, root: Path) -> dict[str, str]:
    """Image → subset: as the data set's own files say, else by the folders of the image or of its label file."""
    if dataset.subset_of:
        return dict(dataset.subset_of)
    found = {}
    for name in files.names:
        label = labels.file_of.get(name)
        found[name] = folder_subset(PurePosixPath(name)) or (
            folder_subset(PurePosixPath(label.relative_to(root).as_posix())) if label else ""
        )
    if any(found.values()):
        # Where folders are splits, an image outside of them without a label file is no part of the data.
        return {name: subset for name, subset in found.items() if subset or name in labels.file_of}
    if dataset.declares_splits:
        raise InputDataError(
            "None of the folders or lists of images that the data set names is there.",
            expected="the images of its train and val splits below the data folder",
            found=", ".join(str(entry.content) for entry in dataset.left_out[:5]),
            where=str(root),
            fix="correct train: and val: (in data.yaml or obj.data), or remove these keys and add "
            "-o data.val_share=0.2 to divide the images",
        )
    return found


def folder_subset(name: PurePosixPath) -> str:
    """The split a file's folders name, darknet's ``obj_train_data`` among them; "" if none does."""
    return next((word for part in name.parts[:-1] if (word := split_word(part))), "")


def _converted_image(
    name: str,
    files: ImageFiles,
    subset: str,
    rows: list[YoloRow],
    dataset: YoloDataset,
    form: RowFormat,
    left_out: list[LeftOut],
) -> ConvertedImage | None:
    size = upright_size(files.root / name)
    if size is None:
        left_out.append(LeftOut("picture", "its size cannot be read", name, [row.text for row in rows], faulty=True))
        return None
    shapes: list[AnnotatedShape] = []
    for row in rows:
        shape = to_shape(row, dataset.names[row.number], form, size)
        if isinstance(shape, AnnotatedShape):
            shapes.append(shape)
        else:
            left_out.append(shape)
    return ConvertedImage(_short(PurePosixPath(name)), files.root / name, *size, subset, tuple(shapes))


def _short(name: PurePosixPath) -> str:
    """The name without the folders that only say what it is or which split it is of."""
    parts = [part for part in name.parts[:-1] if part.lower() not in _FOLDERS_OF_KIND and not split_word(part)]
    return str(PurePosixPath(*parts, name.name))
