"""Tests and models that keep time and child together."""

from __future__ import annotations

import builtins
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.validity.design.mixed_models import fit_model, video_values
from visionllm_interaction.validity.design.multiplicity import adjust
from visionllm_interaction.validity.design.permutation import flip_children, permute_children, shift_in_time
from visionllm_interaction.validity.design.power import StudyPlan, simulate_power


def test_children_are_permuted_exactly() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.8, 0.9, 1.0, 1.1])
    second = np.arange(8) >= 4
    found = permute_children(values, second)
    everything = [abs(values[list(c)].mean() - np.delete(values, c).mean()) for c in combinations(range(8), 4)]
    assert found.exact
    assert found.p == pytest.approx(np.mean(np.array(everything) >= found.statistic - 1e-9))
    assert found.p == pytest.approx(2 / 70)


def test_signs_of_children_are_flipped_exactly() -> None:
    assert flip_children([1, 2, 3, 4, 5, 6]).p == pytest.approx(2 / 64)
    assert flip_children([1, 2, 3, 4, 5, 6], alternative="greater").p == pytest.approx(1 / 64)
    assert flip_children(np.tile([1.0, -1.0], 20)).p > 0.9


@pytest.mark.parametrize(("values", "second"), [([1, 2, 3, 4], [0, 0, 1, 1]), ([1, 2], [0, 0])])
def test_too_few_children_for_a_test_are_refused(values: list[float], second: list[int]) -> None:
    with pytest.raises(InputDataError, match="never give p below") as caught:
        permute_children(values, [bool(s) for s in second])
    assert caught.value.fix
    with pytest.raises(InputDataError, match="never give p below"):
        flip_children(values)


def _bouts(rng: np.random.Generator, steps: int = 400) -> np.ndarray:
    series, on = np.zeros(0, np.bool_), False
    while len(series) < steps:
        series = np.append(series, np.full(rng.geometric(1 / 25), on))
        on = not on
    return series[:steps]


def test_shifts_keep_bouts_where_shuffled_frames_do_not() -> None:
    rng = np.random.default_rng(0)
    shifted = shuffled = 0
    for n in range(120):
        a, b = [_bouts(rng) for _ in range(4)], [_bouts(rng) for _ in range(4)]
        shifted += shift_in_time(a, b, permutations=199, seed=n).p <= 0.05
        together = np.concatenate(a), np.concatenate(b)
        shuffled += (
            stats.fisher_exact(
                [[int(((together[0] == i) & (together[1] == j)).sum()) for j in (0, 1)] for i in (0, 1)]
            )[1]
            <= 0.05
        )
    assert shifted <= 14
    assert shuffled > 60


def test_shifts_find_what_goes_together() -> None:
    rng = np.random.default_rng(1)
    a = [_bouts(rng) for _ in range(4)]
    b = [np.roll(series, 3) for series in a]
    assert shift_in_time(a, b, alternative="greater").p < 0.01
    with pytest.raises(UsageError, match="differ"):
        shift_in_time(a, b[:2])
    with pytest.raises(InputDataError, match="too short"):
        shift_in_time([np.ones(5, np.bool_)], [np.ones(5, np.bool_)])


@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("fdr", "fdr_bh")])
def test_adjusted_p_values_are_those_of_statsmodels(method: str, theirs: str) -> None:
    from statsmodels.stats.multitest import multipletests

    p = [0.01, 0.04, 0.03, 0.005, 0.6, 0.04]
    assert adjust(p, method=method) == pytest.approx(multipletests(p, method=theirs)[1])  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        adjust([1.2])


@pytest.mark.parametrize("kind", ["gee", "mixed"])
def test_models_use_children_not_videos(kind: str) -> None:
    rng = np.random.default_rng(2)
    child = np.repeat([f"c{n}" for n in range(10)], 4)
    age = np.tile([8.0, 12.0, 16.0, 20.0], 10)
    values = 0.2 + 0.01 * age + np.repeat(rng.normal(0, 0.1, 10), 4) + rng.normal(0, 0.02, 40)
    found = fit_model(values, {"age": age}, child, kind=kind)  # type: ignore[arg-type]
    constant, slope = found.coefficients
    assert (constant.name, slope.name) == ("constant", "age")
    assert slope.low < 0.01 < slope.high
    assert slope.df == 9
    assert slope.p < 0.01


def test_few_children_and_confounded_covariates_have_no_model() -> None:
    with pytest.raises(InputDataError, match="too few children"):
        fit_model([1, 2, 3, 4], {"age": [1, 2, 3, 4]}, ["a", "b", "c", "d"])
    with pytest.raises(InputDataError, match="combination"):
        fit_model(range(6), {"age": [1.0] * 6}, list("abcdef"))


def test_a_missing_statsmodels_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: object, **more: object) -> object:
        if name.startswith("statsmodels"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match="not installed") as caught:
        fit_model(np.arange(6.0), {"age": np.arange(6.0)}, list("abcdef"))
    assert "[validity]" in (caught.value.fix or "")


def test_corrected_values_of_videos_feed_a_model() -> None:
    from validity_studies import random_study

    units, _ = random_study(np.random.default_rng(3), children=3)
    found = video_values(units, units.child)
    assert set(found) == {"c00", "c01", "c02"}
    with pytest.raises(InputDataError, match="no audited units"):
        video_values(units, np.where(units.audited, "seen", "unseen"))


def test_power_grows_with_the_difference_and_the_children() -> None:
    small = simulate_power(StudyPlan(5, (0.3, 0.35), 0.1, 120, 20), studies=15)
    large = simulate_power(StudyPlan(12, (0.3, 0.6), 0.1, 120, 20), studies=15)
    assert small.power < 0.5 < large.power
    assert large.mean_half_width < small.mean_half_width
    with pytest.raises(UsageError, match="too few children"):
        simulate_power(StudyPlan(4, (0.3, 0.5), 0.1))
    with pytest.raises(UsageError, match="cannot vary"):
        simulate_power(StudyPlan(5, (0.05, 0.5), 0.4), studies=1)
