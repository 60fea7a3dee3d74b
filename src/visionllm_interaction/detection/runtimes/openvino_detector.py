"""A Detector that runs an exported Faster R-CNN with OpenVINO on the CPU, in float32 or with int8 layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops.poolers import LevelMapper

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.export.trunk_and_box_head import GraphShapes
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo, read_info
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.detection.runtimes.torch_detector import image_to_tensor, to_detections
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.path_type import StrPath

DESCRIPTION_NAME = "detector.json"
TRUNK_NAME = "trunk.xml"
BOXES_NAME = "boxes.xml"
CANONICAL_LEVEL = 4


ALGORITHM_VERSION = 1
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("openvino", ALGORITHM_VERSION, libraries=("openvino", "torch", "torchvision"))


@dataclass(frozen=True, eq=False)
class OpenvinoDetector:
    """Runs the two graphs, one image at a time; anchors, proposals and suppression are torchvision's.

    Attributes:
        trunk: compiled, see :class:`~visionllm_interaction.detection.export.trunk_and_box_head.TrunkGraph`.
        box_head: compiled, see :class:`~visionllm_interaction.detection.export.trunk_and_box_head.BoxHeadGraph`.
        parts: a torchvision Faster R-CNN of which only the parts without weights are used.
        shapes: of inputs and outputs.
        info: description of the checkpoint.
        digest: sha256 over the files.
        precision: ``float32`` or ``int8``.
    """

    trunk: Any
    box_head: Any
    parts: Any
    shapes: GraphShapes
    info: CheckpointInfo
    digest: str
    precision: str

    @property
    def categories(self) -> Categories:
        """The categories it can find, in label order."""
        return self.info.categories

    @property
    def name(self) -> str:
        """Architecture and number format."""
        return f"{self.info.model.architecture} (OpenVINO, {self.precision})"

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        with torch.inference_mode():
            return [to_detections(self._detect_one(image), min_confidence=min_confidence) for image in images_rgb]

    def _detect_one(self, image_rgb: NDArray[np.uint8]) -> dict[str, Tensor]:
        batch = self.scaled(image_to_tensor(image_rgb))
        levels, proposals = self.propose(batch)
        logits, codes = self._classify(levels, proposals)
        heads = self.parts.roi_heads
        boxes, scores, labels = heads.postprocess_detections(logits, codes, [proposals], batch.image_sizes)
        found = [{"boxes": boxes[0], "labels": labels[0], "scores": scores[0]}]
        result: dict[str, Tensor] = self.parts.transform.postprocess(found, batch.image_sizes, [image_rgb.shape[:2]])[0]
        return result

    def scaled(self, image: Tensor) -> Any:
        """One image (3, H, W) uint8 → torchvision's ``ImageList``: normalised, scaled, padded."""
        return self.parts.transform([image.float().div_(255)])[0]

    def propose(self, batch: Any) -> tuple[list[Tensor], Tensor]:
        """Pyramid levels that have RoIs, and proposals (n, 4) in pixels of the scaled image."""
        outputs = self.trunk(batch.tensors.numpy(), share_inputs=True, share_outputs=True)
        tensors = [torch.from_numpy(outputs[n]) for n in range(len(outputs))]
        count = self.shapes.proposal_levels
        levels, objectness, deltas = tensors[:count], tensors[count : 2 * count], tensors[2 * count :]
        rpn = self.parts.rpn
        anchors = rpn.anchor_generator(batch, levels)
        per_level = [int(o[0].numel()) for o in objectness]
        flat_objectness, flat_deltas = concat_box_prediction_layers(objectness, deltas)
        decoded = rpn.box_coder.decode(flat_deltas, anchors).view(1, -1, 4)
        proposals, _ = rpn.filter_proposals(decoded, flat_objectness, batch.image_sizes, per_level)
        return levels[: len(self.shapes.scales)], proposals[0]

    def _classify(self, levels: list[Tensor], proposals: Tensor) -> tuple[Tensor, Tensor]:
        rois, order = self.rois_by_level(proposals)
        outputs = self.box_head([t.numpy() for t in (*levels, *rois)], share_inputs=True)
        back = torch.argsort(order)
        return torch.from_numpy(outputs[0])[back], torch.from_numpy(outputs[1])[back]

    def rois_by_level(self, proposals: Tensor) -> tuple[list[Tensor], Tensor]:
        """RoIs (n_l, 5) per level, and the numbers of the proposals in that order (Lin et al., 2017, equation 1)."""
        pooler, scales = self.parts.roi_heads.box_roi_pool, self.shapes.scales
        low, high = (int(-np.log2(scale)) for scale in (scales[0], scales[-1]))
        level = LevelMapper(low, high, pooler.canonical_scale, CANONICAL_LEVEL)([proposals])
        numbers = [torch.nonzero(level == n).flatten() for n in range(len(scales))]
        return [torch.nn.functional.pad(proposals[n], (1, 0)) for n in numbers], torch.cat(numbers)


def load_openvino(folder: StrPath) -> OpenvinoDetector:
    """Load a folder written by ``visionllm export-model --to openvino`` or ``openvino-int8``.

    Args:
        folder: with ``detector.json`` and the two graphs.

    Returns:
        The detector.

    Raises:
        CheckpointError: if a file is missing or damaged, or they do not belong together.
        UsageError: if OpenVINO is not installed.
    """
    folder = Path(folder)
    description = _read_description(folder)
    for name, digest in description["files"].items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            raise _damaged(folder, f"{name} is missing or changed")
    info = read_info(description, folder / DESCRIPTION_NAME)
    return assemble(
        info,
        GraphShapes(tuple(description["scales"]), description["proposal_levels"], info.model.fpn_channels),
        trunk=read_graph(folder / TRUNK_NAME),
        box_head=read_graph(folder / BOXES_NAME),
        digest=sha256_value(description["files"]),
        precision=description["precision"],
    )


def assemble(
    info: CheckpointInfo,
    shapes: GraphShapes,
    *,
    trunk: Any,
    box_head: Any,
    digest: str = "",
    precision: str = "float32",
) -> OpenvinoDetector:
    """Make a detector from its two graphs, compiled for this machine.

    Args:
        info: description of the checkpoint.
        shapes: of inputs and outputs of the graphs.
        trunk: OpenVINO's ``Model`` of the trunk.
        box_head: OpenVINO's ``Model`` of the box head.
        digest: sha256 over the files; empty if there are none.
        precision: ``float32`` or ``int8``.

    Returns:
        The detector.
    """
    parts: Any = build_model(info.model, num_classes=len(info.categories) + 1).eval()
    parts.backbone = parts.rpn.head = parts.roi_heads.box_head = parts.roi_heads.box_predictor = None
    return OpenvinoDetector(
        trunk=compile_graph(trunk),
        box_head=compile_graph(box_head),
        parts=parts,
        shapes=shapes,
        info=info,
        digest=digest,
        precision=precision,
    )


def _read_description(folder: Path) -> dict[str, Any]:
    try:
        description = json.loads((folder / DESCRIPTION_NAME).read_bytes())
        missing = {"files", "scales", "proposal_levels", "precision"} - description.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise _damaged(folder, f"{DESCRIPTION_NAME}: {error}") from error
    if missing:
        raise _damaged(folder, f"{DESCRIPTION_NAME} without {', '.join(sorted(missing))}")
    return dict(description)


def _damaged(folder: Path, found: str) -> CheckpointError:
    return CheckpointError(
        "This folder holds no complete exported detector.",
        expected=f"{DESCRIPTION_NAME}, {TRUNK_NAME}, {BOXES_NAME} and their .bin files, as exported",
        found=found,
        where=str(folder),
        fix="export the checkpoint again",
    )
