"""The rules about what is inside image files, one file at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.image_decoding import FORMAT_OF_ENDING
from visionllm_interaction.core.unit_histogram import unit_histogram
from visionllm_interaction.datasets.validation.config import ImageChecks
from visionllm_interaction.datasets.validation.images.probe import THUMB_PX, DecodeLimits, ImageProbe
from visionllm_interaction.datasets.validation.images.worker_pool import probe_images
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.rules._issue_builders import image_issue

_USUAL_MODES = frozenset({"RGB", "L", "P"})
_SWAPPING = frozenset({5, 6, 7, 8})
"""EXIF orientations in which width and height change places."""
_FLAT = 3
"""Largest difference of luminance, in [0, 255], of an image in which nothing can be seen."""
_ADVICE = {
    "FILE-TRUNCATED": "a whole image",
    "FILE-NOT-IMAGE": "an image",
    "FILE-TOO-LARGE": "no more pixels than images.max_megapixels",
    "FILE-KILLS-DECODER": "an image that can be decoded within the limits",
}


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """The images of a split that could be decoded, to be compared with others.

    Attributes:
        rows: (k,) row in the split's images.
        thumbs: (k, 32, 32) luminance, stretched to a square.
        flat: (k,) whether there is nothing to compare.
        paths: k files.
    """

    rows: NDArray[np.int64]
    thumbs: NDArray[np.uint8]
    flat: NDArray[np.bool_]
    paths: tuple[Path, ...]

    def brightness(self) -> tuple[int, ...]:
        """The images counted by their mean luma from 0 to 1."""
        return unit_histogram(self.thumbs.mean(axis=(1, 2)) / 255)


def check_images(
    table: SplitTable, paths: Mapping[int, Path], checks: ImageChecks, *, workers: int
) -> tuple[list[Issue], DecodedImages]:
    """Decode the files ``paths`` (row → path) and judge each; memory grows by a thumbnail (1 kB) per image only."""
    limits = DecodeLimits(round(checks.max_megapixels * 1e6), checks.timeout_s, checks.memory_mb)
    rows = list(paths)
    thumbs = np.zeros((len(rows), THUMB_PX, THUMB_PX), np.uint8)
    usable = np.zeros(len(rows), np.bool_)
    flat = np.zeros(len(rows), np.bool_)
    issues: list[Issue] = []
    probes = probe_images([str(paths[row]) for row in rows], limits, workers=workers)
    for place, (row, probe) in enumerate(zip(rows, probes, strict=True)):
        issues += check_image(table, row, probe, checks)
        if probe.thumb is not None:
            thumbs[place], usable[place], flat[place] = probe.thumb, True, probe.high - probe.low <= _FLAT
    kept = np.flatnonzero(usable)
    seen = DecodedImages(
        np.array(rows, np.int64)[kept], thumbs[kept], flat[kept], tuple(paths[rows[place]] for place in kept.tolist())
    )
    return issues, seen


def check_image(table: SplitTable, row: int, probe: ImageProbe, checks: ImageChecks) -> Iterator[Issue]:
    """All issues of one image."""
    if probe.issue:
        yield image_issue(table, row, probe.issue, found=probe.reason, expected=_ADVICE[probe.issue], field="file_name")
        return
    yield from _form(table, row, probe)
    yield from _size(table, row, probe)
    yield from _content(table, row, probe, checks)


def _form(table: SplitTable, row: int, probe: ImageProbe) -> Iterator[Issue]:
    name = table.images.file_names[row] or ""
    said = FORMAT_OF_ENDING.get(Path(name).suffix.lower())
    kind = "JPEG" if probe.kind == "MPO" else probe.kind
    if said and said != kind:
        yield image_issue(table, row, "FILE-FORMAT", found=f"{kind} named {name}", expected=said, field="file_name")
    if probe.frames > 1:
        found = f"{probe.frames} frames"
        yield image_issue(table, row, "FILE-SEVERAL-FRAMES", found=found, expected="one", field="file_name")
    if probe.mode not in _USUAL_MODES:
        found = f"mode {probe.mode}"
        yield image_issue(table, row, "IMG-MODE", found=found, expected="8-bit RGB or grey", field="file_name")


def _size(table: SplitTable, row: int, probe: ImageProbe) -> Iterator[Issue]:
    said_width, said_height = table.images.sizes_px[row].tolist()
    said, stored = (said_width, said_height), (probe.width, probe.height)
    if not np.isfinite(said).all():
        return
    turned = 2 <= probe.orientation <= 8
    swapped = probe.orientation in _SWAPPING and probe.width != probe.height
    upright = stored[::-1] if swapped else stored
    what = f"EXIF orientation {probe.orientation}, stored {stored[0]} × {stored[1]}"
    record = f"{said[0]:g} × {said[1]:g}, as the record says"
    if turned and swapped and said == upright:
        yield image_issue(table, row, "IMG-EXIF-ROTATED", found=what, expected="pixels as shown", field="width")
    elif turned and said == stored:
        yield image_issue(table, row, "IMG-EXIF-FRAME", found=what, expected="pixels as shown", field="width")
    elif said != stored:
        found = f"{stored[0]} × {stored[1]} pixels"
        yield image_issue(table, row, "IMG-SIZE", found=found, expected=record, field="width")


def _content(table: SplitTable, row: int, probe: ImageProbe, checks: ImageChecks) -> Iterator[Issue]:
    def issue(code: str, found: str, expected: str) -> Issue:
        return image_issue(table, row, code, found=found, expected=expected, field="file_name")

    if min(probe.width, probe.height) < checks.min_side_px:
        found = f"{probe.width} × {probe.height} pixels"
        yield issue("IMG-SMALL", found, f"{checks.min_side_px} pixels or more each way")
    if probe.high - probe.low <= _FLAT:
        yield issue("IMG-UNIFORM", f"luminance {probe.low} to {probe.high}", "an image of something")
    elif probe.high < checks.max_dark_luminance:
        found = f"99 % of the pixels below luminance {probe.high}"
        yield issue("IMG-DARK", found, f"{checks.max_dark_luminance:g} or more")
    elif probe.low > checks.min_bright_luminance:
        found = f"99 % of the pixels above luminance {probe.low}"
        yield issue("IMG-BRIGHT", found, f"{checks.min_bright_luminance:g} or less")
    elif probe.sharpness < checks.min_sharpness:
        yield issue("IMG-BLURRED", f"sharpness {probe.sharpness:.3f}", f"{checks.min_sharpness:g} or more")
