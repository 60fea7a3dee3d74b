"""The icon of all pages: a viewfinder with an object in it."""

from __future__ import annotations

from urllib.parse import quote

FAVICON_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5f8b"/>'
    '<path d="M7 11V7h4M21 7h4v4M25 21v4h-4M11 25H7v-4" fill="none" stroke="#fff" stroke-width="2.4"/>'
    '<circle cx="16" cy="16" r="4" fill="#ffd166"/></svg>'
)
FAVICON_URL = "data:image/svg+xml," + quote(FAVICON_SVG)
"""The icon as a data URI, for pages that load no files."""
