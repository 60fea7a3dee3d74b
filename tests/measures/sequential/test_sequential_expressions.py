"""The sequential measures in the language: values of a store that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from dyad_builders import GAZE, SPEECH, dyad_store

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.api import Query, measures_table, run_query
from visionllm_interaction.measures.catalogue_sequential import SEQUENTIAL_MEASURES
from visionllm_interaction.measures.language.check import check
from visionllm_interaction.measures.language.functions import FUNCTIONS
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.measures.language.sequential.functions import SEQUENTIAL
from visionllm_interaction.measures.language.syntax_tree import Binding, Call, Grouped, NameTerm, substituted
from visionllm_interaction.store.reader import Store, open_store


@pytest.fixture(scope="module")
def dyad(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(dyad_store(tmp_path_factory.mktemp("dyad") / "store"))


@pytest.fixture(scope="module")
def two_videos(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(dyad_store(tmp_path_factory.mktemp("two") / "store", videos=("v", "w")))


@pytest.fixture(scope="module")
def uncoded(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(dyad_store(tmp_path_factory.mktemp("uncoded") / "store", gaze=(), speech=(), naming=()))


VALUES: dict[str, tuple[float | int, str]] = {
    # Both look at the ball from 2 to 4 s and 10 to 11 s, and at the cup from 20 to 22 s.
    "count(joint_attention(child, caregiver))": (3, "count"),
    "total(joint_attention(child, caregiver))": (5.0, "s"),
    "total(joint_attention(child, caregiver, ball))": (3.0, "s"),
    "count(joint_attention(child, caregiver, length=1.5s))": (2, "count"),
    "count(joint_attention(child, caregiver, ball, gap=6s))": (1, "count"),
    # The child led by 1 s, the caregiver by 0.5 s, then nobody.
    "max(leads(child, caregiver))": (1.0, "s"),
    "min(leads(child, caregiver))": (-0.5, "s"),
    "median(leads(child, caregiver))": (0.0, "s"),
    "led(child, caregiver)": (0.5, "share"),
    # They look at each other from 30 to 30.5 s.
    "total(mutual_gaze(child, caregiver))": (0.5, "s"),
    "count(sustained_attention(child))": (2, "count"),  # 3 s each, at the ball and the cup
    "total(sustained_attention(child, cup))": (3.0, "s"),
    "count(sustained_attention(child, length=2s))": (3, "count"),
    "mean(dwells(child))": (9 / 4, "s"),
    "median(dwells(child))": (2.5, "s"),
    "count(shifts(child))": (2, "count"),  # ball, ball, cup, caregiver
    "rate(shifts(child))": (2.0, "per_min"),
    "transition_entropy(child)": (0.0, "bits"),
    "stationary_entropy(child)": (1.0, "bits"),
    # The child looks at the ball that it holds from 2 to 4 s, and at the cup from 20 to 21 s.
    "total(hand_eye(child))": (3.0, "s"),
    "total(hand_eye(child, caregiver))": (1.0, "s"),
    "max(eye_leads(child))": (1.0, "s"),
    "min(eye_leads(child))": (-1.0, "s"),
    # Intervals of 1, 1 and 4 s: mean 2, deviation sqrt(3).
    "plain_burstiness(picks_up(child))": ((3**0.5 / 2 - 1) / (3**0.5 / 2 + 1), "number"),
    "burstiness(picks_up(child))": ((5**0.5 * 3**0.5 / 2 - 3**0.5) / ((5**0.5 - 2) * 3**0.5 / 2 + 3**0.5), "number"),
    "allan_factor(picks_up(child), 10s)": (16 / 5 / (2 * 4 / 6), "number"),  # counts 4, 0, 0, 0, 0, 0
    # 3 s after 2, 3, 4 and 8 s are 8 of 60 ticks; looks begin in 1, 10, 20 and 30 s: one of them within.
    "odds_ratio(looks_at(child), within=3s, after=picks_up(child))": (1 * 49 / (7 * 3), "number"),
    "yules_q(looks_at(child), within=3s, after=picks_up(child))": ((49 - 21) / (49 + 21), "number"),
    "answered(child, caregiver)": (2 / 3, "share"),
    "turns_against_chance(child, caregiver)": (2, "count"),
    "named_while(ball, visible(ball))": (2 / 3, "share"),
    "named_while(ball, looks_at(child, ball))": (1 / 3, "share"),
    "named_while(ball, holding(person, ball))": (2 / 3, "share"),
    "mean(naming_ranks(ball))": (1.0, "rank"),
    "objects_handled(child)": (2, "count"),
    "objects_handled(caregiver)": (1, "count"),
    "instance_count(car)": (0, "count"),  # looked for and never seen
}


@pytest.mark.parametrize("expression", VALUES, ids=str)
def test_values_by_hand(dyad: Store, expression: str) -> None:
    value, unit = VALUES[expression]

    found = query(expression, dyad)

    assert found.unit == unit
    assert found.value == pytest.approx(value)


def test_recurrence_by_hand(dyad: Store) -> None:
    # Of 60 samples, both look at the ball in 5 and 5 (9.5 is the middle of a sample), at the cup in 3 and 2.
    found = query("recurrence_rate(child, caregiver)", dyad)

    child = {"ball": 3 + 2, "cup": 3}
    caregiver = {"ball": 3 + 2, "cup": 2}
    assert found.value == pytest.approx(sum(child[name] * caregiver[name] for name in child) / 60**2)
    assert query("laminarity(child, caregiver)", dyad).value == 1.0
    assert query("recurrence_lag(child, caregiver)", dyad).unit == "s"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count(joint_attention(child, caregiver))", 6),
        ("led(child, caregiver)", 0.5),
        ("count(shifts(child))", 4),  # none from one video to the next
        ("objects_handled(child)", 2),  # the same two
        ("turns_against_chance(child, caregiver)", 4),
        ("allan_factor(picks_up(child), 10s)", 16 / 5 / (2 * 4 / 6)),
    ],
)
def test_videos_are_taken_together_without_anything_between_them(
    two_videos: Store, expression: str, value: float
) -> None:
    assert query(expression, two_videos).value == pytest.approx(value)


def test_recurrence_is_of_each_video(two_videos: Store) -> None:
    found = query("recurrence_rate(child, caregiver)", two_videos)

    assert [row.video_id for row in found] == ["v", "w"]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("count(joint_attention(child, caregiver))", "no gaze was imported"),
        ("led(child, caregiver)", "no gaze was imported"),
        ("transition_entropy(child)", "no gaze was imported"),
        ("total(hand_eye(child))", "no gaze was imported"),
        ("determinism(child, caregiver)", "no gaze was imported"),
        ("answered(child, caregiver)", "no speech was imported"),
        ("turns_against_chance(child, caregiver)", "no speech was imported"),
        ("named_while(ball, visible(ball))", "no naming was imported"),
        ("mean(naming_ranks(ball))", "no naming was imported"),
    ],
)
def test_what_was_not_imported_is_the_reason(uncoded: Store, expression: str, reason: str) -> None:
    [row] = query(expression, uncoded)

    assert row.value is None
    assert row.missing == reason


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("burstiness(holding(child, ball))", "fewer than 3 events"),
        ("memory(picks_up(child))", "fewer than 3 pairs of successive intervals"),
        ("allan_factor(picks_up(child), 30s)", "fewer than 3 windows of 30 s"),
        ("odds_ratio(names(caregiver), within=2s, after=puts_down(child))", "a cell beside the diagonal is 0"),
        ("led(child, caregiver, cup)", "nobody led into a bout"),
        ("transition_entropy(caregiver) by bin(10s)", "there is no transition"),
    ],
)
def test_what_is_undefined_says_why(dyad: Store, expression: str, reason: str) -> None:
    rows = list(query(expression, dyad))

    assert rows[0].value is None
    assert rows[0].missing == reason


def test_what_is_undefined_says_so_beside_the_videos_that_lack_an_input(tmp_path: Path) -> None:
    store = dyad_store(tmp_path / "s", videos=("v",), gaze=[("child", "ball", 1, 2), ("caregiver", "cup", 1, 2)])
    dyad_store(store, videos=("w",), gaze=(), speech=(), naming=())

    [row] = query("led(child, caregiver)", store)

    assert row.missing == "nobody led into a bout; without w: no gaze was imported"
    assert [piece.missing for piece in row.evidence] == ["nobody led into a bout", "no gaze was imported"]


def test_what_proves_a_bout_is_its_time(dyad: Store) -> None:
    rows = list(query("joint_attention(child, caregiver, ball)", dyad))

    assert [(row.begin_s, row.end_s) for row in rows] == [(2.0, 4.0), (10.0, 11.0)]
    assert rows[0].evidence[0].track_ids == (1,)
    assert rows[1].evidence[0].track_ids == (1, 2)  # the caregiver is tracked from 10 s on


def test_chance_stands_beside_the_turns(dyad: Store) -> None:
    [row] = query("turns_against_chance(child, caregiver, shuffles=200)", dyad)

    assert row.expected is not None
    assert row.p is not None
    assert 0 < row.expected < 2
    assert 0 < row.p <= 0.2


def test_names_of_a_variable_are_what_people_look_at(dyad: Store) -> None:
    found = query("count(joint_attention(child, caregiver, $o)) by $o", dyad)

    assert {row.names["$o"]: row.value for row in found} == {"ball": 2, "cup": 1}


def test_bins_have_the_bouts_that_lie_in_them(dyad: Store) -> None:
    found = query("total(joint_attention(child, caregiver)) by bin(20s)", dyad)

    assert [row.value for row in found] == [3.0, 2.0, 0.0]


def test_a_name_that_is_not_known_is_refused(dyad: Store) -> None:
    with pytest.raises(ExpressionError, match="did you mean"):
        query("led(child, carregiver)", dyad)


def test_bouts_at_different_targets_that_meet_stay_apart(tmp_path: Path) -> None:
    gaze = [("child", "ball", 1, 3), ("child", "cup", 3, 6), ("caregiver", "ball", 0, 3), ("caregiver", "cup", 3, 9)]

    store = dyad_store(tmp_path / "s", gaze=gaze)

    assert query("count(joint_attention(child, caregiver))", store).value == 2
    assert query("count(sustained_attention(caregiver))", store).value == 2


def test_labels_stand_for_categories_however_they_are_written(tmp_path: Path) -> None:
    gaze = [("child", "BALL", 1, 4), ("child", "Ball", 5, 5.5)]

    store = dyad_store(tmp_path / "s", gaze=gaze)

    assert query("total(hand_eye(child))", store).value == pytest.approx(2.5)
    assert query("count(shifts(child))", store).value == 0


def test_every_function_is_in_the_language_with_a_source() -> None:
    assert {function.name for function in SEQUENTIAL} <= FUNCTIONS.keys()
    assert all(function.source and function.definition.endswith(".") for function in SEQUENTIAL)


def rows_of(store: Store, **options: float) -> dict[tuple[str, str | None, str, str | None], dict[str, object]]:
    rows = measures_table(store, **options).to_pylist()
    return {(row["subject"], row["object"], row["measure"], row["predicate"]): row for row in rows}


def test_the_tidy_table_has_every_measure_with_the_values_of_its_expression(dyad: Store) -> None:
    rows = {key: row for key, row in rows_of(dyad).items() if key[2] in SEQUENTIAL_MEASURES}

    assert {key[2] for key in rows} == SEQUENTIAL_MEASURES.keys()
    assert rows["child", "caregiver", "joint_attention_led", None]["value"] == 0.5
    assert rows["caregiver", "child", "joint_attention_count", None]["value"] == 3
    assert rows["child", None, "alone_duration", None]["value"] == pytest.approx(30.0)
    assert rows["child", "caregiver", "approach_latency", None]["value"] == pytest.approx(5.0)  # 10 to 15 s
    assert rows["caregiver", "child", "approach_latency", None]["missing"] == "nothing was found"
    assert rows["caregiver", "child", "apart_count", None]["value"] == 2  # 10 to 15 s, 20 to 40 s
    assert rows["caregiver", "child", "longest_apart", None]["value"] == pytest.approx(20.0)
    assert rows["child", "caregiver", "turn_share", None]["settings"] == "max_gap_s=2 max_overlap_s=1"
    assert rows["child", None, "event_memory", "picks_up"]["missing"] == "fewer than 3 pairs of successive intervals"
    for (subject, object_, name, predicate), row in rows.items():
        names = ", ".join([subject, *([object_] if object_ else [])])
        expression = f"{name}({predicate}({subject}))" if predicate else f"{name}({names})"
        assert [row["value"]] == [pytest.approx(found.value) for found in query(expression, dyad)]
        assert row["value"] is not None or row["missing"]
        assert row["unit"] == SEQUENTIAL_MEASURES[name].unit


def test_measures_that_need_codes_have_no_rows_without_them(uncoded: Store) -> None:
    found = {name for _, _, name, _ in rows_of(uncoded)} & SEQUENTIAL_MEASURES.keys()

    assert {SEQUENTIAL_MEASURES[name].of for name in found} == {"people", "any"}


def test_a_measure_asked_for_by_name_says_what_was_not_imported(uncoded: Store) -> None:
    [found] = run_query(uncoded, Query("joint_attention_count", "child", "caregiver"))

    assert (found.value, found.missing, found.unit) == (None, "no gaze was imported", "count")


def test_units_of_measures_are_those_of_their_expressions() -> None:
    for measure in SEQUENTIAL_MEASURES.values():
        variables = {"one": ("$subject",), "pair": ("$subject", "$object")}.get(measure.inputs, ("$subject",))
        parts = {"$events": Call("picks_up", (NameTerm("$subject"),))}
        expression = substituted(measure.expression, parts)
        assert check(Grouped(expression, by=tuple(map(Binding, variables)))).type.unit == measure.unit
        assert measure.definition.endswith(".")


def test_the_store_has_codes_of_both() -> None:
    assert {who for who, *_ in GAZE} == {who for who, *_ in SPEECH} == {"child", "caregiver"}
