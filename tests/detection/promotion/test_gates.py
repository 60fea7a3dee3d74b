"""The gate between registry and service: figures against limits."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.core.unit_histogram import unit_histogram
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.promotion.distances import (
    class_mix_distance,
    confidence_distance,
    histogram_distance,
    share_distance,
)
from visionllm_interaction.detection.promotion.gates import Comparison, check_gates

GOOD = {"ap": 0.6, "serving_ap": 0.58, "ap_interval": (-0.005, 0.04), "latency_ratio": 1.0,
        "class_mix_distance": 0.02, "confidence_distance": 0.1}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "closed", "missing"),
    [
        ({}, None, 0.0),
        ({"ap_interval": (-0.01, 0.2)}, None, 0.0),  # the limit itself is open
        ({"ap_interval": (-0.05, 0.2)}, "min_ap_difference", 0.04),  # the mean is better, the proof is not there
        ({"ap_interval": None}, "min_ap_difference", None),
        ({"latency_ratio": 1.5}, "max_latency_ratio", 0.3),
        ({"latency_ratio": float("nan")}, "max_latency_ratio", None),
        ({"class_mix_distance": 0.35}, "max_class_mix_distance", 0.2),
        ({"confidence_distance": 1.0}, "max_confidence_distance", 0.75),
    ],
)
def test_one_figure_closes_its_own_gate(change: dict[str, object], closed: str | None, missing: float | None) -> None:
    found = Comparison(**{**GOOD, **change})  # type: ignore[arg-type]
    gates = check_gates(found, PromoteConfig())
    assert [gate.name for gate in gates if not gate.passed] == ([closed] if closed else [])
    for gate in gates:
        if gate.name == closed:
            assert gate.missing == (None if missing is None else pytest.approx(missing))
            assert "missed by" in gate.sentence or "cannot be measured" in gate.sentence


def test_the_gates_are_the_limits_of_the_settings() -> None:
    names = {gate.name for gate in check_gates(Comparison(**GOOD), PromoteConfig())}  # type: ignore[arg-type]
    assert names == {name for name in PromoteConfig.model_fields if name.startswith(("max_", "min_"))} - {
        "min_confidence"
    }


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("aabb", "abab", 0.0),
        ("aaab", "abbb", 0.5),
        ("aaaa", "bbbb", 1.0),
        ("a", "", 1.0),
        ("", "", 0.0),
    ],
)
def test_distance_of_category_shares(one: str, other: str, expected: float) -> None:
    sides = [np.array(list(text), dtype=object) for text in (one, other)]
    assert class_mix_distance(*sides) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([0.2, 0.4, 0.6], [0.2, 0.4, 0.6], 0.0),
        ([0.1, 0.2], [0.8, 0.9], 1.0),
        ([0.1, 0.9], [0.8, 0.9], 0.5),
        ([0.5], [], 1.0),
        ([], [], 0.0),
    ],
)
def test_distance_of_confidences(one: list[float], other: list[float], expected: float) -> None:
    assert confidence_distance(np.array(one), np.array(other)) == pytest.approx(expected)


def test_counts_and_single_detections_have_the_same_distance() -> None:
    assert share_distance({"a": 300, "b": 100}, {"a": 1, "b": 3}) == pytest.approx(0.5)
    assert share_distance({}, {"a": 2}) == 1.0 and share_distance({}, {}) == 0.0


def test_histograms_are_at_most_as_far_apart_as_their_values() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.beta(2, 2, 4000), rng.beta(2, 4, 3000)
    binned, exact = histogram_distance(unit_histogram(one), unit_histogram(other)), confidence_distance(one, other)
    assert exact - 0.02 < binned <= exact + 1e-12
    assert histogram_distance(unit_histogram([0.0, 1.0]), unit_histogram([])) == 1.0
    assert unit_histogram([0.0, 0.019, 0.5, 1.0])[::25] == (2, 1) and unit_histogram([1.0])[-1] == 1
