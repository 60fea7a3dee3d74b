"""Run a small network on many crops: as many requests at once as the machine computes best, and in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, openvino, read_graph

Floats = NDArray[np.float32]


class Network:
    """One model, compiled for this machine, for crops of uint8.

    Outputs that are not asked for are cut off with all layers that only they need.

    Args:
        path: a TFLite file with one input (1, S, S, 3), RGB.
        outputs: indices of the outputs to compute.
        low: value that the network expects for black; white is 1.

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """

    def __init__(self, path: Path, *, outputs: Sequence[int], low: float = 0.0) -> None:
        ov = openvino()
        graph = read_graph(path)
        results = [ov.op.Result(graph.outputs[index].get_node().input_value(0)) for index in outputs]
        graph = ov.Model(results, graph.get_parameters(), path.stem)
        self.side_px = int(graph.inputs[0].partial_shape[1].get_length())
        prepare = ov.preprocess.PrePostProcessor(graph)
        prepare.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        span = 255.0 / (1.0 - low)
        prepare.input().preprocess().convert_element_type(ov.Type.f32).mean(-low * span).scale(span)
        self._compiled = compile_graph(prepare.build(), hint="THROUGHPUT")
        self._queue = ov.AsyncInferQueue(self._compiled)
        self._n_outputs = len(outputs)

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
