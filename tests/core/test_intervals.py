"""Arithmetic of time intervals, held against sets of whole seconds; of many groups against each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.core.grouped_intervals import IntervalIndex, bout_starts, covered_s, row_order
from visionllm_interaction.core.intervals import (
    Intervals,
    as_intervals,
    clip,
    complement,
    contains,
    gaps,
    intersection,
    overlapping,
    total_s,
    union,
)

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


@quick
@given(st.lists(sets, max_size=4), st.integers(0, 6))
def test_many_groups_are_joined_as_each_by_itself(groups: list[Intervals], gap: int) -> None:
    group = np.repeat(np.arange(len(groups)), [len(one) for one in groups])
    times = np.concatenate([np.zeros((0, 2)), *groups])
    order = row_order(group, times[:, 0], times[:, 1])
    group, begin_s, end_s = group[order], times[order, 0], times[order, 1]
    starts = bout_starts(group, begin_s, end_s, max_gap_s=gap)
    for number, one in enumerate(groups):
        joined = union(one, max_gap_s=gap)
        assert begin_s[starts[group[starts] == number]].tolist() == joined[:, 0].tolist()
    np.testing.assert_allclose(covered_s(group, begin_s, end_s, groups=len(groups)), [total_s(one) for one in groups])


@quick
@given(st.lists(sets, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 3), seconds, seconds), max_size=6))
def test_windows_find_the_rows_that_they_overlap(groups: list[Intervals], wanted: list[tuple[int, int, int]]) -> None:
    group = np.repeat(np.arange(len(groups)), [len(one) for one in groups])
    times = np.concatenate(groups)
    order = row_order(group, times[:, 0], times[:, 1])
    index = IntervalIndex(group[order], times[order, 0], times[order, 1])
    about = np.array([one for one, _, _ in wanted], np.int64)
    begins = np.array([min(a, b) for _, a, b in wanted], np.float64)
    ends = np.array([max(a, b) for _, a, b in wanted], np.float64)
    pairs = np.stack(index.overlapping(about, begins, ends), axis=1).tolist()
    expected = [
        [query, row]
        for query in range(len(wanted))
        for row in range(len(group))
        if index.group[row] == about[query] and index.begin_s[row] < ends[query] and index.end_s[row] > begins[query]
    ]
    assert pairs == expected


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
