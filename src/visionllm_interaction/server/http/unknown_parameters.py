"""Query parameters that no route has are refused: a misspelt ``begin`` must not answer for the whole video."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError


def _refuse_unknown(request: Request) -> None:
    if not request.query_params:
        return
    known = _known(request)
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise RequestValidationError([{"loc": ("query", name[:100]), "msg": _advice(name, known)} for name in unknown])


def _known(request: Request) -> list[str]:
    """The query parameters of the route, from the document that describes it."""
    paths: dict[str, Any] = request.app.openapi()["paths"]
    operation = paths.get(request.scope["route"].path, {}).get(request.method.lower(), {})
    return sorted(one["name"] for one in operation.get("parameters", []) if one["in"] == "query")


def _advice(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"not a parameter of this address; did you mean {near[0]}?" if near else "not a parameter of this address"


KNOWN_PARAMETERS = Depends(_refuse_unknown)
"""A dependency of routers: 422 for a query parameter that the route does not have."""

Seconds = Annotated[float, Query(ge=0, allow_inf_nan=False)]
"""A time in seconds; neither infinite nor not a number."""


def check_window(begin_s: float, end_s: float | None) -> None:
    """Check that a time window is one.

    Args:
        begin_s: begin in seconds.
        end_s: end in seconds, exclusive; None: the end of the video.

    Raises:
        RequestValidationError: if the window ends where it begins or before.
    """
    if end_s is not None and end_s <= begin_s:
        found = f"begin_s={begin_s:g} and end_s={end_s:g}"
        raise RequestValidationError([{"loc": ("query", "end_s"), "msg": f"must be after begin_s; found {found}"}])
