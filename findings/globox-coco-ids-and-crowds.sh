#!/usr/bin/env bash
# globox 2.9.0 and pycocotools 2.0.11: a COCO file that went through globox scores lower, with the same detections.
#
# `save_coco` numbers annotations from 0 (they had other numbers) and writes `iscrowd: 0` for regions that were marked as
# a crowd; the boxes stay right. To pycocotools the number 0 means "matched to nothing", so a right detection of that
# object counts as a false alarm; and a crowd, which may be missed and forgives what lies in it, becomes an object that
# has to be found. None of the two says a word.
#
# Expected: perfect detections of a file have an average precision of 1 before and after it was read and saved.
# Seen: before: numbers 7 8 9, crowds 1, AP 1.000 | after: numbers 0 1 2, crowds 0, AP 0.168
#
# Installs the packages into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check globox==2.9.0 pycocotools==2.0.11
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import contextlib
import io
import json
import sys
from pathlib import Path

from globox import AnnotationSet
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

folder = Path(sys.argv[1])
boxes = [[10, 20, 60, 80], [200, 40, 50, 70], [100, 150, 200, 100]]  # the last one is a crowd
source = {
    "images": [{"id": 1, "width": 400, "height": 300, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "child"}],
    "annotations": [
        {"id": 7 + n, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": int(n == 2)}
        for n, box in enumerate(boxes)
    ],
}
detections = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in boxes[:2]]


def look(path: Path) -> tuple[list[int], int, float]:
    annotations = json.loads(path.read_text())["annotations"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes([dict(one) for one in detections]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    crowds = sum(one["iscrowd"] for one in annotations)
    return [one["id"] for one in annotations], crowds, round(float(evaluation.stats[0]), 3)


before, after = folder / "before.json", folder / "after.json"
before.write_text(json.dumps(source))
AnnotationSet.from_coco(before).save_coco(after)
seen = [look(before), look(after)]
for name, (numbers, crowds, precision), end in zip(("before", "after"), seen, (" | ", "\n"), strict=True):
    print(f"{name}: numbers {' '.join(map(str, numbers))}, crowds {crowds}, AP {precision:.3f}", end=end)
sys.exit(not (seen == [([7, 8, 9], 1, 1.0), ([0, 1, 2], 0, 0.168)]))
PYTHON
