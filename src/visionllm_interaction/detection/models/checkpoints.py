"""Checkpoints: weights and what is needed to rebuild the model, in one safe ``.pt`` file with a JSON sidecar."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from visionllm_interaction import __version__
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.models.safe_loading import load_tensors
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath

FORMAT = "visionllm-detector"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says about itself, besides the weights.

    Attributes:
        model: the section the model was built from.
        categories: in label order.
        training_manifest_sha256: digest of the training manifest, the link back to the data.
        epoch: epochs completed.
        metrics: on the validation split (``AP``, ``AP50`` …); empty if it was not evaluated.
    """

    model: ModelConfig
    categories: Categories
    training_manifest_sha256: str | None = None
    epoch: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, as stored in the file and in the sidecar."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "package_version": __version__,
            "model": self.model.model_dump(mode="json"),
            "categories": [asdict(category) for category in self.categories],
            "training_manifest_sha256": self.training_manifest_sha256,
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
        }


def save_checkpoint(path: StrPath, state: Mapping[str, Tensor], *, info: CheckpointInfo) -> None:
    """Write ``path`` and its sidecar ``path`` + ``.json``, each atomically."""
    path = Path(path)
    # cloned into one layout, because channels-last strides would make the bytes depend on how the model was run
    tensors = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in state.items()}
    buffer = io.BytesIO()
    torch.save({"state_dict": tensors, "metadata": info.to_dict()}, buffer)
    write_file(path, buffer.getvalue())
    write_file(sidecar_of(path), json.dumps(info.to_dict(), indent=2).encode())


def save_safetensors(path: Path, model: nn.Module, info: CheckpointInfo) -> None:
    """Write the weights as ``.safetensors`` with the description in its header, and the sidecar."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write_file(path, safetensors.torch.save(tensors, {"visionllm": json.dumps(info.to_dict())}))
    write_file(sidecar_of(path), json.dumps(info.to_dict(), indent=2).encode())


def sidecar_of(path: Path) -> Path:
    """The JSON file beside a checkpoint."""
    return path.with_name(path.name + ".json")


def load_checkpoint(path: StrPath) -> tuple[nn.Module, CheckpointInfo]:
    """Load a model and its description.

    Args:
        path: ``.pt`` or ``.safetensors``.

    Returns:
        The model (evaluation mode, CPU) and its description.

    Raises:
        CheckpointError: if the file is missing, truncated or unsafe, is no checkpoint of this program, or its parts
            contradict each other.
    """
    path = Path(path)
    content = _load_safetensors(path) if path.suffix.lower() == ".safetensors" else load_tensors(path)
    info = read_info(content.get("metadata"), path)
    model = build_model(info.model, num_classes=len(info.categories) + 1)
    try:
        model.load_state_dict(content["state_dict"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(
            "The weights in a checkpoint do not fit the model it describes.",
            expected=f"weights of {info.model.architecture} for {len(info.categories)} categories",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="train again, or restore the file from a backup",
        ) from error
    model.eval()
    return model, info


def _load_safetensors(path: Path) -> dict[str, Any]:
    try:
        with safetensors.safe_open(path, framework="pt") as stream:
            metadata = json.loads((stream.metadata() or {}).get("visionllm", "null"))
            return {"state_dict": {key: stream.get_tensor(key) for key in stream.keys()}, "metadata": metadata}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            "A checkpoint cannot be loaded.",
            expected="a complete .safetensors file",
            found=str(error),
            where=str(path),
            fix="export it again, or restore the file from a backup",
        ) from error


def read_info(metadata: Any, path: Path) -> CheckpointInfo:
    """Check and parse the description stored in a checkpoint.

    Args:
        metadata: as read from the file.
        path: of the file, for the error.

    Returns:
        The description.

    Raises:
        CheckpointError: if it is missing, damaged or of another format version.
    """
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise _not_ours(path, "no description of the model in it")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise _not_ours(path, f"format version {metadata.get('format_version')}")
    try:
        return CheckpointInfo(
            model=ModelConfig.model_validate(metadata["model"]),
            categories=Categories.from_pairs((c["category_id"], c["name"]) for c in metadata["categories"]),
            training_manifest_sha256=metadata["training_manifest_sha256"],
            epoch=metadata["epoch"],
            metrics=metadata["metrics"],
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise _not_ours(path, f"a damaged description ({' '.join(str(error).split())[:200]})") from error


def _not_ours(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        "This file is not a detector checkpoint of this program.",
        expected=f"a checkpoint in format {FORMAT} {FORMAT_VERSION}, as training writes it",
        found=found,
        where=str(path),
        fix="give fasterrcnn_best.pt of a training run; a plain state dict can only be used as model.weights",
    )
