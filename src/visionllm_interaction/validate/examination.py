"""Everything one run of stage 2 found, before and after the policy."""

from __future__ import annotations

from dataclasses import dataclass

from visionllm_interaction.validate.faults import Fault
from visionllm_interaction.validate.judge import Policy, Verdict
from visionllm_interaction.validate.pictures import Pictures
from visionllm_interaction.validate.table import SplitTable


@dataclass(frozen=True)
class Examination:
    """The splits as read, every fault, the judgement, and the pictures that could be decoded."""

    tables: dict[str, SplitTable]
    faults: tuple[Fault, ...]
    policy: Policy
    verdict: Verdict
    pictures: dict[str, Pictures]
