"""Stages 1-3 in a folder, and what they wrote, for the tests of stage 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from visionllm_interaction.artifacts.stage_manifests import TrainingManifest, ValidationReport
from visionllm_interaction.datasets.ingestion.config import GroupsConfig, IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.transformation.stage import run as transform
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.stage import run as validate

MANIFEST = "data_ingestion/data_manifest.yaml"
REPORT = "data_validation/data_validation_report.yaml"
CLEANED = "data_transformation/annotations/instances_{}2017.cleaned.json"
CHANGES = "data_transformation/changes.parquet"
SPLITS = ("train", "val")


def first_two(
    root: Path, folder: Path, *, policy: ValidateConfig | None = None, groups: GroupsConfig | None = None
) -> ValidationReport:
    ingest(IngestConfig(root=root, groups=groups or GroupsConfig()), out=folder / "data_ingestion")
    return validate(policy or ValidateConfig(), data_manifest=folder / MANIFEST, out=folder / "data_validation")


def third(folder: Path, config: TransformConfig | None = None) -> TrainingManifest:
    return transform(
        config or TransformConfig(),
        data_manifest=folder / MANIFEST,
        validation_report=folder / REPORT,
        out=folder / "data_transformation",
    )


def chain(
    root: Path,
    folder: Path,
    *,
    policy: ValidateConfig | None = None,
    groups: GroupsConfig | None = None,
    config: TransformConfig | None = None,
) -> TrainingManifest:
    report = first_two(root, folder, policy=policy, groups=groups)
    assert report.status == "PASS", report.reasons
    return third(folder, config)


def cleaned(folder: Path, split: str) -> dict[str, Any]:
    """The written file, read by a reader that takes standard JSON only."""

    def refuse(name: str) -> float:
        raise AssertionError(name)

    return json.loads((folder / CLEANED.format(split)).read_bytes(), parse_constant=refuse)


def written(folder: Path) -> dict[str, bytes]:
    return {split: (folder / CLEANED.format(split)).read_bytes() for split in SPLITS}


def changes(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / CHANGES).to_pylist()


def own_output(manifest: TrainingManifest, folder: Path, root: Path) -> Path:
    """A data folder made of what stage 3 wrote: its annotation files, and links to its image folders."""
    (root / "annotations").mkdir(parents=True)
    for split in SPLITS:
        (root / f"{split}2017").symlink_to(folder / manifest.images[split], target_is_directory=True)
        target = root / "annotations" / f"instances_{split}2017.json"
        target.write_bytes((folder / manifest.annotations[split]).read_bytes())
    return root
