"""What a question means: streams of time, and what is asked of them. Pure data; texts of expressions are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from visionllm_interaction.reasoning.grammar.lexicon import Language

ANY_OBJECT = "thing"
ANY_PERSON = "person"
OBJECT_VARIABLE: Final = "$o"
PERSON_VARIABLE: Final = "$p"
BOUT_GAP = "0.5s"
"""Pauses up to this length do not part two bouts, as in every measure of bouts (docs/measures.md)."""
LEAST_AT_ONCE = "0.5s"
"""How long so many must be there at once to be counted, as in the measure of instances (docs/measures.md)."""
CUT = "0.1s"
"""What is in view so soon after the begin of the video was there before."""

EVENTS = frozenset({"picks_up", "puts_down", "hands_over", "enters", "leaves"})
SYMMETRIC = frozenset({"near", "in_contact", "joint_attention", "mutual_gaze"})
ALONE, VISIBLE, HOLDING = "alone", "visible", "holding"

Edge = Literal["start", "end"]


@dataclass(frozen=True)
class Holds:
    """A relation of names, or the moments at which it begins or ends.

    Attributes:
        relation: a stream function of the language.
        names: its arguments, as written in expressions.
        edge: the begin or end of it is meant.
        negated: its absence is meant.
        occurrence: the first (1), second …, or last (−1) one is meant; None: all.
        is_again: only those after the first leaving are meant: who comes back was gone before.
    """

    relation: str
    names: tuple[str, ...]
    edge: Edge | None = None
    negated: bool = False
    occurrence: int | None = None
    is_again: bool = False

    @property
    def is_moment(self) -> bool:
        """Whether it consists of moments."""
        return self.relation in EVENTS or self.edge is not None


@dataclass(frozen=True)
class Joined:
    """Several streams in one: all hold (``&``), at least one does (``|``), exactly one of two does (``^``).

    ``needs_at_once`` is said where a question asks for all of them *at the same time*.
    """

    operator: Literal["&", "|", "^"]
    parts: tuple[Holds, ...]
    negated: bool = False
    needs_at_once: bool = False

    @property
    def is_moment(self) -> bool:
        """Whether it consists of moments."""
        return any(part.is_moment for part in self.parts)


@dataclass(frozen=True)
class AtLeast:
    """At least ``n`` intervals of ``what`` hold at once.

    ``of_each_person`` is said where they must be of one person: two toys that *anybody* held.
    """

    n: int
    what: Holds
    negated: bool = False
    of_each_person: bool = False

    @property
    def is_moment(self) -> bool:
        """Whether it consists of moments: never."""
        return False


Stream = Holds | Joined | AtLeast
Half = Literal["first", "second"]


@dataclass(frozen=True)
class Scope:
    """What limits a question.

    Attributes:
        video_id: the one video asked about; None: all.
        begin_s: begin of a window in seconds.
        end_s: end of it.
        half: the first or second half of the video.
        last_s: the last seconds of the video.
        during: what holds meanwhile.
        after: from the first (or the n-th) time on that this begins.
        before: until the first (or n-th) time that this begins.
        around: only what begins within so many seconds of this.
        around_s: how many.
        side: whether only after it, only before it, or on both sides.
        not_since: only as long as this has not happened yet: "left without having given anything".
        is_at_once: whether it is said that what is asked for comes right after, or right before.
        overlapped: only whole bouts that have time in common with this.
        versus: limits of the value that it is compared with: "in the last 10 s than in the first 10 s".
    """

    video_id: str | None = None
    begin_s: float | None = None
    end_s: float | None = None
    half: Half | None = None
    last_s: float | None = None
    during: tuple[Stream, ...] = ()
    after: Stream | None = None
    before: Stream | None = None
    around: Stream | None = None
    around_s: float = 0.0
    side: Literal["after", "before", "both"] = "both"
    is_at_once: bool = False
    not_since: Stream | None = None
    overlapped: Stream | None = None
    versus: Scope | None = None


Ask = Literal[
    "total",
    "share",
    "count",
    "rate",
    "mean",
    "median",
    "longest",
    "shortest",
    "exists",
    "time",
    "delay",
    "gap",
    "latency",
    "prob",
    "holds",
    "doing",
    "next",
    "describe",
    "handled",
    "sd",
    "pauses",
    "portion",
    "ratio",
    "span",
    "most_at_once",
    "kinds",
]
Pick = Literal["most", "least", "median", "sd", "any", "none", "each", "first", "last", "number"]


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes:
        ask: what is computed.
        stream: of what; None for the average gap and the like.
        scope: its limits.
        language: in which it was asked.
        other: the second stream: of a latency, of what follows, of a share's base.
        within_s: how much later what follows may begin.
        occurrence: which occurrence the time of is asked: 1, 2, … or −1 for the last.
        edge_of_time: whether the begin or the end of it.
        variable: what varies in a question for who, what, which: ``$o``, ``$p`` or ``video``.
        pick: which of its values are asked for.
        among: the names it stands for where they are listed ("the child or the caregiver").
        top: how many of them.
        longer_s: bouts are counted only if longer than this.
        shorter_s: bouts are counted only if shorter than this.
        at_least_s: bouts are counted only if at least so long.
        at_most_s: bouts are counted only if at most so long.
        at: a moment: seconds, or per cent as text ("100%").
        than: what is compared with: another question with the same kind of value.
        comparison: which of the two is asked to be larger; None: both values and their difference.
        gap_names: the two whose distance is asked for.
        is_denied: whether it is asked of what varies that it never is so: "how many toys were never held".
        is_shared: whether a variable stands for the same object in both streams of a single value.
        threshold: a number that a value is compared with in a question for yes or no.
        more_often_than: only what is so more than so many times is asked for.
        is_counted: how many names there are is a value by itself, so that each video has one.
        mean_over: the value is averaged over videos, or over children.
        of_whole: a share is of the whole video, whatever limits what is measured.
        also: more questions in the same sentence ("and for how long?").
    """

    ask: Ask
    stream: Stream | None
    scope: Scope = Scope()
    language: Language = "en"
    other: Stream | None = None
    within_s: float | None = None
    occurrence: int | None = None
    edge_of_time: Edge = "start"
    variable: Literal["$o", "$p", "video"] | None = None
    pick: Pick | None = None
    among: tuple[str, ...] = ()
    top: int = 1
    longer_s: float | None = None
    shorter_s: float | None = None
    at_least_s: float | None = None
    at_most_s: float | None = None
    at: float | str | None = None
    than: Asked | None = None
    comparison: Literal["more", "less"] | None = None
    gap_names: tuple[str, str] | None = None
    is_denied: bool = False
    is_shared: bool = False
    threshold: float | None = None
    more_often_than: int | None = None
    mean_over: Literal["video", "child"] | None = None
    is_counted: bool = False
    of_whole: bool = False
    also: tuple[Asked, ...] = field(default=())


def quoted(name: str) -> str:
    """A name as it is written in an expression: "teddy bear" in quotes, *person except child* without."""
    if name.startswith("$") or " except " in name or name.isidentifier():
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def stream_text(stream: Stream) -> str:
    """``stream`` in the language of quantities."""
    if isinstance(stream, AtLeast):
        names = stream.what.names
        what = replace(stream.what, names=(PERSON_VARIABLE, *names[1:])) if stream.of_each_person else stream.what
        return _negated(f"at_least({stream.n}, {stream_text(what)})", stream.negated)
    if isinstance(stream, Joined):
        return _negated(_joined(stream), stream.negated)
    if stream.relation == ALONE:
        return _negated(_alone(stream.names[0]), stream.negated)
    call = f"{stream.relation}({', '.join(quoted(name) for name in stream.names)})"
    if stream.edge or stream.occurrence:
        call = bouts_text(call) if stream.relation not in EVENTS else call
    call = _edge(call, stream.edge, is_visible=stream.relation == VISIBLE)
    if stream.is_again:
        call = _again(call, stream)
    if stream.occurrence:
        call = _occurrence(call, stream.occurrence)
    return _negated(call, stream.negated)


def _again(call: str, stream: Holds) -> str:
    """What comes after the first leaving; things have no *leaving*, they go out of view."""
    if stream.relation == VISIBLE:
        gone = stream_text(Holds(VISIBLE, stream.names, "end", occurrence=1))
    else:
        gone = stream_text(Holds("leaves", stream.names, occurrence=1))
    return f"({call} & since({gone}))"


def _alone(name: str) -> str:
    """In view, and nobody else is: of two children in view none is alone."""
    return f"(visible({quoted(name)}) & !at_least(2, visible({ANY_PERSON})))"


def bouts_text(text: str) -> str:
    """A stream with short pauses bridged, as bouts are counted."""
    return f"merged({text}, {BOUT_GAP})"


def _edge(call: str, edge: Edge | None, *, is_visible: bool) -> str:
    """The moments at which a stream begins or ends; what the video's own begin or end cuts off is neither."""
    if edge == "start":
        return f"(starts({call}) & between({CUT}, 100%))" if is_visible else f"starts({call})"
    return f"(ends({call}) & between(0%, 100%))" if edge == "end" else call


def _occurrence(call: str, number: int) -> str:
    if number == 1:
        return f"first({call})"
    return f"last({call})" if number == -1 else f"nth({call}, {number})"


def _joined(stream: Joined) -> str:
    texts = [stream_text(part) for part in stream.parts]
    if stream.operator == "^":
        first, second = texts
        return f"(({first} & !{second}) | ({second} & !{first}))"
    return "(" + f" {stream.operator} ".join(texts) + ")"


def _negated(text: str, negated: bool) -> str:
    return f"!{text}" if negated else text


def streams_of(asked: Asked) -> Sequence[Stream]:
    """Every stream that a question is about."""
    scope = asked.scope
    limits = (*scope.during, scope.after, scope.before, scope.around, scope.not_since, scope.overlapped)
    return [stream for stream in (asked.stream, asked.other, *limits) if stream is not None]
