"""What the container and the cluster tests share."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.utils.hashing import sha256_file

REPO = Path(__file__).resolve().parents[2]

STAGE_FILES = (
    *STAGE_MANIFESTS.values(),
    "data_transformation/annotations/instances_train2017.cleaned.json",
    "data_transformation/annotations/instances_val2017.cleaned.json",
    "model_trainer/fasterrcnn_best.pt",
    "model_trainer/fasterrcnn_last.pt",
)
"""What stages 1-4 leave behind, in the run's folder."""

_TINY = {
    "model.architecture": "fasterrcnn_resnet18_fpn",
    "model.weights": "none",
    "model.min_size": 96,
    "model.max_size": 128,
    "model.fpn_channels": 32,
    "model.box_head_width": 64,
    "train.batch_size": 4,
    "train.workers": 0,
}


def tiny_training(*, epochs: int) -> list[str]:
    """Overrides under which an epoch takes seconds; what is learned does not matter here."""
    return [part for key, value in {**_TINY, "train.epochs": epochs}.items() for part in ("-o", f"{key}={value}")]


def assert_complete_run(artifacts: Path) -> Path:
    """The one run in ``artifacts``; fails unless stages 1-4 are there and every recorded digest is true."""
    runs = [path for path in artifacts.iterdir() if (path / "data_ingestion").is_dir()]
    assert len(runs) == 1, f"expected one run, found {[path.name for path in runs]}"
    run = runs[0]
    missing = [name for name in STAGE_FILES if not (run / name).is_file()]
    assert not missing, f"missing in {run}: {missing}"
    for name in STAGE_MANIFESTS.values():
        manifest = Manifest.load(run / name)
        assert manifest.content_sha256 == manifest.content_digest(), name
        for output in manifest.outputs:
            assert sha256_file(output.resolve(run)) == output.sha256, output.path
    return run
