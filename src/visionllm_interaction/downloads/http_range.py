"""What a server's answer to a request for the rest of a file means (RFC 9110, sections 13.1.5, 14 and 15.5.17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)", re.IGNORECASE)
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 120.0


class TransientHttpError(Exception):
    """A try failed in a way that may pass; ``discard``: what arrived so far cannot be trusted."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0, discard: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.discard = discard


class PermanentHttpError(Exception):
    """The server will not send the file, however often it is asked."""


@dataclass(frozen=True, slots=True)
class RangeResponse:
    """The body starts at byte ``begin`` of a file of ``total`` bytes; ``validator`` names this version of it.

    ``nothing_left``: all bytes were here already.
    """

    begin: int
    total: int | None
    validator: str | None
    nothing_left: bool = False


def read_response(status: int, headers: Mapping[str, str], have: int) -> RangeResponse:
    """Interpret the response to a request for everything from byte ``have`` on.

    Args:
        status: HTTP status code.
        headers: response headers, with lower-case names.
        have: number of bytes that are on the disk already.

    Returns:
        Where the body starts, and the total size if known.

    Raises:
        TransientHttpError: if it is worth trying again.
        PermanentHttpError: if it is not.
    """
    if status in (200, 206) and headers.get("content-encoding", "identity") != "identity":
        raise PermanentHttpError(f"sends the file in another encoding ({headers['content-encoding']})")
    if status == 206:
        return _partial(headers, have)
    if status == 200:
        return RangeResponse(0, _number(headers.get("content-length")), _validator(headers))
    if status == 416:
        return _beyond(headers, have)
    reason = f"answered {status}"
    if status in _TRY_AGAIN:
        raise TransientHttpError(reason, retry_after_s=_retry_after(headers.get("retry-after")))
    raise PermanentHttpError(reason)


def _partial(headers: Mapping[str, str], have: int) -> RangeResponse:
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not match or match[1] is None or int(match[1]) != have:
        raise TransientHttpError(f"sent another part than asked for ({headers.get('content-range')})", discard=True)
    total = _number(match[3])
    length = _number(headers.get("content-length"))
    if total is not None and length is not None and have + length != total:
        raise TransientHttpError(f"contradicts itself about the length: {have + length} or {total} bytes")
    return RangeResponse(have, total, _validator(headers))


def _beyond(headers: Mapping[str, str], have: int) -> RangeResponse:
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if match and _number(match[3]) == have:
        return RangeResponse(have, have, _validator(headers), nothing_left=True)
    raise TransientHttpError("has fewer bytes than arrived before", discard=True)


def _validator(headers: Mapping[str, str]) -> str | None:
    """What If-Range may carry: a strong entity tag, else the date of the last change."""
    tag = headers.get("etag")
    return tag if tag and not tag.startswith("W/") else headers.get("last-modified")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None


def _retry_after(text: str | None) -> float:
    """Seconds to wait, capped. A date instead counts as five seconds: the two clocks may differ."""
    if text is None:
        return 0.0
    if (seconds := _number(text)) is not None:
        return min(float(seconds), _LONGEST_WAIT_S)
    try:
        return 5.0 if parsedate_to_datetime(text) else 0.0
    except ValueError:
        return 0.0
