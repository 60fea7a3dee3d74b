"""Commands that this package adds to ``visionllm``: toyroom, demo, eval-reasoning.

They are found by the entry point group ``visionllm.commands``.
"""

# Rooms are imported inside the commands, so that `visionllm --help` starts without torch.

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides


def toyroom(
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    images: Annotated[int, typer.Option(min=0, help="Images, four fifths for training.")] = 100,
    videos: Annotated[int, typer.Option(min=0, help="Videos, each with its truth.json.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same play room.")] = 0,
    view: Annotated[Literal["room", "ego"], typer.Option(help="Room camera or head camera.")] = "room",
    duration_s: Annotated[float, typer.Option(min=8.0, max=600.0, help="Length of each video, seconds.")] = 20.0,
    variable_rate: Annotated[bool, typer.Option(help="Videos with a variable frame rate.")] = False,
    sound: Annotated[
        bool, typer.Option("--sound", help="Videos with speech, a second recorder's sound and the transcript.")
    ] = False,
    gaze: Annotated[
        bool, typer.Option("--gaze", help="Where child and caregiver look, and recordings of their eye trackers.")
    ] = False,
    imu: Annotated[bool, typer.Option("--imu", help="What the head camera's inertial sensor measures.")] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Make images and videos of a simulated play room, with exact truth."""
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

    config = ToyRoomConfig(
        video_seconds=duration_s,
        frame_rate="variable" if variable_rate else "constant",
        sound=sound,
        gaze=gaze,
        imu=imu,
    )
    made = make_toyroom(out, images=images, videos=videos, seed=seed, view=view, config=config)
    counts = f"{made.images['train']} training and {made.images['val']} validation images, {len(made.videos)} videos"
    return CommandResult(made.to_dict(), f"{counts} in {out}", json_output)


def demo(
    out: Annotated[Path, typer.Option(help="The demo's folder.")] = Path("demo"),
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """The whole way on simulated data: images, stages 1-4, two videos, five questions, one report."""
    from visionllm_bench.demo import run_demo
    from visionllm_bench.demo.config import load_demo

    result = run_demo(load_demo(out, config, override), out=out)
    text = result.to_text()
    if json_output:
        sys.stderr.write(text + "\n")
    return CommandResult(result.to_dict(), text, json_output)


def eval_reasoning(
    questions: Annotated[int, typer.Option(min=1, help="How many questions.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the ToyRoom and of the questions.")] = 2026,
    wording: Annotated[
        Literal["canonical", "norwegian", "paraphrase"] | None,
        typer.Option(help="How they are worded. Default: canonical."),
    ] = None,
    questions_file: Annotated[
        Path | None, typer.Option(help="Texts to use instead: a YAML file, name of a form to list of texts.")
    ] = None,
    planner: Annotated[Literal["rules", "llm"] | None, typer.Option(help="The planner to score.")] = "rules",
    store: Annotated[Path | None, typer.Option(help="A store of ToyRoom videos; default: one is made.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write every question with its score to this JSON file.")] = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Score a planner on questions with known answers: plans, answers, evidence, refusals, tokens, seconds."""
    from visionllm_bench.demo.question_benchmark import evaluate_reasoning
    from visionllm_interaction.config import load
    from visionllm_interaction.errors import UsageError

    if wording is not None and questions_file is not None:
        raise UsageError(
            "The wording of the questions is given twice.",
            expected="--wording or --questions-file",
            found=f"--wording {wording} and --questions-file {questions_file}",
            fix="leave one of them out",
        )
    result = evaluate_reasoning(
        load(config, override),
        questions=questions,
        seed=seed,
        wording=wording or "canonical",
        questions_file=questions_file,
        planner=planner,
        store=store,
        out=out,
    )
    return CommandResult(result.to_dict(), result.to_text(), json_output)
