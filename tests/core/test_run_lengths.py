"""Runs of equal values, and COCO's run lengths against the reference implementation."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from visionllm_interaction.core.run_lengths import decode_mask, encode_mask, find_runs, true_runs

quick = settings(deadline=None, max_examples=50)
masks = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@quick
@given(st.lists(st.integers(0, 3), max_size=30))
def test_runs_are_those_of_groupby(values: list[int]) -> None:
    runs = find_runs(np.array(values, dtype=np.int64))
    expected = [(value, len(list(group))) for value, group in groupby(values)]
    assert list(zip(runs.values.tolist(), runs.lengths.tolist(), strict=True)) == expected
    assert np.repeat(runs.values, runs.lengths).tolist() == values
    assert runs.starts.tolist() == np.concatenate([[0], runs.ends])[:-1].tolist()


def test_each_nan_is_a_run_and_text_has_runs_too() -> None:
    assert find_runs(np.array([np.nan, np.nan, 1.0, 1.0])).lengths.tolist() == [1, 1, 2]
    assert find_runs(np.array(["a", "a", "b"], dtype=object)).values.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="one dimension"):
        find_runs(np.zeros((2, 2)))


@quick
@given(st.lists(st.booleans(), max_size=30))
def test_runs_of_true(values: list[bool]) -> None:
    found = true_runs(np.array(values, dtype=np.bool_))
    runs = find_runs(np.array(values, dtype=np.bool_))
    expected = np.stack([runs.starts, runs.ends], axis=1)[runs.values.astype(np.bool_)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside pycocotools
@quick
@given(masks)
def test_masks_are_written_and_read_as_coco_does(mask: NDArray[np.bool_]) -> None:
    height, width = mask.shape
    counts = encode_mask(mask)
    reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco.frPyObjects({"counts": counts, "size": [height, width]}, height, width)["counts"] == reference["counts"]
    np.testing.assert_array_equal(decode_mask(counts, height=height, width=width), mask)
    np.testing.assert_array_equal(decode_mask(counts, height=height, width=width), coco.decode(reference))


@pytest.mark.parametrize("counts", [[3], [5], [-1, 5], []])
def test_run_lengths_that_do_not_fit_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        decode_mask(counts, height=2, width=2)
