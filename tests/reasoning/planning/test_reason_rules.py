"""The rule planner: which question becomes which plan, and why others are refused."""

from __future__ import annotations

import pytest

from visionllm_interaction.measures.api import CATALOGUE
from visionllm_interaction.reasoning.language.patterns import Form, Row, compile_rows, normalise
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Step
from visionllm_interaction.reasoning.planning.rule_planner import FORMS, plan_by_forms, plan_by_rules

# question, measure, subject, object, predicate
ONE_STEP: tuple[tuple[str, str, str, str | None, str | None], ...] = (
    # visible_duration
    ("How long was the ball visible?", "visible_duration", "ball", None, None),
    ("How long is the ball in view?", "visible_duration", "ball", None, None),
    ("For how long can you see the teddy?", "visible_duration", "teddy bear", None, None),
    ("how long could the toy car be seen", "visible_duration", "car", None, None),
    ("How much time was the cup on screen in total?", "visible_duration", "cup", None, None),
    ("How many seconds was the book visible?", "visible_duration", "book", None, None),
    ("How long did the child appear?", "visible_duration", "child", None, None),
    ("How long was mum in the room?", "visible_duration", "caregiver", None, None),
    ("What was the total time the ball was visible?", "visible_duration", "ball", None, None),
    ("Please tell me how long the ball was visible.", "visible_duration", "ball", None, None),
    ("I'd like to know how long the kid was in the picture", "visible_duration", "child", None, None),
    # instance_count
    ("How many children are there?", "instance_count", "child", None, None),
    ("How many blocks are there in the video?", "instance_count", "block", None, None),
    ("How many different cars were seen?", "instance_count", "car", None, None),
    ("How many teddy bears can you see?", "instance_count", "teddy bear", None, None),
    ("How many people are there?", "instance_count", "person", None, None),
    ("What is the number of cups?", "instance_count", "cup", None, None),
    ("Count the blocks", "instance_count", "block", None, None),
    ("How many bricks?", "instance_count", "block", None, None),
    # first_seen, last_seen
    ("When was the caregiver first seen?", "first_seen", "caregiver", None, None),
    ("When did the caregiver first appear?", "first_seen", "caregiver", None, None),
    ("At what time does the ball appear for the first time?", "first_seen", "ball", None, None),
    ("When was the first time the cup was visible?", "first_seen", "cup", None, None),
    ("When do we first see the book?", "first_seen", "book", None, None),
    ("When was the car last seen?", "last_seen", "car", None, None),
    ("When was the last time the teddy bear was in view?", "last_seen", "teddy bear", None, None),
    ("Can you tell me when the ball was last visible?", "last_seen", "ball", None, None),
    # co_presence_duration
    ("How long did the child and caregiver appear together?", "co_presence_duration", "child", "caregiver", None),
    ("How long were the child and the ball visible together?", "co_presence_duration", "child", "ball", None),
    ("How long were both the kid and the mum in view?", "co_presence_duration", "child", "caregiver", None),
    ("How long were the cup and the book both visible?", "co_presence_duration", "cup", "book", None),
    ("How much time were the car and the ball in view at the same time?", "co_presence_duration", "car", "ball", None),
    ("How long was the child together with the caregiver?", "co_presence_duration", "child", "caregiver", None),
    # near_duration
    ("How long were the child and the caregiver near each other?", "near_duration", "child", "caregiver", None),
    ("How long was the baby close to the parent?", "near_duration", "child", "caregiver", None),
    ("How much time did the child spend near the teddy bear?", "near_duration", "child", "teddy bear", None),
    ("How long was the child next to the car?", "near_duration", "child", "car", None),
    ("How long were the caregiver and the child close together?", "near_duration", "caregiver", "child", None),
    (
        "What is the total proximity time between the child and the caregiver?",
        "near_duration",
        "child",
        "caregiver",
        None,
    ),
    # contact_duration
    ("How long was the child in contact with the ball?", "contact_duration", "child", "ball", None),
    ("How long did the child touch the ball?", "contact_duration", "child", "ball", None),
    ("How long was the child touching the teddy?", "contact_duration", "child", "teddy bear", None),
    ("How long were the child and the ball in contact?", "contact_duration", "child", "ball", None),
    ("How long did the child and the caregiver touch each other?", "contact_duration", "child", "caregiver", None),
    ("What was the total contact time between the child and the cup?", "contact_duration", "child", "cup", None),
    # bout_count
    ("How many times did the child hold the cup?", "bout_count", "child", "cup", "holding"),
    ("How often was the child holding the ball?", "bout_count", "child", "ball", "holding"),
    ("How often was the cup held by the child?", "bout_count", "child", "cup", "holding"),
    ("On how many occasions did the caregiver carry the child?", "bout_count", "caregiver", "child", "holding"),
    ("How many times did the child touch the ball?", "bout_count", "child", "ball", "in_contact"),
    ("How many times were the child and the ball in contact?", "bout_count", "child", "ball", "in_contact"),
    ("How often did the caregiver come close to the child?", "bout_count", "caregiver", "child", "near"),
    ("How many times were mum and child near each other?", "bout_count", "caregiver", "child", "near"),
    ("How many times was the ball visible?", "bout_count", "ball", None, "visible"),
    ("How often did the caregiver appear?", "bout_count", "caregiver", None, "visible"),
    ("How many times were the child and the caregiver seen together?", "bout_count", "child", "caregiver", "visible"),
    # longest_bout
    (
        "What was the longest time the child was in contact with the ball?",
        "longest_bout",
        "child",
        "ball",
        "in_contact",
    ),
    ("What was the longest time that the child held the book?", "longest_bout", "child", "book", "holding"),
    ("What is the longest stretch the cup was held by the child?", "longest_bout", "child", "cup", "holding"),
    ("What was the longest period of the child holding the cup?", "longest_bout", "child", "cup", "holding"),
    (
        "How long was the longest time the child and mum were near each other?",
        "longest_bout",
        "child",
        "caregiver",
        "near",
    ),
    ("What was the longest bout of the child being near the car?", "longest_bout", "child", "car", "near"),
    ("What is the longest time the ball was in view?", "longest_bout", "ball", None, "visible"),
    # Norwegian
    ("Hvor lenge var ballen synlig?", "visible_duration", "ball", None, None),
    ("Hvor lenge var bamsen i bildet?", "visible_duration", "teddy bear", None, None),
    ("Hvor mange klosser er det?", "instance_count", "block", None, None),
    ("Når ble barnet først sett?", "first_seen", "child", None, None),
    ("Når ble bilen sist sett?", "last_seen", "car", None, None),
    ("Når ble boka sett for siste gang?", "last_seen", "book", None, None),
    ("Hvor lenge var barnet og pappa synlige samtidig?", "co_presence_duration", "child", "caregiver", None),
    ("Hvor lenge var barnet og mamma i nærheten av hverandre?", "near_duration", "child", "caregiver", None),
    ("Hvor lenge var barnet i kontakt med ballen?", "contact_duration", "child", "ball", None),
    ("Hvor mange ganger holdt barnet i koppen?", "bout_count", "child", "cup", "holding"),
    ("Hva var den lengste tiden barnet holdt boken?", "longest_bout", "child", "book", "holding"),
)


@pytest.mark.parametrize(("question", "measure", "subject", "target", "predicate"), ONE_STEP)
def test_question_becomes_one_query(
    vocabulary: Vocabulary, question: str, measure: str, subject: str, target: str | None, predicate: str | None
) -> None:
    plan = plan_by_forms(question, vocabulary)
    assert plan.unanswerable is None
    assert plan.steps == (
        Step.model_validate({"measure": measure, "subject": subject, "object": target, "predicate": predicate}),
    )


def test_ruling_forms_out_by_the_words_they_need_loses_none() -> None:
    """Whatever a whole pattern matches passes the look at its words; most other forms are never compiled."""
    for text in (normalise(row[0]) for row in ONE_STEP):
        found = [form for form in FORMS if form.pattern.fullmatch(text)]
        assert found and [form for form in FORMS if form.match(text)] == found
    cut = [Form(form.row, form.source, form.macros) for form in FORMS]
    assert not any(form.match("the child is near the ball") for form in cut)
    assert sum("pattern" in vars(form) for form in cut) < len(cut) / 20


def test_a_form_needs_the_words_of_what_is_not_optional() -> None:
    macros = {"be": "is|were", "ever": "(?: ever| at all)", "toy": "(?:of the )?toys?", "any": "{be}|"}
    texts = ("who {be} (?:near|close to) {a}{ever}? {toy}", "{any} {a}(?: or)? b?", "{toy}|in {be}")
    first, second, third = compile_rows([Row("bout_count", texts)], macros)
    assert first.needs == (("who",), ("is", "were"), ("near", "close"), ("toy",))
    assert second.needs == ()
    assert third.needs == (("toy", "in"),)


def test_table_covers_every_measure_at_least_five_times() -> None:
    asked = [row[1] for row in ONE_STEP]
    assert set(asked) == set(CATALOGUE)
    assert len(ONE_STEP) >= 60
    assert min(asked.count(measure) for measure in CATALOGUE) >= 5


# question, video, begin_s, end_s
SCOPED: tuple[tuple[str, str | None, float | None, float | None], ...] = (
    ("How long was the ball visible in video room_s7_001?", "room_s7_001", None, None),
    ("How long was the ball visible in room_s7_000?", "room_s7_000", None, None),
    ("In ROOM_S7_001, how long was the ball visible?", "room_s7_001", None, None),
    ("How long was the ball visible between 5 and 10 seconds?", None, 5, 10),
    ("Between 5 s and 10.5 s, how long was the ball visible?", None, 5, 10.5),
    ("How long was the ball visible from 0:05 to 1:10?", None, 5, 70),
    ("How long was the ball visible between 0.5 and 2 minutes?", None, 30, 120),
    ("How long was the ball visible between 30 seconds and 2 minutes?", None, 30, 120),
    ("How long was the ball visible in the first 10 seconds?", None, None, 10),
    ("How long was the ball visible during the first 2 minutes?", None, None, 120),
    ("How long was the ball visible after 7 seconds?", None, 7, None),
    ("How long was the ball visible before 1:30?", None, None, 90),
    ("Between 5 and 10 seconds, how long was the ball visible in video room_s7_000?", "room_s7_000", 5, 10),
    ("How long was the ball visible in the first minute?", None, None, 60),
    ("How long was the ball visible in the opening ten seconds?", None, None, 10),
    ("How long was the ball visible from second 5 up to second 12?", None, 5, 12),
    ("Hvor lenge var ballen synlig mellom fem og ti sekunder?", None, 5, 10),
    ("Hvor lenge var ballen synlig i det første minuttet?", None, None, 60),
    ("How long was the ball visible after half a minute?", None, 30, None),
    ("How long was the ball visible between five and ten seconds?", None, 5, 10),
    ("Hvor lenge var ballen synlig mellom 5 og 10 sekunder?", None, 5, 10),
    ("Hvor lenge var ballen synlig i de første 2 minuttene?", None, None, 120),
    ("Hvor lenge var ballen synlig i videoen room_s7_001 etter 3 sekunder?", "room_s7_001", 3, None),
)


@pytest.mark.parametrize(("question", "video_id", "begin_s", "end_s"), SCOPED)
def test_video_and_window_are_read(
    vocabulary: Vocabulary, question: str, video_id: str | None, begin_s: float | None, end_s: float | None
) -> None:
    (step,) = plan_by_forms(question, vocabulary).steps
    assert (step.measure, step.subject) == ("visible_duration", "ball")
    assert (step.video_id, step.begin_s, step.end_s) == (video_id, begin_s, end_s)


@pytest.mark.parametrize(
    ("question", "measure", "subjects", "combine"),
    [
        ("Who was visible longer, the child or the caregiver?", "visible_duration", ("child", "caregiver"), "largest"),
        ("Was the ball visible longer than the cup?", "visible_duration", ("ball", "cup"), "largest"),
        (
            "Which was visible for the shortest time, the ball or the cup?",
            "visible_duration",
            ("ball", "cup"),
            "smallest",
        ),
        ("Who appeared first, the child or mum?", "first_seen", ("child", "caregiver"), "smallest"),
        ("Are there more cars than blocks?", "instance_count", ("car", "block"), "largest"),
        ("How long were the child and the caregiver visible?", "visible_duration", ("child", "caregiver"), "each"),
    ],
)
def test_comparisons_have_two_steps(
    vocabulary: Vocabulary, question: str, measure: str, subjects: tuple[str, ...], combine: str
) -> None:
    plan = plan_by_forms(question, vocabulary)
    assert [step.measure for step in plan.steps] == [measure] * 2
    assert tuple(step.subject for step in plan.steps) == subjects
    assert plan.combine == combine


# question, a part of the reason
REFUSED: tuple[tuple[str, str], ...] = (
    # names that are not in the store, with the nearest ones
    ("How long was the dog visible?", "'dog' is not in the store; it knows child, caregiver, ball"),
    ("How long was the bal visible?", "'bal' is not in the store; did you mean ball?"),
    ("How long was the red ball visible?", "'red ball' is not in the store; did you mean ball?"),
    ("When did the caregivr first appear?", "'caregivr' is not in the store; did you mean caregiver?"),
    ("How many elephants are there?", "'elephants' is not in the store"),
    ("How many times did the child hold the lamp?", "'lamp' is not in the store"),
    ("How long was the ball visible in video room_s7_002?", "no video 'room_s7_002'; did you mean room_s7_00"),
    ("How long was the ball visible in room_s9_000?", "no video 'room_s9_000'"),
    # outside the catalogue
    ("Was the child happy?", "feelings"),
    ("What did the caregiver say?", "speech"),
    ("Why did the child hold the cup?", "reasons"),
    ("How long was the child near the ball without the caregiver?", "near 'without'"),
    ("How fast did the child walk?", "sizes"),
    ("Is the child's development normal?", "judgements of people"),
    ("How long was the child visible while the dog was away?", "'dog' is not in the store"),
    ("When did the dog leave?", "'dog' is not in the store"),
    # no form
    ("How many times did the child jump?", "the word 'jump' is not understood"),
    ("How many times did the child yellow?", "the word 'yellow' is not understood"),
    ("42", "none of the known forms"),
    # a window that ends before it begins
    ("How long was the ball visible between 10 and 5 seconds?", "ends at 5 s, before it begins at 10 s"),
    ("How many cars were there at 12 seconds?", "not what they ask together"),
)


@pytest.mark.parametrize(("question", "reason"), REFUSED)
def test_refusals_say_why(vocabulary: Vocabulary, question: str, reason: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert plan.steps == ()
    assert any(part in (plan.unanswerable or "") for part in reason.split("|")), plan.unanswerable


def test_names_of_the_store_beat_synonyms() -> None:
    vocabulary = Vocabulary.build(["bear", "teddy bear"], [])
    assert vocabulary.resolve("the bears") == "bear"
    assert vocabulary.resolve("a teddy") == "teddy bear"


def test_aliases_of_the_user_are_words_too() -> None:
    vocabulary = Vocabulary.build(["caregiver"], [], aliases={"caregiver": ["Oma"], "dog": ["pup"]})
    assert plan_by_rules("How long was Oma visible?", vocabulary).steps[0].subject == "caregiver"
    assert vocabulary.resolve("pup") is None


def test_empty_store_refuses() -> None:
    plan = plan_by_rules("How long was the ball visible?", Vocabulary.build([], []))
    assert plan.unanswerable == "'ball' is not in the store; it knows no names at all"


def test_a_name_with_pattern_characters_is_only_text() -> None:
    vocabulary = Vocabulary.build(["c++ (toy)", ".*"], ["a.b"])
    assert plan_by_rules("How long was the c++ (toy) visible?", vocabulary).steps[0].subject == "c++ (toy)"
    assert plan_by_rules("How long was the dog visible in axb?", vocabulary).steps == ()
