"""A short summary of a video for a prompt, within a token budget; it says how much was left out."""

from __future__ import annotations

from collections.abc import Iterator

from visionllm_interaction.store.scene_graph import TimelineDocument

CHARACTERS_PER_TOKEN = 2.5
"""Few enough for any tokenizer on lines of names and numbers (they take 2.5 to 4)."""


def brief(timeline: TimelineDocument, *, max_tokens: int) -> str:
    """Summarise a timeline in short lines of text.

    Video and tracks come first, then events, then bouts of relations and codes, the longest first.

    Args:
        timeline: everything known about a video.
        max_tokens: longest summary in tokens, estimated by :data:`CHARACTERS_PER_TOKEN`.

    Returns:
        The summary. Its last line says how many lines were left out; it is empty if not even the first one fits.
    """
    room = int(max_tokens * CHARACTERS_PER_TOKEN)
    lines = list(_lines(timeline))
    kept: list[str] = []
    used = 0
    for number, line in enumerate(lines):
        rest = len(lines) - number - 1
        last = len(_left_out(rest)) + 1 if rest else 0
        if used + len(line) + 1 + last > room:
            note = _left_out(len(lines) - number)
            return "\n".join([*kept, note]) if used + len(note) <= room else "\n".join(kept)
        kept.append(line)
        used += len(line) + 1
    return "\n".join(kept)


def _left_out(count: int) -> str:
    return f"({count} lines left out)"


def _lines(timeline: TimelineDocument) -> Iterator[str]:
    names = {track.track_id: f"{track.role or track.category}#{track.track_id}" for track in timeline.tracks}
    yield f"video {timeline.video_id}: {timeline.duration_s:.1f} s, looked at {timeline.processed_s:.1f} s"
    for track in timeline.tracks:
        seen_s = sum(end_s - begin_s for begin_s, end_s in track.seen_s)
        yield f"{names[track.track_id]} {track.category} {track.begin_s:.1f}-{track.end_s:.1f} seen {seen_s:.1f} s"
    for event in timeline.events:
        yield f"{event.begin_s:.1f} {event.kind} {' '.join(names[i] for i in event.track_ids)}"
    bouts = [
        (r.begin_s, r.end_s, f"{names[r.subject_track_id]} {r.predicate} {names[r.object_track_id]}")
        for r in timeline.relations
    ]
    bouts += [(c.begin_s, c.end_s, f"{c.participant} {c.kind}: {c.label}") for c in timeline.codes]
    for begin_s, end_s, text in sorted(bouts, key=lambda bout: (bout[0] - bout[1], bout[0], bout[2])):
        yield f"{begin_s:.1f}-{end_s:.1f} {text}"
