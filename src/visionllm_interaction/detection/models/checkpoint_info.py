"""The description of a checkpoint: what its weights belong to. Reading it takes no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from visionllm_interaction import __version__
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.errors import CheckpointError

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


def sidecar_of(path: Path) -> Path:
    """The JSON file beside a checkpoint."""
    return path.with_name(path.name + ".json")


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
