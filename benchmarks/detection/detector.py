"""A ToyRoom detector good enough to measure relations and events with; `symbols.py` and `video.py` take it.

    python benchmarks/detection/detector.py WORK_FOLDER [--stills 1500] [--videos 100] [-o train.epochs=3]…

As in a lab, most images to learn from are frames of recordings like those to be analysed: one frame a second of
``--videos`` videos, and ``--stills`` images of other rooms. Their seeds are none that is measured on. Settings are
those of ``detector.yaml``; training begins with small images, which are faster to learn from (``COARSE``). It is
exported to int8, as WORK_FOLDER/int8. What is done in WORK_FOLDER is not done again, what was stopped goes on. About
an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_bench.toyroom.render.random_scene import MIN_SHARE, MIN_SIDE_PX
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.config import load
from visionllm_interaction.detection.export.export_with_data import export_with_data
from visionllm_interaction.pipeline import run_pipeline
from visionllm_interaction.video.decoding.reader import VideoReader

HERE = Path(__file__).parent
STILLS_SEED, VIDEOS_SEED = 2026, 31337
COARSE = {
    "model.weights": "none",
    "model.min_size": 360,
    "model.max_size": 480,
    "model.anchor_sizes": [[30, 45], [66, 96], [138, 198]],
    "model.roi_canonical_size": 168,
    "train.epochs": 3,
    "train.lr": 0.001,
}
"""The first part of training: three quarters of the image's size, and anchors to match."""
FPS, QUALITY = 5.0, 92
"""Videos are made with few frames: only one a second is used."""


def main() -> None:
    """Images, then training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stills", type=int, default=1500)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("-o", "--set", action="append", default=[], help="of the second part of training")
    options = parser.parse_args()
    data = options.folder / "pictures"
    if not (data / "done").exists():
        make_pictures(options.folder, data, stills=options.stills, videos=options.videos)
    coarse = train(data, options.folder / "coarse", [f"{name}={value}" for name, value in COARSE.items()])
    overrides = [f"model.weights={coarse['checkpoint']}", *options.set]
    result = train(data, options.folder / "artifacts", overrides)
    sys.stdout.write(json.dumps(result) + "\n")
    if not (options.folder / "int8").exists():
        manifest = Path(result["run"]) / STAGE_MANIFESTS["transform"]
        out = options.folder / "int8"
        checkpoint = Path(result["checkpoint"])
        export_with_data(checkpoint, "openvino-int8", out, data=manifest, images=None, compared=16, calibration=100)


def train(data: Path, artifacts: Path, overrides: list[str]) -> dict[str, Any]:
    """Run the pipeline on ``data``; what it returns."""
    return run_pipeline(
        load([HERE / "detector.yaml"], [f"data.root={data}", f"artifacts_dir={artifacts}", *overrides])
    ).to_dict()


def make_pictures(work: Path, data: Path, *, stills: int, videos: int) -> None:
    """Stills in COCO's layout, then frames added to their training split."""
    if not data.exists():
        make_toyroom(data, images=stills, videos=0, seed=STILLS_SEED)
    if not (work / "videos").exists():
        make_toyroom(work / "videos", images=0, videos=videos, seed=VIDEOS_SEED, config=ToyRoomConfig(fps=FPS))
    place = data / "annotations" / "instances_train2017.json"
    coco = json.loads(place.read_text())
    for path in sorted((work / "videos").rglob("*.mp4")):
        add_frames(coco, path, data / "train2017")
    place.write_text(json.dumps(coco))
    (data / "done").touch()


def add_frames(coco: dict[str, Any], path: Path, folder: Path) -> None:
    """One frame a second of a video, annotated as ToyRoom's images are: nothing that hardly shows."""
    ids = {c["name"]: c["id"] for c in coco["categories"]}
    truth = json.loads((path.parent / "truth.json").read_text())
    for frame in VideoReader(path):
        if frame.frame_index % round(FPS):
            continue
        image_id = max(image["id"] for image in coco["images"]) + 1
        height, width = frame.image_rgb.shape[:2]
        name = f"{image_id:012d}.jpg"
        Image.fromarray(frame.image_rgb).save(folder / name, quality=QUALITY)
        coco["images"].append({"id": image_id, "file_name": name, "width": width, "height": height})
        for thing in truth["frames"][frame.frame_index]["objects"]:
            left, top, right, bottom = thing["box_xyxy"]
            box = [left, top, right - left, bottom - top]
            if min(box[2:]) >= MIN_SIDE_PX and thing["visible"] >= MIN_SHARE:
                coco["annotations"].append(
                    {
                        "id": len(coco["annotations"]) + 10**6,
                        "image_id": image_id,
                        "category_id": ids[thing["category"]],
                        "bbox": box,
                        "area": box[2] * box[3],
                        "iscrowd": 0,
                        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
                    }
                )


if __name__ == "__main__":
    main()
