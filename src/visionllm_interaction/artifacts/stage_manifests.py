"""The manifests of stages 1–4. They live below the stages, so that one stage can read the manifest of another."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from visionllm_interaction.artifacts.manifest import Manifest
from visionllm_interaction.core.categories import Categories

BEST_NAME = "fasterrcnn_best.pt"
"""The best checkpoint of a training, in the folder of stage 4."""
SPLITS: tuple[Literal["train", "val"], ...] = ("train", "val")


class _ManifestPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Ingestion(_ManifestPart):
    """How the raw data was ingested."""

    mode: str


class RawSourceFile(_ManifestPart):
    """A file that the data set was made from: an archive, a download or an annotation export."""

    path: str
    """Absolute path, or the URL of the download."""
    bytes: int
    sha256: str
    mtime_ns: int | None = None
    """Modification time of a file that is kept in its place; ``None`` for downloads."""


class DataSource(_ManifestPart):
    """Where the data came from, before it was unpacked, converted, copied or linked."""

    kind: Literal["folder", "archive", "file", "download", "kaggle"]
    location: str
    format: str
    files: tuple[RawSourceFile, ...] = ()
    listing_sha256: str | None = None
    """Digest of names, sizes and times in the folder, if the data set is not used in place."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """What a conversion left out, and how often; ``annotations/left_out.json`` lists every case."""
    reader_version: int = 1
    """Version of the reader of the format; COCO's own files need none."""
    notes: tuple[str, ...] = ()
    """How an ambiguous source was read, in sentences."""


class ImagePaths(_ManifestPart):
    """Absolute image folders; ``None`` where the source lacks the split."""

    train_images: str | None
    val_images: str | None


class SplitPaths(_ManifestPart):
    """One path per split; ``None`` where the source lacks it."""

    train: str | None
    val: str | None


class DataManifest(Manifest):
    """Stage 1, ``data_manifest.yaml``: where the raw data is, and the digest of every file."""

    dataset_name: str
    dataset_format: str
    ingestion: Ingestion
    paths: ImagePaths
    annotations: SplitPaths
    root: str
    """Absolute folder that holds the splits."""
    index: str
    """The file index (``files.parquet``), relative to the run folder."""
    files: int
    """Number of raw files in the index."""
    total_bytes: int
    """Total size of the raw files in bytes."""
    tree_sha256: str | None = None
    """One digest over the names below ``root`` and the digests of all raw files."""
    source: DataSource | None = None
    """Where the data came from."""
    groups: dict[str, Any] = Field(default_factory=dict)
    """How many images have a child, household, session, camera or time in the index."""


class Finding(_ManifestPart):
    """All issues of one code in one split, and what the policy does about them."""

    code: str
    split: str | None
    action: str
    count: int
    meaning: str
    ids: tuple[int | str, ...]
    """Every offending id: annotation, image or category ids, or names where there is no id."""
    note: str | None = None


class SplitCounts(_ManifestPart):
    """Sizes of one split."""

    images: int
    annotations: int
    categories: int | None = None


class BoxTolerance(_ManifestPart):
    """How many annotations the policy drops for an invalid box, and how many it allows."""

    found: int
    allowed: int
    dropped: bool


class ValidationReport(Manifest):
    """Stage 2, ``data_validation_report.yaml``: ``status`` is PASS or FAIL, with all offending ids."""

    reasons: tuple[str, ...]
    """Why the status is FAIL; empty on PASS."""
    faults: dict[str, int]
    """Issue code → count, over both splits."""
    counts: dict[str, SplitCounts]
    tolerance: BoxTolerance
    drop: dict[str, tuple[int, ...]]
    """Split → ids of the annotations that stage 3 drops, rising."""
    findings: tuple[Finding, ...]
    faults_file: str
    """Every issue with its values (``faults.parquet``), relative to the run folder."""
    page: str | None = None
    """The report as a self-contained HTML page, relative to the run folder."""
    brightness: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Split → images by mean luma from 0 to 1, in the bins of :mod:`~visionllm_interaction.core.unit_histogram`.
    Older reports, and those without decoded images, have none."""


class TrainingCategory(_ManifestPart):
    """A category with its contiguous training label (1…K; 0 is background)."""

    category_id: int
    name: str
    label: int


class ChangeCount(_ManifestPart):
    """How many values or records stage 3 changed, by action and issue code."""

    split: str
    action: str
    code: str
    entity: str
    field: str | None
    """The key that changed; ``None`` for whole records."""
    count: int


class TrainingManifest(Manifest):
    """Stage 3, ``training_manifest.yaml``: everything that training reads about the data."""

    images: dict[str, str]
    """Split → folder that ``file_name`` starts in: absolute for raw images, relative to the run for written ones."""
    annotations: dict[str, str]
    """Split → cleaned annotation file, relative to the run folder."""
    categories: tuple[TrainingCategory, ...]
    counts: dict[str, SplitCounts]
    annotations_per_category: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Split → category name → number of annotations. Older manifests have none."""
    dropped: dict[str, tuple[int, ...]]
    """Split → ids of the annotations that the policy dropped or merged, rising."""
    changes_file: str | None = None
    """Every change with old and new value (``changes.parquet``), relative to the run folder."""
    changes: tuple[ChangeCount, ...] = ()
    unrepaired: dict[str, dict[str, tuple[int, ...]]] = Field(default_factory=dict)
    """Split → issue code → ids of records that the policy repairs, but that have no unique repair."""
    leakage: dict[str, Any] = Field(default_factory=dict)
    """What train and val share: files by digest, and children, households, sessions, cameras."""

    def label_map(self) -> Categories:
        """The categories as a value of :class:`~visionllm_interaction.core.categories.Categories`."""
        return Categories.from_pairs((c.category_id, c.name) for c in self.categories)


class TrainingReport(Manifest):
    """Stage 4, ``training_report.yaml``: which checkpoint is best, how good it is, and how it got there."""

    AP: float | None = None
    """COCO AP of the best checkpoint on the validation split, in [0, 1]."""
    AP50: float | None = None
    best_epoch: int | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    """The twelve COCO metrics of the best checkpoint."""
    curves: dict[str, Any] = Field(default_factory=dict)
    """Loss and AP over the epochs."""
    validation_confidences: tuple[int, ...] = ()
    """What the best checkpoint finds in the validation split, by confidence, in the bins of
    :mod:`~visionllm_interaction.core.unit_histogram`. Older reports have none."""


__all__ = [
    "SPLITS",
    "BoxTolerance",
    "ChangeCount",
    "DataManifest",
    "Finding",
    "ImagePaths",
    "Ingestion",
    "SplitCounts",
    "SplitPaths",
    "TrainingCategory",
    "TrainingManifest",
    "TrainingReport",
    "ValidationReport",
]
