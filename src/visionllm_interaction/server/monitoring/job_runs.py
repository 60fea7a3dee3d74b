"""One run of a job on this host: how long it took, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.traces import Traces


class JobRun:
    """Notes when a job ran here; one whose end was read from the database did not.

    Args:
        kind: of the job.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._begin_ns = 0
        self._begin_s = 0.0
        self._seconds = 0.0
        self._ended: str | None = None

    def begin(self) -> None:
        """The work begins."""
        self._begin_ns, self._begin_s = time.time_ns(), time.monotonic()

    def end(self, how: str) -> None:
        """The work has ended, and does not begin anew.

        Args:
            how: ``done``, ``failed`` or ``cancelled``.
        """
        self._seconds, self._ended = time.monotonic() - self._begin_s, how

    @contextmanager
    def reported(self, monitor: Monitor, traces: Traces | None) -> Iterator[None]:
        """Report the run once its end is in the database: a host that dies before then has nothing to report.

        Args:
            monitor: told how long it ran.
            traces: get a span; None: none are kept.
        """
        try:
            yield
        except SystemExit:  # it was cancelled, or is to begin anew
            self._report(monitor, traces)
            raise
        self._report(monitor, traces)

    def _report(self, monitor: Monitor, traces: Traces | None) -> None:
        if self._ended is None:
            return
        monitor.ended(self._kind, self._ended, self._seconds)
        if traces is not None:
            traces.job(self._kind, self._ended, begin_ns=self._begin_ns)
