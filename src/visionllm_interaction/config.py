"""All sections of config/*.yaml as one frozen model, and loading them for a command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel, JsonValue

from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.config_file_order import files_not_read, layers
from visionllm_interaction.config_loading import Resolved, resolve_settings
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.training.config import TuneConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.config import InteropConfig
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.pipeline_settings import PipelineSettings
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.strict_yaml import KeyPath


class Settings(PipelineSettings):
    """All sections of the configuration."""

    tune: TuneConfig = TuneConfig()
    """Optuna study: `visionllm tune`."""
    label: LabelConfig = LabelConfig()
    """Images to annotate next: `visionllm label suggest`."""
    promote: PromoteConfig = PromoteConfig()
    """Registry → service: `visionllm models promote`."""
    analysis: AnalysisConfig = AnalysisConfig()
    """Video → store: `visionllm analyze`."""
    measures: MeasuresConfig = MeasuresConfig()
    """Store → measures: `visionllm measures`, `visionllm ask`."""
    interop: InteropConfig = InteropConfig()
    """Coded files, transcripts and tables → store: `visionllm import`."""
    reason: ReasonConfig = ReasonConfig()
    """Questions: `visionllm ask`."""
    serve: ServeConfig = ServeConfig()
    """HTTP service: `visionllm serve`."""


def load(files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None) -> Settings:
    """Settings for a command: defaults, then the base files of ./config/, then ``files``, then ``overrides``.

    Args:
        files: the files named with ``-c``, in order. A base file named here is read here, not before.
        overrides: the texts given with ``-o``.

    Returns:
        The validated settings.

    Raises:
        ConfigError: with all problems at once.
    """
    return resolve(files, overrides).settings


def resolve(files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None) -> Resolved[Settings]:
    """Like :func:`load`, with the origin of each value.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        The validated settings and their origins.

    Raises:
        ConfigError: with all problems at once.
    """
    return resolve_settings(Settings, layers(files or ()), overrides or ())


def settings_schema(section: str | None = None) -> dict[str, JsonValue]:
    """The JSON Schema (2020-12) of a configuration file or of one section.

    Args:
        section: a top-level key; default: the whole file.

    Returns:
        The schema.

    Raises:
        UsageError: if there is no such section.
    """
    model: type[BaseModel] = Settings
    if section is not None:
        field = Settings.model_fields.get(section)
        if field is None or not _is_section(field.annotation):
            raise _unknown_section(section)
        model = field.annotation
    schema = model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _is_section(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _unknown_section(name: str) -> UsageError:
    sections = [key for key, field in Settings.model_fields.items() if _is_section(field.annotation)]
    near = nearest_names(name, sections)
    return UsageError(
        "There is no such section of the configuration.",
        expected=f"one of {', '.join(sections)}",
        found=name,
        fix=f"did you mean {' or '.join(near)}?" if near else None,
    )


@dataclass(frozen=True)
class ResolvedValue:
    """One value of the configuration."""

    key: str
    """Dotted key, as in ``-o``."""
    value: JsonValue
    """The value as in JSON and YAML; passwords in URLs are hidden."""
    origin: str
    """``FILE:LINE``, ``-o KEY=VALUE`` or ``default``."""


@dataclass(frozen=True)
class ConfigDescription:
    """The result of `visionllm config show`."""

    values: tuple[ResolvedValue, ...]
    files: tuple[Path, ...]
    """The files read, lowest layer first."""
    not_read: tuple[Path, ...]
    """YAML files in ./config/ that no layer reads."""

    def to_dict(self) -> dict[str, JsonValue]:
        """The same as JSON, with the values by key."""
        return {
            "files": [str(path) for path in self.files],
            "not_read": [str(path) for path in self.not_read],
            "values": {value.key: {"value": value.value, "origin": value.origin} for value in self.values},
        }


def describe(
    files: Sequence[StrPath] | None = None,
    overrides: Sequence[str] | None = None,
    *,
    section: str | None = None,
    changed: bool = False,
) -> ConfigDescription:
    """Every value :func:`load` gives for the same arguments, with its origin.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.
        section: only values below this top-level key.
        changed: only values set in a file or with ``-o``.

    Returns:
        The values in the order of the sections, and the files.

    Raises:
        ConfigError: with all problems at once.
        UsageError: if there is no such section.
    """
    if section is not None and section not in Settings.model_fields:
        raise _unknown_section(section)
    resolved = resolve(files, overrides)
    read = layers(files or ())
    values = [
        ResolvedValue(".".join(key), _presentable(value), _origin(resolved, key, value))
        for key, value in _leaves(resolved.settings)
        if section in (None, key[0])
    ]
    chosen = tuple(value for value in values if not (changed and value.origin == "default"))
    return ConfigDescription(chosen, read, files_not_read(read))


def _leaves(section: BaseModel, at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    plain = section.model_dump(mode="json")
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), plain[name]


def _origin(resolved: Resolved[Settings], key: KeyPath, value: Any) -> str:
    if not isinstance(value, dict):
        return resolved.origin(key)
    parts = (origin for place, origin in resolved.origins.items() if place[: len(key)] == key)
    return ", ".join(dict.fromkeys(parts)) or "default"


def _presentable(value: Any) -> Any:
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1***@", value)
    if isinstance(value, list):
        return [_presentable(item) for item in value]
    if isinstance(value, dict):
        return {key: _presentable(item) for key, item in value.items()}
    return value


_PASSWORD = re.compile(r"(\w://[^/@\s:]*:)[^@\s]*@")
