"""Values of options that have parts: intervals of time, and pairs of a name and what it means."""

from __future__ import annotations

from visionllm_interaction.errors import UsageError


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
    from visionllm_interaction.interop.formats.clock_times import parse_seconds

    found = []
    for text in texts or ():
        begin, sign, end = text.partition("-")
        try:
            span = parse_seconds(begin), parse_seconds(end)
        except ValueError as error:
            raise UsageError(f"{option} cannot be read.", expected="BEGIN-END", found=f"{text}: {error}") from error
        if not sign or span[1] <= span[0]:
            raise UsageError(f"{option} cannot be read.", expected="an end after its begin", found=text)
        found.append(span)
    return found


def parse_pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Read pairs of a name and what it means.

    Args:
        texts: each ``NAME=MEANING``; the name may hold further equals signs.
        option: the option that has them, for messages.

    Returns:
        Name → meaning.

    Raises:
        UsageError: if one is no pair.
    """
    pairs = [text.rpartition("=") for text in texts or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise UsageError(f"{option} cannot be read.", expected=f"{option} NAME=…", found=f"{name}{sign}{value}")
    return {name: value for name, _, value in pairs}
