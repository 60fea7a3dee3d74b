"""The manifest that every stage writes: its inputs, outputs, settings and versions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.algorithm_versions import FIRST_ALGORITHM_VERSION
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.strict_yaml import load_yaml

SCHEMA_VERSION = 1


class FileRef(BaseModel):
    """One file: ``path`` relative to the run folder when inside it, else absolute; digest; size in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path, *, run: Path) -> FileRef:
        """Hash ``path``; its name is relative to the run folder if it lies inside."""
        return cls(path=relative_to_run(path, run), sha256=sha256_file(path), bytes=path.stat().st_size)

    def resolve(self, run: Path) -> Path:
        """The file's place on disk, given the run folder."""
        return run / self.path


class Manifest(BaseModel):
    """Fields common to all manifests; each stage adds its own keys in a subclass."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = SCHEMA_VERSION
    stage: str
    status: str = "done"
    created_at: str
    duration_s: float
    package_version: str = __version__
    code_version: str
    """Digest of the package's source, for information; it does not decide whether a stage is up to date."""
    algorithm_version: int | None = None
    """The stage's ``ALGORITHM_VERSION``; ``None`` in older manifests, see :attr:`algorithm`."""
    libraries: dict[str, str] | None = None
    """Libraries that decide the result, and their versions."""
    config: dict[str, Any]
    inputs: tuple[FileRef, ...]
    outputs: tuple[FileRef, ...]
    content_sha256: str | None = None
    """Digest of everything else in the manifest, set by :meth:`save`; it reveals a manifest that was edited."""

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """Read a manifest.

        Args:
            path: the YAML file.

        Returns:
            The manifest as this class.

        Raises:
            ManifestError: if it is missing, not YAML, or lacks keys.
        """
        path = Path(path)
        try:
            content = load_yaml(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ManifestError(
                "A manifest cannot be read.",
                expected="a YAML manifest",
                found=error.strerror,
                where=str(path),
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ManifestError("A manifest is not YAML.", found=str(error), where=str(path)) from error
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ManifestError(
                "A manifest lacks keys or holds wrong ones.",
                expected=f"a {cls.__name__}",
                found=found,
                where=str(path),
                fix="point at a manifest written by this program, or run the stage again",
            ) from error

    def save(self, path: StrPath) -> None:
        """Write as YAML, atomically, keys in declaration order."""
        path = Path(path)
        content = {**self._content(), "content_sha256": self.content_digest()}
        write_file(path, yaml.dump(content, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=110).encode())

    def content_digest(self) -> str:
        """Digest of all keys but ``content_sha256``; differs from that key when the file was edited."""
        content = self._content()
        del content["content_sha256"]
        return sha256_value(content)

    def _content(self) -> dict[str, Any]:
        """All keys in declaration order, without keys that are absent in older manifests and in their digests."""
        content = self.model_dump(mode="json", by_alias=True)
        return {key: value for key, value in content.items() if value is not None or key not in _LATER_KEYS}

    @property
    def algorithm(self) -> int:
        """The version of the algorithm that made the result; the first version if the manifest names none."""
        return FIRST_ALGORITHM_VERSION if self.algorithm_version is None else self.algorithm_version


_LATER_KEYS = frozenset({"algorithm_version", "libraries"})
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

STAGES: tuple[Literal["ingest", "validate", "transform", "train"], ...] = (
    "ingest",
    "validate",
    "transform",
    "train",
)
STAGE_MANIFESTS: dict[str, str] = {
    "ingest": "data_ingestion/data_manifest.yaml",
    "validate": "data_validation/data_validation_report.yaml",
    "transform": "data_transformation/training_manifest.yaml",
    "train": "model_trainer/training_report.yaml",
}
"""Stage → path of its manifest inside a run folder."""


def relative_to_run(path: Path, run: Path) -> str:
    """``path`` relative to the run folder if it lies inside, else absolute."""
    full = Path(os.path.abspath(path))  # noqa: PTH100  not resolve(): a link inside the run stays inside the run
    base = Path(os.path.abspath(run))  # noqa: PTH100
    return full.relative_to(base).as_posix() if full.is_relative_to(base) else str(full)


def published_ref(path: Path, *, partial: Path, final: Path) -> FileRef:
    """The reference to a file in a folder under construction, as it will be once the folder is published.

    Args:
        path: the file, inside ``partial``.
        partial: the folder under construction.
        final: the folder's final place in the run.

    Returns:
        The reference, relative to the run folder.
    """
    place = final / path.relative_to(partial)
    return FileRef(path=relative_to_run(place, final.parent), sha256=sha256_file(path), bytes=path.stat().st_size)


def file_refs(paths: Iterable[Path], *, run: Path) -> tuple[FileRef, ...]:
    """:meth:`FileRef.of` for each path."""
    return tuple(FileRef.of(path, run=run) for path in paths)


def utc_now() -> str:
    """The present time, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
