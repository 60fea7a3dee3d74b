"""What was computed or answered from a video counts no more once it has changed, whoever changed it and when."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from coded_videos import code, make_video

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.results.measure_values import MeasureValues, Selection
from visionllm_interaction.server.results.questions.conversations import Conversations
from visionllm_interaction.server.results.questions.store_questions import StoreQuestions
from visionllm_interaction.store.reader import erase_video
from visionllm_interaction.store.writer import write_codes

QUESTION = "How long is the child visible?"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_video(tmp_path / "store", {"child": [(0, 5)]})


def questions(store: Path) -> StoreQuestions:
    return StoreQuestions(store, {}, ReasonConfig(planner="rules"), MeasuresConfig(), Conversations())


def test_a_follow_up_leans_on_the_present_analysis(store: Path) -> None:
    asked = questions(store)
    assert asked.say(QUESTION, video_id="a").answer.claims[0].value == 5.0
    before = asked.say("How do you know?", [QUESTION], video_id="a").answer
    make_video(store, {"child": [(0, 9)]})  # by a job, or at another service
    after = asked.say("How do you know?", [QUESTION], video_id="a").answer
    assert before.status == after.status == "answered"
    assert [answer.claims[0].value for answer in (before, after)] == [5.0, 9.0]


def test_a_follow_up_tells_nothing_of_an_erased_video(store: Path) -> None:
    asked = questions(store)
    make_video(store, {"dog": [(0, 2)]}, "b")
    asked.say(QUESTION, video_id="a")
    erase_video(store, "a")  # at another service, or on the command line
    answer = asked.say("How do you know?", [QUESTION], video_id="a").answer
    assert not [one for one in answer.claims if "5" in one.text]


def test_measures_are_those_of_the_present_codes_where_the_clock_was_set_back(store: Path) -> None:
    values = MeasureValues(store, MeasuresConfig())
    wanted = Selection("mean_dwell")
    yesterday = time.time() - 86_400
    for number, seconds in enumerate((4.0, 6.0)):
        write_codes(store, "a", [code("gaze", "child", "ball", 0, seconds)])
        os.utime(store / "videos" / "a" / "codes.parquet", (yesterday + number, yesterday + number))
        assert values.rows(wanted)["value"].to_pylist() == [seconds]
