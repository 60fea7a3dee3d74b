"""Carry out the edits that stage 2 asks for on one split; no other record is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visionllm_interaction.datasets.transformation.coco_geometry import clip_box, mask_area, numbers
from visionllm_interaction.datasets.transformation.editing.byte_editor import ABSENT, ByteEditor
from visionllm_interaction.datasets.transformation.requested_edits import RecordEdit
from visionllm_interaction.errors import AnnotationError


@dataclass(slots=True)
class RepairState:
    """The repair of one split: its editor, the edits not carried out, and what later steps must know."""

    editor: ByteEditor
    left: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Issue code → ids of records that stay as they are, because there is no one right repair."""
    clipped: set[int] = field(default_factory=set)
    """Rows of annotations whose box was clipped."""
    turned: dict[int, str] = field(default_factory=dict)
    """Row of an image that is to be written upright → its issue code."""
    image_rows: dict[int, int] = field(default_factory=dict)
    """Image id → row, the first where ids repeat."""

    def leave(self, edit: RecordEdit) -> None:
        """Note that the record stays as it is."""
        number = int(self.editor.ids(edit.section)[edit.row])
        self.left[edit.code].append(number)

    def image_size(self, annotation_row: int) -> tuple[float, float] | None:
        """Width and height of the annotation's image in pixels; ``None`` if unknown."""
        if not self.image_rows:
            ids = self.editor.ids("images").tolist()
            self.image_rows = dict(zip(reversed(ids), range(len(ids) - 1, -1, -1), strict=True))
        row = self.image_rows.get(self.editor.get("annotations", annotation_row, "image_id"))
        size = None if row is None else [self.editor.get("images", row, key) for key in ("width", "height")]
        known = numbers(size, count=2) if size else None
        return (known[0], known[1]) if known else None


Repair = Callable[[RepairState, Sequence[RecordEdit]], None]


def apply_edits(editor: ByteEditor, edits: Sequence[RecordEdit], *, merges_copies: bool) -> RepairState:
    """Drop records, then repair the others.

    Args:
        editor: the annotation file to edit.
        edits: what the validation report asks for.
        merges_copies: whether the policy merges exact copies; copies that clipping makes are then merged too.

    Returns:
        The state of the repair, with the number of changes per code.

    Raises:
        AnnotationError: if a code is to be repaired for which there is no repair.
    """
    state = RepairState(editor)
    for edit in edits:
        if edit.action == "drop":
            _drop(editor, edit)
    by_code = _repairs_by_code(edits)
    for repair, codes in _STEPS:
        asked = [edit for code in codes for edit in by_code.get(code, ())]
        repair(state, [edit for edit in asked if not editor.is_gone(edit.section, edit.row)])
    if merges_copies and state.clipped:
        _merge_copies(
            state, [RecordEdit("BOX-DUPLICATE", "repair", "annotations", row) for row in sorted(state.clipped)]
        )
    return state


def _repairs_by_code(edits: Iterable[RecordEdit]) -> Mapping[str, list[RecordEdit]]:
    by_code: dict[str, list[RecordEdit]] = defaultdict(list)
    for edit in edits:
        if edit.action == "repair":
            by_code[edit.code].append(edit)
    if unknown := sorted(by_code.keys() - REPAIRED_CODES):
        raise AnnotationError(
            "Stage 3 has no repair for what the policy wants repaired.",
            expected=f"one of {', '.join(sorted(REPAIRED_CODES))}",
            found=", ".join(unknown),
            fix="choose drop, warn or error for it in config/schema.yaml",
        )
    return by_code


def _drop(editor: ByteEditor, edit: RecordEdit) -> None:
    """Leave out a record; an image takes its annotations with it, unless another image has the same id."""
    editor.drop(edit.section, edit.row, code=edit.code)
    if edit.section != "images":
        return
    image_id = editor.ids("images")[edit.row]
    same = np.flatnonzero(editor.ids("images") == image_id)
    if all(editor.is_gone("images", int(row)) for row in same):
        for row in np.flatnonzero(editor.source.keys("annotations")[1] == image_id):
            editor.drop("annotations", int(row), code=edit.code)


def _turn_images(state: RepairState, edits: Sequence[RecordEdit]) -> None:
    state.turned.update((edit.row, edit.code) for edit in edits)


def _clip(state: RepairState, edits: Sequence[RecordEdit]) -> None:
    """Clip boxes to their image. A box with nothing inside is dropped: clipped, it would be empty."""
    for _, edit in sorted({edit.row: edit for edit in reversed(edits)}.items()):
        box = numbers(state.editor.get("annotations", edit.row, "bbox"), count=4)
        size = state.image_size(edit.row)
        if box is None or size is None:
            state.leave(edit)
            continue
        clipped = clip_box(box, width=size[0], height=size[1])
        if clipped is None:
            state.editor.drop("annotations", edit.row, code=edit.code)
        elif state.editor.set("annotations", edit.row, "bbox", clipped, code=edit.code):
            state.clipped.add(edit.row)
            _fit_area(state, edit, old_box=box, new_box=clipped)


def _fit_area(state: RepairState, edit: RecordEdit, *, old_box: Sequence[float], new_box: Sequence[float]) -> None:
    """An area that was that of the box, or is more than it now, goes with the box."""
    known = numbers([state.editor.get("annotations", edit.row, "area")])
    if known is None:
        return
    was_boxes = abs(known[0] - old_box[2] * old_box[3]) <= 0.01 * abs(known[0])
    if was_boxes or known[0] > new_box[2] * new_box[3]:
        _compute_area(state, edit)


def _compute_areas(state: RepairState, edits: Sequence[RecordEdit]) -> None:
    for edit in edits:
        _compute_area(state, edit)


def _compute_area(state: RepairState, edit: RecordEdit) -> None:
    """Set the area to the mask's, or to the box's where there is no mask."""
    editor = state.editor
    segmentation = editor.get("annotations", edit.row, "segmentation")
    area = mask_area(segmentation)
    box = numbers(editor.get("annotations", edit.row, "bbox"), count=4)
    if area is None and box and segmentation in (ABSENT, None, []):
        area = round(box[2] * box[3], 4)
    if area is None:
        state.leave(edit)
    else:
        editor.set("annotations", edit.row, "area", area, code=edit.code)


def _renumber(state: RepairState, edits: Sequence[RecordEdit]) -> None:
    """Give annotations new ids above all there are, in the file's order."""
    following = int(state.editor.ids("annotations").max(initial=0)) + 1
    for number, row in enumerate(sorted({edit.row for edit in edits}), start=following):
        state.editor.set("annotations", row, "id", number, code="ANN-DUPLICATE-ID")


def _merge_copies(state: RepairState, edits: Sequence[RecordEdit]) -> None:
    """Merge annotations into an earlier one that says the same; where they disagree about anything both stay."""
    editor = state.editor
    rows_of_image: dict[int, list[int]] = {}
    for edit in sorted(edits, key=lambda edit: edit.row):
        image_id = int(editor.source.keys("annotations")[1][edit.row])
        if image_id not in rows_of_image:
            rows_of_image[image_id] = np.flatnonzero(editor.source.keys("annotations")[1] == image_id).tolist()
        record = editor.record("annotations", edit.row)
        earlier = [r for r in rows_of_image[image_id] if r < edit.row and not editor.is_gone("annotations", r)]
        duplicate = next((row for row in earlier if _agree(editor.record("annotations", row), record)), None)
        if duplicate is not None:
            _merge(editor, edit, into=duplicate, record=record)
        elif edit.row not in state.clipped:
            state.leave(edit)


def _agree(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two annotations say the same about one object: every key both have, except the id, is equal."""
    needed = ("image_id", "category_id", "bbox")
    shared = (first.keys() & second.keys()) - {"id"}
    return all(key in shared for key in needed) and all(first[key] == second[key] for key in shared)


def _merge(editor: ByteEditor, edit: RecordEdit, *, into: int, record: Mapping[str, Any]) -> None:
    present = editor.record("annotations", into).keys()
    for key, value in record.items():
        if key not in present:
            editor.set("annotations", into, key, value, code=edit.code)
    editor.drop("annotations", edit.row, code=edit.code, action="repair")


_STEPS: tuple[tuple[Repair, tuple[str, ...]], ...] = (
    (_turn_images, ("IMG-EXIF-FRAME", "IMG-EXIF-ROTATED")),
    (_clip, ("BOX-NEGATIVE-ORIGIN", "BOX-OUT-OF-BOUNDS")),
    (_compute_areas, ("AREA-NON-POSITIVE", "AREA-MISMATCH", "AREA-EXCEEDS-BOX")),
    (_merge_copies, ("BOX-DUPLICATE",)),
    (_renumber, ("ANN-DUPLICATE-ID",)),
)
"""The repairs in the order they are made: a box is clipped before its area is computed and before copies are sought."""

REPAIRED_CODES: frozenset[str] = frozenset(code for _, codes in _STEPS for code in codes)
"""The issue codes stage 3 can repair."""
