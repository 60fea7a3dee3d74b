"""Where training finds the images: the raw folders, or a folder of links to them with our own in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.manifest import relative_to_run
from visionllm_interaction.datasets.transformation.exif_orientation import write_upright
from visionllm_interaction.datasets.transformation.image_groups import GroupedImage
from visionllm_interaction.datasets.transformation.move_between_splits import common_folder

FOLDER = "images"


@dataclass(frozen=True)
class ImagePlaces:
    """Split → folder that ``file_name`` starts in (relative to the run where it is inside), and the files written."""

    folders: dict[str, str]
    written: tuple[Path, ...]


def place_images(
    images: Mapping[str, Sequence[GroupedImage]],
    *,
    raw: Mapping[str, Path],
    divided: bool,
    partial: Path,
    final: Path,
) -> ImagePlaces:
    """Write the images that are to be upright, and say where all images are.

    A split without images to turn uses the raw images in place.

    Args:
        images: split → its images after the division, with file names as written.
        raw: split → raw image folder.
        divided: whether images changed their split.
        partial: stage folder that is being written.
        final: where that folder will be published.

    Returns:
        Where the images of each split are.

    Raises:
        ImageError: if an image that is to be turned cannot be decoded.
    """
    if divided:
        root = common_folder(raw)
        everything = [image for listed in images.values() for image in listed]
        folder, written = _place(everything, source=root, raw=root, below=FOLDER, partial=partial, final=final)
        return ImagePlaces(dict.fromkeys(images, folder), tuple(written))
    folders: dict[str, str] = {}
    files: list[Path] = []
    for split, listed in images.items():
        below = f"{FOLDER}/{split}"
        source = raw[split].resolve()
        folders[split], written = _place(
            listed, source=source, raw=raw[split], below=below, partial=partial, final=final
        )
        files += written
    return ImagePlaces(folders, tuple(files))


def _place(
    images: Sequence[GroupedImage], *, source: Path, raw: Path, below: str, partial: Path, final: Path
) -> tuple[str, list[Path]]:
    if not any(image.turn for image in images):
        return str(raw), []
    written = [path for image in images if (path := _mirror(image, source, partial / below))]
    return relative_to_run(final / below, final.parent), written


def _mirror(image: GroupedImage, source: Path, folder: Path) -> Path | None:
    """Write the image upright, or link it; a file that is missing stays missing."""
    original, place = source / image.file_name, folder / image.file_name
    place.parent.mkdir(parents=True, exist_ok=True)
    if image.turn:
        write_upright(original, place)
        return place
    if original.is_file() and not place.is_symlink():
        place.symlink_to(original)
    return None
