"""Chromium's own trace of a page: the frames that were drawn, and those that were dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline.frame", "blink.user_timing"]


@dataclass
class Trace:
    """What the trace says of the time between two marks of the page.

    Attributes:
        drawn: times of frames that were drawn, in seconds of the trace's clock.
        dropped: number of frames that were not drawn in time.
    """

    drawn: list[float] = field(default_factory=list)
    dropped: int = 0

    @property
    def frames_per_s(self) -> float:
        """Frames drawn per second, from the first to the last."""
        return (len(self.drawn) - 1) / (self.drawn[-1] - self.drawn[0])


@contextmanager
def traced(browser: Any, page: Any) -> Iterator[Trace]:
    """Trace what a page does meanwhile; the trace is filled in at the end."""
    found = Trace()
    browser.start_tracing(page=page, categories=CATEGORIES)
    page.evaluate("performance.mark('trace-begin')")
    try:
        yield found
    finally:
        page.evaluate("performance.mark('trace-end')")
        _read(json.loads(browser.stop_tracing())["traceEvents"], found)


def _read(events: list[dict[str, Any]], found: Trace) -> None:
    """Fill in a trace from its events; their times are microseconds."""
    marks = {one["name"]: one for one in events if one.get("cat") == "blink.user_timing"}
    begin, end = marks["trace-begin"], marks["trace-end"]
    for one in events:
        if one["pid"] != begin["pid"] or not begin["ts"] <= one["ts"] <= end["ts"]:
            continue
        if one["name"] == "DrawFrame":
            found.drawn.append(one["ts"] / 1e6)
        elif one["name"] == "DroppedFrame":
            found.dropped += 1
    found.drawn.sort()
