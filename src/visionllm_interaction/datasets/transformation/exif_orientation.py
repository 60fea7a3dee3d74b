"""Images with an EXIF orientation: written upright, and their annotations turned along where these lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from visionllm_interaction.core.image_decoding import DAMAGED, ORIENTATION, orientation_of
from visionllm_interaction.core.run_lengths import decode_mask, encode_mask
from visionllm_interaction.datasets.transformation.coco_geometry import numbers, run_lengths
from visionllm_interaction.datasets.transformation.editing.byte_editor import ABSENT, ByteEditor
from visionllm_interaction.errors import ImageError

_TURN: dict[int, tuple[bool, bool, bool]] = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""EXIF orientation (tag 0x0112) → exchange x and y, then mirror x, then mirror y: from stored to upright."""


def orientation_and_size(path: Path) -> tuple[int, tuple[int, int]]:
    """Read the EXIF orientation and the stored size of an image.

    Args:
        path: the image file.

    Returns:
        EXIF orientation (1 = upright), and the stored width and height in pixels.

    Raises:
        ImageError: if the file is no image.
    """
    try:
        with Image.open(path) as image:
            return orientation_of(image), image.size
    except DAMAGED as error:
        raise _undecodable(path, error) from error


def write_upright(source: Path, target: Path) -> None:
    """Write the image with its pixels turned as its EXIF orientation says, and without that tag.

    JPEG keeps the quantization tables of the original, PNG is lossless. Colour profile and other EXIF tags are kept.

    Args:
        source: the image file.
        target: the file to write.

    Raises:
        ImageError: if the file is no image.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Image.open(source) as image:
            upright = ImageOps.exif_transpose(image)
            options = {"exif": upright.getexif(), "icc_profile": image.info.get("icc_profile")}
            if isinstance(image, JpegImagePlugin.JpegImageFile):  # phones write the MPO form of it
                upright.save(target, "JPEG", **options, **_compression(image))
            else:
                upright.save(target, image.format, **options)
    except DAMAGED as error:
        raise _undecodable(source, error) from error


def _compression(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    """The original's tables, turned with the image, so that its blocks round to the same values again."""
    swap = image.getexif()[ORIENTATION] >= 5
    tables = {n: [t[i] for i in _TRANSPOSED] if swap else list(t) for n, t in image.quantization.items()}
    sampling = JpegImagePlugin.get_sampling(image)
    return {"qtables": tables, "subsampling": sampling if sampling >= 0 else 0}


_TRANSPOSED = [8 * column + row for row in range(8) for column in range(8)]
"""Places of an 8 × 8 table whose rows and columns are exchanged."""


def _undecodable(path: Path, error: Exception) -> ImageError:
    return ImageError(
        "An image that is to be turned cannot be decoded.",
        expected="an image",
        found=str(error),
        where=str(path),
        fix="drop it (FILE-TRUNCATED, FILE-NOT-IMAGE), or restore the file",
    )


def turn_record(
    editor: ByteEditor, row: int, *, orientation: int, stored: tuple[int, int], drawn_upright: bool, code: str
) -> bool:
    """Bring an image's record and annotations to the upright frame.

    Args:
        editor: the annotation file to edit.
        row: row of the image record.
        orientation: EXIF orientation, 1 to 8.
        stored: stored width and height in pixels.
        drawn_upright: whether annotations are in the upright frame already; then only the record's size changes.
        code: issue code, for the change log.

    Returns:
        Whether the record can stay with an upright image: not if a mask cannot be turned.
    """
    upright = stored[::-1] if orientation >= 5 else stored
    annotations = [] if drawn_upright else _annotations_of(editor, row)
    turned = [_turned(editor.record("annotations", a), orientation, stored) for a in annotations]
    if None in turned:
        return False
    for key, value in (("width", upright[0]), ("height", upright[1])):
        editor.set("images", row, key, value, code=code)
    for annotation, values in zip(annotations, turned, strict=True):
        for key, value in (values or {}).items():
            editor.set("annotations", annotation, key, value, code=code)
    return True


def _annotations_of(editor: ByteEditor, image_row: int) -> list[int]:
    image_ids = editor.source.keys("annotations")[1]
    rows = np.flatnonzero(image_ids == editor.ids("images")[image_row]).tolist()
    return [row for row in rows if not editor.is_gone("annotations", row)]


def _turned(record: dict[str, Any], orientation: int, stored: tuple[int, int]) -> dict[str, Any] | None:
    """The values that change when the image is turned; ``None`` if one of them cannot be read."""
    turned: dict[str, Any] = {}
    for key, turn in (("bbox", turn_box), ("segmentation", turn_segmentation), ("keypoints", turn_keypoints)):
        value = record.get(key, ABSENT)
        if value is ABSENT or value in (None, []):
            continue
        turned[key] = turn(value, orientation=orientation, stored=stored)
        if turned[key] is None:
            return None
    return turned


def turn_box(value: Any, *, orientation: int, stored: tuple[int, int]) -> list[float] | None:
    """A COCO box (x, y, width, height; pixels) of the stored image as one of the upright image."""
    box = numbers(value, count=4)
    if box is None:
        return None
    x, y, w, h = box
    corners = _turn_points([x, y, x + w, y + h], orientation, stored)
    left, top = min(corners[::2]), min(corners[1::2])
    return [left, top, h, w] if orientation >= 5 else [left, top, w, h]


def turn_segmentation(value: Any, *, orientation: int, stored: tuple[int, int]) -> Any:
    """Polygons or run lengths of the stored image as those of the upright one; ``None`` if they cannot be read."""
    if isinstance(value, dict):
        return _turn_runs(value, orientation, stored)
    parts = [numbers(part) for part in value] if isinstance(value, list) else [None]
    if any(part is None or len(part) % 2 for part in parts):
        return None
    return [_turn_points(part, orientation, stored) for part in parts if part is not None]


def turn_keypoints(value: Any, *, orientation: int, stored: tuple[int, int]) -> list[float] | None:
    """COCO keypoints (x, y, visibility)… of the stored image as those of the upright one; unlabelled ones stay."""
    flat = numbers(value)
    if flat is None or len(flat) % 3:
        return None
    triples = [flat[at : at + 3] for at in range(0, len(flat), 3)]
    return [v for t in triples for v in ((*_turn_points(t[:2], orientation, stored), t[2]) if t[2] else t)]


def _turn_points(flat: Sequence[float], orientation: int, stored: tuple[int, int]) -> list[float]:
    swap, mirror_x, mirror_y = _TURN[orientation]
    width, height = stored[::-1] if swap else stored
    turned: list[float] = []
    for a, b in zip(flat[::2], flat[1::2], strict=True):
        x, y = (b, a) if swap else (a, b)
        turned += [round(width - x, 4) if mirror_x else x, round(height - y, 4) if mirror_y else y]
    return turned


def _turn_runs(value: dict[str, Any], orientation: int, stored: tuple[int, int]) -> dict[str, Any] | None:
    runs = run_lengths(value.get("counts"))
    if runs is None or sum(runs) != stored[0] * stored[1] or value.get("size") != [stored[1], stored[0]]:
        return None
    mask = decode_mask(runs, height=stored[1], width=stored[0])
    with Image.fromarray(mask.astype(np.uint8)) as image:
        upright = np.asarray(image.transpose(_TRANSPOSE[orientation]))
    return {**value, "counts": encode_mask(upright), "size": list(upright.shape)}


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
