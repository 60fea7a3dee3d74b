"""Loading YAML files and ``-o key=value`` overrides into one frozen pydantic model; all problems are reported together.

Later files override earlier ones, key by key; overrides come last. :mod:`visionllm_interaction.config` chooses files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import ConfigError
from visionllm_interaction.utils.path_type import StrPath, address_in
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

if TYPE_CHECKING:
    from visionllm_interaction.utils.strict_yaml import KeyPath, YamlDocument

# YAML is imported where it is read: a command without settings does not wait for it.


class Section(DescribedModel):
    """Base of every configuration section: frozen, unknown keys refused, docstring per field."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_address_for_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``s3://…`` where a path is set: it would become a folder named ``s3:``."""
        given = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(one, str) and address_in(one) for one in given) and _holds_paths(cls, info.field_name):
            raise ValueError("Input should be a path of this machine, not an address (docs/object-storage.md)")
        return value


def _holds_paths(model: type[BaseModel], field: str | None) -> bool:
    annotation = model.model_fields[field].annotation if field in model.model_fields else None
    return any(one is Path for one in (annotation, *get_args(annotation)))


S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Resolved(Generic[S]):
    """Validated settings, and the place where each value that is not a default was set."""

    settings: S
    origins: Mapping[KeyPath, str]
    """Key → ``FILE:LINE`` or ``-o KEY=VALUE``; missing keys have their defaults."""

    def origin(self, key: KeyPath) -> str:
        """The place where the value at ``key`` was set, or ``default``."""
        return self.origins.get(key, "default")


def load_settings(model: type[S], files: Sequence[StrPath] = (), overrides: Sequence[str] = ()) -> S:
    """Merge files and overrides, and validate the result.

    Args:
        model: the model of the merged content.
        files: YAML files; later ones override earlier ones.
        overrides: texts of the form ``a.b=value``.

    Returns:
        The settings.

    Raises:
        ConfigError: with all problems in files and overrides, and similar names for unknown keys.
    """
    return resolve_settings(model, files, overrides).settings


def resolve_settings(model: type[S], files: Sequence[StrPath] = (), overrides: Sequence[str] = ()) -> Resolved[S]:
    """Like :func:`load_settings`, with the origin of each value.

    Args:
        model: the model of the merged content.
        files: YAML files; later ones override earlier ones, key by key. Lists are replaced as a whole.
        overrides: texts of the form ``a.b=value``, with the value in YAML.

    Returns:
        The settings with their origins.

    Raises:
        ConfigError: with all problems in files and overrides, and similar names for unknown keys.
    """
    return _validate(model, _read(files, overrides))


def load_if_only(model: type[S], files: Sequence[StrPath] = (), overrides: Sequence[str] = ()) -> S | None:
    """Like :func:`load_settings`, but only if ``model`` has every top-level key that is set.

    Args:
        model: the model of the merged content.
        files: YAML files; later ones override earlier ones.
        overrides: texts of the form ``a.b=value``.

    Returns:
        The settings; ``None`` if another top-level key is set or a file cannot be read.

    Raises:
        ConfigError: with all problems in files and overrides, and similar names for unknown keys.
    """
    read = _read(files, overrides)
    if read.problems or not set(read.merged) <= set(model.model_fields):
        return None
    return _validate(model, read).settings


@dataclass
class _MergedContent:
    """Files and overrides, merged but not yet validated."""

    merged: dict[str, Any]
    origins: dict[KeyPath, str]
    problems: list[str]


def _read(files: Sequence[StrPath], overrides: Sequence[str]) -> _MergedContent:
    read = _MergedContent({}, {}, [])
    for path in files:
        document = _read_file(Path(path), read.problems)
        if document is None:
            continue
        _merge(read.merged, document.content, source=str(path), lines=document.lines, origins=read.origins)
    for text in overrides:
        parsed = _parse_override(text, read.problems)
        _merge(read.merged, parsed, source=f"-o {text}", lines={}, origins=read.origins)
    return read


def _validate(model: type[S], read: _MergedContent) -> Resolved[S]:
    problems = read.problems
    try:
        settings = model.model_validate(read.merged)
    except ValidationError as error:
        problems += [_explain(e, model, read.origins) for e in error.errors(include_url=False)]
        raise _config_error(problems) from None
    if problems:
        raise _config_error(problems)
    return Resolved(settings, read.origins)


def _config_error(problems: Sequence[str]) -> ConfigError:
    count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
    listing = "\n".join(f"  {n}. {text}" for n, text in enumerate(problems, start=1))
    return ConfigError(
        f"The configuration has {count}:\n{listing}",
        problems=tuple(problems),
        fix="correct these and run the same command again; `visionllm init` writes files with every key explained",
    )


def _read_file(path: Path, problems: list[str]) -> YamlDocument | None:
    """The mapping in a file; None where there is none."""
    from yaml import YAMLError

    from visionllm_interaction.utils.strict_yaml import DuplicateKeysError, parse_yaml

    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
        return None
    except DuplicateKeysError as error:
        problems += [f"{duplicate} [{path}]" for duplicate in error.duplicates]
        return None
    except (YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not valid YAML ({' '.join(str(error).split())})")
        return None
    if document.content is None:
        return None
    if not isinstance(document.content, dict):
        problems.append(f"{path}: expected a mapping of keys, found {type(document.content).__name__}")
        return None
    return document


def _parse_override(text: str, problems: list[str]) -> dict[str, Any]:
    from yaml import YAMLError

    from visionllm_interaction.utils.strict_yaml import DuplicateKeysError, load_yaml

    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        problems.append(f"-o {text}: expected key=value, for example -o train.epochs=3")
        return {}
    try:
        nested: Any = load_yaml(value) if value.strip() else None
    except DuplicateKeysError as error:
        problems += [f"{key.strip()}.{duplicate} [-o {text}]" for duplicate in error.duplicates]
        return {}
    except YAMLError:
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
    lines: Mapping[KeyPath, int],
    origins: dict[KeyPath, str],
    at: KeyPath = (),
) -> None:
    for key, value in extra.items():
        here = (*at, str(key))
        if not (isinstance(value, Mapping) and isinstance(base.get(key), dict)):
            _remove_origins_below(here, origins)
        if not isinstance(value, Mapping) or here not in origins:
            origins[here] = f"{source}:{lines[here]}" if here in lines else source
        if isinstance(value, Mapping):
            base[key] = base[key] if isinstance(base.get(key), dict) else {}
            _merge(base[key], value, source=source, lines=lines, origins=origins, at=here)
        else:
            base[key] = value


def _remove_origins_below(key: KeyPath, origins: dict[KeyPath, str]) -> None:
    """Remove the origins of the parts of a value that is replaced as a whole."""
    for old in [old for old in origins if old[: len(key)] == key]:
        del origins[old]


def _origin(key: KeyPath, origins: Mapping[KeyPath, str]) -> str | None:
    return next((origins[key[:n]] for n in range(len(key), 0, -1) if key[:n] in origins), None)


def _explain(error: Any, model: type[BaseModel], origins: Mapping[KeyPath, str]) -> str:
    location = tuple(str(part) for part in error["loc"])
    where = _origin(location, origins) or "defaults"
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{_did_you_mean(location, model)} [{where}]"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}, found {error['input']!r} [{where}]"


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
    """The folder of the configuration files shipped with the package, installed or in a source checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_config"
    return installed if installed.is_dir() else package.parents[1] / "config"
