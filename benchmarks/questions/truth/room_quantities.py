"""Quantities of ToyRoom videos from which right answers are made: when, how often and who, by the truth alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from truth.room_truth import PEOPLE, RoomTruth, Span, both, bouts, holds_at, total, union, weighted_mean, without

_EPS = 1e-6
C, A = "child", "caregiver"
Truths = Sequence[RoomTruth]


def all_objects(truths: Truths) -> set[str]:
    """Categories of toys that are seen in any video."""
    return {name for t in truths for name in t.objects}


def held_total(truths: Truths, who: str) -> dict[str, float]:
    """Object → seconds that ``who`` holds it."""
    known = all_objects(truths)
    return {n: sum(total(t.related("holding", who, n)) for t in truths) for n in known}


def largest(values: Mapping[str, float], n: int = 1) -> frozenset[str]:
    """The names with the ``n`` largest positive values, ties included."""
    positive = {k: v for k, v in values.items() if v > 0}
    if not positive:
        return frozenset()
    edge = sorted(positive.values(), reverse=True)[:n][-1]
    return frozenset(k for k, v in positive.items() if v >= edge - 1e-6)


def smallest(values: Mapping[str, float]) -> frozenset[str]:
    """The names with the smallest value, also of 0."""
    return frozenset(n for n, x in values.items() if x <= min(values.values()) + _EPS)


def earliest(found: Mapping[str, float | None]) -> frozenset[str]:
    """The names with the smallest time."""
    times = {name: time for name, time in found.items() if time is not None}
    return frozenset(n for n, x in times.items() if x <= min(times.values()) + _EPS)


def latest(found: Mapping[str, float | None]) -> frozenset[str]:
    """The names with the largest time."""
    times = {name: time for name, time in found.items() if time is not None}
    return frozenset(n for n, x in times.items() if x >= max(times.values()) - _EPS)


def whole(t: RoomTruth) -> Span:
    """The time of the video."""
    return (0.0, t.duration_s)


def held(t: RoomTruth, who: str | None, what: str | None = None) -> list[Span]:
    """When ``who`` holds ``what``."""
    return t.related("holding", who, what)


def held_bouts(t: RoomTruth, who: str, what: str | None = None) -> list[Span]:
    """Bouts of holding, of each object by itself."""
    found = t.held_objects(who)
    return sorted(span for name, spans in found.items() if what in (None, name) for span in bouts(spans))


def held_s(who: str, what: str | None = None) -> Callable[[RoomTruth], float]:
    """Seconds that ``who`` holds ``what``."""
    return lambda t: total(held(t, who, what))


def near(t: RoomTruth) -> list[Span]:
    """When child and caregiver are near."""
    return t.related("near", "child", "caregiver")


def touching(t: RoomTruth) -> list[Span]:
    """When child and caregiver are in contact."""
    return t.related("in_contact", "child", "caregiver")


def handled(t: RoomTruth, who: str, n: str) -> list[Span]:
    """When somebody touches or holds an object."""
    return union([*t.related("in_contact", who, n), *held(t, who, n)])


def visible(name: str) -> Callable[[RoomTruth], list[Span]]:
    """When a ``name`` is visible."""
    return lambda t: t.visible(name)


def given(t: RoomTruth, giver: str | None = None, taker: str | None = None, what: str | None = None) -> list[float]:
    """Times of hand-overs."""
    return t.moments("hands_over", giver, taker, what)


def picks(t: RoomTruth, who: str, what: str | None = None) -> list[float]:
    """Times of pick-ups."""
    return [time for time, name in t.events_with_object("picks_up", who) if what in (None, name)]


def downs(t: RoomTruth, who: str, what: str | None = None) -> list[float]:
    """Times of put-downs."""
    return [time for time, name in t.events_with_object("puts_down", who) if what in (None, name)]


def at(t: RoomTruth, who: str, time_s: float) -> frozenset[str]:
    """What somebody holds at a moment."""
    return frozenset(n for n, spans in t.held_objects(who).items() if holds_at(spans, time_s))


def most_people(t: RoomTruth) -> float:
    """The largest number of people in one frame."""
    return max(float(sum(o["category"] in PEOPLE for o in objects)) for _, _, objects in t.frames)


def two_at_once(t: RoomTruth, who: str) -> list[Span]:
    """When ``who`` holds at least two objects."""
    spans = [s for _, s in sorted(t.held_objects(who).items())]
    return union([s for i, a in enumerate(spans) for b in spans[i + 1 :] for s in both(a, b)])


def not_during(spans: list[Span], others: list[Span]) -> list[Span]:
    """The parts of ``spans`` outside ``others``."""
    return union([part for span in union(spans) for part in without(span, others)])


def begin(spans: list[Span]) -> float | None:
    """The first begin."""
    return spans[0][0] if spans else None


def end(spans: list[Span]) -> float | None:
    """The last end."""
    return spans[-1][1] if spans else None


def first_of(times: Sequence[float]) -> float | None:
    """The first of some moments."""
    return min(times, default=None)


def first_from(times: list[float], after: float) -> float | None:
    """The first of ``times`` from a moment on."""
    return next((x for x in sorted(times) if x >= after - _EPS), None)


def last_before(times: list[float], before: float) -> float | None:
    """The last of ``times`` before a moment."""
    return next((x for x in sorted(times, reverse=True) if x < before - _EPS), None)


def starts(spans: list[Span], *, at_zero: bool = True) -> list[float]:
    """When bouts begin."""
    return [b for b, _ in bouts(spans) if at_zero or b > _EPS]


def follows(times: Sequence[float], others: Sequence[float], within: float) -> int:
    """How many of ``times`` one of ``others`` follows."""
    return sum(any(x < y <= x + within + _EPS for y in others) for x in times)


def next_lags(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """From each of ``times`` to the next of ``others`` before the next of ``times``."""
    found = []
    for x, until in zip(times, [*times[1:], float("inf")], strict=False):
        found += [y - x for y in others if x <= y < until][:1]
    return found


def same_toy_lags(t: RoomTruth, giver: str, taker: str) -> list[float]:
    """From put-downs of each object to its next pick-up by the other."""
    found = []
    for name in sorted(t.objects):
        downs = [x for x, n in t.events_with_object("puts_down", giver) if n == name]
        ups = [x for x, n in t.events_with_object("picks_up", taker) if n == name]
        found += next_lags(downs, ups)
    return found


def any_toy_lags(t: RoomTruth, giver: str, taker: str) -> list[float]:
    """From put-downs of anything to the next pick-up of anything by the other."""
    return next_lags(t.moments("puts_down", giver), t.moments("picks_up", taker))


def mean(values: Sequence[float]) -> float | None:
    """The mean, None of nothing."""
    return sum(values) / len(values) if values else None


def most(values: Sequence[float]) -> float | None:
    """The largest, None of nothing."""
    return max(values, default=None)


def standard_deviation(values: list[float], ddof: int) -> float | None:
    """The standard deviation, None of too few."""
    if len(values) <= ddof:
        return None
    middle = sum(values) / len(values)
    return float((sum((x - middle) ** 2 for x in values) / (len(values) - ddof)) ** 0.5)


def ever(ts: Truths, of: Callable[[RoomTruth], object]) -> bool:
    """Whether it is so in any video."""
    return any(of(t) for t in ts)


def mean_gaps_of_halves(truths: Truths) -> tuple[float | None, float | None]:
    """The mean distance of child and caregiver in the first and in the second half of all videos."""
    pairs: list[list[tuple[float, float]]] = [[], []]
    for t in truths:
        half = t.duration_s / 2
        pairs[0] += t.gaps("child", "caregiver", (0, half))
        pairs[1] += t.gaps("child", "caregiver", (half, t.duration_s))
    return weighted_mean(pairs[0]), weighted_mean(pairs[1])
