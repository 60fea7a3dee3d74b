"""Annotation files changed at random where it hurts: keys, types, order and sizes; and what must hold all the same.

    python tests/pipeline/annotation_fuzz.py --count 10000

Each file goes through ingest, validate and transform. It may be refused, with the exit code of bad data or bad
configuration; it may not end as an internal error. Where it passes, every valid box of the raw file, read by Python's
own JSON reader, is in the cleaned file as it was, or ``changes.parquet`` says what became of it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import math
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pyarrow.parquet as pq
import structlog

from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.transformation.stage import run as transform
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.reading import reader as reading
from visionllm_interaction.datasets.validation.stage import run as validate
from visionllm_interaction.errors import VisionLLMError

Content = dict[str, Any]
SPLITS = ("train", "val")
SECTIONS = ("images", "annotations", "categories")
WIDTH, HEIGHT = 64, 48
ODD: tuple[Any, ...] = (
    None, True, False, "", "7", "x", -1, 0, 1, 1.5, 3.0, 2**31, 2**53 + 1, 2**63, -(2**63), 10**400, 1e308, -0.0,
    math.nan, math.inf, [], {}, [1], [[1, 2]], {"a": [1]}, "\ud800", "ä\u0000\"\\", [[]], [None] * 4, "]}", 2**63 - 1,
)  # fmt: skip
_LENIENT = (
    "IMG-DUPLICATE-ID", "CAT-DUPLICATE-ID", "ANN-DANGLING-IMAGE", "JSON-SCHEMA", "CAT-DUPLICATE-NAME", "FILE-MISSING",
    "FILE-OUTSIDE", "CAT-DIFFERENT",
)  # fmt: skip
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"CAT-ABSENT": "warn", "JSON-SCHEMA": "warn", "ANN-DANGLING-IMAGE": "drop", "ANN-DANGLING-CATEGORY": "drop"},
    {"BOX-OUT-OF-BOUNDS": "repair", "BOX-NEGATIVE-ORIGIN": "repair", "AREA-MISMATCH": "repair", "JSON-SCHEMA": "warn"},
    {"ANN-DUPLICATE-ID": "repair", "BOX-DUPLICATE": "repair", "IMG-DUPLICATE-FILE": "warn", "FILE-MISSING": "drop"},
    dict.fromkeys(_LENIENT, "warn"),
)  # fmt: skip


def base(split: str, rng: random.Random) -> Content:
    """A valid file: boxes with polygons or run lengths, more or less of it."""
    first = 100 if split == "train" else 500
    images = [
        {"id": first + n, "file_name": f"{split}_{n}.jpg", "width": WIDTH, "height": HEIGHT}
        for n in range(rng.randint(1, 5))
    ]
    annotations = []
    for image in images:
        for _ in range(rng.randint(1, 4)):
            x, y = rng.randint(0, 30), rng.randint(0, 20)
            w, h = rng.randint(2, 30), rng.randint(2, 25)
            entry: Content = {
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": rng.choice((3, 7)),
                "bbox": [x + 0.5, y, w, h],
                "area": w * h,
                "iscrowd": 0,
            }
            if rng.random() < 0.6:
                right, bottom = x + 0.5 + w, y + h
                entry["segmentation"] = [[x + 0.5, y, right, y, right, bottom, x + 0.5, bottom]]
            annotations.append(entry)
    categories = [{"id": 3, "name": "ball"}, {"id": 7, "name": "cup"}]
    return {"info": {"year": 1}, "images": images, "annotations": annotations, "categories": categories}


Mutation = Callable[[Content, random.Random], None]


def _records(content: Content, rng: random.Random) -> list[Any]:
    return _listed(content, rng.choice(SECTIONS))


def _listed(content: Content, section: str) -> list[Any]:
    records = content.get(section)
    return records if isinstance(records, list) else []


def _record(content: Content, rng: random.Random) -> Content | None:
    records = [record for record in _records(content, rng) if isinstance(record, dict) and record]
    return rng.choice(records) if records else None


def odd_value(content: Content, rng: random.Random) -> None:
    if (record := _record(content, rng)) is not None:
        record[rng.choice(sorted(record))] = copy.deepcopy(rng.choice(ODD))


def missing_key(content: Content, rng: random.Random) -> None:
    if (record := _record(content, rng)) is not None:
        del record[rng.choice(sorted(record))]


def odd_number_inside(content: Content, rng: random.Random) -> None:
    for _ in range(3):
        record = _record(content, rng)
        lists = [v for v in (record or {}).values() if isinstance(v, list) and v]
        if lists:
            chosen = rng.choice(lists)
            inner = chosen[0] if isinstance(chosen[0], list) and chosen[0] else chosen
            inner[rng.randrange(len(inner))] = copy.deepcopy(rng.choice(ODD))
            return


def shorter_list(content: Content, rng: random.Random) -> None:
    record = _record(content, rng)
    lists = [v for v in (record or {}).values() if isinstance(v, list) and v]
    if lists:
        rng.choice(lists).pop()


def extra_key(content: Content, rng: random.Random) -> None:
    if (record := _record(content, rng)) is not None:
        extra = [{"id": 1}, {"id": 2, "image_id": 3, "note": 'a "},{"id": 3}'}]
        record[rng.choice(("attributes", "keypoints", "Id", "segmentation ", "bbox2"))] = rng.choice(
            (extra, [1, 2, 0], "x")
        )


def other_record(content: Content, rng: random.Random) -> None:
    records = _records(content, rng)
    records.insert(rng.randint(0, len(records)), copy.deepcopy(rng.choice(ODD)))


def copied_record(content: Content, rng: random.Random) -> None:
    records = _records(content, rng)
    if records:
        records.insert(rng.randint(0, len(records)), copy.deepcopy(rng.choice(records)))


def lost_record(content: Content, rng: random.Random) -> None:
    records = _records(content, rng)
    if records:
        records.pop(rng.randrange(len(records)))


def other_order(content: Content, rng: random.Random) -> None:
    rng.shuffle(_records(content, rng))
    for record in _records(content, rng):
        if isinstance(record, dict):
            keys = sorted(record, key=lambda _: rng.random())
            record |= {key: record.pop(key) for key in keys}


def other_top(content: Content, rng: random.Random) -> None:
    keys = sorted(content, key=lambda _: rng.random())
    for key in keys:
        content[key] = content.pop(key)
    content[rng.choice(("tracks", "licenses", "x"))] = [{"id": 1, "image_id": 2}] * rng.randint(0, 3)


def odd_top(content: Content, rng: random.Random) -> None:
    content[rng.choice(SECTIONS)] = copy.deepcopy(rng.choice(ODD))


def lost_top(content: Content, rng: random.Random) -> None:
    content.pop(rng.choice(SECTIONS), None)


def large_ids(content: Content, rng: random.Random) -> None:
    by = rng.choice((2**53, -(10**6), 2**62, 2**63 - 600))
    for record in _listed(content, "images"):
        if isinstance(record, dict) and isinstance(record.get("id"), int):
            record["id"] += by
    for record in _listed(content, "annotations"):
        if isinstance(record, dict) and isinstance(record.get("image_id"), int):
            record["image_id"] += by


def moved_boxes(content: Content, rng: random.Random) -> None:
    by, few = rng.choice((-5, 3.25, 40, 1e-9)), rng.random() < 0.7
    for record in _listed(content, "annotations"):
        box = record.get("bbox") if isinstance(record, dict) else None
        if isinstance(box, list) and len(box) == 4 and isinstance(box[0], int | float):
            box[0] += by
            if few:
                return


def run_lengths(content: Content, rng: random.Random) -> None:
    records = _listed(content, "annotations")
    record = rng.choice(records) if records else None
    if isinstance(record, dict):
        counts: Any = rng.choice(([0, 10, WIDTH * HEIGHT - 10], [1], "0a", "", [-1, 2]))
        record["segmentation"] = {"size": rng.choice(([HEIGHT, WIDTH], [WIDTH, HEIGHT], [0], None)), "counts": counts}


def addresses(content: Content, _rng: random.Random) -> None:
    for record in _listed(content, "images"):
        if isinstance(record, dict) and "file_name" in record:
            record["coco_url"] = f"http://x/train2017/{record.pop('file_name')}"


def many_categories(content: Content, rng: random.Random) -> None:
    listed = content.get("categories")
    if isinstance(listed, list):
        listed += [{"id": 1000 + n, "name": f"n{n}", "synonyms": ["a", "b ]"]} for n in range(rng.choice((3, 250)))]


MUTATIONS: tuple[Mutation, ...] = (
    odd_value, odd_value, odd_value, missing_key, missing_key, odd_number_inside, odd_number_inside, shorter_list,
    extra_key, other_record, copied_record, copied_record, lost_record, other_order, other_top, odd_top, lost_top,
    large_ids, moved_boxes, moved_boxes, run_lengths, addresses, many_categories,
)  # fmt: skip


def as_bytes(content: Content, rng: random.Random) -> bytes:
    """The file, sometimes with other blanks, another coding, cut off or with a byte changed."""
    indent = rng.choice((None, None, None, 1, 40))
    text = json.dumps(content, indent=indent, ensure_ascii=rng.random() < 0.5)
    kind = rng.random()
    if kind < 0.03:
        return text.encode("utf-16", errors="surrogatepass")
    data = text.encode("utf-8", errors="surrogatepass")
    if kind < 0.06:
        return b"\xef\xbb\xbf" + data
    if kind < 0.09:
        return data[: rng.randint(0, len(data))]
    if kind < 0.14 and data:
        at = rng.randrange(len(data))
        return data[:at] + bytes([rng.choice(b'[]{},:"0e-. \x00\xff')]) + data[at + rng.randint(0, 1) :]
    if kind < 0.17:
        return data.replace(b'"bbox"', b'"bbox": [1, 2, 3, 4], "bbox"', 1)  # a key twice
    if kind < 0.18:
        return data.replace(b'"info"', b'"deep": ' + b"[" * 3000 + b"]" * 3000 + b', "info"', 1)
    return data


@dataclass(frozen=True)
class Outcome:
    """How one file ended: ``passed``, ``refused`` by an error of the given code, or ``broken`` with the reason."""

    kind: str
    words: str = ""


def try_one(seed: int, folder: Path) -> Outcome:
    """Make the data set of ``seed`` below ``folder`` and send it through stages 1 to 3."""
    rng = random.Random(seed)
    root, run = folder / "data", folder / "run"
    name = rng.choice(("instances_{}2017.json",) * 6 + ("instances_{}.json", "lvis_v1_{}.json", "{}.json"))
    raw: dict[str, bytes] = {}
    for split in SPLITS:
        content = base(split, rng)
        (root / f"{split}2017").mkdir(parents=True)
        for image in content["images"]:
            (root / f"{split}2017" / image["file_name"]).write_bytes(b"not looked at")
        for mutation in rng.choices(MUTATIONS, k=rng.choice((0, 1, 1, 2, 3))) if rng.random() < 0.8 else ():
            mutation(content, rng)
        raw[split] = as_bytes(content, rng)
        path = root / "annotations" / name.format(split)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw[split])
    policy = ValidateConfig.model_validate(
        {"actions": rng.choice(POLICIES), "images": {"enabled": False}, "workers": 1, "max_invalid_bbox_share": 1}
    )
    reading.PIECE_BYTES = rng.choice((200, 1000, 3 << 20))
    try:
        ingest(IngestConfig(root=root, work_dir=folder / "work"), out=run / "data_ingestion")
        manifest = run / "data_ingestion/data_manifest.yaml"
        validate(policy, data_manifest=manifest, out=run / "data_validation")
        report = run / "data_validation/data_validation_report.yaml"
        transform(TransformConfig(), data_manifest=manifest, validation_report=report, out=run / "data_transformation")
    except VisionLLMError as error:
        return Outcome("refused" if error.exit_code in (2, 3) else "broken", f"{error.code}: {error.message}")
    except Exception:  # noqa: BLE001 (whatever it is, it is what is looked for)
        return Outcome("broken", traceback.format_exc())
    lost = [f"{split}: {what}" for split in SPLITS for what in silent_changes(raw[split], run, split)]
    return Outcome("broken", "; ".join(lost)) if lost else Outcome("passed")


def silent_changes(raw: bytes, run: Path, split: str) -> list[str]:
    """Valid boxes of the raw file that are not in the cleaned one, and that no change speaks of."""
    cleaned = run / f"data_transformation/annotations/instances_{split}2017.cleaned.json"
    written = Counter(_essence(a) for a in json.loads(cleaned.read_bytes())["annotations"] if isinstance(a, dict))
    changed = {
        row["annotation_id"]
        for row in pq.read_table(run / "data_transformation/changes.parquet").to_pylist()
        if row["split"] == split
    }
    content = json.loads(raw.decode(json.detect_encoding(raw)))
    valid = Counter(_essence(a) for a in valid_boxes(content) if a["id"] not in changed)
    return [f"{essence} is lost" for essence in valid - written]


def valid_boxes(content: Content) -> list[Content]:
    """The annotations whose ids, image, category and box are right by COCO's definition."""
    sizes = {i["id"]: (i.get("width"), i.get("height")) for i in content["images"] if _has_ids(i, "id")}
    categories = {c["id"] for c in content["categories"] if _has_ids(c, "id")}
    found = []
    for a in content["annotations"]:
        if not _has_ids(a, "id", "image_id", "category_id") or a["category_id"] not in categories:
            continue
        size, box = sizes.get(a["image_id"]), a.get("bbox")
        plain = isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) for v in box)
        plain = plain and all(abs(v) < 1e300 for v in box)
        if size and plain and all(type(v) is int and 0 < v < 2**31 for v in size):
            x, y, w, h = box
            if x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= size[0] and y + h <= size[1]:
                found.append(a)
    return found


def _has_ids(record: Any, *keys: str) -> bool:
    return isinstance(record, dict) and all(type(record.get(k)) is int and abs(record[k]) < 2**63 for k in keys)


def _essence(annotation: Any) -> tuple[Any, ...]:
    """What must not change; numbers by how Python writes them, so that 1 and 1.0 differ."""
    return tuple(repr(annotation.get(key)) for key in ("id", "image_id", "category_id", "bbox"))


def share_costs() -> None:
    """Do once what each file would do again: ten thousand files are a matter of half an hour then."""
    database = reading.connect()
    reading.connect = lambda: contextlib.nullcontext(database)  # type: ignore[assignment]
    jinja2.Environment.compile = _compiled_once(jinja2.Environment.compile)  # type: ignore[method-assign]


def _compiled_once(compile_: Callable[..., Any]) -> Callable[..., Any]:
    """Compile each template once; a page is otherwise a third of what a file costs."""
    done: dict[Any, Any] = {}

    def compiled(environment: Any, source: Any, *more: Any, **options: Any) -> Any:
        if source not in done:
            done[source] = compile_(environment, source, *more, **options)
        return done[source]

    return compiled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    share_costs()
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    ended: Counter[str] = Counter()
    parent = Path(tempfile.mkdtemp(prefix="annotation-fuzz-"))
    for seed in range(options.first, options.first + options.count):
        outcome = try_one(seed, parent / str(seed))
        shutil.rmtree(parent / str(seed))
        ended[outcome.kind] += 1
        if outcome.kind == "broken" or sum(ended.values()) % 500 == 0:
            sys.stdout.write(f"seed {seed}: {outcome.kind} {outcome.words}\n")
            sys.stdout.flush()
    shutil.rmtree(parent)
    sys.stdout.write(f"{dict(ended)}\n")
    sys.exit(ended["broken"] > 0)


if __name__ == "__main__":
    main()
