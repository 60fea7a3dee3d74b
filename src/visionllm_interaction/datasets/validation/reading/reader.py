"""An annotation file → columns and issues.

Large files are cut into pieces that threads decode. Records without structural issues are decoded in one
typed pass; a piece with others is read record by record, so that one bad record costs that record and not the file.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, cast

import duckdb
import msgspec
import numpy as np

from visionllm_interaction.datasets.validation.catalogue import Entity
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading import schema as records
from visionllm_interaction.datasets.validation.reading.chunk_decoder import (
    Chunk,
    FieldMismatch,
    decode_rows,
    parse,
    read_chunks,
    usable_rows,
)
from visionllm_interaction.datasets.validation.reading.chunking import BYTE_ORDER_MARK, Slices, cut
from visionllm_interaction.datasets.validation.reading.columns import ImageColumns, SplitTable, join_annotations
from visionllm_interaction.datasets.validation.reading.polygons import connect

PIECE_BYTES = 3 << 19
"""Bytes of JSON decoded at a time: few, so that memory is used again, not asked for anew (6 MB take a tenth longer)."""
_MOST_CUTS = 3

_IMAGES = msgspec.json.Decoder(list[records.ImageRecord])
_CATEGORIES = msgspec.json.Decoder(list[records.CategoryRecord])


def read_split(path: Path, split: str, *, workers: int = 1) -> tuple[SplitTable | None, list[Issue]]:
    """Decode an annotation file.

    Args:
        path: the annotation file.
        split: name of the split.
        workers: number of decoding processes.

    Returns:
        The columns of the file, ``None`` if it is no JSON object; and the issues found while reading.

    Raises:
        OSError: if the file cannot be read.
    """
    before: int | None = None
    for _ in range(_MOST_CUTS):
        slices = cut(path, piece_bytes=PIECE_BYTES, before=before)
        if slices is None:
            break
        try:
            rest, chunks = _read_parts(slices, workers=workers)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            break  # what stands beside the annotations is no JSON
        if len(chunks) == len(slices.places):
            table, issues = _assemble(split, rest, chunks, strict=True, workers=workers)
            return table, [*_marked(path, split), *issues]
        before = slices.places[len(chunks)][2]  # the piece that is no list: the list ends in it, or the file is broken
    return _read_whole(path, split)


def _decode(key: str, raw: msgspec.Raw) -> Any:
    """A list of typed records if they all fit, else whatever the JSON is."""
    decoder: msgspec.json.Decoder[Any] = _IMAGES if key == "images" else _CATEGORIES
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        return msgspec.json.decode(raw)


def _read_parts(slices: Slices, *, workers: int) -> tuple[dict[str, Any], list[Chunk]]:
    """The other lists and the pieces, decoded up to the first piece that is no JSON."""
    todo = deque(enumerate(slices.places))
    with connect() as database, ThreadPoolExecutor(workers) as pool:
        rest = {
            key: pool.submit(_decode, key, slices.rest[key]) for key in ("images", "categories") if key in slices.rest
        }
        shares = [pool.submit(_read_share, todo, database) for _ in range(workers)]
        chunks = dict(chain.from_iterable(share.result() for share in shares))
        read = takewhile(lambda chunk: chunk is not None, map(chunks.get, range(len(slices.places))))
        return {key: future.result() for key, future in rest.items()}, cast(list[Chunk], list(read))


def _read_share(
    todo: deque[tuple[int, tuple[str, int, int]]], database: duckdb.DuckDBPyConnection
) -> list[tuple[int, Chunk | None]]:
    """What one thread reads of the pieces, by their number; after one that is no JSON, nobody takes another."""
    numbers: list[int] = []

    def taken() -> Iterator[tuple[str, int, int]]:
        while todo:
            with suppress(IndexError):  # another thread was faster
                number, place = todo.popleft()
                numbers.append(number)
                yield place

    chunks: list[Chunk | None] = []
    for chunk in read_chunks(taken(), database):
        chunks.append(chunk)
        if chunk is None:
            todo.clear()
    return list(zip(numbers, chunks, strict=True))


def _marked(path: Path, split: str) -> list[Issue]:
    """JSON-BYTE-ORDER-MARK, if the file starts with one."""
    with path.open("rb") as stream:
        if stream.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
            return []
    expected = "a JSON file in UTF-8"
    return [Issue("JSON-BYTE-ORDER-MARK", split, "file", "bytes EF BB BF", expected, file_name=path.name)]


def _read_whole(path: Path, split: str) -> tuple[SplitTable | None, list[Issue]]:
    data = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    issues = _marked(path, split)
    content, strict = parse(data)
    if content is None:
        mismatch = _complaint(data)
        issue = Issue("JSON-SYNTAX", split, "file", mismatch, "a JSON file in UTF-8", file_name=path.name)
        return None, [*issues, issue]
    if not isinstance(content, dict):
        expected = "an object with images, annotations and categories"
        return None, [*issues, _shape_issue(split, path.name, content, expected)]
    rows = content.get("annotations")
    table, more = _assemble(
        split, content, [decode_rows(rows if isinstance(rows, list) else [], strict=strict)], strict=strict
    )
    if not isinstance(rows, list):
        more.append(_shape_issue(split, "annotations", rows, "a list"))
    return table, issues + more


def _complaint(data: bytes) -> str:
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        return str(error)
    return "null"


def _shape_issue(split: str, name: str, found: Any, expected: str) -> Issue:
    what = "nothing" if found is None else type(found).__name__
    return Issue("JSON-SCHEMA", split, "file", what, expected, field=name)


def _assemble(
    split: str, rest: dict[str, Any], chunks: Sequence[Chunk], *, strict: bool, workers: int = 1
) -> tuple[SplitTable, list[Issue]]:
    images, image_issues = _image_columns(rest.get("images"), split=split, strict=strict)
    categories, category_issues = _categories(rest.get("categories"), split=split, strict=strict)
    issues = image_issues + category_issues
    first = 0
    for chunk in chunks:
        issues += _schema_issues(split, "annotation", chunk.mismatches, first=first)
        first += chunk.count
    annotations = join_annotations(
        [chunk.columns for chunk in chunks], [chunk.count for chunk in chunks], workers=workers
    )
    return SplitTable(split, images, annotations, categories), issues


def _categories(rows: Any, *, split: str, strict: bool) -> tuple[tuple[tuple[int, str], ...], list[Issue]]:
    if not isinstance(rows, list):
        return (), [_shape_issue(split, "categories", rows, "a list")]
    if all(isinstance(row, records.CategoryRecord) for row in rows):
        return tuple((row.id, row.name) for row in rows), []
    keep, mismatches = usable_rows(rows, records.CATEGORY_FIELDS, strict=strict)
    pairs = tuple((row["id"], row["name"]) for _, row in keep if "name" in row)
    return pairs, _schema_issues(split, "category", mismatches)


def _schema_issues(split: str, entity: Entity, mismatches: Iterable[FieldMismatch], *, first: int = 0) -> list[Issue]:
    return [
        Issue(
            "JSON-SCHEMA",
            split,
            entity,
            c.found,
            f"a COCO {entity}",
            image_id=c.record_id if entity == "image" else None,
            annotation_id=c.record_id if entity == "annotation" else None,
            category_id=c.record_id if entity == "category" else None,
            field=c.field,
            position=first + c.position,
        )
        for c in mismatches
    ]


def _image_columns(rows: Any, *, split: str, strict: bool) -> tuple[ImageColumns, list[Issue]]:
    if not isinstance(rows, list):
        return _images_of([]), [_shape_issue(split, "images", rows, "a list")]
    if all(isinstance(row, records.ImageRecord) for row in rows):
        return _typed_images(rows), []
    keep, mismatches = usable_rows(rows, records.IMAGE_FIELDS, strict=strict)
    return _images_of(keep), _schema_issues(split, "image", mismatches)


def _typed_images(rows: Sequence[records.ImageRecord]) -> ImageColumns:
    count = len(rows)
    sizes = np.fromiter(chain.from_iterable((row.width, row.height) for row in rows), np.float64, 2 * count)
    return ImageColumns(
        ids=np.fromiter((row.id for row in rows), np.int64, count),
        sizes_px=sizes.reshape(-1, 2),
        file_names=tuple(row.file_name for row in rows),
        positions=np.arange(count),
    )


def _images_of(rows: Sequence[tuple[int, dict[str, Any]]]) -> ImageColumns:
    sizes = [(row.get("width", np.nan), row.get("height", np.nan)) for _, row in rows]
    return ImageColumns(
        ids=np.fromiter((row["id"] for _, row in rows), np.int64, len(rows)),
        sizes_px=np.array(sizes, np.float64).reshape(-1, 2),
        file_names=tuple(row.get("file_name") for _, row in rows),
        positions=np.fromiter((position for position, _ in rows), np.int64, len(rows)),
    )
