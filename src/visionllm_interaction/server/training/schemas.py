"""What the API says of runs of stages 1–4 and of detectors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class RunSummary(FrozenModel):
    """One run of the pipeline."""

    run: str
    """Name of its folder: the UTC time at which it began."""
    dataset: str = ""
    """Name of the data set; empty where stage 1 is not done."""
    created_at: str | None = None
    """When its last stage ended."""
    status: str | None = None
    """Verdict of the validation, `PASS` or `FAIL`; null: not validated."""
    images: int = 0
    annotations: int = 0
    issues: int = 0
    trained: bool = False
    AP: float | None = None
    """COCO AP of the best checkpoint on the validation split, in [0, 1]."""
    damaged: str | None = None
    """Why nothing can be said of it."""


class RunList(FrozenModel):
    """Runs, newest first."""

    runs: list[RunSummary]
    configured: bool
    """Whether the service was told where runs are (`serve.artifacts_dir`)."""


class SplitSize(FrozenModel):
    """Sizes of one split."""

    split: str
    images: int
    annotations: int
    """As the raw data has them."""
    trained_annotations: int | None
    """As training reads them; null: stage 3 is not done."""


class IssueGroup(FrozenModel):
    """All issues of one code in one split."""

    code: str
    split: str | None
    action: str
    """What the policy does about them."""
    count: int
    meaning: str
    harm: str
    """What they do to a training."""
    remedy: str
    note: str | None
    has_images: bool
    """Whether images of them can be shown."""


class SharedBySplits(FrozenModel):
    """Something that train and val have in common."""

    what: str
    count: int


class Leakage(FrozenModel):
    """What train and val share; a detector looks better than it is where that is not nothing."""

    splits: str
    """How the data was divided."""
    shared: list[SharedBySplits]
    disjoint_by: list[str]
    """Columns by which the splits were kept apart."""


class TrialView(FrozenModel):
    """One trial of a study."""

    number: int
    state: str
    value: float | None
    params: dict[str, Any]
    seconds: float | None


class StudyView(FrozenModel):
    """A search for settings."""

    study: str
    best_value: float
    best_params: dict[str, Any]
    trials: list[TrialView]
    importances: dict[str, float]
    importances_left_out: str | None


class WorstImage(FrozenModel):
    """An image with many errors."""

    place: int
    """From 0, worst first; its picture is `worst-images/{place}`."""
    file_name: str
    found: int
    wrong: int
    missed: int


class EvaluationView(FrozenModel):
    """An evaluation in depth of the best checkpoint."""

    AP: float
    interval: tuple[float, float] | None
    """95 % interval of AP."""
    resampled: str
    """What was resampled for the interval."""
    errors: dict[str, float]
    """Kind of error (Bolya et al., 2020) → by how much AP50 would rise without it."""
    worst_images: list[WorstImage]


class TrainingView(FrozenModel):
    """The training of one run."""

    AP: float | None
    best_epoch: int | None
    duration_s: float
    metrics: dict[str, float]
    per_category: dict[str, float | None]
    """Category → AP; null: no object of it in the validation split."""
    epochs: list[dict[str, float | None]]
    """One row per epoch: losses, metrics, learning rate."""
    settings: dict[str, str]
    sha256: str | None
    """Of the best checkpoint."""


class RunReport(FrozenModel):
    """Everything about one run."""

    summary: RunSummary
    reasons: list[str]
    """Why the data did not pass."""
    advice: str
    """What to do about that; empty where it passed."""
    splits: list[SplitSize]
    categories: list[str]
    issues: list[IssueGroup]
    leakage: Leakage | None
    training: TrainingView | None
    study: StudyView | None
    evaluation: EvaluationView | None
    evaluate_command: str | None
    """The command after which `evaluation` is there; null without a training."""
    data_card: str | None
    """Markdown."""
    model_card: str | None
    """Markdown."""


class IssueView(FrozenModel):
    """One issue."""

    row: int
    """Its place in the table of issues; its picture is `issues/{row}/image`."""
    image_id: int | None
    annotation_id: int | None
    file_name: str | None
    found: str
    expected: str


class IssuePage(FrozenModel):
    """Issues of one code and split."""

    total: int
    issues: list[IssueView]


class DetectorView(FrozenModel):
    """A detector that could serve."""

    model: str
    """How the API calls it: the run, or the name of a ready-made model."""
    kind: Literal["trained", "ready-made", "configured"]
    name: str
    about: str
    AP: float | None = None
    """On the validation split of its run; null for others."""
    created_at: str | None = None
    serving: bool = False
    run: str | None = None
    licence: str | None = None


class GateView(FrozenModel):
    """One gate, and whether it is open."""

    name: str
    value: float | None
    limit: float
    passed: bool
    text: str


class Activation(FrozenModel):
    """The last change of detector, or the one that goes on."""

    state: Literal["none", "comparing", "loading", "active", "refused", "failed"]
    model: str | None = None
    against: str | None = None
    """The detector that it was compared with."""
    run: str | None = None
    """The run on whose validation split both were compared."""
    at: str | None = None
    """When it began."""
    AP: float | None = None
    serving_AP: float | None = None
    gates: list[GateView] = Field(default=[])
    message: str = ""
    """Why it was refused or failed, or what was not checked."""


class DetectorList(FrozenModel):
    """The detectors of this machine, the serving one first."""

    detectors: list[DetectorView]
    activation: Activation
