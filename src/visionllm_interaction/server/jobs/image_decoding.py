"""Images from a client: checked before their pixels are decoded."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from visionllm_interaction.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def decode_image(data: bytes, *, max_megapixels: float) -> NDArray[np.uint8]:
    """Bytes of an image → (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Raises:
        ImageError: if the bytes are no image in one of :data:`FORMATS`, are damaged, or have too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image, max_megapixels)
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above ours
        raise _too_many_pixels(max_megapixels, " ".join(str(error).split())) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            "The file is not an image that can be decoded.",
            expected=" or ".join(FORMATS),
            found=_first_bytes(data),
            fix="send the image itself, for example with curl -F file=@image.jpg",
        ) from error
    return np.asarray(upright, dtype=np.uint8)


def _check_pixels(image: Image.Image, max_megapixels: float) -> None:
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise _too_many_pixels(max_megapixels, f"{width} × {height} = {width * height / 1e6:.1f} megapixels")


def _too_many_pixels(max_megapixels: float, found: str) -> ImageError:
    return ImageError(
        "The image has too many pixels.",
        expected=f"at most {max_megapixels:g} megapixels",
        found=found,
        fix="scale it down; the detector works on a small copy anyway",
    )


def _first_bytes(data: bytes) -> str:
    return f"{len(data)} bytes beginning with {data[:12]!r}" if data else "an empty file"
