"""Times as laboratories write them: numbers in a stated unit, decimal commas, hours:minutes:seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from visionllm_interaction.errors import UsageError

UNITS_S: Mapping[str, float] = MappingProxyType(
    {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "0.1ms": 1e-4}
)
"""Unit of a plain number → its length in seconds. ``frames@25`` is one more: frames at 25 a second."""

_FRAMES = re.compile(r"frames@(\d+(?:\.\d+)?)\Z")
_CLOCK = re.compile(r"(?P<sign>-?)(?:(?:(?P<h>\d+):)?(?P<m>\d+)):(?P<s>\d{1,2}(?:[.,]\d*)?)\Z")
_CLOCK_MS = re.compile(r"(?P<h>\d+):(?P<m>\d{1,2}):(?P<s>\d{1,2}):(?P<ms>\d{3})\Z")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?\Z")
_THOUSANDS = re.compile(r"[-+]?\d{1,3},\d{3}\Z")


def unit_length_s(unit: str) -> float | None:
    """Length of a unit in seconds.

    Args:
        unit: a key of :data:`UNITS_S`, or ``frames@`` and the frame rate.

    Returns:
        The length; None for an unknown unit.
    """
    frames = _FRAMES.match(unit)
    if frames:
        rate = float(frames[1])
        return 1.0 / rate if rate > 0 else None
    return UNITS_S.get(unit)


def is_clock(text: str) -> bool:
    """Whether a text is a time with colons, which needs no unit."""
    stripped = text.strip()
    return bool(_CLOCK.match(stripped) or _CLOCK_MS.match(stripped))


def parse_seconds(text: str, *, unit: str = "s", decimal_comma: bool = False) -> float:
    """Read one time.

    Args:
        text: a number in ``unit``, or ``[h:]mm:ss[.fff]`` or ``hh:mm:ss:mmm``, whose unit is clear.
        unit: unit of a plain number; see :func:`unit_length_s`.
        decimal_comma: whether ``1,250`` is one and a quarter for certain (it cannot be a thousand).

    Returns:
        Seconds.

    Raises:
        ValueError: with what is wrong, if it is no time or can be read in two ways.
    """
    stripped = text.strip()
    if not stripped:
        raise ValueError("it is blank")
    clock_ms = _CLOCK_MS.match(stripped)
    if clock_ms:
        return _of_clock(clock_ms["h"], clock_ms["m"], f"{clock_ms['s']}.{clock_ms['ms']}", stripped)
    clock = _CLOCK.match(stripped)
    if clock:
        seconds = _of_clock(clock["h"], clock["m"], clock["s"].replace(",", "."), stripped)
        return -seconds if clock["sign"] else seconds
    if not _NUMBER.match(stripped):
        raise ValueError(f"{stripped[:40]!r} is no time")
    if _THOUSANDS.match(stripped) and not decimal_comma:
        raise ValueError(f"{stripped!r} may be a thousand or a decimal comma")
    length_s = unit_length_s(unit)
    if length_s is None:
        raise ValueError(f"the unit {unit!r} is not known")
    number = float(stripped.replace(",", "."))
    # A division by 1000 is exact where a multiplication by 0.001 is not.
    seconds = number / round(1 / length_s) if length_s < 1 and unit in UNITS_S else number * length_s
    if not math.isfinite(seconds):
        raise ValueError(f"{stripped[:40]!r} is no time")
    return seconds


def _of_clock(hours: str | None, minutes: str, seconds: str, text: str) -> float:
    if float(seconds) >= 60 or (hours is not None and int(minutes) >= 60):
        raise ValueError(f"{text!r} has 60 minutes or seconds, or more")
    whole, _, fraction = seconds.partition(".")
    total = int(hours or 0) * 3600 + int(minutes) * 60 + int(whole or 0)
    # One rounding only: 00:00:02.600 is exactly what "2.6" is.
    return float(f"{total}.{fraction or 0}")


def parse_intervals(texts: list[str] | None, option: str) -> list[tuple[float, float]]:
    """Read intervals of time.

    Args:
        texts: each ``BEGIN-END``, in seconds or ``hh:mm:ss``.
        option: the option that has them, for messages.

    Returns:
        Begin and end of each in seconds.

    Raises:
        UsageError: if one cannot be read, or does not end after its begin.
    """
    found = []
    for text in texts or ():
        begin, sign, end = text.partition("-")
        if not sign:
            raise UsageError(
                f"{option} cannot be read.", expected="begin and end with - between them, as in 1:30-2:00", found=text
            )
        try:
            span = parse_seconds(begin), parse_seconds(end)
        except ValueError as error:
            raise UsageError(f"{option} cannot be read.", expected="BEGIN-END", found=f"{text}: {error}") from error
        if span[1] <= span[0]:
            raise UsageError(f"{option} cannot be read.", expected="an end after its begin", found=text)
        found.append(span)
    return found
