"""Lists in pages: which entries a page has, and the cursor of the next one.

A cursor holds the place of the last entry shown, not a number of entries, so that nothing is shown twice or left out
when entries come or go between two pages.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from fastapi.exceptions import RequestValidationError

T = TypeVar("T")
Place = tuple[str, ...]
"""Where an entry stands in its list; compared part by part."""
MAX_PAGE = 1000

Cursor = Annotated[
    str | None, Query(max_length=600, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before")
]
Limit = Annotated[int | None, Query(ge=1, le=MAX_PAGE, description="entries of a page; default: all")]


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page: its entries, and the cursor of the next one (None: this is the last)."""

    entries: list[T]
    next: str | None


def page_of(
    entries: Sequence[T], place: Callable[[T], Place], *, cursor: str | None, limit: int | None, newest_first: bool
) -> Page[T]:
    """The page of a list that follows a cursor.

    Args:
        entries: the whole list, in order.
        place: the place of an entry.
        cursor: what the page before gave; None: the first page.
        limit: most entries; None: all that follow.
        newest_first: whether places go down along the list.

    Returns:
        The page.

    Raises:
        RequestValidationError: if the cursor is none of this list.
    """
    rest = list(entries)
    if cursor is not None:
        last = _decoded(cursor)
        rest = [one for one in rest if (place(one) < last if newest_first else place(one) > last)]
    shown = rest if limit is None else rest[:limit]
    return Page(shown, _encoded(place(shown[-1])) if len(shown) < len(rest) else None)


def _encoded(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> Place:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise RequestValidationError([{"loc": ("query", "cursor"), "msg": "is not the `next` of a page of this list"}])
    return tuple(found)
