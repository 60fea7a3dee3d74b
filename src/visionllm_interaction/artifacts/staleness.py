"""Is a stage up to date? Its settings, code, inputs and outputs are compared with its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, FileRef, Manifest
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
    code_version: str
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
    """Why the stage of ``run`` was made with other settings or code, or ``None``; reads the manifest only."""
    try:
        manifest = Manifest.load(run / recipe.manifest)
    except ManifestError as error:
        return f"its manifest cannot be used ({error.message})"
    if manifest.content_sha256 not in (None, manifest.content_digest()):
        return "its manifest was edited"
    changed = changed_keys(manifest.config, recipe.config)
    if telling := [key for key in changed if not _is_below(key, recipe.indifferent)]:
        return f"settings changed: {', '.join(telling)}"
    return None if manifest.code_version == recipe.code_version else "the code changed"


def _is_below(key: str, prefixes: frozenset[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def changed_keys(before: Mapping[str, Any], now: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """Dotted names of the settings that differ or are in one of the two only, in order."""
    changed: list[str] = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += changed_keys(old, new, prefix=f"{prefix}{key}.")
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
