#!/usr/bin/env bash
# supervision 0.31.2: an object whose outline has two parts becomes two objects in the YOLO and VOC files that it writes.
#
# Somebody behind a table leg has one COCO annotation with one box and two polygons. `DetectionDataset` reads that as one
# object. `as_coco` keeps it one; `as_yolo` and `as_pascal_voc` write an object for each part, with the part's box,
# although VOC's box needs no outline at all. Nothing tells that the parts belong together, so counts of objects
# rise, and detectors learn boxes of fragments. It is so with OpenCV and without.
#
# Expected: one object with the box 10 20 120 130 in each format.
# Seen: read: 1 | COCO: 1 | YOLO: 2 | VOC: 2, boxes 10 20 40 60, 100 100 120 130
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check supervision==0.31.2
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import supervision
from PIL import Image

folder = Path(sys.argv[1])
(folder / "images").mkdir()
Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(folder / "images" / "a.png")
parts = [[10, 20, 40, 20, 40, 60, 10, 60], [100, 100, 120, 100, 120, 130, 100, 130]]
annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 110, 110], "area": 1800, "iscrowd": 0}
source = {
    "images": [{"id": 1, "width": 400, "height": 300, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "child"}],
    "annotations": [annotation | {"segmentation": parts}],
}
(folder / "coco.json").write_text(json.dumps(source))
data = supervision.DetectionDataset.from_coco(str(folder / "images"), str(folder / "coco.json"))
read = sum(len(detections) for detections in data.annotations.values())
data.as_coco(annotations_path=str(folder / "again.json"))
data.as_yolo(annotations_directory_path=str(folder / "yolo"))
data.as_pascal_voc(annotations_directory_path=str(folder / "voc"))
coco = len(json.loads((folder / "again.json").read_text())["annotations"])
yolo = len((folder / "yolo" / "a.txt").read_text().splitlines())
boxes = sorted(
    [int(box.findtext(key)) - 1 for key in ("xmin", "ymin", "xmax", "ymax")]  # it writes VOC counted from 1
    for box in ElementTree.parse(folder / "voc" / "a.xml").iter("bndbox")
)
shown = ", ".join(" ".join(map(str, box)) for box in boxes)
print(f"read: {read} | COCO: {coco} | YOLO: {yolo} | VOC: {len(boxes)}, boxes {shown}")
sys.exit(not ((read, coco, yolo) == (1, 1, 2) and boxes == [[10, 20, 40, 60], [100, 100, 120, 130]]))
PYTHON
