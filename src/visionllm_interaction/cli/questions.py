"""Commands on questions and quantities: ask, chat, query, describe, replay, ground, look."""

# Packages are imported inside the commands, so that questions are answered without torch.

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from visionllm_interaction.cli.formatting import answer_text, as_lines, regions_text, reply_text
from visionllm_interaction.cli.output import (
    ByOption,
    CameraOption,
    CommandResult,
    ConfigFiles,
    JsonFlag,
    Overrides,
    SessionOption,
    StoreOption,
    session_choice,
)
from visionllm_interaction.config_file_order import layers
from visionllm_interaction.config_loading import Section, load_if_only
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.utils.path_type import StrPath

PlannerOption = Annotated[
    Literal["rules", "llm"] | None,
    typer.Option(help="Default: rules, then the language model for what they do not read, if one is configured."),
]

VideoOption = Annotated[str | None, typer.Option(help="video_id; needed where the store has several videos.")]


class QuestionSettings(Section):
    """The sections that commands on questions need."""

    measures: MeasuresConfig = MeasuresConfig()
    """Definitions of measures."""
    reason: ReasonConfig = ReasonConfig()
    """Questions."""


def load_question_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> QuestionSettings:
    """The sections ``measures`` and ``reason`` of :func:`visionllm_interaction.config.load`.

    If only these sections are set, the other sections are not imported, which saves a short question seconds.
    Otherwise the whole configuration is checked, so that no mistake goes unnoticed.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        Both sections.

    Raises:
        ConfigError: with all problems at once.
    """
    alone = load_if_only(QuestionSettings, layers(files or ()), overrides or ())
    if alone is not None:
        return alone
    from visionllm_interaction.config import load

    settings = load(files, overrides)
    return QuestionSettings(measures=settings.measures, reason=settings.reason)


def ask(
    question: Annotated[str | None, typer.Argument(help="A question in plain words.")] = None,
    store: StoreOption = Path("store"),
    planner: PlannerOption = None,
    template: Annotated[
        str | None, typer.Option(help="Fill this coding sheet: a built-in name or a YAML file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --template: write the rows to this CSV file.")] = None,
    by: ByOption = "video",
    session: SessionOption = None,
    camera: CameraOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the plan and the expression behind every number.")
    ] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Answer a question with numbers computed from the store, or refuse it with the reason."""
    from visionllm_interaction.reasoning import ask as answer_question

    if template:
        settings = load_question_settings(config, override)
        return _fill(template, store, planner, out, settings, json_output=json_output)
    if question is None:
        raise UsageError("There is no question.", expected="a question, or --template", found="neither")
    settings = load_question_settings(config, override)
    answer = answer_question(
        question,
        store,
        config=settings.reason,
        planner=planner,
        measures=settings.measures,
        sessions=session_choice(by, session, camera),
    )
    result: dict[str, Any] = answer.model_dump(mode="json")
    text = answer_text(answer)
    if explain:
        from visionllm_interaction.reasoning.answer_expressions import explain as explain_plan

        explained = explain_plan(answer.plan)
        result["explain"] = [step.to_dict() for step in explained]
        text = as_lines([text, *map(str, explained)])
    return CommandResult(result, text, json_output)


def chat(
    store: StoreOption = Path("store"),
    planner: PlannerOption = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Answer questions line by line; a question may lean on the one before ("and the book?", "how often?", "why?")."""
    from visionllm_interaction.reasoning.dialogue.conversation import Conversation

    settings = load_question_settings(config, override)
    conversation = Conversation(store, settings.reason, planner, settings.measures)
    turns: list[dict[str, Any]] = []
    for line in _lines(with_prompt=not json_output):
        try:
            reply = conversation.say(line)
        except UsageError as error:
            if not json_output:
                typer.echo(f"No answer: {error.message}")
            turns.append({"question": line, "error": error.to_dict()})
            continue
        turns.append({"question": line, **reply.to_dict()})
        if not json_output:
            typer.echo(reply_text(reply))
    return CommandResult({"turns": turns}, "", json_output)


def _lines(*, with_prompt: bool) -> Iterator[str]:
    """The lines of stdin that are not empty; at a terminal each after a prompt."""
    at_terminal = with_prompt and sys.stdin.isatty()
    while True:
        if at_terminal:
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def describe(
    store: StoreOption = Path("store"),
    video: Annotated[
        str | None, typer.Option(help="video_id, name of the file, or number from 1. Default: every video.")
    ] = None,
    begin: Annotated[float | None, typer.Option("--from", min=0, help="Tell only what happens from here, s.")] = None,
    end: Annotated[float | None, typer.Option("--to", min=0, help="Tell only what happens before, s.")] = None,
    language: Annotated[Literal["en", "nb", "nn"], typer.Option(help="Language of the sentences.")] = "en",
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Tell what happens in a video, in sentences that each cite their evidence."""
    from visionllm_interaction.reasoning.describing.api import describe as tell

    settings = load_question_settings(config, override)
    answer = tell(store, video=video, begin_s=begin, end_s=end, language=language, config=settings.reason)
    text = "\n".join(claim.text for claim in answer.claims) or answer_text(answer)
    return CommandResult(answer.model_dump(mode="json"), text, json_output)


def _fill(
    template: str,
    store: Path,
    planner: Literal["rules", "llm"] | None,
    out: Path | None,
    settings: QuestionSettings,
    *,
    json_output: bool,
) -> CommandResult:
    from visionllm_interaction.reasoning.question_templates import fill_template

    result = fill_template(template, store, config=settings.reason, planner=planner, measures=settings.measures)
    table = result.to_csv()
    if out:
        out.write_text(table, encoding="utf-8")
    return CommandResult(result.to_dict(), f"{len(result.rows)} rows in {out}" if out else table, json_output)


def replay(
    answer: Annotated[Path, typer.Argument(help="A file written by `visionllm ask --json`.")],
    store: StoreOption = Path("store"),
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Compute every claim of an old answer again; exits with code 3 if one no longer holds."""
    from visionllm_interaction.reasoning.recheck_answer import load_answer
    from visionllm_interaction.reasoning.recheck_answer import replay as replay_answer

    settings = load_question_settings(config, override)
    report = replay_answer(load_answer(answer), store, aliases=settings.reason.aliases, measures=settings.measures)
    lines = [
        report.status,
        *(f"  {'holds  ' if claim.holds else 'changed'} {claim.text} {claim.reason or ''}" for claim in report.claims),
    ]
    return CommandResult(
        report.model_dump(mode="json"), as_lines(lines), json_output, exit_code=0 if report.status == "holds" else 3
    )


def ground(
    phrase: Annotated[str, typer.Argument(help='For example "the cup nearest to the child".')],
    at: Annotated[float, typer.Option(help="Time in the video, in seconds.")],
    store: StoreOption = Path("store"),
    video: VideoOption = None,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Find the boxes and tracks in one frame that a phrase refers to."""
    from visionllm_interaction.reasoning.grounding.api import ground_phrase

    result = ground_phrase(
        phrase, store, at_s=at, video_id=video, config=load_question_settings(config, override).reason
    )
    return CommandResult(result.model_dump(mode="json"), regions_text(result), json_output)


def look(
    question: Annotated[str, typer.Argument(help="A closed question about the marked objects.")],
    phrase: Annotated[str, typer.Option(help='The objects to mark, for example "the child".')],
    at: Annotated[float, typer.Option(help="Time in the video, in seconds.")],
    store: StoreOption = Path("store"),
    video: VideoOption = None,
    answers: Annotated[str, typer.Option(help="The possible answers, separated by commas.")] = "yes,no",
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Ask a vision model a closed question about marked objects; needs `reason.look.enabled`."""
    from visionllm_interaction.reasoning.grounding.api import ask_about_phrase

    listed = [part.strip() for part in answers.split(",") if part.strip()]
    settings = load_question_settings(config, override).reason
    result = ask_about_phrase(question, phrase, store, at_s=at, video_id=video, answers=listed, config=settings)
    text = f"{result.answer or f'No answer: {result.reason}'} (visual, {result.model}; marks {result.marks})"
    return CommandResult(result.model_dump(mode="json"), text, json_output)


def query(
    expression: Annotated[str, typer.Argument(help='For example "total(holding(child, ball)) by session".')],
    store: StoreOption = Path("store"),
    csv: Annotated[bool, typer.Option("--csv", help="Print a table with one line per value.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Compute a quantity, written in one line of the language of quantities, with its evidence."""
    from visionllm_interaction.cli.analysis import load_measures_settings
    from visionllm_interaction.measures.language.run import query as run_expression

    result = run_expression(expression, store, config=load_measures_settings(config, override))
    return CommandResult(result.to_dict(), result.to_csv() if csv else str(result), json_output)
