"""Carry out the orders of stage 2 on one split: nothing is touched that no order names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visionllm_interaction.datasets.transformation.editing.byte_editor import ABSENT, ByteEditor
from visionllm_interaction.datasets.transformation.editing.geometry import clip_box, mask_area, numbers
from visionllm_interaction.datasets.transformation.record_edits import RecordEdit
from visionllm_interaction.errors import AnnotationError


@dataclass(slots=True)
class RepairState:
    """One split at work: its draft, the orders that could not be carried out, and what later steps must know."""

    draft: ByteEditor
    left: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Fault code → ids of records that stay as they are, because there is no one right repair."""
    clipped: set[int] = field(default_factory=set)
    """Rows of annotations whose box was clipped."""
    turned: dict[int, str] = field(default_factory=dict)
    """Row of an image that is to be written upright → its fault code."""
    image_rows: dict[int, int] = field(default_factory=dict)
    """Image id → row, the first where ids repeat."""

    def leave(self, order: RecordEdit) -> None:
        """Note that the record stays as it is."""
        number = int(self.draft.ids(order.section)[order.row])
        self.left[order.code].append(number)

    def image_size(self, annotation_row: int) -> tuple[float, float] | None:
        """Width and height of the annotation's image in pixels; ``None`` if unknown."""
        if not self.image_rows:
            ids = self.draft.ids("images").tolist()
            self.image_rows = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
        row = self.image_rows.get(self.draft.get("annotations", annotation_row, "image_id"))
        size = None if row is None else [self.draft.get("images", row, key) for key in ("width", "height")]
        known = numbers(size, count=2) if size else None
        return (known[0], known[1]) if known else None


Repair = Callable[[RepairState, Sequence[RecordEdit]], None]


def carry_out(draft: ByteEditor, orders: Sequence[RecordEdit], *, merges_copies: bool) -> RepairState:
    """Drop records, then repair the others.

    Args:
        draft: the annotation file to edit.
        orders: what the validation report asks for.
        merges_copies: whether the policy merges exact copies; copies that clipping makes are then merged too.

    Returns:
        The state of the repair, with the number of changes per code.

    Raises:
        AnnotationError: if a code is to be repaired for which there is no repair.
    """
    bench = RepairState(draft)
    for order in orders:
        if order.action == "drop":
            _drop(draft, order)
    by_code = _repairs_by_code(orders)
    for repair, codes in _STEPS:
        repair(bench, [o for code in codes for o in by_code.get(code, []) if not draft.is_gone(o.section, o.row)])
    if merges_copies and bench.clipped:
        _merge_copies(
            bench, [RecordEdit("BOX-DUPLICATE", "repair", "annotations", row) for row in sorted(bench.clipped)]
        )
    return bench


def _repairs_by_code(orders: Iterable[RecordEdit]) -> Mapping[str, list[RecordEdit]]:
    by_code: dict[str, list[RecordEdit]] = defaultdict(list)
    for order in orders:
        if order.action == "repair":
            by_code[order.code].append(order)
    if unknown := sorted(by_code.keys() - REPAIRED_CODES):
        raise AnnotationError(
            "Stage 3 has no repair for what the policy wants repaired.",
            expected=f"one of {', '.join(sorted(REPAIRED_CODES))}",
            found=", ".join(unknown),
            fix="choose drop, warn or error for it in config/schema.yaml",
        )
    return by_code


def _drop(draft: ByteEditor, order: RecordEdit) -> None:
    """Leave out a record; an image takes its annotations with it, unless another image has the same id."""
    draft.drop(order.section, order.row, code=order.code)
    if order.section != "images":
        return
    image_id = draft.ids("images")[order.row]
    same = np.flatnonzero(draft.ids("images") == image_id)
    if all(draft.is_gone("images", int(row)) for row in same):
        for row in np.flatnonzero(draft.source.keys("annotations")[1] == image_id):
            draft.drop("annotations", int(row), code=order.code)


def _turn_pictures(bench: RepairState, orders: Sequence[RecordEdit]) -> None:
    bench.turned.update((order.row, order.code) for order in orders)


def _clip(bench: RepairState, orders: Sequence[RecordEdit]) -> None:
    """Clip boxes to their image. A box with nothing inside is dropped: clipped, it would be empty."""
    for _, order in sorted({order.row: order for order in reversed(orders)}.items()):
        box = numbers(bench.draft.get("annotations", order.row, "bbox"), count=4)
        size = bench.image_size(order.row)
        if box is None or size is None:
            bench.leave(order)
            continue
        clipped = clip_box(box, width=size[0], height=size[1])
        if clipped is None:
            bench.draft.drop("annotations", order.row, code=order.code)
        elif bench.draft.set("annotations", order.row, "bbox", clipped, code=order.code):
            bench.clipped.add(order.row)
            _fit_area(bench, order, old_box=box, new_box=clipped)


def _fit_area(bench: RepairState, order: RecordEdit, *, old_box: Sequence[float], new_box: Sequence[float]) -> None:
    """An area that was that of the box, or is more than it now, goes with the box."""
    known = numbers([bench.draft.get("annotations", order.row, "area")])
    if known is None:
        return
    was_boxes = abs(known[0] - old_box[2] * old_box[3]) <= 0.01 * abs(known[0])
    if was_boxes or known[0] > new_box[2] * new_box[3]:
        _compute_area(bench, order)


def _compute_areas(bench: RepairState, orders: Sequence[RecordEdit]) -> None:
    for order in orders:
        _compute_area(bench, order)


def _compute_area(bench: RepairState, order: RecordEdit) -> None:
    """Set the area to the mask's, or to the box's where there is no mask."""
    draft = bench.draft
    segmentation = draft.get("annotations", order.row, "segmentation")
    area = mask_area(segmentation)
    box = numbers(draft.get("annotations", order.row, "bbox"), count=4)
    if area is None and box and segmentation in (ABSENT, None, []):
        area = round(box[2] * box[3], 4)
    if area is None:
        bench.leave(order)
    else:
        draft.set("annotations", order.row, "area", area, code=order.code)


def _renumber(bench: RepairState, orders: Sequence[RecordEdit]) -> None:
    """Give annotations new ids above all there are, in the file's order."""
    following = int(bench.draft.ids("annotations").max(initial=0)) + 1
    for number, row in enumerate(sorted({order.row for order in orders}), start=following):
        bench.draft.set("annotations", row, "id", number, code="ANN-DUPLICATE-ID")


def _merge_copies(bench: RepairState, orders: Sequence[RecordEdit]) -> None:
    """Merge annotations into an earlier one that says the same; where they disagree about anything both stay."""
    draft = bench.draft
    rows_of_image: dict[int, list[int]] = {}
    for order in sorted(orders, key=lambda order: order.row):
        image_id = int(draft.source.keys("annotations")[1][order.row])
        if image_id not in rows_of_image:
            rows_of_image[image_id] = np.flatnonzero(draft.source.keys("annotations")[1] == image_id).tolist()
        record = draft.record("annotations", order.row)
        earlier = [r for r in rows_of_image[image_id] if r < order.row and not draft.is_gone("annotations", r)]
        twin = next((row for row in earlier if _agree(draft.record("annotations", row), record)), None)
        if twin is not None:
            _merge(draft, order, into=twin, record=record)
        elif order.row not in bench.clipped:
            bench.leave(order)


def _agree(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two annotations say the same about one object: every key both have, except the id, is equal."""
    needed = ("image_id", "category_id", "bbox")
    shared = (first.keys() & second.keys()) - {"id"}
    return all(key in shared for key in needed) and all(first[key] == second[key] for key in shared)


def _merge(draft: ByteEditor, order: RecordEdit, *, into: int, record: Mapping[str, Any]) -> None:
    present = draft.record("annotations", into).keys()
    for key, value in record.items():
        if key not in present:
            draft.set("annotations", into, key, value, code=order.code)
    draft.drop("annotations", order.row, code=order.code, action="repair")


_STEPS: tuple[tuple[Repair, tuple[str, ...]], ...] = (
    (_turn_pictures, ("IMG-EXIF-FRAME", "IMG-EXIF-ROTATED")),
    (_clip, ("BOX-NEGATIVE-ORIGIN", "BOX-OUT-OF-BOUNDS")),
    (_compute_areas, ("AREA-NON-POSITIVE", "AREA-MISMATCH", "AREA-EXCEEDS-BOX")),
    (_merge_copies, ("BOX-DUPLICATE",)),
    (_renumber, ("ANN-DUPLICATE-ID",)),
)
"""The repairs in the order they are made: a box is clipped before its area is computed and before copies are sought."""

REPAIRED_CODES: frozenset[str] = frozenset(code for _, codes in _STEPS for code in codes)
"""The fault codes stage 3 can repair."""
