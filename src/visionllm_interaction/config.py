"""All sections of config/*.yaml in one frozen model, and how a command finds its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.config_loading import Section, load_settings, shipped_config_dir
from visionllm_interaction.detection.training.config import TuneConfig
from visionllm_interaction.interactions.config import MeasuresConfig
from visionllm_interaction.pipeline import PipelineSettings
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.atomic_files import write_file

BASE_FILES: tuple[str, ...] = ("data", "schema", "model", "analysis", "measures", "reason", "serve")
"""Files read from ./config/ when a command is given no -c."""


class DemoQuestion(Section):
    """One question of the demo and how its true answer is worked out from truth.json."""

    text: str
    """The question in plain words."""
    video: int = Field(default=0, ge=0)
    """Which of the demo's videos it is about, counted from 0."""
    measure: str
    """The measure the answer must come from."""
    subject: str
    """Category or role asked about."""
    object: str | None = None
    """The second category, for measures of pairs."""
    predicate: str | None = None
    """The predicate, for bouts."""


class DemoConfig(Section):
    """What `visionllm demo` makes and asks."""

    images: int = Field(default=500, ge=20)
    """ToyRoom images, four fifths for training."""
    videos: int = Field(default=2, ge=1, le=10)
    """ToyRoom room videos to analyse."""
    video_duration_s: float = Field(default=20.0, ge=8.0, le=120.0)
    """Length of each video in seconds."""
    seed: int = Field(default=7, ge=0)
    """Seed of images and videos."""
    questions: tuple[DemoQuestion, ...] = ()
    """What is asked once the videos are analysed."""


class Settings(PipelineSettings):
    """Every section a command may need."""

    tune: TuneConfig = TuneConfig()
    """Optuna study: `visionllm tune`."""
    analysis: AnalysisConfig = AnalysisConfig()
    """Video → store: `visionllm analyze`."""
    measures: MeasuresConfig = MeasuresConfig()
    """Store → measures: `visionllm measures`, `visionllm ask`."""
    reason: ReasonConfig = ReasonConfig()
    """Questions: `visionllm ask`."""
    serve: ServeConfig = ServeConfig()
    """HTTP service: `visionllm serve`."""
    demo: DemoConfig = DemoConfig()
    """`visionllm demo`."""


def load(files: Sequence[Path] | None = None, overrides: Sequence[str] | None = None) -> Settings:
    """Settings from ``files`` (default: what there is of ./config/) and ``overrides``.

    Raises:
        ConfigError: listing every problem at once.
    """
    return load_settings(Settings, files or _files_here(), overrides or ())


def load_demo(out: Path, files: Sequence[Path] | None = None, overrides: Sequence[str] | None = None) -> Settings:
    """Settings of the demo: the shipped demo.yaml, then ``files`` and ``overrides``; all output below ``out``.

    Raises:
        ConfigError: listing every problem at once.
    """
    placed = [f"artifacts_dir={out / 'artifacts'}", *(overrides or ())]
    return load_settings(Settings, [shipped_config_dir() / "demo.yaml", *(files or ())], placed)


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
