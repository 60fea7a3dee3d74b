"""Read and write what was imported for a video, and the clocks that place it.

Imported times are kept as they came (``imported.parquet``, ``gaze.parquet``, ``motion.parquet``);
``recordings.parquet`` says how each clock maps to the video's, and ``codes.parquet`` is the result. A better clock
needs no new import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.store.arrow_schemas import SCHEMAS, arrow_to_codes, symbols_to_arrow
from visionllm_interaction.store.layout import check_store, check_video_id, unknown_video
from visionllm_interaction.store.recordings.clocks import (
    Misplaced,
    Recording,
    chain_of,
    clock_of,
    is_of_session,
    place_codes,
)
from visionllm_interaction.store.video_record import read_record
from visionllm_interaction.store.writer import replace_codes, write_table
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath


def read_recordings(folder: Path) -> dict[str, Recording]:
    """The recordings of a video by name.

    Args:
        folder: the video's folder.

    Returns:
        Name → recording; empty where nothing was imported.
    """
    return {row["recording"]: Recording(**row) for row in _read(folder, "recordings").to_pylist()}


def recordings_with_gaze(folder: Path) -> frozenset[str]:
    """The recordings of a video that hold gaze; other trackers hold motion."""
    return frozenset(_read(folder, "gaze")["recording"].unique().to_pylist())


def read_imported(folder: Path) -> list[Code]:
    """Imported codes with their times as they came."""
    return arrow_to_codes(_read(folder, "imported"))


def write_imported(
    store: StrPath, video_id: str, recording: Recording, codes: Sequence[Code], *, skip_misplaced: bool = False
) -> tuple[list[Code], list[Misplaced]]:
    """Import the codes of one file, in place of earlier ones from it.

    Args:
        store: the store's folder.
        video_id: the video.
        recording: the file, whose ``recording`` is the codes' ``source``, and its clock.
        codes: its codes, times as they came.
        skip_misplaced: whether codes outside the video are left out; otherwise nothing is written if there is one.

    Returns:
        The codes on the video's clock, and those outside it.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if the recording follows one that is not known.
    """
    with wait_for_lock(Path(store)):
        folder = _folder(store, video_id)
        recordings = {**read_recordings(folder), recording.recording: recording}
        _check_follows(recording, recordings)
        placed, misplaced = _placed(folder, codes, recording.recording, recordings)
        if misplaced and not skip_misplaced:
            return placed, misplaced
        former = [code for code in read_imported(folder) if code.source != recording.recording]
        write_table(folder / "imported.parquet", symbols_to_arrow("imported", [*former, *codes]))
        _write_recordings(folder, recordings)
        replace_codes(folder, placed, {recording.recording})
        return placed, misplaced


def write_gaze(store: StrPath, video_id: str, recording: Recording, samples: pa.Table) -> None:
    """Keep the gaze samples of a tracker, in place of earlier ones from it.

    Args:
        store: the store's folder.
        video_id: the scene camera's video.
        recording: the tracker with its clock.
        samples: the columns of ``gaze.parquet``, times as they came.

    Raises:
        StoreError: if the store or the video is not there.
    """
    _write_samples(store, video_id, recording, "gaze", samples)


def write_motion(store: StrPath, video_id: str, recording: Recording, samples: pa.Table) -> None:
    """Keep the samples of motion sensors, in place of earlier ones from them.

    Args:
        store: the store's folder.
        video_id: the worn camera's video.
        recording: the sensors with their clock.
        samples: the columns of ``motion.parquet``, times as they came.

    Raises:
        StoreError: if the store or the video is not there.
    """
    _write_samples(store, video_id, recording, "motion", samples)


def _write_samples(store: StrPath, video_id: str, recording: Recording, name: str, samples: pa.Table) -> None:
    with wait_for_lock(Path(store)):
        folder = _folder(store, video_id)
        former = _read(folder, name)
        kept = former.filter(pc.not_equal(former["recording"], recording.recording))
        write_table(folder / f"{name}.parquet", pa.concat_tables([kept, samples]))
        _write_recordings(folder, {**read_recordings(folder), recording.recording: recording})


def write_recording(store: StrPath, video_id: str, recording: Recording) -> list[Misplaced]:
    """Add a recording or correct its clock; what was imported from it, and from those that follow it, moves along.

    Args:
        store: the store's folder.
        video_id: the video.
        recording: the recording with its clock.

    Returns:
        Imported codes that now lie outside the video; they come back with a clock that places them in it.

    Raises:
        StoreError: if the store or the video is not there.
        UsageError: if the recording follows one that is not known.
    """
    with wait_for_lock(Path(store)):
        folder = _folder(store, video_id)
        recordings = {**read_recordings(folder), recording.recording: recording}
        _check_follows(recording, recordings)
        imported = read_imported(folder)
        moved = {name for name in recordings if recording.recording in chain_of(name, recordings)}
        known = {code.source for code in imported}
        # Codes from before times were kept as they came: theirs are the video's.
        older = [code for code in _read_codes(folder) if code.source in moved - known]
        imported += older
        sources = moved & {code.source for code in imported}
        if older:
            write_table(folder / "imported.parquet", symbols_to_arrow("imported", imported))
        all_placed: list[Code] = []
        all_misplaced: list[Misplaced] = []
        for source in sorted(sources):
            codes = [code for code in imported if code.source == source]
            placed, misplaced = _placed(folder, codes, source, recordings)
            all_placed += placed
            all_misplaced += misplaced
        _write_recordings(folder, recordings)
        if sources:
            replace_codes(folder, all_placed, sources)
        return all_misplaced


def remove_recording(store: StrPath, video_id: str, name: str) -> None:
    """Remove a recording of a video, those that follow its clock, and everything that was imported from them.

    Args:
        store: the store's folder.
        video_id: the video.
        name: the recording.

    Raises:
        StoreError: if the store or the video is not there.
    """
    with wait_for_lock(Path(store)):
        folder = _folder(store, video_id)
        recordings = read_recordings(folder)
        gone = {one for one in recordings if name in chain_of(one, recordings)}
        kept = [code for code in read_imported(folder) if code.source not in gone]
        if (folder / "imported.parquet").is_file():
            write_table(folder / "imported.parquet", symbols_to_arrow("imported", kept))
        if (folder / "gaze.parquet").is_file():
            gaze = _read(folder, "gaze")
            write_table(
                folder / "gaze.parquet", gaze.filter(pc.invert(pc.is_in(gaze["recording"], pa.array(sorted(gone)))))
            )
        replace_codes(folder, [], gone)
        _write_recordings(folder, {one: recording for one, recording in recordings.items() if one not in gone})


def frame_span(folder: Path) -> tuple[float, float]:
    """Begin of a video's first frame and end of its last one, in seconds of its own clock.

    Args:
        folder: the video's folder.

    Returns:
        Both, by the time stamps of the frames.

    Raises:
        StoreError: if the video has no frames, or their file is damaged.
    """
    path = folder / "frames.parquet"
    try:
        table = pq.read_table(path, columns=["timestamp_s", "duration_s"], partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error
    if not table.num_rows:
        raise StoreError("A video has no frames.", expected="at least one", found="none", where=folder.name)
    begins, lengths = table["timestamp_s"].to_pylist(), table["duration_s"].to_pylist()
    # Frames that were skipped stand for no time; the end of the last one is then that of the one before it.
    return begins[0], max(begin + length for begin, length in zip(begins, lengths, strict=True))


def _placed(
    folder: Path, codes: Sequence[Code], source: str, recordings: Mapping[str, Recording]
) -> tuple[list[Code], list[Misplaced]]:
    """The codes of a recording on the video's clock."""
    clock = clock_of(source, recordings)
    if is_of_session(source, recordings):
        return place_codes(codes, clock, span_s=frame_span(folder), is_part=True)
    return place_codes(codes, clock, span_s=(0.0, _duration_s(folder)))


def _read_codes(folder: Path) -> list[Code]:
    return arrow_to_codes(_read(folder, "codes"))


def _check_follows(recording: Recording, recordings: Mapping[str, Recording]) -> None:
    if recording.follows is not None and recording.follows not in recordings:
        known = [name for name in recordings if name != recording.recording]
        raise UsageError(
            "The recording to follow is not known.",
            expected=f"one of: {', '.join(known)}" if known else "a recording of this video",
            found=recording.follows,
            fix="say where it lies first: visionllm sync VIDEO RECORDING --store DIR",
        )
    clock_of(recording.recording, recordings)


def _write_recordings(folder: Path, recordings: Mapping[str, Recording]) -> None:
    rows = [asdict(recording) for recording in recordings.values()]
    write_table(folder / "recordings.parquet", pa.Table.from_pylist(rows, schema=SCHEMAS["recordings"]))


def _folder(store: StrPath, video_id: str) -> Path:
    check_store(store)
    folder = Path(store) / "videos" / check_video_id(video_id)
    if not folder.is_dir():
        raise unknown_video(Path(store), video_id)
    return folder


def _duration_s(folder: Path) -> float:
    record = read_record(folder)
    return record.duration_s if record else 0.0


def _read(folder: Path, name: str) -> pa.Table:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        return SCHEMAS[name].empty_table()
    try:
        return pq.read_table(path, schema=SCHEMAS[name], partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error
