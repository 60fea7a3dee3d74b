"""The clock of a recording, seen from the video's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a recording's own times lie on another clock, mostly the video's.

    Attributes:
        offset_s: time on the other clock, in seconds, at which the recording's own clock shows 0.
        drift_ppm: by how many millionths the recording's own seconds are too long.
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0

    def map(self, own_s: float) -> float:
        """The time on the other clock at the own time ``own_s``, both in seconds."""
        return self.offset_s + own_s * (1.0 + self.drift_ppm * 1e-6) if self.drift_ppm else self.offset_s + own_s

    def inverse(self, other_s: float) -> float:
        """The own time at ``other_s`` of the other clock, both in seconds."""
        return (other_s - self.offset_s) / (1.0 + self.drift_ppm * 1e-6)

    def then(self, outer: Clock) -> Clock:
        """One clock for two steps: first this one, then ``outer``."""
        rate = (1.0 + self.drift_ppm * 1e-6) * (1.0 + outer.drift_ppm * 1e-6)
        drift_ppm = (rate - 1.0) * 1e6 if self.drift_ppm or outer.drift_ppm else 0.0
        return Clock(outer.map(self.offset_s), drift_ppm)
