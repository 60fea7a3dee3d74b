"""What the rate of processed frames lets one know: the error to expect, and what cannot be known at all.

The errors were measured on simulated videos with true relations (``benchmarks/video/sampling_rates.py``,
docs/video.md): the sum of the absolute errors of the durations of all pairs over the sum of the true durations,
tracking included.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOLDING_STEP_S = 0.55
"""Frames further apart show neither when an object begins to move nor who moves it."""
APPROACH_STEP_S = 0.55
"""Frames further apart do not show who moved toward whom."""
COMING_STEP_S = 1.1
"""Frames further apart show people well inside the image when they are first seen."""
FROM_HOLDING = frozenset({"holding", "picks_up", "puts_down", "hands_over", "joint_handling"})
FROM_APPROACH = frozenset({"approaching", "approaches", "withdraws"})
FROM_COMING = frozenset({"enters", "leaves"})

_ROUNDING_S = 0.01
EXPECTED_ERRORS: Mapping[float, Mapping[str, float]] = MappingProxyType(
    {
        0.04: {"visible": 0.01, "near": 0.01, "in_contact": 0.02, "holding": 0.05},
        0.1: {"visible": 0.01, "near": 0.01, "in_contact": 0.02, "holding": 0.06},
        0.2: {"visible": 0.01, "near": 0.02, "in_contact": 0.03, "holding": 0.05},
        0.5: {"visible": 0.01, "near": 0.03, "in_contact": 0.04, "holding": 0.25},
        1.0: {"visible": 0.01, "near": 0.08, "in_contact": 0.09},
    }
)
"""Seconds between processed frames → what → relative error of durations. What is left out is not known."""


def unknown_at(step_s: float | None) -> dict[str, str]:
    """Predicates and kinds of events that are not known at a rate.

    Args:
        step_s: usual time between processed frames in seconds; ``None``: a single frame.

    Returns:
        Name → why it is not known.
    """
    if step_s is None:
        return {}
    limits = ((FROM_HOLDING, HOLDING_STEP_S), (FROM_APPROACH, APPROACH_STEP_S), (FROM_COMING, COMING_STEP_S))
    return {
        name: f"frames {step_s:.2g} s apart do not show it; it needs one in {limit_s:.1f} s"
        for names, limit_s in limits
        if step_s > limit_s
        for name in sorted(names)
    }


def expected_errors(step_s: float | None) -> dict[str, float]:
    """Relative errors to expect of durations, at the measured rate that is the next lower one.

    Args:
        step_s: usual time between processed frames in seconds; ``None``: a single frame.

    Returns:
        What → error as a share of the duration; empty at rates below the measured ones.
    """
    if step_s is None:
        return {}
    coarser = (errors for step, errors in sorted(EXPECTED_ERRORS.items()) if step_s <= step + _ROUNDING_S)
    return dict(next(coarser, {}))
