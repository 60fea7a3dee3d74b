"""Find the data set below a folder, and the splits of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from visionllm_interaction.artifacts.stage_manifests import SPLITS
from visionllm_interaction.datasets.ingestion.formats.coco.variants import needs_conversion
from visionllm_interaction.datasets.ingestion.formats.common import DetectedDataset
from visionllm_interaction.datasets.ingestion.formats.format_detection import detect_file, detect_folder
from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles
from visionllm_interaction.datasets.ingestion.formats.plugins import ANNOTATION_FORMATS, detect_by_plugin
from visionllm_interaction.datasets.ingestion.formats.unsupported_formats import name_unread
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.plugins import unusable_plugins

SEARCH_DEPTH = 2
"""How many levels below the given folder the data set may start (archives often add one or two)."""

_NAMED_DEPTH = 5
_MOST_FOLDERS = 500
_LAYOUT = (
    "train2017/, val2017/ and annotations/instances_{train,val}2017.json, or an export of CVAT (XML), "
    "Label Studio (JSON), Pascal VOC, YOLO, LabelMe, VIA or Open Images, with its images"
)
_SPREAD = ("voc", "labelme", "via")
"""Formats whose files may be spread over folders, of recordings or of splits."""


@dataclass(frozen=True, slots=True)
class CocoDataset:
    """A located data set; a split's image folder or annotation file is ``None`` where it is absent."""

    root: Path
    images: dict[str, Path | None]
    annotations: dict[str, Path | None]


def locate(path: StrPath) -> CocoDataset | DetectedDataset:
    """Locate the data set at ``path``, or up to :data:`SEARCH_DEPTH` levels below it.

    A missing split is not an error here: stage 2 reports it with all other issues. Plug-in formats are tried only where
    no built-in format matches.

    Args:
        path: a folder or an annotation file.

    Returns:
        The data set: a ``CocoDataset`` if it has the COCO layout of this package, else what must be converted.

    Raises:
        InputDataError: if there is no data set, or more than one.
        PluginError: if several plug-ins claim it.
    """
    path = Path(path)
    if path.is_file():
        export = detect_file(path) or detect_by_plugin(path)
        if export is None:
            raise _nothing(path, path.name)
        return export
    found = _search(path, _data_set_in) or _search(path, detect_by_plugin)
    if found is None:
        raise _nothing(path, ", ".join(child.name for child in sorted(path.iterdir())[:10]) or "an empty folder")
    return _with_images(path, found)


def _with_images(path: Path, found: CocoDataset | DetectedDataset) -> CocoDataset | DetectedDataset:
    """A data set whose images lie beside the folder of its files: ``annotations/rec1/`` and ``images/rec1/``."""
    if isinstance(found, CocoDataset) or found.format not in _SPREAD or (found.root / "ImageSets").is_dir():
        return found
    roots = [folder for folder in (found.root, *found.root.parents) if folder.is_relative_to(path)]
    root = next((folder for folder in roots if ImageFiles(folder).names), found.root)
    return replace(found, root=root)


def _search(
    path: Path, data_set_in: Callable[[Path], CocoDataset | DetectedDataset | None]
) -> CocoDataset | DetectedDataset | None:
    level = [path]
    for _ in range(SEARCH_DEPTH + 1):
        sets = [found for folder in level if (found := data_set_in(folder))]
        if len(sets) == 1:
            return sets[0]
        if together := _together(path, sets):
            return together
        if sets:
            raise _ambiguous(path, [found.root for found in sets])
        level = [child for folder in level for child in _subfolders(folder)]
    return None


def _together(path: Path, sets: Sequence[CocoDataset | DetectedDataset]) -> DetectedDataset | None:
    """One data set of several folders with a file for each image, where none of them has lists of splits."""
    foreign = [found for found in sets if isinstance(found, DetectedDataset)]
    formats = {found.format for found in foreign}
    if not sets or len(foreign) < len(sets) or len(formats) > 1 or not formats <= set(_SPREAD):
        return None
    if any((found.root / "ImageSets").is_dir() for found in foreign):
        return None
    return DetectedDataset(formats.pop(), path, tuple(file for found in foreign for file in found.files))


def locate_source(root: Path) -> CocoDataset:
    """Locate a data set in the COCO layout, as :func:`locate` does.

    Args:
        root: the folder to search.

    Returns:
        The data set.

    Raises:
        InputDataError: if there is no such folder, no such data set, or more than one.
    """
    if not root.is_dir():
        raise InputDataError(
            "The data folder does not exist.",
            expected="a folder",
            found="a file" if root.exists() else "nothing",
            where=str(root),
            fix="set data.root to the folder of the data set: -o data.root=FOLDER",
        )
    found = locate(root)
    if isinstance(found, DetectedDataset):
        raise _nothing(root, f"a data set in the format {found.format}")
    return found


def _data_set_in(folder: Path) -> CocoDataset | DetectedDataset | None:
    files = _annotation_files(folder)
    if not files:
        return detect_folder(folder)
    if needs_conversion(folder, files):
        return DetectedDataset("coco", folder, tuple(files.values()))
    return source_in(folder)


def _deeper(path: Path) -> Path | None:
    """A data set that lies deeper than is searched, to be named; ``None`` if there is none, or too much to look at."""
    level = [path]
    for depth in range(1, _NAMED_DEPTH + 1):
        level = [child for folder in level for child in _subfolders(folder)]
        if len(level) > _MOST_FOLDERS:
            return None
        if depth > SEARCH_DEPTH and (found := next((folder for folder in level if _data_set_in(folder)), None)):
            return found
    return None


def _nothing(path: Path, found: str) -> InputDataError:
    if path.is_dir() and (deeper := _deeper(path)):
        return InputDataError(
            "No data set is in this folder, but one lies deeper.",
            expected=f"a data set at most {SEARCH_DEPTH} levels below",
            found=str(deeper.relative_to(path)),
            where=str(path),
            fix=f"name its folder: -o data.root={deeper}",
        )
    known = name_unread(path)
    if known is not None:
        return InputDataError(
            f"This data set is in a format that is not read: {known.name}.",
            expected=_LAYOUT,
            found=known.found,
            where=str(path),
            fix=known.fix,
        )
    advice = "point data.root at the folder that holds annotations and images, or at the annotation file itself: "
    usable, failures = ANNOTATION_FORMATS.load_all()
    formats = ", ".join(plugin.entry.name for plugin in usable)
    return InputDataError(
        "No data set is in this folder.",
        expected=_LAYOUT + (f", or of a plug-in: {formats}" if formats else ""),
        found=found,
        where=f"{path} and up to {SEARCH_DEPTH} levels below",
        fix="; ".join(filter(None, (f"{advice}-o data.root=FOLDER", unusable_plugins(failures)))),
    )


def _ambiguous(root: Path, found: list[Path]) -> InputDataError:
    return InputDataError(
        "More than one data set is in this folder.",
        expected="one data set",
        found=", ".join(str(path.relative_to(root)) for path in found),
        where=str(root),
        fix=f"set data.root to one of them, for example -o data.root={found[0]}",
    )


def source_in(root: Path, *, splits: tuple[str, ...] = SPLITS) -> CocoDataset:
    """The data set in COCO's layout that starts exactly here."""
    folders = {split: root / f"{split}2017" for split in splits}
    present = _annotation_files(root, splits)
    return CocoDataset(
        root=root,
        images={split: folder if folder.is_dir() else None for split, folder in folders.items()},
        annotations={split: present.get(split) for split in splits},
    )


def _annotation_files(folder: Path, splits: tuple[str, ...] = SPLITS) -> dict[str, Path]:
    files = {split: folder / "annotations" / f"instances_{split}2017.json" for split in splits}
    return {split: path for split, path in files.items() if path.is_file()}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))
