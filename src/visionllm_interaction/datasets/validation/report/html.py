"""The report for people: one HTML page that needs no network, with plots and images of examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.stage_manifests import Finding
from visionllm_interaction.core.image_decoding import DAMAGED, to_rgb
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.examination import Examination
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.reports.html_base import image_data_uri, render_template
from visionllm_interaction.reports.overlays import draw_box

EXAMPLES = 4
"""Images shown per finding."""
_PICTURED = 24
_SIDE_PX = 320
_BOX_COLOUR = "#ff3c00"
_BARS = 40
_IDS = 60
_AREAS = (("small (< 32² px)", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large (> 96² px)", 96.0**2, np.inf))
_PER_IMAGE = (("0", 0, 0), ("1", 1, 1), ("2-4", 2, 4), ("5-9", 5, 9), ("10-19", 10, 19), ("20 or more", 20, 10**9))


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a plot: a label, and for each split a number and its share of the longest bar (0-1)."""

    label: str
    values: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A bar chart; ``note`` says what was left out."""

    title: str
    bars: tuple[Bar, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class IssueExample:
    """An image as a data URI, with its caption."""

    uri: str
    caption: str


def render_page(examination: Examination) -> str:
    """The page as HTML; every text of the data is escaped."""
    verdict = examination.verdict
    values = {
        "status": verdict.status,
        "reasons": verdict.reasons,
        "sizes": [(split, size) for split, size in examination.policy.counts.items()],
        "findings": [(finding, CATALOGUE[finding.code], _ids(finding)) for finding in verdict.findings],
        "plots": list(_plots(examination)),
        "examples": _examples(examination),
        "tolerance": verdict.tolerance,
        "version": __version__,
    }
    return render_template("visionllm_interaction.datasets.validation.report", "validation_report.html.j2", values)


def _ids(finding: Finding) -> str:
    shown = ", ".join(map(str, finding.ids[:_IDS]))
    rest = len(finding.ids) - _IDS
    return f"{shown} and {rest} more (faults.parquet)" if rest > 0 else shown


def _plots(examination: Examination) -> Iterator[Plot]:
    tables = examination.tables
    names = {cid: name for table in tables.values() for cid, name in table.categories}
    counted = {split: Counter(table.annotations.category_ids.tolist()) for split, table in tables.items()}
    order = sorted(names, key=lambda cid: (-sum(count[cid] for count in counted.values()), names[cid]))
    note = f"the {_BARS} most frequent of {len(order)}" if len(order) > _BARS else ""
    shown = order[:_BARS]
    yield _plot("Annotations per category", [(names[c], [counted[s][c] for s in tables]) for c in shown], tables, note)
    with np.errstate(over="ignore", invalid="ignore"):
        areas = {split: table.annotations.boxes_xywh[:, 2:].prod(axis=1) for split, table in tables.items()}
    rows = [(label, [int(((a >= low) & (a < high)).sum()) for a in areas.values()]) for label, low, high in _AREAS]
    yield _plot("Box sizes", rows, tables)
    per_image = {split: np.isin(table.annotations.image_ids, table.images.ids) for split, table in tables.items()}
    totals = []
    for split, table in tables.items():
        ids, counts = np.unique(table.annotations.image_ids[per_image[split]], return_counts=True)
        totals.append(np.concatenate([counts, np.zeros(max(len(np.unique(table.images.ids)) - len(ids), 0), np.int64)]))
    rows = [(label, [int(((t >= low) & (t <= high)).sum()) for t in totals]) for label, low, high in _PER_IMAGE]
    yield _plot("Images by number of annotations", rows, tables)


def _plot(title: str, rows: Sequence[tuple[str, Sequence[int]]], splits: Iterable[str], note: str = "") -> Plot:
    most = max((value for _, values in rows for value in values), default=0) or 1
    bars = tuple(
        Bar(label, tuple((split, value, value / most) for split, value in zip(splits, values, strict=True)))
        for label, values in rows
    )
    return Plot(title, bars, note)


def _examples(examination: Examination) -> dict[tuple[str, str], list[IssueExample]]:
    """(code, split) → images. Only files that a child process has decoded are opened here."""
    chosen: dict[tuple[str, str], list[Issue]] = defaultdict(list)
    for issue in examination.issues:
        if issue.split and issue.image_id is not None and len(chosen[issue.code, issue.split]) < EXAMPLES:
            chosen[issue.code, issue.split].append(issue)
    shown: dict[tuple[str, str], list[IssueExample]] = {}
    for key, issues in list(chosen.items())[:_PICTURED]:
        images = [example for issue in issues if (example := _image(examination, issue))]
        if images:
            shown[key] = images
    return shown


def _image(examination: Examination, issue: Issue) -> IssueExample | None:
    table, images = examination.tables.get(issue.split or ""), examination.images.get(issue.split or "")
    if table is None or images is None:
        return None
    places = np.flatnonzero(table.images.ids[images.rows] == issue.image_id)
    if not len(places):
        return None
    try:
        with Image.open(images.paths[int(places[0])]) as image:
            image.draft("RGB", (2 * _SIDE_PX, 2 * _SIDE_PX))
            shown = to_rgb(image)
    except DAMAGED:  # it could be decoded to grey, but not to colours
        return None
    size = table.images.sizes_px[images.rows[places[0]]]
    shown = ImageOps.contain(shown, (_SIDE_PX, _SIDE_PX))
    if issue.annotation_id is not None and issue.position is not None and np.isfinite(size).all():
        row = np.flatnonzero(table.annotations.positions == issue.position)
        _draw(shown, table.annotations.boxes_xywh[row], size)
    return IssueExample(image_data_uri(shown, quality=80), f"image {issue.image_id}: {issue.found}")


def _draw(
    image: Image.Image, boxes_xywh: np.ndarray[tuple[int, ...], np.dtype[np.float64]], size: Sequence[float]
) -> None:
    canvas = ImageDraw.Draw(image)
    scale = np.array([image.width / size[0], image.height / size[1]])
    for box in boxes_xywh:
        low = box[:2] * scale
        high = np.maximum(low, (box[:2] + box[2:]) * scale)
        if np.isfinite(high).all() and np.abs(np.r_[low, high]).max() < 10 * _SIDE_PX:
            draw_box(canvas, (*low.tolist(), *high.tolist()), colour=_BOX_COLOUR, line_width=3)
