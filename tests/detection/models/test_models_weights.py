"""Weights to start from: torchvision's cache, files, a local server; rows of the last layer by category name."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from tiny_model import TOYS, tiny

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models import build_model, build_pretrained, save_checkpoint
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.errors import CheckpointError, ServiceError
from visionllm_interaction.utils.hashing import sha256_file

MOBILE = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch cache, and no way out to any network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which it is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """A checkpoint of a tiny detector for ball, cup and child."""
    torch.manual_seed(1)
    path = tmp_path / "start.pt"
    save_checkpoint(path, build_model(tiny(), num_classes=4).state_dict(), info=CheckpointInfo(tiny(), TOYS))
    return path


def test_default_weights_come_from_torchs_cache_and_keep_the_rows_of_known_names(cache: Path) -> None:
    weights = torchvision.models.get_model_weights(MOBILE).DEFAULT
    torch.manual_seed(0)
    official = getattr(torchvision.models.detection, MOBILE)(weights=None, weights_backbone=None, num_classes=91)
    torch.save(official.state_dict(), cache / weights.url.rsplit("/", 1)[1])
    mine = Categories.from_pairs([(1, "teddy bear"), (2, "person"), (3, "caregiver")])
    model = build_pretrained(ModelConfig.model_validate({"architecture": MOBILE}), categories=mine)
    old, new = official.roi_heads.box_predictor, model.roi_heads.box_predictor
    names = weights.meta["categories"]
    for label, name in ((0, "__background__"), (1, "teddy bear"), (2, "person")):
        row = names.index(name)
        assert torch.equal(new.cls_score.weight[label], old.cls_score.weight[row])
        assert torch.equal(new.bbox_pred.bias[4 * label : 4 * label + 4], old.bbox_pred.bias[4 * row : 4 * row + 4])
    assert not (old.cls_score.weight == new.cls_score.weight[3]).all(dim=1).any()  # caregiver is new: a fresh row
    assert torch.equal(model.backbone.body["0"][0].weight, official.backbone.body["0"][0].weight)


@pytest.mark.parametrize("weights", ["default", "backbone"])
def test_without_network_the_remedy_is_named(cache: Path, weights: str) -> None:
    config = ModelConfig.model_validate({"architecture": MOBILE, "weights": weights})
    with pytest.raises(ServiceError, match=r"set model.weights to none") as caught:
        build_pretrained(config, categories=TOYS)
    assert caught.value.exit_code == 4


def test_backbone_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = torchvision.models.resnet18(weights=None)
    path = tmp_path / "resnet18.pth"
    torch.save(classifier.state_dict(), path)
    model = build_pretrained(tiny(weights=str(path), normalization="batch"), categories=TOYS)
    assert torch.equal(model.backbone.body.layer3[1].conv2.weight, classifier.layer3[1].conv2.weight)


def test_weights_from_a_server_are_checked_and_kept(cache: Path, server: tuple[Path, str], tiny_file: Path) -> None:
    folder, address = server
    (folder / "start.pt").write_bytes(tiny_file.read_bytes())
    config = tiny(weights=f"{address}/start.pt", weights_sha256=sha256_file(tiny_file), normalization="batch")
    reordered = Categories.from_pairs([(1, "child"), (2, "ball")])
    model = build_pretrained(config, categories=reordered)
    start = torch.load(tiny_file, weights_only=True)["state_dict"]
    rows = model.roi_heads.box_predictor.cls_score.weight
    assert torch.equal(rows, start["roi_heads.box_predictor.cls_score.weight"][[0, 3, 1]])
    (folder / "start.pt").unlink()
    build_pretrained(config, categories=reordered)  # from the cache


def test_weights_with_another_digest_are_refused(cache: Path, server: tuple[Path, str], tiny_file: Path) -> None:
    folder, address = server
    (folder / "start.pt").write_bytes(tiny_file.read_bytes())
    for where in (f"{address}/start.pt", str(tiny_file)):
        with pytest.raises(CheckpointError, match="not the expected one"):
            build_pretrained(tiny(weights=where, weights_sha256="0" * 64), categories=TOYS)
    assert not list(cache.iterdir())


def test_a_server_that_is_away_or_lacks_the_file(cache: Path, server: tuple[Path, str]) -> None:
    for where in ("http://127.0.0.1:9/start.pt", f"{server[1]}/absent.pt"):
        with pytest.raises(ServiceError, match="cannot be downloaded"):
            build_pretrained(tiny(weights=where, weights_sha256="0" * 64), categories=TOYS)


def test_weights_of_another_model_are_refused(tiny_file: Path) -> None:
    wider = tiny(weights=str(tiny_file), fpn_channels=32, normalization="batch")
    with pytest.raises(CheckpointError, match="do not fit this model"):
        build_pretrained(wider, categories=TOYS)
