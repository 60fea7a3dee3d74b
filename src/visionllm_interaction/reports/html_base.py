"""What every HTML page shares: one Jinja environment, one base template and style, images as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

_PACKAGE = "visionllm_interaction.reports"
"""Holds ``base.html.j2``, which every page extends."""


def render_template(
    package: str, name: str, values: Mapping[str, Any], *, filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """Render a page that refers to nothing outside itself.

    Every value is escaped, except :class:`markupsafe.Markup`. A name that the template uses and ``values`` lacks is an
    error.

    Args:
        package: dotted name of the package in which the template lies.
        name: file name of the template; it may extend ``base.html.j2``.
        values: what the template shows.
        filters: Jinja filters of this page, by name.

    Returns:
        The page as HTML.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(_PACKAGE, ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(name).render(**values)


def image_data_uri(image: Image.Image, *, max_width: int | None = None, quality: int = 85) -> str:
    """Encode an image as a JPEG data URI, so that a page needs no file beside it.

    Args:
        image: in RGB or grey.
        max_width: in pixels; a wider image is scaled down.
        quality: of the JPEG, 1 to 95.

    Returns:
        ``data:image/jpeg;base64,…``.
    """
    if max_width is not None and image.width > max_width:
        image = image.resize((max_width, max(1, round(image.height * max_width / image.width))))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
