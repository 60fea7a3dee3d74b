"""Answers computed from expressions: values worked out by hand, in the language of the question, and replayed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hand_made_store import FIRST_SPANS, SECOND_SPANS, publish

from visionllm_interaction.core.tracks_relations_events import Event, Relation
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning import Answer, ask
from visionllm_interaction.reasoning.question_templates import fill_template
from visionllm_interaction.reasoning.recheck_answer import replay

RELATIONS = [
    Relation(1, "near", 2, 6.0, 9.0, 0.9),
    Relation(1, "near", 2, 11.0, 12.0, 0.9),
    Relation(1, "in_contact", 3, 2.0, 3.5, 0.9),
    Relation(1, "holding", 3, 2.0, 3.0, 0.9),
    Relation(1, "holding", 5, 9.0, 10.0, 0.9),
    Relation(1, "holding", 5, 11.0, 13.5, 0.9),
    Relation(2, "holding", 5, 14.0, 20.0, 0.9),
]
EVENTS = [
    Event("e1", "picks_up", (1, 3), 2.0, 2.0, 0.9),
    Event("e2", "puts_down", (1, 3), 3.0, 3.0, 0.9),
    Event("e3", "enters", (2,), 5.0, 5.0, 0.9),
    Event("e4", "picks_up", (1, 5), 9.0, 9.0, 0.9),
    Event("e5", "puts_down", (1, 5), 10.0, 10.0, 0.9),
    Event("e6", "picks_up", (1, 5), 11.0, 11.0, 0.9),
    Event("e7", "hands_over", (1, 2, 5), 14.0, 14.0, 0.9),
    Event("e8", "leaves", (1,), 15.0, 15.0, 0.9),
]
# the first video with two people: child 1-15 s, caregiver 5-18 s, cup 8-14 s
SPANS = [span for span in FIRST_SPANS if span[1] != "cup"] + [(5, "cup", 8.0, 20.0)]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("room") / "store"
    publish(store, "room", duration_s=20.0, spans=SPANS, relations=RELATIONS, events=EVENTS)
    return store


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("rooms") / "store"
    publish(store, "room_a", duration_s=20.0, spans=SPANS, relations=RELATIONS, events=EVENTS)
    publish(store, "room_b", duration_s=10.0, spans=SECOND_SPANS)
    return store


# question, value of the first claim, a part of the answer
ASKED: tuple[tuple[str, object, str], ...] = (
    ("What did the child play with the most?", "cup", "the cup (3.5 s)"),
    ("Which two toys did the child hold longest?", "cup, ball", "the cup (3.5 s) and the ball (1 s)"),
    ("Which toys were never touched?", "block, book, car, teddy bear", "never so that"),
    ("Which toys did both of them hold?", "cup", "the cup"),
    ("Which two toys was the child near longest?", "none", "none"),
    ("What was the child touching at 2.5 seconds?", "ball", "the ball"),
    ("Who was near the child at 7 seconds?", "caregiver", "the caregiver"),
    ("How often did the caregiver hand something over?", 0, "never handed anything to anybody"),
    ("How many different toys did the child hold?", 2, "2 (the ball and the cup)"),
    ("How often did the child hand something to the caregiver?", 1, "1 time"),
    ("How long was the child alone?", 4.0, "in view and nobody else was for 4 s"),
    ("How much of the time was the child alone?", 20.0, "20 %"),
    ("For how long did neither of them hold anything?", 9.5, "nobody held anything for 9.5 s"),
    ("When did the child pick up the cup the second time?", 11.0, "time number 2"),
    ("When did the child pick up the cup the fifth time?", None, "there was no time number 5"),
    ("What did the child pick up right after putting down the ball?", "cup", "next: the cup"),
    ("What was the child holding at 12 seconds?", "cup", "at 12 s"),
    ("What was the caregiver holding at the end?", "cup", "at the end"),
    ("Was the caregiver near the child at 7 seconds?", "yes", "yes: at 7 s"),
    ("Was the caregiver near the child at 10 seconds?", "no", "was not near"),
    ("How long did it take until the caregiver came near the child?", 6.0, "it took 6 s"),
    ("Did the child hold the cup longer than the caregiver?", "no", "no: the child held the cup for 3.5 s"),
    ("Did the child ever hold two things at once, and for how long?", "no", "never held 2 objects at once"),
    (
        "How many of the child's holding bouts lasted longer than 2 seconds?",
        1,
        "the child held something 1 time for longer than 2 s",
    ),
    (
        "How many of the child's pick-ups were followed by the caregiver coming near within 5 seconds?",
        200 / 3,
        "66.67 % were followed within 5 s by this: the caregiver came near the child (2 of 3)",
    ),
    ("How long was the cup visible after the child first held it?", 11.0, "from the first time that the child held"),
    ("When did the child leave?", 15.0, "at 15 s"),
    ("When did the child enter?", None, "first seen at 1 s"),
    ("When did the caregiver leave?", None, "last seen at 17.9 s"),
    ("Hvor lenge var barnet alene?", 4.0, "barnet var synlig og ingen andre var det i 4 s"),
    ("Hva holdt barnet ved 12 sekunder?", "cup", "barnet holdt …: koppen"),
    ("Kven tok opp koppen sist?", "child", "barnet (11 s)"),
    ("Kor lang tid gjekk det før den vaksne kom nær barnet?", 6.0, "det tok 6 s"),
    ("Kva gjorde barnet etter 12 sekund?", "barnet var synleg og barnet heldt koppen", "ved 12 s"),
)


@pytest.mark.parametrize(("question", "value", "words"), ASKED)
def test_values_worked_out_by_hand(room: Path, question: str, value: object, words: str) -> None:
    answer = ask(question, room)
    assert answer.status == "answered", answer.reason
    expected = pytest.approx(value) if isinstance(value, float) else value
    assert answer.claims[0].value == expected, answer.answer
    assert words.casefold() in (answer.answer or "").casefold()
    assert not answer.dropped_claims
    assert all(claim.evidence for claim in answer.claims)


def test_the_plan_can_be_pasted_into_a_query(room: Path) -> None:
    answer = ask("How long was the child alone?", room)
    (step,) = answer.plan.expressions
    assert query(step.expression, room).value == answer.claims[0].value


def test_several_videos_are_told_together_and_apart(rooms: Path) -> None:
    answer = ask("How often did the child pick something up?", rooms)
    assert [(claim.operation, claim.value) for claim in answer.claims] == [
        ("expression", 3),
        ("value", 3),
        ("value", 0),
    ]
    assert "In 2 videos together" in (answer.answer or "")


def test_what_was_never_detected_in_a_video_is_said(rooms: Path) -> None:
    answer = ask("For how long did exactly one of them hold the cup?", rooms)
    assert "the cup was never detected in this video" in answer.claims[-1].text
    assert "the cup was never detected" not in answer.claims[1].text


def test_a_moment_that_never_comes_leaves_no_number(rooms: Path) -> None:
    answer = ask("How long was the ball visible after the child first held it?", rooms)
    of_b = next(claim for claim in answer.claims if "In room_b" in claim.text)
    assert of_b.value is None
    assert "the child never held the ball" in of_b.text


def test_the_video_is_chosen_by_its_place(rooms: Path) -> None:
    answer = ask("Which toys did the child never hold in the first video?", rooms)
    assert {item.video_id for item in answer.evidence} == {"room_a"}
    assert "in video" in answer.plan.expressions[0].expression


@pytest.mark.parametrize(
    "question", ["How long was the child alone?", "What did the child play with the most?", "What happens?"]
)
def test_answers_of_expressions_replay(rooms: Path, room: Path, question: str) -> None:
    answer = Answer.model_validate(json.loads(json.dumps(ask(question, rooms).to_json())))
    assert replay(answer, rooms).status == "holds"
    assert replay(answer, room).status == "changed"


def _sheet(folder: Path, *lines: str) -> Path:
    path = folder / "sheet.yaml"
    path.write_text(
        "\n".join(["name: alone", *lines, "outputs: {alone: How long was the child alone?}"]), encoding="utf-8"
    )
    return path


def test_a_sheet_has_each_video_in_its_own_row(rooms: Path, tmp_path: Path) -> None:
    assert [row.outputs["alone"] for row in fill_template(_sheet(tmp_path), rooms).rows] == [4.0, 8.0]


def test_a_sheet_of_windows_holds_no_number_of_the_whole_video(room: Path, tmp_path: Path) -> None:
    sheet = _sheet(tmp_path, "per: window", "window_s: 10")
    assert [row.outputs["alone"] for row in fill_template(sheet, room).rows] == [None, None]


def test_answers_stored_before_there_were_expressions_replay(room: Path) -> None:
    stored = ask("How long did the child hold the cup?", room).to_json()
    del stored["plan"]["expressions"]
    assert replay(Answer.model_validate(stored), room).status == "holds"


def test_a_changed_number_does_not_replay(room: Path) -> None:
    answer = ask("How long was the child alone?", room)
    false = answer.claims[0].model_copy(update={"value": 5.0, "text": answer.claims[0].text.replace("4 s", "5 s")})
    report = replay(answer.model_copy(update={"claims": (false,)}), room)
    assert (report.status, report.claims[0].holds) == ("changed", False)
