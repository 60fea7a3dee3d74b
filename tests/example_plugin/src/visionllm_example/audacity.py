"""A coding format: Audacity's label tracks, one line ``begin, end, label`` each, separated by tabs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.plugins import InputDataError, Interval, Tier, Timeline, WritableCodingFormatPlugin


@dataclass(frozen=True)
class AudacityLabels:
    """A label is written ``tier: text``; one without a colon is of the tier ``labels``."""

    name: str = "audacity"
    endings: tuple[str, ...] = (".labels.txt",)

    def read(self, path: Path) -> Mapping[str, Timeline]:
        """See CodingFormatPlugin."""
        tiers: dict[str, list[Interval]] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                begin_s, end_s, label = line.split("\t")
                interval = Interval(float(begin_s), float(end_s), label.rpartition(": ")[2])
            except ValueError as error:
                raise InputDataError(
                    "A line of a label track cannot be read.",
                    expected="begin, end and label, separated by tabs",
                    found=repr(line),
                    where=f"{path}:{number}",
                ) from error
            tiers.setdefault(label.rpartition(": ")[0] or "labels", []).append(interval)
        found = tuple(Tier(name, tuple(intervals)) for name, intervals in tiers.items())
        return {path.name.removesuffix(self.endings[0]): Timeline(found)}

    def to_bytes(self, timeline: Timeline) -> bytes:
        """See WritableCodingFormatPlugin."""
        lines = [
            f"{interval.begin_s:.6f}\t{interval.end_s:.6f}\t{tier.name}: {interval.label}\n"
            for tier in timeline.tiers
            for interval in tier.intervals
        ]
        return "".join(lines).encode()


FORMAT: WritableCodingFormatPlugin = AudacityLabels()
