"""Agreement: closed forms, other implementations, symmetry, and reasons instead of NaN."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.formats.boris import boris_bytes
from visionllm_interaction.interop.formats.datavyu import opf_bytes
from visionllm_interaction.interop.formats.elan import eaf_bytes
from visionllm_interaction.interop.formats.praat import textgrid_bytes
from visionllm_interaction.interop.formats.tabular import csv_bytes
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
from visionllm_interaction.validity.agreement.agree import agree
from visionllm_interaction.validity.agreement.coding import Coding, coded_recording
from visionllm_interaction.validity.agreement.coefficients import (
    accuracy,
    cohens_kappa,
    intraclass,
    krippendorff_alpha,
)
from visionllm_interaction.validity.agreement.event_matching import match_events
from visionllm_interaction.validity.agreement.pairs import PairedRecording, TierAgreement, pair_agreement

# The example of Krippendorff's own text: 4 coders, 12 units.
TEXTBOOK = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def test_alpha_has_the_textbook_value() -> None:
    assert krippendorff_alpha(TEXTBOOK).value == pytest.approx(0.743421052631579, abs=1e-12)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_another_implementation(level: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        data = rng.integers(1, 5, (3, 15)).astype(float)
        data[rng.random(data.shape) < 0.2] = np.nan
        expected = krippendorff.alpha(data, level_of_measurement=level)
        found = krippendorff_alpha(data.tolist(), level=level)  # type: ignore[arg-type]
        assert found.value == pytest.approx(expected, abs=1e-12)


def test_kappa_is_that_of_statsmodels() -> None:
    from statsmodels.stats.inter_rater import cohens_kappa as theirs

    rng = np.random.default_rng(1)
    for size in (2, 3, 5):
        table = rng.integers(0, 50, (size, size)).astype(float)
        found = cohens_kappa(table)
        assert found.kappa.value == pytest.approx(theirs(table, return_results=False), abs=1e-12)
        assert found.kappa_max.value == pytest.approx(theirs(table).kappa_max, abs=1e-12)


def test_kappa_in_closed_form() -> None:
    found = cohens_kappa(np.array([[20.0, 5.0], [10.0, 15.0]]), ("yes", "no"))
    assert found.kappa.value == pytest.approx(0.4, abs=1e-12)
    assert found.kappa_max.value == pytest.approx(0.8, abs=1e-12)
    assert found.prevalence == pytest.approx({"yes": 0.55, "no": 0.45})


def test_intraclass_correlations_of_shrout_and_fleiss() -> None:
    ratings = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
    )
    found = intraclass(ratings)
    assert found.absolute.value == pytest.approx(0.2898, abs=1e-4)
    assert found.consistency.value == pytest.approx(0.7148, abs=1e-4)
    assert (found.absolute.low, found.absolute.high) == pytest.approx((0.0188, 0.7611), abs=1e-4)
    assert (found.consistency.low, found.consistency.high) == pytest.approx((0.3425, 0.9459), abs=1e-4)


def test_perfect_totals_have_no_division_by_zero() -> None:
    found = intraclass(np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]))
    assert found.absolute.value == found.consistency.value == 1.0


def _coding(name: str, *rows: tuple[float, float, str], duration_s: float | None = 10.0, tier: str = "gaze") -> Coding:
    timeline = Timeline((Tier(tier, tuple(Interval(*row) for row in rows)),), duration_s=duration_s)
    return Coding(name, {"visit": coded_recording(timeline)})


def _only_tier(*codings: Coding, **options: object) -> TierAgreement:
    return agree(*codings, **options).pairs[0].tiers[0]  # type: ignore[arg-type]


def test_kappa_over_time_counts_exact_seconds() -> None:
    a = _coding("a", (0, 4, "face"), (5, 8, "toy"))
    b = _coding("b", (0.5, 4, "face"), (5, 8, "hand"))
    tier = _only_tier(a, b)
    # Both: 3.5 s face, 3 s absent. Totals: face 4 and 3.5 s, toy 3 and 0 s, hand 0 and 3 s, absent 3 and 3.5 s.
    chance = 0.4 * 0.35 + 0.3 * 0.35
    assert tier.pooled.observed.value == pytest.approx(0.65, abs=1e-12)
    assert tier.pooled.kappa.value == pytest.approx((0.65 - chance) / (1 - chance), abs=1e-12)
    assert _only_tier(a, b, unit="frame", step_s=0.5).pooled.kappa.value == pytest.approx(
        tier.pooled.kappa.value, abs=1e-12
    )


def test_tolerance_forgives_boundaries_only() -> None:
    a, b = _coding("a", (2, 4, "face")), _coding("b", (2.3, 4.4, "face"))
    assert _only_tier(a, b, tolerance_s=0.5).pooled.kappa.value == pytest.approx(1.0, abs=1e-9)
    far = _coding("b", (7, 9, "face"))
    assert (_only_tier(a, far, tolerance_s=0.5).pooled.kappa.value or 0) < 0.1


def test_time_that_one_did_not_code_is_not_absent() -> None:
    a = _coding("a", (1, 2, "face"), (6, 7, "face"))
    timeline = Timeline(
        (Tier("gaze", (Interval(1, 2, "face"),)), Tier("coded", (Interval(0, 5, ""),))), duration_s=10.0
    )
    b = Coding("b", {"visit": coded_recording(timeline)})
    tier = _only_tier(a, b)
    assert tier.both_coded_s == pytest.approx(5.0)
    assert tier.pooled.kappa.value == pytest.approx(1.0)
    assert tier.codes[0].accuracy.recall.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (_coding("a", (0, 10, "face")), _coding("b", (0, 10, "face")), "one and the same code"),
        (_coding("a"), _coding("b"), "one and the same code"),
        (_coding("a", (1, 2, "x")), _coding("b", (1, 2, "x"), tier="other"), "not coded is not absent"),
        (_coding("a", (1, 1, "x")), _coding("b", (1, 1, "x")), "moments have no duration"),
        (_coding("a", (1, 4, "x"), (2, 5, "y")), _coding("b", (1, 4, "x")), "overlap in time"),
        (_coding("a", duration_s=None), _coding("b", duration_s=None), "no time that both"),
    ],
)
def test_undefined_cases_give_reasons(a: Coding, b: Coding, reason: str) -> None:
    kappa = _only_tier(a, b).pooled.kappa
    assert kappa.value is None
    assert reason in (kappa.reason or "")


def test_recordings_that_do_not_meet_give_a_reason() -> None:
    a = Coding("a", {"one": _coding("a").recordings["visit"], "two": _coding("a").recordings["visit"]})
    b = Coding("b", {"three": _coding("b").recordings["visit"]})
    assert "no recording in common" in (_only_tier(a, b).pooled.kappa.reason or "")


def test_accuracy_without_a_code_has_reasons() -> None:
    assert accuracy(0, 0, 3).precision.reason == "the second coder never used this code"
    assert accuracy(0, 0, 0).f1.reason == "nobody used this code"
    assert accuracy(6, 2, 4).f1.value == pytest.approx(12 / 18, abs=1e-12)


def test_events_are_matched_one_to_one() -> None:
    first = [Interval(1.0, 2.0, "x"), Interval(1.4, 2.0, "x")]
    found = match_events(first, [Interval(1.2, 2.0, "x")], tolerance_s=1.0)
    assert len(found.pairs) == 1
    assert len(found.only_first) == 1
    assert not found.only_second


def test_equal_labels_come_before_near_onsets() -> None:
    found = match_events(
        [Interval(1.0, 2.0, "face")], [Interval(1.0, 2.0, "toy"), Interval(1.8, 2.5, "face")], tolerance_s=1.0
    )
    assert [(a.label, b.label) for a, b in found.pairs] == [("face", "face")]


events = st.lists(
    st.builds(
        lambda begin, length, label: Interval(begin / 4, begin / 4 + length / 4, label),
        st.integers(0, 60),
        st.integers(0, 8),
        st.sampled_from("xyz"),
    ),
    max_size=12,
).map(tuple)


@settings(max_examples=200, deadline=None)
@given(events, events, st.sampled_from([0.25, 1.0, 3.0]))
def test_matching_and_kappa_do_not_depend_on_who_comes_first(
    first: tuple[Interval, ...], second: tuple[Interval, ...], tolerance_s: float
) -> None:
    one, other = (match_events(*sides, tolerance_s=tolerance_s) for sides in ((first, second), (second, first)))
    assert sorted((a.label, b.label) for a, b in one.pairs) == sorted((b.label, a.label) for a, b in other.pairs)
    assert len(one.pairs) + len(one.only_first) == len(first)
    assert len(one.pairs) + len(one.only_second) == len(second)
    assert all(abs(a.begin_s - b.begin_s) <= tolerance_s + 1e-9 for a, b in one.pairs)
    coded = np.array([[0.0, 20.0]])
    options = {"tolerance_s": tolerance_s, "step_s": 0.1}
    for unit in ("time", "event"):
        forward, back = (
            pair_agreement("t", [PairedRecording("c", *sides, coded)], unit=unit, **options)
            for sides in ((first, second), (second, first))
        )
        assert (forward.pooled.kappa.value is None) == (back.pooled.kappa.value is None)
        if forward.pooled.kappa.value is not None:
            assert forward.pooled.kappa.value == pytest.approx(back.pooled.kappa.value, abs=1e-9)
            assert -1 - 1e-9 <= forward.pooled.kappa.value <= 1 + 1e-9
    assert "NaN" not in json.dumps(asdict(forward))


def test_per_child_comes_first_and_has_an_interval_from_five_children_on() -> None:
    rng = np.random.default_rng(2)
    recordings: list[dict[str, Timeline]] = [{}, {}]
    for n in range(6):
        begin = np.sort(rng.uniform(0, 90, 8))
        for coder, shift in enumerate((0.0, 0.4)):
            rows = tuple(Interval(float(t) + shift, float(t) + 4 + shift, "face") for t in begin[::2])
            recordings[coder][f"v{n}"] = Timeline((Tier("gaze", rows),), duration_s=100.0)
    a, b = (
        Coding(name, {key: coded_recording(t) for key, t in of.items()})
        for name, of in zip("ab", recordings, strict=True)
    )
    tier = _only_tier(a, b)
    assert len(tier.per_child) == 6
    assert tier.mean_over_children.low is not None
    joined = agree(a, b, children={f"v{n}": f"c{n // 2}" for n in range(6)}).pairs[0].tiers[0]
    assert len(joined.per_child) == 3
    assert joined.mean_over_children.low is None
    assert "there are 3" in (joined.mean_over_children.interval_reason or "")
    assert tier.codes[0].onset_error.mean.value == pytest.approx(0.4)


def test_different_names_of_a_single_code_are_compared_as_presence() -> None:
    tier = _only_tier(_coding("a", (1, 4, "near")), _coding("b", (1, 4, "yes")))
    assert tier.presence_only
    assert tier.pooled.kappa.value == pytest.approx(1.0)


@pytest.mark.parametrize("ending", [".eaf", ".boris", ".opf", ".TextGrid", ".csv"])
def test_every_coding_format_is_read(tmp_path: Path, ending: str) -> None:
    timeline = Timeline((Tier("gaze", (Interval(1, 3, "face"), Interval(5, 6, "toy"))),), "v.mp4", 10.0)
    writers = {".eaf": eaf_bytes, ".opf": opf_bytes, ".TextGrid": textgrid_bytes, ".csv": csv_bytes}
    content = boris_bytes({"v": timeline}) if ending == ".boris" else writers[ending](timeline)
    for name in ("a", "b"):
        (tmp_path / f"{name}{ending}").write_bytes(content)
    report = agree(tmp_path / f"a{ending}", tmp_path / f"b{ending}", unit="event")
    assert report.pairs[0].tiers[0].pooled.kappa.value == pytest.approx(1.0)
    assert any("BORIS" in note for note in report.notes)


def test_three_coders_have_three_pairs_and_one_alpha() -> None:
    coders = [_coding(name, (1, 4, "x"), (5, 6, "y")) for name in "abc"]
    report = agree(*coders)
    assert len(report.pairs) == 3
    assert report.alpha["gaze"].value == pytest.approx(1.0)


def test_one_coder_and_impossible_times_are_refused() -> None:
    with pytest.raises(UsageError, match="two coders"):
        agree(_coding("a"))
    with pytest.raises(UsageError, match="impossible"):
        agree(_coding("a"), _coding("b"), tolerance_s=-1)
