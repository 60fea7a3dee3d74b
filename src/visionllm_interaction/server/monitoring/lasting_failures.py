"""A check that fails again and again: it is said once, and once more when it works again."""

from __future__ import annotations

import threading

from visionllm_interaction.utils.logs import log


class LastingFailure:
    """Logs that something began to fail, and that it works again; what lies between is logged for debugging only.

    Args:
        message: what does not work.
        fix: what to do about it.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        self._message, self._fix = message, fix
        self._lasts = False
        self._lock = threading.Lock()

    def failed(self, error: Exception) -> None:
        """Note that it failed.

        Args:
            error: why; its kind is logged and the file that it names, not its text, which may quote what was sent.
        """
        with self._lock:
            say = log.debug if self._lasts else log.warning
            self._lasts = True
        path = error.filename if isinstance(error, OSError) else None
        where = {"path": str(path)} if path else {}
        say(self._message, error=type(error).__name__, fix=self._fix, **where)

    def worked(self) -> None:
        """Note that it worked."""
        if not self._lasts:
            return
        with self._lock:
            recovered, self._lasts = self._lasts, False
        if recovered:
            log.info(f"works again: {self._message}")
