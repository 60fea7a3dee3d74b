"""Import what runs over a whole session: codes, a transcript, the gaze of a tracker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.config import InteropConfig
from visionllm_interaction.interop.gaze.import_gaze import (
    GazeResult,
    derive_looks,
    gaze_table,
    lost_samples,
    read_gaze,
)
from visionllm_interaction.interop.gaze.looks import LookLimits
from visionllm_interaction.interop.import_codes import (
    ImportOptions,
    ImportResult,
    StoreNames,
    read_codes,
    read_timeline,
    recording_of,
    refusal,
    result_of,
)
from visionllm_interaction.interop.tiers import Medium, Timeline
from visionllm_interaction.interop.timeline_selection import medium_of_video
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import EDGE_S, Clock, Misplaced, Recording
from visionllm_interaction.store.recordings.imported_data import read_recordings, write_gaze, write_imported
from visionllm_interaction.store.sessions.chapters import Chapter, Session, read_session
from visionllm_interaction.utils.path_type import StrPath

_AROUND_S = 60.0
"""Gaze from this long before a video to this long after it is kept with it, for a better clock."""
_ALIKE_S = 0.05
"""Media of a file that lie where the session's videos do differ by less than this."""


def import_session_codes(
    file: StrPath,
    store: StrPath,
    *,
    session: str,
    options: ImportOptions = ImportOptions(),
    config: InteropConfig = InteropConfig(),
) -> ImportResult:
    """Import codes that run over a whole session, onto its videos.

    Times count on the session's clock, unless the file names a medium that is one of its videos. An interval that goes
    on over a border is cut there: each video has its part, and in the session it is one again.

    Args:
        file: a coded file, a transcript or a table.
        store: the store's folder.
        session: name of the session.
        options: everything that can be said about the file.
        config: names of participants, presets of columns, words of categories.

    Returns:
        The tiers and how many codes each brought, each counted once, and what was left out.

    Raises:
        InputDataError: if the file cannot be read, or a row of it cannot be used and ``skip_bad`` is not given.
        UsageError: if the session, tiers, kinds, the observation or the medium are not known.
        StoreError: if the store is not there.
    """
    path, store = Path(file), Path(store)
    found = read_session(store, session)
    ids = [chapter.video_id for chapter in found.chapters]
    with open_store(store) as opened:
        records = [opened.record(video_id) for video_id in ids]
        names = StoreNames.of(records, {name for video_id in ids for name in opened.names(video_id)})
    timeline = read_timeline(path, options, config, video=session)
    files = {chapter: record.source.name for chapter, record in zip(found.chapters, records, strict=True)}
    own_offset_s, notes = _offset_in_session(timeline, files, options.medium)
    read = read_codes(path, timeline, Medium(""), names, options, config)
    recording = recording_of(path.name, own_offset_s, options, follows=options.on or session)
    clock = recording.clock if options.on is None else recording.clock.then(_clock_on(store, found, options.on))
    outside = _outside(read.codes, clock, found.chapters)
    refused = (*timeline.refused, *(read.as_row(item) for item in outside))
    if refused and not options.skip_bad:
        raise refusal(path, refused, total=len(read.codes) + len(timeline.refused))
    bad = {id(item.code) for item in outside}
    kept = [code for code in read.codes if id(code) not in bad]
    for video_id in ids:
        write_imported(store, video_id, recording, kept, skip_misplaced=True)
    cut = sum(_is_cut(code, clock, found.chapters) for code in kept if code.kind != "coded")
    if cut:
        notes.append(f"{cut} intervals are cut at the border of two videos; in the session each of them is one")
    return result_of(store, session, recording, kept, refused, read, videos=ids, notes=notes)


def import_session_gaze(
    path: StrPath,
    store: StrPath,
    *,
    session: str,
    camera: str | None = None,
    wearer: str = "child",
    clock: Clock = Clock(),
    limits: LookLimits = LookLimits(),
) -> GazeResult:
    """Import the gaze of a tracker that ran through a session, for the videos of its scene camera.

    Args:
        path: the recording's folder, or the file with its gaze.
        store: the store's folder.
        session: name of the session.
        camera: the scene camera, where the session has several.
        wearer: a role or category.
        clock: where the tracker's clock lies on the session's.
        limits: how samples become bouts.

    Returns:
        Samples and bouts; a look over a border has a part in each video.

    Raises:
        UsageError: if the session or camera is not known, or several cameras are side by side.
        InputDataError: if a file of the tracker is missing or damaged.
        StoreError: if the store is not there.
    """
    store = Path(store)
    found = _scene_camera(read_session(store, session), camera)
    with open_store(store) as opened:
        record = opened.record(found.chapters[0].video_id)
    gaze = read_gaze(path, width=record.width, height=record.height)
    name = f"{gaze.device} of {wearer}"
    by_hand = bool(clock.offset_s or clock.drift_ppm)
    recording = Recording(
        name, "tracker", clock.offset_s, clock.drift_ppm, "hand" if by_hand else "file", follows=session
    )
    looks: dict[str, int] = {}
    for chapter in found.chapters:
        first_s, last_s = (clock.inverse(at) for at in (chapter.begin_s - _AROUND_S, chapter.end_s + _AROUND_S))
        samples = gaze_table(gaze, name, wearer, begin_s=first_s, end_s=last_s)
        write_gaze(store, chapter.video_id, recording, samples)
        for label, count in derive_looks(store, chapter.video_id, name, limits=limits).items():
            looks[label] = looks.get(label, 0) + count
    return GazeResult(store, session, recording, wearer, len(gaze.t), lost_samples(gaze), looks, gaze.notes)


def _scene_camera(session: Session, camera: str | None) -> Session:
    chosen = session if camera is None else session.of_camera(camera)
    cameras = [one for one in session.cameras if one]
    if not chosen.chapters:
        raise UsageError("The session has no such camera.", expected=f"one of: {', '.join(cameras)}", found=str(camera))
    if chosen.side_by_side() is not None:
        raise UsageError(
            "Which camera is the tracker's has to be said.",
            expected=f"one of: {', '.join(cameras)}" if cameras else "names for the cameras",
            found="several videos of the same time",
            where=session.name,
            fix="say it with --camera",
        )
    return chosen


def _offset_in_session(timeline: Timeline, files: dict[Chapter, str], wanted: str | None) -> tuple[float, list[str]]:
    """Second of the session at the file's 0, by those of its media that are videos of the session; and notes."""
    found: list[tuple[str, float]] = []
    for chapter, name in files.items():
        medium = medium_of_video(timeline, name)
        if medium is not None and not math.isnan(medium.offset_s):
            found.append((medium.name, medium.offset_s + chapter.offset_s))
    if wanted is not None:
        found = [one for one in found if wanted in (one[0], Path(one[0]).name)]
        if not found:
            raise UsageError(
                "The medium is no video of the session.",
                expected=f"one of: {', '.join(files.values())}",
                found=wanted,
                fix="say where the file lies with --offset-s",
            )
    if not found:
        return 0.0, []
    differing = [(name, at) for name, at in found if abs(at - found[0][1]) > _ALIKE_S]
    notes = [
        f"the file has {Path(name).name} {at - found[0][1]:+.3f} s from where the session has it; "
        f"times follow {Path(found[0][0]).name}"
        for name, at in differing
    ]
    return found[0][1], notes


def _clock_on(store: Path, session: Session, name: str) -> Clock:
    """From a recording's clock to the session's."""
    recordings = read_recordings(store / "videos" / session.chapters[0].video_id)
    if name in recordings and recordings[name].follows == session.name:
        return recordings[name].clock
    raise UsageError(
        "The recording is not known to the session.",
        expected="a recording that was synchronised with the session",
        found=name,
        where=session.name,
        fix=f"say where it lies first: visionllm sync RECORDING --session {session.name}",
    )


def _outside(codes: Sequence[Code], clock: Clock, chapters: Sequence[Chapter]) -> list[Misplaced]:
    """Codes that are no intervals, or begin or end where no video of the session is."""
    found: list[Misplaced] = []
    for code in codes:
        begin_s, end_s = clock.map(code.begin_s), clock.map(code.end_s)
        reason = None
        if not (math.isfinite(begin_s) and math.isfinite(end_s)):
            reason = "its times are no numbers"
        elif end_s < begin_s:
            reason = f"it ends at {end_s:.3f} s, before it begins at {begin_s:.3f} s"
        elif code.kind == "coded":
            continue
        elif not _is_in(begin_s, chapters):
            reason = f"it begins at {begin_s:.3f} s of the session, where no video is"
        elif not _is_in(end_s, chapters):
            reason = f"it ends at {end_s:.3f} s of the session, where no video is"
        elif not any(_has_part(begin_s, end_s, chapter) for chapter in chapters):
            reason = f"it lies at {begin_s:.3f} s of the session, where no video is"
        if reason is not None:
            found.append(Misplaced(code, reason))
    return found


def _is_in(at_s: float, chapters: Sequence[Chapter]) -> bool:
    return any(chapter.begin_s - EDGE_S <= at_s <= chapter.end_s + EDGE_S for chapter in chapters)


def _has_part(begin_s: float, end_s: float, chapter: Chapter) -> bool:
    if end_s <= begin_s:
        return chapter.begin_s - TOLERANCE_S <= begin_s < chapter.end_s - TOLERANCE_S
    return begin_s < chapter.end_s - TOLERANCE_S and end_s > chapter.begin_s + TOLERANCE_S


def _is_cut(code: Code, clock: Clock, chapters: Sequence[Chapter]) -> bool:
    begin_s, end_s = clock.map(code.begin_s), clock.map(code.end_s)
    borders = [b.begin_s for a in chapters for b in chapters if b.follows(a)]
    return any(begin_s < border - TOLERANCE_S and end_s > border + TOLERANCE_S for border in borders)
