"""Images per second on a CPU: torchvision's eager Faster R-CNN against this project's OpenVINO runtimes.

    python benchmarks/detection/cpu_inference.py COCO_MINI [FOLDER]

FOLDER keeps the exported detectors for the next time; the export takes longer than the measurement.
ResNet-50 FPN, shorter side 800, real images, all cores; the sides take turns on each image. The weights are random
(official ones cannot be had offline): the work is the same, as 1,000 proposals are pooled and classified either way.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.export.exporter import export_checkpoint
from visionllm_interaction.detection.models import (
    CheckpointInfo,
    ModelConfig,
    build_model,
    load_detector,
    save_checkpoint,
)

PICTURES, CALIBRATION, ROUNDS = 3, 3, 3
OUT = Path(__file__).parents[1] / "results" / "cpu_inference.json"


def main() -> None:
    """Export, then detect in turns; medians over images and rounds."""
    files = sorted((Path(sys.argv[1]) / "train2017").glob("*.jpg"))
    images = [np.array(Image.open(path).convert("RGB")) for path in files[: PICTURES + CALIBRATION]]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = make_sides(Path(sys.argv[2] if len(sys.argv) > 2 else folder), images[PICTURES:])
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(ROUNDS + 1):
            for image in images[:PICTURES]:
                for name, detect in sides.items():
                    start = time.perf_counter()
                    detect(image)
                    if number:  # the first round warms up
                        seconds[name].append(time.perf_counter() - start)
    median = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    eager = median["torchvision eager"]
    result = {
        "pictures": PICTURES, "rounds": ROUNDS, "threads": torch.get_num_threads(), "median_s": median,
        "ratio": {name: round(eager / value, 2) for name, value in median.items()},
    }  # fmt: skip
    OUT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def make_sides(folder: Path, calibration: list[Any]) -> dict[str, Callable[[Any], Any]]:
    """Each side: an image (H, W, 3) uint8 in, detections out."""
    torch.manual_seed(0)
    config = ModelConfig(weights="none", normalization="frozen_batch")
    categories = Categories.from_pairs((n, f"c{n}") for n in range(1, 91))
    model = build_model(config, num_classes=91).eval()
    folder.mkdir(exist_ok=True)
    save_checkpoint(folder / "m.pt", model.state_dict(), info=CheckpointInfo(config, categories))
    for target in ("openvino", "openvino-int8"):
        if (folder / target).exists():
            continue
        export_checkpoint(folder / "m.pt", target, folder / target, images=[], calibration=calibration)  # type: ignore[arg-type]

    @torch.inference_mode()
    def eager(image: Any) -> Any:
        return model([torch.from_numpy(image).permute(2, 0, 1).float() / 255])

    files = {"torch, channels-last": "m.pt", "OpenVINO float32": "openvino", "OpenVINO int8": "openvino-int8"}
    ours = {name: load_detector(folder / file) for name, file in files.items()}
    return {"torchvision eager": eager, **{n: (lambda image, d=d: d.detect([image])) for n, d in ours.items()}}


if __name__ == "__main__":
    main()
