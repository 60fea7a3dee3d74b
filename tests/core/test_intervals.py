"""Arithmetic of time intervals, held against sets of whole seconds and against the store's SQL."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.core.intervals import (
    Intervals,
    as_intervals,
    clip,
    complement,
    contains,
    gaps,
    intersection,
    neighbours,
    overlapping,
    total_s,
    union,
)
from visionllm_interaction.measures.sql_intervals import MERGED

quick = settings(deadline=None, max_examples=50)
seconds = st.integers(0, 30)
sets = st.lists(st.tuples(seconds, seconds).map(sorted), max_size=8).map(as_intervals)


def covered(intervals: Intervals) -> set[int]:
    """The whole seconds in which at least one interval holds."""
    return {second for begin, end in intervals.tolist() for second in range(int(begin), int(end))}


def is_disjoint(intervals: Intervals) -> bool:
    return bool((intervals[:, 0] <= intervals[:, 1]).all() and (intervals[1:, 0] > intervals[:-1, 1]).all())


@quick
@given(sets)
def test_union_covers_the_same_time_once(intervals: Intervals) -> None:
    joined = union(intervals)
    assert is_disjoint(joined) and covered(joined) == covered(intervals)
    assert total_s(intervals) == len(covered(intervals)) == total_s(joined)
    np.testing.assert_array_equal(union(joined), joined)
    np.testing.assert_array_equal(union(intervals[::-1]), joined)


@quick
@given(sets, sets)
def test_intersection_is_what_both_cover(one: Intervals, other: Intervals) -> None:
    both = intersection(union(one), union(other))
    assert is_disjoint(both) or len(both) < 2
    assert covered(both) == covered(one) & covered(other)
    np.testing.assert_array_equal(both, intersection(union(other), union(one)))


@quick
@given(sets, sets)
def test_complement_and_intersection_share_out_the_whole(one: Intervals, other: Intervals) -> None:
    within = union(other)
    outside = complement(one, within=within)
    assert covered(outside) == covered(other) - covered(one)
    assert total_s(outside) + total_s(intersection(within, union(one))) == pytest.approx(total_s(within))


@quick
@given(sets)
def test_gaps_fill_the_union_up(intervals: Intervals) -> None:
    pauses = gaps(intervals)
    assert not covered(pauses) & covered(intervals)
    if len(intervals):
        whole = union(np.concatenate([intervals, pauses]))
        np.testing.assert_array_equal(whole, [[intervals[:, 0].min(), intervals[:, 1].max()]])


@quick
@given(sets, st.integers(0, 30), st.integers(0, 30))
def test_clip_is_an_intersection_with_one_window(intervals: Intervals, one: int, other: int) -> None:
    begin, end = sorted((one, other))
    assert covered(clip(intervals, begin_s=begin, end_s=end)) == covered(intervals) & set(range(begin, end))


@quick
@given(sets, sets)
def test_overlapping_pairs_are_all_there_are(one: Intervals, other: Intervals) -> None:
    disjoint = union(other)
    i, j = overlapping(one, disjoint)
    pairs = list(zip(i.tolist(), j.tolist(), strict=True))
    assert pairs == sorted(pairs)
    sharing = {
        (a, b) for a in range(len(one)) for b in range(len(disjoint)) if covered(one[[a]]) & covered(disjoint[[b]])
    }
    assert sharing <= set(pairs)
    for a, b in set(pairs) - sharing:  # only intervals without length, which lie inside
        assert one[a, 0] == one[a, 1] or disjoint[b, 0] == disjoint[b, 1]


@quick
@given(sets)
def test_times_are_in_half_open_intervals(intervals: Intervals) -> None:
    times = np.arange(31, dtype=np.float64)
    assert set(times[contains(union(intervals), times)].astype(int).tolist()) == covered(intervals)


@settings(deadline=None, max_examples=8)
@given(sets, st.integers(0, 6))
def test_the_store_joins_bouts_by_the_same_rule(intervals: Intervals, gap: int) -> None:
    rows = [("v", begin, end, [n]) for n, (begin, end) in enumerate(intervals.tolist())]
    with duckdb.connect() as base:
        base.execute("CREATE TABLE given_rows (video_id TEXT, b DOUBLE, e DOUBLE, ids BIGINT[])")
        if rows:
            base.executemany("INSERT INTO given_rows VALUES (?, ?, ?, ?)", rows)
        sql = f"WITH intervals AS (SELECT * FROM given_rows){MERGED} SELECT b, e, len(ids) FROM bouts ORDER BY b"
        found = base.execute(sql, {"gap_s": gap}).fetchall()
    joined = union(intervals, max_gap_s=gap)
    assert [row[:2] for row in found] == [tuple(pair) for pair in joined.tolist()]
    order, starts = neighbours(intervals, max_gap_s=gap)
    assert [row[2] for row in found] == np.diff(np.append(starts, len(order))).tolist()


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.0, [[0, 1], [1.5, 2], [2.6, 3]]), (0.5, [[0, 2], [2.6, 3]]), (0.6, [[0, 3]])],
)
def test_pauses_up_to_the_gap_are_bridged(gap: float, expected: list[list[float]]) -> None:
    given_ = as_intervals([(2.6, 3), (0, 1), (1.5, 2)])
    np.testing.assert_array_equal(union(given_, max_gap_s=gap), expected)


def test_rounding_errors_part_nothing_and_are_no_time() -> None:
    meeting = as_intervals([(0, 0.1 + 0.2), (0.3, 1)])
    np.testing.assert_array_equal(union(meeting), [[0, 1]])
    nearly = as_intervals([(0, 1), (1 + 5e-7, 2)])
    assert len(union(nearly)) == 1 and len(union(nearly, tolerance_s=0.0)) == 2
    assert len(complement(nearly, within=as_intervals([(0, 2)]))) == 0
    assert len(complement(nearly, within=as_intervals([(0, 2)]), tolerance_s=0.0)) == 1
    assert len(intersection(as_intervals([(0, 1 + 5e-7)]), as_intervals([(1, 2)]))) == 0


def test_a_long_interval_keeps_later_ones_inside_it() -> None:
    np.testing.assert_array_equal(union(as_intervals([(0, 10), (1, 2), (9, 11), (20, 21)])), [[0, 11], [20, 21]])


def test_nothing_stays_nothing() -> None:
    empty = as_intervals([])
    assert empty.shape == (0, 2)
    for result in (
        union(empty),
        gaps(empty),
        clip(empty, begin_s=0, end_s=1),
        intersection(empty, empty),
        intersection(as_intervals([(0, 1)]), empty),
        complement(empty, within=empty),
    ):
        assert result.shape == (0, 2)
    np.testing.assert_array_equal(complement(empty, within=as_intervals([(1, 2)])), [[1, 2]])
    assert total_s(empty) == 0.0 and not contains(empty, np.array([1.0])).any()


@pytest.mark.parametrize("wrong", [[(2, 1)], [(0, float("nan"))], [(1, 2, 3)], [1.0, 2.0]])
def test_what_is_no_interval_is_refused(wrong: list[tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="interval"):
        as_intervals(wrong)
