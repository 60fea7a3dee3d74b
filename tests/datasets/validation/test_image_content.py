"""Images: child processes that die, limits, and near-duplicates planted across splits."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from visionllm_interaction.datasets.validation.images.near_duplicates import matches
from visionllm_interaction.datasets.validation.images.probe import THUMB_PX, DecodeLimits
from visionllm_interaction.datasets.validation.images.worker_pool import probe_images

LIMITS = DecodeLimits(max_pixels=4_000_000, timeout_s=20, memory_mb=4096)


def noise(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> str:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).save(path)
    return str(path)


def test_a_picture_that_takes_too_long_ends_its_child_and_not_the_run(tmp_path: Path) -> None:
    paths = [noise(tmp_path / f"{n}.png", n) for n in range(3)]
    paths.insert(1, noise(tmp_path / "slow.png", 9, (1900, 1900)))
    probes = list(probe_images(paths, DecodeLimits(4_000_000, 0.02, 4096), workers=2))
    assert probes[1].issue == "FILE-KILLS-DECODER"
    assert len(probes) == 4


def test_order_is_kept_and_bombs_are_not_decoded(tmp_path: Path) -> None:
    paths = [noise(tmp_path / f"{n}.png", n, (40 + n, 48)) for n in range(40)]
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    probes = list(probe_images([*paths, str(tmp_path / "bomb.png")], LIMITS, workers=2))
    assert [probe.width for probe in probes[:40]] == [40 + n for n in range(40)]
    assert probes[40].issue == "FILE-TOO-LARGE"


def _thumb(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(image.convert("L").resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX))


def _reencode(image: Image.Image, quality: int = 35) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def _crop(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((round(0.05 * width), round(0.05 * height), width, height))


CHANGES = {
    "encoded anew": _reencode,
    "half the size": lambda image: _reencode(image.reduce(2), 80),
    "cropped by 5 %": lambda image: _reencode(_crop(image), 80),
    "brighter": lambda image: _reencode(ImageEnhance.Brightness(image).enhance(1.3), 80),
    "darker": lambda image: _reencode(ImageEnhance.Brightness(image).enhance(0.7), 80),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_planted_near_duplicates_are_found(name: str, shared_data: Path) -> None:
    files = sorted((shared_data / "coco-mini/train2017").glob("*.jpg"))[:150]
    images = [Image.open(path).convert("RGB") for path in files]
    train = np.stack([_thumb(picture) for picture in images])
    val = np.stack([_thumb(CHANGES[name](picture)) for picture in images])
    found = list(matches(train, val, min_correlation=0.93))
    right = {match.b for match in found if match.a == match.b}
    wrong = [match for match in found if match.a != match.b]
    assert len(right) >= 0.95 * len(files)
    assert len(wrong) <= 0.01 * max(len(found), 1)


@pytest.mark.parametrize(("first", "second"), [(0, 2), (2, 0), (0, None), (1, None), (0, 0)])
def test_nothing_to_compare_is_no_pair(first: int, second: int | None) -> None:
    """A split may hold no image that is more than a flat surface, as CVAT's own sample project does."""
    random = np.random.default_rng(0)
    thumbs = random.integers(0, 255, (2, 32, 32), np.uint8)
    others = None if second is None else thumbs[:second]
    assert list(matches(thumbs[:first], others, min_correlation=0.93)) == []
