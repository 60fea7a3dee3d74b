"""All sections of config/*.yaml in one frozen model, and how a command finds its files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import Field

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.config_loading import Section, load_settings, shipped_config_dir
from visionllm_interaction.datasets.ingestion.propose import Proposal, Setting, propose
from visionllm_interaction.detection.training.config import TuneConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.pipeline import PipelineSettings
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.atomic_files import write_file

BASE_FILES: tuple[str, ...] = ("data", "schema", "model", "analysis", "reason", "serve")
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


def write_config_files(folder: Path, *, data: Path | None = None) -> ConfigFiles:
    """Copy the shipped configuration files to ``folder``/config, with settings for ``data`` if that is given.

    Existing files are left alone.

    Args:
        folder: Where ``config/`` goes.
        data: A data set (folder, archive or annotation file) to look at; each setting it needs is written with its
            reason in a comment.

    Raises:
        UsageError: if ``data`` is given and the files it decides exist already.
        InputDataError: if there is no data set at ``data``, or in a format that is not read.
    """
    proposal = propose(data) if data else None
    if proposal:
        _refuse_existing(folder, {setting.file for setting in proposal.settings} | {"data"})
    written, kept = [], []
    for source in sorted(shipped_config_dir().glob("*.yaml")):
        target = folder / "config" / source.name
        if target.exists():
            kept.append(target)
            continue
        text = source.read_text(encoding="utf-8")
        for setting in proposal.settings if proposal else ():
            if setting.file == source.stem:
                text = _with_setting(text, setting)
        write_file(target, text.encode())
        written.append(target)
    return ConfigFiles(tuple(written), tuple(kept), proposal)


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """What :func:`write_config_files` did."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    """Files that were there already."""
    proposal: Proposal | None


def _refuse_existing(folder: Path, names: set[str]) -> None:
    there = [path for name in sorted(names) if (path := folder / "config" / f"{name}.yaml").exists()]
    if there:
        raise UsageError(
            "The configuration is there already.",
            expected="a folder without it, for what the data needs is written there",
            found=", ".join(map(str, there)),
            fix=f"remove {'it' if len(there) == 1 else 'them'}, or choose another folder: "
            "visionllm init FOLDER --data DIR",
        )


def _with_setting(text: str, setting: Setting) -> str:
    """``text`` with the value of one key replaced, and the reason in comments above it."""
    lines = text.splitlines()
    at, depth = _line_of(lines, setting.key)
    indent = "  " * depth
    value = yaml.safe_dump(setting.value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    missing = setting.key[depth:]
    if len(missing) > 1:
        # The parent is an empty mapping in flow style: it becomes a block.
        value = f"{{{missing[-1]}: {value}}}"
        inside = lines[at].partition(":")[2].strip().removeprefix("{").removesuffix("}").strip()
        value = f"{{{inside}, {value[1:]}" if inside else value
    reason = [f"{indent}# {line}" for line in textwrap.wrap(f"init: {setting.why}", 110)]
    lines[at : at + 1] = [*reason, f"{indent}{missing[0]}: {value}"]
    return "\n".join(lines) + "\n"


def _line_of(lines: Sequence[str], key: tuple[str, ...]) -> tuple[int, int]:
    """The line of the deepest part of ``key`` that stands in ``lines``, and how many parts are above it."""
    at, deepest = -1, 0
    begin = 0
    for depth, part in enumerate(key):
        indent = "  " * depth
        for number in range(begin, len(lines)):
            line = lines[number]
            if depth and line.strip() and len(line) - len(line.lstrip()) < len(indent) and not line.startswith("#"):
                break
            if line.startswith(f"{indent}{part}:"):
                at, deepest, begin = number, depth, number + 1
                break
        else:
            break
        if at < begin - 1 or deepest < depth:
            break
    return at, deepest
