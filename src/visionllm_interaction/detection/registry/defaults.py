"""Which model is used where none is named, or what to type to get it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from visionllm_interaction.detection.registry.cache import CachedModel, checked_path, find_cached, models_folder
from visionllm_interaction.detection.registry.entries import Defaults, Kind, ModelEntry, Part, Registry, read_registry
from visionllm_interaction.errors import ModelMissing
from visionllm_interaction.utils.path_type import StrPath


def resolve(name: str, *, registry: Registry | None = None) -> Path:
    """The file of a model that is on this machine.

    Args:
        name: of the model, as ``visionllm models list`` shows it.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        The file, its digest checked.

    Raises:
        UsageError: if there is no model of this name.
        ModelMissing: if it is not on this machine; the message is what to type.
        CheckpointError: if the file is damaged.
    """
    entry = (registry or read_registry()).entry(name)
    cached = find_cached(entry)
    if cached is None:
        raise _missing([entry], expected=f"the model {entry.name} ({entry.finds})", get=entry.name)
    return checked_path(cached)


def named_or_path(given: StrPath, *, registry: Registry | None = None) -> Path:
    """The file that a user means by a path or by a name.

    Args:
        given: a path, or the name of a model; what is there as a file or folder is a path.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        The path, or the file of the named model.

    Raises:
        ModelMissing: if it is the name of a model that is not on this machine.
        CheckpointError: if the model's file is damaged.
    """
    path, registry = Path(given), registry or read_registry()
    name = str(given).lower().replace("-", "_")
    return path if path.exists() or name not in registry.models else resolve(name, registry=registry)


def resolve_kind(
    kind: Kind,
    *,
    parts: Sequence[Part] | None = None,
    cuda: bool | None = None,
    registry: Registry | None = None,
) -> Mapping[Part, Path]:
    """The files of the models that find one kind of thing, the best of each that are on this machine.

    Args:
        kind: what is to be found.
        parts: which steps are needed; by default all that the kind has.
        cuda: whether a GPU does the work; by default whether there is one.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        A file for each part, its digest checked.

    Raises:
        ModelMissing: if a part is not on this machine; the message is what to type.
        CheckpointError: if a file is damaged.
    """
    registry = registry or read_registry()
    chosen = {part: _best(defaults, cuda, registry) for part, defaults in _steps(kind, parts, registry)}
    found = {part: cached for part, cached in chosen.items() if cached is not None}
    missing = [
        registry.models[_order(defaults, cuda)[0]]
        for part, defaults in _steps(kind, parts, registry)
        if part not in found
    ]
    if missing:
        get = missing[0].name if len(missing) == 1 else kind
        raise _missing(missing, expected=f"a model that finds {kind}", get=get)
    return {part: checked_path(cached) for part, cached in found.items()}


def find_default(kind: Kind, *, registry: Registry | None = None) -> Path | None:
    """The best detector of a kind on this machine, for programs that go on without one.

    Args:
        kind: what is to be found.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        Its file, the digest checked; None if there is none.

    Raises:
        CheckpointError: if the file is damaged.
    """
    registry = registry or read_registry()
    cached = _best(registry.defaults[kind]["detector"], None, registry)
    return None if cached is None else checked_path(cached)


def suggested(kind: Kind, *, cuda: bool | None = None, registry: Registry | None = None) -> tuple[ModelEntry, ...]:
    """The models to get for a kind: the best of each part for this machine.

    Args:
        kind: what is to be found.
        cuda: whether a GPU does the work; by default whether there is one.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        One model for each part.
    """
    registry = registry or read_registry()
    return tuple(registry.models[_order(defaults, cuda)[0]] for defaults in registry.defaults[kind].values())


def _steps(kind: Kind, parts: Sequence[Part] | None, registry: Registry) -> list[tuple[Part, Defaults]]:
    return [(part, one) for part, one in registry.defaults[kind].items() if parts is None or part in parts]


def _best(defaults: Defaults, cuda: bool | None, registry: Registry) -> CachedModel | None:
    """The first model of the machine's list that is here; the machine is looked at only where it matters."""
    names = dict.fromkeys((*defaults.cpu, *defaults.cuda))
    here = {name: cached for name in names if (cached := find_cached(registry.models[name]))}
    if len(here) < 2:
        return next(iter(here.values()), None)
    return next(here[name] for name in _order(defaults, cuda) if name in here)


def _order(defaults: Defaults, cuda: bool | None) -> tuple[str, ...]:
    if not defaults.cuda:
        return defaults.cpu
    if cuda is None:
        cuda = _has_cuda()
    return defaults.cuda if cuda else defaults.cpu


def _has_cuda() -> bool:
    # Imported here: torch takes seconds to load, and most kinds have the same order everywhere. Without it nothing
    # could run on a GPU.
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _missing(entries: Sequence[ModelEntry], *, expected: str, get: str) -> ModelMissing:
    lines = [f"{entry.name}: {entry.size}, {entry.licence}, {entry.licence_url}" for entry in entries]
    addresses = ", ".join(entry.url for entry in entries)
    return ModelMissing(
        "A model that this needs is not on this machine.",
        expected=expected,
        found="none; to get " + "; ".join(lines),
        where=f"{models_folder()} (without a network: visionllm models add FILE, of {addresses})",
        fix=f"visionllm models get {get}",
    )
