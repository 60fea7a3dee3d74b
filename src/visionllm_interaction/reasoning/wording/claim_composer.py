"""What all claims of an expression have in common: its values, their evidence, and where they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, NameTerm, walk
from visionllm_interaction.reasoning.answers import Claim, Operation
from visionllm_interaction.reasoning.execution.expressions import ExpressionRunner, by_video, names_of, parsed
from visionllm_interaction.reasoning.grammar.meaning import PERSON_VARIABLE
from visionllm_interaction.reasoning.planning.plan import ExpressionStep
from visionllm_interaction.reasoning.wording.expression_words import Words, load_words
from visionllm_interaction.reasoning.wording.value_sentences import Value, said_unit

EPS = 1e-6
NOTHING = ("nothing found", "fewer than two values")
"""What a row without a value says where no input is missing."""
_NO_SUM = frozenset({"first_time", "last_time", "holds", "first_seen", "last_seen"})


class Composer:
    """Composes the claims of one expression.

    Args:
        step: the expression and how it is read.
        runner: of the open store.

    Attributes:
        missing: why rows have no value, where an input is missing.
        left_out: videos of which nothing is in the values that were compared, and why; claims cite only those chosen.
    """

    def __init__(self, step: ExpressionStep, runner: ExpressionRunner) -> None:
        self.step, self.runner = step, runner
        self.expression = parsed(step.expression)
        self.words = words_for(self.expression, load_words(step.language))
        self.videos = runner.videos(self.expression)
        self.missing: list[str] = []
        self.left_out: list[tuple[str, str]] = []

    def value(self, row: QueryRow, expression: Grouped | None = None) -> Value:
        """A row as a value that sentences can say."""
        unit = self.runner.result(expression or self.expression).unit
        missing = row.missing if row.value is None and row.missing not in NOTHING else None
        if missing:
            self.missing.append(missing)
        said_in = said_unit(expression or self.expression, unit)
        return Value(row.value, unit, missing, row.n, said_in if said_in != unit else None)

    def note_missing(self, row: QueryRow) -> bool:
        """Whether a row has no value because an input is missing, which is then noted."""
        if row.value is None and row.missing and row.missing not in NOTHING:
            self.missing.append(row.missing)
            return True
        return False

    def note_left_out(self, rows: Iterable[QueryRow]) -> None:
        """Note the videos that lack an input of any of the rows that are compared."""
        for row in rows:
            # A number of names may leave some of them out, and has a value all the same.
            is_in_part = row.value is not None and (row.missing or "").startswith("without ")
            own = [(row.video_id, row.missing)] if row.video_id and not is_in_part else []
            about = [*own, *((item.video_id, item.missing) for item in row.evidence if item.value is None)]
            self.left_out += [(video, why) for video, why in about if video and why and why not in NOTHING]

    def undetected(self, video_id: str) -> str:
        """That what is asked about was never detected in this video."""
        seen = self.runner.detected(video_id)
        lost = [name for name in names_of(self.expression) if name not in seen]
        return "".join(f" ({self.words.say('not_detected', a=self.words.name(name))})" for name in lost)

    def per_video(self) -> tuple[QueryRow, ...]:
        """The values of each video, in the order of the store."""
        rows = self.runner.rows(by_video(self.expression))
        order = {video_id: place for place, video_id in enumerate(self.videos)}
        return tuple(sorted(rows, key=lambda row: order.get(row.video_id or "", 0)))

    def claim(
        self,
        row: QueryRow,
        body: str,
        *,
        place: str,
        operation: Operation = "value",
        value: str | None = None,
        unit: str | None = None,
    ) -> Claim:
        """One sentence with the evidence of one row."""
        result_unit = self.unit()
        evidence = self.runner.cite(row, self.step.expression, result_unit)
        stated = value if value is not None else plain_value(row.value)
        if unit is None and result_unit == "share" and isinstance(stated, (int, float)):
            # Shares of time are said in per cent, in words and as values.
            stated, unit = 100 * stated, "%"
        return self.sentence(place + body, stated, result_unit if unit is None else unit, evidence, operation)

    def sentence(
        self, text: str, value: float | int | str | None, unit: str, evidence: Sequence[str], operation: Operation
    ) -> Claim:
        """A claim: ``text`` with a capital letter and a full stop."""
        whole = f"{text[0].upper()}{text[1:]}."
        return Claim(text=whole, value=value, unit=unit, evidence=tuple(evidence), operation=operation)

    def place(self, row: QueryRow) -> str:
        """In which video a row holds, as the begin of a sentence."""
        return self.in_video(row.video_id) if row.video_id else ""

    def in_video(self, video_id: str) -> str:
        """As "In room_1, ", where the question is about several videos or names one."""
        is_said = len(self.videos) > 1 or self.expression.video or self.runner.left_out
        return self.words.say("in_video", v=video_id, x="") if is_said else ""

    def together(self) -> str:
        """As "In 2 videos together, "."""
        return self.words.say("together", n=str(len(self.videos)), x="")

    def everywhere(self) -> str:
        """Where a value of all videos holds: in all together, or in the one that others were left out beside."""
        if len(self.videos) > 1:
            return self.together()
        return self.in_video(self.videos[0]) if self.runner.left_out else ""

    def unit(self) -> str:
        """The unit of the expression."""
        return self.runner.result(self.expression).unit


def words_for(expression: Grouped, words: Words) -> Words:
    """The words of a language; a variable whose names are taken together is somebody, or one and the same object."""
    if not expression.over:
        return words
    said = [node.base for node in walk(expression) if isinstance(node, NameTerm)]
    names, none_of = dict(words.names), dict(words.none_of)
    for variable in (binding.variable for binding in expression.over):
        if variable == PERSON_VARIABLE:
            names[variable], none_of[variable] = words.names["person"], words.none_of["person"]
        else:
            names[variable] = words.names["same" if said.count(variable) > 1 else "thing"]
    return replace(words, names=names, none_of=none_of)


def plain_value(value: float | int | bool | str | None) -> float | int | str | None:
    """A value as claims carry it: yes and no as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def is_per_video(expression: Grouped) -> bool:
    """Whether its values are times or states of one video, which are not summed up over videos."""
    return any(isinstance(node, Call) and node.function in _NO_SUM for node in walk(expression))
