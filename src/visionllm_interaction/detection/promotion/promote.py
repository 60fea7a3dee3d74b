"""Promotion of a version of the registry: compared, judged, written down, and only then given the alias."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.detection.evaluation.evaluate import material_of_checkpoint, report_in_depth
from visionllm_interaction.detection.promotion.comparison import compare_detectors
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.promotion.gates import Comparison, GateResult, check_gates
from visionllm_interaction.detection.promotion.model_versions import ModelVersion, ModelVersions
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import PromotionRefused
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

REPORT_NAME = "promotion.json"
TAG = "promotion."


@dataclass(frozen=True)
class Promotion:
    """The verdict on one version.

    Attributes:
        candidate: the version that was to serve.
        serving: the version that served; ``None`` if none did.
        comparison: figures of both; ``None`` without a version to compare with.
        gates: what was asked, and whether it was met.
        ap: AP of the candidate on the held-out images.
        data_sha256: of the training manifest or annotation file.
        report: folder of the report.
    """

    candidate: ModelVersion
    serving: ModelVersion | None
    comparison: Comparison | None
    gates: tuple[GateResult, ...]
    ap: float
    data_sha256: str
    report: Path

    @property
    def passed(self) -> bool:
        """Whether every gate is open."""
        return all(gate.passed for gate in self.gates)

    @property
    def failed(self) -> Sequence[GateResult]:
        """The gates that are closed."""
        return [gate for gate in self.gates if not gate.passed]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the content of ``promotion.json``."""
        return {
            "verdict": "passed" if self.passed else "refused",
            "model": self.candidate.name,
            "version": self.candidate.version,
            "checkpoint_sha256": self.candidate.sha256,
            "against": self.serving.version if self.serving else None,
            "AP": self.ap,
            "comparison": self._figures(),
            "gates": [{**asdict(gate), "text": gate.sentence} for gate in self.gates],
            "data_sha256": self.data_sha256,
            "report": str(self.report),
        }

    def _figures(self) -> dict[str, Any] | None:
        if self.comparison is None:
            return None
        return {**asdict(self.comparison), "ap_difference": self.comparison.ap_difference}

    def tags(self) -> dict[str, str]:
        """What the version's page in the registry says."""
        found = {
            "verdict": "passed" if self.passed else "refused",
            "against": self.serving.version if self.serving else "none",
            "failed": ", ".join(gate.name for gate in self.failed) or "none",
            "AP": f"{self.ap:.4f}",
            "data_sha256": self.data_sha256,
            "at": utc_now(),
            "by": f"visionllm-interaction {__version__}",
        }
        if self.comparison is not None:
            low, high = self.comparison.ap_interval or (float("nan"), float("nan"))
            found |= {
                "ap_difference": f"{self.comparison.ap_difference:.4f}",
                "ap_difference_low": f"{low:.4f}",
                "ap_difference_high": f"{high:.4f}",
                "latency_ratio": f"{self.comparison.latency_ratio:.3f}",
                "class_mix_distance": f"{self.comparison.class_mix_distance:.4f}",
                "confidence_distance": f"{self.comparison.confidence_distance:.4f}",
            }
        return {TAG + key: value for key, value in found.items()}


def promote(
    version: str,
    *,
    data: StrPath,
    report: StrPath,
    tracking: TrackingConfig,
    runs_dir: StrPath,
    config: PromoteConfig = PromoteConfig(),
    groups: StrPath | None = None,
) -> Promotion:
    """Let a version of the registry serve, if it passes every gate.

    The verdict is written to ``report`` and to the version's tags, whatever it is. Where no version serves yet there is
    nothing to compare with: the first one is evaluated and passes.

    Args:
        version: number of the version, or ``latest``.
        data: the training manifest of a run (its validation split), or COCO annotations; neither detector has been
            trained on it.
        report: folder for ``promotion.json``, ``evaluation.json`` and ``evaluation.html``.
        tracking: where the registry is, and the name of the model.
        runs_dir: folder of all runs; the local store lies there.
        config: alias and limits.
        groups: CSV of image groups (``file_name,group``) for the bootstrap.

    Returns:
        The verdict; the alias has moved.

    Raises:
        PromotionRefused: if a gate is closed; the alias has not moved.
        UsageError: if there is no such version or no registry.
        InputDataError: if a checkpoint or the data cannot be used.
        TrackingUnreachable: if the server does not answer.
    """
    data, report = Path(data), Path(report)
    versions = ModelVersions(tracking, Path(runs_dir))
    candidate, serving = versions.find(version), versions.serving(config.alias)
    with tempfile.TemporaryDirectory() as folder:
        mine = versions.fetch(candidate, Path(folder) / "candidate")
        theirs = versions.fetch(serving, Path(folder) / "serving") if serving else None
        verdict = _judge(
            candidate, serving, mine, theirs, data, report, config, None if groups is None else Path(groups)
        )
    write_file(report / REPORT_NAME, json.dumps(verdict.to_dict(), indent=1, ensure_ascii=False).encode())
    versions.tag(candidate, verdict.tags())
    if not verdict.passed:
        raise _refusal(verdict, config)
    versions.give_alias(candidate, config.alias)
    return verdict


def _judge(
    candidate: ModelVersion,
    serving: ModelVersion | None,
    mine: Path,
    theirs: Path | None,
    data: Path,
    report: Path,
    config: PromoteConfig,
    groups: Path | None,
) -> Promotion:
    digest = sha256_file(data)
    if theirs is None:
        alone = report_in_depth(material_of_checkpoint(mine, data), report, groups=groups, resamples=config.resamples)
        return Promotion(candidate, None, None, (), alone["AP"], digest, report)
    found, _ = compare_detectors(mine, theirs, data, config=config, report=report, groups=groups)
    return Promotion(candidate, serving, found, check_gates(found, config), found.ap, digest, report)


def _refusal(verdict: Promotion, config: PromoteConfig) -> PromotionRefused:
    assert verdict.serving is not None
    return PromotionRefused(
        f"Version {verdict.candidate.version} does not serve: {len(verdict.failed)} of {len(verdict.gates)} gates "
        f"are closed. Version {verdict.serving.version} keeps the alias {config.alias}.",
        expected="; ".join(f"{gate.name} {gate.limit:g}" for gate in verdict.failed),
        found="; ".join(gate.sentence for gate in verdict.failed),
        where=str(verdict.report / REPORT_NAME),
        fix="train longer or on more images; a limit is changed with -o promote.NAME=VALUE",
    )
