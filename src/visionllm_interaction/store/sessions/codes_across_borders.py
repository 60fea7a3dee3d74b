"""Codes of a whole session from those of its videos: what was cut at a border is one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.sessions.chapters import Chapter

TRACKER_GAP_S = 0.1
"""A look that a tracker gives before a border and one at the same target behind it are one over a pause of this length:
samples do not lie on the border."""
_CODED = "coded"


@dataclass(frozen=True)
class ChapterCodes:
    """The codes of one video of a session.

    Attributes:
        chapter: where the video lies.
        codes: its codes, on its own clock.
        recordings: its recordings by name.
    """

    chapter: Chapter
    codes: Sequence[Code]
    recordings: Mapping[str, Recording]

    @property
    def sources(self) -> set[str]:
        """The files and trackers that say something of this video."""
        named = {name for name, one in self.recordings.items() if one.kind in ("codes", "tracker")}
        return named | {code.source for code in self.codes}

    def is_tracker(self, source: str) -> bool:
        """Whether a source is an eye tracker."""
        return source in self.recordings and self.recordings[source].kind == "tracker"


def session_codes(parts: Sequence[ChapterCodes]) -> list[Code]:
    """The codes of all videos on the session's clock.

    An interval that was cut at the border of two videos is one again. A file that codes some of the videos only says
    nothing of the others: the time of those that it codes is what was coded.

    Args:
        parts: the videos by begin, none of which shows the time of another one.

    Returns:
        The codes by begin.
    """
    found: list[Code] = []
    # What reaches the end of the video before: what it is → its place in `found`.
    open_ends: dict[tuple[str, ...], list[int]] = {}
    for number, part in enumerate(parts):
        chapter = part.chapter
        joins = number > 0 and chapter.follows(parts[number - 1].chapter)
        waiting = open_ends if joins else {}
        open_ends = {}
        for code in sorted(_on_session_clock(part), key=lambda one: (one.begin_s, one.end_s)):
            gap_s = TRACKER_GAP_S if part.is_tracker(code.source) else TOLERANCE_S
            place = _place_before(code, waiting, found, gap_s=gap_s)
            if place is None:
                place = len(found)
                found.append(code)
            else:
                found[place] = replace(found[place], end_s=max(code.end_s, found[place].end_s))
            if code.end_s >= chapter.end_s - gap_s:
                open_ends.setdefault(_key(code), []).append(place)
    found += _unsaid_time(parts)
    return sorted(found, key=lambda code: (code.begin_s, code.end_s))


def _on_session_clock(part: ChapterCodes) -> list[Code]:
    shift_s, end_s = part.chapter.offset_s, part.chapter.end_s
    # The end of the last frame is the border to the digit, which a sum of seconds need not be.
    return [
        replace(
            code,
            begin_s=code.begin_s + shift_s,
            end_s=end_s if abs(code.end_s + shift_s - end_s) <= TOLERANCE_S else code.end_s + shift_s,
        )
        for code in part.codes
    ]


def _key(code: Code) -> tuple[str, ...]:
    return code.source, code.tier, code.kind, code.participant, code.label


def _place_before(
    code: Code, waiting: dict[tuple[str, ...], list[int]], found: Sequence[Code], *, gap_s: float
) -> int | None:
    """Where the part of a code before the border is; None: it begins behind it."""
    for place in waiting.get(_key(code), ()):
        before = found[place]
        same = before.code_id == code.code_id or gap_s > TOLERANCE_S or code.kind == _CODED
        if same and code.begin_s - before.end_s <= gap_s:
            waiting[_key(code)].remove(place)
            return place
    return None


def _unsaid_time(parts: Sequence[ChapterCodes]) -> list[Code]:
    """Coded time for files that say none, where another video has no codes of theirs, or does say it."""
    added: list[Code] = []
    for source in sorted(set[str]().union(*(part.sources for part in parts))):
        owners = [part for part in parts if source in part.sources]
        says = {
            part.chapter.video_id
            for part in owners
            if part.is_tracker(source) or any(c.source == source and c.kind == _CODED for c in part.codes)
        }
        if len(owners) == len(parts) and not says:
            continue
        for part in owners:
            chapter = part.chapter
            if chapter.video_id not in says:
                name = f"{source}#{chapter.video_id}"
                added.append(Code(name, _CODED, _CODED, "", "", chapter.begin_s, chapter.end_s, source))
    return added
