"""Checkpoints: weights and what is needed to rebuild the model, in one safe ``.pt`` file with a JSON sidecar."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo, read_info, sidecar_of
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.models.safe_loading import load_tensors
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath


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
