"""Looks from an eye tracker against coded looks, within one store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coded_videos import Span, code, make_video

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import write_imported
from visionllm_interaction.validity.agreement.agree import AgreementReport
from visionllm_interaction.validity.agreement.looks import agree_looks

Looks = list[tuple[str, float, float]]
TRACKER = "Pupil Neon of child"


def _store(path: Path, derived: Looks, known: list[Span], coded: Looks, stated: list[Span]) -> Path:
    """A video of 20 s whose child wears a tracker and was coded."""
    make_video(path, {"child": [(0, 20)], "ball": [(0, 20)], "teddy bear": [(0, 20)]})
    own = [code("gaze", "child", *look, source=TRACKER) for look in derived]
    own += [code("coded", "child", "", *span, source=TRACKER) for span in known]
    write_imported(path, "a", Recording(TRACKER, "tracker"), own)
    by_hand = [code("gaze", "child", *look, source="anna.csv") for look in coded]
    by_hand += [code("coded", "", "", *span, source="anna.csv") for span in stated]
    write_imported(path, "a", Recording("anna.csv", "codes"), by_hand)
    return path


def _kappa(report: AgreementReport) -> float:
    [pair] = report.pairs
    [tier] = pair.tiers
    assert (pair.first, pair.second, tier.tier) == ("coded looks", "looks from gaze", "looks")
    return float(tier.pooled.kappa.value or 0.0)


def test_the_same_looks_agree_wholly_where_both_are_known(tmp_path: Path) -> None:
    derived: Looks = [("ball", 1, 3), ("teddy bear", 4, 6)]
    # The coder saw a look while the tracker had lost the eyes, and coded only the first 15 s.
    coded: Looks = [("Ball", 1, 3), ("teddy_bear", 4, 6), ("away", 6, 8), ("ball", 9, 11)]
    store = _store(tmp_path / "store", [*derived, ("ball", 16, 18)], [(0, 8.5), (11.5, 20)], coded, [(0, 15)])
    assert _kappa(agree_looks(store)) == pytest.approx(1.0)


def test_looks_at_something_else_lower_the_agreement(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", [("ball", 0, 10)], [(0, 20)], [("ball", 0, 5), ("teddy bear", 5, 10)], [(0, 20)])
    report = agree_looks(store)
    [tier] = report.pairs[0].tiers
    assert tier.pooled.observed.value == pytest.approx(0.75)
    # The coded looks are the reference: half of what the tracker says of the ball is the coder's.
    ball = next(one for one in tier.codes if one.code == "ball")
    assert ball.accuracy.precision.value == pytest.approx(0.5) and ball.accuracy.recall.value == pytest.approx(1.0)


def test_without_stated_time_all_that_was_processed_counts(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", [("ball", 0, 10)], [(0, 10)], [("ball", 0, 5)], [])
    report = agree_looks(store)
    assert report.pairs[0].tiers[0].pooled.observed.value == pytest.approx(0.5)
    assert any("coded looks: which time was coded is not stated" in note for note in report.notes)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", [("ball", 0, 5)], [(0, 20)], [], [])
    with pytest.raises(InputDataError, match="both ways"):
        agree_looks(store)
    for name in ("anna.csv", "ben.csv"):
        write_imported(store, "a", Recording(name, "codes"), [code("gaze", "child", "ball", 0, 5, source=name)])
    with pytest.raises(InputDataError, match="Several files") as caught:
        agree_looks(store)
    assert caught.value.found == "anna.csv, ben.csv"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looks: Looks = [("ball", 1, 3)]
    store = _store(tmp_path / "store", looks, [(0, 20)], looks, [(0, 20)])
    assert run_app(app, ["agree", "--looks", str(store), "--unit", "event", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coders"] == ["coded looks", "looks from gaze"]
    assert run_app(app, ["agree", "--looks", str(store), str(store), "--json"]) == 2
    assert "one store" in json.loads(capsys.readouterr().out)["error"]["message"]
