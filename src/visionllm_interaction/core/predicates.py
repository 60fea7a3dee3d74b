"""Published definitions of the spatial predicates, on boxes, in one place.

All distances are relative to a *reference height*: the mean height of the people in the pair, so that the
predicate does not change when the image is rescaled or mirrored.

===========  =====================================================================================
predicate    definition for one frame
===========  =====================================================================================
near         edge-to-edge gap ≤ ``NEAR_GAP`` × reference height
in_contact   edge-to-edge gap ≤ ``CONTACT_GAP`` × reference height
holding      in_contact, and the object moves with the person (see ``interactions.relations``)
facing       the head is turned by ``FACING_DEG`` or more to the side at which the other's centre lies
hand_on      the gap between a hand of the person and the object is ≤ ``HAND_GAP`` × the hand's longer side
===========  =====================================================================================

Pairs have at least one person. The person is the subject; of two people the lower track id is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names below are read by commands that start without numpy
    import numpy as np
    from numpy.typing import NDArray

    from visionllm_interaction.core.boxes import Boxes

NEAR_GAP = 0.25
"""Largest gap called *near*, as a share of the reference height."""
CONTACT_GAP = 0.02
"""Largest gap called *in contact*, as a share of the reference height (detector jitter is about this large)."""

FACING_DEG = 20.0
"""Least angle by which a head that is *facing* something is turned out of the camera's direction."""

HAND_GAP = 0.1
"""Largest gap between a hand and an object that it is on, as a share of the hand's longer side."""

PREDICATES: tuple[str, ...] = ("near", "in_contact", "holding")
"""Predicates that hold between two in either order (of holding, the person is always the subject)."""
DIRECTED_PREDICATES: tuple[str, ...] = (
    "left_of",
    "right_of",
    "above",
    "below",
    "inside",
    "overlaps",
    "approaching",
    "facing",
    "hand_on",
)
"""Predicates that are read from the subject to the object."""
CONVERSES: dict[str, str] = {
    "left_of": "right_of",
    "right_of": "left_of",
    "above": "below",
    "below": "above",
    "overlaps": "overlaps",
    "approaching": "approaching",
}
"""What holds from the object to the subject when a predicate holds from the subject to the object. A pair of tracks is
stored once, so half of what is asked for stands under the other predicate, with subject and object exchanged."""
EVENT_KINDS: tuple[str, ...] = (
    "enters",
    "leaves",
    "picks_up",
    "puts_down",
    "hands_over",
    "approaches",
    "withdraws",
    "joint_handling",
)


def reference_height_px(subject_xyxy: Boxes, object_xyxy: Boxes, *, object_is_person: bool) -> NDArray[np.float64]:
    """Mean height in pixels of the people in the pair; inputs (…, 4) xyxy, output (…,)."""
    import numpy as np

    subject = np.asarray(subject_xyxy, dtype=np.float64)
    height = subject[..., 3] - subject[..., 1]
    if object_is_person:
        other = np.asarray(object_xyxy, dtype=np.float64)
        height = (height + other[..., 3] - other[..., 1]) / 2.0
    return np.asarray(height)


def relative_gap(subject_xyxy: Boxes, object_xyxy: Boxes, *, object_is_person: bool) -> NDArray[np.float64]:
    """Edge-to-edge gap divided by the reference height; inputs (…, 4) xyxy, output (…,)."""
    import numpy as np

    from visionllm_interaction.core.boxes import box_gap_px

    height = reference_height_px(subject_xyxy, object_xyxy, object_is_person=object_is_person)
    return np.asarray(box_gap_px(subject_xyxy, object_xyxy) / np.maximum(height, 1.0))
