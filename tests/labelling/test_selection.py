"""Which images are chosen: scores, distances and groups."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.labelling.selection import choose, pool_scores


def test_signs_are_joined_by_rank_and_weight() -> None:
    signs = {"uncertainty": np.array([0.0, 5.0, 1000.0]), "missed": np.array([2.0, 0.0, 0.0])}
    scores = pool_scores(signs, {"uncertainty": 1.0, "missed": 1.0})
    # Ranks 0, 1/2, 1 and 1, 1/4, 1/4: equal values share their mean rank, a large value is no larger than its rank.
    assert scores.tolist() == pytest.approx([0.5, 0.375, 0.625])
    assert pool_scores(signs, {"uncertainty": 2.0, "missed": 0.0}).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_without_diversity_the_highest_scores_are_chosen() -> None:
    scores = np.array([0.2, 0.9, 0.5, 0.7])
    chosen = choose(scores, np.eye(4), list("abcd"), count=3, diversity=0.0, max_group_share=1.0)
    assert [one.index for one in chosen] == [1, 3, 2]


def test_with_diversity_alone_the_farthest_image_comes_first() -> None:
    # Three near the annotated one, one far away, one in between: the k-center rule.
    features = np.array([[0.0], [0.1], [0.2], [10.0], [5.0]])
    chosen = choose(
        np.zeros(5), features, list("abcde"), count=2, diversity=1.0, max_group_share=1.0, annotated=np.array([[0.0]])
    )
    assert [one.index for one in chosen] == [3, 4]
    assert chosen[0].novelty == pytest.approx(1.0)
    assert chosen[1].novelty == pytest.approx(0.5)


def test_copies_are_not_chosen_twice_where_something_else_is_left() -> None:
    features = np.array([[0.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    chosen = choose(np.array([1.0, 0.99, 0.6]), features, list("abc"), count=2, diversity=0.5, max_group_share=1.0)
    assert [one.index for one in chosen] == [0, 2]


def test_no_group_gives_more_than_its_share_even_if_fewer_are_chosen() -> None:
    scores = np.linspace(1.0, 0.5, 10)
    groups = ["video a"] * 9 + ["video b"]
    chosen = choose(scores, np.arange(10.0)[:, None], groups, count=8, diversity=0.0, max_group_share=0.25)
    assert [groups[one.index] for one in chosen] == ["video a", "video a", "video b"]


def test_a_single_group_is_not_limited() -> None:
    chosen = choose(
        np.linspace(1.0, 0.0, 6), np.arange(6.0)[:, None], ["v"] * 6, count=4, diversity=0.0, max_group_share=0.25
    )
    assert len(chosen) == 4


def test_an_empty_pool_gives_nothing() -> None:
    assert choose(np.zeros(0), np.zeros((0, 3)), [], count=4, diversity=0.3, max_group_share=0.25) == []
