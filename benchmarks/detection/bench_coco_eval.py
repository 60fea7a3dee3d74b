"""Time of the twelve COCO figures, against pycocotools, on files as large as val2017's.

    python benchmarks/detection/bench_coco_eval.py

5,000 images, 36,781 boxes, 100 detections in each image. Both sides start from the same two JSON files and end with
the same figures; they run in turn, in one process.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction.detection.evaluation.coco_metrics import METRICS
from visionllm_interaction.detection.evaluation.evaluate import evaluate_files

IMAGES, BOXES, PER_IMAGE, CATEGORIES = 5_000, 36_781, 100, 80
ROUNDS = 3
OUT = Path(__file__).parents[1] / "results" / "coco_eval.json"


def make_files(folder: Path) -> tuple[Path, Path]:
    """Annotations with COCO's skew of categories and sizes, and detections around and between them."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, CATEGORIES + 1)
    category = rng.choice(np.arange(1, CATEGORIES + 1), BOXES, p=shares / shares.sum())
    image = np.sort(rng.integers(1, IMAGES + 1, BOXES))
    boxes = np.column_stack([rng.uniform(0, 500, (BOXES, 2)), rng.lognormal(4, 1, (BOXES, 2)).clip(2, 400)])
    truth = {
        "images": [{"id": n, "width": 640, "height": 480} for n in range(1, IMAGES + 1)],
        "categories": [{"id": n, "name": f"c{n}"} for n in range(1, CATEGORIES + 1)],
        "annotations": [
            {
                "id": n,
                "image_id": int(i),
                "category_id": int(c),
                "bbox": b,
                "area": b[2] * b[3],
                "iscrowd": int(n % 90 == 0),
            }
            for n, (i, c, b) in enumerate(zip(image, category, boxes.round(2).tolist(), strict=True), start=1)
        ],
    }
    results: list[dict[str, Any]] = []
    starts = np.searchsorted(image, np.arange(1, IMAGES + 2))
    for n in range(1, IMAGES + 1):
        mine = np.arange(starts[n - 1], starts[n])
        source = rng.choice(mine, PER_IMAGE) if len(mine) else rng.integers(0, BOXES, PER_IMAGE)
        moved = (boxes[source] * rng.normal(1, 0.1, (PER_IMAGE, 4))).clip(1).round(2)
        kinds = np.where(rng.random(PER_IMAGE) < 0.6, category[source], rng.integers(1, CATEGORIES + 1, PER_IMAGE))
        scores = rng.random(PER_IMAGE).round(4)
        results += [
            {"image_id": n, "category_id": int(k), "bbox": b, "score": s}
            for k, b, s in zip(kinds, moved.tolist(), scores.tolist(), strict=True)
        ]
    paths = folder / "truth.json", folder / "detections.json"
    for path, content in zip(paths, (truth, results), strict=True):
        path.write_text(json.dumps(content))
    return paths


def by_pycocotools(truth: Path, detections: Path) -> list[float]:
    """The reference."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gt = COCO(str(truth))
        evaluation = COCOeval(gt, gt.loadRes(str(detections)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def main() -> None:
    """Both sides in turn; medians and their ratio."""
    seconds: dict[str, list[float]] = {"ours": [], "pycocotools": []}
    with tempfile.TemporaryDirectory() as folder:
        truth, detections = make_files(Path(folder))
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = evaluate_files(truth, detections)
            seconds["ours"].append(time.perf_counter() - start)
            start = time.perf_counter()
            expected = by_pycocotools(truth, detections)
            seconds["pycocotools"].append(time.perf_counter() - start)
    median = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    result = {
        "images": IMAGES, "boxes": BOXES, "detections": IMAGES * PER_IMAGE, "rounds": ROUNDS, "median_s": median,
        "ratio": round(median["pycocotools"] / median["ours"], 1),
        "largest_difference": max(abs(found[n] - e) for n, e in zip(METRICS, expected, strict=True)),
    }  # fmt: skip
    OUT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
