"""A plan needs a word in the question that speaks for it; what names something else never reaches a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import scripted

from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig, ask
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.intent import read_intent
from visionllm_interaction.reasoning.planning.lexical_evidence import supported_measures, unknown_object
from visionllm_interaction.reasoning.planning.plan_against_words import compared_measures

# question, why it must never reach a model
REFUSED: tuple[tuple[str, str], ...] = (
    ("How often did the caregiver yell?", "sound and speech"),
    ("How often did the caregiver yodel?", "no word of the question speaks of anything"),
    ("Was the child well behaved?", "no word of the question speaks of anything"),
    ("How many metres did the child walk?", "sizes, speeds, looks"),
    ("For how long was the child next to the television?", "'television' is not in the store"),
    ("For how many seconds was the red car to be seen?", "'red' is not in the store"),
    ("On how many occasions did the child carry a guitar?", "'guitar' is not in the store"),
    ("How many seconds did the child carry Grandpa's umbrella?", "is not in the store"),
    ("How many seconds did the child squander nearby?", "names one thing of the store"),
)


@pytest.mark.parametrize(("question", "reason"), REFUSED)
def test_refused_without_asking_the_model(one_video: Path, question: str, reason: str) -> None:
    with scripted(lambda body: json.dumps({"measure": "visible_duration"})) as endpoint:
        config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="m", timeout_s=20.0))
        answer = ask(question, one_video, config=config, planner="llm")
    assert answer.status == "abstained"
    assert reason in (answer.reason or "")
    assert endpoint.requests == []


# text, the only measures its words leave
SUPPORTED: tuple[tuple[str, set[str]], ...] = (
    ("how often did the child shout", set()),
    ("how many balls does one see", {"instance_count", "visible_duration"}),
    ("how long was the ball gone", {"visible_duration", "absent_duration"}),
    ("how long did the child stroke the ball", {"contact_duration"}),
    ("how long did the child stand by the ball", {"near_duration"}),
)


@pytest.mark.parametrize(("text", "left"), SUPPORTED)
def test_measures_that_a_word_speaks_for(vocabulary: Vocabulary, text: str, left: set[str]) -> None:
    every = frozenset(
        {
            *("visible_duration", "absent_duration", "instance_count"),
            *("near_duration", "contact_duration", "holding_duration"),
        }
    )
    assert supported_measures(text, every, vocabulary) == left


def test_names_of_things_speak_for_nothing() -> None:
    """ "Hand puppet" is a name here, not a hand that holds something."""
    vocabulary = Vocabulary.build(["child", "hand puppet"], [])
    assert supported_measures("is the child a hand puppet", frozenset({"holding_duration"}), vocabulary) == frozenset()
    assert unknown_object("was the hand puppet in the picture for the whole time", vocabulary) is None


_TIMES = frozenset({"first_seen", "last_seen", "first_onset", "last_offset"})
COMPARED: tuple[tuple[str, set[str]], ...] = (
    ("who can be seen earlier the child or the caregiver", {"first_seen", "first_onset"}),
    ("who disappears later the child or the caregiver", {"last_seen", "last_offset"}),
    ("who stopped carrying the cup earlier the child or the caregiver", {"last_seen", "last_offset"}),
    ("who was seen for more time the child or the caregiver", {"visible_duration"}),
    ("who touched the cup more often the child or the caregiver", {"bout_count"}),
)


@pytest.mark.parametrize(("text", "left"), COMPARED)
def test_what_a_comparison_compares(text: str, left: set[str]) -> None:
    assert compared_measures(text, _TIMES | {"visible_duration", "bout_count"}) == left


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("how many seconds longer than the cup was the ball visible", "ball", "cup"),
        ("how much longer was the ball visible than the cup", "ball", "cup"),
        ("by how many seconds does the ball's time exceed that of the cup", "ball", "cup"),
    ],
)
def test_what_stands_after_than_is_taken_off(vocabulary: Vocabulary, text: str, first: str, second: str) -> None:
    _, intent = read_intent(text, vocabulary)
    assert (intent.combine, intent.alternatives) == ("difference", (first, second))
