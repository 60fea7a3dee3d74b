"""All sections of config/*.yaml in one frozen model, and how a command finds its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.config_loading import load_settings, shipped_config_dir
from visionllm_interaction.detection.training.config import TuneConfig
from visionllm_interaction.pipeline import PipelineSettings
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.atomic_files import write_file

BASE_FILES: tuple[str, ...] = ("data", "schema", "model", "analysis", "reason", "serve")
"""Files read from ./config/ when a command is given no -c."""


class Settings(PipelineSettings):
    """Every section a command may need."""

    tune: TuneConfig = TuneConfig()
    """Optuna study: `visionllm tune`."""
    analysis: AnalysisConfig = AnalysisConfig()
    """Video → store: `visionllm analyze`."""
    reason: ReasonConfig = ReasonConfig()
    """Questions: `visionllm ask`."""
    serve: ServeConfig = ServeConfig()
    """HTTP service: `visionllm serve`."""


def load(files: Sequence[Path] | None = None, overrides: Sequence[str] | None = None) -> Settings:
    """Settings from ``files`` (default: what there is of ./config/) and ``overrides``.

    Raises:
        ConfigError: listing every problem at once.
    """
    return load_settings(Settings, files or _files_here(), overrides or ())


def _files_here() -> list[Path]:
    candidates = [Path("config") / f"{name}.yaml" for name in BASE_FILES]
    return [path for path in candidates if path.is_file()]


def write_config_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy the shipped configuration files to ``folder``/config; returns (written, already there)."""
    written, kept = [], []
    for source in sorted(shipped_config_dir().glob("*.yaml")):
        target = folder / "config" / source.name
        if target.exists():
            kept.append(target)
        else:
            write_file(target, source.read_bytes())
            written.append(target)
    return written, kept
