"""FastestDet's output: boxes and scores by its authors' formulas, and the real graph where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.runtimes.fastestdet import FastestDetDetector, decode_cells

IMAGE_SIZE = (60, 80)


def test_one_cell_decodes_to_its_box() -> None:
    output = np.zeros((5 + 3, 2, 4), np.float32)
    # row 1, column 2: the centre half a cell to the right, a box of half the image's width and a quarter of its height
    output[0, 1, 2] = 0.81
    output[1, 1, 2] = np.arctanh(0.5)
    output[3, 1, 2], output[4, 1, 2] = 0.0, -np.log(3.0)
    output[6, 1, 2] = 0.64
    boxes, scores = decode_cells(output)
    best = int(scores.max(axis=1).argmax())
    assert best == 1 * 4 + 2 and scores[best].argmax() == 1
    assert scores[best, 1] == pytest.approx(0.81**0.6 * 0.64**0.4)
    x, y = 2.5 / 4, 1 / 2
    np.testing.assert_allclose(boxes[best], [x - 0.25, y - 0.125, x + 0.25, y + 0.125], atol=1e-6)


def test_the_real_graph_is_recognised_and_finds_people(shared_data: Path) -> None:
    graph = shared_data.parent / "models" / "FastestDet.onnx"
    if not graph.is_file():
        pytest.skip(f"not here: {graph}")
    detector = load_detector(graph)
    assert isinstance(detector, FastestDetDetector) and len(detector.categories) == 80
    [nothing] = detector.detect([np.zeros((*IMAGE_SIZE, 3), np.uint8)], min_confidence=0.5)
    assert len(nothing) == 0
