"""How many questions a planner reads right: python benchmarks/reasoning/plan_accuracy.py FILE [--planner llm].

FILE is YAML like questions_dev.yaml. The names are ToyRoom's; nothing is computed over a store. Prints one JSON object:
how many plans are right, how many are refusals that should have been plans, how many are *wrong* (a plan that would
give the number of something else), seconds and tokens.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from visionllm_interaction.reasoning import EndpointConfig, Plan
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.llm_planner import plan_by_llm
from visionllm_interaction.reasoning.planning.prompts import prompt_digest
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

NAMES = ("ball", "block", "book", "car", "caregiver", "child", "cup", "person", "teddy bear")


def key(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two queries the same; relations between two things hold both ways."""
    predicate = step.get("predicate") or "visible"
    pair = (step["subject"], step.get("object"))
    ordered = pair if predicate == "holding" else tuple(sorted(pair, key=str))
    return (step["measure"], ordered, predicate, float(step.get("begin_s") or 0), step.get("end_s"))


def verdict(plan: Plan, expect: Mapping[str, Any]) -> str:
    """``right``, ``refused`` (should have been planned) or ``wrong``."""
    if plan.unanswerable:
        return "right" if expect.get("unanswerable") else "refused"
    if expect.get("unanswerable") or len(plan.steps) != 1:
        return "wrong"
    return "right" if key(plan.steps[0].model_dump()) == key(expect) else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--planner", choices=("rules", "llm"), default="llm")
    parser.add_argument("--base-url", default="http://127.0.0.1:8081/v1")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--timeout-s", type=float, default=600.0)
    options = parser.parse_args()
    vocabulary = Vocabulary.build(NAMES, [])
    config = EndpointConfig(base_url=options.base_url, model=options.model, timeout_s=options.timeout_s)
    rows = []
    for question in yaml.safe_load(options.file.read_text(encoding="utf-8"))["questions"]:
        begin, tokens, requests = time.monotonic(), 0, 0
        if options.planner == "rules":
            plan = plan_by_rules(question["question"], vocabulary)
        else:
            plan, usage = plan_by_llm(question["question"], vocabulary, config=config)
            tokens, requests = usage.input_tokens, usage.requests
        seconds = time.monotonic() - begin
        rows.append((verdict(plan, question["expect"]), seconds, tokens, requests, question["question"]))
        print(f"{rows[-1][0]:8} {seconds:6.1f} s  {question['question']}", file=sys.stderr, flush=True)
    counts = {name: sum(row[0] == name for row in rows) for name in ("right", "refused", "wrong")}
    print(
        json.dumps(
            {
                "file": str(options.file),
                "planner": options.planner,
                "model": options.model if options.planner == "llm" else None,
                "prompt_sha256": prompt_digest(vocabulary) if options.planner == "llm" else None,
                "questions": len(rows),
                **counts,
                "median_s": round(statistics.median(row[1] for row in rows), 2),
                "max_s": round(max(row[1] for row in rows), 2),
                "median_input_tokens": statistics.median(row[2] for row in rows),
                "requests": sum(row[3] for row in rows),
                "not_right": [(row[0], row[4]) for row in rows if row[0] != "right"],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
