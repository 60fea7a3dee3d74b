"""Claims of plans of expressions: what each expression gives, read as the question asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax import Call, Grouped, NameTerm, Node, Operation, walk
from visionllm_interaction.reasoning.describing.account import describe_video
from visionllm_interaction.reasoning.describing.moment import describe_moment
from visionllm_interaction.reasoning.grammar.meaning import quoted
from visionllm_interaction.reasoning.execution.expressions import ExpressionRunner, by_video, names_of, parsed
from visionllm_interaction.reasoning.models import Claim, Operation as ClaimOperation
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan, Reading
from visionllm_interaction.reasoning.wording.expression_words import NoWords, Words, load_words, stream_words
from visionllm_interaction.reasoning.wording.value_sentences import (
    Value,
    core,
    listed_clause,
    moment_phrase,
    value_sentence,
    value_words,
    yes_no_sentence,
)

_EPS = 1e-6
_NOTHING = ("nothing found", "fewer than two values")
"""What a row without a value says where no input is missing."""
_ANYBODY = ("person", "thing", "anything")
_ONE = ("first", "last", "nth")
_NO_SUM = frozenset({"first_time", "last_time", "holds", "first_seen", "last_seen"})


@dataclass(frozen=True)
class Composed:
    """What the expressions of a plan say.

    Attributes:
        claims: every claim, conclusions before single videos.
        evidence: what they cite.
        text: the claims that the answer says, as one text.
        missing: why nothing is known, if every value lacks an input.
    """

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    text: str
    missing: str | None = None


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
    for step in plan.expressions:
        composer = _Composer(step, runner)
        found = list(composer.claims())
        claims += found
        missing += composer.missing
        said += _said(found, max_listed=max_listed)
    known = [claim for claim in claims if claim.value is not None]
    unknown = "; ".join(dict.fromkeys(missing)) if missing and not known else None
    return Composed(tuple(claims), tuple(runner.evidence), " ".join(said), unknown)


def _said(claims: Sequence[Claim], *, max_listed: int) -> list[str]:
    if any(claim.operation == "account" for claim in claims):
        return [claim.text for claim in claims]
    singles = [claim for claim in claims if claim.operation == "value"]
    wholes = [claim for claim in claims if claim.operation != "value"]
    shown = singles if len(singles) <= max_listed or not wholes else []
    return [claim.text for claim in (*wholes, *shown[: max(max_listed, 1)])]


class _Composer:
    """The claims of one expression."""

    def __init__(self, step: ExpressionStep, runner: ExpressionRunner) -> None:
        self.step, self.runner = step, runner
        self.expression = parsed(step.expression)
        self.words = _words_for(self.expression, load_words(step.language))
        self.videos = runner.videos(self.expression)
        self.missing: list[str] = []

    def claims(self) -> Iterator[Claim]:
        """Every claim that the result of the expression supports."""
        yield from _READERS[self.step.reading](self)

    # Values

    def values(self) -> Iterator[Claim]:
        """The value of all videos together, where it can be summed up, and of each."""
        several = len(self.videos) > 1
        if several and not _is_per_video(self.expression):
            (row,) = self.runner.rows(self.expression)
            yield self.claim(row, self._value_text(row), place=self._together(), operation="expression")
        for row in self._per_video():
            lost = self._lost_anchor(row.video_id) if row.video_id else None
            if lost is None:
                yield self.claim(row, self._value_text(row), place=self._place(row))
            else:
                text = lost + self._undetected(row.video_id or "")
                counted = self._unit() == "count"
                yield self.claim(row if counted else replace(row, value=None), text, place=self._place(row))

    def _value_text(self, row: QueryRow) -> str:
        text = value_sentence(self.expression, self.value(row), self.words)
        never = not row.value and row.missing in (None, *_NOTHING) and row.video_id
        if not never or not row.video_id:
            return text
        return text + (self._undetected(row.video_id) or self._presence(row.video_id))

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
        """That the moment after or before which something is asked never comes in a video; None if it does."""
        for node in walk(self.expression):
            if isinstance(node, Call) and node.function in ("since", "before"):
                exists = Grouped(Call("exists", node.arguments), over=self.expression.over, by_video=True)
                found = next((row for row in self.runner.rows(exists) if row.video_id == video_id), None)
                if found is not None and found.value is False:
                    anchor = node.arguments[0]
                    inner = anchor.arguments[0] if isinstance(anchor, Call) and anchor.function in _ONE else anchor
                    return stream_words(inner, self.words).never
        return None

    def _undetected(self, video_id: str) -> str:
        """That what is asked about was never detected in this video."""
        seen = self.runner.detected(video_id)
        lost = [name for name in names_of(self.expression) if name not in seen]
        return "".join(f" ({self.words.say('not_detected', a=self.words.name(name))})" for name in lost)

    def _per_video(self) -> tuple[QueryRow, ...]:
        rows = self.runner.rows(by_video(self.expression))
        order = {video_id: place for place, video_id in enumerate(self.videos)}
        return tuple(sorted(rows, key=lambda row: order.get(row.video_id or "", 0)))

    def value(self, row: QueryRow, expression: Grouped | None = None) -> Value:
        """A row as a value that sentences can say."""
        unit = self.runner.result(expression or self.expression).unit
        missing = row.missing if row.value is None and row.missing not in _NOTHING else None
        if missing:
            self.missing.append(missing)
        return Value(row.value, unit, missing, row.n)

    def delays(self) -> Iterator[Claim]:
        """How long it took from the start of each video."""
        for row in self._per_video():
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
            yield self.claim(row, text, place=self._place(row))

    def yes_no(self) -> Iterator[Claim]:
        """Whether it is ever so: in any video, and in each."""
        if len(self.videos) > 1:
            (row,) = self.runner.rows(self.expression)
            yield self._yes_no(row, place=self._together(), operation="yes_no")
        for row in self._per_video():
            yield self._yes_no(row, place=self._place(row), operation="yes_no" if len(self.videos) == 1 else "value")

    def _yes_no(self, row: QueryRow, *, place: str, operation: ClaimOperation) -> Claim:
        if row.value is None:
            return self.claim(row, value_sentence(self.expression, self.value(row), self.words), place=place)
        try:
            text = yes_no_sentence(core(self.expression), bool(row.value), self.words)
        except NoWords:
            text = value_sentence(self.expression, self.value(row), self.words)
        if not row.value and row.video_id:
            text += self._undetected(row.video_id)
        return self.claim(row, text, place=place, operation=operation, value="yes" if row.value else "no", unit="")

    def exceeds(self) -> Iterator[Claim]:
        """Whether the value is more than the threshold."""
        rows = self.runner.rows(self.expression)
        for row in rows:
            body = self._value_text(row)
            if row.value is None or self.step.threshold is None:
                yield self.claim(row, body, place=self._place(row))
                continue
            unit = self.value(row).unit
            more = float(row.value) > self.step.threshold
            limit = self.words.amount(self.step.threshold, unit)
            text = self.words.say(
                "it_is" if more else "it_is_not", x=f"{body} (> {limit})" if more else f"{body} (≤ {limit})"
            )
            place = self._together() if len(self.videos) > 1 and row.video_id is None else self._place(row)
            yield self.claim(row, text, place=place, operation="yes_no", value="yes" if more else "no", unit="")

    def moment(self) -> Iterator[Claim]:
        """Whether it is so at a moment of each video."""
        call = core(self.expression)
        for row in self._per_video():
            if row.value is None or not isinstance(call, Call):
                yield self.claim(
                    row, value_sentence(self.expression, self.value(row), self.words), place=self._place(row)
                )
                continue
            key, at = moment_phrase(call, self.words)
            spoken = stream_words(call.arguments[0], self.words)
            said = self.words.say(key, x=spoken.holds if row.value else spoken.negated, v=at)
            text = self.words.say("it_is" if row.value else "it_is_not", x=said)
            if not row.value and row.video_id:
                text += self._undetected(row.video_id)
            operation: ClaimOperation = "yes_no" if len(self.videos) == 1 else "value"
            yield self.claim(
                row, text, place=self._place(row), operation=operation, value="yes" if row.value else "no", unit=""
            )

    # Names

    def names(self) -> Iterator[Claim]:
        """The names that the variable stands for, chosen as the question asks."""
        if self.expression.by_video and not self.expression.by:
            yield from self._among_videos()
            return
        if _is_per_video(self.expression):
            for video_id in self.videos:
                rows = [row for row in self.runner.rows(by_video(self.expression)) if row.video_id == video_id]
                yield self._chosen(rows, place=self._in_video(video_id), operation="value", video_id=video_id)
            return
        place = self._together() if len(self.videos) > 1 else ""
        yield self._chosen(self.runner.rows(self.expression), place=place, operation="which", video_id=None)

    def _among_videos(self) -> Iterator[Claim]:
        rows = [row for row in self.runner.rows(self.expression) if not self._note_missing(row)]
        labelled = [(row.video_id or "", row) for row in rows]
        yield self._pick(labelled, place="", operation="which", label=lambda name: name, video_id=None)

    def _chosen(
        self, rows: Sequence[QueryRow], *, place: str, operation: ClaimOperation, video_id: str | None
    ) -> Claim:
        known = [row for row in rows if not self._note_missing(row)]
        labelled = [(_name_of(row), row) for row in known]
        return self._pick(labelled, place=place, operation=operation, label=self.words.name, video_id=video_id)

    def _note_missing(self, row: QueryRow) -> bool:
        if row.value is None and row.missing and row.missing not in _NOTHING:
            self.missing.append(row.missing)
            return True
        return False

    def _pick(
        self,
        rows: Sequence[tuple[str, QueryRow]],
        *,
        place: str,
        operation: ClaimOperation,
        label: Callable[[str], str],
        video_id: str | None,
    ) -> Claim:
        chosen = _choose(rows, self.step.reading, self.step.top)
        clause, limits = self._listed_clause()
        key = _SENTENCE_OF[self.step.reading]
        names = [name for name, _ in chosen]
        if self.step.reading == "number":
            value: int | str | None = len(names)
            said = f"{len(names)}" + (f" ({self.words.listed([label(n) for n in names])})" if names else "")
        else:
            value = ", ".join(names) or "none"
            said = self._listed(chosen, label)
        node = core(self.expression)
        if isinstance(node, Call) and node.function in ("longest", "shortest", "mean", "median") and names:
            key = node.function
        if len(chosen) > self.step.top and self.step.reading in ("most", "least", "first", "last", "next"):
            said = self.words.say("tie", v=said)
        if not names and self.step.reading != "number":
            key = "never_none" if self.step.reading == "none" else "list_none"
        if self.expression.by_video and not self.expression.by:
            key = {"list": "videos", "none": "never_videos", "list_none": "videos_none"}.get(key, key)
        text = self.words.say(key, x=clause, v=said, l=limits)
        cited = [row for _, row in (chosen or rows)]
        evidence = tuple(i for row in cited for i in self.runner.cite(row, self.step.expression, self._unit()))
        unit = "count" if self.step.reading == "number" else "names"
        if key in ("longest", "shortest") and chosen:
            # "The longest time, and which toy was it?": the time is the value, the toy stands in the words.
            value, unit = _plain(chosen[0][1].value), self._unit()
        if not evidence:
            bare = QueryRow(None, None, video_id, None, None, {}, None, None, None, 0.0, ())
            evidence = self.runner.cite(bare, self.step.expression, "")
        return self._sentence(place + text, value, unit, evidence, operation)

    def _listed(self, chosen: Sequence[tuple[str, QueryRow]], label: Callable[[str], str]) -> str:
        parts = []
        for name, row in chosen:
            shown = "" if row.value is None or isinstance(row.value, bool) else value_words(self.value(row), self.words)
            plain = self.step.reading in ("list", "none")
            parts.append(label(name) if plain or not shown else f"{label(name)} ({shown})")
        return self.words.listed(parts)

    def _listed_clause(self) -> tuple[str, str]:
        node = core(self.expression)
        try:
            if isinstance(node, Call) and node.function == "holds":
                key, at = moment_phrase(node, self.words)
                return self.words.say(key, x=stream_words(node.arguments[0], self.words).whole, v=at), ""
            if self.step.reading == "next":
                return self._next_clause(node)
            return listed_clause(node, self.words)
        except NoWords:
            return f"`{node.to_text()}`", ""

    def _next_clause(self, node: Node) -> tuple[str, str]:
        return listed_clause(node, self.words)

    def _unit(self) -> str:
        return self.runner.result(self.expression).unit

    # Comparisons

    def comparison(self) -> Iterator[Claim]:
        """Two values: both, and which is larger or by how much they differ."""
        other = parsed(self.step.than or "")
        per_video = _is_per_video(self.expression)
        if per_video:
            for video_id in self.videos:
                pair = [self._row_of(e, video_id) for e in (self.expression, other)]
                yield self._compared(pair, other, place=self._in_video(video_id), operation="value")
            return
        pair = [self.runner.rows(e)[0] for e in (self.expression, other)]
        place = self._together() if len(self.videos) > 1 else ""
        operation: ClaimOperation = "difference" if self.step.reading == "difference" else "yes_no"
        yield self._compared(pair, other, place=place, operation=operation)

    def _row_of(self, expression: Grouped, video_id: str) -> QueryRow:
        return next(row for row in self.runner.rows(by_video(expression)) if row.video_id == video_id)

    def _compared(self, pair: Sequence[QueryRow], other: Grouped, *, place: str, operation: ClaimOperation) -> Claim:
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
            return self._sentence(
                place + self.words.say("of_two", x=x, y=y, v="–"), None, values[0].unit, evidence, operation
            )
        first, second = (float(n) for n in numbers if n is not None)
        if self.step.reading == "difference":
            shown = self.words.amount(abs(first - second), values[0].unit)
            text = self.words.say("of_two", x=x, y=y, v=shown)
            return self._sentence(place + text, first - second, values[0].unit, evidence, operation)
        is_so = first > second + _EPS if self.step.reading == "more" else first < second - _EPS
        key = "more" if is_so else ("equal" if abs(first - second) <= _EPS else "less")
        text = self.words.say(key, x=x, y=y)
        return self._sentence(place + text, "yes" if is_so else "no", "", evidence, operation)

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
            yield self._sentence(self._in_video(video_id) + text, said, "", evidence, "value")

    def _placed(self, claim: Claim, video_id: str) -> Claim:
        place = self._in_video(video_id)
        if not place:
            return claim
        text = place + claim.text[0].lower() + claim.text[1:]
        return claim.model_copy(update={"text": text[0].upper() + text[1:]})

    # Claims

    def claim(
        self,
        row: QueryRow,
        body: str,
        *,
        place: str,
        operation: ClaimOperation = "value",
        value: str | None = None,
        unit: str | None = None,
    ) -> Claim:
        """One sentence with the evidence of one row."""
        result_unit = self._unit()
        evidence = self.runner.cite(row, self.step.expression, result_unit)
        stated = value if value is not None else _plain(row.value)
        return self._sentence(place + body, stated, result_unit if unit is None else unit, evidence, operation)

    def _sentence(
        self, text: str, value: float | int | str | None, unit: str, evidence: Sequence[str], operation: ClaimOperation
    ) -> Claim:
        whole = f"{text[0].upper()}{text[1:]}."
        return Claim(text=whole, value=value, unit=unit, evidence=tuple(evidence), operation=operation)

    def _place(self, row: QueryRow) -> str:
        return self._in_video(row.video_id) if row.video_id else ""

    def _in_video(self, video_id: str) -> str:
        return self.words.say("in_video", v=video_id, x="") if len(self.videos) > 1 or self.expression.video else ""

    def _together(self) -> str:
        return self.words.say("together", n=str(len(self.videos)), x="")


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


def _words_for(expression: Grouped, words: Words) -> Words:
    """The words of a language; a variable whose names are taken together stands for one and the same object."""
    if not expression.over:
        return words
    said = [node.base for node in walk(expression) if isinstance(node, NameTerm)]
    same = {
        binding.variable: words.names["same" if said.count(binding.variable) > 1 else "thing"]
        for binding in expression.over
    }
    return replace(words, names={**words.names, **same})


def _plain(value: float | int | bool | str | None) -> float | int | str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _name_of(row: QueryRow) -> str:
    return next(iter(row.names.values()), "")


def _is_per_video(expression: Grouped) -> bool:
    """Whether its values are times or states of one video, which are not summed up over videos."""
    return any(isinstance(node, Call) and node.function in _NO_SUM for node in walk(expression))


def _choose(rows: Sequence[tuple[str, QueryRow]], reading: Reading, top: int) -> list[tuple[str, QueryRow]]:
    """Those of ``rows`` that a question asks for, best first; ties are kept."""
    if reading in ("list", "number"):
        return [(name, row) for name, row in rows if row.value]
    if reading == "none":
        return [(name, row) for name, row in rows if not row.value]
    known = [(name, row) for name, row in rows if row.value is not None]
    if reading == "each":
        return known
    if reading in ("most", "least"):
        # What has none of it is not the most of it.
        known = [(name, row) for name, row in known if row.value or reading == "least"]
    downward = reading in ("most", "last")
    ordered = sorted(known, key=lambda pair: (-1 if downward else 1) * float(pair[1].value or 0))
    if len(ordered) <= top:
        return ordered
    edge = float(ordered[top - 1][1].value or 0)
    return [*ordered[:top], *(pair for pair in ordered[top:] if abs(float(pair[1].value or 0) - edge) <= _EPS)]


def _window_of(expression: Grouped) -> tuple[float | None, float | None]:
    """The window of an account, from ``between(5s, 10s)`` in its expression."""
    from visionllm_interaction.measures.language.syntax import Quantity

    for node in walk(expression):
        if isinstance(node, Call) and node.function == "between":
            begin, end = node.arguments
            if isinstance(begin, Quantity) and isinstance(end, Quantity):
                return (begin.value if begin.unit == "s" else None), (end.value if end.unit == "s" else None)
    return None, None


_SENTENCE_OF: Mapping[Reading, str] = {
    "most": "most",
    "least": "least",
    "first": "first",
    "last": "last",
    "next": "next",
    "list": "list",
    "none": "never_list",
    "number": "number",
    "each": "list",
}
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
    **dict.fromkeys(_SENTENCE_OF, _Composer.names),
}
__all__ = ["Composed", "NameTerm", "Operation", "compose"]
