"""Image checks against decoding the same images and doing nothing else; growth to many files; near-duplicates.

    python benchmarks/datasets/image_checks.py [--pictures FOLDER] [--files 3000] [--rounds 5]
        [--growth 1000,10000,100000]

Rate: both sides in turn, each with as many processes as there are cores: all checks of an image; Pillow's decoding to
RGB. Growth: the images at half their size, linked as often as needed; seconds and peak memory of this process
and its children, sampled four times a second. Near-duplicates: the search among so many thumbnails alone, random
ones with the spectrum of natural images. Results go to benchmarks/results/image_checks.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from decode_only import decode
from PIL import Image

from visionllm_interaction.datasets.validation.config import ImageChecks
from visionllm_interaction.datasets.validation.images import worker_pool as gallery
from visionllm_interaction.datasets.validation.images.near_duplicates import matches
from visionllm_interaction.datasets.validation.images.probe import THUMB_PX
from visionllm_interaction.datasets.validation.reading.columns import (
    AnnotationColumns,
    ImageColumns,
    MaskColumns,
    SplitTable,
)
from visionllm_interaction.datasets.validation.rules.image_content import check_images

RESULTS = Path(__file__).parents[1] / "results" / "image_checks.json"
CORES = len(os.sched_getaffinity(0))
GOAL = 0.9
CHECKS = ImageChecks()


def decode_all(paths: Sequence[Path]) -> float:
    """Seconds, from starting the processes to the last image."""
    started = time.perf_counter()
    batches = [[str(path) for path in paths[n : n + 16]] for n in range(0, len(paths), 16)]
    with ProcessPoolExecutor(CORES, mp_context=multiprocessing.get_context("forkserver")) as pool:
        with gallery.no_main_module():
            answers = pool.map(decode, batches)
        for _ in answers:
            pass
    return time.perf_counter() - started


def check_all(paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> tuple[float, int]:
    """Seconds of all checks of single images, from starting the processes to the last one, and the faults found."""
    table = _table(paths, sizes)
    started = time.perf_counter()
    faults, _ = check_images(table, dict(enumerate(paths)), CHECKS, workers=CORES)
    return time.perf_counter() - started, len(faults)


def _table(paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> SplitTable:
    none = np.zeros(0, np.int64)
    boxes = np.zeros((0, 4))
    annotations = AnnotationColumns(
        none, none, none, boxes, boxes[:, 0], none.astype(np.bool_), none, MaskColumns.empty(0)
    )
    ids = np.arange(len(paths))
    images = ImageColumns(ids, np.array(sizes, np.float64), tuple(path.name for path in paths), ids)
    return SplitTable("train", images, annotations, ())


def sizes_of(paths: Sequence[Path]) -> list[tuple[int, int]]:
    sizes = []
    for path in paths:
        with Image.open(path) as image:
            sizes.append(image.size)
    return sizes


def rate(originals: Sequence[Path], files: int, rounds: int) -> dict[str, Any]:
    paths = [originals[n % len(originals)] for n in range(files)]
    known = sizes_of(originals)
    sizes = [known[n % len(known)] for n in range(files)]
    seen: dict[str, list[float]] = {"checks": [], "decoding": []}
    check_all(paths[:32], sizes[:32])  # starts the server that its processes come from
    for _ in range(rounds):
        seen["decoding"].append(files / decode_all(paths))
        seen["checks"].append(files / check_all(paths, sizes)[0])
    medians = {name: round(statistics.median(values), 1) for name, values in seen.items()}
    return {
        "pictures_per_second": medians,
        "ratio": round(medians["checks"] / medians["decoding"], 3),
        "goal": GOAL,
        "files": files,
        "all": {name: [round(value, 1) for value in values] for name, values in seen.items()},
    }


def growth(originals: Sequence[Path], counts: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    small = [_halved(path, folder / f"small{n:04d}.jpg") for n, path in enumerate(originals)]
    known = sizes_of(small)
    rows = []
    for count in counts:
        paths = [folder / f"{count}_{n:06d}.jpg" for n in range(count)]
        for n, path in enumerate(paths):
            path.hardlink_to(small[n % len(small)])
        with memory() as peak:
            seconds, faults = check_all(paths, [known[n % len(known)] for n in range(count)])
        row = {"files": count, "seconds": round(seconds, 2), "files_per_second": round(count / seconds, 1)}
        rows.append(row | {"faults": faults, **{name: round(mb) for name, mb in peak.items()}})
        print(row, flush=True)
        for path in paths:
            path.unlink()
    return rows


def _halved(source: Path, target: Path) -> Path:
    with Image.open(source) as image:
        image.convert("RGB").reduce(2).save(target, quality=85)
    return target


@contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Peak resident memory in MB, filled in when the block ends."""
    peak = {"rss_mb": 0.0, "largest_child_mb": 0.0}
    done = threading.Event()

    def watch() -> None:
        process = psutil.Process()
        while not done.wait(0.25):
            children = [_rss(child) for child in process.children(recursive=True)]
            peak["rss_mb"] = max(peak["rss_mb"], _rss(process))
            peak["largest_child_mb"] = max(peak["largest_child_mb"], *children, 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _rss(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def likeness(counts: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    for count in counts:
        thumbs = natural_thumbs(count)
        started = time.perf_counter()
        found = sum(1 for _ in matches(thumbs, None, min_correlation=CHECKS.near_duplicate_correlation))
        seconds = round(time.perf_counter() - started, 2)
        rows.append({"thumbnails": count, "seconds": seconds, "pairs_called_alike": found})
        print(rows[-1], flush=True)
    return rows


def natural_thumbs(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Random thumbnails with as many pairs that look alike at first sight (8 in 10,000) as COCO's images have."""
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(THUMB_PX)[:, None], np.fft.rfftfreq(THUMB_PX)[None])
    frequency[0, 0] = 1
    spectrum = frequency**-1.6
    made = np.empty((count, THUMB_PX, THUMB_PX), np.uint8)
    for low in range(0, count, 4096):
        noise = random.standard_normal((min(4096, count - low), THUMB_PX, THUMB_PX), np.float32)
        field = np.fft.irfft2(np.fft.rfft2(noise) * spectrum, s=(THUMB_PX, THUMB_PX))
        field /= field.std(axis=(1, 2), keepdims=True)
        made[low : low + 4096] = np.clip(field * 50 + 120, 0, 255)
    return made


def _originals(folder: Path | None, made: Path) -> list[Path]:
    if folder is None:
        given = Path(os.environ.get("VISIONLLM_TEST_DATA", "/nowhere")) / "coco-mini"
        folder = given if given.is_dir() else made
    if folder == made:
        from visionllm_bench.toyroom import make_toyroom

        make_toyroom(made, images=300, videos=0, seed=0)
    return sorted(folder.rglob("*.jpg"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder of JPEGs; without it coco-mini, or the play room")
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", default="1000,10000,100000")
    parser.add_argument("--thumbnails", default="10000,30000")
    parser.add_argument("--only", choices=("rate", "growth", "likeness"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pictures-") as name:
        folder = Path(name)
        originals = _originals(options.pictures, folder / "made")
        counts, thumbnails = ([int(n) for n in text.split(",")] for text in (options.growth, options.thumbnails))
        parts = {
            "rate": lambda: rate(originals, options.files, options.rounds),
            "growth": lambda: growth(originals, counts, folder),
            "likeness": lambda: likeness(thumbnails),
        }
        for key, make in parts.items():
            if options.only in (None, key):
                keep(key, make())


def keep(key: str, figures: Any) -> None:
    """Write one part to the results at once: the whole takes minutes."""
    result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result | {"cores": CORES, key: figures}, indent=2) + "\n")
    if key == "rate":
        print(f"checks / decoding = {figures['ratio']:.3f} (goal {GOAL}), images per second", flush=True)


if __name__ == "__main__":
    main()
