"""Versions of a registered model on an MLflow server: found, fetched, tagged, given the alias."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.detection.experiment_tracking.mlflow_client import make_client
from visionllm_interaction.detection.experiment_tracking.tracker import tracking_uri, unreachable
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import CheckpointError, UsageError
from visionllm_interaction.utils.hashing import sha256_file

DIGEST_TAG = "checkpoint_sha256"


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model.

    Attributes:
        name: of the model.
        version: its number, as text.
        sha256: of its checkpoint, as the registry says; ``None`` for a model of another origin.
    """

    name: str
    version: str
    sha256: str | None


class ModelVersions:
    """The versions of one registered model.

    Args:
        tracking: where the registry is, and the name of the model.
        runs_dir: folder of all runs; the local store lies there.

    Raises:
        UsageError: if ``tracking`` has no registry.
    """

    def __init__(self, tracking: TrackingConfig, runs_dir: Path) -> None:
        if tracking.kind == "none" or tracking.registered_model is None or tracking.figures_only:
            raise UsageError(
                "There is no model registry to promote from.",
                expected="tracking.kind local, mlflow or dagshub, a tracking.registered_model, and no figures_only",
                found=f"kind {tracking.kind}, registered_model {tracking.registered_model}, "
                f"figures_only {tracking.figures_only}",
                where="section tracking",
            )
        self.name = tracking.registered_model
        self.uri = tracking_uri(tracking, runs_dir)
        self._client = self._called(lambda: make_client(tracking, self.uri))

    def find(self, version: str) -> ModelVersion:
        """A version by its number, or the newest for ``latest``.

        Args:
            version: a number, or ``latest``.

        Returns:
            The version.

        Raises:
            UsageError: if there is no such version.
            TrackingUnreachable: if the server does not answer.
        """
        known = {
            int(found.version): found
            for found in self._called(lambda: self._client.search_model_versions(f"name = '{self.name}'"))
        }
        wanted = max(known, default=0) if version == "latest" else int(version) if version.isdigit() else 0
        if wanted not in known:
            raise UsageError(
                "There is no such version of the model.",
                expected=f"latest, or one of {', '.join(map(str, sorted(known)))}" if known else "a registered version",
                found=version,
                where=f"{self.name} on {self.uri}",
                fix="`visionllm train` registers a version of each training",
            )
        return self._of(known[wanted])

    def serving(self, alias: str) -> ModelVersion | None:
        """The version that has the alias; ``None`` if none has it.

        Args:
            alias: the alias.

        Returns:
            The version.

        Raises:
            TrackingUnreachable: if the server does not answer.
        """
        model = self._called(lambda: self._client.get_registered_model(self.name))
        number = model.aliases.get(alias)
        return None if number is None else self._of(self._client.get_model_version(self.name, number))

    def fetch(self, version: ModelVersion, folder: Path) -> Path:
        """Fetch the checkpoint of a version.

        Args:
            version: the version.
            folder: where it is put.

        Returns:
            The checkpoint, its digest checked.

        Raises:
            CheckpointError: if there is none, or it is not the one that was registered.
            TrackingUnreachable: if the server does not answer.
        """
        from mlflow.artifacts import download_artifacts

        source = self._called(lambda: self._client.get_model_version_download_uri(self.name, version.version))
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(
            self._called(lambda: download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=self.uri))
        )
        found = sorted((place / "data").glob("*"))
        if len(found) != 1 or (version.sha256 and sha256_file(found[0]) != version.sha256):
            raise CheckpointError(
                "The registry's model is not the checkpoint that was registered.",
                expected=f"one file with the sha256 {version.sha256}",
                found=", ".join(f"{path.name} {sha256_file(path)}" for path in found) or "no file",
                where=f"{self.name} version {version.version} on {self.uri}",
            )
        return found[0]

    def tag(self, version: ModelVersion, values: dict[str, str]) -> None:
        """Write tags on a version.

        Args:
            version: the version.
            values: tag → text.
        """
        for key, value in values.items():
            self._called(lambda k=key, v=value: self._client.set_model_version_tag(self.name, version.version, k, v))

    def give_alias(self, version: ModelVersion, alias: str) -> None:
        """Move the alias to a version.

        Args:
            version: the version.
            alias: the alias.
        """
        self._called(lambda: self._client.set_registered_model_alias(self.name, alias, version.version))

    def _of(self, found: Any) -> ModelVersion:
        return ModelVersion(self.name, str(found.version), found.tags.get(DIGEST_TAG))

    def _called(self, call: Any) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return call()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise UsageError(
                    "The registry has no such model.",
                    expected="a model that `visionllm train` has registered (tracking.registered_model)",
                    found=self.name,
                    where=self.uri,
                ) from error
            raise unreachable(self.uri, error) from error
