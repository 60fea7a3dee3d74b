"""Which model is used where none is named, or what to type to get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from visionllm_interaction.detection.registry.cache import CachedModel, checked_path, find_cached
from visionllm_interaction.detection.registry.entries import Defaults, Kind, ModelEntry, Part, Registry, read_registry
from visionllm_interaction.errors import ModelMissing


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
    found: dict[Part, CachedModel] = {}
    missing: list[ModelEntry] = []
    for part, defaults in registry.defaults[kind].items():
        if parts is not None and part not in parts:
            continue
        entries = [registry.models[name] for name in _order(defaults, cuda)]
        best = next((cached for entry in entries if (cached := find_cached(entry))), None)
        if best is None:
            missing.append(entries[0])
        else:
            found[part] = best
    if missing:
        get = missing[0].name if len(missing) == 1 else kind
        raise _missing(missing, expected=f"a model that finds {kind}", get=get)
    return {part: checked_path(cached) for part, cached in found.items()}


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


def _order(defaults: Defaults, cuda: bool | None) -> tuple[str, ...]:
    if not defaults.cuda:
        return defaults.cpu
    if cuda is None:
        # Imported here: torch takes seconds to load, and most kinds have the same order everywhere.
        import torch

        cuda = torch.cuda.is_available()
    return defaults.cuda if cuda else defaults.cpu


def _missing(entries: Sequence[ModelEntry], *, expected: str, get: str) -> ModelMissing:
    lines = [f"{entry.name}: {entry.size}, {entry.licence}, {entry.licence_url}" for entry in entries]
    return ModelMissing(
        "A model that this needs is not on this machine.",
        expected=expected,
        found="none in the folder of models; to get: " + "; ".join(lines),
        fix=f"visionllm models get {get}   (without a network: visionllm models add FILE)",
    )
