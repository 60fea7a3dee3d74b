"""Which video a question is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from visionllm_interaction.core.categories import nearest_names

_NOUN = r"(?:the )?(?:video|videoen|recording|clip|file|opptaket)(?: (?:called|named))?"
_UNKNOWN = re.compile(
    rf"(?:^|\s)(?:in|from|of|for|i|fra) (?:{_NOUN} (?P<id>[\w.-]*[\d_][\w.-]*)|(?P<bare>[^\W\d][\w.-]*_[\w.-]+))"
)


def take_video(question: str, video_ids: Sequence[str]) -> tuple[str, str | None]:
    """Cut "in video X" out of a normalised ``question``; returns the rest and the video id, None if none is named."""
    for video_id in sorted(video_ids, key=len, reverse=True):
        spoken = re.escape(video_id.casefold())
        pattern = rf"(?:(?:^|(?<=\s))(?:in|from|of|for|on|i|fra) )?(?:{_NOUN} )?(?<![\w.-]){spoken}(?![\w-])"
        match = re.search(pattern, question)
        if match:
            rest = question[: match.start()] + question[match.end() :]
            return " ".join(rest.replace(" ,", ",").split()).strip(" ,"), video_id
    return question, None


def unknown_video(question: str, video_ids: Sequence[str]) -> str | None:
    """The reason to refuse when ``question`` names a video that the store does not hold, else None."""
    match = _UNKNOWN.search(question)
    if match is None:
        return None
    name = match["id"] or match["bare"]
    near = nearest_names(name, video_ids)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {_listing(video_ids)}"
    return f"the store has no video {name!r}; {hint}"


def _listing(video_ids: Sequence[str], *, limit: int = 5) -> str:
    shown = ", ".join(video_ids[:limit])
    return shown + (f" and {len(video_ids) - limit} more" if len(video_ids) > limit else "")
