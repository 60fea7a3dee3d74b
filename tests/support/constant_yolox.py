"""A YOLOX graph that finds the same box in every image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
SIDE = 32
CELLS = 16 + 4 + 1


def write_graph(path: Path, *, outputs: int, cells: int = CELLS) -> Path:
    """An ONNX file whose output is constant: one confident box (class 2) in cell 5, whatever the image."""
    raw = np.zeros((1, cells, outputs), np.float32)
    raw[0, 5] = [0.5, 0.5, np.log(2.0), 0.0, 1.0, *([0.0] * (outputs - 5))]
    raw[0, 5, 6] = 0.9
    helper = onnx.helper
    nodes = [
        helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["raw", "nothing"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fixed",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, list(raw.shape))],
        [onnx.numpy_helper.from_array(raw, "raw"), onnx.numpy_helper.from_array(np.float32(0), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path
