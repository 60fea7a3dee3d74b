"""Coding sheets: a template of questions, filled for every video, time window or bout of a store.

A template is a YAML file (docs/reasoning.md). Each output is a question. It is planned once, run for each row within
that row's video and times, and verified like every answer. Text in a template is only ever such a question, or a
sentence with ``{output}`` placeholders.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.api import BOUT_GAP_S
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.answers import Answer, Claim
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.execution.intervals import VideoWindow, intervals_of, processed_intervals
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, PlannerName, choose_planner, execute, make_plan
from visionllm_interaction.reasoning.planning.plan import Atom, Plan
from visionllm_interaction.reasoning.wording.sentences import amount
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.strict_yaml import load_yaml

BUILT_IN: tuple[str, ...] = ("scene-description", "daily-summary", "coding-sheet")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Bouts(BaseModel):
    """What the bouts are made of in a template with ``per: bout``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predicate: Literal["visible", "near", "in_contact", "holding"]
    subject: str
    object: str | None = None


class Template(BaseModel):
    """One template.

    Attributes:
        name: its name.
        per: what a row is: a video, a time window or a bout.
        window_s: length of a window in seconds, with ``per: window``.
        bouts: what bouts are made of, with ``per: bout``.
        outputs: column → question.
        text: a sentence about a row, with ``{output}`` placeholders.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w-]{1,60}$")
    per: Literal["video", "window", "bout"] = "video"
    window_s: float | None = Field(default=None, gt=0)
    bouts: Bouts | None = None
    outputs: dict[str, str] = Field(min_length=1, max_length=50)
    text: str | None = None


@dataclass(frozen=True)
class _SheetRow:
    """The video and the interval ``[begin_s, end_s)`` of one row."""

    video_id: str
    begin_s: float
    end_s: float


def load_template(name: StrPath) -> tuple[Template, str]:
    """Read a template, built-in or from a file.

    Args:
        name: the name of a built-in template, or the path of a YAML file.

    Returns:
        The template and the sha256 of its text, which is its version.

    Raises:
        UsageError: if there is no such template or it is not valid.
    """
    name = os.fspath(name)
    try:
        text = _text(name)
        template = Template.model_validate(load_yaml(text))
        _check(template)
    except (OSError, yaml.YAMLError, ValidationError, ValueError) as error:
        raise UsageError(
            "The template cannot be used",
            expected=f"one of {', '.join(BUILT_IN)}, or a YAML file with name, per, outputs and text",
            found=" ".join(str(error).split())[:400],
            where=name,
        ) from error
    return template, hashlib.sha256(text.encode()).hexdigest()


def _text(name: str) -> str:
    if name in BUILT_IN:
        return resources.files(__package__).joinpath("sheets", f"{name}.yaml").read_text(encoding="utf-8")
    return Path(name).read_text(encoding="utf-8")


def _check(template: Template) -> None:
    if (template.per == "window") != (template.window_s is not None):
        raise ValueError("`window_s` belongs to `per: window`")
    if (template.per == "bout") != (template.bouts is not None):
        raise ValueError("`bouts` belongs to `per: bout`")
    unknown = set(_PLACEHOLDER.findall(template.text or "")) - {*template.outputs, "video_id", "begin_s", "end_s"}
    if unknown:
        raise ValueError(f"`text` has placeholders that are no outputs: {', '.join(sorted(unknown))}")


@dataclass(frozen=True)
class FilledRow:
    """One row of a filled sheet.

    Attributes:
        video_id: the video.
        begin_s: where the row's interval begins, in seconds.
        end_s: where it ends.
        outputs: column → value; None where there is no answer.
        units: column → unit of the value; None where there is no answer.
        reasons: column → why there is no answer.
        text: the template's sentence about the row.
        claims: column → the claim that its value comes from; empty where there is none.
    """

    video_id: str
    begin_s: float
    end_s: float
    outputs: Mapping[str, float | int | str | None]
    units: Mapping[str, str | None]
    reasons: Mapping[str, str]
    text: str | None
    claims: Mapping[str, tuple[Claim, ...]]

    def to_dict(self) -> dict[str, Any]:
        """The row in the JSON of ``visionllm ask --template``."""
        claims = {output: [claim.model_dump(mode="json") for claim in found] for output, found in self.claims.items()}
        named = {name: dict(getattr(self, name)) for name in ("outputs", "units", "reasons")}
        place = {"video_id": self.video_id, "begin_s": self.begin_s, "end_s": self.end_s}
        return {**place, **named, "text": self.text, "claims": claims}


@dataclass(frozen=True)
class FilledSheet:
    """A template filled from a store.

    Attributes:
        template: the template's name.
        sha256: digest of the template's text.
        planner: which planner read the questions.
        refused: column → why its question cannot be answered at all.
        rows: one row per video, window or bout.
    """

    template: str
    sha256: str
    planner: PlannerName
    refused: Mapping[str, str]
    rows: tuple[FilledRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm ask --template``."""
        head = {"template": self.template, "sha256": self.sha256, "planner": self.planner}
        return {**head, "refused": dict(self.refused), "rows": [row.to_dict() for row in self.rows]}

    def to_csv(self) -> str:
        """The rows as CSV; text that a spreadsheet would run as a formula begins with a quote."""
        buffer = io.StringIO()
        outputs = list(self.rows[0].outputs) if self.rows else []
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["video_id", "begin_s", "end_s", *outputs, "text"])
        for row in self.rows:
            cells = [row.video_id, row.begin_s, row.end_s, *row.outputs.values(), row.text]
            writer.writerow([_csv_cell(cell) for cell in cells])
        return buffer.getvalue()


def fill_template(
    name: StrPath,
    store: StrPath,
    *,
    config: ReasonConfig = ReasonConfig(),
    planner: PlannerName | None = None,
    measures: MeasuresConfig = MeasuresConfig(),
) -> FilledSheet:
    """Fill a template for every row of a store.

    Args:
        name: the name of a built-in template, or the path of a YAML file.
        store: folder of the interaction store.
        config: limits, aliases, endpoint and wording.
        planner: ``"rules"``, ``"llm"``, or None to follow ``config.planner``.
        measures: settings of those measures that have any.

    Returns:
        The filled sheet; a value that is not known is None, with the reason beside it.

    Raises:
        UsageError: if the template is not valid.
        LLMUnreachable, StoreError: as for :func:`.pipeline.ask`.
    """
    store = Path(store)
    template, digest = load_template(name)
    chosen = choose_planner(config, planner)
    with open_store(store) as opened:
        vocabulary = Vocabulary.of_store(opened, aliases=config.aliases)
        plans = {
            output: make_plan(question, vocabulary, config=config, planner=chosen)
            for output, question in template.outputs.items()
        }
        rows = tuple(
            _fill(template, row, plans, opened, vocabulary, config=config, measures=measures)
            for row in _rows(template, opened)
        )
    refused = {output: planned.plan.unanswerable for output, planned in plans.items() if planned.plan.unanswerable}
    return FilledSheet(template.name, digest, chosen, refused, rows)


def _rows(template: Template, store: Store) -> Iterator[_SheetRow]:
    for video_id in store.video_ids():
        processed = processed_intervals(store, VideoWindow(video_id)).get(video_id, [])
        if not processed:
            continue
        begin_s, end_s = processed[0].begin_s, processed[-1].end_s
        if template.window_s:
            count = max(1, round((end_s - begin_s) / template.window_s + 0.499))
            edges = [begin_s + n * template.window_s for n in range(count)]
            yield from (
                _SheetRow(video_id, edge, min(edge + template.window_s, end_s)) for edge in edges if edge < end_s
            )
        elif template.bouts:
            atom = Atom(**template.bouts.model_dump())
            bouts = intervals_of(store, atom, VideoWindow(video_id), gap_s=BOUT_GAP_S).get(video_id, [])
            yield from (_SheetRow(video_id, bout.begin_s, bout.end_s) for bout in bouts)
        else:
            yield _SheetRow(video_id, begin_s, end_s)


def _fill(
    template: Template,
    row: _SheetRow,
    plans: Mapping[str, Planned],
    store: Store,
    vocabulary: Vocabulary,
    *,
    config: ReasonConfig,
    measures: MeasuresConfig,
) -> FilledRow:
    is_whole = not template.window_s and not template.bouts
    answers = {
        output: execute(
            Planned(_restrict_to_row(planned.plan, row, is_whole=is_whole), planned.planner, planned.model),
            store,
            vocabulary=vocabulary,
            config=config,
            measures=measures,
        )
        for output, planned in plans.items()
    }
    values = {output: _value(answer) for output, answer in answers.items()}
    units = {output: answer.claims[0].unit if answer.claims else None for output, answer in answers.items()}
    begin_s, end_s = round(row.begin_s, 3), round(row.end_s, 3)
    shown = {"video_id": row.video_id, "begin_s": str(begin_s), "end_s": str(end_s)}
    shown |= {output: amount(value, units[output] or "") for output, value in values.items()}
    return FilledRow(
        row.video_id,
        begin_s,
        end_s,
        outputs=values,
        units=units,
        reasons={output: answer.reason for output, answer in answers.items() if answer.reason},
        text=_PLACEHOLDER.sub(lambda match: shown[match[1]], template.text) if template.text else None,
        claims={output: answer.claims[:1] for output, answer in answers.items()},
    )


def _restrict_to_row(plan: Plan, row: _SheetRow, *, is_whole: bool) -> Plan:
    """``plan`` for the row's video, its time windows cut to the row's interval."""
    if plan.unanswerable:
        return plan
    if plan.expressions:
        return _expressions_of_row(plan, row, is_whole=is_whole)
    steps = []
    for step in plan.steps:
        begin_s = max(step.begin_s or 0.0, row.begin_s)
        end_s = min(row.end_s if step.end_s is None else step.end_s, row.end_s)
        if begin_s >= end_s:
            return Plan.refuse("the time asked about is not in this row")
        changed = {"video_id": row.video_id, "begin_s": begin_s, "end_s": end_s}
        steps.append(step.model_copy(update=changed))
    return plan.model_copy(update={"steps": tuple(steps), "also": None})


def _expressions_of_row(plan: Plan, row: _SheetRow, *, is_whole: bool) -> Plan:
    """A plan of expressions for a whole video; for a part of one, questions need a fixed form."""
    from visionllm_interaction.reasoning.execution.expressions import in_video

    if not is_whole:
        return Plan.refuse("a row of a window or a bout holds only answers to questions of a fixed form")
    steps = []
    for step in plan.expressions:
        texts = [in_video(text, row.video_id) for text in (step.expression, step.than) if text is not None]
        if any(text is None for text in texts):
            return Plan.refuse("the video asked about is not that of this row")
        changed = dict(zip(("expression", "than"), texts, strict=False))
        steps.append(step.model_copy(update=changed))
    return plan.model_copy(update={"expressions": tuple(steps)})


def _value(answer: Answer) -> float | int | str | None:
    return answer.claims[0].value if answer.claims else None


def _csv_cell(cell: object) -> object:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
