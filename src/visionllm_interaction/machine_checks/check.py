"""The result of one check of the machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pydantic import JsonValue


@dataclass(frozen=True)
class DiagnosticCheck:
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether the machine can do the work.
        found: version, device or state.
        fix: what to do; where the check passed, what would bring more; ``None`` if there is nothing to do.
    """

    name: str
    ok: bool
    found: str
    fix: str | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """The check in the JSON result of ``visionllm doctor``."""
        return asdict(self)


def result(name: str, ok: bool, found: str, *, fix: str) -> DiagnosticCheck:
    """A check whose remedy is only needed if it failed.

    Args:
        name: what was checked.
        ok: whether it passed.
        found: what was found.
        fix: what to do if it did not pass.

    Returns:
        The check.
    """
    return DiagnosticCheck(name, ok, found, None if ok else fix)
