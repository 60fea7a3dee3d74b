"""Peak memory of stages 1 to 3 on a large annotation file, as a multiple of the file.

    python benchmarks/datasets/stages_memory.py [--work FOLDER]

The training file has LVIS's form (290 MB, 500,000 polygons, categories last; made by coco_size.py); the validation file
is small. All images are links to one tiny JPEG, and images are not checked: what counts here is the annotations. Each
stage is run as the command line runs it, all three in one process. Prints the peak of each; goal: twice the file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import sys
import tempfile
from pathlib import Path

from coco_size import LVIS_IMAGES, image_id, write_lvis_size

GOAL = 2.0
VAL_IMAGES = 400
BOX = [100.0, 120.0, 60.0, 40.0]
SHAPE = [[100.0, 120.0, 160.0, 120.0, 160.0, 160.0, 100.0, 160.0]]


def build(work: Path) -> Path:
    """A data set in COCO's layout; returns its annotation file for training."""
    from PIL import Image

    root, source = work / "data", write_lvis_size(work / "lvis_size.json")
    train = root / "annotations" / "instances_train2017.json"
    if train.exists():
        return train
    for name in ("annotations", "train2017", "val2017"):
        (root / name).mkdir(parents=True, exist_ok=True)
    tiny = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(tiny, "JPEG")
    (work / "tiny.jpg").write_bytes(tiny.getvalue())
    for number in range(LVIS_IMAGES):
        os.link(work / "tiny.jpg", root / "train2017" / f"{image_id(number):012d}.jpg")
    categories = [{"id": n, "name": f"thing {n}"} for n in range(1, 1204)]
    images = [{"id": n, "file_name": f"val{n:06d}.jpg", "width": 640, "height": 480} for n in range(VAL_IMAGES)]
    annotations = [
        {"id": n, "image_id": n % VAL_IMAGES, "category_id": n % 1203 + 1, "bbox": BOX, "area": 2400.0, "iscrowd": 0}
        | {"segmentation": SHAPE}
        for n in range(4 * VAL_IMAGES)
    ]
    for image in images:
        os.link(work / "tiny.jpg", root / "val2017" / str(image["file_name"]))
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    os.link(source, train)
    return train


def run_stages(root: Path) -> None:
    """Stages 1 to 3, one after the other, in this process."""
    from visionllm_interaction.cli import main

    actions = "{LEAK-SAME-FILE: warn, CAT-ABSENT: warn}"
    settings = [f"data.root={root}", "validation.images.enabled=false", f"validation.actions={actions}"]
    for stage in ("ingest", "validate", "transform"):
        sys.argv = ["visionllm", stage, *(word for setting in settings for word in ("-o", setting))]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(f"{stage:10} peak so far {peak_mb:7.0f} MB", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="keep the files there for the next time")
    work = parser.parse_args().work or Path(tempfile.mkdtemp(prefix="bench-stages-"))
    work = work.resolve()
    train = build(work)
    with tempfile.TemporaryDirectory(dir=work) as runs:
        os.chdir(runs)
        run_stages(train.parent.parent)
        os.chdir(work)
    ratio = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / train.stat().st_size
    print(f"peak: {ratio:.2f} times the file (goal {GOAL})")


if __name__ == "__main__":
    main()
