"""Whether a stage is up to date.

Its settings, algorithm version, libraries, inputs and outputs are compared with its manifest. The source text is not:
a corrected comment or a renamed module makes no stage stale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.algorithm_versions import library_changes
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, FileRef, Manifest
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.utils.hashing import sha256_file


class DigestCache:
    """sha256 digests of files. Runs share files by hard links; each file is hashed once, whatever its names."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, int, int, int], str] = {}
        self._trusted: dict[str, str] = {}

    def trust(self, digests: Mapping[str, str]) -> None:
        """Use these digests (path → sha256) without hashing: they were checked by other means."""
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
    """Everything that a stage would be built from now."""

    stage: str
    config: Mapping[str, Any]
    algorithm_version: int
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Versions of the libraries that decide the result, see :func:`.algorithm_versions.library_versions`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The default configuration: a setting that a manifest lacks counts as its default."""
    indifferent: frozenset[str] = frozenset()
    """Dotted keys of settings or sections that do not change the result."""
    keeps_workspace: bool = False
    """Whether a killed build leaves its folder to be continued (``publish_folder(workspace=…)``)."""
    sources_changed: Callable[[Path, DigestCache], str | None] | None = field(default=None, compare=False)
    """Says why the stage's sources outside the run have changed, or ``None``; takes the run folder."""

    @property
    def manifest(self) -> Path:
        """Path of the manifest inside a run folder."""
        return Path(STAGE_MANIFESTS[self.stage])


def is_built(run: Path, recipe: Recipe) -> bool:
    """Whether ``run`` contains the stage, up to date or not."""
    return (run / recipe.manifest.parent).exists()


def settings_stale(run: Path, recipe: Recipe) -> str | None:
    """Why the stage of ``run`` would be built differently now, or ``None``; reads only the manifest."""
    try:
        manifest = Manifest.load(run / recipe.manifest)
    except ManifestError as error:
        return f"its manifest cannot be used ({error.message})"
    if manifest.content_sha256 not in (None, manifest.content_digest()):
        return "its manifest was edited"
    changed = changed_keys(manifest.config, recipe.config, defaults=recipe.defaults)
    if relevant := [key for key in changed if not _is_below(key, recipe.indifferent)]:
        return f"settings changed: {', '.join(relevant)}"
    if manifest.algorithm != recipe.algorithm_version:
        return f"its algorithm changed: version {manifest.algorithm} → {recipe.algorithm_version}"
    return "; ".join(library_changes(_libraries_of(manifest), recipe.libraries, bug_fixes_count=False)) or None


def _libraries_of(manifest: Manifest) -> Mapping[str, str]:
    """Versions recorded in a manifest; older training reports record them in ``environment``."""
    if manifest.libraries is not None:
        return manifest.libraries
    environment = (manifest.model_extra or {}).get("environment")
    return {k: str(v) for k, v in environment.items()} if isinstance(environment, Mapping) else {}


def _is_below(key: str, prefixes: frozenset[str]) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)


def changed_keys(
    before: Mapping[str, Any], now: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None, prefix: str = ""
) -> list[str]:
    """Dotted names of the settings that differ or exist on one side only.

    A setting that is not in ``before`` counts as its default: it was introduced later. A new default that changes
    results raises the ``ALGORITHM_VERSION``.

    Args:
        before: the recorded settings, possibly nested.
        now: the present settings.
        defaults: the default settings.
        prefix: put before every name.

    Returns:
        The names, sorted.
    """
    defaults = defaults or {}
    changed: list[str] = []
    for key in sorted(before.keys() | now.keys()):
        default = defaults.get(key, _ABSENT)
        old, new = before.get(key, default), now.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            below = default if isinstance(default, Mapping) else {}
            changed += changed_keys(old, new, defaults=below, prefix=f"{prefix}{key}.")
        elif old != new:
            changed.append(f"{prefix}{key}")
    return changed


_ABSENT = object()


def files_stale(run: Path, recipe: Recipe, digests: DigestCache) -> str | None:
    """Why an input or output of the stage differs from its manifest, or ``None``; hashes the files."""
    try:
        reason = recipe.sources_changed(run, digests) if recipe.sources_changed else None
    except ManifestError as error:
        reason = f"damaged: {error.message}"
    if reason:
        return reason
    manifest = Manifest.load(run / recipe.manifest)
    differences = (
        _difference(kind, ref, run, digests)
        for kind, refs in (("input", manifest.inputs), ("output", manifest.outputs))
        for ref in refs
    )
    return next((text for text in differences if text), None)


def _difference(kind: str, ref: FileRef, run: Path, digests: DigestCache) -> str | None:
    found = digests.of(ref.resolve(run))
    if found == ref.sha256:
        return None
    return f"{kind} {ref.path} {'is missing' if found is None else 'changed'}"
