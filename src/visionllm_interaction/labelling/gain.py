"""What a round of annotation brought: AP of two checkpoints on the same held-out images, and its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from visionllm_interaction.detection.evaluation.evaluate import material_of_checkpoint, report_in_depth
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True)
class MetricGain:
    """One metric before and after.

    Attributes:
        before, after: from 0 to 1.
        difference: after − before.
        interval: 95 % interval of the difference by the paired bootstrap; ``None`` where it is undefined.
        share_better: share of the resamples in which it rose; ``None`` of single categories.
    """

    before: float
    after: float
    difference: float
    interval: tuple[float, float] | None
    share_better: float | None

    def line(self, name: str) -> str:
        """For people."""
        between = f" (95 % interval {self.interval[0]:+.3f} to {self.interval[1]:+.3f})" if self.interval else ""
        return f"{name}: {self.before:.3f} → {self.after:.3f}, {self.difference:+.3f}{between}"


@dataclass(frozen=True)
class Gain:
    """The gain between two checkpoints.

    Attributes:
        AP, AP50: over all categories that both know.
        per_category: AP of each.
        images: number of held-out images.
        groups: number of groups that were resampled, and ``note`` on how far to trust the interval.
    """

    AP: MetricGain
    AP50: MetricGain
    per_category: Mapping[str, MetricGain]
    images: int
    groups: int
    note: str | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm label gain``."""
        each = {name: dict(gain.__dict__) for name, gain in self.per_category.items()}
        plain = {"AP": dict(self.AP.__dict__), "AP50": dict(self.AP50.__dict__), "per_category": each}
        return {**plain, "images": self.images, "groups": self.groups, "note": self.note}


def measure_gain(
    before: StrPath,
    after: StrPath,
    *,
    data: StrPath,
    images: StrPath | None = None,
    groups: StrPath | None = None,
    resamples: int = 1000,
) -> Gain:
    """Compare a checkpoint before and after a round on the held-out images.

    Args:
        before: the checkpoint before.
        after: the checkpoint after.
        data: the training manifest of a run (its val), or COCO annotations.
        images: folder of the images, if it is not where COCO has it.
        groups: CSV (``file_name,group``) of images that belong together, which are resampled together.
        resamples: number of bootstrap resamples.

    Returns:
        The gain, on the categories that both detectors and the data have.

    Raises:
        CheckpointError: if a checkpoint is unusable.
        InputDataError: if the data cannot be used, or has no category in common with the first.
        UsageError: without resamples.
    """
    if resamples < 1:
        raise UsageError("An interval needs resamples.", expected="1 or more", found=str(resamples))
    first = material_of_checkpoint(before, data, images=images)
    second = material_of_checkpoint(after, data, images=images)
    shared = {c["id"] for c in first.truth["categories"]} & {c["id"] for c in second.truth["categories"]}
    truth = {
        **first.truth,
        "categories": [c for c in first.truth["categories"] if c["id"] in shared],
        "annotations": [a for a in first.truth["annotations"] if a["category_id"] in shared],
    }
    sides = []
    for material in (first, second):
        keep = np.isin(material.subject.results.category_ids, np.array(sorted(shared)))
        sides.append(replace(material.subject, results=material.subject.results[keep]))
    material = replace(first, truth=truth, subject=sides[0])
    found = report_in_depth(material, None, groups=groups, other=sides[1], resamples=resamples, worst_images=0)
    comparison, resampling = found["comparison"], found["resampling"]
    return Gain(
        _gain(found["AP"], comparison["AP"]),
        _gain(found["AP50"], comparison["AP50"]),
        {name: _gain(found["per_category"][name]["AP"], row) for name, row in comparison["per_category"].items()},
        found["images"],
        resampling["groups"],
        resampling["note"],
    )


def _gain(before: float, row: Mapping[str, Any]) -> MetricGain:
    difference = float(row["difference"])
    return MetricGain(before, before + difference, difference, row.get("interval"), row.get("share_better"))
