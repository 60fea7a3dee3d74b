"""Stage 2: data manifest → ``data_validation_report.yaml`` and ``faults.parquet``, on PASS and on FAIL."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.algorithm_versions import library_versions
from visionllm_interaction.artifacts.manifest import FileRef, file_refs, published_ref, utc_now
from visionllm_interaction.artifacts.raw_file_index import IndexedFile
from visionllm_interaction.artifacts.stage_manifests import SplitCounts, ValidationReport
from visionllm_interaction.datasets.validation import ALGORITHM_VERSION, LIBRARIES
from visionllm_interaction.datasets.validation.advice import advice
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.examination import Examination
from visionllm_interaction.datasets.validation.issues import Issue, write_issues
from visionllm_interaction.datasets.validation.manifest_input import (
    SplitSource,
    changed_files,
    read_file_index,
    read_source,
)
from visionllm_interaction.datasets.validation.policy import Policy, apply_policy
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.reading.reader import read_split
from visionllm_interaction.datasets.validation.report.html import render_page
from visionllm_interaction.datasets.validation.rules.files_on_disk import check_files
from visionllm_interaction.datasets.validation.rules.image_content import DecodedImages, check_images
from visionllm_interaction.datasets.validation.rules.leakage import ComparableImages, check_copies, check_groups
from visionllm_interaction.datasets.validation.rules.run import check_split, check_together
from visionllm_interaction.errors import ValidationFailed
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import code_version
from visionllm_interaction.utils.path_type import StrPath

REPORT_NAME = "data_validation_report.yaml"
FAULTS_NAME = "faults.parquet"
PAGE_NAME = "data_validation_report.html"


def run(config: ValidateConfig, *, data_manifest: StrPath, out: StrPath) -> ValidationReport:
    """Validate a data set and publish the report.

    Args:
        config: the settings of stage 2.
        data_manifest: the manifest of stage 1.
        out: the stage folder to publish.

    Returns:
        The report, also if the data did not pass.

    Raises:
        ManifestError: if the manifest itself cannot be read.
    """
    data_manifest = Path(data_manifest)
    out = Path(out)
    started = time.monotonic()
    sources, issues = read_source(data_manifest)
    indexed = read_file_index(data_manifest)
    result = examine(config, sources, issues, indexed=indexed)
    annotations = [source.annotations for source in sources.values() if source.annotations]
    inputs = file_refs([data_manifest, *annotations], run=out.parent)
    with publish_folder(out) as partial:
        write_issues(result.issues, partial / FAULTS_NAME, action_of=result.policy.action)
        (partial / PAGE_NAME).write_text(render_page(result), encoding="utf-8", errors="backslashreplace")
        outputs = tuple(published_ref(partial / name, partial=partial, final=out) for name in (FAULTS_NAME, PAGE_NAME))
        report = _report(config, result, inputs=inputs, outputs=outputs, started=started)
        report.save(partial / REPORT_NAME)
    return report


def examine(
    config: ValidateConfig,
    sources: dict[str, SplitSource],
    issues: Sequence[Issue],
    *,
    indexed: Sequence[IndexedFile] = (),
) -> Examination:
    """Read both splits, run every rule and judge; ``issues`` are those already known."""
    workers = config.workers or len(os.sched_getaffinity(0))
    found = [*issues, *check_groups(indexed), *changed_files(indexed)]
    tables: dict[str, SplitTable] = {}
    albums: dict[str, ComparableImages] = {}
    by_path = {file.path: file for file in indexed}
    for split, source in sources.items():
        if source.annotations is None:
            continue
        table, more = read_split(source.annotations, split, workers=workers)
        found += more
        if table:
            tables[split] = table
            found += check_split(table, config, workers=workers)
            files, images = _check_files(table, source, config, workers=workers)
            found += files
            if images:
                albums[split] = ComparableImages(table, images, by_path)
    found += check_copies(albums, config.images)
    counts = {split: _counts(table) for split, table in tables.items()}
    dropped = {split: _policy(config, counts, found).dropped_positions(found, split) for split in tables}
    found += check_together(tables, dropped, config)
    policy = _policy(config, counts, found)
    return Examination(
        tables,
        tuple(found),
        policy,
        apply_policy(found, policy),
        {split: album.images for split, album in albums.items()},
    )


def _check_files(
    table: SplitTable, source: SplitSource, config: ValidateConfig, *, workers: int
) -> tuple[list[Issue], DecodedImages | None]:
    if source.images is None:
        return [], None
    listing = check_files(table, source.images)
    if not config.images.enabled:
        return listing.issues, None
    issues, images = check_images(table, listing.paths, config.images, workers=workers)
    return listing.issues + issues, images


def _policy(config: ValidateConfig, counts: dict[str, SplitCounts], issues: list[Issue]) -> Policy:
    return Policy(config, counts, Counter(issue.code for issue in issues))


def _report(
    config: ValidateConfig,
    result: Examination,
    *,
    inputs: tuple[FileRef, ...],
    outputs: tuple[FileRef, ...],
    started: float,
) -> ValidationReport:
    verdict = result.verdict
    return ValidationReport(
        stage="validate",
        status=verdict.status,
        created_at=utc_now(),
        duration_s=round(time.monotonic() - started, 3),
        code_version=code_version(),
        algorithm_version=ALGORITHM_VERSION,
        libraries=library_versions(LIBRARIES),
        config=config.model_dump(mode="json"),
        inputs=inputs,
        outputs=outputs,
        reasons=verdict.reasons,
        faults=dict(Counter(issue.code for issue in result.issues)),
        counts={split: _counts(table) for split, table in result.tables.items()},
        tolerance=verdict.tolerance,
        drop=verdict.drop,
        findings=verdict.findings,
        faults_file=outputs[0].path,
        page=outputs[1].path,
        brightness={split: images.brightness() for split, images in result.images.items()},
    )


def _counts(table: SplitTable) -> SplitCounts:
    return SplitCounts(
        images=len(table.images.ids), annotations=len(table.annotations.ids), categories=len(table.categories)
    )


@dataclass(frozen=True)
class ValidationSummary:
    """The verdict of a validation, in numbers.

    Attributes:
        status: ``"PASS"`` or ``"FAIL"``.
        report: the report's file.
        issues: number of issues by code.
        images: images in all splits.
        annotations: annotations in all splits.
        reasons: why the data failed; empty if it passed.
    """

    status: str
    report: Path
    issues: Mapping[str, int]
    images: int
    annotations: int
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the data may be trained on."""
        return self.status == "PASS"

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm validate``."""
        return {
            "status": self.status,
            "report": str(self.report),
            "faults": dict(self.issues),
            "images": self.images,
            "annotations": self.annotations,
            "reasons": list(self.reasons),
        }


def summarise(report: ValidationReport, path: Path) -> ValidationSummary:
    """The verdict of the report in the file ``path``."""
    counts = report.counts.values()
    return ValidationSummary(
        status=report.status,
        report=path,
        issues=report.faults,
        images=sum(count.images for count in counts),
        annotations=sum(count.annotations for count in counts),
        reasons=tuple(report.reasons),
    )


def require_pass(report: ValidationReport, path: Path) -> None:
    """Raise unless the data passed.

    Args:
        report: the validation report.
        path: its file, for the message.

    Raises:
        ValidationFailed: if the status is not PASS.
    """
    if report.status == "PASS":
        return
    raise ValidationFailed(
        "The data did not pass validation.",
        expected="status PASS",
        found="; ".join(report.reasons),
        where=str(path),
        fix=advice(report.reasons),
    )
