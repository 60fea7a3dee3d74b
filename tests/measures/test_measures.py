"""Measures against values worked out by hand from the spans in ``scenes_builders``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.api import MEASURES, Query, run_query, write_measures
from visionllm_interaction.store.reader import open_store

CASES = [
    # 3.0 s less 0.2 s not looked at, 1.7 s, 1.0 s
    (Query("visible_duration", "child"), 5.5, (1.0, 8.0), (10, 79), (1,)),
    (Query("visible_duration", "child", begin_s=1.05, end_s=2.0), 0.95, (1.05, 2.0), (10, 19), (1,)),
    # the caregiver is there all the time: a union, not a sum over people; 0.2 s not looked at
    (Query("visible_duration", "person"), 9.8, (0.0, 10.0), (0, 99), (1, 2)),
    # two cups for 1 s; three for only 0.2 s
    (Query("instance_count", "cup"), 2, (4.0, 4.8), (40, 47), (3, 4)),
    (Query("instance_count", "person"), 2, (1.0, 8.0), (10, 79), (1, 2)),
    (Query("instance_count", "car"), 0, (0.0, 10.0), (0, 99), ()),
    (Query("first_seen", "child"), 1.0, (1.0, 1.1), (10, 10), (1,)),
    (Query("first_seen", "child", begin_s=6.0), 7.0, (7.0, 7.1), (70, 70), (1,)),
    (Query("last_seen", "child"), 7.9, (7.9, 8.0), (79, 79), (1,)),
    (Query("first_seen", "car"), None, (0.0, 10.0), (0, 99), ()),
    # 2.0-3.0, 3.2-4.0, 4.3-5.0 with the first cup, to 6.0 with the second
    (Query("co_presence_duration", "child", "cup"), 3.5, (2.0, 6.0), (20, 59), (1, 3, 4, 5)),
    (Query("co_presence_duration", "cup", "cup"), 1.0, (4.0, 5.0), (40, 49), (3, 4, 5)),
    (Query("near_duration", "child", "cup"), 3.0, (2.0, 5.0), (20, 49), (1, 3, 4)),
    (Query("near_duration", "cup", "child"), 3.0, (2.0, 5.0), (20, 49), (1, 3, 4)),
    (Query("near_duration", "child", "person", begin_s=2.0), 1.0, (2.0, 3.0), (20, 29), (1, 2)),
    (Query("contact_duration", "child", "cup"), 0.5, (2.5, 3.0), (25, 29), (1, 3)),
    (Query("contact_duration", "child", "caregiver"), 0.0, (0.0, 10.0), (0, 99), ()),
    # 0.3 s, 0.4 s and 0.4 s: pauses are not held
    (Query("holding_duration", "child", "cup"), 1.1, (2.5, 4.9), (25, 48), (1, 3, 4)),
    (Query("holding_duration", "child", "cup", begin_s=2.6, end_s=3.2), 0.3, (2.6, 3.2), (26, 29), (1, 3)),
    (Query("holding_duration", "caregiver", "cup"), 0.0, (0.0, 10.0), (0, 99), ()),
    (Query("bout_count", "child"), 2, (1.0, 8.0), (10, 79), (1,)),
    (Query("bout_count", "child", "cup", "holding"), 2, (2.5, 4.9), (25, 48), (1, 3, 4)),
    (Query("bout_count", "child", predicate="near"), 1, (1.5, 5.0), (15, 49), (1, 2, 3, 4)),
    (Query("bout_count", "child", "caregiver", "visible"), 2, (1.0, 8.0), (10, 79), (1, 2)),
    (Query("longest_bout", "child"), 5.0, (1.0, 6.0), (10, 59), (1,)),
    (Query("longest_bout", "child", "cup", "holding"), 1.0, (2.5, 3.5), (25, 34), (1, 3)),
    (Query("longest_bout", "child", "caregiver", "in_contact"), 0.0, (0.0, 10.0), (0, 99), ()),
]


@pytest.mark.parametrize(("query", "value", "span", "frames", "tracks"), CASES, ids=lambda v: getattr(v, "measure", ""))
def test_value_span_frames_and_tracks(
    store_path: Path,
    query: Query,
    value: float | None,
    span: tuple[float, float],
    frames: tuple[int, int],
    tracks: tuple[int, ...],
) -> None:
    with open_store(store_path) as store:
        evidence = {e.video_id: e for e in run_query(store, query)}
    found = evidence["a"]
    assert found.value == (None if value is None else pytest.approx(value, abs=1e-9))
    assert (found.begin_s, found.end_s) == pytest.approx(span, abs=1e-9)
    assert (found.frames, found.track_ids) == (frames, tracks)
    assert found.unit == MEASURES[query.measure].unit and found.kind == "computed"


def test_one_evidence_per_video_or_only_the_one_asked_for(store_path: Path) -> None:
    with open_store(store_path) as store:
        everywhere = run_query(store, Query("visible_duration", "car"))
        there = run_query(store, Query("visible_duration", "car", video_id="b"))
        again = run_query(store, Query("visible_duration", "car", video_id="b"))
    assert [(e.video_id, e.value) for e in everywhere] == [("a", 0.0), ("b", pytest.approx(0.5))]
    assert [e.video_id for e in there] == ["b"] and there == again
    assert there[0].to_dict()["frames"] == [5, 9]


def test_counts_are_whole_numbers(store_path: Path) -> None:
    with open_store(store_path) as store:
        values = [run_query(store, Query(m, "cup"))[0].value for m in ("instance_count", "bout_count")]
    assert [type(v) for v in values] == [int, int]


def test_a_window_without_frames_gives_nothing_and_no_span(store_path: Path) -> None:
    with open_store(store_path) as store:
        [a, _] = run_query(store, Query("visible_duration", "child", begin_s=100.0))
    nothing = Evidence("visible_duration:a", "visible_duration", None, "s", "a", (), None, None, None)
    assert a == replace(nothing, missing="no frame was processed")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query("visible_time", "child"), "visible_duration"),  # near-miss measure
        (Query("visible_duration", "chlid"), "'child'"),  # near-miss name
        (Query("visible_duration", "x' OR 1=1 --"), "not known"),  # never reaches SQL
        (Query("visible_duration", "child", "cup"), "one thing"),
        (Query("near_duration", "child"), "two things"),
        (Query("near_duration", "child", "cup", "near"), "no predicate"),
        (Query("bout_count", "child", "cup", "eats"), "'eats'"),  # type: ignore[arg-type]
        (Query("visible_duration", "child", video_id="../a"), "not known"),
        (Query("visible_duration", "child", begin_s=2.0, end_s=2.0), "ends after"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_nearest_names(store_path: Path, query: Query, words: str) -> None:
    with open_store(store_path) as store, pytest.raises(UsageError) as caught:
        run_query(store, query)
    assert words in str(caught.value)


def test_tidy_table_has_a_row_per_video_subject_object_and_measure(store_path: Path, tmp_path: Path) -> None:
    csv, parquet = tmp_path / "m.csv", tmp_path / "m.parquet"
    result = write_measures(store_path, csv)
    write_measures(store_path, parquet)
    rows = pq.read_table(parquet).to_pylist()
    assert result.rows == len(rows) == pa_csv.read_csv(csv).num_rows
    keys = [(r["video_id"], r["subject"], r["object"], r["measure"], r["predicate"]) for r in rows]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys, key=lambda key: tuple(part or "" for part in key))
    by_key = dict(zip(keys, rows, strict=True))
    held = by_key["a", "child", "cup", "bout_count", "holding"]
    assert (held["value"], held["unit"]) == (2.0, "count")
    assert held["processed_s"] == pytest.approx(9.8)
    assert by_key["b", "child", "cup", "near_duration", None]["value"] == 0.0
    assert write_measures(store_path).rows == len(rows)


def test_tidy_table_of_an_unknown_format_is_refused(store_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_measures(store_path, tmp_path / "m.xlsx")
