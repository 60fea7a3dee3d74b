"""Hooks of ``schemathesis run`` for what a schema cannot say; docs/service.md has the command.

A file has to be an image or a video (this small GIF is both), a window has to end after it begins, and a stream of
events has to end soon. Half of the ids are those of things that are there (``FUZZ_VIDEO``, ``FUZZ_JOB``,
``FUZZ_EXPORT``, ``FUZZ_RUN`` with its first issues), and no idempotency key is sent twice.
"""

from __future__ import annotations

import base64
import os
import re
import uuid
import zlib
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

GIF = base64.b64decode(
    "R0lGODlhIAAgAIEAANzc3MhaKAAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAAIAAgAAAIUwABCBxIsKDBgwgTKlzIsKHD"
    "hxAjSpxIsaLFgQEyatyocSLHjxk9guQocmRHiSY3lky50mTLkS9Bxvw4kyTKlCFv4rzIs6fPn0CDCh1KtKjRoAEBACH5BAEKAAIALAAACAAR"
    "AA0Agdzc3MhaKAAAAAAAAAg8AAEIBCCgoEGDARIGGEjw4EGFCwc6fKiQ4USEFSVeFADR4saOGi+CFLiRY0aSH082FKmy5MiVE1+6VBgQACH5"
    "BAEKAAIALAQACAARAA0Agdzc3MhaKAAAAAAAAAg8AAEIBCCgoEGDARIGGEjw4EGFCwc6fKiQ4USEFSVeFADR4saOGi+CFLiRY0aSH082FKmy"
    "5MiVE1+6VBgQADs="
)

schemathesis.openapi.format("binary", st.just(Binary(GIF)))
for _media_type in ("image/*", "video/*", "application/offset+octet-stream"):
    schemathesis.openapi.media_type(_media_type, st.just(GIF))


KNOWN_ROWS = 4
"""Rows of the tables of a run that are asked for where the run is."""


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out windows that end before they begin: that they are refused has a test of its own."""
    query = case.query or {}
    try:
        return "end_s" not in query or float(query.get("begin_s", 0)) < float(query["end_s"])
    except (TypeError, ValueError):
        return True  # refused for what they are


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask half of the time for what is there, except to erase it."""
    method = context.operation.method.upper()
    if not path_parameters or method == "DELETE" or zlib.crc32(repr(sorted(path_parameters.items())).encode()) % 2:
        return path_parameters
    job = "FUZZ_EXPORT" if "/exports/" in context.operation.path else "FUZZ_JOB"
    known = {"project_id": "default", "video_id": os.environ.get("FUZZ_VIDEO"), "job_id": os.environ.get(job)}
    known["run"] = os.environ.get("FUZZ_RUN")
    found = {name: known.get(name) or value for name, value in path_parameters.items()}
    row = found.get("row")
    if isinstance(row, int) and 0 <= row <= 2**31:  # the others are refused for what they are
        found["row"] = row % KNOWN_ROWS
    return found


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """End streams of events at once, and make each valid idempotency key a new one.

    Another request under the key of an earlier one is refused, which has a test of its own.
    """
    if case.operation.path.endswith("/events") and case.operation.method.upper() == "GET":
        query = dict(case.query or {})
        if _is_time(query.get("seconds", 600)):
            case.query = {**query, "seconds": 0}
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r"[!-~]{1,160}", key):
        case.headers["Idempotency-Key"] = f"{key}{uuid.uuid4().hex}"


def _is_time(value: Any) -> bool:
    """Whether a value is one that streams for a while; the others are refused for what they are."""
    try:
        return 0 < float(value) <= 3600
    except (TypeError, ValueError, OverflowError):
        return False
