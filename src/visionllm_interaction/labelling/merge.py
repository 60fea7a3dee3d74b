"""Corrected annotations of suggested images → a data set with them among its training images. The split is kept."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.artifacts.raw_file_index import read_index
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import SPLITS
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
)
from visionllm_interaction.datasets.ingestion.formats.format_detection import READERS, detect_file
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import KEY_COLUMN
from visionllm_interaction.datasets.ingestion.layout.materialize import Mode, place_files, placements_of
from visionllm_interaction.detection.training.data.coco_annotations import image_name, read_coco
from visionllm_interaction.errors import AnnotationError, InputDataError
from visionllm_interaction.labelling.annotated_data import AnnotatedData, group_values, read_annotated_data
from visionllm_interaction.labelling.annotation_tasks import IMAGES
from visionllm_interaction.labelling.suggest import RECORD_FILE
from visionllm_interaction.utils.atomic_files import publish_folder, write_file
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

GROUPS_FILE = "groups.csv"
Json = dict[str, Any]


@dataclass(frozen=True)
class MergedData:
    """A data set with the annotated suggestions.

    Attributes:
        folder: in COCO's layout.
        images: number of images added to train.
        objects: number of objects added.
        per_category: category → number of objects added.
        not_annotated: suggested images that no file has; they are left out.
        left_out: number of entries in the files that are no boxes or outlines, or cannot be read.
        new_categories: categories that the data did not have before.
        groups: the table of groups, if any group is known.
        next_command: what to run to train with them.
    """

    folder: Path
    images: int
    objects: int
    per_category: Mapping[str, int]
    not_annotated: tuple[str, ...]
    left_out: int
    new_categories: tuple[str, ...]
    groups: Path | None
    next_command: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm label merge``."""
        plain = {**self.__dict__, "folder": str(self.folder), "groups": str(self.groups) if self.groups else None}
        return {**plain, "per_category": dict(self.per_category)}


def merge_labels(
    suggestions: StrPath,
    *files: StrPath,
    data: StrPath,
    out: StrPath,
    mode: Mode = "register",
    add_categories: bool = False,
) -> MergedData:
    """Add the annotated suggestions to the training images of a data set.

    Val stays as it is. The raw data is only read: images of the data set are linked or copied, suggested ones copied.

    Args:
        suggestions: the folder of ``visionllm label suggest``.
        *files: exports of the annotation tool: CVAT's XML, Label Studio's JSON, or COCO's JSON.
        data: a manifest of the run whose data set is to grow.
        out: a new folder, in COCO's layout.
        mode: how images of the data set get there: ``register`` (symbolic links), ``hardlink`` or ``copy``.
        add_categories: whether categories that the data does not have are added; else they are an error.

    Returns:
        What was added.

    Raises:
        InputDataError: if a file holds images that were not suggested, an image twice or changed since, or
            categories that the data does not have; or if ``out`` exists.
        AnnotationError: if a file cannot be read.
    """
    folder, final = Path(suggestions), Path(out)
    known, record = read_annotated_data(data), _read_record(folder)
    suggested = {str(one["image"]): one for one in record["suggestions"]}
    read = [_read(Path(file), folder / IMAGES) for file in files]
    images = _by_name(read, suggested, where=folder)
    contents: dict[str, Json] = {split: msgspec.json.decode(known.annotations[split].read_bytes()) for split in SPLITS}
    added = _add_categories(contents, images, allowed=add_categories)
    _require_unused(contents["train"], images)
    _append(contents["train"], images, suggested)
    with publish_folder(final, many_files=True) as partial:
        placements = [
            replace(place, target=f"{split}2017/{place.target}")
            for split in SPLITS
            for place in placements_of({split: known.folders[split]}, (), root=known.folders[split])
        ]
        placements = [replace(place, source=place.source.resolve()) for place in placements]
        place_files(placements, partial, mode=mode, reserve_bytes=0)
        for name in images:
            _copy_image(folder / IMAGES / name, partial / "train2017" / name, sha256=suggested[name]["sha256"])
        (partial / "annotations").mkdir()
        for split in SPLITS:
            unchanged = split == "val" and not added
            text = known.annotations[split].read_bytes() if unchanged else msgspec.json.encode(contents[split])
            write_file(partial / "annotations" / f"instances_{split}2017.json", text)
        has_groups = _write_groups(known, data, images, suggested, partial / GROUPS_FILE)
    shapes = [shape.label for image in images.values() for shape in image.shapes]
    groups = final / GROUPS_FILE if has_groups else None
    return MergedData(
        final,
        len(images),
        len(shapes),
        {label: shapes.count(label) for label in sorted(set(shapes))},
        tuple(name for name in suggested if name not in images),
        sum(len(one.left_out) for one in read),
        tuple(added),
        groups,
        f"visionllm train -o data.root={final}"
        + (f" -o data.groups.table={groups}" if groups else "")
        + " -o model.weights=CHECKPOINT",
    )


def _read_record(folder: Path) -> Json:
    path = folder / RECORD_FILE
    try:
        content: Json = msgspec.json.decode(path.read_bytes())
        if content["suggestions"] and all(one["image"] and one["sha256"] for one in content["suggestions"]):
            return content
        found = "no suggestions in it"
    except OSError as error:
        found = error.strerror or str(error)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
    raise InputDataError(
        "These are no suggestions.",
        expected=f"a folder of `visionllm label suggest`, with {RECORD_FILE}",
        found=found,
        where=str(path),
    )


def _read(file: Path, images: Path) -> ConvertedDataset:
    """An export of an annotation tool, wherever it lies, about the suggested images."""
    found = detect_file(file) if file.is_file() else None
    if found is None or found.format not in (*READERS, "coco"):
        raise AnnotationError(
            "This is no export of an annotation tool that is read.",
            expected="CVAT for images 1.1 (XML), Label Studio's JSON, or COCO's JSON",
            found="something else" if file.is_file() else "no such file",
            where=str(file),
            fix="export the task again in one of these formats",
        )
    source = DetectedDataset(found.format, images, (file,))
    return _read_coco(file) if found.format == "coco" else READERS[found.format](source)


def _read_coco(file: Path) -> ConvertedDataset:
    content = read_coco(file)
    names = {c["id"]: str(c.get("name", c["id"])) for c in content["categories"]}
    shapes: dict[Any, list[AnnotatedShape]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        if one["image_id"] in shapes and one["category_id"] in names:
            box = tuple(float(value) for value in one["bbox"])
            shapes[one["image_id"]].append(AnnotatedShape(names[one["category_id"]], (box[0], box[1], box[2], box[3])))
    images = tuple(
        ConvertedImage(image_name(i) or str(i["id"]), None, i["width"], i["height"], "", tuple(shapes[i["id"]]))
        for i in content["images"]
    )
    return ConvertedDataset(tuple(names.values()), images, ())


def _by_name(
    read: Sequence[ConvertedDataset], suggested: Mapping[str, Json], *, where: Path
) -> dict[str, ConvertedImage]:
    """The annotated images by the name they were suggested under."""
    images: dict[str, ConvertedImage] = {}
    for image in (image for one in read for image in one.images):
        name = (image.file.name if image.file else "") or PurePosixPath(image.name.replace("\\", "/")).name
        if name not in suggested or name in images:
            raise InputDataError(
                "An image is annotated twice." if name in images else "An annotated image was not suggested.",
                expected=f"each of the {len(suggested)} images of the suggestions once",
                found=name,
                where=str(where),
                fix="give one export of this task" if name in images else "give the folder that this task was made of",
            )
        images[name] = image
    if not images:
        raise InputDataError(
            "Nothing is annotated.",
            expected="images with corrected annotations",
            found="none in the files",
            where=str(where),
            fix="in Label Studio, submit each task: predictions alone are no annotations",
        )
    return images


def _add_categories(contents: Mapping[str, Json], images: Mapping[str, ConvertedImage], *, allowed: bool) -> list[str]:
    """Add new categories to both splits; their names."""
    names = [str(category.get("name")) for category in contents["train"]["categories"]]
    labels = dict.fromkeys(shape.label for image in images.values() for shape in image.shapes)
    new = [label for label in labels if label not in names]
    if new and not allowed:
        near = nearest_names(new[0], names)
        raise InputDataError(
            "The annotations have categories that the data does not have.",
            expected=f"{', '.join(names[:12])}{' …' if len(names) > 12 else ''}",
            found=", ".join(new),
            fix=(f"did you mean {' or '.join(near)}? Rename them; " if near else "rename them; ")
            + "or take them as new ones with --add-categories",
        )
    highest = max((int(c["id"]) for content in contents.values() for c in content["categories"]), default=0)
    for number, label in enumerate(new, start=highest + 1):
        for content in contents.values():
            content["categories"].append({"id": number, "name": label, "supercategory": ""})
    return new


def _require_unused(train: Json, images: Mapping[str, ConvertedImage]) -> None:
    """A name that is taken would put two images in one place."""
    taken = [name for image in train["images"] if (name := image_name(image)) in images]
    if taken:
        raise InputDataError(
            "An image of this name is in the data already.",
            expected="suggestions that were not merged before",
            found=str(taken[0]),
            fix="merge into the data set that the suggestions were made for",
        )


def _append(train: Json, images: Mapping[str, ConvertedImage], suggested: Mapping[str, Json]) -> None:
    """Append records of the images and their objects, with ids that follow the highest ones."""
    ids = {str(c.get("name")): c["id"] for c in train["categories"]}
    image_id, annotation_id = (_highest(train[key], key) for key in ("images", "annotations"))
    for name, image in images.items():
        image_id += 1
        time_s = suggested[name].get("timestamp_s")
        record = {"id": image_id, "file_name": name, "width": image.width, "height": image.height}
        train["images"].append(record if time_s is None else {**record, "timestamp_s": time_s})
        for shape in image.shapes:
            annotation_id += 1
            area = shape.bbox_xywh[2] * shape.bbox_xywh[3] if shape.area_px is None else shape.area_px
            one = {
                "id": annotation_id,
                "image_id": image_id,
                "category_id": ids[shape.label],
                "bbox": list(shape.bbox_xywh),
                "area": area,
                "iscrowd": 0,
            }
            train["annotations"].append(
                one if shape.segmentation is None else {**one, "segmentation": shape.segmentation}
            )


def _highest(records: Sequence[Json], key: str) -> int:
    ids = [record["id"] for record in records]
    if any(not isinstance(value, int) for value in ids):
        raise AnnotationError(
            "Records can only be added where ids are whole numbers.",
            expected=f"whole numbers as ids of {key}",
            found=repr(next(value for value in ids if not isinstance(value, int))),
            fix="number them at their source",
        )
    return max(ids, default=0)


def _copy_image(source: Path, target: Path, *, sha256: str) -> None:
    if not source.is_file() or sha256_file(source) != sha256:
        raise InputDataError(
            "A suggested image is not what it was.",
            expected=f"sha256 {sha256}",
            found="another content" if source.is_file() else "no file",
            where=str(source),
            fix="put it back: what people annotated was that image",
        )
    shutil.copyfile(source, target)


def _write_groups(
    known: AnnotatedData,
    data: StrPath,
    images: Mapping[str, ConvertedImage],
    suggested: Mapping[str, Json],
    path: Path,
) -> bool:
    """Write the table of groups of all images, if any is known."""
    rows = [*_known_groups(known, data)]
    rows += [(f"train2017/{name}", suggested[name].get("groups", {})) for name in images]
    if not any(groups for _, groups in rows):
        return False
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([KEY_COLUMN, *GROUP_COLUMNS])
    for name, groups in rows:
        if groups:
            writer.writerow([to_cell(name), *(to_cell(str(groups.get(column, ""))) for column in GROUP_COLUMNS)])
    write_file(path, stream.getvalue().encode())
    return True


def _known_groups(known: AnnotatedData, data: StrPath) -> Iterator[tuple[str, Mapping[str, str]]]:
    run = run_of(data)
    assert run is not None, "checked when the data was read"
    for file in read_index(run / known.manifest.index):
        if file.split in SPLITS:
            place = Path(file.path).relative_to(known.folders[str(file.split)])
            yield f"{file.split}2017/{place.as_posix()}", group_values(file)
