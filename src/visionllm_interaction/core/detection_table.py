"""Detections of a whole video as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core._validation import Column, check_frame_order, freeze_columns

UNTRACKED = -1
"""``track_id`` of a detection that belongs to no track."""


@dataclass(frozen=True, eq=False)
class DetectionTable:
    """Detections of one video, one row each, ordered by frame.

    Attributes:
        frame_index: (n,) int64.
        timestamp_s: (n,) float64 seconds.
        category: (n,) object array of category names.
        confidence: (n,) float32 in [0, 1].
        boxes_xyxy: (n, 4) float32 pixels.
        track_id: (n,) int64; :data:`UNTRACKED` where the detection belongs to no track.
        interpolated: (n,) bool; True where the box was interpolated over a short gap, False where it was detected
            (default).

    Raises:
        ValueError: on wrong shapes or rows not ordered by frame.
    """

    frame_index: NDArray[np.int64]
    timestamp_s: NDArray[np.float64]
    category: NDArray[np.object_]
    confidence: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    track_id: NDArray[np.int64]
    interpolated: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __post_init__(self) -> None:
        n = len(self.frame_index)
        if n and not len(self.interpolated):
            object.__setattr__(self, "interpolated", np.zeros(n, np.bool_))
        columns: tuple[Column, ...] = (
            ("frame_index", np.int64, (n,)),
            ("timestamp_s", np.float64, (n,)),
            ("category", np.object_, (n,)),
            ("confidence", np.float32, (n,)),
            ("boxes_xyxy", np.float32, (n, 4)),
            ("track_id", np.int64, (n,)),
            ("interpolated", np.bool_, (n,)),
        )
        freeze_columns(self, columns)
        check_frame_order(self.frame_index)

    def __len__(self) -> int:
        return len(self.frame_index)

    @classmethod
    def empty(cls) -> Self:
        """No detections."""
        index, boxes = np.zeros(0, np.int64), np.zeros((0, 4), np.float32)
        return cls(index, np.zeros(0), np.zeros(0, np.object_), np.zeros(0, np.float32), boxes, index)

    @classmethod
    def concat(cls, tables: Iterable[Self]) -> Self:
        """The rows of several tables of one video as one table, ordered by frame.

        Rows of one frame keep their order: first those of the first table, then those of the next.

        Args:
            tables: any number of tables, each ordered by frame; their frames may interleave.

        Returns:
            One table with all rows; an empty one if there are no tables.
        """
        parts = [*tables] or [cls.empty()]
        index = np.concatenate([part.frame_index for part in parts])
        order = np.argsort(index, kind="stable")
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])[order]
            for name in (column.name for column in fields(cls))
        }
        return cls(**columns)

    def select(self, keep: NDArray[Any]) -> Self:
        """The rows chosen by a boolean mask (n,) or a rising index array."""
        return dataclasses.replace(self, **{column.name: getattr(self, column.name)[keep] for column in fields(self)})

    def replace(self, **columns: NDArray[Any]) -> Self:
        """A copy with other values in some columns.

        Args:
            **columns: the new columns by name, in the shapes of the class; the others are kept.

        Returns:
            The checked copy.

        Example:
            >>> table = DetectionTable.empty()
            >>> len(table.replace(track_id=np.zeros(0, np.int64)))
            0
        """
        return dataclasses.replace(self, **columns)


@dataclass(frozen=True, eq=False)
class HeadTable:
    """Heads detected in one video, one row each, ordered by frame.

    Attributes:
        frame_index: (n,) int64.
        points_xy: (n, 2) float64 pixels of the upright image: the point midway between the eyes.
        yaw_deg: (n,) float64; 0 is towards the camera, positive towards the image's right, 90 a profile.

    Raises:
        ValueError: on wrong shapes or rows not ordered by frame.
    """

    frame_index: NDArray[np.int64]
    points_xy: NDArray[np.float64]
    yaw_deg: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.frame_index)
        columns: tuple[Column, ...] = (
            ("frame_index", np.int64, (n,)),
            ("points_xy", np.float64, (n, 2)),
            ("yaw_deg", np.float64, (n,)),
        )
        freeze_columns(self, columns)
        check_frame_order(self.frame_index)

    def __len__(self) -> int:
        return len(self.frame_index)
