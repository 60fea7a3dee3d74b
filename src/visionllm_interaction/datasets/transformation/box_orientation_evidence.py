"""On which image were boxes drawn: as it is stored, or upright as its EXIF orientation says? Decided by evidence.

For an image whose record has the upright size it is the upright one. Else each box, polygon and run-length mask of the
image is asked: one that fits only one of the two images was drawn on it. Where nothing of an image tells, the setting
``transform.exif_boxes`` counts, else the other images of the annotation file, if they agree: one tool wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visionllm_interaction.datasets.transformation.coco_geometry import numbers
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.transformation.exif_orientation import orientation_and_size, turn_record
from visionllm_interaction.datasets.transformation.repair import RepairState
from visionllm_interaction.datasets.transformation.requested_edits import RecordEdit
from visionllm_interaction.errors import InputDataError

Frame = Literal["upright", "stored"]
Size = tuple[int, int]
_TURNING = ("IMG-EXIF-FRAME", "IMG-EXIF-ROTATED")
_BOUNDS = ("BOX-OUT-OF-BOUNDS", "BOX-NEGATIVE-ORIGIN")
_SLACK_PX = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """An image that is to be written upright.

    Attributes:
        orientation: EXIF, 2 to 8; ``stored``: width and height in pixels before turning.
        frame: what boxes were drawn on; ``None`` if record and file disagree, so that it must stay as it is.
    """

    orientation: int
    stored: Size
    frame: Frame | None

    @property
    def upright(self) -> Size:
        """Width and height after turning."""
        return self.stored[::-1] if self.orientation >= 5 else self.stored


def decide_turns(
    editor: ByteEditor, edits: Iterable[RecordEdit], *, folder: Path, said: Frame | None = None
) -> dict[int, Turn]:
    """Decide how to turn each image that the policy wants upright and that carries an orientation.

    Args:
        editor: the annotation file to edit.
        edits: what the validation report asks for.
        folder: folder that ``file_name`` is relative to.
        said: configured frame of the boxes, used where nothing else tells it.

    Returns:
        Row of the image record → how the image is turned.

    Raises:
        ImageError: if a file is no image.
        InputDataError: if nothing tells what boxes were drawn on.
    """
    rows = {o.row for o in edits if o.action == "repair" and o.code in _TURNING}
    turns: dict[int, Turn] = {}
    open_rows: list[int] = []
    votes: set[Frame] = set()
    for row in sorted(rows):
        orientation, stored = orientation_and_size(folder / str(editor.get("images", row, "file_name")))
        if orientation == 1:
            continue
        turn = Turn(orientation, stored, None)
        frames = _frames(editor, row, turn)
        votes |= frames if len(frames) == 1 else set()
        if not frames:
            open_rows.append(row)
        turns[row] = Turn(orientation, stored, next(iter(frames)) if len(frames) == 1 else None)
    agreed = said or (next(iter(votes)) if len(votes) == 1 else None)
    if open_rows and agreed is None:
        raise _undecided(editor, open_rows)
    return turns | {row: Turn(turns[row].orientation, turns[row].stored, agreed) for row in open_rows}


def _frames(editor: ByteEditor, row: int, turn: Turn) -> set[Frame]:
    """What the record and the annotations say, each by itself; both if they contradict each other or fit neither."""
    size = (editor.get("images", row, "width"), editor.get("images", row, "height"))
    if size == turn.upright and turn.upright != turn.stored:
        return {"upright"}
    if size != turn.stored:
        return {"upright", "stored"}
    seen: set[Frame] = set()
    for record in _records(editor, row):
        for fits_upright, fits_stored in _fits(record, turn):
            if fits_upright != fits_stored:
                seen.add("upright" if fits_upright else "stored")
    return seen


def _records(editor: ByteEditor, image_row: int) -> Iterator[Mapping[str, Any]]:
    image_ids = editor.source.keys("annotations")[1]
    for row in np.flatnonzero(image_ids == editor.ids("images")[image_row]).tolist():
        yield editor.record("annotations", row)


def _fits(record: Mapping[str, Any], turn: Turn) -> Iterator[tuple[bool, bool]]:
    """For box, polygons and run lengths: whether it fits the upright image, and the stored one."""
    box = numbers(record.get("bbox"), count=4)
    if box is not None:
        yield _within(turn, box[0] + box[2], box[1] + box[3])
    mask = record.get("segmentation")
    if isinstance(mask, dict):
        yield mask.get("size") == list(turn.upright[::-1]), mask.get("size") == list(turn.stored[::-1])
    for part in mask if isinstance(mask, list) else ():
        flat = numbers(part)
        if flat and len(flat) % 2 == 0:
            yield _within(turn, max(flat[::2]), max(flat[1::2]))


def _within(turn: Turn, right: float, bottom: float) -> tuple[bool, bool]:
    upright, stored = (
        right <= width + _SLACK_PX and bottom <= height + _SLACK_PX for width, height in (turn.upright, turn.stored)
    )
    return upright, stored


def turn_records(state: RepairState, turns: Mapping[int, Turn]) -> set[int]:
    """Bring the images that are to be turned, and their annotations, to the upright frame; rows of their records."""
    turned = set()
    for row, code in state.turned.items():
        turn = turns.get(row)
        if turn is None:
            continue
        upright = turn.frame == "upright"
        if turn.frame is not None and turn_record(
            state.editor, row, orientation=turn.orientation, stored=turn.stored, drawn_upright=upright, code=code
        ):
            turned.add(row)
        else:
            state.leave(RecordEdit(code, "repair", "images", row))
    return turned


def without_void(edits: Sequence[RecordEdit], editor: ByteEditor, turns: Mapping[int, Turn]) -> tuple[RecordEdit, ...]:
    """The edits without those about boxes that leave the stored image and lie within the upright one."""
    image_ids, owners = editor.ids("images"), editor.source.keys("annotations")[1]
    upright = {int(image_ids[row]): turn for row, turn in turns.items() if turn.frame == "upright"}

    def void(edit: RecordEdit) -> bool:
        turn = upright.get(int(owners[edit.row])) if edit.code in _BOUNDS else None
        box = numbers(editor.get("annotations", edit.row, "bbox"), count=4) if turn else None
        if turn is None or box is None:
            return False
        within = box[0] + box[2] <= turn.upright[0] and box[1] + box[3] <= turn.upright[1]
        return min(box[:2]) >= 0 and within

    return tuple(edit for edit in edits if not void(edit))


def _undecided(editor: ByteEditor, rows: Sequence[int]) -> InputDataError:
    name = editor.get("images", rows[0], "file_name")
    return InputDataError(
        "Nothing tells whether boxes were drawn on the image as it is stored or as it is shown.",
        expected="boxes, masks or sizes that fit only one of the two",
        found=f"{len(rows)} images with an EXIF orientation and boxes that fit both, for example {name}",
        where=f"IMG-EXIF-FRAME in {editor.split}",
        fix="say it: -o transform.exif_boxes=upright (as today's annotation tools show images) or =stored",
    )
