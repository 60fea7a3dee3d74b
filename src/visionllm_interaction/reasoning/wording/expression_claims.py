"""Claims of plans of expressions: what each expression gives, read as the question asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec import Struct

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, NameTerm, Node, Quantity, walk
from visionllm_interaction.reasoning.answers import Claim, Operation
from visionllm_interaction.reasoning.describing.account import describe_video
from visionllm_interaction.reasoning.describing.moment import describe_moment
from visionllm_interaction.reasoning.execution.expressions import ExpressionRunner, by_video, parsed
from visionllm_interaction.reasoning.grammar.meaning import quoted
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan, Reading
from visionllm_interaction.reasoning.wording.claim_composer import EPS, NOTHING, is_per_video
from visionllm_interaction.reasoning.wording.expression_words import NoWords, conjuncts, stream_words
from visionllm_interaction.reasoning.wording.ratio_and_mean_claims import RatioAndMeanComposer
from visionllm_interaction.reasoning.wording.value_sentences import (
    core,
    moment_phrase,
    value_sentence,
    value_words,
    yes_no_sentence,
)
from visionllm_interaction.reasoning.wording.who_and_which_claims import SENTENCE_OF

_ANYBODY = ("person", "thing", "anything")
_ONE = ("first", "last", "nth")
_MOST_NAMED = 5
"""Of more videos that are left out for one reason, as many are named."""


class Composed(Struct, frozen=True):
    """What the expressions of a plan say.

    Attributes:
        claims: every claim, conclusions before single videos.
        evidence: what they cite.
        text: the claims that the answer says, as one text.
        missing: why nothing is known, if every value lacks an input.
        left_out: videos that a value leaves out, and why, each reason once.
    """

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    text: str
    missing: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()


def compose(plan: Plan, runner: ExpressionRunner, *, max_listed: int) -> Composed:
    """Run the expressions of a plan and say what they give.

    Args:
        plan: with expressions.
        runner: of the open store.
        max_listed: most videos whose single values the text lists.

    Returns:
        Claims with their evidence; running it again gives the same, which is how answers are verified.
    """
    claims: list[Claim] = []
    said: list[str] = []
    missing: list[str] = []
    left_out: list[tuple[str, str]] = []
    for step in plan.expressions:
        composer = _Composer(step, runner)
        found = list(composer.claims())
        claims += found
        missing += composer.missing
        left_out += composer.left_out
        said += _said([claim for claim in found if claim not in composer.notes], max_listed=max_listed)
        said += [claim.text for claim in composer.notes]
    known = [claim for claim in claims if claim.value is not None]
    unknown = "; ".join(dict.fromkeys(missing)) if missing and not known else None
    lacking = [(item.video_id, item.missing) for item in runner.evidence if item.value is None]
    left_out += [(video, why) for video, why in lacking if video and why and why not in NOTHING]
    return Composed(tuple(claims), tuple(runner.evidence), " ".join(said), unknown, tuple(dict.fromkeys(left_out)))


def _said(claims: Sequence[Claim], *, max_listed: int) -> list[str]:
    if any(claim.operation == "account" for claim in claims):
        return [claim.text for claim in claims]
    singles = [claim for claim in claims if claim.operation == "value"]
    wholes = [claim for claim in claims if claim.operation != "value"]
    shown = singles if len(singles) <= max_listed or not wholes else []
    return [claim.text for claim in (*wholes, *shown[: max(max_listed, 1)])]


class _Composer(RatioAndMeanComposer):
    """The claims of one expression.

    Args:
        step: the expression, and how it is read.
        runner: runs it, and cites what it finds.

    Attributes:
        notes: those of videos that are left out of the others, which an answer always says.
    """

    def __init__(self, step: ExpressionStep, runner: ExpressionRunner) -> None:
        super().__init__(step, runner)
        self.notes: list[Claim] = []

    def claims(self) -> Iterator[Claim]:
        """Every claim that the result of the expression supports."""
        unclear = self.videos_of_several_people()
        if unclear and len(unclear) == len(self.videos):
            self.missing.append(self.words.say("several_people"))
            return
        if unclear:
            yield from self._of_the_others(unclear)
            return
        try:
            yield from list(_READERS[self.step.reading](self))
        except NoWords:
            # An expression that nobody has words for is quoted, with its values.
            yield from self.values()

    def _of_the_others(self, unclear: Sequence[str]) -> Iterator[Claim]:
        """The claims of the videos in which people are told apart, and that the others are left out."""
        others = _Composer(self.step, self.runner.leave_out(unclear))
        yield from others.claims()
        self.missing += others.missing
        self.left_out += others.left_out
        reason = self.words.say("several_people")
        rows = [QueryRow(None, reason, video_id, None, None, {}, None, None, None, 0.0, ()) for video_id in unclear]
        evidence = [i for row in rows for i in self.runner.cite(row, self.step.expression, self.unit())]
        listed = unclear if len(unclear) <= _MOST_NAMED else [*unclear[:_MOST_NAMED], f"… ({len(unclear)})"]
        note = self.sentence(self.in_video(", ".join(listed)) + reason, None, self.unit(), evidence, "value")
        self.notes.append(note)
        yield note

    # Values

    def values(self) -> Iterator[Claim]:
        """The value of all videos together, where it can be summed up, and of each."""
        several = len(self.videos) > 1
        rows = self.per_video()
        lost = {row.video_id: self._lost_anchor(row.video_id) for row in rows if row.video_id}
        if lost and all(lost.values()):
            # Before what never happens there is no time in which anything could be counted.
            self.missing += [text for text in lost.values() if text]
        elif several and not is_per_video(self.expression):
            (row,) = self.runner.rows(self.expression)
            yield self.claim(row, self._value_text(row), place=self.together(), operation="expression")
        for row in rows:
            text = lost.get(row.video_id) if row.video_id else None
            if text is None:
                yield self.claim(row, self._value_text(row), place=self.place(row))
            else:
                text += self.undetected(row.video_id or "")
                yield self.claim(replace(row, value=None), text, place=self.place(row))

    def _value_text(self, row: QueryRow) -> str:
        text = value_sentence(self.expression, self.value(row), self.words)
        never = not row.value and row.missing in (None, *NOTHING) and row.video_id
        if not never or not row.video_id:
            return text
        return text + (self.undetected(row.video_id) or self._presence(row.video_id))

    def _presence(self, video_id: str) -> str:
        """Beside that nobody came in or left: who was in view when the video began or ended."""
        node = core(self.expression)
        who, is_end = _coming_or_going(node)
        if who is None:
            return ""
        name = self.words.name(who)
        at = "100%" if is_end else "0%"
        there = parsed(f'holds(visible({quoted(who)}), at={at}) in video "{video_id}"')
        if self.runner.rows(there)[0].value:
            return f" ({self.words.say('still' if is_end else 'already', a=name)})"
        seen = parsed(f'{"last_seen" if is_end else "first_seen"}({quoted(who)}) in video "{video_id}"')
        row = self.runner.rows(seen)[0]
        if row.value is None:
            return ""
        said = self.words.say(
            "last_seen" if is_end else "first_seen", a=name, v=self.words.amount(float(row.value), "s")
        )
        return f" ({said})"

    def _lost_anchor(self, video_id: str) -> str | None:
        """That the moment after or before which something is asked never comes in a video; None if it does.

        Where it is of each object by itself ("picked up after the caregiver had put it down") none of them is a number.
        """
        if self.expression.over and self.unit() == "count":
            return None
        for node in walk(self.expression):
            if isinstance(node, Call) and node.function in ("since", "before"):
                exists = Grouped(Call("exists", node.arguments), over=self.expression.over, by_video=True)
                found = next((row for row in self.runner.rows(exists) if row.video_id == video_id), None)
                if found is not None and found.value is False:
                    anchor = node.arguments[0]
                    inner = anchor.arguments[0] if isinstance(anchor, Call) and anchor.function in _ONE else anchor
                    return self._never(inner)
        return None

    def _lost_moment(self, video_id: str | None) -> str | None:
        """That the moment at which something is asked for never comes in a video; None if it does, or none is named."""
        node = core(self.expression)
        if video_id is None or not isinstance(node, Call) or node.function != "exists":
            return None
        main, *limits = conjuncts(node.arguments[0])
        if stream_words(main, self.words).is_moment:
            return None
        for moment in (limit for limit in limits if self._is_moment(limit)):
            there = replace(by_video(self.expression), value=Call("exists", (moment,)))
            if any(row.video_id == video_id and row.value is False for row in self.runner.rows(there)):
                inner = moment.arguments[0] if isinstance(moment, Call) and moment.function in _ONE else moment
                return self._never(inner)
        return None

    def _is_moment(self, limit: Node) -> bool:
        """Whether a limit is a moment; a window in seconds is none."""
        try:
            return stream_words(limit, self.words).is_moment
        except NoWords:
            return False

    def _never(self, node: Node) -> str:
        try:
            return stream_words(node, self.words).never
        except NoWords:
            return f"`{node.to_text()}`: –"

    def delays(self) -> Iterator[Claim]:
        """How long it took from the start of each video."""
        for row in self.per_video():
            if row.value is None:
                text = self._value_text(row)
            else:
                call = core(self.expression)
                spoken = stream_words(call.arguments[0], self.words) if isinstance(call, Call) else None
                if spoken is None:
                    raise NoWords(call.to_text())
                key = "delay" if row.value else "delay_0"
                shown = value_words(self.value(row), self.words)
                text = self.words.say(key, x=spoken.whole, v=shown)
            yield self.claim(row, text, place=self.place(row))

    def yes_no(self) -> Iterator[Claim]:
        """Whether it is ever so: in any video, and in each."""
        rows = self.per_video()
        lost = {row.video_id: self._lost_moment(row.video_id) for row in rows}
        if lost and all(lost.values()):
            self.missing += [text for text in lost.values() if text]
        elif len(self.videos) > 1:
            (row,) = self.runner.rows(self.expression)
            yield self._yes_no(row, place=self.together(), operation="yes_no")
        for row in rows:
            text = lost[row.video_id]
            if text is not None:
                yield self.claim(replace(row, value=None), text, place=self.place(row), unit="")
                continue
            yield self._yes_no(row, place=self.place(row), operation="yes_no" if len(self.videos) == 1 else "value")

    def _yes_no(self, row: QueryRow, *, place: str, operation: Operation) -> Claim:
        if row.value is None:
            return self.claim(row, value_sentence(self.expression, self.value(row), self.words), place=place)
        try:
            text = yes_no_sentence(core(self.expression), bool(row.value), self.words)
        except NoWords:
            text = value_sentence(self.expression, self.value(row), self.words)
        if not row.value and row.video_id:
            text += self.undetected(row.video_id)
        return self.claim(row, text, place=place, operation=operation, value="yes" if row.value else "no", unit="")

    def exceeds(self) -> Iterator[Claim]:
        """Whether the value is more than the threshold."""
        rows = self.runner.rows(self.expression)
        for row in rows:
            body = self._value_text(row)
            if row.value is None or self.step.threshold is None:
                yield self.claim(row, body, place=self.place(row))
                continue
            unit = self.value(row).said_unit
            more = float(row.value) > self.step.threshold
            limit = self.words.amount(self.step.threshold, unit)
            text = self.words.say(
                "it_is" if more else "it_is_not", x=f"{body} (> {limit})" if more else f"{body} (≤ {limit})"
            )
            place = self.everywhere() if row.video_id is None else self.place(row)
            yield self.claim(row, text, place=place, operation="yes_no", value="yes" if more else "no", unit="")

    def moment(self) -> Iterator[Claim]:
        """Whether it is so at a moment of each video."""
        call = core(self.expression)
        for row in self.per_video():
            if row.value is None or not isinstance(call, Call):
                yield self.claim(
                    row, value_sentence(self.expression, self.value(row), self.words), place=self.place(row)
                )
                continue
            key, at = moment_phrase(call, self.words)
            spoken = stream_words(call.arguments[0], self.words)
            said = self.words.say(key, x=spoken.holds if row.value else spoken.negated, v=at)
            text = self.words.say("it_is" if row.value else "it_is_not", x=said)
            if not row.value and row.video_id:
                text += self.undetected(row.video_id)
            operation: Operation = "yes_no" if len(self.videos) == 1 else "value"
            yield self.claim(
                row, text, place=self.place(row), operation=operation, value="yes" if row.value else "no", unit=""
            )

    # Comparisons

    def comparison(self) -> Iterator[Claim]:
        """Two values: both, and which is larger or by how much they differ."""
        other = parsed(self.step.than or "")
        per_video = is_per_video(self.expression)
        if per_video:
            for video_id in self.videos:
                pair = [self._row_of(e, video_id) for e in (self.expression, other)]
                yield self._compared(pair, other, place=self.in_video(video_id), operation="value")
            return
        pair = [self.runner.rows(e)[0] for e in (self.expression, other)]
        place = self.everywhere()
        operation: Operation = "difference" if self.step.reading == "difference" else "yes_no"
        yield self._compared(pair, other, place=place, operation=operation)

    def _row_of(self, expression: Grouped, video_id: str) -> QueryRow:
        return next(row for row in self.runner.rows(by_video(expression)) if row.video_id == video_id)

    def _compared(self, pair: Sequence[QueryRow], other: Grouped, *, place: str, operation: Operation) -> Claim:
        expressions = (self.expression, other)
        values = [self.value(row, e) for row, e in zip(pair, expressions, strict=True)]
        x, y = (value_sentence(e, v, self.words) for e, v in zip(expressions, values, strict=True))
        evidence = tuple(
            i
            for row, e in zip(pair, expressions, strict=True)
            for i in self.runner.cite(row, e.to_text(), values[0].unit)
        )
        numbers = [v.value for v in values]
        if any(n is None or isinstance(n, str) for n in numbers):
            return self.sentence(
                place + self.words.say("of_two", x=x, y=y, v="–"), None, values[0].unit, evidence, operation
            )
        first, second = (float(n) for n in numbers if n is not None)
        if self.step.reading == "difference":
            shown = self.words.amount(abs(first - second), values[0].said_unit)
            text = self.words.say("of_two", x=x, y=y, v=shown)
            return self.sentence(place + text, first - second, values[0].unit, evidence, operation)
        is_so = first > second + EPS if self.step.reading == "more" else first < second - EPS
        key = "more" if is_so else ("equal" if abs(first - second) <= EPS else "less")
        text = self.words.say(key, x=x, y=y)
        return self.sentence(place + text, "yes" if is_so else "no", "", evidence, operation)

    # Accounts

    def account(self) -> Iterator[Claim]:
        """What happens in each video."""
        window = _window_of(self.expression)
        for video_id in self.videos:
            told = describe_video(
                self.runner.store,
                video_id,
                begin_s=window[0],
                end_s=window[1],
                language=self.step.language,
                first_number=len(self.runner.evidence) + 1,
            )
            self.runner.evidence.extend(told.evidence)
            yield from (self._placed(claim, video_id) for claim in told.claims)

    def doing(self) -> Iterator[Claim]:
        """What somebody did at a moment of each video."""
        call = core(self.expression)
        if not isinstance(call, Call):
            raise NoWords(self.step.expression)
        for video_id in self.videos:
            key, at = moment_phrase(call, self.words)
            said, evidence = describe_moment(call, video_id, self.runner, self.words)
            text = self.words.say(key, x=said, v=at)
            yield self.sentence(self.in_video(video_id) + text, said, "", evidence, "value")

    def _placed(self, claim: Claim, video_id: str) -> Claim:
        place = self.in_video(video_id)
        if not place:
            return claim
        text = place + claim.text[0].lower() + claim.text[1:]
        return claim.model_copy(update={"text": text[0].upper() + text[1:]})


def _coming_or_going(node: Node) -> tuple[str | None, bool]:
    """Who enters or leaves in an expression, and whether it is leaving; None if it is about something else."""
    for part in walk(node):
        if not isinstance(part, Call) or len(part.arguments) != 1:
            continue
        name = part.arguments[0]
        if part.function in ("enters", "leaves") and isinstance(name, NameTerm) and name.base not in _ANYBODY:
            return name.base, part.function == "leaves"
        if part.function in ("starts", "ends"):
            inner = next((n for n in walk(part) if isinstance(n, Call) and n.function == "visible"), None)
            if inner is not None and len(inner.arguments) == 1 and isinstance(inner.arguments[0], NameTerm):
                return inner.arguments[0].base, part.function == "ends"
    return None, False


def _window_of(expression: Grouped) -> tuple[float | None, float | None]:
    """The window of an account, from ``between(5s, 10s)`` in its expression."""
    for node in walk(expression):
        if isinstance(node, Call) and node.function == "between":
            begin, end = node.arguments
            if isinstance(begin, Quantity) and isinstance(end, Quantity):
                return (begin.value if begin.unit == "s" else None), (end.value if end.unit == "s" else None)
    return None, None


_READERS: Mapping[Reading, Callable[[_Composer], Iterator[Claim]]] = {
    "value": _Composer.values,
    "delay": _Composer.delays,
    "yes_no": _Composer.yes_no,
    "exceeds": _Composer.exceeds,
    "holds": _Composer.moment,
    "difference": _Composer.comparison,
    "more": _Composer.comparison,
    "less": _Composer.comparison,
    "describe": _Composer.account,
    "doing": _Composer.doing,
    "mean": _Composer.means,
    "portion": _Composer.quotients,
    "ratio": _Composer.quotients,
    **dict.fromkeys(SENTENCE_OF, _Composer.names),
}
