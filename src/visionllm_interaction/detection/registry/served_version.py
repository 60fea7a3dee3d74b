"""The checkpoint behind an alias of an MLflow server's model registry, by plain HTTP: MLflow need not be installed.

The alias is moved by ``visionllm models promote``. What was fetched is kept under its digest, with a note of which
alias named it, so that a service starts without the registry, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionllm_interaction.errors import CheckpointError, ServiceError, UsageError
from visionllm_interaction.utils.atomic_files import publish_file, write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.strict_yaml import load_yaml

if TYPE_CHECKING:
    import httpx

REFERENCE = re.compile(r"models:/(?P<name>[^/@:]+)@(?P<alias>[A-Za-z][A-Za-z0-9_-]{0,63})")
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
DIGEST_TAG = "checkpoint_sha256"
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ServedVersion:
    """What an alias names.

    Attributes:
        version: number of the version, as text.
        sha256: of its checkpoint.
    """

    version: str
    sha256: str


def is_alias_reference(given: object) -> bool:
    """Whether a detector is named by an alias of a registry (``models:/…``)."""
    return str(given).startswith("models:/")


def fetch_served(reference: str, registry: str | None, folder: Path) -> Path:
    """The checkpoint that an alias names, fetched unless it is here.

    Args:
        reference: ``models:/NAME@ALIAS``.
        registry: address of the MLflow server; user and password come from MLflow's environment variables.
        folder: where checkpoints are kept.

    Returns:
        The checkpoint, its digest checked. Where the server is unreachable, the one it named last.

    Raises:
        UsageError: if the reference cannot be read, no server is given, or it has no such model or alias.
        CheckpointError: if what the server sends is not the checkpoint that was registered.
        ServiceError: if the server is unreachable and never named one.
    """
    import httpx  # here, because the base installation is without it, and asks whether a detector is such a reference

    found = REFERENCE.fullmatch(reference)
    if found is None or registry is None:
        raise UsageError(
            "A detector of the model registry cannot be found.",
            expected="models:/NAME@ALIAS and the address of the registry",
            found=f"{reference} and {registry or 'no address'}",
            fix="for example -o serve.detector=models:/visionllm-detector@serving "
            "-o serve.model_registry=http://127.0.0.1:5000",
        )
    note = folder / f"{found['name']}@{found['alias']}.json"
    user = (os.environ.get(USERNAME, ""), os.environ.get(PASSWORD, ""))
    try:
        with httpx.Client(base_url=registry, timeout=TIMEOUT_S, auth=user if user[0] else None) as server:
            served = _named_by(server, found["name"], found["alias"], registry)
            path = folder / f"{served.sha256}.pt"
            if not path.exists():
                _fetch(server, found["name"], served, path)
    except httpx.HTTPError as error:
        return _kept(note, folder, registry, error)
    write_file(note, json.dumps({"version": served.version, "sha256": served.sha256}).encode())
    log.info("the detector of the registry", model=reference, version=served.version, sha256=served.sha256[:12])
    return _checked(path, served.sha256)


def _named_by(server: httpx.Client, name: str, alias: str, registry: str) -> ServedVersion:
    reply = server.get("/api/2.0/mlflow/registered-models/alias", params={"name": name, "alias": alias})
    if reply.status_code == 404 or "INVALID_PARAMETER_VALUE" in reply.text:
        raise UsageError(
            "The registry has no version of this alias.",
            expected="an alias that `visionllm models promote` has set",
            found=f"models:/{name}@{alias}",
            where=registry,
        )
    version: Mapping[str, Any] = reply.raise_for_status().json()["model_version"]
    tags = {tag["key"]: tag["value"] for tag in version.get("tags", ())}
    if not re.fullmatch("[0-9a-f]{64}", tags.get(DIGEST_TAG, "")):
        raise CheckpointError(
            "A version of the registry does not say what its checkpoint is.",
            expected=f"a tag {DIGEST_TAG}, as `visionllm train` registers it",
            found="no such tag",
            where=f"{name} version {version['version']} on {registry}",
        )
    return ServedVersion(str(version["version"]), tags[DIGEST_TAG])


def _fetch(server: httpx.Client, name: str, served: ServedVersion, path: Path) -> None:
    where = {"name": name, "version": served.version}
    about = server.get("/model-versions/get-artifact", params={**where, "path": "MLmodel"}).raise_for_status()
    inside = load_yaml(about.text)["flavors"]["python_function"]["data"]
    with publish_file(path) as partial, partial.open("wb") as stream:
        digest = hashlib.sha256()
        with server.stream("GET", "/model-versions/get-artifact", params={**where, "path": inside}) as reply:
            reply.raise_for_status()
            for chunk in reply.iter_bytes():
                stream.write(chunk)
                digest.update(chunk)
        stream.flush()
        if digest.hexdigest() != served.sha256:
            raise _another(digest.hexdigest(), served.sha256, f"{name} version {served.version}")


def _kept(note: Path, folder: Path, registry: str, error: httpx.HTTPError) -> Path:
    """The checkpoint that the alias named when the server was last reached."""
    if not note.is_file():
        raise ServiceError(
            "The model registry cannot be asked.",
            expected="an MLflow server",
            found=f"{type(error).__name__}: {error}"[:300],
            where=registry,
            fix="start it, or name a checkpoint with -o serve.detector=…",
        ) from error
    served = json.loads(note.read_bytes())
    log.warning("the model registry cannot be asked; the detector it named last is used", version=served["version"])
    return _checked(folder / f"{served['sha256']}.pt", served["sha256"])


def _checked(path: Path, sha256: str) -> Path:
    found = sha256_file(path) if path.is_file() else "no file"
    if found != sha256:
        raise _another(found, sha256, str(path))
    return path


def _another(found: str, expected: str, where: str) -> CheckpointError:
    return CheckpointError(
        "The registry's checkpoint is not the one that was registered.",
        expected=f"sha256 {expected}",
        found=found,
        where=where,
        fix="delete the file, or see who has changed the server's artifacts",
    )
