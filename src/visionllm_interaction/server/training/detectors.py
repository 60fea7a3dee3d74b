"""The detectors of this machine that could serve: trained in a run, ready-made, or named in the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.detection.registry.acquire import list_models
from visionllm_interaction.errors import ManifestError
from visionllm_interaction.server.training.run_reports import RunManifests
from visionllm_interaction.server.training.schemas import DetectorView
from visionllm_interaction.utils.hashing import sha256_file

CONFIGURED = "configured"


@dataclass(frozen=True)
class KnownDetector:
    """A detector with the file that it is loaded from.

    Attributes:
        view: what the API says of it.
        path: its file.
        sha256: its digest, as far as it is noted somewhere.
    """

    view: DetectorView
    path: Path
    sha256: str | None


def known_detectors(artifacts: Path | None, serving: Path | None) -> list[KnownDetector]:
    """All detectors of this machine, the serving one first, then the newest.

    Args:
        artifacts: the folder of runs; None: there is none.
        serving: the file of the detector that serves; None: none does.

    Returns:
        The detectors.
    """
    trained = [one for run in reversed(list_runs(artifacts) if artifacts else []) if (one := _trained(run))]
    digest = _digest(serving, {one.sha256 for one in trained})
    found = [*trained, *_ready_made()]
    found = [_serving(one) if _is(one, serving, digest) else one for one in found]
    if serving is not None and not any(one.view.serving for one in found):
        view = DetectorView(
            model=CONFIGURED, kind="configured", name=serving.name, about="named by serve.detector", serving=True
        )
        found.append(KnownDetector(view, serving, digest))
    return sorted(found, key=lambda one: not one.view.serving)


def find_detector(artifacts: Path | None, serving: Path | None, model: str) -> KnownDetector | None:
    """A detector by what the API calls it; None if there is none of that name."""
    return next((one for one in known_detectors(artifacts, serving) if one.view.model == model), None)


def _is(one: KnownDetector, serving: Path | None, digest: str | None) -> bool:
    same_file = serving is not None and one.path.absolute() == serving.absolute()
    return same_file or (digest is not None and one.sha256 == digest)


def _digest(serving: Path | None, known: set[str | None]) -> str | None:
    """The digest of a serving checkpoint; a fetched or activated one is called by it."""
    if serving is None or not serving.is_file():
        return None
    return serving.stem if serving.stem in known else _hashed(serving, serving.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _hashed(path: Path, _: int) -> str:
    return sha256_file(path)


def _serving(one: KnownDetector) -> KnownDetector:
    return KnownDetector(one.view.model_copy(update={"serving": True}), one.path, one.sha256)


def _trained(run: Path) -> KnownDetector | None:
    try:
        found = RunManifests.read(run)
    except ManifestError:
        return None
    if found.training is None or found.checkpoint is None:
        return None
    settings = found.training.config.get("model", {})
    categories = [one.name for one in found.transformation.categories] if found.transformation else []
    view = DetectorView(
        model=run.name,
        kind="trained",
        name=str(settings.get("architecture", "detector")),
        about=", ".join(categories),
        AP=found.training.AP,
        created_at=found.training.created_at,
        run=run.name,
    )
    return KnownDetector(view, found.checkpoint, found.checkpoint_sha256)


def _ready_made() -> list[KnownDetector]:
    return [
        KnownDetector(
            DetectorView(
                model=entry.name,
                kind="ready-made",
                name=entry.name,
                about=f"{entry.architecture}: {entry.finds}",
                licence=entry.licence,
            ),
            cached.path,
            cached.file.sha256,
        )
        for entry, cached in list_models()
        if cached is not None and entry.kind == "people" and entry.part == "detector"
    ]
