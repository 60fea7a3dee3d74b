"""Inspect a data set without configuration, and propose the settings it needs, each with its reason."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from visionllm_interaction.datasets.ingestion.config import GroupsConfig, IngestConfig
from visionllm_interaction.datasets.ingestion.formats.coco.image_names import find_images, written_name
from visionllm_interaction.datasets.ingestion.formats.coco.variants import subset_of
from visionllm_interaction.datasets.ingestion.formats.coco.writer import refuse_losses, split_of, summary_text
from visionllm_interaction.datasets.ingestion.formats.common import ConvertedDataset, DetectedDataset, decode_json
from visionllm_interaction.datasets.ingestion.formats.format_detection import READERS
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.layout.discovery import CocoDataset, locate
from visionllm_interaction.datasets.ingestion.layout.file_scan import exif_orientation
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import grouping
from visionllm_interaction.datasets.ingestion.sources.acquire import prepare
from visionllm_interaction.datasets.ingestion.train_val_division import Division, SplitCandidate, val_names

VAL_SHARE = 0.2
_RARE_IMAGES = 10
_MOST_EXIF = 2000
_UPRIGHT_FORMATS = ("yolo", "labelme", "labelstudio", "cvat", "openimages", "via")
"""Formats whose coordinates are those of the image turned as its EXIF tag says."""
_WORDS = {
    "household": "household|house|home|family|fam|hh",
    "child": "child|kid|infant|baby|toddler|participant|subject|subj|sub|dyad|pid|id|chi|c|p|s",
    "session": "session|sess|ses|visit|day|wave|video|vid|clip|rec|v|d",
}
_FOLDER_PATTERN = r"2017/(?P<session>[^/]+)/[^/]+$"
_PREFIX_PATTERN = r"2017/(?P<session>[^/]*[A-Za-z][^/]*?)[-_. ]*(?:frame|frm|img)?[-_. ]*\d+\.\w+$"
_TITLES = {
    "coco": "COCO's JSON",
    "cvat": "CVAT's XML",
    "voc": "Pascal VOC",
    "labelstudio": "Label Studio's JSON",
    "yolo": "YOLO",
    "labelme": "LabelMe",
    "openimages": "Open Images",
    "via": "VGG Image Annotator",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting and why it is what it is."""

    file: str
    """The configuration file it belongs to, without its ending."""
    key: tuple[str, ...]
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was found, in a line, and the settings for it."""

    found: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class _InspectedDataset:
    """A data set as far as a proposal needs it."""

    format: str
    subsets: Mapping[str, Sequence[SplitCandidate]]
    files: Sequence[Path]
    notes: tuple[str, ...] = ()


def propose(data: Path) -> Proposal:
    """Inspect data and propose settings that work for it.

    Nothing is written, except that an archive is unpacked where stage 1 would unpack it.

    Args:
        data: a folder, an archive or an annotation file.

    Returns:
        The proposed settings, with the reason for each.

    Raises:
        InputDataError: if there is no data set, or it is in a format that is not read (it is then named).
    """
    # Not resolve(): a link is meant as it is named.
    root = Path(os.path.abspath(data.expanduser()))  # noqa: PTH100
    config = IngestConfig(root=root, work_dir=Path("data").absolute())
    seen = _inspect(locate(prepare(config).path))
    sides, settings = _split_settings(seen)
    settings += _category_settings(sides)
    settings += _exif_settings(seen)
    images = sum(len(members) for members in seen.subsets.values())
    counts = ", ".join(f"{len(members)} {side}" for side, members in sorted(sides.items()) if members)
    found = f"{_TITLES[seen.format]}: {images} images ({counts})"
    about = Setting("data", ("data", "root"), str(root), "; ".join([found, *seen.notes]))
    return Proposal(found, (about, *settings))


def _inspect(found: CocoDataset | DetectedDataset) -> _InspectedDataset:
    if isinstance(found, CocoDataset):
        return _coco({split: path for split, path in found.annotations.items() if path}, found.root)
    if found.format == "coco":
        return _coco({subset_of(path, found.root): path for path in found.files}, found.root)
    converted = READERS[found.format](found)
    refuse_losses(converted, found)
    subsets: dict[str, list[SplitCandidate]] = defaultdict(list)
    for converted_image in converted.images:
        subsets[converted_image.subset].append(
            SplitCandidate(converted_image.name, frozenset(shape.label for shape in converted_image.shapes))
        )
    files = [converted_image.file for converted_image in converted.images if converted_image.file]
    return _InspectedDataset(found.format, subsets, files, _notes(converted))


def _notes(converted: ConvertedDataset) -> tuple[str, ...]:
    return (*converted.notes, *((f"not carried over: {summary_text(converted)}",) if converted.left_out else ()))


class _CocoFile(msgspec.Struct):
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]] = msgspec.field(default_factory=list)
    categories: list[dict[str, Any]] = msgspec.field(default_factory=list)


def _coco(paths: Mapping[str, Path], root: Path) -> _InspectedDataset:
    files = ImageFiles(root)
    found = {subset: find_images(path, subset, files) for subset, path in paths.items()}
    subsets = {subset: _coco_members(path, found[subset].names) for subset, path in paths.items()}
    notes = tuple(note for images in found.values() for note in images.notes(root))
    return _InspectedDataset("coco", subsets, [root / name for name in files.names], notes)


def _coco_members(path: Path, names_here: Mapping[str, str]) -> list[SplitCandidate]:
    content = decode_json(path.read_bytes(), _CocoFile, path=path, expected="COCO's JSON")
    names = {str(category.get("id")): str(category.get("name")) for category in content.categories}
    categories: dict[str, set[str]] = defaultdict(set)
    for annotation in content.annotations:
        number = str(annotation.get("category_id"))
        categories[str(annotation.get("image_id"))].add(names.get(number, number))
    return [
        SplitCandidate(
            names_here.get(written_name(image) or "", str(image.get("id"))), frozenset(categories[str(image.get("id"))])
        )
        for image in content.images
    ]


def _split_settings(seen: _InspectedDataset) -> tuple[dict[str, list[SplitCandidate]], list[Setting]]:
    """The images of each split as stage 1 will have them, and the settings that make it so."""
    settings: list[Setting] = []
    unknown = sorted(subset for subset in seen.subsets if split_of(subset, {}) is None)
    given = dict.fromkeys(unknown, "train")
    if unknown:
        why = "these subsets' names say no split: they are train until you say which are val or test"
        settings.append(Setting("data", ("data", "subsets"), given, why))
    sides: dict[str, list[SplitCandidate]] = {}
    for subset, members in seen.subsets.items():
        sides.setdefault(split_of(subset, given) or "train", []).extend(members)
    groups = _group_setting(sides.get("train", []))
    if groups:
        settings.append(groups)
    if "val" in sides or len(sides.get("train", ())) < 2:
        return sides, settings
    pattern = groups.value if groups else None
    division = Division(VAL_SHARE, grouping(GroupsConfig(pattern=pattern)))
    val = val_names(sides["train"], division)
    why = (
        f"there is no val: {len(val)} of {len(sides['train'])} images become it, "
        + ("whole groups (data.groups below)" if groups else "the last by name, so that neighbours stay together")
        + ("" if groups else "; if a child or household is in both, metrics come out too good: see data.groups")
    )
    settings.append(Setting("data", ("data", "val_share"), VAL_SHARE, why))
    sides["val"] = [member for member in sides["train"] if member.name in val]
    sides["train"] = [member for member in sides["train"] if member.name not in val]
    return sides, settings


def _group_setting(members: Sequence[SplitCandidate]) -> Setting | None:
    """The pattern that reads groups from the images' names, where nearly all of them tell one."""
    paths = [f"train2017/{member.name}" for member in members]
    for column, pattern in _patterns():
        found = [match for path in paths if (match := re.search(pattern, path))]
        values = Counter(match[column] for match in found)
        few = 2 <= len(values) <= max(len(paths) // 2, 2)
        if found and len(found) >= 0.95 * len(paths) and few:
            examples = ", ".join(sorted(values)[:3])
            why = f"{len(values)} groups by the images' names ({examples}): no group is in both train and val"
            return Setting("data", ("data", "groups", "pattern"), pattern, why)
    return None


def _patterns() -> list[tuple[str, str]]:
    words = [
        (column, rf"(?i)(?:^|[/_\-. ])(?P<{column}>(?:{words})[-_]?\d+)(?=[/_\-. ]|$)")
        for column, words in _WORDS.items()
    ]
    return [*words, ("session", _FOLDER_PATTERN), ("session", _PREFIX_PATTERN)]


def _category_settings(sides: Mapping[str, Sequence[SplitCandidate]]) -> list[Setting]:
    counts = {
        split: Counter(category for member in sides.get(split, ()) for category in member.categories)
        for split in ("train", "val")
    }
    names = sorted(counts["train"].keys() | counts["val"].keys())
    absent = [f"{name} (not in {split})" for name in names for split in counts if not counts[split][name]]
    rare = [
        f"{name} ({count} images)"
        for name in names
        if 0 < (count := counts["train"][name] + counts["val"][name]) < _RARE_IMAGES
    ]
    if not absent:
        return []
    why = (
        f"a category that is in one split only cannot be learned or measured: {', '.join(absent)}"
        + (f"; rare: {', '.join(rare)}" if rare else "")
        + "; it is reported, and no reason to stop. transform.taxonomy.keep leaves categories out"
    )
    return [Setting("schema", ("validation", "actions", "CAT-ABSENT"), "warn", why)]


def _exif_settings(seen: _InspectedDataset) -> list[Setting]:
    turned = Counter(exif_orientation(path) for path in seen.files[:_MOST_EXIF])
    count = sum(number for orientation, number in turned.items() if orientation > 1)
    if not count:
        return []
    why = f"{count} images carry an EXIF rotation: they are written upright, without the tag"
    settings = [Setting("schema", ("validation", "actions", "IMG-EXIF-ROTATED"), "repair", why)]
    if seen.format in _UPRIGHT_FORMATS:
        why = f"{_TITLES[seen.format]} has the coordinates of the upright image, as people saw it"
        settings.append(Setting("schema", ("validation", "actions", "IMG-EXIF-FRAME"), "repair", why))
    return settings
