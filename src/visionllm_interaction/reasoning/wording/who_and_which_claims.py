"""Claims that choose among names: what, which and who, the most, the first, none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.measures.language.result import QueryRow
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, NameTerm, Node, Prefix, walk
from visionllm_interaction.measures.streams.stream_scopes import ANYTHING
from visionllm_interaction.reasoning.answers import Claim, Operation
from visionllm_interaction.reasoning.execution.expressions import by_video, parsed
from visionllm_interaction.reasoning.grammar.meaning import OBJECT_VARIABLE, PERSON_VARIABLE
from visionllm_interaction.reasoning.planning.plan import Reading
from visionllm_interaction.reasoning.wording.claim_composer import EPS, NOTHING, Composer, is_per_video, plain_value
from visionllm_interaction.reasoning.wording.expression_words import NoWords, stream_words
from visionllm_interaction.reasoning.wording.value_sentences import (
    compared_objects,
    core,
    listed_clause,
    moment_phrase,
    nth_clause,
    value_words,
)
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING

SENTENCE_OF: Mapping[Reading, str] = {
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
"""How the chosen names are read → the sentence that says them."""


_BLANK = "…"
_PAIR = 2
_OF_ONE_PERSON = frozenset({"visible", "enters", "leaves", "picks_up", "puts_down", "holding"})
"""Streams of one name whose evidence is of this person and of no other."""
_OF_PERSON_AND_THING = frozenset({"near", "in_contact", "holding", "picks_up", "puts_down"})
_HAD = frozenset({"holding", "in_contact", "picks_up", "puts_down"})
_COUNTS_AT_ONCE = frozenset({"at_least", "most_at_once", "mean_number"})
_HANDLED = "objects_handled"
_ALL_PEOPLE = frozenset({ANY_PERSON, ANYTHING})
_ALL_THINGS = frozenset({ANY_THING, ANYTHING})
_AT_ONCE_S = 1.0
"""Tracks of one thing, found anew before it was given up, overlap for less."""


class NameComposer(Composer):
    """Composes claims about the names that a variable of an expression stands for."""

    def names(self) -> Iterator[Claim]:
        """The names that the variable stands for, chosen as the question asks."""
        if self.expression.by_video and not self.expression.by:
            yield from self._among_videos()
            return
        if is_per_video(self.expression):
            for video_id in self.videos:
                rows = [row for row in self.runner.rows(by_video(self.expression)) if row.video_id == video_id]
                yield self._chosen(rows, place=self.in_video(video_id), operation="value", video_id=video_id)
            return
        if self.step.reading == "number" and self._counted_by_tracks():
            yield from self._numbers_of_tracks()
            return
        place = self.everywhere()
        yield self._chosen(self.runner.rows(self.expression), place=place, operation="which", video_id=None)

    def videos_of_several_people(self) -> list[str]:
        """The videos in which several people have one name, and which of them is meant makes a difference."""
        unclear = self._pooling_objects()
        is_of_videos = self.expression.by_video and not self.expression.by
        is_of_names = self.step.reading == "number" and not is_of_videos and not is_per_video(self.expression)
        if is_of_names and (by_tracks := self._counted_by_tracks()) and not self._is_proven_by_whom_it_is_of():
            unclear |= by_tracks
        return [video_id for video_id in self.videos if video_id in unclear]

    def _counted_by_tracks(self) -> set[str]:
        """The videos with several people of no name but "person": five who left, or one who left five times."""
        counted = {_name_of(row) for row in self.runner.rows(self.expression)}
        if ANY_PERSON not in counted:
            return set()
        return {
            video_id for video_id in self.videos if len(self.runner.tracks_by_name(video_id).get(ANY_PERSON, ())) > 1
        }

    def _is_proven_by_whom_it_is_of(self) -> bool:
        """Whether the tracks that are evidence and called "person" are those that are asked for, and no others.

        Somebody who proves a condition, or receives what is handed over, is called "person" as well; and what never
        happened is proven by nobody.
        """
        named = [node for node in walk(self.expression.value) if isinstance(node, Call) and _names_in(node)]
        if isinstance(core(self.expression), Prefix) or len(named) != 1:
            return False
        names = _names_in(named[0])
        alone = named[0].function in _OF_ONE_PERSON and len(names) == 1
        with_things = named[0].function in _OF_PERSON_AND_THING and len(names) == _PAIR
        others = [name for name in names if name != PERSON_VARIABLE]
        return (alone or with_things) and len(others) == len(names) - 1 and not {ANY_PERSON, ANYTHING} & set(others)

    def _pooling_objects(self) -> set[str]:
        """The videos in which objects are counted together that several people of one name had, each some of them.

        "The child held two toys" is not true of two children with one toy each. Where fewer are found in all, or one
        person alone had them, the number is that person's as well.
        """
        expressions = [self.expression, *([parsed(self.step.than)] if self.step.than else [])]
        return {video_id for expression in expressions for video_id in self._pooling_in(expression)}

    def _pooling_in(self, expression: Grouped) -> set[str]:
        listed = _listed_by_number(expression) if self.step.reading != "number" else expression
        named = _had_by_name(listed) if listed is not None else ""
        if listed is not None and named and named != PERSON_VARIABLE:
            return {video_id for video_id in self.videos if self._listed_of_several(listed, named, video_id)}
        is_of_each = named == PERSON_VARIABLE and self.step.reading != "number"
        if not is_of_each and not any(_counts_objects_of_a_name(node) for node in walk(expression.value)):
            return set()
        is_number = is_of_each or _is_number_of_objects(core(expression))
        of_several = self._has_each_of_several if is_of_each else self._has_them_of_several
        return {
            row.video_id or row.session or ""
            for row in self._stated(self.runner.rows(by_video(expression)))
            if not (is_number and row.value is not None and row.value <= 1) and of_several(row)
        }

    def _listed_of_several(self, listed: Grouped, named: str, video_id: str) -> bool:
        """Whether the objects that are listed are of several people of one name, none of whom had all of them."""
        rows = [row for row in self.runner.rows(by_video(listed)) if row.video_id == video_id and row.value]
        had_by = [{track for item in row.evidence for track in item.track_ids} for row in rows]
        return self._are_of_several(had_by, self.runner.tracks_by_name(video_id).get(named, ()))

    def _has_each_of_several(self, row: QueryRow) -> bool:
        """Whether the objects that a value counts, each with evidence of its own, are of several people of one name."""
        videos = {item.video_id for item in row.evidence}
        had_by = [set(item.track_ids) for item in row.evidence]
        return any(
            self._are_of_several(had_by, tracks)
            for video_id in videos
            for tracks in self.runner.tracks_by_name(video_id).values()
        )

    def _are_of_several(self, had_by: Sequence[Collection[int]], of_name: Sequence[Track]) -> bool:
        """Whether people of one name had objects, each some of them: whose tracks prove it, object by object."""
        people = [track for track in of_name if track.category in PERSON_CATEGORIES]
        who = [track for track in people if any(track.track_id in tracks for tracks in had_by)]
        one_had_all = any(all(track.track_id in tracks for tracks in had_by) for track in who)
        return len(had_by) >= _PAIR and _are_at_once(who) and not one_had_all

    def _stated(self, rows: Sequence[QueryRow]) -> list[QueryRow]:
        """The rows that an answer says: of a comparison of names those with the most."""
        if self.step.reading != "most":
            return list(rows)
        of_video: dict[str, list[tuple[str, QueryRow]]] = {}
        for row in rows:
            of_video.setdefault(row.video_id or "", []).append((_name_of(row), row))
        return [row for named in of_video.values() for _, row in _choose(named, "most", self.step.top)]

    def _has_them_of_several(self, row: QueryRow) -> bool:
        for item in row.evidence if row.value else ():
            own = set(item.track_ids)
            for tracks in self.runner.tracks_by_name(item.video_id).values():
                of_name = [track for track in tracks if track.track_id in own and track.category in PERSON_CATEGORIES]
                if _are_at_once(of_name):
                    return True
        return False

    def _numbers_of_tracks(self) -> Iterator[Claim]:
        clause, limits = self._listed_clause()
        for video_id in self.videos:
            rows = self.runner.rows(by_video(self.expression))
            cited = [row for row in rows if row.video_id == video_id and row.value and not self.note_missing(row)]
            numbers = {_name_of(row): len(self._proving(row, video_id)) for row in cited}
            nothing = QueryRow(None, None, video_id, None, None, {}, None, None, None, 0.0, ())
            evidence = [
                i for row in cited or [nothing] for i in self.runner.cite(row, self.step.expression, self.unit())
            ]
            total = sum(numbers.values())
            said = self.words.listed([f"{self.words.bare.get(name, name)} {n}" for name, n in numbers.items()])
            value = self.words.say("of_tracks", n=str(total), v=said) if total else "0"
            text = self._asked(self.words.say("number", x=clause, v=value, l=limits))
            yield self.sentence(self.in_video(video_id) + text, total, "count", evidence, "value")

    def _proving(self, row: QueryRow, video_id: str) -> list[Track]:
        """The tracks of a row's name that are evidence for it in a video."""
        cited = {track_id for item in row.evidence if item.video_id == video_id for track_id in item.track_ids}
        return [t for t in self.runner.tracks_by_name(video_id).get(_name_of(row), ()) if t.track_id in cited]

    def _may_be_more(self, rows: Sequence[QueryRow]) -> bool:
        """Whether two of one name prove it that are there at once, so that a name stands for more than one."""
        return any(_are_at_once(self._proving(row, video_id)) for row in rows for video_id in self.videos)

    def _asked(self, text: str) -> str:
        """``text`` with *who* where it begins with what is asked for: "who left: the child"."""
        if not text.startswith(_BLANK):
            return text
        is_person = any(name.base == PERSON_VARIABLE for name in walk(self.expression) if isinstance(name, NameTerm))
        return self.words.say("who" if is_person else "what") + text.removeprefix(_BLANK)

    def _among_videos(self) -> Iterator[Claim]:
        found = self.runner.rows(self.expression)
        self.note_left_out(found)
        rows = [row for row in found if not self.note_missing(row)]
        labelled = [(row.video_id or "", row) for row in rows]
        yield self._pick(labelled, place="", operation="which", label=lambda name: name, video_id=None)
        if rows:
            yield from self._not_compared(found)

    def _not_compared(self, rows: Sequence[QueryRow]) -> Iterator[Claim]:
        """That videos which lack an input are left out of a comparison of videos."""
        clause, limits = self._listed_clause()
        for row in rows:
            if row.value is None and row.missing and row.missing not in NOTHING:
                text = self.words.say("missing_of", x=clause, l=limits, v=row.missing)
                evidence = self.runner.cite(row, self.step.expression, self.unit())
                yield self.sentence(self.in_video(row.video_id or "") + text, None, self.unit(), evidence, "value")

    def _chosen(self, rows: Sequence[QueryRow], *, place: str, operation: Operation, video_id: str | None) -> Claim:
        self.note_left_out(rows)
        known = [row for row in rows if not self.note_missing(row)]
        labelled = [(_name_of(row), row) for row in known]
        return self._pick(labelled, place=place, operation=operation, label=self.words.name, video_id=video_id)

    def _pick(
        self,
        rows: Sequence[tuple[str, QueryRow]],
        *,
        place: str,
        operation: Operation,
        label: Callable[[str], str],
        video_id: str | None,
    ) -> Claim:
        chosen = _choose(rows, self.step.reading, self.step.top)
        clause, limits = self._listed_clause()
        key = SENTENCE_OF[self.step.reading]
        names = [name for name, _ in chosen]
        if self.step.reading == "number":
            value: float | str | None = len(names)
            said = f"{len(names)}" + (f" ({self.words.listed([label(n) for n in names])})" if names else "")
            if self._may_be_more([row for _, row in chosen]):
                said = self.words.say("at_least", v=said)
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
            key = {"list": "videos", "never_list": "never_videos", "list_none": "videos_none"}.get(key, key)
        objects = self._compared_objects()
        if objects is not None:
            clause, limits = objects
            key = "list" if names else "list_none"
        nth = self._nth() if self.step.reading == "next" else None
        if nth is not None:
            text = self.words.say("nth_of" if names else "nth_none", x=nth[0], n=nth[1], v=said)
        else:
            text = self.words.say(key, x=clause, v=said, l=limits)
        text = self._asked(text)
        cited = [row for _, row in (chosen or rows)]
        evidence = tuple(i for row in cited for i in self.runner.cite(row, self.step.expression, self.unit()))
        unit = "count" if self.step.reading == "number" else "names"
        if key in ("longest", "shortest") and chosen and not self.expression.by_video:
            # "The longest time, and which toy was it?": the time is the value, the toy stands in the words.
            value, unit = plain_value(chosen[0][1].value), self.unit()
        if not evidence:
            bare = QueryRow(None, None, video_id, None, None, {}, None, None, None, 0.0, ())
            evidence = self.runner.cite(bare, self.step.expression, "")
        return self.sentence(place + text, value, unit, evidence, operation)

    def _listed(self, chosen: Sequence[tuple[str, QueryRow]], label: Callable[[str], str]) -> str:
        parts = []
        for name, row in chosen:
            shown = "" if row.value is None or isinstance(row.value, bool) else self._shown(row)
            plain = self.step.reading in ("list", "none")
            parts.append(label(name) if plain or not shown else f"{label(name)} ({shown})")
        return self.words.listed(parts)

    def _compared_objects(self) -> tuple[str, str] | None:
        if self.step.reading not in ("most", "least"):
            return None
        try:
            return compared_objects(core(self.expression), self.words, least=self.step.reading == "least")
        except NoWords:
            return None

    def _nth(self) -> tuple[str, str] | None:
        try:
            return nth_clause(core(self.expression), self.words)
        except NoWords:
            return None

    def _shown(self, row: QueryRow) -> str:
        return value_words(self.value(row), self.words)

    def _listed_clause(self) -> tuple[str, str]:
        node = core(self.expression)
        try:
            if isinstance(node, Call) and node.function == "holds":
                key, at = moment_phrase(node, self.words)
                return self.words.say(key, x=stream_words(node.arguments[0], self.words).whole, v=at), ""
            return listed_clause(node, self.words)
        except NoWords:
            return f"`{node.to_text()}`", ""


def _names_in(call: Call) -> list[str]:
    return [argument.base for argument in call.arguments if isinstance(argument, NameTerm)]


def _counts_objects_of_a_name(node: Node | Grouped) -> bool:
    """Whether a function counts the objects that somebody has, and is not asked of all people together."""
    if not isinstance(node, Call):
        return False
    if node.function == _HANDLED:
        return not _ALL_PEOPLE & set(_names_in(node))
    counted = next((part for part in node.arguments if isinstance(part, Call)), None)
    if node.function not in _COUNTS_AT_ONCE or counted is None:
        return False
    names = _names_in(counted)
    return len(names) == _PAIR and not _ALL_PEOPLE & {names[0]} and names[1] in _ALL_THINGS


def _is_number_of_objects(node: Node | Grouped) -> bool:
    """Whether a value is a number of objects: one alone is nobody else's."""
    return isinstance(node, Call) and node.function in (_HANDLED, "most_at_once")


def _had_by_name(expression: Grouped) -> str:
    """The name of those of whom an expression lists the objects that they held or touched; "" where it lists others."""
    node = core(expression)
    streams = [part for part in walk(node) if isinstance(part, Call) and part.function in _HAD]
    named = {tuple(_names_in(stream)) for stream in streams}
    if not isinstance(node, Call) or node.function != "exists" or len(named) != 1:
        return ""
    (names,) = named
    is_of_a_name = len(names) == _PAIR and names[1] == OBJECT_VARIABLE and names[0] not in _ALL_PEOPLE
    return names[0] if is_of_a_name else ""


def _listed_by_number(expression: Grouped) -> Grouped | None:
    """What an expression gives the number of; None if it is no number of names."""
    node = core(expression)
    inner = node.arguments[-1] if isinstance(node, Call) and node.function == "how_many" else None
    return replace(expression, value=inner.value, by=inner.by) if isinstance(inner, Grouped) else None


def _are_at_once(tracks: Sequence[Track]) -> bool:
    """Whether two of the tracks are there at the same time."""
    ordered = sorted(tracks, key=lambda track: track.begin_s)
    ends = accumulate((track.end_s for track in ordered), max)
    return any(end - following.begin_s > _AT_ONCE_S for end, following in zip(ends, ordered[1:], strict=False))


def _name_of(row: QueryRow) -> str:
    return next(iter(row.names.values()), "")


def _choose(rows: Sequence[tuple[str, QueryRow]], reading: Reading, top: int) -> list[tuple[str, QueryRow]]:
    """Those of ``rows`` that a question asks for, best first; ties are kept."""
    if reading in ("list", "number"):
        return [(name, row) for name, row in rows if row.value]
    if reading == "none":
        return [(name, row) for name, row in rows if not row.value]
    known = [(name, row) for name, row in rows if row.value is not None]
    if reading == "each":
        # The largest first, as a list in an order is asked for.
        return sorted(known, key=lambda pair: -float(pair[1].value or 0))
    if reading in ("most", "least"):
        # What has none of it is not the most of it.
        known = [(name, row) for name, row in known if row.value or reading == "least"]
    downward = reading in ("most", "last")
    ordered = sorted(known, key=lambda pair: (-1 if downward else 1) * float(pair[1].value or 0))
    if len(ordered) <= top:
        return ordered
    edge = float(ordered[top - 1][1].value or 0)
    return [*ordered[:top], *(pair for pair in ordered[top:] if abs(float(pair[1].value or 0) - edge) <= EPS)]
