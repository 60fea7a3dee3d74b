"""The gates: figures of a comparison against limits. Pure logic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visionllm_interaction.detection.promotion.config import PromoteConfig


@dataclass(frozen=True)
class Comparison:
    """A version beside the one that serves, on the same images.

    Attributes:
        ap, serving_ap: AP of both, each from 0 to 1.
        ap_interval: 95 % interval of the difference, paired by groups of images; ``None`` if there are too few.
        latency_ratio: median over images of time(version) / time(serving).
        class_mix_distance: total variation distance between the shares of categories, from 0 to 1.
        confidence_distance: Kolmogorov–Smirnov distance between the confidences, from 0 to 1.
    """

    ap: float
    serving_ap: float
    ap_interval: tuple[float, float] | None
    latency_ratio: float
    class_mix_distance: float
    confidence_distance: float

    @property
    def ap_difference(self) -> float:
        """AP(version) − AP(serving)."""
        return self.ap - self.serving_ap


@dataclass(frozen=True)
class GateResult:
    """One gate.

    Attributes:
        name: of the gate, as the setting that holds its limit.
        value: what was measured; ``None`` if it could not be.
        limit: what it was held against.
        passed: whether it is open.
        missing: how much the value lies on the wrong side of the limit; 0 where it is open, ``None`` without a value.
    """

    name: str
    value: float | None
    limit: float
    passed: bool
    missing: float | None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.value is None:
            return f"{self.name}: cannot be measured, because there are too few groups of images"
        sign = "≥" if self.name.startswith("min_") else "≤"
        ending = "" if self.passed else f", missed by {self.missing:.4f}"
        return f"{self.name}: {self.value:.4f}, wanted {sign} {self.limit:g}{ending}"


def check_gates(found: Comparison, config: PromoteConfig) -> tuple[GateResult, ...]:
    """Hold a comparison against the limits.

    Args:
        found: the comparison.
        config: the limits.

    Returns:
        Every gate, those that are open too.
    """
    low = found.ap_interval[0] if found.ap_interval else None
    return (
        _gate("min_ap_difference", low, config.min_ap_difference, least=True),
        _gate("max_latency_ratio", found.latency_ratio, config.max_latency_ratio),
        _gate("max_class_mix_distance", found.class_mix_distance, config.max_class_mix_distance),
        _gate("max_confidence_distance", found.confidence_distance, config.max_confidence_distance),
    )


def _gate(name: str, value: float | None, limit: float, *, least: bool = False) -> GateResult:
    if value is None or not np.isfinite(value):
        return GateResult(name, None, limit, passed=False, missing=None)
    beyond = limit - value if least else value - limit
    return GateResult(name, value, limit, passed=beyond <= 0, missing=max(0.0, beyond))
