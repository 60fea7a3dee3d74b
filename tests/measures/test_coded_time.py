"""Where the files say which time was coded, that is what is known of gaze, speech and naming."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from coded_videos import Span, code, make_video

from visionllm_interaction.measures.api import Query, measures, run_query
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.measures.missing_inputs import NOT_ALIKE, NOT_CODED
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.writer import write_codes

HALF: list[Span] = [(0.0, 10.0)]
LOOKS = [code("gaze", "child", "ball", 2, 4), code("gaze", "child", "caregiver", 6, 7)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A video of 20 s in which the ball is seen from 1 s to 13 s, and nobody is."""
    return make_video(tmp_path / "store", {"ball": [(1.0, 13.0)]})


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """The same, with a file whose first half was coded."""
    write_codes(folder, "a", [*LOOKS, *(code("coded", "", "", *span) for span in HALF)])
    with open_store(folder) as opened:
        yield opened


def value(store: Store | Path, expression: str) -> float | bool | str | None:
    """The value of an expression, or the reason why there is none."""
    [row] = query(expression, store).rows
    return row.missing if row.value is None else row.value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("total(looks_at(child))", 3.0),
        ("share(looks_at(child))", 0.3),
        ("share(looks_at(child, ball))", 0.2),
        ("rate(looks_at(child))", 60 * 2 / 10),
        ("rate(starts(looks_at(child)))", 60 * 2 / 10),
        ("total(!looks_at(child))", 7.0),
        ("share(!looks_at(child))", 0.7),
        ("mean_number(looks_at(child))", 0.3),
        ('share(coded("gaze", "ball"))', 0.2),
        # Both parts are known from 0 s to 10 s; the ball is seen from 1 s on.
        ("share(looks_at(child) & visible(ball))", 0.3),
        ("total(visible(ball) | looks_at(child))", 9.0),
        ("share(visible(ball) | looks_at(child))", 0.9),
        ("share(looks_at(child), of=visible(ball))", 3 / 9),
        ("share(visible(ball), of=looks_at(child))", 1.0),
        ("share(visible(ball), of=!looks_at(child))", 6 / 7),
        ("rate(looks_at(child), of=visible(ball))", 60 * 2 / 9),
        ("total(!(looks_at(child) & visible(ball)))", 7.0),
        # Nothing is coded here: all processed time, as ever.
        ("share(visible(ball))", 0.6),
        ("total(!visible(ball))", 8.0),
        ("share(looks_at(child) & between(0s, 5s))", 0.2),
    ],
)
def test_coded_time_is_the_known_time(store: Store, expression: str, expected: float) -> None:
    assert value(store, expression) == pytest.approx(expected)


def test_rows_tell_the_seconds_that_they_are_of(store: Store) -> None:
    [looks] = query("rate(looks_at(child))", store).rows
    [ball] = query("total(visible(ball))", store).rows
    assert (looks.processed_s, ball.processed_s) == (pytest.approx(10.0), pytest.approx(20.0))


@pytest.mark.parametrize(
    "expression",
    [
        "total(looks_at(child))",
        "rate(looks_at(child))",
        "share(!looks_at(child))",
        "exists(looks_at(child, ball))",
        'count(coded("gaze"))',
        "total(looks_at(child) | visible(ball))",
        "share(visible(ball), of=looks_at(child))",
        "dwells(child)",
    ],
)
def test_bins_that_nobody_coded_are_unknown(store: Store, expression: str) -> None:
    rows = query(f"{expression} by bin(5s)", store).rows
    assert [row.missing for row in rows][2:] == [NOT_CODED] * 2
    assert all(row.missing != NOT_CODED for row in rows[:2])
    assert all(row.value is None for row in rows[2:])


def test_moments_that_nobody_coded_are_unknown(store: Store) -> None:
    found = [value(store, f"holds(looks_at(child), at={at}s)") for at in (3, 5, 15)]
    assert found == [True, False, NOT_CODED]


def test_what_was_coded_outside_coded_time_does_not_count(folder: Path) -> None:
    looks = [code("gaze", "child", "ball", 8, 12), code("gaze", "child", "ball", 15, 16)]
    write_codes(folder, "a", [*looks, code("coded", "", "", 0, 10)])
    assert value(folder, "total(looks_at(child))") == pytest.approx(2.0)
    assert value(folder, "count(looks_at(child))") == 1
    assert value(folder, "share(looks_at(child))") == pytest.approx(0.2)


def test_overlapping_coded_intervals_count_once(folder: Path) -> None:
    spans = [code("coded", "", "", *span) for span in ((0, 6), (4, 8), (12, 14))]
    write_codes(folder, "a", [*LOOKS, *spans])
    assert value(folder, "share(looks_at(child))") == pytest.approx(3 / 10)
    assert value(folder, "total(!looks_at(child))") == pytest.approx(7.0)


def test_a_file_that_does_not_say_what_was_coded_leaves_all_processed_time(folder: Path) -> None:
    write_codes(folder, "a", [*LOOKS, code("coded", "", "", 0, 10)])
    write_codes(folder, "a", [code("gaze", "child", "ball", 15, 16, source="b.csv")])
    assert value(folder, "share(looks_at(child))") == pytest.approx(4 / 20)
    assert value(folder, "total(!looks_at(child))") == pytest.approx(16.0)
    # Of somebody else it is told by the one file that codes them.
    write_codes(
        folder,
        "a",
        [code("gaze", "caregiver", "ball", 0, 1, source="c.csv"), code("coded", "", "", 0, 4, source="c.csv")],
    )
    assert value(folder, "share(looks_at(caregiver))") == pytest.approx(1 / 4)
    assert value(folder, "share(looks_at(child))") == pytest.approx(4 / 20)


def test_two_files_that_say_it_are_taken_together(folder: Path) -> None:
    write_codes(folder, "a", [*LOOKS, code("coded", "", "", 0, 10)])
    write_codes(folder, "a", [code("gaze", "child", "ball", 15, 16, "b.csv"), code("coded", "", "", 8, 18, "b.csv")])
    assert value(folder, "share(looks_at(child))") == pytest.approx(4 / 18)


def test_time_coded_for_one_participant_is_that_ones(folder: Path) -> None:
    gaze = [code("gaze", "child", "ball", 2, 4), code("gaze", "Caregiver", "ball", 2, 4)]
    write_codes(folder, "a", [*gaze, code("coded", "Child", "", 0, 5), code("coded", "caregiver", "", 0, 10)])
    assert value(folder, "share(looks_at(child))") == pytest.approx(2 / 5)
    assert value(folder, "share(looks_at(caregiver))") == pytest.approx(2 / 10)
    assert value(folder, "share(looks_at(anything))") == pytest.approx(2 / 5)
    assert value(folder, "total(!mutual_gaze(child, caregiver))") == pytest.approx(5.0)
    assert value(folder, "rate(looks_at($p)) over $p in (child, caregiver)") == NOT_ALIKE


def test_whoever_says_nothing_was_coded_by_the_file_that_codes_the_others(folder: Path) -> None:
    write_codes(make_video(folder, {}, "b"), "b", [code("speech", "child", "da", 1, 2)])
    write_codes(folder, "a", [code("speech", "caregiver", "yes", 1, 2), code("coded", "", "", 0, 10)])
    found = {row.video_id: row for row in query("total(!speaks(child)) by video", folder).rows}
    assert found["a"].value == pytest.approx(10.0)
    with open_store(folder) as opened:
        silent, unknown = (
            run_query(opened, Query("bout_count", "child", predicate="speaks", video_id="a", begin_s=b, end_s=b + 5))[0]
            for b in (5.0, 12.0)
        )
    assert (silent.value, silent.missing, unknown.value, unknown.missing) == (0, None, None, NOT_CODED)


def test_combined_codes_that_share_no_coded_time_are_unknown(folder: Path) -> None:
    write_codes(folder, "a", [*LOOKS, code("coded", "", "", 0, 10)])
    write_codes(folder, "a", [code("speech", "child", "da", 12, 13, "b.csv"), code("coded", "", "", 10, 18, "b.csv")])
    assert value(folder, "total(looks_at(child) & speaks(child))") == NOT_CODED
    assert value(folder, "total(looks_at(child) | speaks(child))") == NOT_CODED
    assert value(folder, "share(speaks(child))") == pytest.approx(1 / 8)


def test_pauses_lags_and_turns_do_not_reach_over_time_that_was_not_coded(folder: Path) -> None:
    said = [
        ("child", 1.0, 2.0),
        ("child", 4.0, 4.5),
        ("caregiver", 5.0, 5.5),
        ("child", 9.0, 9.8),
        ("caregiver", 10.5, 11.0),
    ]
    spans = [code("coded", "", "", 0, 6), code("coded", "", "", 8, 10), code("coded", "", "", 10.2, 20)]
    write_codes(folder, "a", [*(code("speech", who, "da", b, e) for who, b, e in said), *spans])
    assert value(folder, "count(pauses(speaks(child)))") == 1
    assert value(folder, "count(latency(speaks(child) -> speaks(caregiver)))") == 1
    assert value(folder, "turns(child, caregiver)") == 1
    assert value(folder, "rate(shifts(child))") == "no gaze was imported"
    # Of three utterances of the child, the one at 9 s is not judged: after 10 s nothing is known.
    [row] = query("prob(speaks(caregiver), within=1s, after=ends(speaks(child)))", folder).rows
    assert (row.value, row.n) == (pytest.approx(1 / 2), 2)


def test_chance_moves_within_coded_time(folder: Path) -> None:
    said = [code("speech", "child", "da", b, b + 0.2) for b in (0.5, 3.5, 12.5, 15.5)]
    heard = [code("speech", "caregiver", "so", b, b + 2.0) for b in (1.0, 4.0, 13.0, 16.0)]
    write_codes(folder, "a", [*said, *heard, code("coded", "", "", 0, 6), code("coded", "", "", 12, 18)])
    text = "prob(speaks(caregiver), within=0s, after=starts(speaks(child)), shuffles=2000)"
    [row] = query(text, folder).rows
    # 8 of 12 coded seconds are the caregiver's; of the 20 s of the video they would be 8.
    assert row.value == 0.0 and row.expected == pytest.approx(8 / 12, abs=0.03)


def test_coded_intervals_are_codes_of_no_tier(store: Store) -> None:
    assert value(store, 'count(coded("coded"))') == "no tier 'coded' was imported"
    rows = measures(store).to_arrow().to_pylist()
    assert {row["subject"] for row in rows if row["predicate"] == "looks_at"} == {"child"}


def test_the_tidy_table_counts_in_coded_time(store: Store) -> None:
    rows = measures(store).to_arrow().to_pylist()
    found = {(row["measure"], row["subject"], row["predicate"]): row for row in rows}
    looks, seen = found["bout_rate", "child", "looks_at"], found["bout_rate", "ball", "visible"]
    assert (looks["value"], looks["processed_s"]) == (pytest.approx(12.0), pytest.approx(10.0))
    assert (seen["value"], seen["processed_s"]) == (pytest.approx(3.0), pytest.approx(20.0))
    binned = measures(store, bin_s=5.0).to_arrow().to_pylist()
    counts = [r for r in binned if (r["measure"], r["predicate"], r["subject"]) == ("bout_count", "looks_at", "child")]
    assert [(row["value"], row["missing"]) for row in counts] == [
        (1, None),
        (1, None),
        (None, NOT_CODED),
        (None, NOT_CODED),
    ]


def test_participants_match_whatever_their_case_and_need_no_track(folder: Path) -> None:
    said = [
        code("speech", "Child", "da", 1, 2),
        code("speech", "MOTHER", "yes", 2.5, 3),
        code("gaze", "Child", "Ball", 4, 6),
    ]
    write_codes(folder, "a", said)
    rows = measures(folder).to_arrow().to_pylist()
    found = {(row["measure"], row["subject"], row["object"], row["predicate"]): row["value"] for row in rows}
    assert found["bout_count", "child", None, "looks_at"] == 1
    assert (found["turn_count", "child", "mother", None], found["turn_lag", "child", "mother", None]) == (1, 0.5)
    assert value(folder, "total(looks_at(child, ball))") == pytest.approx(2.0)
    assert value(folder, "turns(child, mother)") == 1
    assert {row.names["$p"] for row in query("count(speaks($p)) by $p", folder).rows} == {"child", "mother"}
    with open_store(folder) as opened:
        [spoken] = run_query(opened, Query("bout_count", "Mother", predicate="speaks"))
    assert spoken.value == 1
