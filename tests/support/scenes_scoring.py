"""How well found bouts and events match true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_OVERLAP = 0.5
ONSET_S = 0.2
EVENT_S = 0.5

Bout = tuple[int, str, int, float, float]
Moment = tuple[str, tuple[int, ...], float]


@dataclass
class Score:
    """Counts of matches; F1 of none at all is 1."""

    hits: int = 0
    found: int = 0
    true: int = 0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.hits / (self.found + self.true) if self.found + self.true else 1.0

    def add(self, hits: int, found: int, true: int) -> None:
        """Count one more video."""
        self.hits, self.found, self.true = self.hits + hits, self.found + found, self.true + true


def match_bouts(found: Sequence[Bout], true: Sequence[Bout], *, onset_s: float = ONSET_S) -> list[tuple[Bout, Bout]]:
    """Pairs of the same tracks and predicate, overlap over union ≥ 0.5 and onsets within ``onset_s``; each once."""
    free, pairs = list(found), []
    for bout in true:
        fitting = [f for f in free if f[:3] == bout[:3] and abs(f[3] - bout[3]) <= onset_s + 1e-9]
        best = max(fitting, key=lambda f: _overlap(f, bout), default=None)
        if best is not None and _overlap(best, bout) >= MIN_OVERLAP:
            free.remove(best)
            pairs.append((best, bout))
    return pairs


def match_moments(found: Sequence[Moment], true: Sequence[Moment]) -> list[tuple[Moment, Moment]]:
    """Pairs of the same kind and tracks within ``EVENT_S``; each once."""
    free, pairs = list(found), []
    for moment in true:
        fitting = [f for f in free if f[:2] == moment[:2] and abs(f[2] - moment[2]) <= EVENT_S]
        if fitting:
            best = min(fitting, key=lambda f: abs(f[2] - moment[2]))
            free.remove(best)
            pairs.append((best, moment))
    return pairs


def _overlap(a: Bout, b: Bout) -> float:
    shared = min(a[4], b[4]) - max(a[3], b[3])
    return max(shared, 0.0) / (max(a[4], b[4]) - min(a[3], b[3]))
