"""Settings of the service: where it listens, what it keeps, and how much it accepts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from visionllm_interaction.config_loading import Section
from visionllm_interaction.core.devices import DeviceName


class ServeLimits(Section):
    """Sizes above these are refused before they cost memory or disk."""

    max_image_mb: float = Field(default=20.0, gt=0, le=1024)
    """Largest image sent to ``/v1/detect``, in megabytes (10⁶ bytes)."""

    max_image_megapixels: float = Field(default=50.0, gt=0, le=170)
    """Largest image in millions of pixels; checked from the header, before the pixels are decoded."""

    max_video_mb: float = Field(default=4096.0, gt=0)
    """Largest video that may be uploaded, in megabytes (10⁶ bytes)."""

    min_free_disk_mb: float = Field(default=512.0, ge=0)
    """An upload is refused when it would leave less than this free on the disk of the data folder."""

    max_question_chars: int = Field(default=500, ge=1, le=10_000)
    """Longest question."""

    max_rows: int = Field(default=200_000, ge=1000)
    """Most detections returned by one call; ask for a shorter time window instead."""

    max_waiting_detections: int = Field(default=16, ge=1)
    """Images that may wait for the detector; one more is told to come back (503 with Retry-After)."""


class ServeConfig(Section):
    """The section ``serve``."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine (127.0.0.1, ::1, localhost) needs API keys."""

    port: int = Field(default=8000, ge=1, le=65535)
    """TCP port."""

    data_dir: Path = Path("service")
    """Folder of the uploads, the jobs and, by default, the store and the keys. Nothing is kept elsewhere."""

    store: Path | None = None
    """Interaction store; default ``<data_dir>/store``. May be a store the command line also writes to."""

    detector: Path | None = None
    """Checkpoint used by ``/v1/detect`` and by jobs. Without one, both answer 503 and questions still work."""

    device: DeviceName | None = None
    """Where ``/v1/detect`` computes: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; default ``auto`` (CUDA if there is a
    device, else the CPU)."""

    keys_file: Path | None = None
    """File of API keys (only their digests); default ``<data_dir>/keys.yaml``."""

    insecure: bool = False
    """Start without keys. Only on this machine's own address, and only requests naming it are answered."""

    secure_cookie: bool = False
    """Mark the page's cookie *secure*: set it when the service stands behind TLS."""

    public_metrics: bool = False
    """Answer ``/metrics`` without a key."""

    database_url: str | None = None
    """Database of the jobs; default SQLite in ``<data_dir>/jobs.sqlite``. PostgreSQL for several hosts."""

    database_url_file: Path | None = None
    """File holding the database URL, for URLs with a password (a mounted secret); wins over ``database_url``."""

    executor_id: str = Field(default="service", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Name of this process among several on one database. Must stay the same across restarts, because a
    restarted process takes up the jobs that carry its name."""

    job_workers: int = Field(default=1, ge=1, le=64)
    """Videos analysed at the same time, each in a process of its own."""

    job_threads: int = Field(default=0, ge=0)
    """Threads of one analysis; 0 = all cores but one, so that the service keeps answering."""

    job_timeout_s: float = Field(default=24 * 3600.0, gt=0)
    """An analysis that runs longer is stopped and its job fails."""

    max_job_attempts: int = Field(default=10, ge=1)
    """How often a job is taken up again after the service died under it before it counts as failed."""

    page: bool = True
    """Serve the web page under ``/ui/``."""

    limits: ServeLimits = ServeLimits()
    """What is refused."""

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
        """Uploads that are still arriving; emptied at every start."""
        return self.data_dir / "incoming"

    @property
    def jobs_database_url(self) -> str:
        """The URL of the database of jobs."""
        if self.database_url_file is not None:
            return self.database_url_file.read_text(encoding="utf-8").strip()
        return self.database_url or f"sqlite:///{(self.data_dir / 'jobs.sqlite').absolute()}"
