"""What a right answer may be: a value of each video, one of all, names, yes or no, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from truth.room_quantities import Truths, all_objects, ever, largest
from truth.room_truth import PEOPLE, RoomTruth, Span, both, total, union, weighted_mean

_EPS = 1e-6
Value = float | str | bool | frozenset[str] | None


@dataclass(frozen=True)
class Expected:
    """A right answer.

    Attributes:
        kind: how it is compared.
        per_video: video id → the value there.
        together: the value of all videos; "" if none is asked for.
        reason: words of which a refusal must say one.
    """

    kind: Literal["number", "names", "yes_no", "refused", "text"]
    per_video: Mapping[str, Value] = field(default_factory=dict)
    together: Value = ""
    reason: tuple[str, ...] = ()


Reading = Callable[[Truths], Expected]


def refused(*reason: str) -> Callable[[Truths], Expected]:
    """A refusal whose reason says one of these words."""
    return lambda _: Expected("refused", reason=reason)


NO: Reading = refused("")
"""A refusal for any reason."""


TEXT: Reading = lambda _: Expected("text")  # noqa: E731
"""An account with evidence."""


def sum_of(of: Callable[[RoomTruth], float]) -> Callable[[Truths], Expected]:
    """A number of each video, and their sum."""

    def expected(truths: Truths) -> Expected:
        values = {t.video_id: of(t) for t in truths}
        return Expected("number", values, float(sum(values.values())))

    return expected


def share(part: Callable[[RoomTruth], float], whole: Callable[[RoomTruth], float]) -> Callable[[Truths], Expected]:
    """A share of each video, and that of all of them."""

    def expected(truths: Truths) -> Expected:
        values = {t.video_id: part(t) / whole(t) if whole(t) else None for t in truths}
        base = sum(whole(t) for t in truths)
        return Expected("number", values, sum(part(t) for t in truths) / base if base else None)

    return expected


def each(
    of: Callable[[RoomTruth], Value], kind: Literal["number", "names", "yes_no"] = "number"
) -> Callable[[Truths], Expected]:
    """A value of each video, and none of all."""

    def expected(truths: Truths) -> Expected:
        return Expected(kind, {t.video_id: of(t) for t in truths})

    return expected


def one_video(place: int, of: Callable[[RoomTruth], Value], kind: str) -> Reading:
    """A value of one video, by its place."""
    return lambda ts: Expected(kind, {ts[place].video_id: of(ts[place])})  # type: ignore[arg-type]


def number(of: Callable[[Truths], float | None]) -> Reading:
    """One number of all videos."""
    return lambda truths: Expected("number", {}, of(truths))


def ratio(first: Callable[[RoomTruth], float], second: Callable[[RoomTruth], float]) -> Reading:
    """One sum divided by another."""

    def of(ts: Truths) -> float | None:
        base = sum(map(second, ts))
        return sum(map(first, ts)) / base if base else None

    return number(of)


def per_video(of: Callable[[RoomTruth], float]) -> Reading:
    """The mean over the videos."""
    return number(lambda ts: sum(map(of, ts)) / len(ts))


def video_count(of: Callable[[RoomTruth], object]) -> Reading:
    """Of how many videos it is so."""
    return number(lambda ts: float(sum(bool(of(t)) for t in ts)))


def yes(of: Callable[[RoomTruth], bool]) -> Reading:
    """Yes if it is so in any video."""
    return lambda truths: Expected("yes_no", together=any(of(t) for t in truths))


def says(of: Callable[[Truths], bool | None]) -> Reading:
    """Yes or no of all videos together."""
    return lambda truths: Expected("yes_no", together=of(truths))


def more(first: Callable[[RoomTruth], float], second: Callable[[RoomTruth], float]) -> Reading:
    """Whether the sum of one is larger."""
    return says(lambda ts: sum(map(first, ts)) > sum(map(second, ts)) + _EPS)


def names(of: Callable[[Truths], frozenset[str]]) -> Callable[[Truths], Expected]:
    """Names, of all videos together."""
    return lambda truths: Expected("names", together=of(truths))


def chosen(of: Callable[[Truths, str], bool]) -> Reading:
    """The objects of which it is so."""
    return names(lambda ts: frozenset(n for n in all_objects(ts) if of(ts, n)))


def how_many(of: Callable[[Truths, str], bool]) -> Reading:
    """How many objects it is so of."""
    return number(lambda ts: float(sum(of(ts, n) for n in all_objects(ts))))


def n_toys(of: Callable[[RoomTruth, str], object]) -> list[Reading]:
    """Different objects, of all videos or of each."""
    overall = how_many(lambda ts, n: ever(ts, lambda t: of(t, n)))
    return [overall, each(lambda t: float(sum(bool(of(t, n)) for n in t.objects)))]


def best(of: Callable[[RoomTruth, str], float], domain: str, n: int = 1) -> Reading:
    """The names with the largest sum over all videos."""

    def reading(truths: Truths) -> Expected:
        known = PEOPLE if domain == "people" else sorted(all_objects(truths))
        return Expected("names", together=largest({x: sum(of(t, x) for t in truths) for x in known}, n))

    return reading


def best_video(of: Callable[[RoomTruth], float]) -> Reading:
    """The video with the largest value."""
    return names(lambda ts: largest({t.video_id: of(t) for t in ts}))


def count(of: Callable[[RoomTruth], Sequence[object]]) -> Reading:
    """How many there are in all videos."""
    return sum_of(lambda t: float(len(of(t))))


def per_minute(of: Callable[[RoomTruth], Sequence[object]]) -> Reading:
    """How many there are per minute."""
    return share(lambda t: 60.0 * len(of(t)), lambda t: t.duration_s)


def lengths(of: Callable[[RoomTruth], list[Span]], how: Callable[[list[float]], float | None]) -> Reading:
    """A statistic of the lengths of the spans of all videos."""
    return number(lambda ts: how([e - b for t in ts for b, e in of(t)]))


def seconds(of: Callable[[RoomTruth], list[Span]]) -> Reading:
    """Seconds in all videos."""
    return sum_of(lambda t: total(of(t)))


def part(of: Callable[[RoomTruth], list[Span]], base: Callable[[RoomTruth], list[Span]] | None = None) -> Reading:
    """Share of the time, or of the time of ``base``."""
    if base is None:
        return share(lambda t: total(of(t)), lambda t: t.duration_s)
    return share(lambda t: total(both(union(of(t)), union(base(t)))), lambda t: total(base(t)))


def difference(first: Callable[[RoomTruth], float], second: Callable[[RoomTruth], float]) -> Reading:
    """By how much the sum of one is larger."""
    return number(lambda ts: sum(map(first, ts)) - sum(map(second, ts)))


def both_read(same: Callable[[RoomTruth, str, str], list[float]], giver: str, taker: str, how: object) -> Reading:
    """A statistic of lags in all videos."""
    return number(lambda ts: how([x for t in ts for x in same(t, giver, taker)]))  # type: ignore[operator]


def gap(window: Callable[[RoomTruth], Span], how: Callable[[list[tuple[float, float]]], float | None]) -> Reading:
    """A statistic of the distance of child and caregiver."""
    return number(lambda ts: how([p for t in ts for p in t.gaps("child", "caregiver", window(t))]))


def mean_gap(pairs: Mapping[str, list[tuple[float, float]]]) -> Expected:
    """The mean distance in each video, and that of all of them."""
    values = {video: weighted_mean(found) for video, found in pairs.items()}
    return Expected("number", values, weighted_mean([pair for found in pairs.values() for pair in found]))
