"""Images of a run with boxes drawn on them: those of an issue of the validation, and those that a detector got wrong.

An image is named by its place in the run's own tables, never by a path; what lies outside the folder of the images is
not shown.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from visionllm_interaction.artifacts.stage_manifests import ValidationReport
from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.reading.reader import read_split
from visionllm_interaction.errors import ImageError
from visionllm_interaction.reports.overlays import draw_box
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.training.run_reports import RunManifests, evaluation_of
from visionllm_interaction.server.training.schemas import IssuePage, IssueView

SIDE_PX = 480
"""Longest side of an image that is sent."""
MEDIA_TYPE = "image/webp"
CONCERNED, BESIDE = "#ff3c00", "#ffffff"
MARKS: Mapping[str, str] = {"found": "#0072B2", "wrong": "#CC3311", "missed": "#E69F00"}
"""Colours of what a detector found, found wrongly and missed (Okabe and Ito, 2008)."""
_TABLES = 2
"""Annotation files whose tables are kept: that of COCO takes seconds to read."""


class RunImages:
    """Draws images of runs.

    Args:
        max_megapixels: largest image that is decoded, in millions of pixels.
    """

    def __init__(self, max_megapixels: float) -> None:
        self._max_megapixels = max_megapixels
        self._tables: dict[tuple[str, int, int], SplitTable] = {}
        self._lock = threading.Lock()

    def issue(self, run: RunManifests, row: int) -> bytes:
        """The image of an issue, with the box that is at fault and, thinner, the others of the image.

        Args:
            run: the run.
            row: place in its table of issues.

        Returns:
            The image as WebP.

        Raises:
            HTTPException: 404 if there is no such issue or no image of it, 409 if the annotations have changed since.
        """
        table = _issues_of(run)
        if not 0 <= row < len(table):
            raise _no_image(f"issue {row}")
        issue = {name: table[name][row].as_py() for name in table.column_names}
        split, image_id = issue["split"], issue["image_id"]
        if split is None or image_id is None:
            raise _no_image(f"issue {row} is about no image")
        columns = self._split(run, split)
        place = next(iter(np.flatnonzero(columns.images.ids == image_id).tolist()), None)
        file_name = issue["file_name"] or (columns.images.file_names[place] if place is not None else None)
        image, full = self._open(run.images_of(split), file_name)
        size = columns.images.sizes_px[place] if place is not None else np.full(2, np.nan)
        scale = np.array(image.size) / np.where(np.isfinite(size) & (size > 0), size, full)
        notes = columns.annotations
        for other in np.flatnonzero(notes.image_ids == image_id).tolist():
            at_fault = issue["annotation_id"] is not None and int(notes.positions[other]) == issue["position"]
            _draw(image, notes.boxes_xywh[other], scale, colour=CONCERNED if at_fault else BESIDE, bold=at_fault)
        return _webp(image)

    def worst(self, run: RunManifests, place: int) -> bytes:
        """One of the images with most errors, with what was found, found wrongly and missed.

        Args:
            run: the run.
            place: in the list of its evaluation, from 0.

        Returns:
            The image as WebP.

        Raises:
            HTTPException: 404 if there is no such image.
        """
        rows: Sequence[Mapping[str, Any]] = (evaluation_of(run) or {}).get("worst_images", [])
        if not 0 <= place < len(rows) or "marks" not in rows[place]:
            raise _no_image(f"worst image {place}")
        row = rows[place]
        image, full = self._open(run.images_of("val"), row["file_name"])
        for mark in row["marks"]:
            box = np.array(mark["box_xywh"], np.float64)
            _draw(
                image, box, np.array(image.size) / full, colour=MARKS[mark["kind"]], bold=True, caption=mark["caption"]
            )
        return _webp(image)

    def _open(self, folder: Path | None, file_name: str | None) -> tuple[Image.Image, Any]:
        """An image made smaller, and the width and height that it has."""
        if folder is None or not file_name:
            raise _no_image("the images of this run are not on this machine")
        path = (folder / file_name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise _no_image("the file is not in the folder of the images")
        try:
            image = Image.fromarray(read_rgb(path, max_megapixels=self._max_megapixels))
        except ImageError as error:
            raise http_problem(409, "The image cannot be decoded.", code="IMAGE", found=str(error.found)) from error
        return ImageOps.contain(image, (SIDE_PX, SIDE_PX)), np.array(image.size, np.float64)

    def _split(self, run: RunManifests, split: str) -> SplitTable:
        """The annotations that were validated; the last ones read are kept."""
        path = _annotations_of(run, split)
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        with self._lock:
            table = self._tables.pop(key, None) or read_split(path, split)[0]
            if table is None:
                raise _no_image("the annotations are no JSON object")
            self._tables[key] = table
            while len(self._tables) > _TABLES:
                self._tables.pop(next(iter(self._tables)))
            return table


def list_issues(run: RunManifests, code: str, split: str | None, *, begin: int, count: int) -> IssuePage:
    """Issues of one code in one split.

    Args:
        run: the run.
        code: as the catalogue calls it.
        split: ``train``, ``val``, or None for what is about no split.
        begin: how many are left out.
        count: most that are given.

    Returns:
        The issues in the order of the table.
    """
    table = _issues_of(run)
    of_code = np.array([one == code for one in table["code"].to_pylist()], dtype=np.bool_)
    of_split = np.array([one == split for one in table["split"].to_pylist()], dtype=np.bool_)
    rows = np.flatnonzero(of_code & of_split)
    shown = rows[begin : begin + count]  # an array also where it is empty: pyarrow takes no rows by an empty list
    names = [name for name in IssueView.model_fields if name != "row"]
    content = table.select(names).take(shown).to_pylist()
    return IssuePage(
        total=len(rows), issues=[IssueView(row=row, **one) for row, one in zip(shown.tolist(), content, strict=True)]
    )


def _issues_of(run: RunManifests) -> Any:
    import pyarrow.parquet as pq

    if run.validation is None:
        raise _no_image("the data of this run is not validated")
    return pq.read_table(run.folder / run.validation.faults_file)


def _annotations_of(run: RunManifests, split: str) -> Path:
    """The annotation file of a split, if it is as it was when it was validated."""
    path = getattr(run.data.annotations, split, None) if run.data else None
    known = _size_when_validated(run.validation, path)
    if path is None or not Path(path).is_file():
        raise _no_image("the annotations of this run are not on this machine")
    if known is not None and Path(path).stat().st_size != known:
        raise http_problem(
            409,
            "The annotations have changed since they were validated.",
            code="CHANGED",
            expected=f"{known} bytes",
            found=f"{Path(path).stat().st_size} bytes",
            fix="run stage 2 again",
        )
    return Path(path)


def _size_when_validated(report: ValidationReport | None, path: str | None) -> int | None:
    return next((one.bytes for one in (report.inputs if report else ()) if one.path == path), None)


def _draw(image: Image.Image, box_xywh: Any, scale: Any, *, colour: str, bold: bool, caption: str = "") -> None:
    low, high = box_xywh[:2] * scale, (box_xywh[:2] + box_xywh[2:]) * scale
    if np.isfinite([*low, *high]).all() and np.abs([*low, *high]).max() < 10 * SIDE_PX:
        corners = (*low.tolist(), *np.maximum(low, high).tolist())
        draw_box(ImageDraw.Draw(image), corners, colour=colour, line_width=3 if bold else 1, caption=caption)


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _no_image(found: str) -> Exception:
    return http_problem(404, "There is no image of this.", code="NOT-FOUND", found=found)
