"""Settings of the training loop, the experiment tracking and the study."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from visionllm_interaction.config_loading import Section
from visionllm_interaction.utils.device_names import DeviceName


class TrainConfig(Section):
    """Section ``train``."""

    epochs: int = Field(default=12, ge=1)
    """Passes over the training images."""
    batch_size: int = Field(default=8, ge=1)
    """Images per step."""
    lr: float = Field(default=2e-4, gt=0)
    """Highest learning rate of the schedule."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """``adamw`` needs little tuning; ``sgd`` (momentum 0.9, lr about 0.0025 × batch size) is torchvision's recipe."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Pull of the weights towards zero; never applied to normalisation layers and biases."""
    schedule: Literal["one_cycle", "cosine", "steps", "constant"] = "one_cycle"
    """``one_cycle``: up to lr, then down to almost 0, momentum the other way; ``cosine``: a linear warm-up, then a half
    cosine; ``steps``: a linear warm-up, then a tenth after each of ``milestones``; ``constant``: the warm-up only."""
    milestones: tuple[float, ...] = (0.67, 0.89)
    """Shares of all steps after which ``steps`` lowers the learning rate."""
    warmup_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of all steps in which the learning rate rises."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up before a step: a larger batch than memory holds."""
    clip_norm: float = Field(default=10.0, ge=0)
    """Gradients are scaled down to this norm; 0: not at all."""
    ema_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay per step of the running average of the weights that is evaluated and kept; 0: the weights themselves."""
    seed: int = Field(default=0, ge=0)
    """Seed of initial weights, order of images, augmentation and sampling; same seed, same machine → same weights."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto``: bfloat16 products where the hardware has them natively (CUDA, AVX-512 BF16, AMX), else float32."""
    device: DeviceName = "auto"
    """``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``."""
    workers: int = Field(default=2, ge=0)
    """Processes that decode images; 0: in the training process, best when cache_images is on."""
    cache_images: bool = False
    """Keep decoded images in memory after the first pass (0.9 MB for 640×480), per worker."""
    hflip: float = Field(default=0.5, ge=0.0, le=1.0)
    """Probability of mirroring an image."""
    zoom: tuple[float, float] = (0.8, 1.25)
    """Range of the scale jitter: below 1 the image shrinks onto a grey canvas, above 1 a part fills the frame."""
    photometric: float = Field(default=0.2, ge=0.0, le=0.9)
    """Strength of random brightness, contrast and saturation."""
    aspect_grouping: bool = True
    """Whether wide and tall images come in batches of their own: mixed ones are padded in both directions."""
    repeat_threshold: float = Field(default=0.0, ge=0.0, le=1.0)
    """Categories in a smaller share of the images than this are shown more often (the root of how much smaller);
    0: each image once an epoch. 0.001 is LVIS's value, 0.05 suits a few dozen categories."""
    validate_every_epochs: int = Field(default=1, ge=1)
    """Evaluate after each n-th epoch (and after the last)."""
    val_loss: bool = False
    """Whether evaluation also takes the loss (``val_loss``); it makes evaluation about twice as long."""
    monitor: Literal[
        "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl", "val_loss"
    ] = "AP"
    """What decides which epoch is the best; ``val_loss`` switches itself on."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many evaluations without a better one; null: never. Suits ``constant``: other schedules end low
    only if they get to their end."""
    resume_every_s: float = Field(default=600.0, gt=0)
    """A resume point is written after each epoch, and within an epoch when the last one is this old."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many steps (for a quick try)."""
    max_train_images: int | None = Field(default=None, ge=1)
    """Train on the first n images only (for a quick try)."""
    max_val_images: int | None = Field(default=None, ge=1)
    """Evaluate on the first n images only (for a quick try)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0.2 <= self.zoom[0] <= self.zoom[1] <= 5.0:
            raise ValueError("zoom must be an increasing range within 0.2…5")
        if list(self.milestones) != sorted(set(self.milestones)) or not all(0 < m < 1 for m in self.milestones):
            raise ValueError("milestones must increase within 0…1")
        return self


class TrackingConfig(Section):
    """Section ``tracking``."""

    kind: Literal["none", "local", "mlflow", "dagshub"] = "local"
    """``local``: MLflow on a SQLite file beside the runs; ``mlflow``: a server; ``dagshub``: its MLflow server."""
    uri: str | None = None
    """Address of the MLflow server (kind ``mlflow``)."""
    repository: str | None = Field(default=None, pattern="^[^/]+/[^/]+$")
    """``owner/name`` (kind ``dagshub``)."""
    experiment: str = "visionllm-interaction"
    """Name under which runs are grouped."""
    username_env: str = "MLFLOW_TRACKING_USERNAME"
    """Environment variable that holds the user name; never the name itself."""
    password_env: str = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 (the name of a variable)
    """Environment variable that holds the password or token."""
    required: bool = False
    """Whether training refuses to start when the server is unreachable; otherwise it continues and delivers later."""
    timeout_s: float = Field(default=10.0, gt=0)
    """How long one request to the server may take."""
    log_model: bool = True
    """Whether the best checkpoint is kept there too, as a model that ``mlflow.pyfunc.load_model`` opens (it takes the
    checkpoint's size once more)."""
    registered_model: str | None = Field(default="visionllm-detector", pattern=r"^[^/:'\"]*[^/:'\"\s][^/:'\"]*$")
    """Name in the model registry under which each training adds a version; null: none. Needs ``log_model``."""

    figures_only: bool = False
    """Whether the server gets settings, metrics and digests only: no file, no checkpoint, no name or path that somebody
    chose. ``log_model`` and ``registered_model`` then have no effect."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "mlflow" and not self.uri:
            raise ValueError("kind mlflow needs uri")
        if self.kind == "dagshub" and not self.repository:
            raise ValueError("kind dagshub needs repository (owner/name)")
        return self


class SearchRange(Section):
    """Where a study looks for one key: a range (``low``, ``high``) or a list (``choices``)."""

    low: float | None = None
    """Smallest value."""
    high: float | None = None
    """Largest value."""
    log: bool = False
    """Whether the range is searched on a logarithmic scale."""
    integer: bool = False
    """Whether only whole numbers are tried."""
    choices: tuple[int | float | str | bool, ...] | None = None
    """Values to choose from, instead of a range."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        ranged = self.low is not None and self.high is not None
        if ranged == (self.choices is not None):
            raise ValueError("give either low and high, or choices")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low must not exceed high")
        if self.log and self.low is not None and self.low <= 0:
            raise ValueError("a logarithmic range must start above 0")
        return self


class TuneConfig(Section):
    """Section ``tune``: an Optuna study that looks for the highest validation AP."""

    trials: int = Field(default=10, ge=1)
    """Trainings to try, over all calls: an interrupted study continues."""
    space: dict[str, SearchRange] = Field(
        default={
            "train.lr": SearchRange(low=5e-5, high=2e-3, log=True),
            "train.batch_size": SearchRange(choices=(4, 8, 16)),
        },
        min_length=1,
    )
    """Key of the sections ``train`` and ``model`` → where to search."""
    name: str = "detector"
    """Name of the study within its journal."""
    journal: Path | None = None
    """Journal file of the study; null: ``study.journal`` in the study's folder. Several workers on one file system may
    share it."""
    storage_env: str | None = None
    """Environment variable that holds a database address (``postgresql+psycopg://user:password@host/name``), instead
    of a journal: workers on several machines, and the trial of a worker that died is tried again by another."""
    heartbeat_s: int = Field(default=30, ge=1)
    """With a database: interval between heartbeats of a worker; after three times as long its trial is taken over."""
    retries: int = Field(default=2, ge=0)
    """How often a trial whose worker died is tried again."""
    epochs: int | None = Field(default=None, ge=1)
    """Epochs of one trial; null: as in section ``train``."""
    sampler: Literal["tpe", "cmaes", "random"] = "tpe"
    """``tpe`` suits few trials and any key; ``cmaes`` many trials over numbers; ``random`` is the baseline."""
    prune: bool = True
    """Stop hopeless trials early."""
    pruner: Literal["median", "hyperband"] = "median"
    """``median``: below the median of the others at the same epoch; ``hyperband``: successive halving."""
    seed: int = Field(default=0, ge=0)
    """Seed of the sampler."""
    train_best: bool = False
    """Train once more with the best values, at full length, and keep the checkpoint."""
