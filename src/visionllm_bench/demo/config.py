"""Settings of the demo: those of the product, and what the demo makes and asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from visionllm_interaction.config import Settings
from visionllm_interaction.config_loading import Section, load_settings, shipped_config_dir

FILE_NAME = "demo.yaml"


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


class DemoSettings(Settings):
    """Every section of the product, and ``demo``."""

    demo: DemoConfig = DemoConfig()
    """`visionllm demo`."""


def load_demo(
    out: str | os.PathLike[str], files: Sequence[Path] | None = None, overrides: Sequence[str] | None = None
) -> DemoSettings:
    """Settings of the demo: the shipped demo.yaml, then ``files``, then ``overrides``.

    Args:
        out: folder of the demo; all its artifacts go below it.
        files: further YAML files, later ones win.
        overrides: ``key=value`` each; they win over the files.

    Returns:
        The settings.

    Raises:
        ConfigError: listing every problem at once.
    """
    placed = [f"artifacts_dir={Path(out) / 'artifacts'}", *(overrides or ())]
    return load_settings(DemoSettings, [shipped_config_dir() / FILE_NAME, *(files or ())], placed)
