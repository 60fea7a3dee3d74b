"""Turns between two speakers: which utterance answers which, by the limits of the field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from scenes_builders import detection_table, frame_table, record

from visionllm_interaction.core.tracks_relations_events import Code, Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.api import MEASURES, Query, measures_table, run_query
from visionllm_interaction.measures.config import MeasuresConfig, TurnsConfig
from visionllm_interaction.measures.turn_limits import LENA, STANDARD, TurnLimits
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.writer import publish_video, write_codes

Utterance = tuple[str, float, float]


def store_of(path: Path, said: Sequence[Utterance]) -> Path:
    publish_video(
        path,
        record("v"),
        frames=frame_table(),
        detections=detection_table([(1, "child", 0, 100), (2, "caregiver", 0, 100)]),
        tracks=[Track(1, "child", "child", 0, 10, 100, 0.9), Track(2, "caregiver", "caregiver", 0, 10, 100, 0.9)],
        relations=[],
        events=[],
    )
    write_codes(
        path, "v", [Code(f"c{n}", "talk", "speech", who, "", b, e, "talk.eaf") for n, (who, b, e) in enumerate(said)]
    )
    return path


CASES: dict[str, tuple[list[Utterance], TurnLimits | None, int, float | None]] = {
    # what is said, limits, answers of the caregiver to the child, their median lag
    "an answer after half a second": ([("child", 1, 2), ("caregiver", 2.5, 3)], None, 1, 0.5),
    "at the limit of the gap": ([("child", 1, 2), ("caregiver", 4, 5)], None, 1, 2.0),
    "beyond the limit of the gap": ([("child", 1, 2), ("caregiver", 4.1, 5)], None, 0, None),
    "an answer in overlap": ([("child", 1, 3), ("caregiver", 2.5, 4)], None, 1, -0.5),
    "at the limit of the overlap": ([("child", 1, 3), ("caregiver", 2, 4)], None, 1, -1.0),
    "beyond the limit of the overlap": ([("child", 1, 3), ("caregiver", 1.9, 4)], None, 0, None),
    "wholly inside the other's": ([("child", 1, 5), ("caregiver", 4.2, 4.8)], None, 0, None),
    "inside, with one end in common": ([("child", 1, 5), ("caregiver", 4.5, 5)], None, 0, None),
    "the asker's lies inside the answerer's": (
        [("child", 2, 2.4), ("caregiver", 1, 3), ("caregiver", 4, 5)],
        None,
        0,
        None,
    ),
    "both at once": ([("child", 1, 2), ("caregiver", 1, 2)], None, 0, None),
    "a word inside does not hide the answer": (
        [("child", 1, 5), ("caregiver", 4.2, 4.5), ("caregiver", 5.5, 6)],
        None,
        1,
        0.5,
    ),
    "the child goes on before the answer": ([("child", 1, 2), ("child", 2.5, 3), ("caregiver", 3.5, 4)], None, 1, 0.5),
    "one answer is the answer to one utterance": (
        [("child", 1, 2), ("caregiver", 2.2, 2.4), ("caregiver", 2.8, 3)],
        None,
        1,
        0.2,
    ),
    "somebody else's word changes nothing": (
        [("child", 1, 2), ("sibling", 2.1, 2.2), ("caregiver", 2.5, 3)],
        None,
        1,
        0.5,
    ),
    "LENA waits longer": ([("child", 1, 2), ("caregiver", 6.9, 8)], LENA, 1, 4.9),
    "LENA knows no overlap": ([("child", 1, 3), ("caregiver", 2.9, 4)], LENA, 0, None),
    "limits of one's own": ([("child", 1, 2), ("caregiver", 2.5, 3)], TurnLimits(0.4, 0.0), 0, None),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_and_their_lag(tmp_path: Path, name: str) -> None:
    said, limits, count, lag = CASES[name]
    # The child speaks once more, alone and late, so that its speech is there in every case.
    with open_store(store_of(tmp_path / "s", [*said, ("child", 9.5, 9.9)])) as store:
        found = [
            run_query(store, Query(measure, "child", "caregiver", turns=limits))[0]
            for measure in ("turn_count", "turn_lag")
        ]
    assert found[0].value == count and found[0].missing is None
    assert found[1].value == (None if lag is None else pytest.approx(lag, abs=1e-9))
    assert {e.settings for e in found} == {str(limits or STANDARD)} and {e.definition_version for e in found} == {2}


def test_a_turn_over_the_border_of_two_bins_is_counted_once(tmp_path: Path) -> None:
    said = [("child", 1.0, 2.8), ("caregiver", 3.1, 4.0), ("child", 4.5, 5.0), ("caregiver", 6.2, 7.0)]
    with open_store(store_of(tmp_path / "s", said)) as store:
        whole = run_query(store, Query("turn_count", "child", "caregiver"))[0].value
        parts = [
            run_query(store, Query("turn_count", "child", "caregiver", begin_s=b, end_s=b + 3.0))[0].value
            for b in (0.0, 3.0, 6.0)
        ]
    assert (whole, parts) == (2, [1, 1, 0])


def test_presets_and_own_limits_of_the_settings() -> None:
    assert TurnsConfig().limits == STANDARD == TurnLimits(2.0, 1.0)
    assert TurnsConfig(preset="lena").limits == LENA == TurnLimits(5.0, 0.0)
    assert TurnsConfig(preset="lena", max_gap_s=3.0).limits == TurnLimits(3.0, 0.0)
    assert TurnsConfig(max_overlap_s=0.0).limits == TurnLimits(2.0, 0.0)


def test_the_table_says_by_which_definition_and_limits(tmp_path: Path) -> None:
    path = store_of(tmp_path / "s", [("child", 1, 2), ("caregiver", 6, 7)])
    for preset, count in (("standard", 0.0), ("lena", 1.0)):
        with open_store(path) as store:
            rows = measures_table(store, config=MeasuresConfig(turns=TurnsConfig(preset=preset))).to_pylist()
        [row] = [r for r in rows if (r["measure"], r["subject"]) == ("turn_count", "child")]
        assert row["value"] == count and row["definition_version"] == MEASURES["turn_count"].version == 2
        assert row["settings"] == str(TurnsConfig(preset=preset).limits)
        assert {r["settings"] for r in rows if not r["measure"].startswith("turn_")} == {None}


def test_limits_of_turns_belong_to_turns(tmp_path: Path) -> None:
    with open_store(store_of(tmp_path / "s", [])) as store, pytest.raises(UsageError, match="turns"):
        run_query(store, Query("visible_duration", "child", turns=LENA))
