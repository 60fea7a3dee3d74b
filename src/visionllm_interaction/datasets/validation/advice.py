"""What to type when the data did not pass: a remedy for each kind of reason, in the order of the reasons."""

from __future__ import annotations

from collections.abc import Iterable

_ADVICE = {
    "SPLIT-MISSING": "where the data has no val of its own, add -o data.val_share=0.2 (by child or household with "
    "data.groups), or say which subset is val in data.subsets",
    "JSON-SCHEMA": "write id, image_id and category_id as whole numbers without quotation marks, sizes and areas as "
    "numbers (NaN is none): the report names field and record",
    "SPLIT-EMPTY": "where the data was converted, data_ingestion's source.left_out says what was not carried over",
    "CAT-ABSENT": "if the category is rare, accept it: -o 'validation.actions={CAT-ABSENT: warn}'; or leave it out, by "
    "name, with transform.taxonomy.keep; or divide anew with transform.splits",
    "FILE-MISSING": "put the images where the annotations name them, below data.root",
    "IMG-SIZE": "put the images there in the size they were labelled in, or scale boxes, outlines, width and height",
    "IMG-EXIF-FRAME": "if the boxes were drawn on the upright image, -o 'validation.actions={IMG-EXIF-FRAME: repair}'",
    "BOX-LOOKS-XYXY": "write the boxes as x, y, width, height",
    "BOX-LOOKS-NORMALISED": "write the boxes in pixels",
    "max_invalid_bbox_allowed": "look at the boxes first; then raise -o validation.max_invalid_bbox_allowed=N",
}
_GENERAL = (
    "correct what the report lists at its source (`visionllm faults CODE` explains each), "
    "or change the policy in config/schema.yaml"
)


def advice(reasons: Iterable[str]) -> str:
    """What to do about ``reasons`` (as the report words them), each kind once."""
    codes = dict.fromkeys(reason.partition(":")[0] for reason in reasons)
    return "; ".join([*(_ADVICE[code] for code in codes if code in _ADVICE), _GENERAL])
