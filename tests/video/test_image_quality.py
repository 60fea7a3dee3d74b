"""Light, blur and camera motion of images, and the quality of each second."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import Frame, FrameTable
from visionllm_interaction.video.config import QualityConfig
from visionllm_interaction.video.quality.image_quality import ImageQuality, ImageQualityMeter, blur_effect
from visionllm_interaction.video.quality.stretches import moving_camera_notes, quality_rows


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """An image with edges of all directions."""
    random = np.random.default_rng(3)
    cells = random.integers(0, 255, (30, 40, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(cells).resize((640, 480), Image.Resampling.NEAREST))


def test_blur_grows_with_blurring(picture: np.ndarray) -> None:
    blurred = [
        blur_effect(np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))))
        for radius in (0, 1, 2, 4, 8)
    ]
    assert blurred == sorted(blurred)
    assert blurred[0] < 0.2 < 0.8 < blurred[-1]


def test_blur_in_one_direction_is_blur(picture: np.ndarray) -> None:
    """As of a camera that pans."""
    streaks = picture.copy().astype(np.float32)
    for shift in range(1, 12):
        streaks += np.roll(picture, shift, axis=1)
    assert blur_effect((streaks / 12).astype(np.uint8)) > blur_effect(picture) + 0.3


def test_one_colour_is_no_sharp_image() -> None:
    assert blur_effect(np.full((100, 100, 3), 80, np.uint8)) == 1.0


def measure(images: list[np.ndarray], *, fps: float = 5.0, per_s: float = 5.0) -> ImageQuality:
    meter = ImageQualityMeter(per_s)
    for n, image in enumerate(images):
        meter.add(Frame(n, n / fps, image))
    return meter.result()


def test_light_is_luma(picture: np.ndarray) -> None:
    dark = (picture // 8).astype(np.uint8)
    found = measure([picture, dark])
    assert found.light[0] > 100 > 20 > found.light[1]


def test_a_camera_that_pans_moves_and_one_at_rest_does_not(picture: np.ndarray) -> None:
    panned = [np.roll(picture, 24 * n, axis=1) for n in range(4)]  # 24 of 640 pixels, five times a second
    np.testing.assert_allclose(measure(panned).camera_motion[1:], 24 / 640 * 5, rtol=0.15)
    assert np.nanmax(measure([picture] * 3).camera_motion) == 0.0
    assert math.isnan(measure([picture]).camera_motion[0])


def test_somebody_who_moves_is_no_moving_camera(picture: np.ndarray) -> None:
    images = []
    for n in range(4):
        image = picture.copy()
        image[100:400, 60 * n + 50 : 60 * n + 200] = 128
        images.append(image)
    assert np.nanmax(measure(images).camera_motion) < 0.05


def test_only_so_many_images_are_measured(picture: np.ndarray) -> None:
    assert len(measure([picture] * 50, fps=25.0, per_s=2.0).timestamp_s) == 4


FRAMES = FrameTable.from_times(np.arange(30), np.arange(30) / 10, processed=np.ones(30, np.bool_))


def people(height: float, *, x: float = 100.0) -> DetectionTable:
    """One person in the frames of the second second."""
    frames = np.arange(10, 20)
    boxes = np.tile(np.array([x, 50, x + 20, 50 + height], np.float32), (10, 1))
    return DetectionTable(
        frames, frames / 10, np.full(10, "person", dtype=object), np.full(10, 0.9, np.float32), boxes, np.full(10, 1)
    )


def rows(images: ImageQuality | None, detections: DetectionTable):
    return quality_rows(FRAMES, images, detections, image_px=(640, 480), config=QualityConfig())


def test_each_second_has_what_makes_it_hard_to_see() -> None:
    times = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    light = np.array([100, 100, 20, 20, 100, 100], np.float32)
    blur = np.array([0.3, 0.3, 0.3, 0.3, 0.9, 0.9], np.float32)
    motion = np.array([np.nan, 0, 0, 0, 0.5, 0.5], np.float32)
    first, second, third = rows(ImageQuality(times, light, blur, motion), people(40.0))
    assert (first.begin_s, first.end_s, third.end_s) == (0.0, pytest.approx(1.0), pytest.approx(3.0))
    assert (first.dark, first.blurred, first.moving_camera, first.small, first.edge) == (False,) * 5
    assert (second.dark, second.small, second.edge) == (True, True, False)
    assert (third.dark, third.blurred, third.moving_camera) == (False, True, True)
    assert math.isnan(first.person_px) and second.person_px == 40.0


def test_people_at_an_edge_are_cut() -> None:
    assert rows(None, people(200.0, x=0.0))[1].edge
    assert not rows(None, people(200.0))[1].edge


def test_without_images_light_is_not_known() -> None:
    assert math.isnan(rows(None, people(200.0))[1].light)
    assert not rows(None, people(200.0))[1].dark


def moving(motion: list[float]):
    """The quality of as many seconds as there are motions of the camera."""
    n = len(motion)
    frames = FrameTable.from_times(np.arange(n), np.arange(n) + 0.0, processed=np.ones(n, np.bool_))
    still = np.full(n, 100.0, np.float32)
    images = ImageQuality(np.arange(n) + 0.5, still, np.full(n, 0.1, np.float32), np.array(motion, np.float32))
    nobody = DetectionTable.empty()
    return quality_rows(frames, images, nobody, image_px=(640, 480), config=QualityConfig())


def test_a_camera_that_moves_most_of_the_time_is_said_to_be_worn() -> None:
    [note] = moving_camera_notes(moving([0.2, 0.3, 0.0, 0.4, 0.2, 0.3, math.nan]), compensated=False)
    assert "--view ego" in note and "83%" in note


@pytest.mark.parametrize(
    ("motion", "compensated"),
    [
        ([0.0, 0.0, 0.3, 0.0, 0.0, 0.0], False),  # somebody bumped into the tripod
        ([0.3] * 6, True),  # it is known
        ([math.nan] * 9, False),  # nothing is known
        ([0.3] * 3, False),  # too short to tell
    ],
)
def test_a_camera_at_rest_is_not_said_to_be_worn(motion: list[float], compensated: bool) -> None:
    assert not list(moving_camera_notes(moving(motion), compensated=compensated))
