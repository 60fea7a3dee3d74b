"""`visionllm eval-reasoning`: a ToyRoom, its store from truth detections, questions with known answers, scores."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_bench.questions.generate import Wording, make_questions, read_questions_file
from visionllm_bench.questions.oracle import World
from visionllm_bench.questions.scoring import Summary, as_rows, score_questions, summary
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze
from visionllm_interaction.config import Settings
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import PlannerName, choose_planner
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath

# Small and coarse: boxes come from the truth, no detector sees the images.
_ROOM = ToyRoomConfig(video_width=320, video_height=240, video_seconds=40.0, fps=10.0)
_VIDEOS = 3


@dataclass(frozen=True)
class Benchmark:
    """How well a planner did.

    Attributes:
        planner: ``rules`` or ``llm``.
        model: name of the language model; ``None`` with rules.
        wording: of the questions.
        seed: of ToyRoom and questions.
        metrics: see :class:`~visionllm_bench.questions.scoring.Summary`.
    """

    planner: PlannerName
    model: str | None
    wording: str
    seed: int
    metrics: Summary

    def to_dict(self) -> dict[str, Any]:
        """One flat mapping, as ``visionllm eval-reasoning --json`` prints it."""
        about = {"planner": self.planner, "model": self.model, "wording": self.wording, "seed": self.seed}
        return {**about, **self.metrics.to_dict()}

    def to_text(self) -> str:
        """The metrics for people, one line per form."""
        overall = self.metrics.overall
        head = (
            f"{self.planner} planner, {self.wording}, {overall.questions} questions: plans "
            f"{_share_text(overall.plan_accuracy)}, answers {_share_text(overall.answer_accuracy)}, agree with "
            f"truth.json {_share_text(overall.agrees_with_truth)}, refusals {_share_text(overall.refusal_accuracy)}, "
            f"wrong answers {overall.wrong_answers}, {overall.median_s:.2f} s a question"
        )
        rows = [
            f"  {name:<24} {form.questions:>4}  {_share_text(form.plan_accuracy):>6} "
            f"{_share_text(form.answer_accuracy):>6} {_share_text(form.refusal_accuracy):>6}"
            for name, form in self.metrics.forms.items()
        ]
        return "\n".join([head, f"  {'form':<24} {'n':>4}  {'plans':>6} {'answer':>6} {'refuse':>6}", *rows])


def _share_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def evaluate_reasoning(
    settings: Settings,
    *,
    questions: int,
    seed: int,
    wording: Wording = "canonical",
    questions_file: StrPath | None = None,
    planner: PlannerName | None = None,
    store: StrPath | None = None,
    out: StrPath | None = None,
) -> Benchmark:
    """Score a planner on questions with known answers.

    Args:
        settings: of reasoning and, where a store is made, of analysis.
        questions: how many to ask.
        seed: of the ToyRoom and of the questions.
        wording: which texts of the package to use.
        questions_file: texts to use instead, see :func:`~visionllm_bench.questions.generate.read_questions_file`; the
            name of the file then stands for the wording.
        planner: ``rules`` or ``llm``; by default what ``settings`` configure.
        store: a store of ToyRoom videos; by default one is made from ``seed``.
        out: JSON file for every question with its score.

    Returns:
        What was asked, and the metrics.

    Raises:
        InputDataError: if ``questions_file`` cannot be used.
    """
    store = None if store is None else Path(store)
    out = None if out is None else Path(out)
    texts = read_questions_file(Path(questions_file)) if questions_file else None
    worded = Path(questions_file).stem if questions_file else wording
    chosen = choose_planner(settings.reason, planner)
    with tempfile.TemporaryDirectory() as folder:
        place = store or _make_store(Path(folder), seed=seed, settings=settings)
        with open_store(place) as opened:
            vocabulary = Vocabulary.of_store(opened, aliases=settings.reason.aliases)
            duration_s = min(float(opened.video(v)["duration_s"]) for v in opened.video_ids())
            asked = make_questions(
                vocabulary, count=questions, seed=seed, wording=worded, duration_s=duration_s, texts=texts
            )
            scores = score_questions(
                asked,
                opened,
                config=settings.reason,
                planner=chosen,
                truths=_truths(opened),
                progress=lambda s: log.info("asked", form=s.form, plan=s.plan_right, s=round(s.seconds, 1)),
            )
    model = settings.reason.endpoint.model if chosen == "llm" else None
    result = Benchmark(chosen, model, worded, seed, summary(scores))
    if out:
        content = {**result.to_dict(), "scores": as_rows(scores)}
        out.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return result


def _make_store(folder: Path, *, seed: int, settings: Settings) -> Path:
    made = make_toyroom(folder / "toyroom", images=0, videos=_VIDEOS, seed=seed, config=_ROOM)
    paths = [video.path for video in made.videos]
    analyze(paths, folder / "store", detections="truth", config=settings.analysis)
    return folder / "store"


def _truths(store: Store) -> list[World]:
    """The truth of every video, where truth.json lies beside it; empty if one has none."""
    places = {v: Path(store.video(v)["source"]["path"]).parent / "truth.json" for v in store.video_ids()}
    if not all(place.is_file() for place in places.values()):
        return []
    return [World.of_truth(video_id, place) for video_id, place in places.items()]
