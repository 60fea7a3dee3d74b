"""Estimate the motion of the camera and compensate boxes for it.

Distinctive points are tracked from one frame to the next. The similarity transform (translation, rotation, scale)
that most of them support is the camera's motion; people and toys that move are outliers. Boxes are then linked,
stitched and interpolated in the coordinates of the first frame, and mapped back afterwards.

Sources: Lucas & Kanade (1981) with pyramids (Bouguet, 2001); corners of Shi & Tomasi (1994); camera-motion compensation
in tracking as in BoT-SORT (Aharon et al., 2022). A jerk of the head can exceed the range of the optical
flow. The flow is therefore also started from the shift of highest phase correlation (Kuglin & Hines, 1975), and the
better result is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core._validation import frozen_array
from visionllm_interaction.video.decoding.worker_messages import image_shape

_IDENTITY = np.eye(2, 3)
_CORNERS, _CORNER_QUALITY, _CORNER_DISTANCE_PX = 300, 0.01, 5
_WINDOW_PX, _LEVELS = (21, 21), 3
_AGREE_PX = 2.0
_LEAST_POINTS = 8
_LEAST_SHARE = 0.2
_ZOOM_PER_FRAME = 1.5
"""A larger zoom between two frames, or a smaller share of agreeing points, is a cut or a failure: no motion."""

Matrix = NDArray[np.float64]


class MotionEstimator:
    """Estimates the camera's motion between consecutive grey images of one size."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def step(self, grey: NDArray[np.uint8]) -> Matrix:
        """(2, 3) transform of points of the previous image to this one, in its pixels; the identity if unknown."""
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return _IDENTITY
        # Imported here because it takes a while to load, and cameras at rest need none of it.
        import cv2

        points = cv2.goodFeaturesToTrack(last, _CORNERS, _CORNER_QUALITY, _CORNER_DISTANCE_PX)
        if points is None or len(points) < _LEAST_POINTS:
            return _IDENTITY
        window = cv2.createHanningWindow(last.shape[::-1], cv2.CV_32F)
        shift, _ = cv2.phaseCorrelate(last.astype(np.float32), grey.astype(np.float32), window)
        corners = np.asarray(points, np.float32)
        found = [_flow(last, grey, corners, np.array(guess)) for guess in ((0.0, 0.0), shift)]
        matrix, share = max(found, key=lambda item: item[1])
        zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        credible = share >= _LEAST_SHARE and 1 / _ZOOM_PER_FRAME <= zoom <= _ZOOM_PER_FRAME
        return matrix if credible else _IDENTITY


class CameraMotionTracker:
    """The camera's motion since the first image, in pixels of images ``width`` pixels wide."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._estimator = MotionEstimator()
        self._to_first = _IDENTITY

    def update(self, image: NDArray[np.uint8]) -> Matrix:
        """(2, 3) transform of this image's points to the first one's; ``image`` is RGB or grey, of any one size."""
        grey = small_grey(image) if image.ndim == 3 else image
        step = self._estimator.step(grey).copy()
        step[:, 2] *= self._width / grey.shape[1]
        self._to_first = compose_motion(self._to_first, step)
        return self._to_first


def small_grey(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image as the decoder gives it in grey: at most ``GREY_WIDTH`` wide."""
    import cv2

    height, width = image_shape("grey", image_rgb.shape[1], image_rgb.shape[0])
    small = cv2.resize(image_rgb, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _flow(
    last: NDArray[np.uint8], grey: NDArray[np.uint8], points: NDArray[np.float32], guess: Matrix
) -> tuple[Matrix, float]:
    """The transform most points agree on, and their share, when the search begins at ``guess`` (x, y)."""
    import cv2

    begin = (points + guess.astype(np.float32)).astype(np.float32)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        last, grey, points, begin, winSize=_WINDOW_PX, maxLevel=_LEVELS, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    good = status.reshape(-1) == 1
    if good.sum() < _LEAST_POINTS:
        return _IDENTITY, 0.0
    matrix, agree = cv2.estimateAffinePartial2D(
        points[good], moved[good], method=cv2.RANSAC, ransacReprojThreshold=_AGREE_PX
    )
    return (_IDENTITY, 0.0) if matrix is None else (np.asarray(matrix, np.float64), float(agree.sum()) / len(points))


@dataclass(frozen=True, eq=False)
class CameraPath:
    """For each processed frame the transform of its points to the first frame's coordinates.

    Attributes:
        frame_index: (n,) int64, rising.
        to_first: (n, 2, 3) float64, pixels of the upright image.
    """

    frame_index: NDArray[np.int64]
    to_first: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.frame_index)
        object.__setattr__(self, "frame_index", frozen_array(self.frame_index, np.int64, (n,), "frame_index"))
        object.__setattr__(self, "to_first", frozen_array(self.to_first, np.float64, (n, 2, 3), "to_first"))

    def stabilise(self, boxes_xyxy: NDArray[np.floating], frame_index: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 4) boxes of the frames ``frame_index`` (n,) in the first frame's coordinates."""
        return move_boxes(boxes_xyxy, self._of(frame_index))

    def restore(self, boxes_xyxy: NDArray[np.floating], frame_index: NDArray[np.int64]) -> NDArray[np.float32]:
        """The reverse of :meth:`stabilise`."""
        return move_boxes(boxes_xyxy, invert(self._of(frame_index)))

    def _of(self, frame_index: NDArray[np.int64]) -> Matrix:
        return self.to_first[np.searchsorted(self.frame_index, frame_index)]


def compose_motion(to_first: Matrix, step: Matrix) -> Matrix:
    """The next frame's ``to_first`` (2, 3), given this frame's and the ``step`` from this to the next."""
    back = invert(step[None])[0]
    return np.column_stack([to_first[:, :2] @ back[:, :2], to_first[:, :2] @ back[:, 2] + to_first[:, 2]])


def invert(matrices: Matrix) -> Matrix:
    """Inverses of (n, 2, 3) affine transforms."""
    turn = np.linalg.inv(matrices[:, :, :2])
    return np.concatenate([turn, -turn @ matrices[:, :, 2:]], axis=2)


def move_boxes(boxes_xyxy: NDArray[np.floating], matrices: Matrix) -> NDArray[np.float32]:
    """(n, 4) boxes after (n, 2, 3) transforms: centres move, sizes follow the zoom; boxes stay upright."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    moved = np.einsum("nij,nj->ni", matrices[:, :, :2], centres) + matrices[:, :, 2]
    zoom = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))[:, None]
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2 * zoom
    return np.concatenate([moved - half, moved + half], axis=1).astype(np.float32)
