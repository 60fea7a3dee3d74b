"""Label Studio's JSON export (labelstud.io, "Export annotations": JSON), of tasks that show an image.

A region may be told by several results of one id: its rectangle, its label, and what was chosen for it. Numbers
are per cent of the image; a rectangle's rotation is clockwise about its top left corner.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import msgspec

from visionllm_interaction.core.image_decoding import ENDINGS
from visionllm_interaction.datasets.ingestion.formats.common import (
    AnnotatedShape,
    ConvertedDataset,
    ConvertedImage,
    DetectedDataset,
    LeftOut,
    box_around,
    broken,
    corners_of,
    flat,
    labels_in_order,
    polygon_area_px,
    turned,
    turned_box,
)
from visionllm_interaction.datasets.ingestion.formats.cvat import ellipse_box
from visionllm_interaction.datasets.ingestion.formats.image_files import (
    ImageFiles,
    leads_elsewhere,
    of_another_place,
    path_in_address,
)
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size

Json = Mapping[str, Any]
Region = Sequence[Json]
"""All results of one id."""
_RATIO_TOLERANCE = 0.01
"""Rounding of the sides of a scaled image."""
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_REASONS = {
    "brush": "Label Studio's brush masks have an encoding of their own",
    "keypoint": "COCO has keypoints with names only",
    "video": "a video's regions belong to no image file",
}


def is_tasks(content: Any) -> bool:
    """Whether decoded JSON looks like Label Studio's tasks."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(task, dict) and "data" in task for task in content)
        and any("annotations" in task or "completions" in task for task in content)
    )


def read_labelstudio(data: DetectedDataset) -> ConvertedDataset:
    """Read the exports of one or several projects; tasks without annotations are left out.

    Args:
        data: the detected data set: its format, folder and annotation files.

    Returns:
        The images with their objects (boxes in xywh pixels), the category names, and what was left out.

    Raises:
        AnnotationError: if a file is not Label Studio's JSON.
        InputDataError: if several files fit a task's image equally well.
    """
    files = ImageFiles(data.root)
    left_out: list[LeftOut] = []
    tasks: list[_AnnotatedTask] = []
    for path in data.files:
        try:
            for task in msgspec.json.decode(path.read_bytes()):
                tasks += _tasks(task, left_out)
        except (
            msgspec.DecodeError,
            LookupError,
            TypeError,
            ValueError,
            RecursionError,
            AttributeError,
            OSError,
        ) as error:
            raise broken(path, error, expected="Label Studio's JSON export") from error
    images = _converted_images(tasks, files, left_out)
    notes = _notes(tasks)
    return ConvertedDataset(labels_in_order((), images), tuple(images), tuple(left_out), notes)


@dataclass(frozen=True, slots=True)
class _AnnotatedTask:
    """One image of a task: its address, and the regions of all its annotators."""

    number: Any
    address: str
    upload: str
    regions: tuple[tuple[Region, dict[str, Any]], ...]

    @property
    def where(self) -> str:
        """For people."""
        return f"task {self.number}"


def _tasks(task: Json, left_out: list[LeftOut]) -> list[_AnnotatedTask]:
    """The images of a task: one, or those of a list that its regions tell by their index."""
    where = f"task {task.get('id')}"
    for prediction in task.get("predictions") or ():
        left_out.append(LeftOut("prediction", "a model's guess is no annotation", where, prediction))
    regions = list(_regions(task, left_out, where=where))
    if not any(not a.get("was_cancelled") for a in task.get("annotations") or task.get("completions") or ()):
        # Not annotated, which is not the same as an image without objects.
        left_out.append(LeftOut("task", "nobody annotated it", where, task))
        return []
    upload = str(task.get("file_upload") or "")
    series = _series(task, regions)
    if series:
        return [
            _AnnotatedTask(task.get("id"), address, upload, tuple(r for r in regions if _item(r[0]) == number))
            for number, address in enumerate(series)
        ]
    address = _image_name(task, regions)
    if address is None:
        left_out.append(LeftOut("task", "it shows no image", where, task))
        return []
    return [_AnnotatedTask(task.get("id"), address, upload, tuple(regions))]


def _series(task: Json, regions: Sequence[tuple[Region, Any]]) -> Sequence[str]:
    """The addresses of a task with a list of images, where its regions say which image each is in."""
    if not any("item_index" in result for region, _ in regions for result in region):
        return ()
    lists = [value for value in task["data"].values() if isinstance(value, list)]
    return next(([str(entry) for entry in value] for value in lists if all(isinstance(e, str) for e in value)), ())


def _item(region: Region) -> int:
    return next((int(result["item_index"]) for result in region if "item_index" in result), 0)


def _converted_images(
    tasks: Sequence[_AnnotatedTask], files: ImageFiles, left_out: list[LeftOut]
) -> list[ConvertedImage]:
    by_address: dict[str, list[_AnnotatedTask]] = {}
    for task in tasks:
        by_address.setdefault(task.address, []).append(task)
    found, moved = _find_all({address: same[0].upload for address, same in by_address.items()}, files)
    images = []
    for address, same in by_address.items():
        if image := _converted_image(address, same, found.get(address) or moved.get(address), left_out):
            images.append(image)
    return images


def _converted_image(
    address: str, tasks: Sequence[_AnnotatedTask], file: Path | None, left_out: list[LeftOut]
) -> ConvertedImage | None:
    regions = [entry for task in tasks for entry in task.regions]
    size = _size(regions, file)
    if size is None:
        reason = "neither the export nor a file says how large its image is"
        left_out.append(LeftOut("task", reason, tasks[0].where, address, faulty=True))
        return None
    shapes, chosen = [], {}
    for region, about in regions:
        try:
            if _is_about_image(region):
                chosen.update(_attributes(region))
            elif shape := _shape(region, size, about, left_out, where=tasks[0].where):
                shapes.append(shape)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            reason = f"it cannot be read ({type(error).__name__}: {error})"
            left_out.append(LeftOut("region", reason, tasks[0].where, list(region), faulty=True))
    extra = {"label_studio": {"task": tasks[0].number, **({"attributes": chosen} if chosen else {})}}
    return ConvertedImage(file.name if file else _file_name(address), file, *size, "", tuple(shapes), extra)


def _notes(tasks: Sequence[_AnnotatedTask]) -> tuple[str, ...]:
    twice = [address for address, count in Counter(task.address for task in tasks).items() if count > 1]
    if not twice:
        return ()
    return (f"{len(twice)} images are shown by several tasks each: their annotations are joined, first {twice[0]}",)


def _regions(task: Json, left_out: list[LeftOut], *, where: str) -> Iterator[tuple[Region, dict[str, Any]]]:
    """Every region of every annotator, with whose it is."""
    for annotation in task.get("annotations") or task.get("completions") or ():
        if annotation.get("was_cancelled"):
            left_out.append(LeftOut("cancelled annotation", "its annotator skipped the task", where, annotation))
            continue
        about = {"annotation": annotation.get("id"), "completed_by": _person(annotation.get("completed_by"))}
        groups: dict[Any, list[Json]] = {}
        for number, result in enumerate(annotation.get("result") or ()):
            if result.get("type") == "relation":
                left_out.append(LeftOut("relation", "COCO has no relations", where, result))
            else:
                groups.setdefault(result.get("id") or number, []).append(result)
        for key, region in groups.items():
            yield region, {**about, "region": key}


def _person(value: Any) -> Any:
    """The annotator's number; names and addresses of people stay out of the data."""
    return value.get("id") if isinstance(value, dict) else value


def _image_name(task: Json, regions: Sequence[tuple[Region, Any]]) -> str | None:
    """The image of a task: what its regions point at, else the only thing in its data that can be one."""
    data = task["data"]
    targets = {result.get("to_name") for region, _ in regions for result in region}
    for target in sorted(filter(None, targets)):
        if isinstance(data.get(target), str):
            return str(data[target])
    for key in ("image", "img", "image_url"):
        if isinstance(data.get(key), str):
            return str(data[key])
    images = [text for text in _texts(data) if PurePosixPath(path_in_address(text)).suffix.lower() in ENDINGS]
    if len(images) == 1:
        return images[0]
    numbers = [match[1] for target in targets if target and (match := re.search(r"(\d+)$", target))]
    if images and len(numbers) == 1 and int(numbers[0]) < len(images):
        return images[int(numbers[0])]  # a repeater: page_0 is the first image
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)


def _file_name(address: str) -> str:
    return PurePosixPath(path_in_address(address)).name


def _find_all(uploads: Mapping[str, str], files: ImageFiles) -> tuple[dict[str, Path], dict[str, Path]]:
    """The files of addresses (address → name of the upload): those right as they stand, and those of another place."""
    names = {address: _names_of(address, upload) for address, upload in uploads.items()}
    relative = {address: texts for address, texts in names.items() if not leads_elsewhere(address)}
    found = {address: file for address, texts in relative.items() if (file := _first(files.find, texts))}
    elsewhere = of_another_place((name for name in names if name not in found), some_are_right=bool(found))
    nearest = {address: _first(files.nearest, names[address]) for address in elsewhere}
    kept = files.without_guesses(nearest, taken=found.values())
    return found, {address: file for address, file in kept.items() if file}


def _first(find: Callable[[str], Path | None], names: Iterable[str]) -> Path | None:
    return next((file for name in names if (file := find(name))), None)


def _names_of(address: str, upload: str) -> list[str]:
    """What the file of an address may be called: as the address says, else as an upload."""
    path = path_in_address(address)
    name = PurePosixPath(path).name
    names = [path, unquote(path), str(PurePosixPath(path).with_name(_UPLOAD_PREFIX.sub("", name))) if name else ""]
    return [text for text in (*names, upload, _UPLOAD_PREFIX.sub("", upload)) if text]


def _size(regions: Sequence[tuple[Region, Any]], file: Path | None) -> tuple[int, int] | None:
    """The size of the image as it is here, where only its scale is another than when it was labelled.

    Regions are in per cent, so that they hold at any scale.
    """
    here, then = upright_size(file) if file else None, _stated_size(regions)
    if here is None or then is None:
        return here or then
    is_scaled = abs(here[0] * then[1] - here[1] * then[0]) <= _RATIO_TOLERANCE * here[0] * then[1]
    return here if is_scaled else then


def _stated_size(regions: Sequence[tuple[Region, Any]]) -> tuple[int, int] | None:
    for region, _ in regions:
        for result in region:
            if result.get("original_width") and result.get("original_height"):
                return int(result["original_width"]), int(result["original_height"])
    return None


def _is_about_image(region: Region) -> bool:
    geometry = ("width", "points", "radiusX", "rle", "sequence", "x")
    return not any(key in result["value"] for result in region for key in geometry)


def _shape(
    region: Region, size: tuple[int, int], about: dict[str, Any], left_out: list[LeftOut], *, where: str
) -> AnnotatedShape | None:
    labels = [str(label) for result in region for label in _labels(result)]
    value = next(result["value"] for result in region if not _is_about_image([result]))
    kind = _kind(value)
    reason = _REASONS.get(kind) or (None if labels else "it has no label")
    if reason:
        left_out.append(LeftOut(kind if labels else f"{kind} without a label", reason, where, list(region)))
        return None
    attributes = _attributes(region)
    if len(labels) > 1:
        attributes["labels"] = labels
    first = region[0]
    facts = {key: first[key] for key in ("origin", "score", "meta", "image_rotation") if first.get(key)}
    extra = {"label_studio": {"kind": kind, **about, **facts}}
    return _outline(kind, value, size, label=labels[0], attributes=attributes, extra=extra)


def _kind(value: Json) -> str:
    if "sequence" in value:
        return "video"
    if "rle" in value or value.get("format") == "rle":
        return "brush"
    if "radiusX" in value:
        return "ellipse"
    if "points" in value:
        return "polygon"
    return "rectangle" if "height" in value else "keypoint"


def _labels(result: Json) -> Sequence[Any]:
    key = result.get("type", "")
    found = result["value"].get(key) if key.endswith("labels") else None
    return found if isinstance(found, list) else ()


def _attributes(region: Region) -> dict[str, Any]:
    """What was chosen or written for a region or an image: control's name → value."""
    chosen = {}
    for result in region:
        key = result.get("type", "")
        if not key.endswith("labels") and key in result["value"]:
            chosen[str(result.get("from_name") or key)] = result["value"][key]
    return chosen


def _outline(
    kind: str, value: Json, size: tuple[int, int], *, label: str, attributes: Json, extra: Json
) -> AnnotatedShape:
    across, down = size[0] / 100, size[1] / 100
    if kind == "polygon":
        points = [(x * across, y * down) for x, y in value["points"]]
        area = polygon_area_px(points)
        return AnnotatedShape(label, box_around(points), [flat(points)], area, attributes=attributes, extra=extra)
    rotation = float(value.get("rotation") or 0)
    if kind == "ellipse":
        shape = {"cx": value["x"] * across, "cy": value["y"] * down, "rotation": rotation}
        shape |= {"rx": value["radiusX"] * across, "ry": value["radiusY"] * down}
        about = {"label_studio": {**extra["label_studio"], "ellipse": shape}}
        return AnnotatedShape(label, ellipse_box(size=size, **shape), attributes=attributes, extra=about)
    box = value["x"] * across, value["y"] * down, value["width"] * across, value["height"] * down
    if rotation == 0:
        return AnnotatedShape(label, box, attributes=attributes, extra=extra)
    corners = turned(corners_of(*box), about=(box[0], box[1]), degrees=rotation)
    about = {"label_studio": {**extra["label_studio"], "rotation": rotation, "upright_bbox": box}}
    return turned_box(label, corners, size=size, track_id=None, attributes=attributes, extra=about)
