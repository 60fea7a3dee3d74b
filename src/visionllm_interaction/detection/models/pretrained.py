"""Weights to start from: torchvision's, a local file or a URL; loaded safely, matched by tensor and category name."""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.safe_loading import load_tensors
from visionllm_interaction.errors import CheckpointError, ServiceError
from visionllm_interaction.utils.hashing import sha256_file

State = Mapping[str, Tensor]
HEAD = "roi_heads.box_predictor."


def load_initial_weights(model: nn.Module, config: ModelConfig, *, categories: Categories) -> None:
    """Load the weights that ``config.weights`` names; rows of the last layer are matched by category name.

    Args:
        model: as of :func:`~visionllm_interaction.detection.models.faster_rcnn.build_model`; changed in place.
        config: of the detector.
        categories: in label order.

    Raises:
        CheckpointError: if a file is unreadable, unsafe, has another sha256 or fits no part of the model.
        ServiceError: if a download fails.
    """
    if config.weights == "none":
        return
    if config.weights == "default":
        enum = _official(config)
        state, names = _download(enum.url), list(enum.meta["categories"])
        _load_detector(model, state, names=names, categories=categories, where=enum.url)
    elif config.weights == "backbone":
        enum = get_model_weights(_backbone_name(config)).IMAGENET1K_V1
        _load_backbone(model, _download(enum.url), where=enum.url)
    else:
        _load_file(model, _local_file(config), categories=categories)


def _official(config: ModelConfig) -> Any:
    try:
        return get_model_weights(config.architecture).DEFAULT
    except ValueError as error:
        raise CheckpointError(
            "There are no official COCO weights for this architecture.",
            expected="one of torchvision's four Faster R-CNN architectures",
            found=config.architecture,
            where="model.weights",
            fix="set model.weights to backbone, none, or a file or URL",
        ) from error


def _backbone_name(config: ModelConfig) -> str:
    name = config.architecture.removeprefix("fasterrcnn_")
    return "mobilenet_v3_large" if name.startswith("mobilenet") else name.split("_")[0]


def _download(url: str) -> State:
    try:
        state: State = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise _unreachable(url, error) from error
    except RuntimeError as error:
        raise CheckpointError("A downloaded weights file is damaged.", found=str(error), where=url) from error
    return state


def _unreachable(url: str, error: OSError) -> ServiceError:
    return ServiceError(
        "Pretrained weights cannot be downloaded.",
        expected="a network connection, or the file in torch's cache (TORCH_HOME)",
        found=str(error),
        where=url,
        fix="set model.weights to none (from scratch), or to a local copy of the file",
    )


def _local_file(config: ModelConfig) -> Path:
    if config.weights.startswith(("http://", "https://")):
        path = Path(torch.hub.get_dir()) / "checkpoints" / f"{config.weights_sha256}.pt"
        if not path.is_file():
            _fetch(config.weights, path, sha256=config.weights_sha256)
    else:
        path = Path(config.weights)
    found = sha256_file(path) if config.weights_sha256 else None
    if found != config.weights_sha256:
        raise CheckpointError(
            "A weights file is not the expected one.",
            expected=f"sha256 {config.weights_sha256}",
            found=f"sha256 {found}",
            where=str(path),
        )
    return path


def _fetch(url: str, path: Path, *, sha256: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256, progress=False)
    except RuntimeError as error:
        raise CheckpointError(
            "A downloaded weights file is not the expected one.", found=str(error), where=url
        ) from error
    except OSError as error:
        raise _unreachable(url, error) from error


def _load_file(model: nn.Module, path: Path, *, categories: Categories) -> None:
    content = load_tensors(path)
    state = content.get("state_dict", content.get("model", content))
    names = [c["name"] for c in content.get("metadata", {}).get("categories", [])]
    if any(key.startswith("backbone.") for key in state):
        _load_detector(model, state, names=["__background__", *names], categories=categories, where=str(path))
    else:
        _load_backbone(model, state, where=str(path))


def _load_backbone(model: nn.Module, state: State, *, where: str) -> None:
    body = model.get_submodule("backbone.body")
    own = body.state_dict()
    stripped = {key.removeprefix("features."): value for key, value in state.items()}
    _require_match(own, stripped, where=where)
    body.load_state_dict({k: v for k, v in stripped.items() if k in own}, strict=False)


def _load_detector(model: nn.Module, state: State, *, names: Sequence[str], categories: Categories, where: str) -> None:
    own = model.state_dict()
    trunk = {key: value for key, value in state.items() if not key.startswith(HEAD)}
    _require_match({k: v for k, v in own.items() if not k.startswith(HEAD)}, trunk, where=where)
    model.load_state_dict(trunk, strict=False)
    _copy_head_rows(model, state, names=names, categories=categories)


def _require_match(own: State, given: State, *, where: str) -> None:
    # num_batches_tracked exists in batch norm but not in frozen batch norm; it carries no weight
    wanted = {key for key in own if not key.endswith("num_batches_tracked")}
    wrong = sorted(key for key in wanted if key not in given or given[key].shape != own[key].shape)
    if wrong:
        raise CheckpointError(
            "The weights do not fit this model.",
            expected=f"{len(wanted)} tensors of the model's shapes",
            found=f"{len(wrong)} missing or of another shape, for example {', '.join(wrong[:3])}",
            where=where,
            fix="use the model section the weights were trained with",
        )


@torch.no_grad()
def _copy_head_rows(model: nn.Module, state: State, *, names: Sequence[str], categories: Categories) -> None:
    """Rows of the last layer move by category name; a category the weights do not know keeps its random row."""
    old_label = {name: label for label, name in enumerate(names)}
    pairs = [(0, 0), *((c.label, old_label[c.name]) for c in categories if c.name in old_label)]
    predictor: Any = model.get_submodule(HEAD.rstrip("."))
    for layer, rows in ((predictor.cls_score, 1), (predictor.bbox_pred, 4)):
        key = HEAD + ("cls_score" if rows == 1 else "bbox_pred")
        if f"{key}.weight" not in state or state[f"{key}.weight"].shape[1] != layer.weight.shape[1]:
            continue
        for new, old in pairs:
            source = slice(old * rows, (old + 1) * rows)
            layer.weight[new * rows : (new + 1) * rows] = state[f"{key}.weight"][source]
            layer.bias[new * rows : (new + 1) * rows] = state[f"{key}.bias"][source]
