"""Is a stage up to date?

Its settings, the version of its algorithm, the libraries it rests on, its inputs and its outputs are compared with its
manifest. The text of the source decides nothing: a comment put right or a module renamed makes no stage stale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, FileRef, Manifest
from visionllm_interaction.artifacts.versions import library_changes
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.utils.hashing import sha256_file


class Digests:
    """sha256 of files, each hashed once however many names it has (runs share stage folders by hard links)."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, int, int, int], str] = {}
        self._trusted: dict[str, str] = {}

    def trust(self, digests: Mapping[str, str]) -> None:
        """Take these digests (path → sha256) as checked by other means."""
        self._trusted.update(digests)

    def of(self, path: Path) -> str | None:
        """The digest, or ``None`` if there is no such file."""
        if str(path) in self._trusted:
            return self._trusted[str(path)]
        if not path.is_file():
            return None
        status = path.stat()
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if identity not in self._by_identity:
            self._by_identity[identity] = sha256_file(path)
        return self._by_identity[identity]


@dataclass(frozen=True)
class Recipe:
    """What a stage would be built with now."""

    stage: str
    config: Mapping[str, Any]
    algorithm_version: int
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Libraries that decide the result → versions, see :func:`versions.library_versions`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """``config`` as it is when nothing is set: a setting that a manifest lacks counts as set to this."""
    indifferent: frozenset[str] = frozenset()
    """Dotted keys of the manifest's settings, sections or single ones, that do not change the result."""
    keeps_workspace: bool = False
    """Whether a killed build leaves its folder behind to be continued (``publish_folder(workspace=…)``)."""
    sources_changed: Callable[[Path, Digests], str | None] | None = field(default=None, compare=False)
    """Given the run folder: why the stage's sources outside any run are not what they were, or ``None``."""

    @property
    def manifest(self) -> Path:
        """The manifest's place inside a run folder."""
        return Path(STAGE_MANIFESTS[self.stage])


def is_built(run: Path, recipe: Recipe) -> bool:
    """Whether ``run`` holds the stage at all."""
    return (run / recipe.manifest.parent).exists()


def settings_stale(run: Path, recipe: Recipe) -> str | None:
    """Why the stage of ``run`` was made in another way than it would be now, or ``None``; reads the manifest only."""
    try:
        manifest = Manifest.load(run / recipe.manifest)
    except ManifestError as error:
        return f"its manifest cannot be used ({error.message})"
    if manifest.content_sha256 not in (None, manifest.content_digest()):
        return "its manifest was edited"
    changed = changed_keys(manifest.config, recipe.config, defaults=recipe.defaults)
    if telling := [key for key in changed if not _is_below(key, recipe.indifferent)]:
        return f"settings changed: {', '.join(telling)}"
    if manifest.algorithm != recipe.algorithm_version:
        return f"its algorithm changed: version {manifest.algorithm} → {recipe.algorithm_version}"
    return "; ".join(library_changes(_libraries_of(manifest), recipe.libraries, bug_fixes_count=False)) or None


def _libraries_of(manifest: Manifest) -> Mapping[str, str]:
    """Versions noted in a manifest; older training reports note theirs with the machine."""
    if manifest.libraries is not None:
        return manifest.libraries
    environment = (manifest.model_extra or {}).get("environment")
    return {k: str(v) for k, v in environment.items()} if isinstance(environment, Mapping) else {}


def _is_below(key: str, prefixes: frozenset[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def changed_keys(
    before: Mapping[str, Any], now: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None, prefix: str = ""
) -> list[str]:
    """Dotted names of the settings that differ or are in one of the two only, in order.

    A setting that is not in ``before`` counts as its default: it was introduced later, and whoever gives it a default
    that changes results raises the ``ALGORITHM_VERSION``.
    """
    defaults = defaults or {}
    changed: list[str] = []
    for key in sorted(before.keys() | now.keys()):
        usual = defaults.get(key, _ABSENT)
        old, new = before.get(key, usual), now.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            below = usual if isinstance(usual, Mapping) else {}
            changed += changed_keys(old, new, defaults=below, prefix=f"{prefix}{key}.")
        elif old != new:
            changed.append(f"{prefix}{key}")
    return changed


_ABSENT = object()


def files_stale(run: Path, recipe: Recipe, digests: Digests) -> str | None:
    """Why the stage's inputs or outputs are not the bytes its manifest lists, or ``None``."""
    try:
        reason = recipe.sources_changed(run, digests) if recipe.sources_changed else None
    except ManifestError as error:
        reason = f"damaged: {error.message}"
    if reason:
        return reason
    manifest = Manifest.load(run / recipe.manifest)
    complaints = (
        _complaint(kind, ref, run, digests)
        for kind, refs in (("input", manifest.inputs), ("output", manifest.outputs))
        for ref in refs
    )
    return next((text for text in complaints if text), None)


def _complaint(kind: str, ref: FileRef, run: Path, digests: Digests) -> str | None:
    found = digests.of(ref.resolve(run))
    if found == ref.sha256:
        return None
    return f"{kind} {ref.path} {'is missing' if found is None else 'changed'}"
