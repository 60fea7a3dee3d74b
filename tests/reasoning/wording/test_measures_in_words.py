"""Every measure that can be asked for by its name is said in words, with its unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dyad_builders import dyad_store
from hand_made_store import publish

from visionllm_interaction.core.tracks_relations_events import Event, Relation
from visionllm_interaction.reasoning import Answer, ask
from visionllm_interaction.reasoning.planning.capabilities import SIGNATURES
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan
from visionllm_interaction.reasoning.wording.verify_expression_claims import verified_claims
from visionllm_interaction.store.reader import open_store

PAIRS = {"turn_count": "the child and the caregiver", "turn_lag": "the child and the caregiver"}
UNITS = {
    **dict.fromkeys(("visible_share", "object_size", "dominance", "size_at_naming"), " %"),
    "mean_gap": " heights",
    "turn_count": " times",
}


@pytest.fixture(scope="module")
def dyads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dyad_store(tmp_path_factory.mktemp("dyads") / "store", videos=("one", "two"))


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three visits: the longest holding is of one toy in the third, the most toys are held in the second.

    In a fourth there are two children with a toy each.
    """
    store = tmp_path_factory.mktemp("visits") / "store"
    people = [(1, "child", 0.0, 10.0), (2, "caregiver", 0.0, 10.0)]
    toys = [(3, "ball", 0.0, 10.0), (4, "book", 0.0, 10.0), (5, "cup", 0.0, 10.0)]
    held = {
        "visit_1": [(1, 3, 1.0, 3.0), (1, 4, 4.0, 6.0), (2, 5, 1.0, 2.0)],
        "visit_2": [(1, 3, 1.0, 2.0), (1, 4, 3.0, 4.0), (1, 5, 5.0, 6.0), (2, 4, 7.0, 9.0)],
        "visit_3": [(1, 3, 1.0, 9.0)],
        "visit_4": [(1, 3, 1.0, 2.0), (6, 4, 1.0, 2.0)],
    }
    for video, bouts in held.items():
        spans = [*people, *toys, *([(6, "child", 0.0, 10.0)] if video == "visit_4" else [])]
        relations = [Relation(who, "holding", what, begin, end, 0.9) for who, what, begin, end in bouts]
        if video == "visit_3":
            relations.append(Relation(2, "in_contact", 4, 1.0, 2.0, 0.9))
        events = [Event(f"p{n}", "picks_up", (who, what), t, t, 0.9) for n, (who, what, t, _) in enumerate(bouts)]
        publish(store, video, duration_s=10.0, spans=spans, relations=relations, events=events)
    return store


@pytest.mark.parametrize(
    "measure", [name for name, signature in SIGNATURES.items() if signature.inputs in ("one", "pair")]
)
def test_a_measure_is_said_in_words_with_its_unit(dyads: Path, measure: str) -> None:
    pair = SIGNATURES[measure].inputs == "pair"
    about = PAIRS.get(measure, "the child and the ball") if pair else "the ball"
    answer = ask(f"What is the {measure.replace('_', ' ')} of {about}?", dyads)
    assert answer.status == "answered", answer.reason
    assert not answer.dropped_claims
    for claim in answer.claims:
        assert f"{measure.replace('_', ' ')} of" not in claim.text or measure == "centredness"
        assert not re.search(r"\d (?:share|heights?|per_min)\b", claim.text.replace(" reference", ""), re.ASCII) or (
            measure == "mean_gap"
        )
        assert UNITS.get(measure, "") in claim.text


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who held the most different toys?", "who held the most different objects: the child (3 objects)."),
        ("Hvem holdt flest leker?", "hvem holdt flest ulike gjenstander: barnet (3 gjenstander)."),
        ("Hvem holdt færrest leker?", "hvem holdt færrest ulike gjenstander: den voksne (2 gjenstander)."),
        ("Who touched the most toys?", "who touched or held the most different objects: the child (3 objects)."),
        ("How many more toys did the child hold than the caregiver?", "the difference is 1 object."),
        ("Who picked up the most toys?", "who picked up the most different objects: the child (3 objects)."),
    ],
)
def test_a_number_of_objects_is_no_number_of_times(visits: Path, question: str, text: str) -> None:
    answer = ask(question, visits)
    assert answer.status == "answered", answer.reason
    assert text in (answer.answer or "")
    assert "`" not in (answer.answer or "") and " times" not in (answer.answer or "")


def known(answer: Answer) -> list[object]:
    return [claim.value for claim in answer.claims if claim.value is not None]


@pytest.mark.parametrize(
    ("question", "video"),
    [
        ("In which video were the most toys held?", "visit_1, visit_2"),
        ("In which video did the child hold the most toys?", "visit_2"),
        ("In which video did the child hold the fewest toys?", "visit_3"),
        ("In which video were the fewest toys touched?", "visit_3, visit_4"),
        ("In which video did the child pick up the most things?", "visit_2"),
        ("In which video did mum hold the fewest things?", "visit_3, visit_4"),
        ("In which session did the caregiver hold the fewest things?", "visit_3, visit_4"),
        ("I hvilken video holdt barnet flest leker?", "visit_2"),
        ("I hvilken video holdt barnet færrest leker?", "visit_3"),
        ("In which video did the child hold something the most?", "visit_3"),  # of time, as before
        ("In which video did the child hold the ball the most?", "visit_3"),
    ],
)
def test_the_video_with_the_most_toys_counts_toys(visits: Path, question: str, video: str) -> None:
    answer = ask(question, visits)
    assert answer.status == "answered", answer.reason
    assert known(answer) == [video], answer.answer
    if "child" in question and "toys" in question:
        assert "In visit_4, several people have one name here" in (answer.answer or "")


@pytest.mark.parametrize(
    ("question", "instead"),
    [
        ("Which video has the most toys?", "At most how many toys were in view?"),
        ("In which video were the most toys seen?", "At most how many toys were in view?"),
        ("Hvilken video har flest leker?", "At most how many toys were in view?"),
        ("I hvilken video var det færrest leker?", "At most how many toys were in view?"),
        ("Which video had the most people?", "In which video were the most toys held?"),
        ("In which video did the most people hold the ball?", "In which video were the most toys held?"),
        ("In which video did the child hold the most cups?", "Who held the most toys?"),
        ("Which child touched the most toys?", "give people names of their own"),
        # at once, or one after the other?
        ("In how many videos did the child hold at least two toys?", "How many different toys did the child hold"),
        ("Did the child hold two toys?", "Did the child hold 2 toys at once?"),
        ("Holdt barnet to leker?", "Did the child hold 2 toys at once?"),
        ("In which video did the caregiver hold more than one toy?", "Did the child hold 2 toys at once?"),
    ],
)
def test_what_is_not_counted_is_refused_with_the_nearest_question(visits: Path, question: str, instead: str) -> None:
    answer = ask(question, visits)
    assert answer.status == "abstained", answer.answer
    assert instead in (answer.reason or "")
    if instead.endswith("?"):
        assert ask(instead, visits).status == "answered"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("turns(child, caregiver)", "4 turns"),
        ("mean_number(visible(thing))", "`mean_number(visible(thing))`: 1.83."),
        ("burstiness(picks_up(child))", "`burstiness(picks_up(child))`: -0."),
        ("rate(holding(child, ball))", "the child held the ball 1 times per minute"),
        ("2 * rate(holding(child, ball))", "2 per minute"),
        ("objects_handled(child)", "the child held 2 different objects"),
    ],
)
def test_values_without_a_sentence_have_their_unit(dyads: Path, expression: str, text: str) -> None:
    plan = Plan(expressions=(ExpressionStep(expression=expression),))
    with open_store(dyads) as store:
        found = verified_claims(plan, store)
    assert text in found.text


def test_the_video_is_the_value_where_a_video_is_asked_for(visits: Path) -> None:
    answer = ask("Which video has the longest holding bout?", visits)
    assert [claim.value for claim in answer.claims] == ["visit_3"]
    assert (answer.answer or "").endswith("is visit_3 (8 s).")
    never = ask("In which videos did the caregiver not hold anything?", visits)
    assert never.answer == "In these videos it is never so that the caregiver held something: visit_3 and visit_4."


def test_what_ends_a_condition_is_said_in_words(dyads: Path) -> None:
    answer = ask("How often did the child pick something up within 3 seconds after the caregiver spoke?", dyads)
    assert "within 3 s after the caregiver stopped speaking" in (answer.answer or "")
    assert "`" not in (answer.answer or "")
