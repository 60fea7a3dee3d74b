"""Training and inference against torchvision's eager float32, in one run: images per second and where the time goes.

    make bench-gpu                                                             on a CUDA machine
    python benchmarks/detection/gpu.py --device cpu --size 320 --batch 2 --steps 3     the same code, small, anywhere

ResNet-50 FPN, shorter side 800, batch 16. Ours: bfloat16 layers, channels-last, fused AdamW. Theirs: torchvision's
reference loop (float32, SGD with momentum). Both get the same synthetic images with eight boxes each, in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.models.precision import choose_precision
from visionllm_interaction.detection.runtimes.torch_detector import prepare_for_detection
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.optimizers import build_optimizer

RESULTS = Path(__file__).parents[1] / "results"
CLASSES = 91


class Clock:
    """Seconds per phase, waiting for the device at the borders."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def medians(self, skip: int) -> dict[str, float]:
        return {name: statistics.median(values[skip:]) for name, values in self.seconds.items()}


def pictures(batch: int, size: int, device: torch.device) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """uint8 images of 3:4 and their targets; each call makes new ones."""
    images = [torch.randint(0, 256, (3, size, size * 4 // 3), dtype=torch.uint8) for _ in range(batch)]
    corner = torch.rand(batch, 8, 2) * size / 2
    boxes = torch.cat([corner, corner + 20 + torch.rand(batch, 8, 2) * size / 3], dim=2)
    targets = [{"boxes": b.to(device), "labels": torch.randint(1, CLASSES, (8,), device=device)} for b in boxes]
    return images, targets


def model_of(size: int) -> Any:
    torch.manual_seed(0)
    config = ModelConfig(weights="none", normalization="frozen_batch", min_size=size, max_size=size * 5 // 3)
    return build_model(config, num_classes=CLASSES)


def trainer_of(*, ours: bool, size: int, device: torch.device) -> Callable[[Clock, Any, Any], None]:
    """A function that does one training step and notes its phases."""
    model = model_of(size)
    if ours:
        prepare_for_detection(model, device, train=choose_precision("auto", device))
        optimizer: Any = build_optimizer(model, TrainConfig())
    else:
        model.to(device)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4, momentum=0.9)
    model.train()

    def step(clock: Clock, images: Any, targets: Any) -> None:
        with clock.phase("copy"):
            given = [image.to(device, non_blocking=True).float().div_(255) for image in images]
        with clock.phase("forward"):
            loss = torch.stack(list(model(given, targets).values())).sum()
        with clock.phase("backward"):
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        with clock.phase("optimizer"):
            if ours:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()

    return step


def detector_of(*, ours: bool, size: int, device: torch.device) -> Callable[[Clock, Any, Any], None]:
    """A function that detects in a batch."""
    model = model_of(size).eval()
    prepare_for_detection(model, device) if ours else model.to(device)

    @torch.inference_mode()
    def detect(clock: Clock, images: Any, _targets: Any) -> None:
        with clock.phase("all"):
            model([image.to(device, non_blocking=True).float().div_(255) for image in images])

    return detect


def compare(make: Callable[..., Any], options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Both sides in turn on the same images."""
    sides = {name: (make(ours=ours, size=options.size, device=device), Clock(device))
             for name, ours in (("ours", True), ("torchvision", False))}  # fmt: skip
    for number in range(options.warmup + options.steps):
        torch.manual_seed(number)
        images, targets = pictures(options.batch, options.size, device)
        for act, clock in sides.values():
            act(clock, images, targets)
    phases = {name: clock.medians(options.warmup) for name, (_, clock) in sides.items()}
    per_second = {name: options.batch / sum(parts.values()) for name, parts in phases.items()}
    return {
        "images_per_s": {name: round(value, 2) for name, value in per_second.items()},
        "ratio": round(per_second["ours"] / per_second["torchvision"], 2),
        "seconds": {name: {k: round(v, 4) for k, v in parts.items()} for name, parts in phases.items()},
    }


def main() -> None:
    """Train, then detect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=800)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=3)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; --device cpu --size 320 --batch 2 --steps 3 tries the script out")
    warnings.simplefilter("ignore")
    device = torch.device(options.device)
    result = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "precision": choose_precision("auto", device),
        **{key: value for key, value in vars(options).items() if key != "device"},
        "training": compare(trainer_of, options, device),
        "inference": compare(detector_of, options, device),
    }
    (RESULTS / f"training_{device.type}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
