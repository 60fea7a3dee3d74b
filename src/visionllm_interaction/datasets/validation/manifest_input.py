"""Read the data manifest without trusting it: what is missing in it is an issue to report, not a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from visionllm_interaction.artifacts.raw_file_index import IndexedFile, quick_changes, read_index
from visionllm_interaction.artifacts.stage_manifests import SPLITS
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.utils.strict_yaml import load_yaml

REQUIRED_KEYS: tuple[str, ...] = (
    "dataset_name",
    "dataset_format",
    "created_at",
    "ingestion.mode",
    "paths.train_images",
    "paths.val_images",
    "annotations.train",
    "annotations.val",
)
"""Keys every data manifest has, dots for nesting."""


@dataclass(frozen=True, slots=True)
class SplitSource:
    """Where one split lies, as far as the manifest says and the disk agrees."""

    images: Path | None
    annotations: Path | None


def read_source(manifest: Path) -> tuple[dict[str, SplitSource], list[Issue]]:
    """Read the splits that a data manifest names.

    Args:
        manifest: the data manifest.

    Returns:
        Split → its files, and the issues MANIFEST-KEY-MISSING and SPLIT-MISSING.

    Raises:
        ManifestError: if the manifest cannot be read or is no YAML mapping.
    """
    content = _mapping(manifest)
    absent = {key for key in REQUIRED_KEYS if _lookup(content, key) is _ABSENT}
    issues = [
        Issue("MANIFEST-KEY-MISSING", None, "dataset", "nothing", "a value", field=key)
        for key in REQUIRED_KEYS
        if key in absent
    ]
    sources: dict[str, SplitSource] = {}
    for split in SPLITS:
        images = _existing(content, f"paths.{split}_images", folder=True)
        annotations = _existing(content, f"annotations.{split}", folder=False)
        sources[split] = SplitSource(images, annotations)
        if images is None and f"paths.{split}_images" not in absent:
            issues.append(_missing(split, "images", content["paths"][f"{split}_images"], "an image folder"))
        if annotations is None and f"annotations.{split}" not in absent:
            issues.append(_missing(split, "annotations", content["annotations"][split], "an annotation file"))
    return sources, issues


def read_file_index(manifest: Path) -> tuple[IndexedFile, ...]:
    """Read the index of raw files beside a data manifest.

    Args:
        manifest: the data manifest.

    Returns:
        The index; empty if there is none.

    Raises:
        ManifestError: if the manifest or the index cannot be read.
    """
    name = _mapping(manifest).get("index")
    if not isinstance(name, str):
        return ()
    path = manifest.parents[1] / name
    return tuple(read_index(path)) if path.is_file() else ()


def changed_files(indexed: Sequence[IndexedFile]) -> list[Issue]:
    """FILE-CHANGED: images that are not the ones stage 1 took in. Only files of another size or time are read."""
    return [
        Issue(
            "FILE-CHANGED",
            None,
            "file",
            f"sha256 {change.found}",
            f"sha256 {change.expected}",
            file_name=change.path,
            field="sha256",
        )
        for change in quick_changes([file for file in indexed if file.split], ())
        if change.kind == "changed"
    ]


def _missing(split: str, what: str, named: Any, expected: str) -> Issue:
    found = "nothing" if named is None else f"{named}, which is not there"
    return Issue("SPLIT-MISSING", split, "file", found, expected, field=what)


def _existing(content: Mapping[str, Any], key: str, *, folder: bool) -> Path | None:
    value = _lookup(content, key)
    path = Path(value) if isinstance(value, str) else None
    return path if path and (path.is_dir() if folder else path.is_file()) else None


def _mapping(manifest: Path) -> dict[str, Any]:
    try:
        content = load_yaml(manifest.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(
            "The data manifest cannot be read.",
            expected="data_manifest.yaml of stage 1",
            found=str(error),
            where=str(manifest),
            fix="run stage 1 (visionllm ingest)",
        ) from error
    if not isinstance(content, dict):
        raise ManifestError("The data manifest is not a mapping.", found=type(content).__name__, where=str(manifest))
    return content


def _lookup(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for part in key.split("."):
        value = value[part] if isinstance(value, Mapping) and part in value else _ABSENT
    return value


_ABSENT = object()
