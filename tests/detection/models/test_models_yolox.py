"""YOLOX from ONNX: decoding, categories, refusals, and the real thing on a real image."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from constant_yolox import CELLS, SIDE, write_graph

from visionllm_interaction.detection.evaluation.evaluate import evaluate_checkpoint
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.runtimes.yolox import (
    coco_categories,
    decode_grid,
    grid_cells,
    letterbox,
    select_detections,
)
from visionllm_interaction.errors import CheckpointError


def name_two(path: Path) -> None:
    names = [{"category_id": 3, "name": "cup"}, {"category_id": 8, "name": "ball"}]
    path.with_name(path.name + ".json").write_text(json.dumps({"categories": names}))


def test_a_graph_with_named_categories_detects_in_picture_pixels(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "mine.onnx", outputs=7)
    name_two(path)
    detector = load_detector(path)
    assert detector.categories.names == ("cup", "ball")
    # 64 pixels wide: scaled by a half, so boxes come back twice as large; cell 5 of stride 8 is column 1, row 1
    wide = np.zeros((48, 64, 3), np.uint8)
    [found] = detector.detect([wide])
    np.testing.assert_allclose(found.boxes_xyxy, [[(12 - 8) * 2, (12 - 4) * 2, (12 + 8) * 2, (12 + 4) * 2]])
    np.testing.assert_allclose(found.confidences, [0.9], rtol=1e-6)
    assert found.labels.tolist() == [2]
    assert len(detector.detect([wide, wide], min_confidence=0.95)[1]) == 0


def test_several_images_keep_their_order(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "mine.onnx", outputs=7)
    name_two(path)
    detector = load_detector(path)
    images = [np.zeros((48, 64 * (1 + n % 3), 3), np.uint8) for n in range(9)]
    together = detector.detect(images)
    for image, found in zip(images, together, strict=True):
        np.testing.assert_array_equal(found.boxes_xyxy, detector.detect([image])[0].boxes_xyxy)
    assert len({float(found.boxes_xyxy[0, 2]) for found in together}) == 3


def test_other_names_are_another_detector(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "mine.onnx", outputs=7)
    name_two(path)
    before = load_detector(path).digest
    names = path.with_name("mine.onnx.json")
    names.write_text(names.read_text().replace("cup", "mug"))
    assert load_detector(path).digest != before


@pytest.mark.parametrize(
    ("outputs", "cells", "words"),
    [
        (7, CELLS, "do not fit"),  # two classes, but no file that names them: COCO has 80
        (7, 20, "not a detector this program knows"),  # rows that no grid of this input gives
    ],
)
def test_graphs_that_cannot_be_decoded_are_refused(tmp_path: Path, outputs: int, cells: int, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_detector(write_graph(tmp_path / "odd.onnx", outputs=outputs, cells=cells))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x07 nothing of the kind")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_detector(tmp_path / "bad.onnx")
    with pytest.raises(CheckpointError, match="There is no detector at this path"):
        load_detector(tmp_path / "missing.onnx")


def test_letterbox_fills_below_and_to_the_right_with_grey_and_swaps_channels() -> None:
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 200
    pixels, scale = letterbox(red, side_px=32)
    assert (pixels.shape, scale) == ((1, 3, 32, 32), 1.6)
    assert (pixels[0, 2, :16] == 200).all()
    assert (pixels[0, :2, :16] == 0).all()
    assert (pixels[0, :, 16:] == 114).all()


def test_cells_come_finest_first_row_by_row() -> None:
    cells = grid_cells(SIDE)
    assert len(cells) == CELLS
    assert cells[[1, 4, 16, 20]].tolist() == [[1, 0, 8], [0, 1, 8], [0, 0, 16], [0, 0, 32]]
    boxes, scores = decode_grid(np.array([[0.25, 0.5, 0.0, np.log(3.0), 0.5, 0.8]] * CELLS, np.float32), cells)
    np.testing.assert_allclose(boxes[1], [10 - 4, 4 - 12, 10 + 4, 4 + 12], rtol=1e-6)
    np.testing.assert_allclose(scores[:, 0], 0.4, rtol=1e-6)


def test_suppression_is_within_categories() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10]], np.float32)
    scores = np.array([[0.9, 0], [0.8, 0], [0, 0.7]], np.float32)
    found = select_detections(boxes, scores, min_confidence=0.1)
    assert found.labels.tolist() == [1, 2]


def test_coco_names_carry_cocos_ids() -> None:
    categories = coco_categories()
    assert len(categories) == 80
    assert (categories.by_name["person"].category_id, categories.by_name["toothbrush"].category_id) == (1, 90)


@pytest.mark.slow
def test_yolox_nano_keeps_its_quality_on_real_pictures() -> None:
    data = Path(os.environ.get("VISIONLLM_TEST_DATA", "/nowhere"))
    model = data.parent / "models" / "yolox_nano.onnx"
    if not model.is_file():
        pytest.skip("needs VISIONLLM_TEST_DATA")
    figures = evaluate_checkpoint(model, data / "coco-mini/annotations/instances_val2017.json")
    assert figures["AP"] > 0.28  # the figure of YOLOX's own code on these images is 0.283
