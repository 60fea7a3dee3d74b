"""Find the splits of a COCO-style data set below a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.stage_manifests import SPLITS
from visionllm_interaction.errors import InputDataError

SEARCH_DEPTH = 2
"""How many levels below the given folder the data set may start (archives often add one or two)."""

_LAYOUT = "train2017/, val2017/ and annotations/instances_{train,val}2017.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A located data set; a split's image folder or annotation file is ``None`` where it is absent."""

    root: Path
    images: dict[str, Path | None]
    annotations: dict[str, Path | None]


def locate_source(root: Path) -> Source:
    """Locate the data set that starts at ``root`` or up to :data:`SEARCH_DEPTH` levels below it.

    A missing split is not an error here: stage 2 reports it together with everything else.

    Raises:
        InputDataError: if there is no such folder, no annotation file, or more than one data set.
    """
    if not root.is_dir():
        raise InputDataError(
            "The data folder does not exist.",
            expected="a folder",
            found="a file" if root.exists() else "nothing",
            where=str(root),
            fix="set data.root to the folder of the data set",
        )
    level = [root]
    for _ in range(SEARCH_DEPTH + 1):
        found = [folder for folder in level if _annotation_files(folder)]
        if len(found) == 1:
            return _source(found[0])
        if found:
            raise _ambiguous(root, found)
        level = [child for folder in level for child in _subfolders(folder)]
    raise InputDataError(
        "No COCO-style data set is in this folder.",
        expected=_LAYOUT,
        found=", ".join(path.name for path in sorted(root.iterdir())[:10]) or "an empty folder",
        where=f"{root} and up to {SEARCH_DEPTH} levels below",
        fix="point data.root at the folder that holds annotations/",
    )


def _ambiguous(root: Path, found: list[Path]) -> InputDataError:
    return InputDataError(
        "More than one data set is in this folder.",
        expected="one data set",
        found=", ".join(str(path.relative_to(root)) for path in found),
        where=str(root),
        fix="set data.root to one of them",
    )


def _source(root: Path) -> Source:
    folders = {split: root / f"{split}2017" for split in SPLITS}
    present = _annotation_files(root)
    return Source(
        root=root,
        images={split: folder if folder.is_dir() else None for split, folder in folders.items()},
        annotations={split: present.get(split) for split in SPLITS},
    )


def _annotation_files(folder: Path) -> dict[str, Path]:
    files = {split: folder / "annotations" / f"instances_{split}2017.json" for split in SPLITS}
    return {split: path for split, path in files.items() if path.is_file()}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
