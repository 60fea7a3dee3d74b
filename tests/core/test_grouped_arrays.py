"""Arrays that hold many groups of rows: search in many sorted parts, against numpy's own search in each of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionllm_interaction.core.grouped_arrays import bisect, expand

SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
parts = st.lists(st.lists(st.integers(0, 9), max_size=6).map(sorted), min_size=1, max_size=40)


@given(parts=parts, data=st.data())
@pytest.mark.parametrize("side", SIDES)
def test_a_search_in_many_parts_is_a_search_in_each(
    side: Literal["left", "right"], parts: list[list[int]], data: st.DataObject
) -> None:
    """Few parts and many, neighbours about the same part and not, parts without values, and NaN, which is first."""
    ends = np.cumsum([len(part) for part in parts])
    starts = ends - [len(part) for part in parts]
    about = np.array(data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=60)), dtype=np.int64)
    number = st.integers(-1, 10).map(float) | st.sampled_from([np.nan, np.inf, -np.inf])
    wanted = np.array(data.draw(st.lists(number, min_size=len(about), max_size=len(about))), dtype=np.float64)
    values = np.array([value for part in parts for value in part], dtype=np.float64)

    found = bisect(values, starts[about], ends[about], wanted, side)

    expected = [
        starts[part] + (0 if np.isnan(value) else np.searchsorted(parts[part], value, side))
        for part, value in zip(about.tolist(), wanted.tolist(), strict=True)
    ]
    assert found.tolist() == expected


def test_an_open_end_before_its_begin_gives_the_begin() -> None:
    """Where a range is empty, even turned round, the place is its begin."""
    values = np.arange(5.0)
    assert bisect(values, np.array([3]), np.array([1]), np.array([0.0]), "left").tolist() == [3]


@given(ranges=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=12))
def test_members_of_ranges(ranges: list[tuple[int, int]]) -> None:
    """Each range gives its members in order, and which range they belong to."""
    first, counts = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    item, member = expand(first, counts)
    assert list(zip(item.tolist(), member.tolist(), strict=True)) == [
        (place, begin + step) for place, (begin, count) in enumerate(ranges) for step in range(count)
    ]
