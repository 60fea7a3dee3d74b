"""What a timeline shows beside tracks: codes by lane, time that was not coded, recordings, the session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionllm_interaction.core.intervals import complement
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.measures.streams.batch import CODED_KIND
from visionllm_interaction.measures.streams.coded_spans import coded_time_of
from visionllm_interaction.server.schemas.timelines import (
    CodeLane,
    LaneInterval,
    LinkedRecording,
    SessionPlace,
    VideoSession,
)
from visionllm_interaction.store.reader import Store
from visionllm_interaction.store.recordings.clocks import clock_of
from visionllm_interaction.store.recordings.imported_data import read_recordings
from visionllm_interaction.store.sessions.chapters import read_session, session_of

_ORDER = {kind: place for place, kind in enumerate(("gaze", "speech", "naming", "code", "word"))}


def code_lanes(codes: Sequence[Code], *, duration_s: float) -> list[CodeLane]:
    """Codes by what they are of: looks first, then speech by speaker, names, tiers, words.

    Args:
        codes: the codes of a video, on its clock.
        duration_s: length of the video in seconds.

    Returns:
        The lanes, each with its intervals by begin.
    """
    found: dict[tuple[str, str, str], list[Code]] = {}
    for code in codes:
        if code.kind != CODED_KIND:
            found.setdefault((code.kind, code.tier, code.participant), []).append(code)
    lanes: list[CodeLane] = []
    for (kind, tier, who), own in sorted(found.items(), key=lambda item: (_ORDER.get(item[0][0], 9), item[0])):
        ordered = sorted(own, key=lambda code: (code.begin_s, code.end_s))
        intervals = [LaneInterval(begin_s=c.begin_s, end_s=c.end_s, label=c.label) for c in ordered]
        uncoded = _uncoded(codes, own, who, duration_s)
        lanes.append(CodeLane(kind=kind, tier=tier, participant=who, intervals=intervals, uncoded=uncoded))
    return lanes


def _uncoded(codes: Sequence[Code], own: Sequence[Code], who: str, duration_s: float) -> list[tuple[float, float]]:
    """Time that no file coded of somebody; none where one of the files does not say what it coded."""
    coded = coded_time_of(codes, own, who, duration_s=duration_s)
    return [(begin, end) for begin, end in complement(coded, within=np.array([[0.0, duration_s]])).tolist()]


def linked_recordings(store: Store, video_id: str) -> list[LinkedRecording]:
    """The recordings beside a video, by kind and name; the session itself is none.

    Args:
        store: the open store.
        video_id: the video.

    Returns:
        Each with its clock on that of the video.
    """
    recordings = read_recordings(store.path / "videos" / video_id)
    found: list[LinkedRecording] = []
    for name, one in sorted(recordings.items(), key=lambda item: (item[1].kind, item[0])):
        if one.kind != "session":
            clock = clock_of(name, recordings)
            found.append(
                LinkedRecording(
                    name=name,
                    kind=one.kind,
                    offset_s=clock.offset_s,
                    drift_ppm=clock.drift_ppm,
                    known_by=one.known_by,
                    residual_s=one.residual_s,
                )
            )
    return found


def session_of_video(store: Store, video_id: str) -> VideoSession | None:
    """The session that a video is part of, with all of its videos.

    Args:
        store: the open store.
        video_id: the video.

    Returns:
        The session; None if the video is in none.
    """
    recording = session_of(store.path / "videos" / video_id)
    if recording is None:
        return None
    chapters = read_session(store.path, recording.recording).chapters
    videos = [
        SessionPlace(
            video_id=one.video_id,
            name=str(store.video(one.video_id)["source"]["name"]),
            camera=one.camera,
            begin_s=one.begin_s,
            end_s=one.end_s,
        )
        for one in chapters
        if one.video_id in store
    ]
    return VideoSession(session=recording.recording, offset_s=-recording.offset_s, videos=videos)
