"""The records of an annotation file: their types, and what to say about one that does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Run = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class ImageRecord(msgspec.Struct, frozen=True, gc=False):
    """The keys of an image that the stages rely on; others may be there."""

    id: Int64
    width: Pixels
    height: Pixels
    file_name: Name


class Rle(msgspec.Struct, frozen=True, gc=False):
    """A mask as run lengths: ``size`` is height and width."""

    size: tuple[Pixels, Pixels]
    counts: list[Run] | str


Segmentation = list[list[float]] | Rle | None


class AnnotationRecord(msgspec.Struct, frozen=True, gc=False):
    """The keys of an annotation that the stages rely on; others may be there."""

    id: Int64
    image_id: Int64
    category_id: Int64
    bbox: tuple[float, float, float, float]
    area: float = math.nan
    iscrowd: Literal[0, 1] = 0
    segmentation: msgspec.Raw = msgspec.Raw(b"")
    attributes: msgspec.Raw = msgspec.Raw(b"")


class CategoryRecord(msgspec.Struct, frozen=True, gc=False):
    """The keys of a category that the stages rely on; others may be there."""

    id: Int64
    name: Name


Field = tuple[str, Any, bool]
"""Key, type, whether it must be there."""

_OF_TRACKS = frozenset({"track_id", "keyframe"})
"""Attributes that converters write beside ``outside`` of what was tracked in a video."""

IMAGE_FIELDS: tuple[Field, ...] = (
    ("id", Int64, True),
    ("width", Pixels, True),
    ("height", Pixels, True),
    ("file_name", Name, True),
)
ANNOTATION_FIELDS: tuple[Field, ...] = (
    ("id", Int64, True),
    ("image_id", Int64, True),
    ("category_id", Int64, True),
    ("area", float, False),
    ("iscrowd", Literal[0, 1], False),
    ("segmentation", Segmentation, False),
    ("attributes", Any, False),
)
CATEGORY_FIELDS: tuple[Field, ...] = (("id", Int64, True), ("name", Name, True))


def usable_fields(record: Mapping[str, Any], fields: tuple[Field, ...]) -> tuple[dict[str, Any], dict[str, str]]:
    """Split a record into the values that fit their type, and key → complaint for those that do not."""
    good: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for key, kind, required in fields:
        if key not in record:
            if required:
                bad[key] = f"{key} is missing"
            continue
        try:
            good[key] = msgspec.convert(record[key], kind)
        except (msgspec.ValidationError, UnicodeEncodeError, OverflowError) as error:  # texts that are no Unicode
            bad[key] = f"{key} = {brief(record[key])}: {error}"
    return good, bad


def box_or_none(value: Any) -> tuple[float, ...] | None:
    """``value`` as four finite numbers, else ``None``. Truth values and texts are not numbers."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        return None
    try:
        box = tuple(float(v) for v in value)
    except OverflowError:
        return None
    return box if all(map(math.isfinite, box)) else None


def is_marked_outside(attributes: Any) -> bool:
    """Whether attributes say that a tracked object is not in the image, and its box only repeats the last one.

    An attribute of this name that people made up ("is the child outside?") has none of a track beside it.
    """
    if not isinstance(attributes, dict) or _OF_TRACKS.isdisjoint(attributes):
        return False
    value = attributes.get("outside")
    return value is True or (isinstance(value, int | str) and str(value).lower() in ("1", "true"))


def holds_non_finite(value: Any) -> bool:
    """Whether NaN or an infinity is anywhere inside; standard JSON has neither."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(holds_non_finite, value.values()))
    return isinstance(value, list) and any(map(holds_non_finite, value))


def brief(value: Any, *, limit: int = 80) -> str:
    """``value`` as a short text."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
