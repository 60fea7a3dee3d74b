"""Compare a detector with the one that serves, in a process of its own: ``python -m …server.training.gate_process``.

One line of stdin is the request (JSON), one line of stdout the verdict (JSON). Numeric libraries take all they can get;
in a process of its own, and nicer than the service, they do not keep images of others waiting.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.server.training.schemas import GateView

NICENESS = 5
NOTHING_TO_COMPARE = "No detector served, so that there was nothing to compare with: no gate was checked."


class GateRequest(BaseModel):
    """What is to be compared on what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: Path
    serving: Path | None
    """None: none serves, so that there is nothing to compare with, and the candidate is only evaluated."""
    data: Path
    """The training manifest of a run, whose validation split is used."""
    report: Path
    """Folder for the evaluation."""
    config: PromoteConfig


class GateVerdict(BaseModel):
    """The verdict, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool = False
    AP: float | None = None
    serving_AP: float | None = None
    gates: list[GateView] = []
    note: str = ""
    """What was not checked."""
    error: str | None = None


def judge(request: GateRequest) -> GateVerdict:
    """Compare both detectors and hold the result against the limits of the section ``promote``.

    Args:
        request: the detectors, the data and the limits.

    Returns:
        The verdict.

    Raises:
        VisionLLMError: if a detector or the data cannot be used.
    """
    from visionllm_interaction.detection.evaluation.evaluate import material_of_checkpoint, report_in_depth
    from visionllm_interaction.detection.promotion.comparison import compare_detectors
    from visionllm_interaction.detection.promotion.gates import check_gates

    if request.serving is None:
        material = material_of_checkpoint(request.candidate, request.data)
        alone = report_in_depth(material, request.report, groups=None, resamples=request.config.resamples)
        return GateVerdict(passed=True, AP=alone["AP"], note=NOTHING_TO_COMPARE)
    found, _ = compare_detectors(
        request.candidate, request.serving, request.data, config=request.config, report=request.report
    )
    gates = check_gates(found, request.config)
    shown = [
        GateView(name=one.name, value=one.value, limit=one.limit, passed=one.passed, text=one.sentence) for one in gates
    ]
    return GateVerdict(passed=all(one.passed for one in gates), AP=found.ap, serving_AP=found.serving_ap, gates=shown)


def main() -> None:
    """Read the request, write the verdict."""
    os.nice(NICENESS)
    request = GateRequest.model_validate_json(sys.stdin.readline())
    answer, sys.stdout = sys.stdout, sys.stderr  # libraries print
    try:
        verdict = judge(request)
    except VisionLLMError as error:
        verdict = GateVerdict(error=" ".join(filter(None, [error.message, error.found, error.fix])))
    answer.write(verdict.model_dump_json() + "\n")


if __name__ == "__main__":
    main()
