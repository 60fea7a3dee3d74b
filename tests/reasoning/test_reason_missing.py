"""Every measure × every way of having no value: the sentence says what it is, and an input that lacks is no zero."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from coded_videos import make_video
from hand_made_store import NAMES, publish

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.core.tracks_relations_events import Code, Relation
from visionllm_interaction.measures.api import MEASURES, Query, run_query
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, ask, execute
from visionllm_interaction.reasoning.planning.capabilities import PROCESSED_DURATION, SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Plan, Step
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.writer import write_codes

BARE, CODED, NARROW = "bare", "coded", "narrow"
SPANS = [(1, "child", 0.0, 10.0), (2, "ball", 0.0, 10.0), (3, "book", 0.0, 10.0)]
OF_VIEW = frozenset({"object_size", "centredness", "competitor_count", "dominance"})
SPEECH = frozenset({"turn_count", "turn_lag"})
SEEN_AGAIN = ("never in view", "not seen", "never seen", "was visible for 0")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 10 s with child, ball and book; the ball is held for 2 s; nobody but the child is there.

    ``bare`` has no codes. Of ``coded`` speech, gaze and naming were imported. The detector of ``narrow`` knows only
    child, ball and book; that of the others also caregiver and cup, which were never seen.
    """
    store = tmp_path_factory.mktemp("missing") / "store"
    held = [Relation(1, "holding", 2, 2.0, 4.0, 0.9)]
    for video, names in ((BARE, NAMES), (CODED, NAMES), (NARROW, ("child", "ball", "book"))):
        publish(store, video, duration_s=10.0, spans=SPANS, relations=held, names=names)
    codes = [
        Code("s1", "talk", "speech", "child", "", 1.0, 2.0, "x"),
        Code("s2", "talk", "speech", "caregiver", "", 8.0, 9.0, "x"),
        Code("g1", "gaze", "gaze", "child", "book", 3.0, 4.0, "x"),
        Code("n1", "names", "naming", "caregiver", "book", 5.0, 5.5, "x"),
    ]
    write_codes(store, CODED, codes)
    return store


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        yield opened


def query(measure: str, subject: str, other: str, video: str, **window: float) -> Query:
    inputs = MEASURES[measure].inputs
    predicate = {"bout": "holding", "event": "picks_up"}.get(inputs)
    return Query(measure, subject, None if inputs == "one" else other, predicate, video_id=video, **window)


def one(store: Store, asked: Query) -> Evidence:
    [found] = run_query(store, asked)
    return found


@pytest.mark.parametrize("measure", MEASURES)
def test_what_the_detector_does_not_look_for_is_not_zero(store: Store, measure: str) -> None:
    subject, other = ("cup", "child") if MEASURES[measure].inputs == "one" else ("child", "cup")
    found = one(store, query(measure, subject, other, NARROW))
    assert found.value is None
    if measure in SPEECH:
        assert found.missing == "no speech was imported"
    elif measure == "size_at_naming":
        assert found.missing == "no naming was imported"
    else:
        assert found.missing == "the detector does not look for 'cup'"


@pytest.mark.parametrize("measure", MEASURES)
def test_what_was_looked_for_and_never_seen_is_a_result(store: Store, measure: str) -> None:
    subject, other = ("cup", "child") if MEASURES[measure].inputs == "one" else ("child", "cup")
    found = one(store, query(measure, subject, other, CODED))
    if measure in SPEECH:
        assert (found.value, found.missing) == (None, "no speech of 'cup' was imported")
    else:
        assert (found.value, found.missing) == (MEASURES[measure].nothing, None)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_was_not_processed_is_not_zero(store: Store, measure: str) -> None:
    other = "caregiver" if measure in SPEECH else "ball"
    found = one(store, query(measure, "child", other, CODED, begin_s=50.0))
    if measure in SPEECH:  # codes have no frames: nothing was said then
        assert (found.value, found.missing) == (MEASURES[measure].nothing, None)
    else:
        assert (found.value, found.missing) == (None, "no frame was processed")


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        (Query("bout_count", "child", predicate="speaks"), "no speech was imported"),
        (Query("bout_count", "child", "ball", predicate="looks_at"), "no gaze was imported"),
        (Query("longest_bout", "child", "ball", predicate="names"), "no naming was imported"),
        (Query("bout_rate", "child", predicate="speaks"), "no speech was imported"),
        (Query("bout_count", "child", "ball", predicate="facing"), "no head directions were imported"),
        (Query("near_duration", "ball", "book"), "it is measured only where somebody is on one of the sides"),
        (Query("mean_gap", "ball", "book"), "it is measured only where somebody is on one of the sides"),
        (Query("bout_count", "ball", "book", predicate="left_of"), "it is measured only where somebody is on one"),
        (Query("holding_duration", "child", "caregiver"), "it is measured only between somebody and what can be held"),
        (Query("event_count", "ball", predicate="enters"), "only people are the first actor of an event"),
        (Query("visible_duration", "cup"), None),
        (Query("bout_count", "child", predicate="near"), None),
        (Query("bout_count", "child", "ball", predicate="left_of"), None),
        (Query("co_presence_duration", "ball", "cup"), None),
    ],
)
def test_each_input_that_lacks_is_named(store: Store, asked: Query, missing: str | None) -> None:
    found = {e.video_id: e for e in run_query(store, asked)}[BARE]
    assert (found.missing or "").startswith(missing or "") and bool(found.missing) == bool(missing)
    assert (found.value is None) == bool(missing)


def test_who_is_coded_elsewhere_said_nothing_here(path: Path, tmp_path: Path) -> None:
    # The caregiver is coded in another video of the store: that nothing is coded of it here is a result, and 0.
    copy = shutil.copytree(path, tmp_path / "copy")
    write_codes(copy, BARE, [Code("s", "talk", "speech", "child", "", 1.0, 2.0, "y")])
    with open_store(copy) as again:
        found = one(again, Query("bout_count", "caregiver", predicate="speaks", video_id=BARE))
        stranger = one(again, Query("bout_count", "ball", predicate="speaks", video_id=BARE))
    assert (found.value, found.missing) == (0, None)
    assert stranger.missing == "no speech of 'ball' was imported"


def step_of(measure: str, video: str, *, subject: str = "ball", person: str = "child") -> Step:
    inputs = SIGNATURES[measure].inputs
    if inputs == "one":
        return Step(measure=measure, subject=subject, video_id=video)
    predicate = "holding" if inputs == "bout" else None
    other = "caregiver" if measure in SPEECH else subject
    return Step(measure=measure, subject=person, object=other, predicate=predicate, video_id=video)


def answer_of(store: Store, step: Step) -> Answer:
    planned = Planned(Plan(steps=(step,)), "rules")
    return execute(planned, store, vocabulary=Vocabulary.of_store(store), config=ReasonConfig())


LLM_MEASURES = [name for name in SIGNATURES if name != PROCESSED_DURATION]


@pytest.mark.parametrize("measure", LLM_MEASURES)
def test_no_sentence_says_never_of_what_was_in_view_all_the_time(store: Store, measure: str) -> None:
    answer = answer_of(store, step_of(measure, BARE))
    said = answer.answer or answer.reason or ""
    assert said and not answer.dropped_claims
    assert not [words for words in SEEN_AGAIN if words in said], said
    if measure in SPEECH:
        assert answer.status == "abstained" and said.endswith("is not known: no speech was imported")
    elif measure == "size_at_naming":
        assert answer.status == "abstained"
        assert said == "size at naming of the ball is not known: no naming was imported"
    else:
        assert answer.status == "answered", answer.reason


@pytest.mark.parametrize("measure", LLM_MEASURES)
def test_each_sentence_about_what_was_never_seen_says_so_or_zero(store: Store, measure: str) -> None:
    answer = answer_of(store, step_of(measure, CODED, subject="cup"))
    assert answer.status == "answered" and not answer.dropped_claims, (answer.reason, answer.dropped_claims)
    assert "not known" not in (answer.answer or "") and "None" not in (answer.answer or "")
    if measure in OF_VIEW:
        assert answer.answer == "The cup was never in view."
    elif SIGNATURES[measure].inputs == "bout" and measure not in ("bout_count", "bout_rate"):
        assert answer.answer == "The child never held the cup."
    elif measure == "turn_lag":
        assert answer.answer.startswith("The caregiver never answered the child (beginning at most 2 s")
    elif measure == "size_at_naming":
        assert answer.answer == "No processed time around a naming of the cup was found."


@pytest.mark.parametrize("measure", LLM_MEASURES)
def test_each_measure_of_one_bout_has_a_sentence_with_its_value(store: Store, measure: str) -> None:
    answer = answer_of(store, step_of(measure, CODED, subject="book" if measure == "size_at_naming" else "ball"))
    assert answer.status == "answered" and len(answer.claims) == 1
    if SIGNATURES[measure].inputs == "bout":
        assert answer.claims[0].value is not None


def test_a_total_and_a_mean_are_over_the_videos_that_have_the_input(store: Store) -> None:
    step = Step(measure="visible_duration", subject="cup")
    answer = answer_of(store, step)
    [total] = [claim for claim in answer.claims if claim.operation == "sum"]
    assert total.text == "In 2 videos together, the cup was visible for 0 s." and not answer.dropped_claims
    assert "In narrow, visible duration of the cup is not known" in (answer.answer or "")


@pytest.mark.parametrize("combine", ["videos", "exists"])
def test_a_conclusion_leaves_out_what_is_not_known(path: Path, combine: str) -> None:
    with open_store(path) as store:
        measure, predicate, target = ("bout_count", "holding", "cup")
        step = Step(measure=measure, subject="child", object=target, predicate=predicate)
        planned = Planned(Plan(steps=(step,), combine=combine), "rules")
        answer = execute(planned, store, vocabulary=Vocabulary.of_store(store), config=ReasonConfig())
    assert not answer.dropped_claims
    [concluded] = [claim for claim in answer.claims if claim.operation in ("videos", "yes_no")]
    assert len(concluded.evidence) == 2 and ("2 videos" in concluded.text)
    assert concluded.value in (0, "no")
    assert "is not known: the detector does not look for 'cup'" in (answer.answer or "")


def test_nothing_is_compared_with_what_is_not_known(store: Store) -> None:
    steps = tuple(Step(measure="visible_duration", subject=name, video_id=NARROW) for name in ("ball", "cup"))
    planned = Planned(Plan(steps=steps, combine="largest"), "rules")
    answer = execute(planned, store, vocabulary=Vocabulary.of_store(store), config=ReasonConfig())
    assert [claim.operation for claim in answer.claims] == ["value", "value"]
    assert answer.answer == (
        "The ball was visible for 10 s. Visible duration of the cup is not known: the detector does not look for 'cup'."
    )


def test_asked_in_words(path: Path) -> None:
    config = ReasonConfig()

    def said(question: str) -> str:
        answer = ask(question, path, config=config, planner="rules")
        return f"{answer.status}: {answer.answer or answer.reason}"

    assert said("size at naming of the ball in bare").startswith("abstained: size at naming of the ball is not known")
    assert said("How long was the cup visible in coded?") == "answered: The cup was visible for 0 s."
    assert said("How many times did the child speak in coded?") == "answered: The child spoke 1 time."
    assert said("How many times did the child speak in bare?").endswith("no speech was imported")
    assert said("Did the child look at the book in coded?") == "answered: Yes: the child looked at the book 1 time."
    assert said("Did the child look at the ball in coded?") == "answered: No: the child looked at the ball 0 times."
    assert "speech the store knows who spoke when" in said("What did the child whisper?")


@pytest.mark.parametrize(
    "question",
    [
        "How long was the cup visible?",
        "In which video did the child hold the cup longest?",
        "Hvor lenge var koppen synlig?",
    ],
)
def test_the_videos_that_are_left_out_are_listed_with_the_reason(path: Path, question: str) -> None:
    answer = ask(question, path)
    assert answer.status == "answered", answer.reason
    listed = answer.to_json()["left_out"]
    assert listed == [{"video_id": NARROW, "reason": "the detector does not look for 'cup'"}]
    assert Answer.model_validate(answer.to_json()) == answer
    assert ask("How long was the ball visible?", path).left_out == ()
    assert ask("How long did the child hold the cup before the child first held the book?", path).left_out == ()


def test_without_any_import_the_refusal_says_that_there_is_none(one_video: Path) -> None:
    assert "no speech was imported" in (ask("How many times did the child speak?", one_video).reason or "")
    assert "none was imported" in (ask("Did the child look at the caregiver?", one_video).reason or "")


@pytest.mark.parametrize("word", ["girls", "boys", "sons", "daughters", "jenter"])
def test_girls_and_boys_are_not_children_in_other_words(one_video: Path, word: str) -> None:
    question = f"hvor mange {word} er det" if word == "jenter" else f"How many {word} are there?"
    answer = ask(question, one_video, planner="rules")
    assert answer.status == "abstained" and f"knows child and not '{word}'" in (answer.reason or "")


@pytest.mark.parametrize("limit", ["while the ball is visible", "after the ball appeared"])
def test_a_distance_within_limits_in_a_store_without_people_is_refused(limit: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    make_video(store, {"ball": [(1, 5)], "book": [(2, 6)]}, "a")
    answer = ask(f"What is the average distance between the ball and the book {limit}?", store, planner="rules")
    assert answer.status == "abstained" and "distance" in (answer.reason or "")
