"""Claims of one number divided by another, and of means over videos or children."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, Operation
from visionllm_interaction.reasoning.answers import Claim
from visionllm_interaction.reasoning.answers import Operation as ClaimOperation
from visionllm_interaction.reasoning.execution.expressions import by_video
from visionllm_interaction.reasoning.wording.expression_words import NoWords, stream_words
from visionllm_interaction.reasoning.wording.value_sentences import Value, core, said_unit, value_sentence
from visionllm_interaction.reasoning.wording.who_and_which_claims import NameComposer

_NO_CHILD = "no video has a child set, so that nothing can be averaged over children"


class RatioAndMeanComposer(NameComposer):
    """Composes claims about ratios, portions and means of single videos."""

    def quotients(self) -> Iterator[Claim]:
        """One number divided by another, of all videos together and of each; both are said."""
        if len(self.videos) > 1:
            (row,) = self.runner.rows(self.expression)
            yield self._quotient(row, place=self.together(), operation="expression")
        for row in self.per_video():
            yield self._quotient(row, place=self.place(row), operation="value")

    def _quotient(self, row: QueryRow, *, place: str, operation: ClaimOperation) -> Claim:
        node = core(self.expression)
        if not isinstance(node, Operation) or not (isinstance(node.left, Call) and isinstance(node.right, Call)):
            raise NoWords(node.to_text())
        sides = [self._side(side, row.video_id) for side in (node.left, node.right)]
        (part, upper), (whole, lower) = sides
        missing = part.missing or whole.missing
        value = None if missing or not lower or upper is None else upper / lower
        if self.step.reading == "portion":
            text = self._portion_text(node, upper, lower, missing)
            stated = None if value is None else 100 * value
            return self.claim(replace(row, value=stated), text, place=place, operation=operation, unit="%")
        x, y = (
            value_sentence(Grouped(side), v, self.words)
            for side, (v, _) in zip((node.left, node.right), sides, strict=True)
        )
        shown = "–" if value is None else self.words.number(value)
        text = self.words.say("ratio", x=x, y=y, v=shown)
        return self.claim(replace(row, value=value), text, place=place, operation=operation)

    def _side(self, side: Call, video_id: str | None) -> tuple[Value, float | None]:
        expression = replace(self.expression, value=side)
        rows = self.runner.rows(expression if video_id is None else by_video(expression))
        row = next(row for row in rows if row.video_id == video_id)
        value = self.value(row, expression)
        return value, None if value.value is None else float(value.value)

    def _portion_text(self, node: Operation, upper: float | None, lower: float | None, missing: str | None) -> str:
        if missing:
            return self.words.say("missing", x=f"`{node.to_text()}`", v=missing)
        part, whole = (
            stream_words(side.arguments[0], self.words) for side in (node.left, node.right) if isinstance(side, Call)
        )
        if not lower or upper is None:
            return self.words.say("no_portion", x=whole.whole)
        shown = self.words.amount(upper / lower, "share")
        k, m = (self.words.number(number) for number in (upper, lower))
        return self.words.say("portion", x=part.whole, y=whole.whole, v=shown, k=k, m=m)

    def means(self) -> Iterator[Claim]:
        """The mean of the values of each video, or each child, and those values."""
        rows = list(self.runner.rows(self.expression))
        if self.expression.by_child:
            rows = [row for row in rows if row.child]
        known = [row for row in rows if row.value is not None and not self.note_missing(row)]
        alone = Grouped(core(self.expression), over=self.expression.over)
        if self.expression.by_child and not rows:
            self.missing.append(_NO_CHILD)
        mean = sum(float(row.value or 0) for row in known) / len(known) if known else None
        body = (
            value_sentence(alone, Value(mean, self.unit(), said_in=said_unit(alone, self.unit())), self.words)
            if known
            else self.words.say("nothing", x=f"`{alone.to_text()}`")
        )
        key = "mean_of_children" if self.expression.by_child else "mean_of_videos"
        text = self.words.say(key, n=str(len(known)), m=str(len(rows)), x=body)
        evidence = tuple(i for row in rows for i in self.runner.cite(row, self.step.expression, self.unit()))
        unit, stated = self.unit(), mean
        if unit == "share" and mean is not None:
            unit, stated = "%", 100 * mean
        if evidence:
            yield self.sentence(text, stated, unit, evidence, "expression")
        for row in rows:
            value = self.value(row)
            place = self.place(row) if row.child is None else self.words.say("of_child", v=row.child)
            yield self.claim(row, value_sentence(alone, value, self.words), place=place)
