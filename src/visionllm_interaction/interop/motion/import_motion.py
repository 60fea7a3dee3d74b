"""Import the motion sensors of a worn camera: head speed, and bouts in which the head moves or is still."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.tracks_relations_events import HEAD_MOTION, Code
from visionllm_interaction.interop.motion.babyview import is_babyview, read_babyview
from visionllm_interaction.interop.motion.gopro import VIDEO_ENDINGS, read_gopro
from visionllm_interaction.interop.motion.samples import (
    HeadBout,
    HeadState,
    MotionLimits,
    MotionRecording,
    acceleration_at,
    head_bouts,
    head_speed_dps,
    known_intervals,
)
from visionllm_interaction.store.arrow_schemas import SCHEMAS
from visionllm_interaction.store.recordings.clocks import Clock, Recording
from visionllm_interaction.store.recordings.imported_data import write_imported, write_motion
from visionllm_interaction.utils.path_type import StrPath

HEAD_TIER, MARK_TIER = "head", "HiLight"


@dataclass(frozen=True)
class MotionResult:
    """The result of importing motion sensors.

    Attributes:
        store: the store's folder.
        video_id: the worn camera's video.
        recording: the sensors with their clock.
        wearer: who wears the camera.
        samples: samples of head speed.
        moving_s: seconds in which the head moves.
        still_s: seconds in which it is still.
        marks: HiLight marks.
        notes: what should be known.
    """

    store: Path
    video_id: str
    recording: Recording
    wearer: str
    samples: int
    moving_s: float
    still_s: float
    marks: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm import`` for motion sensors."""
        return {
            "store": str(self.store),
            "video_id": self.video_id,
            "recording": self.recording.to_dict(),
            "wearer": self.wearer,
            "samples": self.samples,
            "moving_s": self.moving_s,
            "still_s": self.still_s,
            "marks": self.marks,
            "notes": list(self.notes),
        }


def is_motion(path: Path) -> bool:
    """Whether a path holds motion sensors: a GoPro video, or the motion files of BabyView."""
    return (path.is_file() and path.suffix.lower() in VIDEO_ENDINGS) or is_babyview(path)


def read_motion(path: StrPath) -> MotionRecording:
    """Read the motion sensors of a worn camera.

    Args:
        path: a GoPro video, a motion file of BabyView, or its folder.

    Returns:
        Samples of its sensors; nothing that identifies somebody or a place is read.

    Raises:
        InputDataError: if there is no telemetry, or it is damaged.
    """
    path = Path(path)
    return read_babyview(path) if is_babyview(path) else read_gopro(path)


def import_motion(
    path: StrPath,
    store: StrPath,
    *,
    video_id: str,
    wearer: str = "child",
    clock: Clock = Clock(),
    limits: MotionLimits = MotionLimits(),
) -> MotionResult:
    """Import the motion sensors of a worn camera for its video, in place of earlier ones of the same wearer.

    Head speed is kept (``motion.parquet``). Bouts of moving and stillness become codes, and the time with samples
    becomes coded time. HiLight marks become moments of the tier ``HiLight``.

    Args:
        path: a GoPro video, a motion file of BabyView, or its folder.
        store: the store's folder.
        video_id: the worn camera's video.
        wearer: a role or category.
        clock: where the sensors' clock lies on the video's, if they do not begin together.
        limits: how speed becomes bouts.

    Returns:
        Samples, seconds and marks.

    Raises:
        InputDataError: if there is no telemetry, or it is damaged.
        StoreError: if the store or the video is not there.
    """
    motion = read_motion(path)
    name = f"{motion.device} of {wearer}"
    by_hand = bool(clock.offset_s or clock.drift_ppm)
    recording = Recording(name, "tracker", clock.offset_s, clock.drift_ppm, "hand" if by_hand else "container")
    gyro = motion.sensors["GYRO"]
    speed = head_speed_dps(gyro)
    columns = [[name] * len(gyro.t), [wearer] * len(gyro.t), gyro.t, speed]
    columns.append(acceleration_at(motion.sensors.get("ACCL"), gyro.t))
    schema = SCHEMAS["motion"]
    arrays = [pa.array(np.asarray(column), type=field.type) for column, field in zip(columns, schema, strict=True)]
    write_motion(store, video_id, recording, pa.Table.from_arrays(arrays, schema=schema))
    bouts = head_bouts(gyro.t, speed, limits)
    write_imported(store, video_id, recording, _codes(bouts, name, wearer), skip_misplaced=True)
    marks = Recording(f"{MARK_TIER} of {name}", "codes", known_by=recording.known_by, follows=name)
    codes = [
        Code(f"{marks.recording}#{n}", MARK_TIER, "code", wearer, MARK_TIER, time_s, time_s, marks.recording)
        for n, time_s in enumerate(motion.marks_s, start=1)
    ]
    write_imported(store, video_id, marks, codes, skip_misplaced=True)
    return MotionResult(
        Path(store),
        video_id,
        recording,
        wearer,
        len(gyro.t),
        _seconds(bouts, "moving"),
        _seconds(bouts, "still"),
        len(motion.marks_s),
        motion.notes,
    )


def _seconds(bouts: list[HeadBout], state: HeadState) -> float:
    return round(sum(bout.end_s - bout.begin_s for bout in bouts if bout.state == state), 3)


def _codes(bouts: list[HeadBout], name: str, wearer: str) -> list[Code]:
    spans = [(HEAD_TIER, HEAD_MOTION, bout.state, bout.begin_s, bout.end_s) for bout in bouts]
    known = [("coded", "coded", "", begin_s, end_s) for begin_s, end_s in known_intervals(bouts)]
    return [
        Code(f"{name}#{n}", tier, kind, wearer, label, begin_s, end_s, name)
        for n, (tier, kind, label, begin_s, end_s) in enumerate([*spans, *known], start=1)
    ]
