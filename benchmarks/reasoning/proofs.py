"""What is proven about questions, as figures: python benchmarks/reasoning/proofs.py OUT.json [--tokenizer URL].

Runs the scripted endpoints of `tests/reasoning` at full size: 500 questions worded by an endpoint that corrupts three
claims in ten, 200 phrases held against `truth.json`, and what a question sends for a store of one minute and one of
ten hours (planning and wording; tokens are counted by the llama.cpp server at URL, characters otherwise).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "reasoning"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "reasoning" / "wording"))

import test_reason_ground
import test_reason_wording
from hand_made_store import FIRST_RELATIONS, FIRST_SPANS, publish
from scripted import scripted

from visionllm_bench.questions.generate import make_questions
from visionllm_interaction.core.tracks_relations_events import Relation
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, execute
from visionllm_interaction.reasoning.planning.llm_planner import plan_by_llm
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules
from visionllm_interaction.store.reader import open_store

Size = Callable[[str], int]
MINUTE_S, TEN_HOURS_S = 60.0, 36_000.0
EVERY_S = 600.0
QUESTIONS = 60


def make_store(folder: Path, duration_s: float) -> Path:
    """A video of ``duration_s`` in which the same twenty seconds happen every ten minutes."""
    starts = [n * EVERY_S for n in range(max(1, int(duration_s / EVERY_S)))]
    spans = [(track, name, s + begin, s + end) for s in starts for track, name, begin, end in FIRST_SPANS]
    relations = [
        Relation(r.subject_track_id, r.predicate, r.object_track_id, s + r.begin_s, s + r.end_s, r.confidence)
        for s in starts
        for r in FIRST_RELATIONS
    ]
    publish(folder / "store", "room_s7_000", duration_s=duration_s, spans=spans, relations=relations)
    return folder / "store"


def _always(reply: str, _body: dict[str, Any]) -> str:
    return reply


def sent(store_path: Path, size: Size) -> dict[str, list[int]]:
    """Size of what each question sends: to plan it, and to word its claims."""
    sizes: dict[str, list[int]] = {"planning": [], "wording": []}
    refuse = json.dumps({"measure": "unanswerable", **dict.fromkeys(("subject", "predicate", "object"), "none")})
    replies = {"planning": refuse[:-1] + ', "begin_s": null, "end_s": null}', "wording": '{"claims": []}'}
    with open_store(store_path) as store:
        vocabulary = Vocabulary.build(store.names(), store.video_ids())
        for kind, wording in (("planning", "paraphrase"), ("wording", "canonical")):
            asked = make_questions(vocabulary, count=QUESTIONS, seed=1, wording=wording, duration_s=20.0)  # type: ignore[arg-type]
            for question in asked:
                with scripted(partial(_always, replies[kind])) as endpoint:
                    config = EndpointConfig(base_url=endpoint.url, model="m", retries=0)
                    if kind == "planning":
                        plan_by_llm(question.text, vocabulary, config=config)
                    else:
                        planned = Planned(plan_by_rules(question.text, vocabulary), "rules")
                        reason = ReasonConfig(endpoint=config, wording="llm")
                        execute(planned, store, vocabulary=vocabulary, config=reason)
                texts = [message["content"] for body in endpoint.requests[:1] for message in body["messages"]]
                if texts:
                    sizes[kind].append(size("\n".join(str(text) for text in texts)))
    return sizes


def costs(size: Size, unit: str) -> dict[str, Any]:
    """The same questions on a store of one minute and on one of ten hours."""
    with tempfile.TemporaryDirectory() as folder:
        short = sent(make_store(Path(folder) / "short", MINUTE_S), size)
        long = sent(make_store(Path(folder) / "long", TEN_HOURS_S), size)
    found: dict[str, Any] = {"unit": unit}
    for kind, one in short.items():
        other = long[kind]
        found[kind] = {
            "questions": len(one),
            "median_one_minute": statistics.median(one),
            "median_ten_hours": statistics.median(other),
            "ratio": round(sum(other) / sum(one), 4),
            "largest_ratio": round(max(b / a for a, b in zip(one, other, strict=True)), 4),
            "p95": round(statistics.quantiles([*one, *other], n=20)[-1], 1),
        }
    return found


def lies() -> dict[str, Any]:
    """500 questions worded by an endpoint that corrupts three claims in ten."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        publish(store, "room_s7_000", duration_s=20.0, spans=FIRST_SPANS, relations=FIRST_RELATIONS)
        return test_reason_wording.measure(store, count=500)


def phrases() -> dict[str, Any]:
    """200 phrases grounded on ToyRoom, held against its truth."""
    with tempfile.TemporaryDirectory() as folder:
        right, wrong = test_reason_ground.measure(Path(folder), count=200)
    return {"phrases": 200, "exact": right, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", help="Address of a llama.cpp server, for example http://127.0.0.1:8081")
    options = parser.parse_args()

    def tokens(text: str) -> int:
        reply = httpx.post(f"{options.tokenizer}/tokenize", json={"content": text}, timeout=60.0)
        return len(reply.raise_for_status().json()["tokens"])

    size, unit = (tokens, "tokens") if options.tokenizer else (len, "characters")
    result = {"lying_endpoint": lies(), "ground": phrases(), "costs": costs(size, unit)}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
