"""YAML files and ``-o key=value`` overrides → one frozen pydantic model; every problem is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import ConfigError


class Section(BaseModel):
    """Base of every configuration section: frozen, unknown keys refused, docstring per field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


S = TypeVar("S", bound=BaseModel)


def load_settings(model: type[S], files: Sequence[Path] = (), overrides: Sequence[str] = ()) -> S:
    """Merge ``files`` in order, then ``overrides`` (``a.b=value``), and validate as ``model``.

    Raises:
        ConfigError: listing every problem in the files and overrides together, with near-miss names.
    """
    merged: dict[str, Any] = {}
    origin: dict[tuple[str, ...], str] = {}
    problems: list[str] = []
    for path in files:
        _merge(merged, _read_yaml(path, problems), source=str(path), origin=origin)
    for text in overrides:
        _merge(merged, _parse_override(text, problems), source=f"-o {text}", origin=origin)
    try:
        settings = model.model_validate(merged)
    except ValidationError as error:
        problems += [_explain(e, model, origin) for e in error.errors(include_url=False)]
        raise _config_error(problems) from None
    if problems:
        raise _config_error(problems)
    return settings


def _config_error(problems: Sequence[str]) -> ConfigError:
    count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
    listing = "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, start=1))
    return ConfigError(
        f"The configuration has {count}:\n{listing}",
        problems=tuple(problems),
        fix="correct these and run the same command again; `visionllm init` writes files with every key explained",
    )


def _read_yaml(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not valid YAML ({' '.join(str(error).split())})")
        return {}
    if content is None:
        return {}
    if not isinstance(content, dict):
        problems.append(f"{path}: expected a mapping of keys, found {type(content).__name__}")
        return {}
    return content


def _parse_override(text: str, problems: list[str]) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        problems.append(f"-o {text}: expected key=value, for example -o train.epochs=3")
        return {}
    try:
        nested: Any = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError:
        nested = value
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    result: dict[str, Any] = nested
    return result


def _merge(
    base: dict[str, Any],
    extra: Mapping[str, Any],
    *,
    source: str,
    origin: dict[tuple[str, ...], str],
    at: tuple[str, ...] = (),
) -> None:
    for key, value in extra.items():
        here = (*at, str(key))
        origin[here] = source
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value, source=source, origin=origin, at=here)
        elif isinstance(value, Mapping):
            base[key] = {}
            _merge(base[key], value, source=source, origin=origin, at=here)
        else:
            base[key] = value


def _explain(error: Any, model: type[BaseModel], origin: Mapping[tuple[str, ...], str]) -> str:
    location = tuple(str(part) for part in error["loc"])
    where = next((origin[location[:n]] for n in range(len(location), 0, -1) if location[:n] in origin), "defaults")
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{_did_you_mean(location, model)} [{where}]"
    return f"{key}: {error['msg']}, found {error['input']!r} [{where}]"


def _did_you_mean(location: tuple[str, ...], model: type[BaseModel]) -> str:
    siblings = _keys_at(model, location[:-1])
    near = nearest_names(location[-1], siblings)
    if near:
        return f", did you mean {' or '.join(repr(n) for n in near)}?"
    return f"; known keys here: {', '.join(sorted(siblings))}" if siblings else ""


def _keys_at(model: type[BaseModel], location: Iterable[str]) -> list[str]:
    current: type[BaseModel] | None = model
    for part in location:
        field = current.model_fields.get(part) if current else None
        current = _section_type(field.annotation) if field else None
    return list(current.model_fields) if current else []


def _section_type(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def shipped_config_dir() -> Path:
    """The folder of the configuration files that come with the package (installed, or a source checkout)."""
    package = Path(__file__).resolve().parent
    installed = package / "_config"
    return installed if installed.is_dir() else package.parents[1] / "config"
