"""Run a small network on many crops: as many requests at once as the machine computes best, and in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, openvino, read_graph

Floats = NDArray[np.float32]

_CHANNELS = 3
_ACTIVATIONS = ("Clamp", "Relu")


class Network:
    """One model, compiled for this machine, for crops of uint8.

    Outputs that are not asked for are cut off with all layers that only they need.

    Args:
        path: a TFLite or ONNX file with one input (1, S, S, 3) or (1, 3, S, S), RGB.
        outputs: indices of the outputs to compute.
        low: value that the network expects for black; white is 1.
        mean_rgb: in place of ``low``: the levels (0 to 255) that the network expects to be subtracted …
        divisor: … and what it expects the rest to be divided by.
        pooled: channels and side of a layer inside the network; the mean of each channel of the last such layer is one
            more output, the last one, (1, channels).

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """

    def __init__(
        self,
        path: Path,
        *,
        outputs: Sequence[int],
        low: float = 0.0,
        mean_rgb: Sequence[float] | None = None,
        divisor: float = 255.0,
        pooled: tuple[int, int] | None = None,
    ) -> None:
        ov = openvino()
        graph = read_graph(path)
        results = [ov.op.Result(graph.outputs[index].get_node().input_value(0)) for index in outputs]
        tap = None if pooled is None else _pooled(graph, *pooled)
        self.has_pooled = tap is not None
        """Whether the network has the layer that was asked for."""
        results += [] if tap is None else [tap]
        graph = ov.Model(results, graph.get_parameters(), path.stem)
        self.side_px = int(graph.inputs[0].partial_shape[2].get_length())
        layout = "NCHW" if graph.inputs[0].partial_shape[1] == _CHANNELS else "NHWC"
        shape = [1, _CHANNELS, self.side_px, self.side_px] if layout == "NCHW" else [1, self.side_px, self.side_px, 3]
        graph.reshape(shape)
        prepare = ov.preprocess.PrePostProcessor(graph)
        prepare.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        prepare.input().model().set_layout(ov.Layout(layout))
        span = 255.0 / (1.0 - low)
        mean, scale = (-low * span, span) if mean_rgb is None else (list(mean_rgb), divisor)
        prepare.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(scale)
        self._compiled = compile_graph(prepare.build(), hint="THROUGHPUT")
        self._queue = ov.AsyncInferQueue(self._compiled)
        self._n_outputs = len(results)

    def run(self, crops: Iterable[NDArray[np.uint8]]) -> list[tuple[Floats, ...]]:
        """Run the network on each crop.

        Args:
            crops: (S, S, 3) uint8 each; they are taken one by one while earlier ones are computed.

        Returns:
            For each crop its outputs, without the dimension of the batch.
        """
        found: dict[int, tuple[Floats, ...]] = {}

        def keep(request: Any, index: int) -> None:
            found[index] = tuple(request.get_output_tensor(n).data[0].copy() for n in range(self._n_outputs))

        self._queue.set_callback(keep)
        for index, crop in enumerate(crops):
            self._queue.start_async({0: crop[None]}, index)
        self._queue.wait_all()
        return [found[index] for index in range(len(found))]


def _pooled(graph: Any, channels: int, side: int) -> Any | None:
    """An output with the mean of each channel of the last activation of a shape; None if there is no such layer."""
    ov = openvino()
    shapes = {(1, channels, side, side): (2, 3), (1, side, side, channels): (1, 2)}
    found = None
    for node in graph.get_ordered_ops():
        if node.get_type_name() in _ACTIVATIONS and node.output(0).partial_shape.is_static:
            axes = shapes.get(tuple(node.output(0).shape))
            found = (node, axes) if axes else found
    if found is None:
        return None
    node, axes = found
    return ov.op.Result(ov.opset13.reduce_mean(node.output(0), np.array(axes), False).output(0))
