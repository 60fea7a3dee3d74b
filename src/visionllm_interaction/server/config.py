"""Settings of the service: address, folders, jobs and limits."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from visionllm_interaction.config_loading import Section
from visionllm_interaction.server.auth.oidc_config import OidcConfig
from visionllm_interaction.server.auth.roles import DEFAULT_PROJECT, PROJECT_PATTERN
from visionllm_interaction.utils.device_names import DeviceName


class ServeLimits(Section):
    """Upper limits; larger requests are refused before they use memory or disk."""

    max_image_mb: float = Field(default=20.0, gt=0, le=1024)
    """Largest image sent to ``/v1/detect``, in megabytes (10⁶ bytes)."""

    max_image_megapixels: float = Field(default=50.0, gt=0, le=170)
    """Largest image in millions of pixels; checked from the header, before the pixels are decoded."""

    max_video_mb: float = Field(default=4096.0, gt=0)
    """Largest video that may be uploaded, in megabytes (10⁶ bytes)."""

    min_free_disk_mb: float = Field(default=512.0, ge=0)
    """Uploads are refused while the disk of the data folder has less free space than this, in megabytes (10⁶ bytes)."""

    max_question_chars: int = Field(default=500, ge=1, le=10_000)
    """Longest question."""

    max_rows: int = Field(default=200_000, ge=1000)
    """Maximum number of detections in one response; request a shorter time window for more."""

    stall_s: float = Field(default=30.0, gt=0)
    """Longest time in seconds without a byte of a request that is not complete; then the connection is closed."""

    drain_s: int = Field(default=30, ge=1, le=3600)
    """Longest time in seconds that requests in progress are waited for when the service is stopped; then they are
    answered 503 with Retry-After."""

    upload_expiry_h: float = Field(default=24.0, gt=0)
    """A resumable upload that got no byte for so many hours is deleted."""

    export_expiry_h: float = Field(default=168.0, gt=0)
    """An export that ended so many hours ago is deleted, with its files."""

    max_event_streams: int = Field(default=64, ge=1)
    """Number of event streams (of jobs, of answers) at a time; further ones get 503 with Retry-After."""

    max_event_streams_per_key: int = Field(default=16, ge=1)
    """Number of those of one key or person; an answer whose client hung up counts until it is made."""

    max_waiting_detections: int = Field(default=16, ge=1)
    """Number of images that may wait for the detector; further ones get 503 with Retry-After."""


class ServeConfig(Section):
    """The section ``serve``."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but the loopback addresses (127.0.0.1, ::1, localhost) needs API keys."""

    port: int = Field(default=8000, ge=1, le=65535)
    """TCP port."""

    data_dir: Path = Path("service")
    """Folder of the uploads, the jobs and, by default, the store and the keys. Nothing is stored elsewhere."""

    group_readable: bool = False
    """Let the group of the service's user read the data folder and the store; otherwise only that user can."""

    store: Path | None = None
    """Interaction store; default ``<data_dir>/store``. The command line may write to the same store."""

    store_project: str = Field(default=DEFAULT_PROJECT, pattern=PROJECT_PATTERN)
    """Project of the videos that the command line put into the store. Uploads name theirs."""

    media_dirs: tuple[Path, ...] = ()
    """Folders whose videos may be played where the command line analysed them, and registered where they lie; of other
    videos the page shows only their results."""

    artifacts_dir: Path | None = None
    """Folder of the runs of stages 1-4 (``artifacts_dir`` of the pipeline), for the page *Training*; default: none."""

    artifacts_project: str = Field(default=DEFAULT_PROJECT, pattern=PROJECT_PATTERN)
    """Project of the runs: keys that do not see it see no run, and no image of one."""

    detector: Path | None = None
    """Checkpoint, name of a ready-made model, or ``models:/NAME@ALIAS`` of ``model_registry``, for ``/v1/detect`` and
    jobs; default: the best ready-made model that is on this machine. Without any, both answer 503 and questions still
    work."""

    model_registry: str | None = Field(default=None, pattern=r"^https?://[^/]+")
    """Address of the MLflow server of ``serve.detector=models:/NAME@ALIAS``. At each start the version that has the
    alias is fetched, unless it is in ``data_dir`` already; while the server is away, the last one serves."""

    device: DeviceName | None = None
    """Device of ``/v1/detect``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; default ``auto`` (CUDA if
    available, else the CPU)."""

    max_detection_batch: int = Field(default=8, ge=1, le=256)
    """Most images of ``/v1/detect`` that the detector takes at a time, of those that wait for it and have one size."""

    detection_batch_wait_ms: float = Field(default=0.0, ge=0, le=1000)
    """How long images of ``/v1/detect`` wait for further ones in milliseconds. 0 suits CPUs; on a GPU a few
    milliseconds may raise the number of images per second under load."""

    keys_file: Path | None = None
    """File with the digests of the API keys; default ``<data_dir>/keys.yaml``."""

    insecure: bool = False
    """Start without keys. Allowed only on a loopback address; requests to any other host name are refused."""

    secure_cookie: bool = False
    """Mark the cookie of the page *secure*. Set this when the service is behind TLS."""

    public_metrics: bool = False
    """Answer ``/metrics`` without a key."""

    traces: str | None = Field(default=None, pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")
    """Address of an OpenTelemetry collector (OTLP over HTTP), for example ``http://127.0.0.1:4318``. It gets a span of
    each request and job; default: none, and nothing is sent. Needs the extra ``otel``."""

    database_url: str | None = None
    """Database of the jobs; default SQLite in ``<data_dir>/jobs.sqlite``. PostgreSQL for several hosts."""

    database_url_file: Path | None = None
    """File holding the database URL, for URLs with a password (a mounted secret); wins over ``database_url``."""

    executor_id: str = Field(default="service", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    """Name of this process among several on one database. It must stay the same across restarts, because a restarted
    process resumes the jobs under its name."""

    job_workers: int = Field(default=1, ge=0, le=64)
    """Number of videos analysed at the same time, each in its own process; 0: other services on the same
    ``database_url`` analyse what this one accepts."""

    job_threads: int = Field(default=0, ge=0)
    """Threads of one analysis; 0 = all cores but one, so that the service keeps answering."""

    warm_workers: bool = True
    """Keep the workers waiting with libraries and detector loaded: a job starts seconds earlier. Each takes the memory
    of the libraries and the detector."""

    job_timeout_s: float = Field(default=24 * 3600.0, gt=0)
    """Time limit of one analysis in seconds; a job that exceeds it fails."""

    max_job_attempts: int = Field(default=10, ge=1)
    """How often a job is resumed after a crash of the service before it counts as failed."""

    page: bool = True
    """Serve the web page under ``/ui/``."""

    oidc: OidcConfig = OidcConfig()
    """Log-in of the page through an identity provider; off unless it names one."""

    limits: ServeLimits = ServeLimits()
    """Upper limits of requests."""

    @property
    def store_dir(self) -> Path:
        """The interaction store."""
        return self.store or self.data_dir / "store"

    @property
    def keys_path(self) -> Path:
        """The file of keys."""
        return self.keys_file or self.data_dir / "keys.yaml"

    @property
    def uploads_dir(self) -> Path:
        """One folder per uploaded video."""
        return self.data_dir / "uploads"

    @property
    def incoming_dir(self) -> Path:
        """Unfinished uploads to this process; emptied at every start."""
        return self.data_dir / "incoming" / self.executor_id

    @property
    def resumable_dir(self) -> Path:
        """Resumable uploads that are not complete yet."""
        return self.data_dir / "resumable"

    @property
    def exports_dir(self) -> Path:
        """Exports of videos, one folder per video."""
        return self.data_dir / "exports"

    @property
    def kept_answers_dir(self) -> Path:
        """Answers to requests with an ``Idempotency-Key``, for a day."""
        return self.data_dir / "kept_answers"

    @property
    def views_dir(self) -> Path:
        """Links to the videos that keys of one project see, for each process; its own are removed at every start."""
        return self.data_dir / "views"

    @property
    def models_dir(self) -> Path:
        """Checkpoints that were fetched from the model registry."""
        return self.data_dir / "models"

    @property
    def audit_dir(self) -> Path:
        """The audit log."""
        return self.data_dir / "audit"

    @property
    def leases_dir(self) -> Path:
        """A sign of life of each service that uses the data folder."""
        return self.data_dir / "leases"

    @property
    def previews_dir(self) -> Path:
        """Poster frames, and copies of videos that browsers can play."""
        return self.data_dir / "previews"

    @property
    def jobs_database_url(self) -> str:
        """The URL of the database of jobs."""
        if self.database_url_file is not None:
            return self.database_url_file.read_text(encoding="utf-8").strip()
        return self.database_url or f"sqlite:///{(self.data_dir / 'jobs.sqlite').absolute()}"
