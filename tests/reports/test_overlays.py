"""One way to draw a box, one to embed an image, one to render a page."""

from __future__ import annotations

import base64
import io

import jinja2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from visionllm_interaction.reports.html_base import image_data_uri, render_template
from visionllm_interaction.reports.overlays import PALETTE, UNKNOWN_COLOUR, colour_of, draw_box, draw_boxes
from visionllm_interaction.reports.report_data import LabelledBoxes

PAGE = "visionllm_interaction.reports", "run_report.html.j2"


def _canvas(side: int = 100) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (side, side))
    return image, ImageDraw.Draw(image)


def test_a_box_is_drawn_on_its_edges_only() -> None:
    image, canvas = _canvas()
    draw_box(canvas, (20, 30, 60, 80), colour="#ff0000", line_width=1)
    pixels = np.asarray(image)[..., 0]
    assert pixels[30, 40] == pixels[80, 40] == pixels[50, 20] == pixels[50, 60] == 255
    assert pixels[50, 40] == 0
    assert np.count_nonzero(pixels) == 2 * 41 + 2 * 51 - 4


def test_a_caption_without_room_above_is_written_inside() -> None:
    for top, rows in ((40, slice(25, 40)), (0, slice(0, 15))):
        image, canvas = _canvas()
        draw_box(canvas, (10, top, 90, 95), colour="#ff0000", line_width=1, caption="cup")
        assert np.asarray(image)[rows, 12:30].any(axis=-1).mean() > 0.7


def test_an_outlined_caption_has_no_band() -> None:
    image, canvas = _canvas()
    draw_box(canvas, (10, 10, 90, 90), colour="#0000ff", caption="1", font_size=20, style="outlined", outline="#00ff00")
    pixels = np.asarray(image)
    assert (pixels == (255, 255, 255)).all(axis=-1).any()
    assert (pixels == (0, 255, 0)).all(axis=-1).any()
    assert not pixels[60, 40].any()


def test_a_box_of_negative_size_does_not_end_the_page() -> None:
    image, canvas = _canvas()
    draw_box(canvas, (50, 50, 40, 40), colour="#ff0000", caption="odd")
    assert np.asarray(image).any()  # the caption at least


def test_colours_follow_the_order_of_names_and_the_input_is_untouched() -> None:
    assert colour_of("b", ("a", "b")) == PALETTE[1]
    assert colour_of("z", ("a", "b")) == UNKNOWN_COLOUR
    image = np.zeros((80, 80, 3), np.uint8)
    drawn = draw_boxes(image, LabelledBoxes(np.array([[10.0, 30, 50, 70]]), ("b",), ("b",)), names=("a", "b"))
    assert drawn.getpixel((10, 50)) == tuple(bytes.fromhex(PALETTE[1][1:]))
    assert not image.any()


@pytest.mark.parametrize(("max_width", "size"), [(None, (200, 100)), (50, (50, 25)), (400, (200, 100))])
def test_an_embedded_image_is_scaled_down_and_never_up(max_width: int | None, size: tuple[int, int]) -> None:
    uri = image_data_uri(Image.new("RGB", (200, 100)), max_width=max_width)
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == size


def test_a_value_that_is_missing_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_template(*PAGE, {})
