"""Questions over a store whose answers are worked out by hand; every figure is in conftest.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.errors import ConfigError, StoreError, UsageError
from visionllm_interaction.reasoning import Answer, EndpointConfig, ReasonConfig, ask

CONFIG = Path(__file__).resolve().parents[2] / "config" / "reason.yaml"

# question, value, unit, words
ONE_VIDEO: tuple[tuple[str, float | int | None, str, str], ...] = (
    ("How long was the ball visible?", 10.0, "s", "The ball was visible for 10 s."),
    ("How many cars are there?", 2, "count", "2 cars were counted (the most in view at once)."),
    ("How many books are there?", 1, "count", "1 book was counted (the most in view at once)."),
    ("How many people are there?", 2, "count", "At least 2 people were there (the most in view at once)."),
    ("When was the caregiver first seen?", 5.0, "s", "The caregiver was first seen at 5 s."),
    ("When was the car last seen?", 8.9, "s", "The car was last seen at 8.9 s."),
    (
        "How long were the child and the caregiver visible together?",
        10.0,
        "s",
        "The child and the caregiver were visible together for 10 s.",
    ),
    ("How long was the child near the caregiver?", 4.0, "s", "The child was near the caregiver for 4 s."),
    ("How long was the child touching the ball?", 1.9, "s", "The child was in contact with the ball for 1.9 s."),
    ("How many times did the child hold the cup?", 2, "count", "The child held the cup 2 times."),
    ("How many times did the child hold the book?", 1, "count", "The child held the book 1 time."),
    ("How many times did the child hold anything?", 3, "count", "The child held something 3 times."),
    (
        "What was the longest time the child held the cup?",
        2.5,
        "s",
        "The longest time the child held the cup was 2.5 s.",
    ),
    ("What was the longest time the ball was in view?", 6.0, "s", "The longest time the ball was in view was 6 s."),
    (
        "How many times were the child and the caregiver seen together?",
        1,
        "count",
        "The child was in view together with the caregiver 1 time.",
    ),
    (
        "How long was the ball visible between 5 and 10 seconds?",
        4.0,
        "s",
        "The ball was visible for 4 s (looking only between 5 s and 10 s).",
    ),
    ("When was the cup first seen before 3 seconds?", None, "s", "The cup was not seen (looking only before 3 s)."),
    ("Hvor lenge var ballen synlig?", 10.0, "s", "Ballen var synlig i 10 s."),
)


@pytest.mark.parametrize(("question", "value", "unit", "words"), ONE_VIDEO)
def test_values_units_and_words(one_video: Path, question: str, value: float | None, unit: str, words: str) -> None:
    answer = ask(question, one_video)
    assert answer.status == "answered"
    (claim,) = answer.claims
    assert claim.value == (pytest.approx(value) if value is not None else None)
    assert (claim.unit, claim.text, answer.answer) == (unit, words, words)
    assert claim.evidence == tuple(item.id for item in answer.evidence) == ("e1",)
    assert answer.dropped_claims == ()


def test_evidence_says_where_to_look(one_video: Path) -> None:
    (evidence,) = ask("How many times did the child hold the cup?", one_video).evidence
    assert (evidence.video_id, evidence.measure, evidence.kind) == ("room_s7_000", "bout_count", "computed")
    assert evidence.track_ids == (1, 5)
    assert (evidence.begin_s, evidence.end_s) == (9.0, 13.5)
    assert evidence.frames == (90, 134)


def test_videos_add_up(two_videos: Path) -> None:
    answer = ask("How long was the ball visible?", two_videos)
    assert [(claim.value, claim.operation, claim.evidence) for claim in answer.claims] == [
        (12.0, "sum", ("e1", "e2")),
        (10.0, "value", ("e1",)),
        (2.0, "value", ("e2",)),
    ]
    assert answer.answer == (
        "In 2 videos together, the ball was visible for 12 s. In room_s7_000, the ball was visible for 10 s. "
        "In room_s7_001, the ball was visible for 2 s."
    )


def test_counts_and_longest_bouts_take_the_largest(two_videos: Path) -> None:
    assert ask("How many children are there?", two_videos).claims[0].value == 1
    assert ask("What was the longest time the ball was in view?", two_videos).claims[0].value == 6.0
    assert ask("How many times was the ball visible?", two_videos).claims[0].value == 3


def test_times_of_different_videos_are_not_added(two_videos: Path) -> None:
    answer = ask("When was the caregiver first seen?", two_videos)
    assert [(claim.value, claim.operation) for claim in answer.claims] == [(5.0, "value"), (8.0, "value")]


def test_one_video_of_two(two_videos: Path) -> None:
    answer = ask("How long was the ball visible in room_s7_001?", two_videos)
    assert [claim.value for claim in answer.claims] == [2.0]
    assert {item.video_id for item in answer.evidence} == {"room_s7_001"}


def test_many_videos_are_summed_in_words_and_listed_in_claims(seven_videos: Path) -> None:
    answer = ask("How long was the ball visible?", seven_videos)
    assert answer.answer == "In 7 videos together, the ball was visible for 14 s."
    assert len(answer.claims) == 8
    listed = ask("When was the ball first seen?", seven_videos)
    assert (listed.answer or "").count("first seen at 4 s") == 5
    assert len(listed.claims) == 7


def test_comparison_names_the_winner_and_cites_both(two_videos: Path) -> None:
    answer = ask("Who was visible longer, the child or the caregiver?", two_videos)
    assert answer.answer == "In 2 videos together, visible longest: the child (child 24 s, caregiver 15 s)."
    assert (answer.claims[0].value, answer.claims[0].unit) == ("child", "name")
    assert answer.claims[0].evidence == ("e1", "e2", "e3", "e4")


def test_comparison_of_times_is_made_per_video(two_videos: Path) -> None:
    answer = ask("Who appeared first, the ball or the caregiver?", two_videos)
    winners = [claim for claim in answer.claims if claim.operation == "winner"]
    assert [claim.value for claim in winners] == ["ball", "ball"]
    assert winners[1].text == "In room_s7_001, first seen earliest: the ball (ball 4 s, caregiver 8 s)."


def test_tie_is_called_a_tie(one_video: Path) -> None:
    answer = ask("Are there more books than cups?", one_video)
    assert answer.claims[0].value == "tie"
    assert answer.answer == "Most numerous: a tie between the book and the cup (book 1, cup 1)."


def test_nothing_looked_at_is_not_nothing_seen(one_video: Path) -> None:
    answer = ask("How long was the ball visible between 50 and 60 seconds?", one_video)
    assert answer.status == "abstained"
    assert answer.reason == "no frame of any video was processed in the time asked about"


def test_abstained_has_a_reason_and_no_claims(one_video: Path) -> None:
    answer = ask("How long was the dog visible?", one_video)
    assert (answer.status, answer.answer, answer.claims, answer.evidence) == ("abstained", None, (), ())
    assert "'dog' is not in the store" in (answer.reason or "")


def test_json_has_the_keys_of_the_design(two_videos: Path) -> None:
    answer = json.loads(json.dumps(ask("How long was the ball visible?", two_videos).model_dump(mode="json")))
    assert answer.keys() >= {
        *("status", "answer", "claims", "evidence", "planner", "model", "plan", "dropped_claims", "reason", "tokens")
    }
    assert answer["claims"][0].keys() >= {"text", "value", "unit", "evidence"}
    assert list(answer["evidence"][0]) == [
        *("id", "measure", "value", "unit", "video_id", "track_ids", "begin_s", "end_s", "frames", "kind"),
        *("missing", "definition_version", "settings", "basis", "values", "corrected"),
    ]
    assert (answer["planner"], answer["model"], answer["tokens"]) == ("rules", None, 0)
    assert Answer.model_validate(answer).to_json() == answer


def test_same_question_same_answer(two_videos: Path) -> None:
    question = "How long were the child and the caregiver visible together?"
    assert ask(question, two_videos) == ask(question, two_videos)


@pytest.mark.parametrize("question", ["", "   \n ", "x" * 501])
def test_empty_and_endless_questions_are_usage_errors(one_video: Path, question: str) -> None:
    with pytest.raises(UsageError):
        ask(question, one_video)


def test_missing_store_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        ask("How long was the ball visible?", tmp_path / "none")


def test_llm_without_endpoint_is_a_config_error(one_video: Path) -> None:
    with pytest.raises(ConfigError, match=r"base_url"):
        ask("How long was the ball visible?", one_video, planner="llm")


def test_planner_asked_for_beats_the_configured_one(one_video: Path) -> None:
    # Nothing listens on port 9: reaching for the endpoint would fail.
    endpoint = EndpointConfig(base_url="http://127.0.0.1:9/v1", model="m")
    answer = ask("How long was the ball visible?", one_video, config=ReasonConfig(endpoint=endpoint), planner="rules")
    assert answer.planner == "rules"


def test_shipped_config_is_the_default() -> None:
    import yaml

    content = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    assert ReasonConfig.model_validate(content["reason"]) == ReasonConfig()
    assert content["reason"]["endpoint"].keys() == EndpointConfig.model_fields.keys()
    assert content["reason"].keys() == ReasonConfig.model_fields.keys()


def test_model_must_be_named_with_an_endpoint() -> None:
    with pytest.raises(ConfigError, match="model"):
        load_settings(ReasonConfig, overrides=["endpoint.base_url=http://127.0.0.1:1/v1"])
