"""The demo's steps in order. Every step is the function a user's own command would call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from visionllm_bench.demo.collect_report import gather_report
from visionllm_bench.demo.expected_answers import Truth, agrees, true_value
from visionllm_bench.demo.model import AskedQuestion
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze_videos
from visionllm_interaction.config import DemoConfig, DemoQuestion, Settings
from visionllm_interaction.pipeline import run_pipeline
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reports.run_report import write_report

log = structlog.get_logger()


def run_demo(settings: Settings, *, out: Path) -> tuple[dict[str, Any], str]:
    """Run the whole demo below ``out``; returns the JSON result and the text for people.

    What a former call finished is used again, so that a stopped demo continues.
    """
    room = _make_room(settings.demo, out)
    log.info("stages 1-4", data=str(room))
    placed = settings.model_copy(update={"data": settings.data.model_copy(update={"root": room})})
    pipeline = run_pipeline(placed)
    checkpoint = Path(pipeline["run"]) / "model_trainer" / "fasterrcnn_best.pt"
    videos = sorted((room / "videos").glob("*/*.mp4"))
    log.info("analysing", videos=len(videos))
    analysis = analyze_videos(videos, out / "store", detector=checkpoint, config=settings.analysis)
    asked = _ask_all(settings, analysis, out / "store")
    data = gather_report(settings, pipeline=pipeline, analysis=analysis, asked=asked, checkpoint=checkpoint, out=out)
    report = write_report(out / "report.html", data.report, category_names=data.category_names)
    return _result(pipeline, asked, report=report, store=out / "store", checkpoint=checkpoint)


def _make_room(demo: DemoConfig, out: Path) -> Path:
    room = out / f"toyroom_seed{demo.seed}_{demo.images}_pictures_{demo.videos}_videos_{demo.video_duration_s:g}s"
    if room.exists():
        log.info("ToyRoom is there already", folder=str(room))
        return room
    log.info("making ToyRoom", images=demo.images, videos=demo.videos, folder=str(room))
    config = ToyRoomConfig(video_seconds=demo.video_duration_s)
    make_toyroom(room, images=demo.images, videos=demo.videos, seed=demo.seed, config=config)
    return room


def _ask_all(settings: Settings, analysis: Mapping[str, Any], store: Path) -> tuple[AskedQuestion, ...]:
    return tuple(_ask_about(settings, question, analysis["videos"], store) for question in settings.demo.questions)


def _ask_about(
    settings: Settings, question: DemoQuestion, videos: Sequence[Mapping[str, Any]], store: Path
) -> AskedQuestion:
    video = videos[min(question.video, len(videos) - 1)]
    truth = Truth.load(Path(video["path"]).parent / "truth.json")
    return _ask_one(settings, question, video["video_id"], store, truth)


def _ask_one(settings: Settings, question: DemoQuestion, video_id: str, store: Path, truth: Truth) -> AskedQuestion:
    text = f"{question.text.rstrip('?')} in video {video_id}?"
    answer = ask(text, store, config=settings.reason, planner="rules").model_dump(mode="json")
    found = answer["claims"][0]["value"] if answer["claims"] else None
    expected = true_value(truth, question)
    right = agrees(question.measure, found, expected)
    log.info("asked", question=text, found=found, truth=round(expected, 2), agrees=right)
    return AskedQuestion(question, answer, expected, right)


def _result(
    pipeline: Mapping[str, Any], asked: tuple[AskedQuestion, ...], *, report: Path, store: Path, checkpoint: Path
) -> tuple[dict[str, Any], str]:
    result = {
        "report": str(report),
        "AP": pipeline["AP"],
        "AP50": pipeline["AP50"],
        "run": str(pipeline["run"]),
        "store": str(store),
        "questions": [
            {"question": a.question.text, "answer": a.answer["answer"], "truth": round(a.truth, 3), "agrees": a.agrees}
            for a in asked
        ],
    }
    lines = [
        f"report: {report}   (open it in a browser)",
        f"validation AP {pipeline['AP']:.3f}, AP50 {pipeline['AP50']:.3f}",
        *(
            f"{'ok ' if a.agrees else 'OFF'} {a.question.text} {a.answer['answer']} (truth {a.truth:.2f})"
            for a in asked
        ),
        "next, for example:",
        f'  visionllm ask "How long was the ball visible?" --store {store}',
        f"  visionllm lineage {checkpoint}",
        "  visionllm serve --insecure",
    ]
    return result, "\n".join(lines)


def _question_line(asked: AskedQuestion) -> str:
    verdict = "ok " if asked.agrees else "OFF"
    return f"{verdict} {asked.question.text} {asked.answer['answer']} (truth {asked.truth:.2f})"
