#!/usr/bin/env bash
# datumaro 1.13.12: boxes that CVAT marks as outside, and MOT as not to be counted, become ordinary objects in COCO.
#
# In a CVAT track the box marked outside="1" says that the object has left the image; it repeats the last position. In a
# MOT truth file a 0 in the seventh column means that the box must not be counted. Both are kept as attributes only:
# converted to COCO, they are annotations like all others (iscrowd 0), which every trainer learns from and every
# evaluator counts; converted to MOT, the outside box even has a 1 in the column of those that count.
#
# Expected: CVAT with one box and one outside: 1 object in COCO. MOT with one counted and one not: 1 object, or a crowd.
# Seen: CVAT: 2 objects, 0 crowds | MOT: 2 objects, 0 crowds
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check datumaro==1.13.12
"$folder/venv/bin/python" - "$folder" 2>"$folder/warnings" <<'PYTHON'
import json
import sys
from pathlib import Path

from datumaro import Dataset
from PIL import Image

folder = Path(sys.argv[1])
cvat, mot = folder / "cvat", folder / "mot"
cvat.mkdir()
place = 'occluded="0" keyframe="1" xtl="0" ytl="0" xbr="10" ybr="10" z_order="0"'
(cvat / "annotations.xml").write_text(
    "<annotations><version>1.1</version><meta><task><size>2</size><mode>interpolation</mode><start_frame>0</start_frame>"
    "<stop_frame>1</stop_frame><labels><label><name>child</name><attributes/></label></labels>"
    "<original_size><width>100</width><height>100</height></original_size></task></meta>"
    f'<track id="0" label="child" source="manual"><box frame="0" outside="0" {place}/><box frame="1" outside="1" {place}/>'
    "</track></annotations>"
)
(mot / "gt").mkdir(parents=True)
(mot / "img1").mkdir()
Image.new("RGB", (100, 100)).save(mot / "img1" / "000001.jpg")
(mot / "gt" / "gt.txt").write_text("1,1,10,10,20,20,1,1,1\n1,2,40,40,20,20,0,1,1\n")
(mot / "gt" / "labels.txt").write_text("child\n")


def in_coco(source: Path, kind: str) -> tuple[int, int]:
    target = folder / f"coco-{kind}"
    Dataset.import_from(str(source), kind).export(str(target), "coco_instances", save_media=False)
    annotations = json.loads(next(target.rglob("*.json")).read_text())["annotations"]
    crowds = sum(annotation["iscrowd"] for annotation in annotations)
    return len(annotations) - crowds, crowds


found = {"CVAT": in_coco(cvat, "cvat"), "MOT": in_coco(mot, "mot_seq")}
print(" | ".join(f"{name}: {objects} objects, {crowds} crowds" for name, (objects, crowds) in found.items()))
sys.exit(found != {"CVAT": (2, 0), "MOT": (2, 0)})
PYTHON
