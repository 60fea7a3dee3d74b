"""Videos of people without roles: all are called "person", and several are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made_store import publish

from visionllm_interaction.core.tracks_relations_events import Event, Relation
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan
from visionllm_interaction.reasoning.wording.verify_expression_claims import verified_claims
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.roles.reviewed import set_roles

VIDEO = "hall-way-camera"
NAMES = ("person", "bottle", "child", "caregiver")


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, two of them at once; three leave, and two hold the bottle."""
    store = tmp_path_factory.mktemp("hall") / "store"
    spans = [
        *((1, "person", 1.0, 4.0), (2, "person", 5.0, 9.0), (3, "person", 6.0, 8.0), (4, "person", 12.0, 20.0)),
        (5, "bottle", 0.0, 20.0),
    ]
    publish(
        store,
        VIDEO,
        duration_s=20.0,
        spans=spans,
        names=NAMES,
        relations=[
            Relation(1, "holding", 5, 2.0, 3.0, 0.9),
            Relation(3, "holding", 5, 6.5, 7.5, 0.9),
            Relation(2, "near", 3, 6.0, 8.0, 0.9),
        ],
        events=[
            Event("given", "hands_over", (2, 3, 5), 6.4, 6.4, 0.9),
            Event("first", "leaves", (1,), 4.0, 4.0, 0.9),
            Event("third", "leaves", (3,), 8.0, 8.0, 0.9),
            Event("second", "leaves", (2,), 9.0, 9.0, 0.9),
        ],
    )
    return store


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two children at once, who both hold the bottle."""
    store = tmp_path_factory.mktemp("nursery") / "store"
    publish(
        store,
        "nursery",
        duration_s=10.0,
        spans=[(1, "child", 0.0, 10.0), (2, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0)],
        names=NAMES,
        relations=[Relation(1, "holding", 3, 1.0, 2.0, 0.9), Relation(2, "holding", 3, 4.0, 5.0, 0.9)],
    )
    return store


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("How many people left?", 3),
        ("How many different people held the bottle?", 2),
        ("Hvor mange personer holdt flaska?", 2),
        ("How long were two people near each other?", 2.0),
        ("How long was somebody near somebody else?", 2.0),
        ("Was anybody near anybody else?", "yes"),
        ("How often was the bottle held in hall-way-camera?", 2),
    ],
)
def test_people_are_counted_and_not_their_name(hall: Path, question: str, value: object) -> None:
    answer = ask(question, hall)
    assert answer.status == "answered", answer.reason
    assert answer.claims[0].value == (pytest.approx(value) if isinstance(value, float) else value), answer.answer


def test_it_is_said_that_tracks_are_counted(hall: Path) -> None:
    answer = ask("How many people left?", hall)
    assert answer.answer == "Who left: 3 (person 3, by tracks: one that was lost and came back counts again)."
    assert {track for item in answer.evidence for track in item.track_ids} == {1, 2, 3}


def test_one_of_a_name_hands_something_to_another(hall: Path) -> None:
    answer = ask("Who handed the bottle to somebody?", hall)
    assert (answer.status, answer.claims[0].value) == ("answered", "person"), answer.answer


def test_somebody_else_is_said(hall: Path) -> None:
    assert "somebody was near somebody else" in (ask("Was anybody near anybody else?", hall).answer or "")


@pytest.mark.parametrize(
    "question",
    [
        "How long was person 2 visible?",
        "When did person 3 hold the bottle?",
        "When does the second person appear?",
        "How long was the second person in view?",
    ],
)
def test_one_of_them_is_not_taken_for_all(hall: Path, question: str) -> None:
    answer = ask(question, hall)
    assert answer.status == "abstained" and "by one name" in (answer.reason or "")


@pytest.mark.parametrize(
    "question",
    ["Did the person hold the bottle 2 times?", "Did two people hold the bottle?", "Were two people near the bottle?"],
)
def test_a_number_that_belongs_to_nothing_is_not_left_unread(hall: Path, question: str) -> None:
    assert ask(question, hall).status == "abstained"


@pytest.mark.parametrize(
    "question",
    [
        "How many people never held the bottle?",
        "How many people held the bottle while somebody was in view?",
        "How many people handed the bottle to somebody?",
    ],
)
def test_others_who_are_evidence_are_not_counted(hall: Path, question: str) -> None:
    """Nobody proves what never happened; others prove a condition, or receive the bottle."""
    answer = ask(question, hall)
    assert answer.status == "abstained" and "several people have one name" in (answer.reason or ""), answer.answer


def test_two_children_at_once_are_at_least_one(nursery: Path) -> None:
    answer = ask("How many people held the bottle?", nursery)
    assert answer.answer == "Who held the bottle: at least 1 (the child)."


def test_who_is_in_a_video(hall: Path) -> None:
    assert "somebody" in (ask("Who is in the first video?", hall).answer or "")


def test_one_absence_is_not_the_sum_of_all(hall: Path) -> None:
    assert ask("How long did the person stay away after leaving?", hall).status == "abstained"
    assert ask("How long was the person away?", hall).status == "answered"


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two children at once with a toy each, a caregiver with two toys one after the other."""
    store = tmp_path_factory.mktemp("toys") / "store"
    spans = [
        *((1, "child", 0.0, 10.0), (2, "child", 0.0, 10.0), (3, "caregiver", 0.0, 10.0)),
        *((4, "bottle", 0.0, 10.0), (5, "cup", 0.0, 10.0), (6, "ball", 0.0, 10.0)),
    ]
    holds = [
        *(Relation(1, "holding", 4, 1.0, 3.0, 0.9), Relation(2, "holding", 5, 1.0, 3.0, 0.9)),
        *(Relation(3, "holding", 4, 4.0, 5.0, 0.9), Relation(3, "holding", 5, 6.0, 7.0, 0.9)),
        Relation(3, "holding", 6, 8.0, 9.0, 0.9),
    ]
    names = (*NAMES, "cup", "ball")
    publish(store, "visit", duration_s=10.0, spans=spans, names=names, relations=holds)
    return store


@pytest.mark.parametrize(
    "question",
    [
        "Did the child hold two toys at once?",
        "Did anyone hold two toys at once?",
        "How long did the child hold two toys at once?",
        "Holdt barnet to leker samtidig?",
        "How many toys did the child hold?",
    ],
)
def test_toys_of_two_children_are_not_those_of_one(toys: Path, question: str) -> None:
    answer = ask(question, toys)
    assert answer.status == "abstained", answer.answer
    assert any(words in (answer.reason or "") for words in ("people have one name", "personer har ett navn"))


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Who held the most toys?", "caregiver"),  # the two children have two in all, which is less
        ("Did the caregiver hold two toys at once?", "no"),
        ("Did the child hold three toys at once?", "no"),
        ("How many different toys did the caregiver hold?", 3),
        ("Were two toys held at once?", "yes"),
    ],
)
def test_where_it_makes_no_difference_it_is_answered(toys: Path, question: str, value: object) -> None:
    answer = ask(question, toys)
    assert (answer.status, answer.claims[0].value if answer.claims else answer.reason) == ("answered", value)


def test_one_toy_is_nobody_elses(tmp_path: Path) -> None:
    """Two children hold one bottle: one toy at most, whichever of them it was."""
    spans = [(1, "child", 0.0, 10.0), (2, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0)]
    holds = [Relation(1, "holding", 3, 1.0, 3.0, 0.9), Relation(2, "holding", 3, 4.0, 5.0, 0.9)]
    publish(tmp_path / "s", "visit", duration_s=10.0, spans=spans, names=NAMES, relations=holds)
    for question in ("How many different toys did the child hold?", "How many toys did the child hold?"):
        answer = ask(question, tmp_path / "s")
        assert [claim.value for claim in answer.claims] == [1], (question, answer.reason)
    for expression in ("objects_handled(child)", "most_at_once(holding(child, thing), 0.5s)"):
        plan = Plan(expressions=(ExpressionStep(expression=expression),))
        with open_store(tmp_path / "s") as store:
            found = verified_claims(plan, store)
        assert [claim.value for claim in found.claims] == [1], (expression, found.missing)


def test_toys_that_one_child_had_all_of_are_that_childs(tmp_path: Path) -> None:
    spans = [(1, "child", 0.0, 10.0), (2, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0), (4, "cup", 0.0, 10.0)]
    holds = [Relation(1, "holding", 3, 1.0, 3.0, 0.9), Relation(1, "holding", 4, 4.0, 5.0, 0.9)]
    holds.append(Relation(2, "holding", 3, 6.0, 7.0, 0.9))
    publish(tmp_path / "s", "visit", duration_s=10.0, spans=spans, names=(*NAMES, "cup"), relations=holds)
    assert [claim.value for claim in ask("How many toys did the child hold?", tmp_path / "s").claims] == [2]


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three visits; only in the second are there two children, who have a toy each."""
    store = tmp_path_factory.mktemp("visits") / "store"
    things = [(4, "bottle", 0.0, 10.0), (5, "cup", 0.0, 10.0), (6, "ball", 0.0, 10.0)]
    one = [Relation(1, "holding", 4, 1.0, 3.0, 0.9), Relation(1, "holding", 5, 2.0, 4.0, 0.9)]
    names = (*NAMES, "cup", "ball")
    for video, holds, children in (
        ("visit_1", one, [1]),
        ("visit_2", [Relation(1, "holding", 4, 1.0, 3.0, 0.9), Relation(2, "holding", 5, 1.0, 3.0, 0.9)], [1, 2]),
        ("visit_3", [*one, Relation(1, "holding", 6, 6.0, 7.0, 0.9)], [1]),
    ):
        spans = [*((number, "child", 0.0, 10.0) for number in children), *things]
        publish(store, video, duration_s=10.0, spans=spans, names=names, relations=holds)
    return store


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("How long did the child hold two toys at once?", [2.0, 1.0, 1.0]),
        ("How many different toys did the child hold?", [3]),
        ("How many toys did the child hold?", [3]),
        ("How many toys did the child hold in each video?", [3, 2, 3]),
        ("At most how many toys did the child hold at once?", [2, 2, 2]),
        ("Did the child hold two toys at once?", ["yes", "yes", "yes"]),
        ("Did the child hold three toys at once?", ["no", "no", "no", "no"]),
        ("Holdt barnet to leker samtidig?", ["yes", "yes", "yes"]),
    ],
)
def test_one_video_does_not_cost_the_others(visits: Path, question: str, values: list[object]) -> None:
    answer = ask(question, visits)
    assert answer.status == "answered", answer.reason
    known = [claim.value for claim in answer.claims if claim.value is not None]
    left_out = [claim.text for claim in answer.claims if claim.value is None]
    assert known == values, answer.answer
    if values[0] == "no":
        assert not left_out and answer.left_out == ()
        return
    assert len(left_out) == 1 and left_out[0].startswith(("In visit_2, several", "I visit_2: flere")), answer.answer
    assert left_out[0] in (answer.answer or "")
    of_none = {item.video_id for item in answer.evidence if item.missing}
    assert of_none == {"visit_2"}
    [out] = answer.to_json()["left_out"]
    assert out["video_id"] == "visit_2" and out["reason"].startswith(("several people", "flere personer"))


def test_which_one_of_two_videos_is_answered_is_said(tmp_path: Path, nursery: Path) -> None:
    """Only one video is left, and the answer says which."""
    names = (*NAMES, "cup")
    spans = [(1, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0), (4, "cup", 0.0, 10.0)]
    holds = [Relation(1, "holding", 3, 1.0, 3.0, 0.9), Relation(1, "holding", 4, 1.0, 3.0, 0.9)]
    publish(tmp_path / "s", "alone", duration_s=10.0, spans=spans, names=names, relations=holds)
    spans.append((2, "child", 0.0, 10.0))
    holds[1] = Relation(2, "holding", 4, 1.0, 3.0, 0.9)
    publish(tmp_path / "s", "both", duration_s=10.0, spans=spans, names=names, relations=holds)
    for question in ("How many toys did the child hold?", "Did the child hold two toys at once?"):
        answer = ask(question, tmp_path / "s")
        assert answer.status == "answered", answer.reason
        assert (answer.answer or "").startswith("In alone, "), answer.answer
        assert "In both, several people have one name" in (answer.answer or "")
    refused = ask("How many toys did the child hold in both?", tmp_path / "s")
    assert refused.status == "abstained"


def test_people_without_names_in_one_video_do_not_cost_the_others(tmp_path: Path) -> None:
    spans = [(1, "person", 1.0, 4.0), (5, "bottle", 0.0, 20.0)]
    held = [Relation(1, "holding", 5, 2.0, 3.0, 0.9)]
    publish(tmp_path / "s", "one", duration_s=20.0, spans=spans, names=NAMES, relations=held)
    spans.append((2, "person", 2.0, 9.0))
    held.append(Relation(2, "holding", 5, 6.0, 7.0, 0.9))
    publish(tmp_path / "s", "two", duration_s=20.0, spans=spans, names=NAMES, relations=held)
    answer = ask("How many people held the bottle while somebody was in view?", tmp_path / "s")
    assert answer.status == "answered", answer.reason
    assert answer.claims[0].value == 1 and (answer.answer or "").startswith("In one, "), answer.answer
    assert "In two, several people have one name" in (answer.answer or "")


@pytest.fixture(scope="module")
def one_each(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A child and a caregiver with a toy each, and somebody without a role who has none."""
    store = tmp_path_factory.mktemp("one_each") / "store"
    spans = [
        *((1, "child", 0.0, 10.0), (2, "caregiver", 0.0, 10.0), (3, "person", 0.0, 10.0)),
        *((4, "bottle", 0.0, 10.0), (5, "cup", 0.0, 10.0)),
    ]
    holds = [Relation(1, "holding", 4, 1.0, 5.0, 0.9), Relation(2, "holding", 5, 1.0, 5.0, 0.9)]
    publish(store, "visit", duration_s=10.0, spans=spans, names=(*NAMES, "cup"), relations=holds)
    return store


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Did anyone hold two toys at once?", "no"),
        ("How long did anyone hold two toys at once?", 0.0),
        ("How many people held two toys at once?", 0),
        ("How many people held the bottle?", 1),
        ("At most how many toys did anyone hold at once?", 1),
        ("What is the largest number of toys that anyone held at once?", 1),
        ("What is the largest number of toys held at once?", 2),  # by all of them together
        ("At most how many toys did the child hold at once?", 1),
        ("Were two toys held at once?", "yes"),
    ],
)
def test_what_one_person_has_at_once_is_not_what_all_have(one_each: Path, question: str, value: object) -> None:
    answer = ask(question, one_each)
    assert (answer.status, answer.claims[0].value if answer.claims else answer.reason) == ("answered", value)


@pytest.mark.parametrize(
    "question",
    [
        "What is the largest number of people that held a toy at once?",
        "At most how many people were near a toy at once?",
        "At most how many toys was anyone near at once?",
    ],
)
def test_bouts_of_pairs_are_no_number_of_people(one_each: Path, toys: Path, question: str) -> None:
    """Who has two toys makes two bouts, and so do two people at one toy."""
    for store in (one_each, toys):
        assert ask(question, store).status == "abstained"


def test_the_most_that_anyone_has_is_not_told_of_two_of_a_name(toys: Path) -> None:
    answer = ask("At most how many toys did anyone hold at once?", toys)
    assert answer.status == "abstained" and "people have one name" in (answer.reason or "")


def test_who_does_not_count_a_person_by_two_names(tmp_path: Path) -> None:
    spans = [(1, "adult", 0.0, 8.0), (2, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0)]
    holding = [Relation(1, "holding", 3, 1.0, 3.0, 0.9), Relation(2, "holding", 3, 5.0, 6.0, 0.9)]
    names = ("adult", "child", "bottle")
    publish(tmp_path / "store", "visit", duration_s=10.0, spans=spans, names=names, relations=holding)
    assert "adult 2 s" in ask("Who held the bottle the longest?", tmp_path / "store").answer
    set_roles(tmp_path / "store", "visit", {1: "caregiver"})
    found = ask("Who held the bottle the longest?", tmp_path / "store").answer
    assert "the caregiver" in found and "tie" not in found and "adult" not in found
    assert "2 s" in ask("How long did the adult hold the bottle?", tmp_path / "store").answer


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two visits of an adult and a child; the adult of the first one is the caregiver. Nobody else is in the third."""
    store = tmp_path_factory.mktemp("renamed") / "store"
    names = ("adult", "child", "bottle")
    for video, begin_s in (("visit_1", 1.0), ("visit_2", 2.0)):
        spans = [(1, "adult", 0.0, 8.0), (2, "child", 0.0, 10.0), (3, "bottle", 0.0, 10.0)]
        holding = [Relation(1, "holding", 3, begin_s, 4.0, 0.9)]
        publish(store, video, duration_s=10.0, spans=spans, names=names, relations=holding)
    publish(store, "visit_3", duration_s=10.0, spans=[(2, "child", 0.0, 10.0)], names=names)
    set_roles(store, "visit_1", {1: "caregiver"})
    return store


@pytest.mark.parametrize("variable", ["$p", "$p in person"])
def test_a_name_that_nobody_is_left_of_has_no_value(renamed: Path, variable: str) -> None:
    """The adult of the first visit goes by the role; of the third one it is known that no adult was there."""
    rows = query(f"total(holding($p, bottle)) by video, {variable}", renamed).rows
    found = {(row.video_id, row.names["$p"]): row.value for row in rows}
    assert found.pop(("visit_1", "caregiver")) == pytest.approx(3.0)
    assert found.pop(("visit_2", "adult")) == pytest.approx(2.0)
    assert set(found) == {
        *((video, "child") for video in ("visit_1", "visit_2", "visit_3")),
        *(("visit_2", "caregiver"), ("visit_3", "caregiver"), ("visit_3", "adult")),
    }
    # Where "caregiver" has no value, nobody was marked as one; it is not left out.
    assert found["visit_3", "adult"] == 0.0


def test_time_in_which_nobody_is_called_so_is_in_no_denominator(renamed: Path) -> None:
    rows = {row.names["$p"]: row for row in query("rate(holding($p, bottle)) by $p", renamed).rows}
    assert rows["adult"].value == pytest.approx(60 * 1 / 20)  # of the second and third visit
    assert {item.video_id for item in rows["adult"].evidence} == {"visit_2", "visit_3"}
    assert rows["child"].processed_s == pytest.approx(30.0)
    [pooled] = query("rate(holding($p, bottle)) over $p", renamed).rows
    assert pooled.processed_s == pytest.approx(30.0)
    bins = query("total(visible($p)) by bin(5s), $p in person", renamed).rows
    assert not [row for row in bins if row.video_id == "visit_1" and row.names["$p"] == "adult"]
