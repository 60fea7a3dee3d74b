"""Twelve free-word questions over a ToyRoom store with a real language model: `make test-llm`.

The endpoint is $VISIONLLM_LLM_URL (default http://127.0.0.1:8081/v1), the model $VISIONLLM_LLM_MODEL. The marker is
chosen on purpose, so an endpoint that is away is a failure, not a skip.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import toyroom_truth
import yaml
from test_reason_toyroom import assert_true

from visionllm_interaction.reasoning import EndpointConfig, Plan, ReasonConfig, ask
from visionllm_interaction.reasoning.recheck_answer import replay

pytestmark = [pytest.mark.llm, pytest.mark.timeout(3600)]

QUESTIONS = yaml.safe_load((Path(__file__).resolve().parent / "questions_llm.yaml").read_text(encoding="utf-8"))
ENOUGH = 9
TWICE = 8
# The order of the two does not matter for these.
SYMMETRIC = {"co_presence_duration", "near_duration", "contact_duration"}


def planned_right(plan: Plan, expect: Mapping[str, Any]) -> bool:
    """Whether ``plan`` asks the store for what the question means."""
    if expect.get("unanswerable") or plan.unanswerable:
        return bool(expect.get("unanswerable")) == bool(plan.unanswerable)
    if plan.expressions:
        return plan.expressions[0].expression in expect.get("expressions", ())
    (step,) = plan.steps
    found = {key: value for key, value in step.model_dump(exclude_none=True).items() if key != "video_id"}
    wanted = {key: value for key, value in expect.items() if key != "expressions"}
    if step.measure in SYMMETRIC:
        found["object"], found["subject"] = sorted((found["subject"], found["object"]))
        wanted["object"], wanted["subject"] = sorted((wanted["subject"], wanted["object"]))
    return found == wanted


def _config() -> ReasonConfig:
    return ReasonConfig(
        endpoint=EndpointConfig(
            base_url=os.environ.get("VISIONLLM_LLM_URL", "http://127.0.0.1:8081/v1"),
            model=os.environ.get("VISIONLLM_LLM_MODEL", "qwen2.5-coder-1.5b-instruct"),
            # The model may run on a busy CPU.
            timeout_s=600.0,
        )
    )


def test_the_same_question_twice_is_the_same_plan_and_evidence(tmp_path: Path) -> None:
    store, _ = toyroom_truth.make_store(tmp_path)
    texts = [question["question"] for question in QUESTIONS["questions"]][:TWICE]
    # all of them once and then all again, so that no answer can rest on what the endpoint has just computed
    first, second = ([ask(text, store, config=_config(), planner="llm") for text in texts] for _ in range(2))
    assert [answer.plan for answer in first] == [answer.plan for answer in second]
    assert [answer.evidence for answer in first] == [answer.evidence for answer in second]
    assert sum(answer.status == "answered" for answer in first) >= TWICE - 2
    for answer in first:
        assert replay(answer, store).status == "holds"


def test_free_words_are_planned_and_no_number_is_wrong(tmp_path: Path) -> None:
    store, truths = toyroom_truth.make_store(tmp_path)
    report = []
    for question in QUESTIONS["questions"]:
        begin = time.monotonic()
        answer = ask(question["question"], store, config=_config(), planner="llm")
        seconds = time.monotonic() - begin
        assert answer.planner == "llm"
        right = planned_right(answer.plan, question["expect"])
        report.append({"id": question["id"], "right": right, "seconds": round(seconds, 1), "tokens": answer.tokens})
        print(json.dumps({**report[-1], "answer": answer.answer, "reason": answer.reason}))
        if answer.status == "answered":
            assert not question["expect"].get("unanswerable"), f"answered the unanswerable: {answer.answer}"
            if answer.plan.steps:
                assert_true(answer, truths, question["expect"])
            else:
                assert right, answer.plan
    assert sum(entry["right"] for entry in report) >= ENOUGH, report
