"""One decoder for all rooms: what training is given is what stage 2 looked at, whatever the file's pixel format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.datasets.validation.images.probe import DecodeLimits, probe_image
from visionllm_interaction.errors import ImageError

WIDTH, HEIGHT = 80, 60
LIMITS = DecodeLimits(max_pixels=10**7, timeout_s=10, memory_mb=2048)


def texture(seed: int = 1) -> np.ndarray:
    """(H, W) uint8: a smooth image with all greys in it."""
    small = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4), np.uint8)
    small[0, :2] = 0, 255
    return np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST))


def grey16(factor: int) -> Image.Image:
    return Image.fromarray(texture().astype(np.uint16) * factor)


MAKERS: dict[str, tuple[Callable[[], Image.Image], str]] = {
    "16 bits, PNG": (lambda: grey16(257), "PNG"),
    "16 bits, TIFF": (lambda: grey16(257), "TIFF"),
    "12-bit camera in a 16-bit file": (lambda: grey16(16), "PNG"),
    "14-bit camera in a 16-bit file": (lambda: grey16(64), "TIFF"),
    "8 bits in a 16-bit file": (lambda: grey16(1), "PNG"),
    "32-bit integers": (lambda: Image.fromarray(texture().astype(np.int32) * 257), "TIFF"),
    "float, 0 to 1": (lambda: Image.fromarray((texture() / 255).astype(np.float32)), "TIFF"),
    "float, 0 to 255": (lambda: Image.fromarray(texture().astype(np.float32)), "TIFF"),
    "8 bits, PGM": (lambda: Image.fromarray(texture()), "PPM"),
    "16 bits, PGM": (lambda: grey16(257), "PPM"),
    "float, PFM": (lambda: Image.fromarray((texture() / 255).astype(np.float32)), "PPM"),
    "colours, PPM": (lambda: Image.fromarray(texture()).convert("RGB"), "PPM"),
    "8-bit grey": (lambda: Image.fromarray(texture()), "PNG"),
    "grey with transparency": (lambda: Image.merge("LA", [Image.fromarray(texture())] * 2), "PNG"),
    "palette": (lambda: Image.fromarray(texture()).convert("P"), "PNG"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_pixel_format_gives_the_same_image(tmp_path: Path, name: str) -> None:
    make, kind = MAKERS[name]
    path = tmp_path / "image"
    make().save(path, kind)
    pixels = read_rgb(path)
    assert (pixels.shape, pixels.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert np.abs(pixels.astype(int) - texture()[..., None]).max() <= 2


@pytest.mark.parametrize("name", MAKERS)
def test_validation_judges_the_image_that_training_sees(tmp_path: Path, name: str) -> None:
    make, kind = MAKERS[name]
    make().save(tmp_path / "image", kind)
    probe = probe_image(str(tmp_path / "image"), LIMITS)
    assert probe.issue is None
    ordered = np.sort(read_rgb(tmp_path / "image")[..., 0].ravel())
    seen = [ordered[int(share * ordered.size)] for share in (0.01, 0.99)]
    assert [probe.low, probe.high] == pytest.approx(seen, abs=3)


def test_a_dark_16_bit_image_stays_dark(tmp_path: Path) -> None:
    grey16(20).point(lambda value: value * 1.0).save(tmp_path / "a.tif")  # up to 5100 of 16383: 14 bits
    assert 60 < read_rgb(tmp_path / "a.tif").max() < 100


def test_values_that_are_no_numbers_are_black_and_do_not_change_the_scale(tmp_path: Path) -> None:
    values = (texture() / 255).astype(np.float32)
    values[0, 0], values[0, 1] = np.nan, -5
    Image.fromarray(values).save(tmp_path / "a.tif")
    pixels = read_rgb(tmp_path / "a.tif")
    assert pixels[0, :2].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert np.abs(pixels[1:].astype(int) - texture()[1:, :, None]).max() <= 1


def test_cmyk_and_one_bit_are_made_rgb(tmp_path: Path) -> None:
    colours = np.dstack([texture(seed) for seed in (1, 2, 3)])
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "a.tif")
    assert np.abs(read_rgb(tmp_path / "a.tif").astype(int) - colours).max() <= 2
    Image.fromarray(texture() > 100).save(tmp_path / "b.png")
    assert set(np.unique(read_rgb(tmp_path / "b.png"))) == {0, 255}


def turned(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(texture()).save(path, exif=exif)
    return path


def test_an_image_is_turned_upright_unless_only_the_stored_size_fits(tmp_path: Path) -> None:
    path = turned(tmp_path / "a.png", 6)
    upright = np.rot90(texture(), -1)
    assert (read_rgb(path)[..., 0] == upright).all()
    assert (read_rgb(path, size=(HEIGHT, WIDTH))[..., 0] == upright).all()
    assert (read_rgb(path, size=(WIDTH, HEIGHT))[..., 0] == texture()).all()
    same_size = turned(tmp_path / "b.png", 3)
    assert (read_rgb(same_size, size=(WIDTH, HEIGHT))[..., 0] == texture()[::-1, ::-1]).all()


def test_what_is_no_image_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(40))
    with pytest.raises(ImageError, match="HEIC") as caught:
        read_rgb(tmp_path / "a.jpg")
    assert "52 bytes beginning with" in (caught.value.found or "") and str(tmp_path) in (caught.value.where or "")
    with pytest.raises(ImageError, match="No such file"):
        read_rgb(tmp_path / "b.jpg")
