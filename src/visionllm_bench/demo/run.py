"""The demo's steps in order. Every step is the function a user's own command would call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_bench.demo.asked_question import AskedQuestion
from visionllm_bench.demo.collect_report import gather_report
from visionllm_bench.demo.config import DemoConfig, DemoQuestion, DemoSettings
from visionllm_bench.demo.expected_answers import Truth, agrees, true_value
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze
from visionllm_interaction.pipeline import run_pipeline
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reports.run_report import write_report
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True)
class DemoResult:
    """What the demo came to.

    Attributes:
        report: the HTML page.
        run: folder of stages 1 to 4.
        store: of the analysed videos.
        videos: folder of the simulated videos.
        checkpoint: the detector.
        ap: validation AP.
        ap50: validation AP50.
        questions: each with its answer and the truth.
    """

    report: Path
    run: Path
    store: Path
    videos: Path
    checkpoint: Path
    ap: float
    ap50: float
    questions: tuple[AskedQuestion, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``visionllm demo --json`` prints them."""
        return {
            "report": str(self.report),
            "AP": self.ap,
            "AP50": self.ap50,
            "run": str(self.run),
            "store": str(self.store),
            "questions": [asked.to_dict() for asked in self.questions],
        }

    def to_text(self) -> str:
        """The same for people, with commands to try next."""
        return "\n".join(
            [
                f"report: {self.report}   (open it in a browser)",
                f"validation AP {self.ap:.3f}, AP50 {self.ap50:.3f}",
                *(asked.to_text() for asked in self.questions),
                "next, for example:",
                f'  visionllm ask "How long was the ball visible?" --store {self.store}',
                f"  visionllm lineage {self.checkpoint}",
                f"  visionllm serve --insecure -o serve.store={self.store} -o serve.detector={self.checkpoint}"
                f" -o serve.media_dirs=[{self.videos}]",
            ]
        )


def run_demo(settings: DemoSettings, *, out: StrPath) -> DemoResult:
    """Run the whole demo; what an earlier call finished is used again, so that a stopped demo continues.

    Args:
        settings: see :func:`~visionllm_bench.demo.config.load_demo`.
        out: folder of everything the demo makes.

    Returns:
        What it came to.
    """
    out = Path(out)
    room = _make_room(settings.demo, out)
    log.info("stages 1-4", data=str(room))
    placed = settings.model_copy(update={"data": settings.data.model_copy(update={"root": room})})
    pipeline = run_pipeline(placed).to_dict()
    checkpoint = Path(pipeline["run"]) / "model_trainer" / "fasterrcnn_best.pt"
    videos = sorted((room / "videos").glob("*/*.mp4"))
    log.info("analysing", videos=len(videos))
    store = out / "store"
    analysis = analyze(videos, store, detector=checkpoint, config=settings.analysis).to_dict()
    asked = _ask_all(settings, analysis, store)
    data = gather_report(settings, pipeline=pipeline, analysis=analysis, asked=asked, checkpoint=checkpoint, out=out)
    report = write_report(out / "report.html", data.report, category_names=data.category_names)
    return DemoResult(
        report=report,
        run=Path(pipeline["run"]),
        store=store,
        videos=room / "videos",
        checkpoint=checkpoint,
        ap=pipeline["AP"],
        ap50=pipeline["AP50"],
        questions=asked,
    )


def _make_room(demo: DemoConfig, out: Path) -> Path:
    room = out / f"toyroom_seed{demo.seed}_{demo.images}_pictures_{demo.videos}_videos_{demo.video_duration_s:g}s"
    if room.exists():
        log.info("ToyRoom is there already", folder=str(room))
        return room
    log.info("making ToyRoom", images=demo.images, videos=demo.videos, folder=str(room))
    config = ToyRoomConfig(video_seconds=demo.video_duration_s)
    make_toyroom(room, images=demo.images, videos=demo.videos, seed=demo.seed, config=config)
    return room


def _ask_all(settings: DemoSettings, analysis: Mapping[str, Any], store: Path) -> tuple[AskedQuestion, ...]:
    return tuple(_ask_about(settings, question, analysis["videos"], store) for question in settings.demo.questions)


def _ask_about(
    settings: DemoSettings, question: DemoQuestion, videos: Sequence[Mapping[str, Any]], store: Path
) -> AskedQuestion:
    video = videos[min(question.video, len(videos) - 1)]
    truth = Truth.load(Path(video["path"]).parent / "truth.json")
    return _ask_one(settings, question, video["video_id"], store, truth)


def _ask_one(settings: DemoSettings, question: DemoQuestion, video_id: str, store: Path, truth: Truth) -> AskedQuestion:
    text = f"{question.text.rstrip('?')} in video {video_id}?"
    answer = ask(text, store, config=settings.reason, planner="rules").model_dump(mode="json")
    found = answer["claims"][0]["value"] if answer["claims"] else None
    expected = true_value(truth, question)
    right = agrees(question.measure, found, expected)
    log.info("asked", question=text, found=found, truth=round(expected, 2), agrees=right)
    return AskedQuestion(question, answer, expected, right)
