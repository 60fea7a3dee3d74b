"""Hooks of ``schemathesis run`` for what a schema cannot say; docs/service.md has the command.

A file has to be an image or a video (this small GIF is both), and a window has to end after it begins.
"""

from __future__ import annotations

import base64
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


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out windows that end before they begin: that they are refused has a test of its own."""
    query = case.query or {}
    try:
        return "end_s" not in query or float(query.get("begin_s", 0)) < float(query["end_s"])
    except (TypeError, ValueError):
        return True  # refused for what they are
