"""hand_on, and what holding rests on."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.core.bodies import HandRow
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.interactions.hand_contact import find_hand_contacts, holding_evidence

N, STEP_S = 20, 0.2


def _video() -> tuple[DetectionTable, FrameTable, list[Track]]:
    """A person at the left, a ball at the right of the person's box, over 4 s."""
    times = np.arange(N) * STEP_S
    frames = FrameTable.from_times(np.arange(N), times, processed=np.ones(N, np.bool_))
    rows = np.repeat(np.arange(N), 2)
    boxes = np.tile(np.array([[0, 0, 100, 200], [95, 80, 125, 110]], np.float32), (N, 1))
    category = np.array(["person", "sports ball"] * N, dtype=object)
    table = DetectionTable(rows, times[rows], category, np.full(2 * N, 0.9), boxes, np.array([1, 2] * N))
    tracks = [
        Track(number, name, None, 0.0, N * STEP_S, N, 0.9) for number, name in ((1, "person"), (2, "sports ball"))
    ]
    return table, frames, tracks


def _hand(frame: int, x: float, *, track: int = 1) -> HandRow:
    box = np.array([x, 90, x + 20, 110], np.float32)
    return HandRow(frame, frame * STEP_S, track, "right", 0.9, box, np.zeros((21, 2), np.float32))


def test_a_hand_is_on_an_object_while_their_boxes_meet() -> None:
    hands = [_hand(n, 80 if 5 <= n < 15 else 20) for n in range(N)]
    found = find_hand_contacts(hands, *_video())
    assert [(r.subject_track_id, r.predicate, r.object_track_id) for r in found] == [(1, "hand_on", 2)]
    assert (found[0].begin_s, found[0].end_s) == pytest.approx((1.0, 3.0), abs=1e-6)


def test_one_of_two_hands_is_enough_and_the_hands_of_others_do_not_count() -> None:
    both = [hand for n in range(N) for hand in (_hand(n, 20), _hand(n, 80))]
    assert len(find_hand_contacts(both, *_video())) == 1
    others = [hand for n in range(N) for hand in (_hand(n, 20), _hand(n, 80, track=-1))]
    assert find_hand_contacts(others, *_video()) == []


def test_without_a_hand_the_relation_is_not_known() -> None:
    assert find_hand_contacts([], *_video()) == []


@pytest.mark.parametrize(
    ("hands", "evidence", "frames", "touching"),
    [
        ([_hand(n, 80) for n in range(N)], "hands", 10, 10),
        ([_hand(n, 20) for n in range(N)], "unsure", 10, 0),
        ([], "boxes", 0, 0),
        ([_hand(7, 80)], "boxes", 1, 1),
    ],
)
def test_holding_rests_on_hands_or_on_boxes_alone(
    hands: list[HandRow], evidence: str, frames: int, touching: int
) -> None:
    held = Relation(1, "holding", 2, 1.0, 3.0, 0.9)
    near = Relation(1, "near", 2, 0.0, 4.0, 0.9)
    (found,) = holding_evidence([near, held], hands, *_video())
    assert (found.evidence, found.frames, found.touching) == (evidence, frames, touching)
    assert (found.begin_s, found.end_s) == (1.0, 3.0)
