"""Run folders: ``artifacts/<UTC timestamp>/``, sortable and collision-free."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def create_run(artifacts_dir: Path) -> Path:
    """Make and return a new run folder; ``mkdir`` is the lock, so two runs can never share one."""
    artifacts_dir.mkdir(parents=True, exist_ok=True)
    while True:
        run = artifacts_dir / datetime.now(UTC).strftime("%Y%m%dT%H%M%S_%fZ")
        try:
            run.mkdir()
        except FileExistsError:
            continue
        return run


def list_runs(artifacts_dir: Path) -> list[Path]:
    """Run folders, oldest first."""
    if not artifacts_dir.is_dir():
        return []
    return sorted(path for path in artifacts_dir.iterdir() if path.is_dir() and not path.name.startswith("."))


def latest_run(artifacts_dir: Path) -> Path | None:
    """The newest run folder, or ``None``."""
    runs = list_runs(artifacts_dir)
    return runs[-1] if runs else None


def run_of(path: Path) -> Path | None:
    """The run folder a file lies in: the nearest parent of a known stage folder, or ``None``."""
    stage_folders = {"data_ingestion", "data_validation", "data_transformation", "model_trainer"}
    return next((parent.parent for parent in path.absolute().parents if parent.name in stage_folders), None)
