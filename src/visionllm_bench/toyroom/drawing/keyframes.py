"""Values that change smoothly over time."""

from __future__ import annotations

import bisect


class Curve:
    """A value that rests between moves; every move is eased at both ends."""

    def __init__(self, value: float) -> None:
        self._times: list[float] = [float("-inf")]
        self._values: list[float] = [value]

    @property
    def last(self) -> float:
        """The value after the last move."""
        return self._values[-1]

    def move(self, begin: float, end: float, *, to: float) -> None:
        """Go from the last value to ``to`` between the times ``begin`` and ``end`` (moves are added in order)."""
        begin = max(begin, self._times[-1])
        self._times += [begin, max(end, begin + 1e-9)]
        self._values += [self.last, to]

    def at(self, time: float) -> float:
        """The value at ``time``."""
        n = bisect.bisect_right(self._times, time) - 1
        if n + 1 >= len(self._times) or n == 0:
            return self._values[n]
        share = (time - self._times[n]) / (self._times[n + 1] - self._times[n])
        eased = share * share * (3 - 2 * share)
        return self._values[n] + (self._values[n + 1] - self._values[n]) * eased


class Steps:
    """A whole number that jumps."""

    def __init__(self, value: int) -> None:
        self._times: list[float] = [float("-inf")]
        self._values: list[int] = [value]

    @property
    def last(self) -> int:
        """The value after the last jump."""
        return self._values[-1]

    def jump(self, time: float, *, to: int) -> None:
        """Become ``to`` at ``time`` (jumps are added in order)."""
        self._times.append(time)
        self._values.append(to)

    def at(self, time: float) -> int:
        """The value at ``time``."""
        return self._values[bisect.bisect_right(self._times, time) - 1]
