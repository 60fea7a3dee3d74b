"""Estimates: closed forms, coverage in small, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from validity_studies import random_study

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.validity.estimation.audited_units import Units, check_probability_sample, simple_units
from visionllm_interaction.validity.estimation.confidence_intervals import jackknife_interval
from visionllm_interaction.validity.estimation.prediction_powered import fit_linear
from visionllm_interaction.validity.estimation.rogan_gladen import constant_rates
from visionllm_interaction.validity.estimation.side_by_side import Estimate, compare


def _covers(estimate: Estimate, truth: float) -> bool:
    assert estimate.interval.low is not None
    assert estimate.interval.high is not None
    return estimate.interval.low <= truth <= estimate.interval.high


def _mean_design(units: Units) -> np.ndarray:
    return np.ones((len(units), 1))


def test_the_audit_alone_is_the_stratified_mean() -> None:
    human = [1, 0, np.nan, np.nan, 1, 1, np.nan, np.nan, np.nan, np.nan]
    units = simple_units(["c"] * 10, [0] * 10, human, stratum=["a"] * 4 + ["b"] * 6)
    found = fit_linear(units, _mean_design(units), powered=False)
    assert found.value[0] == pytest.approx(0.4 * 0.5 + 0.6 * 1.0, abs=1e-12)


def test_the_simple_random_sample_has_the_textbook_error() -> None:
    rng = np.random.default_rng(0)
    human = np.full(200, np.nan)
    human[:40] = rng.random(40) < 0.4
    units = simple_units(["c"] * 200, np.zeros(200), human)
    found = fit_linear(units, _mean_design(units), powered=False)
    expected = np.sqrt(np.var(human[:40], ddof=1) / 40 * (1 - 40 / 200))
    assert found.se[0] == pytest.approx(expected, rel=1e-9)


def test_correction_is_post_stratification_when_no_label_is_a_class() -> None:
    # yes: 2 of 3 true; no: 1 of 4 true; no label: 1 of 1 true. Shares of the classes: 0.3, 0.5, 0.2.
    predicted = np.array([1] * 30 + [0] * 50 + [np.nan] * 20)
    human = np.full(100, np.nan)
    human[[0, 1, 2]] = [1, 1, 0]
    human[[30, 31, 32, 33]] = [1, 0, 0, 0]
    human[[80]] = 1
    units = simple_units(["c"] * 100, predicted, human)
    tuned = fit_linear(units, _mean_design(units))
    full = 0.3 * 2 / 3 + 0.5 / 4 + 0.2
    alone = 4 / 8
    # Power tuning lies between the audit alone and full post-stratification.
    assert min(alone, full) - 1e-9 <= tuned.value[0] <= max(alone, full) + 1e-9


def test_what_has_no_label_is_not_left_out() -> None:
    rng = np.random.default_rng(1)
    units, truth = random_study(rng, children=3, frames=2000, labels=300, missing=(0.5, 0.1))
    found = compare(units)[0]
    labelled = ~np.isnan(units.predicted)
    dropped = float(np.mean(units.predicted[labelled]))
    assert _covers(found.corrected, truth)
    assert abs((found.corrected.value or 0) - truth) < abs(dropped - truth)


def test_a_perfect_detector_leaves_exact_limits_of_unseen_errors() -> None:
    truth = np.tile([1.0, 0.0], 200)
    human = np.full(400, np.nan)
    human[:60] = truth[:60]
    found = compare(simple_units(["c"] * 400, truth, human))[0].corrected
    assert found.value == pytest.approx(0.5)
    assert found.interval.high == pytest.approx(0.5 + 1 - 0.05 ** (1 / 60))


@pytest.mark.parametrize("phi", [0.3, 0.6, 0.9])
def test_the_width_is_that_of_the_regression_estimator(phi: float) -> None:
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(30):
        truth = (rng.random(3000) < 0.4).astype(float)
        seen = np.where(rng.random(3000) < (1 - phi) / 2, 1 - truth, truth)
        human = np.full(3000, np.nan)
        human[:300] = truth[:300]
        units = simple_units(["c"] * 3000, seen, human)
        limit = np.sqrt(1 - np.corrcoef(truth, seen)[0, 1] ** 2)
        both = (fit_linear(units, _mean_design(units), powered=p).se[0] for p in (True, False))
        ratios.append(next(both) / next(both) / limit)
    assert np.mean(ratios) < 1.05


def test_a_useless_detector_does_no_harm() -> None:
    rng = np.random.default_rng(4)
    units, _ = random_study(rng, children=1, frames=3000, labels=400, sensitivity=0.5, false_alarms=0.5)
    tuned, alone = (fit_linear(units, _mean_design(units), powered=p).se[0] for p in (True, False))
    assert tuned <= alone * 1.01


def test_a_slope_is_corrected_where_errors_change_with_age() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(60):
        age = rng.uniform(6, 24, 3000)
        truth = rng.random(3000) < 0.3 + 0.005 * (age - 15)
        seen = rng.random(3000) < np.where(truth, 0.9 - 0.03 * (age - 6), 0.1)
        human = np.full(3000, np.nan)
        human[:300] = truth[:300]
        units = simple_units(["c"] * 3000, seen, human, covariates={"age": age})
        [found] = compare(units, by="age")
        hits += _covers(found.corrected, float(np.polyfit(age, truth, 1)[0]))
        assert found.naive.value is not None
        assert found.naive.value < 0
    assert hits >= 52


def test_children_in_general_are_covered_and_the_naive_number_is_not() -> None:
    rng, corrected, naive = np.random.default_rng(6), 0, 0
    for _ in range(60):
        units, _ = random_study(rng, children=8, shares=rng.beta(1.5, 6, 8), false_alarms=0.35)
        found = compare(units, target="children")[0]
        corrected += _covers(found.corrected, 0.2)
        naive += _covers(found.naive, 0.2)
    assert corrected >= 52
    assert naive < 30


def test_group_differences_use_children_as_units() -> None:
    rng = np.random.default_rng(7)
    shares = np.concatenate([rng.normal(0.2, 0.03, 6), rng.normal(0.5, 0.03, 6)])

    def group(child: np.ndarray) -> dict[str, np.ndarray]:
        return {"group": np.where(child < 6, "young", "older")}

    units, _ = random_study(rng, children=12, shares=shares, covariates=group)
    older, young, difference = compare(units, by="group", target="children")
    assert (older.name, young.name, difference.name) == ("group=older", "group=young", "group: young − older")
    assert difference.corrected.excludes_zero
    assert difference.corrected.interval.df is not None
    assert difference.corrected.interval.df < 12


def test_ages_within_children_are_paired() -> None:
    rng = np.random.default_rng(8)
    first, second = random_study(rng, children=6)[0], random_study(rng, children=6)[0]
    both = [
        np.concatenate([a, b])
        for a, b in ((first.child, second.child), (first.predicted, second.predicted), (first.human, second.human))
    ]
    visit = np.repeat(["a", "b"], len(first))
    units = simple_units(*both, covariates={"visit": visit}, stratum=np.char.add(both[0], visit))
    difference = compare(units, by="visit", target="children")[-1].corrected.interval
    assert difference.df == 5


def test_a_slope_over_children_has_their_degrees_of_freedom() -> None:
    rng = np.random.default_rng(9)
    units, _ = random_study(rng, children=10, covariates=lambda child: {"age": child.astype(float)})
    found = compare(units, by="age", target="children")[0].corrected
    assert found.interval.df == 8


def test_weights_undo_unequal_chances() -> None:
    rng, hits = np.random.default_rng(10), 0
    for _ in range(60):
        truth = (rng.random(2000) < 0.3).astype(float)
        seen = np.where(rng.random(2000) < 0.25, 1 - truth, truth)
        stratum = np.where(seen > 0, "yes", "no")
        human = np.full(2000, np.nan)
        for name, size in (("yes", 150), ("no", 50)):
            chosen = rng.choice(np.flatnonzero(stratum == name), size, replace=False)
            human[chosen] = truth[chosen]
        hits += _covers(compare(simple_units(["c"] * 2000, seen, human, stratum=stratum))[0].corrected, truth.mean())
    assert hits >= 52


def test_a_group_within_strata_is_no_runaway() -> None:
    """Strata explain the detector nearly completely: its weight must stay between none and full."""
    rng = np.random.default_rng(11)
    truth = (rng.random(1200) < 0.5).astype(float)
    seen = np.where(rng.random(1200) < 0.1, 1 - truth, truth)
    group = np.where(np.arange(1200) % 3 == 0, "a", "b")
    stratum = np.char.add(np.where(np.arange(1200) < 600, "c1", "c2"), np.where(seen > 0, " yes", " no"))
    human = np.where(rng.random(1200) < 0.12, truth, np.nan)
    units = simple_units(
        np.where(np.arange(1200) < 600, "c1", "c2"), seen, human, stratum=stratum, covariates={"group": group}
    )
    for found in compare(units, by="group")[:2]:
        assert found.corrected.value is not None
        assert 0.3 < found.corrected.value < 0.7


def test_four_children_give_no_interval_for_children_in_general_and_say_why() -> None:
    units, _ = random_study(np.random.default_rng(12), children=4)
    found = compare(units, target="children")[0].corrected
    assert found.value is not None
    assert found.interval.low is None
    assert "at least 5" in (found.interval.reason or "")
    assert "--target recordings" in (found.interval.reason or "")


def test_the_jackknife_is_t_over_children_on_the_plain_scale() -> None:
    values = np.array([0.1, 0.4, 0.2, 0.5, 0.9, 0.3])
    without = (values.sum() - values) / 5
    found = jackknife_interval(float(values.mean()), without, scale="plain")
    half = stats.t.ppf(0.975, 5) * values.std(ddof=1) / np.sqrt(6)
    assert found.high == pytest.approx(values.mean() + half, rel=1e-9)


def test_frames_that_the_detector_chose_are_refused() -> None:
    seen = np.tile([1.0, 0.0], 500)
    human = np.where((seen > 0) & (np.arange(1000) < 400), 1.0, np.nan)
    with pytest.raises(InputDataError, match=r"strata|random sample|no chance"):
        check_probability_sample(simple_units(["c"] * 1000, seen, human))
    chance = np.where(seen > 0, 0.4, 0.0)
    with pytest.raises(InputDataError, match="no chance") as caught:
        compare(simple_units(["c"] * 1000, seen, human, inclusion_probability=chance))
    assert "audit plan" in (caught.value.fix or "")


def test_an_audit_without_labels_or_of_some_children_only_is_refused() -> None:
    units, _ = random_study(np.random.default_rng(13), children=6)
    with pytest.raises(InputDataError, match="Nobody"):
        compare(simple_units(units.child, units.predicted, np.full(len(units), np.nan), inclusion_probability=0.1))
    human = np.where(units.child == "c00", np.nan, units.human)
    partly = simple_units(units.child, units.predicted, human, stratum=["all"] * len(units))
    with pytest.raises(InputDataError, match="children have no audited") as caught:
        compare(partly, target="children")
    assert "c00" in (caught.value.found or "")


def test_a_covariate_that_is_unknown_or_constant_is_refused() -> None:
    units, _ = random_study(np.random.default_rng(14), covariates=lambda child: {"age": np.full(len(child), 3.0)})
    with pytest.raises(UsageError, match="not known"):
        compare(units, by="height")
    with pytest.raises(UsageError, match="does not vary"):
        compare(units, by="age")


class TestConstantRates:
    def test_it_is_the_textbook_formula_where_rates_are_constant(self) -> None:
        units, truth = random_study(
            np.random.default_rng(15), children=1, frames=20_000, labels=20_000, sensitivity=0.8, false_alarms=0.1
        )
        rates = constant_rates(units)
        assert rates.refusals == ()
        assert rates.share(float(np.mean(units.predicted))) == pytest.approx(truth, abs=1e-9)

    def test_rates_that_change_with_the_covariate_are_refused(self) -> None:
        rng = np.random.default_rng(16)
        age = rng.uniform(0, 1, 6000)
        truth = rng.random(6000) < 0.4
        seen = rng.random(6000) < np.where(truth, 0.9 - 0.4 * age, 0.1)
        rates = constant_rates(simple_units(["c"] * 6000, seen, truth), age)
        assert any("sensitivity differs" in reason for reason in rates.refusals)
        with pytest.raises(ValueError, match="differs"):
            rates.share(0.4)

    def test_no_difference_in_a_small_audit_is_no_proof_of_constancy(self) -> None:
        rng = np.random.default_rng(17)
        units, _ = random_study(rng, children=1, labels=120, sensitivity=0.8, false_alarms=0.1)
        rates = constant_rates(units, rng.uniform(0, 1, len(units)))
        assert any("not shown to be constant" in reason for reason in rates.refusals)

    @pytest.mark.parametrize(
        ("sensitivity", "false_alarms", "missing", "reason"),
        [(0.4, 0.2, (0.0, 0.0), "below 0.3"), (0.9, 0.1, (0.5, 0.1), "third class")],
    )
    def test_weak_detectors_and_missing_labels_are_refused(
        self, sensitivity: float, false_alarms: float, missing: tuple[float, float], reason: str
    ) -> None:
        units, _ = random_study(
            np.random.default_rng(18),
            frames=2000,
            labels=400,
            sensitivity=sensitivity,
            false_alarms=false_alarms,
            missing=missing,
        )
        assert any(reason in refusal for refusal in constant_rates(units).refusals)

    def test_rates_from_frames_that_the_detector_chose_are_refused(self) -> None:
        seen = np.tile([1.0, 0.0], 500)
        human = np.where(seen > 0, np.arange(1000) % 3 == 0, np.nan)
        chance = np.where(seen > 0, 1.0, 0.0)
        rates = constant_rates(simple_units(["c"] * 1000, seen, human, inclusion_probability=chance))
        assert any("verification bias" in reason for reason in rates.refusals)

    def test_a_result_outside_0_to_1_and_counts_are_refused(self) -> None:
        truth = np.concatenate([np.ones(100), np.zeros(100)])
        seen = np.concatenate([np.ones(60), np.zeros(40), np.ones(20), np.zeros(80)])
        human = np.concatenate([truth, np.full(4000, np.nan)])
        everything = np.concatenate([seen, np.zeros(4000)])
        units = simple_units(["c"] * 4200, everything, human, inclusion_probability=200 / 4200)
        assert any("outside 0 to 1" in reason for reason in constant_rates(units).refusals)
        assert constant_rates(simple_units(["c"] * 3, [2, 1, 0], [2, 1, 3])).refusals
