"""A made-up annotation file as large as COCO's instances_train2017.json: what the annotation benchmarks run on.

118,287 images, 860,001 annotations with polygons (one in a hundred a crowd with run lengths), 80 categories with
COCO's sparse ids, about 406 MB, no faults. The same bytes on every machine.

    python benchmarks/datasets/coco_size.py FILE
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

IMAGES, ANNOTATIONS = 118_287, 860_001
SIZES = ((640, 480), (480, 640), (640, 427), (500, 375))
SHAPES_PER_SIZE = 1500
POINTS = (7, 34)
GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
CATEGORY_IDS = tuple(islice((n for n in range(1, 91) if n not in GAPS), 80))

Shape = tuple[str, str, str]


def write_coco_size(path: Path, *, images: int = IMAGES, annotations: int = ANNOTATIONS, seed: int = 0) -> Path:
    """Write the file unless it is there already; the numbers can be made smaller to try something out."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    random_numbers = random.Random(seed)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(
            '{"info": {"description": "COCO-size benchmark", "year": 2017}, "licenses": [{"id": 1, "name": "-"}], '
        )
        stream.write('"images": [' + ",".join(_images(images)) + '], "annotations": [')
        for number, text in enumerate(_annotations(images, annotations, random_numbers)):
            stream.write(text if number == 0 else "," + text)
        stream.write('], "categories": ' + json.dumps(_categories()) + "}")
    partial.rename(path)
    return path


LVIS_IMAGES, LVIS_ANNOTATIONS, LVIS_CATEGORIES = 60_000, 500_000, 1203
LVIS_POINTS = (9, 51)


def write_lvis_size(path: Path, *, images: int = LVIS_IMAGES, annotations: int = LVIS_ANNOTATIONS) -> Path:
    """A file in LVIS's form, about 290 MB: polygons only, and behind them 1,203 categories with lists of synonyms."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    chance = random.Random(1)
    shapes = {size: [_polygon(size, chance, points=LVIS_POINTS) for _ in range(SHAPES_PER_SIZE)] for size in SIZES}
    with partial.open("w", encoding="utf-8") as stream:
        stream.write('{"info": {"year": 2020}, "images": [' + ", ".join(_images(images)) + '], "annotations": [')
        for number in range(annotations):
            image = chance.randrange(images)
            segmentation, area, box = chance.choice(shapes[SIZES[image % len(SIZES)]])
            stream.write(", " * (number > 0))
            stream.write(
                f'{{"area": {area}, "id": {number + 1}, "segmentation": {segmentation}, "image_id": {image_id(image)}, '
                f'"bbox": {box}, "category_id": {number % LVIS_CATEGORIES + 1}}}'
            )
        stream.write('], "licenses": [{"id": 1, "name": "-"}], "categories": ' + json.dumps(_lvis_categories()) + "}")
    partial.rename(path)
    return path


def _lvis_categories() -> list[dict[str, object]]:
    return [
        {
            "image_count": 10,
            "synonyms": [f"thing {number} [{n}]" for n in range(1 + number % 12)],
            "def": "a thing, also called so: ] or }",
            "id": number,
            "synset": f"thing.n.{number:02d}",
            "name": f"thing {number}",
            "frequency": "fcr"[number % 3],
        }
        for number in range(1, LVIS_CATEGORIES + 1)
    ]


def _images(count: int) -> Iterator[str]:
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        name = f"{image_id(number):012d}.jpg"
        yield (
            f'{{"license": 1,"file_name": "{name}","coco_url": "http://images.example/train2017/{name}",'
            f'"height": {height},"width": {width},"date_captured": "2013-11-14 11:18:45",'
            f'"flickr_url": "http://farm.example/7186/{name}","id": {image_id(number)}}}'
        )


def image_id(number: int) -> int:
    """Sparse ids, as COCO's are; rising."""
    return 9 + 4 * number


def _annotations(images: int, count: int, random_numbers: random.Random) -> Iterator[str]:
    shapes = {size: [_polygon(size, random_numbers) for _ in range(SHAPES_PER_SIZE)] for size in SIZES}
    crowds = {size: [_crowd(size, random_numbers) for _ in range(20)] for size in SIZES}
    for number in range(count):
        image = random_numbers.randrange(images)
        crowd = number % 100 == 99
        segmentation, area, box = random_numbers.choice((crowds if crowd else shapes)[SIZES[image % len(SIZES)]])
        yield (
            f'{{"segmentation": {segmentation},"area": {area},"iscrowd": {int(crowd)},"image_id": {image_id(image)},'
            f'"bbox": {box},"category_id": {random_numbers.choice(CATEGORY_IDS)},"id": {900_100 + 3 * number}}}'
        )


def _polygon(size: tuple[int, int], random_numbers: random.Random, *, points: tuple[int, int] = POINTS) -> Shape:
    """A star-shaped polygon inside the image, with the area and box that belong to it."""
    width, height = size
    count = random_numbers.randint(*points)
    radius = random_numbers.uniform(8, min(size) / 3)
    centre = [random_numbers.uniform(radius, side - radius) for side in (width, height)]
    corners = [_on_star(centre, radius, turn / count, random_numbers) for turn in range(count)]
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, corners[1:] + corners[:1], strict=True))) / 2
    left, top = (min(p[axis] for p in corners) for axis in (0, 1))
    box = [left, top, *(round(max(p[axis] for p in corners) - low, 2) for axis, low in ((0, left), (1, top)))]
    return json.dumps([[v for p in corners for v in p]], separators=(",", ":")), repr(area), json.dumps(box)


def _on_star(centre: list[float], radius: float, turn: float, random_numbers: random.Random) -> tuple[float, float]:
    from math import cos, pi, sin

    reach = radius * random_numbers.uniform(0.6, 0.99)
    return round(centre[0] + reach * cos(2 * pi * turn), 2), round(centre[1] + reach * sin(2 * pi * turn), 2)


def _crowd(size: tuple[int, int], random_numbers: random.Random) -> Shape:
    """A crowd region: a band of whole columns as uncompressed run lengths."""
    width, height = size
    left, columns = random_numbers.randint(0, width // 2), random_numbers.randint(20, width // 3)
    top, rows = random_numbers.randint(1, height // 3), random_numbers.randint(20, height // 2)
    counts = [left * height + top, *[rows, height - rows] * columns]
    counts[-1] += width * height - sum(counts)
    box = json.dumps([float(left), float(top), float(columns), float(rows)])
    return json.dumps({"counts": counts, "size": [height, width]}), str(rows * columns), box


def _categories() -> list[dict[str, object]]:
    return [{"supercategory": "thing", "id": number, "name": f"thing {number:02d}"} for number in CATEGORY_IDS]


if __name__ == "__main__":
    written = write_coco_size(Path(sys.argv[1]))
    print(f"{written}  {written.stat().st_size / 1e6:.0f} MB")
