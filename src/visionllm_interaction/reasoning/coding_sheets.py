"""Templates: a sheet of declared outputs, each a question, filled for every video, window or bout of a store.

A template is a YAML file (docs/reasoning.md). Its outputs are questions like any other: planned once, run for each row
with the row's video and times, proven like every answer. Text in a template is never anything but such a question or
a sentence with ``{output}`` places.
"""

from __future__ import annotations

import csv
import hashlib
import io
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
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.execution.intervals import Scope, looked_at, stretches_of
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.models import Answer
from visionllm_interaction.reasoning.pipeline import Planned, PlannerName, choose_planner, execute, make_plan
from visionllm_interaction.reasoning.planning.plan import Atom, Plan
from visionllm_interaction.reasoning.wording.sentences import amount
from visionllm_interaction.store.reader import Store, open_store

BUILT_IN: tuple[str, ...] = ("scene-description", "daily-summary", "coding-sheet")
_PLACE = re.compile(r"\{(\w+)\}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Bouts(BaseModel):
    """Rows of a template per bout of this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predicate: Literal["visible", "near", "in_contact", "holding"]
    subject: str
    object: str | None = None


class Template(BaseModel):
    """One template: ``per`` says what a row is, ``outputs`` name its columns, ``text`` is a sentence about a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w-]{1,60}$")
    per: Literal["video", "window", "bout"] = "video"
    window_s: float | None = Field(default=None, gt=0)
    bouts: Bouts | None = None
    outputs: dict[str, str] = Field(min_length=1, max_length=50)
    text: str | None = None


@dataclass(frozen=True)
class _Row:
    video_id: str
    begin_s: float
    end_s: float


def load_template(name: str) -> tuple[Template, str]:
    """A built-in template by name, or one from a file; with the sha256 of its text, which is its version.

    Raises:
        UsageError: if there is no such template or it is not valid.
    """
    try:
        text = _text(name)
        template = Template.model_validate(yaml.safe_load(text))
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
    unknown = set(_PLACE.findall(template.text or "")) - {*template.outputs, "video_id", "begin_s", "end_s"}
    if unknown:
        raise ValueError(f"`text` has places that are no outputs: {', '.join(sorted(unknown))}")


def fill_template(
    name: str, store: Path, *, config: ReasonConfig = ReasonConfig(), planner: PlannerName | None = None
) -> dict[str, Any]:
    """Fill template ``name`` for every row of the store.

    Returns:
        ``{"template", "sha256", "planner", "refused": {output: reason}, "rows": [{"video_id", "begin_s", "end_s",
        "outputs", "units", "text", "claims"}]}``; an output that cannot be told is null.

    Raises:
        UsageError: if the template is not valid.
        LLMUnreachable, StoreError: as for :func:`.asking.ask`.
    """
    template, digest = load_template(name)
    chosen = choose_planner(config, planner)
    with open_store(store) as opened:
        vocabulary = Vocabulary.build(opened.known_names(), opened.video_ids(), aliases=config.aliases)
        plans = {
            output: make_plan(question, vocabulary, config=config, planner=chosen)
            for output, question in template.outputs.items()
        }
        rows = [_fill(template, row, plans, opened, vocabulary, config=config) for row in _rows(template, opened)]
    refused = {output: planned.plan.unanswerable for output, planned in plans.items() if planned.plan.unanswerable}
    return {"template": template.name, "sha256": digest, "planner": chosen, "refused": refused, "rows": rows}


def _rows(template: Template, store: Store) -> Iterator[_Row]:
    for video_id in store.video_ids():
        looked = looked_at(store, Scope(video_id)).get(video_id, [])
        if not looked:
            continue
        begin_s, end_s = looked[0].begin_s, looked[-1].end_s
        if template.window_s:
            count = max(1, round((end_s - begin_s) / template.window_s + 0.499))
            edges = [begin_s + n * template.window_s for n in range(count)]
            yield from (_Row(video_id, edge, min(edge + template.window_s, end_s)) for edge in edges if edge < end_s)
        elif template.bouts:
            atom = Atom(**template.bouts.model_dump())
            bouts = stretches_of(store, atom, Scope(video_id), gap_s=BOUT_GAP_S).get(video_id, [])
            yield from (_Row(video_id, bout.begin_s, bout.end_s) for bout in bouts)
        else:
            yield _Row(video_id, begin_s, end_s)


def _fill(
    template: Template,
    row: _Row,
    plans: Mapping[str, Planned],
    store: Store,
    vocabulary: Vocabulary,
    *,
    config: ReasonConfig,
) -> dict[str, Any]:
    answers = {
        output: execute(
            Planned(_placed(planned.plan, row), planned.planner, planned.model),
            store,
            vocabulary=vocabulary,
            config=config,
        )
        for output, planned in plans.items()
    }
    values = {output: _value(answer) for output, answer in answers.items()}
    units = {output: answer.claims[0].unit if answer.claims else None for output, answer in answers.items()}
    place = {"video_id": row.video_id, "begin_s": round(row.begin_s, 3), "end_s": round(row.end_s, 3)}
    shown = {**{k: str(v) for k, v in place.items()}, **{k: amount(v, units[k] or "") for k, v in values.items()}}
    return {
        **place,
        "outputs": values,
        "units": units,
        "text": _PLACE.sub(lambda match: shown[match[1]], template.text) if template.text else None,
        "claims": {o: [c.model_dump(mode="json") for c in a.claims[:1]] for o, a in answers.items()},
    }


def _placed(plan: Plan, row: _Row) -> Plan:
    """``plan`` about one row: its video, and its own window cut to the row's."""
    if plan.unanswerable:
        return plan
    steps = []
    for step in plan.steps:
        begin_s = max(step.begin_s or 0.0, row.begin_s)
        end_s = min(row.end_s if step.end_s is None else step.end_s, row.end_s)
        if begin_s >= end_s:
            return Plan.refuse("the time asked about is not in this row")
        changed = {"video_id": row.video_id, "begin_s": begin_s, "end_s": end_s}
        steps.append(step.model_copy(update=changed))
    return plan.model_copy(update={"steps": tuple(steps), "also": None})


def _value(answer: Answer) -> float | int | str | None:
    return answer.claims[0].value if answer.claims else None


def as_csv(result: Mapping[str, Any]) -> str:
    """The rows as CSV; text that a spreadsheet would run as a formula begins with a quote."""
    buffer = io.StringIO()
    rows = result["rows"]
    outputs = list(rows[0]["outputs"]) if rows else []
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["video_id", "begin_s", "end_s", *outputs, "text"])
    for row in rows:
        cells = [row["video_id"], row["begin_s"], row["end_s"], *row["outputs"].values(), row["text"]]
        writer.writerow([_plain(cell) for cell in cells])
    return buffer.getvalue()


def _plain(cell: Any) -> Any:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
