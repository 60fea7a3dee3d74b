"""One injector per fault type: each damages clean data in one way and says which code and id must be reported."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from visionllm_interaction.artifacts.raw_file_index import IndexedFile, list_files

Expected = tuple[str, str | None, int | str | None]
"""Code, split, and the id (or file name, or field) that must be named; ``None`` where any will do."""
PREFIX = "000000"


@dataclass
class World:
    """A data set being damaged: both annotation files in memory, images on disk; no record is used twice."""

    root: Path
    rng: random.Random
    content: dict[str, dict[str, Any]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    indexed: list[IndexedFile] = field(default_factory=list)
    used: set[tuple[str, int]] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    min_images: int = 50

    @classmethod
    def copy(cls, base: Path, root: Path, seed: int) -> World:
        shutil.copytree(base, root)
        world = cls(root, random.Random(seed))
        for split in ("train", "val"):
            world.content[split] = json.loads(world.annotation_file(split).read_text())
        return world

    def annotation_file(self, split: str) -> Path:
        return self.root / f"annotations/instances_{split}2017.json"

    def path(self, split: str, image: dict[str, Any]) -> Path:
        return self.root / f"{split}2017" / image["file_name"]

    def take(self, split: str = "train") -> tuple[dict[str, Any], dict[str, Any]]:
        """An image nobody has touched yet, and one of its single objects with a polygon and room around it."""
        owned: dict[int, list[dict[str, Any]]] = {}
        for annotation in self.content[split]["annotations"]:
            polygons = isinstance(annotation.get("segmentation"), list) and annotation["segmentation"]
            box = annotation.get("bbox")
            numbers = isinstance(box, list) and all(isinstance(v, int | float) for v in box)
            if polygons and not annotation["iscrowd"] and numbers and min(box[2:]) > 12:
                owned.setdefault(annotation["image_id"], []).append(annotation)
        free = [i for i in self.content[split]["images"] if (split, i["id"]) not in self.used and i["id"] in owned]
        image = self.rng.choice(free)
        self.used.add((split, image["id"]))
        return image, self.rng.choice(owned[image["id"]])

    def index(self, **groups: str) -> None:
        """An index of all files, as stage 1 writes it."""
        for path, status in list_files([self.root / "train2017", self.root / "val2017"]):
            split = "train" if "/train2017/" in path else "val"
            self.indexed.append(IndexedFile(path, status.st_size, status.st_mtime_ns, "0" * 64, split=split, **groups))

    def save(self) -> None:
        for split, content in self.content.items():
            self.annotation_file(split).write_bytes(self.raw.get(split) or json.dumps(content).encode())


Injector = Callable[[World], Expected]
INJECTORS: dict[str, tuple[bool, Injector]] = {}
"""Name → whether the fault is structural, and the injector."""


def injector(*, structural: bool) -> Callable[[Injector], Injector]:
    def register(function: Injector) -> Injector:
        INJECTORS[function.__name__] = (structural, function)
        return function

    return register


def on_annotation(name: str, code: str, edit: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """An injector that edits one annotation, given its image."""

    def inject(world: World) -> Expected:
        image, annotation = world.take()
        edit(annotation, image)
        return code, "train", annotation["id"]

    INJECTORS[name] = (True, inject)


def on_file(name: str, code: str, edit: Callable[[Path, dict[str, Any]], None], *, structural: bool = True) -> None:
    """An injector that damages one image file."""

    def inject(world: World) -> Expected:
        image, _ = world.take()
        edit(world.path("train", image), image)
        return code, "train", image["id"]

    INJECTORS[name] = (structural, inject)


def _box(a: dict[str, Any], **change: float) -> None:
    for key, value in change.items():
        a["bbox"]["xywh".index(key)] = value


on_annotation("box_malformed", "BOX-MALFORMED", lambda a, i: a.update(bbox=[1, 2, "3", 4]))
on_annotation("box_nan", "BOX-MALFORMED", lambda a, i: a.update(bbox=[1, 2, float("nan"), 4]))
on_annotation("box_zero", "BOX-NON-POSITIVE", lambda a, i: _box(a, w=0))
on_annotation("box_negative", "BOX-NEGATIVE-ORIGIN", lambda a, i: _box(a, x=-7))
on_annotation("box_outside", "BOX-OUT-OF-BOUNDS", lambda a, i: _box(a, w=i["width"] + 5))
on_annotation("box_tiny", "BOX-TINY", lambda a, i: _box(a, w=0.4))
on_annotation("box_aspect", "BOX-ABSURD-ASPECT", lambda a, i: a.update(bbox=[0, 3, i["width"], 2]))
on_annotation("box_moved", "BOX-MASK-MISMATCH", lambda a, i: _box(a, w=a["bbox"][2] / 2))
on_annotation("area_zero", "AREA-NON-POSITIVE", lambda a, i: a.update(area=0))
on_annotation("area_wrong", "AREA-MISMATCH", lambda a, i: a.update(area=3 * a["bbox"][2] * a["bbox"][3]))
on_annotation(
    "area_beyond_box", "AREA-EXCEEDS-BOX", lambda a, i: a.update(area=4 * a["bbox"][2] * a["bbox"][3], segmentation=[])
)
on_annotation("crowd_polygon", "CROWD-FLAG", lambda a, i: a.update(iscrowd=1))
on_annotation("polygon_two_points", "POLY-FEW-POINTS", lambda a, i: a.update(segmentation=[[1, 1, 9, 9]]))
on_annotation("polygon_odd", "POLY-ODD-LENGTH", lambda a, i: a["segmentation"][0].append(5.0))
on_annotation("polygon_line", "POLY-NO-AREA", lambda a, i: a.update(segmentation=[[1, 1, 5, 5, 9, 9]]))
on_annotation(
    "polygon_outside",
    "POLY-OUTSIDE",
    lambda a, i: a.update(segmentation=[[x + i["width"] for x in ring] for ring in a["segmentation"]]),
)
on_annotation(
    "rle_size",
    "RLE-SIZE",
    lambda a, i: a.update(segmentation={"size": [3, 5], "counts": [4, 6, 5]}, iscrowd=1),
)
on_annotation(
    "rle_counts",
    "RLE-COUNTS",
    lambda a, i: a.update(segmentation={"size": [i["height"], i["width"]], "counts": [4, 6]}, iscrowd=1),
)
on_annotation("no_such_image", "ANN-DANGLING-IMAGE", lambda a, i: a.update(image_id=987_654_321))
on_annotation("no_such_category", "ANN-DANGLING-CATEGORY", lambda a, i: a.update(category_id=4242))
on_annotation(
    "left_the_image",
    "ANN-MARKED-OUTSIDE",
    lambda a, i: a.update(attributes={"occluded": False, "outside": True, "keyframe": True, "track_id": 3}),
)
on_annotation("text_as_area", "JSON-SCHEMA", lambda a, i: a.update(area="large"))
on_annotation("flat_polygon", "JSON-SCHEMA", lambda a, i: a.update(segmentation=[1, 2, 3, 4, 5, 6]))


def _rewrite(path: Path, edit: Callable[[Image.Image], Image.Image], **options: Any) -> None:
    with Image.open(path) as image:
        changed = edit(image.convert("RGB"))
    changed.save(path, options.pop("format", "JPEG"), **options)


def _noise(path: Path, low: int, high: int) -> None:
    def edit(image: Image.Image) -> Image.Image:
        values = np.random.default_rng(1).integers(low, high, (image.height, image.width, 3), np.uint8)
        return Image.fromarray(values)

    _rewrite(path, edit, quality=95)


def _turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    _rewrite(path, lambda image: image, exif=exif)


def _bomb(path: Path) -> None:
    stream = io.BytesIO()
    Image.new("1", (16_000, 16_000)).save(stream, "PNG")
    path.write_bytes(stream.getvalue())


def _frames(path: Path) -> None:
    with Image.open(path) as image:
        image.convert("P").save(path, "GIF", save_all=True, append_images=[image.rotate(90).convert("P")])


on_file("file_gone", "FILE-MISSING", lambda p, i: p.unlink())
on_file("file_empty", "FILE-EMPTY", lambda p, i: p.write_bytes(b""))
on_file("file_cut", "FILE-TRUNCATED", lambda p, i: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]))
on_file("file_html", "FILE-NOT-IMAGE", lambda p, i: p.write_text("<html>404</html>"))
on_file("file_bomb", "FILE-TOO-LARGE", lambda p, i: _bomb(p))
on_file("file_case", "FILE-CASE", lambda p, i: i.update(file_name=i["file_name"].replace(".jpg", ".JPG")))
on_file("file_outside", "FILE-OUTSIDE", lambda p, i: i.update(file_name="../elsewhere_" + i["file_name"]))
on_file("file_format", "FILE-FORMAT", lambda p, i: _rewrite(p, lambda image: image, format="PNG"))
on_file("file_frames", "FILE-SEVERAL-FRAMES", lambda p, i: _frames(p))
on_file("size_wrong", "IMG-SIZE", lambda p, i: _rewrite(p, lambda image: image.reduce(2)))
on_file("exif_upside_down", "IMG-EXIF-FRAME", lambda p, i: _turn(p, 3))
on_file("exif_turned", "IMG-EXIF-FRAME", lambda p, i: _turn(p, 6))
on_file("mode_cmyk", "IMG-MODE", lambda p, i: _save_cmyk(p))
on_file("dark", "IMG-DARK", lambda p, i: _noise(p, 0, 9), structural=False)
on_file("bright", "IMG-BRIGHT", lambda p, i: _noise(p, 249, 256), structural=False)
on_file("uniform", "IMG-UNIFORM", lambda p, i: _noise(p, 90, 91), structural=False)
on_file(
    "blurred",
    "IMG-BLURRED",
    lambda p, i: _rewrite(p, lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 70)), quality=95),
    structural=False,
)


def _save_cmyk(path: Path) -> None:
    with Image.open(path) as image:
        image.convert("CMYK").save(path, "JPEG")


@injector(structural=True)
def file_unicode(world: World) -> Expected:
    image, _ = world.take()
    path = world.path("train", image)
    path.rename(path.with_name("bu\u0308hne.jpg"))
    image["file_name"] = "b\u00fchne.jpg"
    return "FILE-UNICODE", "train", image["id"]


@injector(structural=True)
def exif_rotated(world: World) -> Expected:
    image, _ = world.take()
    path = world.path("train", image)
    with Image.open(path) as picture:
        turned = picture.convert("RGB").rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(path, "JPEG", exif=exif)
    return "IMG-EXIF-ROTATED", "train", image["id"]


@injector(structural=True)
def small_picture(world: World) -> Expected:
    image, _ = world.take()
    _rewrite(world.path("train", image), lambda picture: picture.resize((12, 12)))
    return "IMG-SMALL", "train", image["id"]


@injector(structural=True)
def file_unlisted(world: World) -> Expected:
    (world.root / "val2017/extra.jpg").write_bytes(b"x")
    return "FILE-UNLISTED", "val", "extra.jpg"


@injector(structural=True)
def file_changed(world: World) -> Expected:
    image, _ = world.take()
    path = world.path("train", image)
    world.indexed.append(IndexedFile(str(path), 1, 1, "0" * 64, split="train"))
    return "FILE-CHANGED", None, str(path)


@injector(structural=True)
def image_id_twice(world: World) -> Expected:
    image, _ = world.take()
    world.content["train"]["images"].append(dict(image))
    return "IMG-DUPLICATE-ID", "train", image["id"]


@injector(structural=True)
def image_file_twice(world: World) -> Expected:
    image, _ = world.take()
    world.content["train"]["images"].append(image | {"id": 77_777_777})
    return "IMG-DUPLICATE-FILE", "train", 77_777_777


@injector(structural=True)
def annotation_id_twice(world: World) -> Expected:
    _, annotation = world.take()
    world.content["train"]["annotations"].append(annotation | {"bbox": [1, 1, 9, 9], "segmentation": [], "area": 9})
    return "ANN-DUPLICATE-ID", "train", annotation["id"]


def _again(world: World, **change: Any) -> None:
    _, annotation = world.take()
    world.content["train"]["annotations"].append(annotation | {"id": 888_000_000 + len(world.used)} | change)


@injector(structural=True)
def box_twice(world: World) -> Expected:
    _again(world)
    return "BOX-DUPLICATE", "train", 888_000_000 + len(world.used)


@injector(structural=True)
def box_nearly_twice(world: World) -> Expected:
    _again(world)
    copied = world.content["train"]["annotations"][-1]
    x, y, width, height = copied["bbox"]
    copied["bbox"] = [x, y, width * 0.99, height * 0.99]
    return "BOX-NEAR-DUPLICATE", "train", copied["id"]


@injector(structural=True)
def box_two_categories(world: World) -> Expected:
    _again(world)
    copied = world.content["train"]["annotations"][-1]
    others = [c["id"] for c in world.content["train"]["categories"] if c["id"] != copied["category_id"]]
    copied["category_id"] = others[0]
    return "BOX-TWO-CATEGORIES", "train", copied["id"]


def _categories(world: World) -> list[list[dict[str, Any]]]:
    return [world.content[split]["categories"] for split in ("train", "val")]


@injector(structural=True)
def category_id_twice(world: World) -> Expected:
    first = _categories(world)[0][0]
    world.content["train"]["categories"].append(dict(first))
    return "CAT-DUPLICATE-ID", "train", first["id"]


@injector(structural=True)
def category_name_twice(world: World) -> Expected:
    for rows in _categories(world):
        rows.append({"id": 5001, "name": rows[0]["name"]})
    return "CAT-DUPLICATE-NAME", "train", 5001


@injector(structural=True)
def category_names_collide(world: World) -> Expected:
    for rows in _categories(world):
        rows.append({"id": 5002, "name": rows[1]["name"].upper() + " "})
    return "CAT-NAME-COLLISION", "train", 5002


@injector(structural=True)
def category_different(world: World) -> Expected:
    row = _categories(world)[1][2]
    row["name"] = "something else"
    return "CAT-DIFFERENT", None, row["id"]


@injector(structural=True)
def record_without_width(world: World) -> Expected:
    image, _ = world.take()
    del image["width"]
    return "JSON-SCHEMA", "train", image["id"]


@injector(structural=True)
def same_file_in_both(world: World) -> Expected:
    (image, _), (other, _) = world.take("train"), world.take("val")
    shutil.copy(world.path("train", image), world.path("val", other))
    return "LEAK-SAME-FILE", "val", other["id"]


@injector(structural=False)
def near_duplicate_in_both(world: World) -> Expected:
    (image, _), (other, _) = world.take("train"), world.take("val")
    with Image.open(world.path("train", image)) as picture:
        picture.convert("RGB").reduce(2).save(world.path("val", other), "JPEG", quality=60)
    return "LEAK-NEAR-DUPLICATE", "val", other["id"]


@injector(structural=True)
def same_file_twice(world: World) -> Expected:
    (image, _), (other, _) = world.take(), world.take()
    shutil.copy(world.path("train", image), world.path("train", other))
    return "IMG-DUPLICATE", "train", None


@injector(structural=False)
def near_duplicate(world: World) -> Expected:
    (image, _), (other, _) = world.take(), world.take()
    with Image.open(world.path("train", image)) as picture:
        picture.convert("RGB").save(world.path("train", other), "JPEG", quality=40)
    return "IMG-NEAR-DUPLICATE", "train", None


@injector(structural=False)
def adjacent_frame(world: World) -> Expected:
    (image, _), (other, _) = world.take("train"), world.take("val")
    source, target = world.path("train", image), world.path("val", other)
    with Image.open(source) as picture:
        picture.convert("RGB").save(target, "JPEG", quality=70)
    for split, path, record, number in (("train", source, image, 100), ("val", target, other, 103)):
        record["file_name"] = f"session_{number:06d}.jpg"
        path.rename(world.root / f"{split}2017" / record["file_name"])
    return "LEAK-ADJACENT-FRAME", "val", other["id"]


@injector(structural=True)
def group_in_both(world: World) -> Expected:
    world.indexed += [
        IndexedFile(str(world.root / f"{split}2017/none.jpg"), 0, 0, "", split=split, household="h1")
        for split in ("train", "val")
    ]
    return "LEAK-GROUP", None, "household"


WHOLE_FILE: dict[str, Injector] = {}
"""Faults of a file as a whole: alone only, as they leave nothing for a second one."""


def whole(function: Injector) -> Injector:
    WHOLE_FILE[function.__name__] = function
    return function


@whole
def json_cut(world: World) -> Expected:
    world.raw["val"] = json.dumps(world.content["val"]).encode()[:-200]
    return "JSON-SYNTAX", "val", None


@whole
def json_byte_order_mark(world: World) -> Expected:
    world.raw["val"] = b"\xef\xbb\xbf" + json.dumps(world.content["val"]).encode()
    return "JSON-BYTE-ORDER-MARK", "val", None


@whole
def no_annotations(world: World) -> Expected:
    world.content["val"]["annotations"] = []
    return "SPLIT-EMPTY", "val", "annotations"


@whole
def mostly_unlabelled(world: World) -> Expected:
    images = world.content["train"]["images"]
    images += [images[0] | {"id": 66_000 + n, "file_name": f"more{n}.jpg"} for n in range(2 * len(images) + 20)]
    return "SPLIT-MOSTLY-UNLABELLED", "train", "annotations"


@whole
def reordered_categories(world: World) -> Expected:
    world.content["val"]["categories"].reverse()
    return "CAT-REORDERED", None, "categories"


@whole
def category_absent(world: World) -> Expected:
    counts: dict[int, set[int]] = {}
    for annotation in world.content["train"]["annotations"]:
        counts.setdefault(annotation["category_id"], set()).add(annotation["image_id"])
    common = max(counts, key=lambda number: len(counts[number]))
    world.min_images = 1  # in so small a split chance could explain it
    val = world.content["val"]
    val["annotations"] = [a for a in val["annotations"] if a["category_id"] != common]
    return "CAT-ABSENT", "val", common


@whole
def imbalance(world: World) -> Expected:
    train = world.content["train"]
    _, annotation = world.take()
    rare = annotation | {"id": 1, "category_id": 6001}
    common = [annotation | {"id": 10 + n, "category_id": 6002, "segmentation": []} for n in range(1500)]
    train["annotations"] += [rare, *common]
    for content in world.content.values():
        content["categories"] += [{"id": 6001, "name": "rare"}, {"id": 6002, "name": "common"}]
    return "CAT-IMBALANCE", "train", 6001


@whole
def boxes_as_corners(world: World) -> Expected:
    for annotation in world.content["train"]["annotations"]:
        x, y, width, height = annotation["bbox"]
        annotation["bbox"] = [x, y, x + width, y + height]
    return "BOX-LOOKS-XYXY", "train", "bbox"


@whole
def boxes_as_centres(world: World) -> Expected:
    for annotation in world.content["train"]["annotations"]:
        x, y, width, height = annotation["bbox"]
        annotation["bbox"] = [x + width / 2, y + height / 2, width, height]
    return "BOX-LOOKS-OTHER", "train", "bbox"


@whole
def boxes_as_shares(world: World) -> Expected:
    sizes = {image["id"]: (image["width"], image["height"]) for image in world.content["train"]["images"]}
    for annotation in world.content["train"]["annotations"]:
        size = 2 * sizes[annotation["image_id"]]
        annotation["bbox"] = [value / side for value, side in zip(annotation["bbox"], size, strict=True)]
    return "BOX-LOOKS-NORMALISED", "train", "bbox"


@whole
def split_missing(world: World) -> Expected:
    world.missing.add("val")
    return "SPLIT-MISSING", "val", "annotations"
