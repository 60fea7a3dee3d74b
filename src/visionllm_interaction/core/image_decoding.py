"""Decoding image files to upright 8-bit RGB, for validation, training, evaluation and the service.

Other pixel formats are converted:

* grey images: the grey value in all three channels; palette images: the colours of the palette
* CMYK and other colour spaces: as Pillow converts them
* transparency: dropped; the colours are kept
* 1 bit: 0 and 255
* more than 8 bits (16- and 32-bit integers): divided by the range of a usual bit depth (8, 10, 12, 14 or 16 bits), the
  smallest that holds the brightest pixel. An image of a 12-bit camera in a 16-bit file is thus neither black nor white
* floating point: the range is 0 to 1 if no pixel is brighter, otherwise as for integers; NaN and negative values are 0
* several frames: the first one
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from visionllm_interaction.errors import ImageError

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""Formats that are read, recognised by content and not by extension.

MPO files of phones are JPEG; PGM, PBM and PFM are PPM.
"""
FORMAT_OF_ENDING: Mapping[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),  # browsers on Windows save .jfif
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), "PPM"),
    ".png": "PNG",
    ".gif": "GIF",
    ".webp": "WEBP",
}
"""Ending of a file's name, in lower case → the format it says."""
ENDINGS = frozenset(FORMAT_OF_ENDING)
"""Endings of the names of images."""
UNREAD_ENDINGS = frozenset(
    (".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".tga", ".exr", ".hdr", ".psd", ".svg", ".qoi", ".dng")
) | frozenset((".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".dcm", ".npy", ".npz"))
"""Endings of the names of images in formats that are known and not read."""
DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    KeyError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""Exceptions of Pillow on damaged files, for example ``SyntaxError`` for broken PNG chunks."""
ORIENTATION = ExifTags.Base.Orientation
_BIT_DEPTHS = (8, 10, 12, 14, 16)

Rgb = NDArray[np.uint8]
"""(H, W, 3) uint8."""


def read_rgb(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    size: tuple[int, int] | None = None,
    max_megapixels: float | None = None,
) -> Rgb:
    """Decode an image and rotate it upright by its EXIF orientation.

    Args:
        source: a file, or a binary stream.
        size: the expected width and height in pixels. If only the stored image has this size, and not the upright
            one, the image is not rotated.
        max_megapixels: largest image in millions of pixels, checked before the pixels are decoded.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImageError: if it is no image in one of :data:`FORMATS`, is damaged, or is too large.
    """
    where = str(Path(os.fspath(source))) if isinstance(source, str | os.PathLike) else None
    try:
        with Image.open(source, formats=FORMATS) as image:
            _check_pixels(image, max_megapixels, where)
            return np.array(to_rgb(_upright(image, size)), np.uint8)
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above that of the service
        raise _too_many_pixels(max_megapixels, " ".join(str(error).split()), where) from error
    except DAMAGED as error:
        raise ImageError(
            "An image cannot be decoded.",
            expected=" or ".join(FORMATS),
            found=_found(source, error),
            where=where,
            fix="take the image itself, from its source again; HEIC and raw formats must be converted first",
        ) from error


def count_pixels(source: BinaryIO, *, max_megapixels: float | None = None) -> int:
    """The number of pixels that an image says it has, without decoding them.

    Args:
        source: a binary stream; read from its begin, and left there.
        max_megapixels: largest image in millions of pixels.

    Returns:
        Width times height; 0 if it is no image, which :func:`read_rgb` explains.

    Raises:
        ImageError: if it is too large.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            _check_pixels(image, max_megapixels, None)
            return image.width * image.height
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(max_megapixels, " ".join(str(error).split()), None) from error
    except DAMAGED:
        return 0
    finally:
        source.seek(0)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit RGB by the rules of this module, without rotating it."""
    image.load()  # the file may be closed when the pixels are read
    if is_deep(image):
        image = to_8_bits(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def is_deep(image: Image.Image) -> bool:
    """Whether pixels have more than 8 bits per channel."""
    return image.mode.startswith("I") or image.mode == "F"


def to_8_bits(image: Image.Image) -> Image.Image:
    """Convert an image with one channel of more than 8 bits to 8-bit grey."""
    values = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=np.inf, neginf=0.0)
    finite = values[np.isfinite(values)]
    brightest = float(finite.max(initial=0.0))
    scaled = np.clip(values / _range_of(brightest, whole=image.mode != "F"), 0, 1) * 255
    return Image.fromarray(np.round(scaled).astype(np.uint8))


def _range_of(brightest: float, *, whole: bool) -> float:
    """The value that is scaled to 255."""
    if not whole and brightest <= 1:
        return 1.0
    depths = (float(2**bits - 1) for bits in _BIT_DEPTHS)
    return next((top for top in depths if brightest <= top), brightest)


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if it is missing or unknown."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    upright = image.size[::-1] if orientation_of(image) >= 5 else image.size
    if size is not None and upright != size and image.size == size:
        return image
    return ImageOps.exif_transpose(image)


def _found(source: str | os.PathLike[str] | BinaryIO, error: Exception) -> str:
    """A description of undecodable content: size, first bytes and the message of the decoder."""
    try:
        data = Path(source).read_bytes() if isinstance(source, str | os.PathLike) else _all_of(source)
    except OSError as unreadable:
        return unreadable.strerror or str(unreadable)
    if not data:
        return "an empty file"
    begin = f"{len(data)} bytes beginning with {data[:12]!r}"
    return begin if isinstance(error, UnidentifiedImageError) else f"{begin}: {error or type(error).__name__}"


def _all_of(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _check_pixels(image: Image.Image, max_megapixels: float | None, where: str | None) -> None:
    width, height = image.size
    if max_megapixels is not None and width * height > max_megapixels * 1e6:
        found = f"{width} × {height} = {width * height / 1e6:.1f} megapixels"
        raise _too_many_pixels(max_megapixels, found, where)


def _too_many_pixels(max_megapixels: float | None, found: str, where: str | None) -> ImageError:
    return ImageError(
        "The image has too many pixels.",
        expected=None if max_megapixels is None else f"at most {max_megapixels:g} megapixels",
        found=found,
        where=where,
        fix="scale it down; the detector works on a small copy anyway",
    )
