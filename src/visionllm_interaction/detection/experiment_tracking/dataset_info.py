"""The data of a training as MLflow records a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import DataManifest, TrainingManifest

MAX_DIGEST_LENGTH = 36
"""MLflow's limit; the tag ``training_manifest_sha256`` has all of it."""


def dataset_entry(training_manifest: Path, digest: str) -> dict[str, str]:
    """Name, digest, source (relative to the folder of all runs) and sizes, each as MLflow's API takes it."""
    manifest = TrainingManifest.load(training_manifest)
    run = run_of(training_manifest) or training_manifest.parent.parent
    profile: dict[str, Any] = {f"{split}_{what}": getattr(counts, what) for split, counts in manifest.counts.items()
                               for what in ("images", "annotations")}  # fmt: skip
    return {
        "name": _name(run),
        "digest": digest[:MAX_DIGEST_LENGTH],
        "source_type": "local",
        "source": json.dumps({"uri": training_manifest.absolute().relative_to(run.absolute().parent).as_posix()}),
        "profile": json.dumps({**profile, "categories": len(manifest.categories)}),
        "context": "training",
    }


def _name(run: Path) -> str:
    ingested = run / STAGE_MANIFESTS["ingest"]
    return DataManifest.load(ingested).dataset_name if ingested.is_file() else run.name
