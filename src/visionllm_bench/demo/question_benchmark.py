"""`visionllm eval-reasoning`: a ToyRoom, its store from truth detections, questions with known answers, scores."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import structlog

from visionllm_bench.questions.generate import Wording, make_questions
from visionllm_bench.questions.oracle import World
from visionllm_bench.questions.scoring import as_rows, score_questions, summary
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze_videos
from visionllm_interaction.config import Settings
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import PlannerName, choose_planner
from visionllm_interaction.store.reader import Store, open_store

log = structlog.get_logger()

# Small and coarse: the boxes are given, nothing looks at the images.
_ROOM = ToyRoomConfig(video_width=320, video_height=240, video_seconds=40.0, fps=10.0)
_VIDEOS = 3


def evaluate_reasoning(
    settings: Settings,
    *,
    questions: int,
    seed: int,
    wording: Wording,
    planner: PlannerName | None,
    store: Path | None,
    out: Path | None,
) -> dict[str, Any]:
    """Score a planner on ``questions`` questions about ToyRoom videos made from ``seed``, or about those of ``store``.

    Returns:
        The figures of ``reason.evaluation.score.summary``, with planner, model, wording and seed.
    """
    chosen = choose_planner(settings.reason, planner)
    with tempfile.TemporaryDirectory() as folder:
        place = store or _make_store(Path(folder), seed=seed, settings=settings)
        with open_store(place) as opened:
            vocabulary = Vocabulary.build(opened.known_names(), opened.video_ids(), aliases=settings.reason.aliases)
            duration_s = min(float(opened.video(v)["duration_s"]) for v in opened.video_ids())
            asked = make_questions(vocabulary, count=questions, seed=seed, wording=wording, duration_s=duration_s)
            scores = score_questions(
                asked,
                opened,
                config=settings.reason,
                planner=chosen,
                truths=_truths(opened),
                progress=lambda s: log.info("asked", form=s.form, plan=s.plan_right, s=round(s.seconds, 1)),
            )
    model = settings.reason.endpoint.model if chosen == "llm" else None
    result = {"planner": chosen, "model": model, "wording": wording, "seed": seed, **summary(scores)}
    if out:
        out.write_text(json.dumps({**result, "scores": as_rows(scores)}, indent=1), encoding="utf-8")
    return result


def _make_store(folder: Path, *, seed: int, settings: Settings) -> Path:
    made = make_toyroom(folder / "toyroom", images=0, videos=_VIDEOS, seed=seed, config=_ROOM)
    paths = [Path(video["path"]) for video in made["videos"]]
    analyze_videos(paths, folder / "store", detections="truth", config=settings.analysis)
    return folder / "store"


def _truths(store: Store) -> list[World]:
    """The truth of every video, where truth.json lies beside it; empty if one has none."""
    places = {v: Path(store.video(v)["source"]["path"]).parent / "truth.json" for v in store.video_ids()}
    if not all(place.is_file() for place in places.values()):
        return []
    return [World.of_truth(video_id, place) for video_id, place in places.items()]
