"""A checkpoint in other formats: ONNX, OpenVINO in float32 or int8, safetensors; each compared with the original."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from visionllm_interaction.detection.export.parity import Parity, compare_detectors
from visionllm_interaction.detection.export.trunk_and_box_head import BoxHeadGraph, GraphShapes, TrunkGraph
from visionllm_interaction.detection.models.checkpoint_info import sidecar_of
from visionllm_interaction.detection.models.checkpoints import load_checkpoint, save_safetensors
from visionllm_interaction.detection.runtimes._openvino_import import openvino
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.detection.runtimes.openvino_detector import DESCRIPTION_NAME, OpenvinoDetector, assemble
from visionllm_interaction.detection.runtimes.torch_detector import image_to_tensor
from visionllm_interaction.errors import UsageError, VisionLLMError
from visionllm_interaction.utils.atomic_files import publish_folder, write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

Target = Literal["onnx", "openvino", "openvino-int8", "safetensors"]
Images = Sequence[NDArray[np.uint8]]
"""(H, W, 3) uint8 RGB each."""

OPSET = 17
MIN_MATCHED = 0.99
"""Share of detections a float32 export must have in common with the original."""


@dataclass(frozen=True)
class DetectorExport:
    """What was exported, and how well it agrees with the original.

    Attributes:
        target: the format.
        path: file or folder.
        source_sha256: of the checkpoint.
        precision: number format of its layers.
        parity: of detections with the original's.
    """

    target: Target
    path: Path
    source_sha256: str
    precision: Literal["float32", "int8"]
    parity: Parity

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``visionllm export-model --json`` prints them."""
        return {**asdict(self), "path": str(self.path), "parity": self.parity.to_dict()}


def export_checkpoint(
    checkpoint: StrPath, target: Target, out: StrPath, *, images: Images, calibration: Images = ()
) -> DetectorExport:
    """Write a checkpoint in another format and compare what both detect.

    Args:
        checkpoint: ``.pt`` or ``.safetensors``.
        target: the format.
        out: a new file, or a new folder for OpenVINO.
        images: to compare detections on.
        calibration: for int8, images like those it will see: a hundred or more, none of them from the validation split.

    Returns:
        What was written, and the comparison.

    Raises:
        CheckpointError: if the checkpoint cannot be used.
        UsageError: if a library is not installed, ``out`` exists, or calibration images are missing.
        VisionLLMError: if a float32 export detects something else than the original.
    """
    checkpoint = Path(checkpoint)
    out = Path(out)
    if target == "openvino-int8" and not calibration:
        raise UsageError(
            "int8 needs images to calibrate with.",
            expected="training images like those the detector will see",
            found="none",
            fix="give --data training_manifest.yaml",
        )
    if out.exists():
        raise UsageError(
            "The export exists already.", expected="a new path", found=str(out), fix="choose another --out"
        )
    if target.startswith("openvino"):
        _write_openvino(checkpoint, out, calibration=calibration if target == "openvino-int8" else ())
    elif target == "onnx":
        _write_onnx(checkpoint, out)
    else:
        save_safetensors(out, *load_checkpoint(checkpoint))
    parity = compare_detectors(load_detector(checkpoint, device="cpu"), load_detector(out, device="cpu"), images)
    if target != "openvino-int8" and parity.matched < MIN_MATCHED:
        raise _differs(out, parity)
    precision: Literal["float32", "int8"] = "int8" if target == "openvino-int8" else "float32"
    return DetectorExport(target, out, sha256_file(checkpoint), precision, parity)


def _differs(out: Path, parity: Parity) -> VisionLLMError:
    return VisionLLMError(
        "The exported detector does not detect what the original detects.",
        expected=f"at least {MIN_MATCHED:.0%} of the detections in common",
        found=f"{parity.matched:.1%} of {parity.detections}",
        where=str(out),
        fix="keep the checkpoint as it is, and report this",
    )


def _write_openvino(checkpoint: Path, out: Path, *, calibration: Images) -> None:
    model, info = load_checkpoint(checkpoint)
    shapes = GraphShapes.measure(model)
    trunk, box_head = convert_trunk(model), convert_box_head(model, shapes)
    if calibration:
        exact = assemble(info, shapes, trunk=trunk, box_head=box_head)
        trunk = quantize(trunk, calibration, partial(_trunk_input, exact))
        box_head = quantize(box_head, calibration, partial(_box_head_input, exact))
    with publish_folder(out) as folder:
        for graph, name in ((trunk, "trunk"), (box_head, "boxes")):
            openvino().save_model(graph, folder / f"{name}.xml", compress_to_fp16=False)
        description = {
            **info.to_dict(),
            "precision": "int8" if calibration else "float32",
            "source_sha256": sha256_file(checkpoint),
            "scales": shapes.scales,
            "proposal_levels": shapes.proposal_levels,
            "files": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
        }
        (folder / DESCRIPTION_NAME).write_text(json.dumps(description, indent=2), encoding="utf-8")


def convert_trunk(model: Any) -> Any:
    """The trunk as an OpenVINO graph for images of any size."""
    graph = _convert(TrunkGraph(model), torch.rand(1, 3, 256, 320))
    graph.reshape({0: [1, 3, -1, -1]})
    return graph


def convert_box_head(model: Any, shapes: GraphShapes) -> Any:
    """The box head as an OpenVINO graph for any pyramid size and number of RoIs."""
    graph = _convert(BoxHeadGraph(model, shapes.scales), shapes.example_boxes())
    count = len(shapes.scales)
    levels = {n: [1, shapes.channels, -1, -1] for n in range(count)}
    graph.reshape(levels | {count + n: [-1, 5] for n in range(count)})
    return graph


def _convert(module: torch.nn.Module, example: Any) -> Any:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's own deprecations and remarks
        return openvino().convert_model(module.eval(), example_input=example)


def quantize(graph: Any, images: Images, to_input: Callable[[NDArray[np.uint8]], Any]) -> Any:
    """Quantise a graph to int8 after training, without fine-tuning.

    Args:
        graph: OpenVINO's ``Model``.
        images: (H, W, 3) uint8 RGB each; the ranges of values are measured on them.
        to_input: image → inputs of the graph.

    Returns:
        The graph with int8 layers.

    Source: Jacob et al., Quantization and Training of Neural Networks, 2018.
    """
    openvino()  # first, so that NNCF finds usage reports switched off
    # its progress bars go to stdout, where only results belong
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        import nncf

        nncf.set_log_level(logging.ERROR)
        # inputs are made one at a time: a hundred pyramids of large images would fill the memory
        dataset = nncf.Dataset(list(images), to_input)
        return nncf.quantize(graph, dataset, subset_size=len(images), preset=nncf.QuantizationPreset.MIXED)


def _trunk_input(detector: OpenvinoDetector, image_rgb: NDArray[np.uint8]) -> Any:
    return detector.scaled(image_to_tensor(image_rgb)).tensors.numpy()


def _box_head_input(detector: OpenvinoDetector, image_rgb: NDArray[np.uint8]) -> Any:
    with torch.inference_mode():
        levels, proposals = detector.propose(detector.scaled(image_to_tensor(image_rgb)))
        rois, _ = detector.rois_by_level(proposals)
    return [tensor.numpy().copy() for tensor in (*levels, *rois)]


def _write_onnx(checkpoint: Path, out: Path) -> None:
    model, info = load_checkpoint(checkpoint)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks on control flow, which torchvision has prepared for it
        torch.onnx.export(
            model,
            ([torch.rand(3, 240, 320)],),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=["picture"],
            output_names=["boxes", "labels", "scores"],
            dynamic_axes={
                "picture": {1: "height", 2: "width"},
                "boxes": {0: "n"},
                "labels": {0: "n"},
                "scores": {0: "n"},
            },
        )
    write_file(out, buffer.getvalue())
    description = {**info.to_dict(), "source_sha256": sha256_file(checkpoint)}
    write_file(sidecar_of(out), json.dumps(description, indent=2).encode())
