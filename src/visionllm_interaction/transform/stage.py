"""Stage 3: data manifest + validation report → cleaned annotation files and ``training_manifest.yaml``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from visionllm_interaction.artifacts.manifest import FileRef, file_refs, published_ref, utc_now
from visionllm_interaction.artifacts.publish import publish_folder
from visionllm_interaction.artifacts.stage_manifests import (
    SPLITS,
    DataManifest,
    SplitCounts,
    TrainingCategory,
    TrainingManifest,
    ValidationReport,
    stage_code_version,
)
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.errors import AnnotationError, ManifestError, ValidationFailed
from visionllm_interaction.transform.clean import drop_annotations
from visionllm_interaction.transform.config import TransformConfig

MANIFEST_NAME = "training_manifest.yaml"
FOLDER = "annotations"


class _Category(msgspec.Struct):
    id: int
    name: str


class _Content(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[_Category]


_CONTENT = msgspec.json.Decoder(_Content)


@dataclass(frozen=True)
class _Cleaned:
    """One split: the raw file as it was read, and what is in the file written from it."""

    raw: FileRef
    content: _Content


def run(config: TransformConfig, *, data_manifest: Path, validation_report: Path, out: Path) -> TrainingManifest:
    """Drop what the report names and publish the result as the stage folder ``out``.

    Raises:
        ValidationFailed: if the report's status is not PASS.
        ManifestError: if manifest and report do not belong together, or the raw data changed since.
    """
    started = time.monotonic()
    manifest, report = DataManifest.load(data_manifest), ValidationReport.load(validation_report)
    _require_pass(report, validation_report)
    inputs = file_refs([data_manifest, validation_report], run=out.parent)
    _require_same(inputs[0], report)
    with publish_folder(out) as partial:
        (partial / FOLDER).mkdir()
        cleaned = {
            split: _clean(manifest, report, split, target=partial / FOLDER / cleaned_name(split)) for split in SPLITS
        }
        outputs = tuple(
            published_ref(partial / FOLDER / cleaned_name(split), partial=partial, final=out) for split in SPLITS
        )
        training = TrainingManifest(
            stage="transform",
            created_at=utc_now(),
            duration_s=round(time.monotonic() - started, 3),
            code_version=stage_code_version("transform"),
            config=config.model_dump(mode="json"),
            inputs=(*inputs, *(part.raw for part in cleaned.values())),
            outputs=outputs,
            images={split: str(getattr(manifest.paths, f"{split}_images")) for split in SPLITS},
            annotations={split: ref.path for split, ref in zip(SPLITS, outputs, strict=True)},
            categories=_categories(cleaned["train"].content),
            counts={split: _counts(part.content) for split, part in cleaned.items()},
            dropped=report.drop,
        )
        training.save(partial / MANIFEST_NAME)
    return training


def cleaned_name(split: str) -> str:
    """File name of a split's cleaned annotations."""
    return f"instances_{split}2017.cleaned.json"


def _clean(manifest: DataManifest, report: ValidationReport, split: str, *, target: Path) -> _Cleaned:
    source = Path(str(getattr(manifest.annotations, split)))
    raw = FileRef.of(source, run=target.parents[2])
    _require_same(raw, report)
    cleaned = drop_annotations(source.read_bytes(), frozenset(report.drop[split]))
    target.write_bytes(cleaned)
    try:
        return _Cleaned(raw, _CONTENT.decode(cleaned))
    except msgspec.ValidationError as error:
        raise AnnotationError(
            "The annotation file is not a COCO file.", found=str(error), where=str(source), fix="see JSON-SCHEMA"
        ) from error


def _categories(content: _Content) -> tuple[TrainingCategory, ...]:
    return tuple(
        TrainingCategory(category_id=c.category_id, name=c.name, label=c.label)
        for c in Categories.from_pairs((c.id, c.name) for c in content.categories)
    )


def _counts(content: _Content) -> SplitCounts:
    return SplitCounts(
        images=len(content.images), annotations=len(content.annotations), categories=len(content.categories)
    )


def _require_pass(report: ValidationReport, path: Path) -> None:
    if report.status != "PASS":
        raise ValidationFailed(
            "Data that did not pass validation is not transformed.",
            expected="status PASS",
            found=f"status {report.status}: {'; '.join(report.reasons)}",
            where=str(path),
            fix="correct what the report lists at its source, or change the policy in config/schema.yaml",
        )


def _require_same(file: FileRef, report: ValidationReport) -> None:
    """The report speaks about ``file`` as it is now; ids of another version could name the wrong annotations."""
    seen = {ref.path: ref.sha256 for ref in report.inputs}
    if seen.get(file.path) != file.sha256:
        raise ManifestError(
            "A file is not the one the validation report was made from.",
            expected=f"sha256 {seen.get(file.path, 'of a file the report lists')}",
            found=f"sha256 {file.sha256}",
            where=file.path,
            fix="run stage 2 again",
        )
