"""Take single annotations out of a COCO file without touching a byte of anything else."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import msgspec

from visionllm_interaction.errors import AnnotationError


class _Id(msgspec.Struct, gc=False):
    id: int


_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ID = msgspec.json.Decoder(_Id)


def drop_annotations(data: bytes, ids: Collection[int]) -> bytes:
    """The annotation file ``data`` without the annotations ``ids``; all other values keep their very bytes.

    Raises:
        AnnotationError: if it is not a COCO file, or ``ids`` do not name exactly one annotation each.
    """
    try:
        top = _TOP.decode(data)
        rows = _LIST.decode(top["annotations"])
        kept = [bytes(row) for row in rows if _ID.decode(row).id not in ids] if ids else None
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
        return _drop_from_odd_json(data, ids)
    if kept is not None:
        _check_count(len(rows) - len(kept), ids)
    parts = [
        _member(key, b"[" + b",".join(kept) + b"]" if key == "annotations" and kept is not None else bytes(value))
        for key, value in top.items()
    ]
    return b"{" + b",".join(parts) + b"}\n"


def _member(key: str, value: bytes) -> bytes:
    return json.dumps(key, ensure_ascii=False).encode() + b":" + value


def _drop_from_odd_json(data: bytes, ids: Collection[int]) -> bytes:
    """As :func:`drop_annotations` for files that only Python's reader takes (NaN in a box that is dropped)."""
    try:
        content: dict[str, Any] = json.loads(data)
        rows = content["annotations"]
        kept = [row for row in rows if row["id"] not in ids]
        text = json.dumps(content | {"annotations": kept}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AnnotationError(
            "The annotation file cannot be cleaned.", expected="a COCO file that passed stage 2", found=str(error)
        ) from error
    _check_count(len(rows) - len(kept), ids)
    return text.encode() + b"\n"


def _check_count(dropped: int, ids: Collection[int]) -> None:
    if dropped != len(ids):
        raise AnnotationError(
            "The annotations to drop are not what the validation report describes.",
            expected=f"{len(ids)} annotations, one per id",
            found=f"{dropped} annotations with these ids",
            fix="make annotation ids unique (ANN-DUPLICATE-ID) and run stage 2 again",
        )
