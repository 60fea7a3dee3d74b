"""Everything one run of stage 2 found, before and after the policy."""

from __future__ import annotations

from dataclasses import dataclass

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.policy import Policy, Verdict
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.rules.image_content import DecodedImages


@dataclass(frozen=True)
class Examination:
    """The splits as read, every issue, the judgement, and the images that could be decoded."""

    tables: dict[str, SplitTable]
    issues: tuple[Issue, ...]
    policy: Policy
    verdict: Verdict
    images: dict[str, DecodedImages]
